"""Every primitive against central differences, with JVP and VJP each other's transpose."""

import numpy as np
import pytest
from autodiff.cases import CASES, COMPOSITE_CASES
from autodiff.checks import check_first, check_second
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.autodiff import (
    grad,
    hessian,
    jacobian,
    jvp,
    logistic,
    logsumexp,
    relu,
    tracing,
    vjp,
)
from funksvd.autodiff.reverse import Graph

ALL_CASES = {function.__name__.strip("_"): case for function, case in CASES.items()} | {
    f"composite-{function.__name__}": case for function, case in COMPOSITE_CASES.items()
}


def test_every_primitive_has_a_case():
    assert set(tracing.RULES) == set(CASES), "each primitive needs a case in cases.py"
    assert set(tracing.COMPOSITES) == set(COMPOSITE_CASES)


@pytest.mark.parametrize("name", ALL_CASES)
@settings(max_examples=50, deadline=None, derandomize=True)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_first_derivatives(name, data, seed):
    generator = np.random.default_rng(seed)
    function, arrays = ALL_CASES[name](data.draw, generator)
    check_first(function, arrays, generator)


@pytest.mark.parametrize("name", ALL_CASES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_second_derivatives_by_all_four_ways(name, data, seed):
    generator = np.random.default_rng(seed)
    function, arrays = ALL_CASES[name](data.draw, generator)
    # Of its sine, since the second derivative of a linear function alone is zero.
    check_second(lambda *xs: np.sin(function(*xs)), arrays, generator)


@pytest.mark.parametrize("function", CASES, ids=lambda function: function.__name__)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_case_really_uses_its_primitive(function, data):
    use, arrays = CASES[function](data.draw, np.random.default_rng(0))
    with Graph() as graph:
        use(*map(graph.variable, arrays))
    used = {node.rule.function for node in graph.nodes if node.rule}
    assert tracing.RULES[function].function in used


# Kinks, ties and borderline cases, where there is something to choose.


def test_a_maximum_shares_the_derivative_among_ties():
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    comp = grad(lambda x: np.max(x, axis=1).sum())(x)
    np.testing.assert_array_equal(comp, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    assert jvp(lambda x: x.max(), (x,), (np.ones((2, 3)),))[1] == 1
    equal = np.array([1.0, 2.0])
    np.testing.assert_array_equal(grad(lambda a: np.maximum(a, [1.0, 5.0]).sum())(equal), [0.5, 0])
    np.testing.assert_array_equal(grad(lambda a: np.maximum(a, a).sum())(equal), [1, 1])
    np.testing.assert_array_equal(grad(lambda a: np.minimum(a, [1.0, 5.0]).sum())(equal), [0.5, 1])


def test_the_subgradient_zero_is_taken_at_kinks():
    for function in (relu, np.abs, np.linalg.norm):
        assert grad(function)(0.0) == 0
    np.testing.assert_array_equal(grad(np.linalg.norm)(np.zeros(3)), np.zeros(3))
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    comp = grad(lambda x: np.linalg.norm(x, axis=1).sum())(x)
    np.testing.assert_allclose(comp, [[0, 0], [0.6, 0.8]], rtol=1e-15)


@pytest.mark.parametrize(
    ("base", "exponent", "ref"),
    [
        (0.0, 0, [0, 0, 0]),
        (0.0, 1, [1, 0, 0]),
        (0.0, 2, [0, 2, 0]),
        (0.0, 3, [0, 0, 6]),
        (-2.0, 3, [12, -12, 6]),
        (-2.0, 0, [0, 0, 0]),
        (-2.0, -1, [-0.25, -0.25, -0.375]),
        (0.0, 2.0, [0, 2, 0]),
        (0.0, np.array(2.0), [0, 2, 0]),
        (0.0, np.array(1.0), [1, 0, 0]),
    ],
)
def test_powers_with_a_constant_exponent_to_the_third_derivative(base, exponent, ref):
    def function(x):
        return x**exponent

    first, second = grad(function), grad(grad(function))
    assert [first(base), second(base), grad(second)(base)] == pytest.approx(ref, rel=1e-14)


def test_powers_by_their_exponent():
    by_exponent = grad(np.power, argnum=1)
    assert by_exponent(2.0, 3.0) == pytest.approx(8 * np.log(2), rel=1e-15)
    assert by_exponent(0.0, 3.0) == by_exponent(0.0, 0.0) == 0
    assert grad(lambda b: 2**b)(0.0) == pytest.approx(np.log(2), rel=1e-15)
    # d/db d/da a^b = a^(b - 1) (1 + b log a) = 1 / a where b = 0
    mixed = grad(lambda b: grad(np.power)(2.0, b))
    assert mixed(0.0) == pytest.approx(0.5, rel=1e-15)
    with np.errstate(invalid="ignore"):
        assert np.isnan(by_exponent(-2.0, 3.0))  # a negative number has no real powers nearby


def test_an_array_of_exponents_some_of_which_are_zero():
    x, n = np.array([0.0, 0.0, 0.0, 2.0, -2.0]), np.array([0.0, 1.0, 2.0, 0.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: (x**n).sum())(x), [0, 1, 0, 0, 12])
    np.testing.assert_array_equal(hessian(lambda x: (x**n).sum())(x).diagonal(), [0, 0, 2, 0, -12])


def test_the_second_derivative_of_a_norm_at_zero_does_not_exist():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert np.isnan(hessian(np.linalg.norm)(np.zeros(2))).all()
        rows = hessian(lambda x: np.linalg.norm(x, axis=1).sum())(x)
        spread = hessian(lambda x: np.std(x, axis=1).sum())(np.array([[1.0, 1.0], [3.0, 4.0]]))
        lengths = hessian(lambda x: np.hypot(x[0], x[1]))(np.zeros(2))
    assert np.isnan(rows[0, :, 0]).all()
    np.testing.assert_allclose(rows[1, :, 1], [[0.128, -0.096], [-0.096, 0.072]], rtol=1e-13)
    assert np.isnan(spread[0, :, 0]).all()
    assert np.isfinite(spread[1]).all()
    assert np.isnan(lengths).all()
    np.testing.assert_array_equal(grad(lambda x: np.hypot(x[0], x[1]))(np.zeros(2)), [0, 0])
    np.testing.assert_array_equal(grad(np.std)(np.ones(3)), [0, 0, 0])
    assert hessian(np.std)(np.ones(1)) == 0  # one number never deviates from its mean


def test_log_sums_of_infinities():
    low, high = -np.inf, np.inf
    for a, b, ref in [(low, low, 0.5), (high, high, 0.5), (high, 1.0, 1), (low, 1.0, 0)]:
        assert grad(np.logaddexp)(a, b) == ref
        assert grad(np.logaddexp, argnum=1)(b, a) == ref
        assert jvp(np.logaddexp, (a, b), (1.0, 0.0))[1] == ref
        assert grad(logsumexp)(np.array([a, b]))[0] == ref
    x = np.array([[low, low, low], [low, 0.0, 0.0], [high, 0.0, high]])
    ref = [[1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5], [0.5, 0, 0.5]]
    (comp,) = vjp(lambda x: logsumexp(x, axis=1), x)[1](np.ones(3))
    np.testing.assert_allclose(comp, ref, rtol=1e-15)
    masked = hessian(logsumexp)(np.array([low, 0.0, 0.0]))
    np.testing.assert_allclose(masked, [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]], rtol=1e-15)
    assert hessian(lambda a: np.logaddexp(a, 1.0))(1.0) == 0.25


@pytest.mark.parametrize("x", [-700.0, -40.0, -1e-9, 0.0, 1e-9, 1.0, 40.0, 300.0])
def test_small_slopes_keep_their_digits(x):
    small, smaller = np.exp(-abs(x)), np.exp(-2 * abs(x))
    for function, at, ref in [
        (logistic, x, small / (1 + small) ** 2),
        (np.tanh, x, 4 * smaller / (1 + smaller) ** 2),
        (np.expm1, x, np.exp(x)),
        (lambda x: np.logaddexp(x, 0.0), -x, logistic(-x)),
    ]:
        assert grad(function)(at) == pytest.approx(ref, rel=1e-14, abs=0)


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_deviations_of_too_few_numbers():
    for function in (np.var, np.std):
        assert np.isnan(vjp(lambda x: function(x, ddof=1), np.ones(1))[0])  # noqa: B023
        for ddof in (2, 3):
            value, pull = vjp(lambda x: function(x, ddof=ddof), np.array([1.0, 2.0]))  # noqa: B023
            assert value == np.inf
            assert not np.isfinite(pull(1.0)[0]).any()


def test_products_of_zeros():
    x = np.array([[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    comp = grad(lambda x: np.prod(x, axis=1).sum())(x)
    np.testing.assert_array_equal(comp, [[12, 8, 6], [0, 8, 0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        hessian(np.prod)(np.array([0.0, 0.0, 5.0])), [[0, 5, 0], [5, 0, 0], [0, 0, 0]]
    )
    assert grad(lambda x: np.prod(x[:0]) * x[0])(x[0])[0] == 1
    assert np.prod(np.zeros((0, 3)), axis=0).tolist() == [1, 1, 1]
    assert jacobian(lambda x: np.prod(x, axis=0))(np.zeros((0, 3))).shape == (3, 0, 3)


def test_sorting_ties_and_cutting_at_bounds():
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    comp = grad(lambda x: (np.sort(x, kind="stable") * weights).sum())(np.array([2.0, 1, 2, 2]))
    np.testing.assert_array_equal(comp, [10, 1, 100, 1000])
    x = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: np.clip(x, 1, 2).sum())(x), [0, 0.5, 0.5, 0])


def test_a_determinant_of_a_singular_matrix_is_an_error():
    for function in (np.linalg.det, lambda a: np.linalg.inv(a).sum()):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            grad(function)(np.ones((2, 2)))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int32, np.uint64])
def test_indices_of_any_integer_type(kind):
    rows = np.array([0, 3, 127, 3], dtype=kind)
    for n_rows in (128, 300, 70_000):
        comp = grad(lambda m: (m[rows] * [[1.0], [10.0], [100.0], [1000.0]]).sum())(
            np.ones((n_rows, 2))
        )
        assert comp[[0, 3, 127]].tolist() == [[1, 1], [1010, 1010], [100, 100]]
        assert comp.sum() == 2222


@pytest.mark.parametrize(
    "use",
    [
        lambda a: np.einsum("ii", a),
        lambda a: np.einsum("ij,k", a, np.ones(2), np.ones(2)),
        lambda a: np.tensordot(a, a, 1),
        lambda a: np.tensordot(a[:, :1], a, 1),
        lambda a: np.prod(a, axis=2),
        lambda a: np.std(a, axis=-3),
        lambda a: np.cumsum(a, axis=5),
        lambda a: np.take(a, 0, axis=2),
        lambda a: np.linalg.norm(np.reshape(a, (1, 2, 3)), axis=(0, 1, 2)),
        lambda a: np.split(a, 4),
        lambda a: np.linalg.solve(a, a),
    ],
)
def test_what_numpy_refuses_is_refused(use):
    a = np.ones((2, 3))
    for call in (lambda: use(a), lambda: jvp(use, (a,), (a,)), lambda: vjp(use, a)):
        with pytest.raises((ValueError, np.linalg.LinAlgError)):  # an AxisError is a ValueError
            call()


def test_repeated_and_negative_indices_add_up():
    x = np.array([1.0, 2.0, 3.0])
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    comp = grad(lambda x: (x[np.array([0, 2, -1, 0])] * weights).sum())(x)
    np.testing.assert_array_equal(comp, [1001, 0, 110])
    rows = grad(lambda m: (m[np.array([0, 2, -1, 0])] * weights[:, None]).sum())(np.ones((3, 2)))
    np.testing.assert_array_equal(rows, [[1001, 1001], [0, 0], [110, 110]])
    pairs = grad(lambda m: (m[[0, 1, -2, 0], [1, 0, 0, -1]] * weights).sum())(np.ones((2, 2)))
    np.testing.assert_array_equal(pairs, [[100, 1001], [10, 0]])


@pytest.mark.parametrize("n_rows", [0, 3])
@pytest.mark.parametrize("n_columns", [0, 2])
def test_gathering_no_rows(n_rows, n_columns):
    none = np.array([], dtype=int)
    comp = grad(lambda m: m[none].sum())(np.ones((n_rows, n_columns)))
    np.testing.assert_array_equal(comp, np.zeros((n_rows, n_columns)))


def test_reductions_over_the_axes_of_a_0d_array():
    for function in (np.sum, np.max, np.min, np.prod):
        assert grad(lambda x: function(x, axis=0))(3.0) == 1  # noqa: B023
        assert grad(lambda x: function(x, axis=-1, keepdims=True))(3.0) == 1  # noqa: B023


def test_empty_arrays():
    empty = np.zeros((0, 3))
    assert grad(np.sum)(empty).shape == (0, 3)
    assert jacobian(lambda x: x.sum(axis=0))(empty).shape == (3, 0, 3)
    assert jacobian(lambda x: x @ np.ones(3), mode="reverse")(empty).shape == (0, 0, 3)
    assert hessian(lambda x: (x**2).sum())(empty).shape == (0, 3, 0, 3)
