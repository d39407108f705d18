"""Every primitive against central differences, with JVP and VJP each other's transpose."""

import numpy as np
import pytest
from autodiff.cases import CASES, COMPOSITE_CASES
from autodiff.checks import check_first, check_second
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.autodiff import grad, hessian, jacobian, jvp, relu, tracing
from funksvd.autodiff.reverse import Graph

ALL_CASES = {function.__name__.strip("_"): case for function, case in CASES.items()} | {
    f"composite-{function.__name__}": case for function, case in COMPOSITE_CASES.items()
}


def test_every_primitive_has_a_case():
    assert set(tracing.RULES) == set(CASES), "each primitive needs a case in cases.py"
    assert set(tracing.COMPOSITES) == set(COMPOSITE_CASES)


@pytest.mark.parametrize("name", ALL_CASES)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_first_derivatives(name, data, seed):
    generator = np.random.default_rng(seed)
    function, arrays = ALL_CASES[name](data.draw, generator)
    check_first(function, arrays, generator)


@pytest.mark.parametrize("name", ALL_CASES)
@settings(max_examples=50, deadline=None, derandomize=True)
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
    for function in (np.sum, np.max, np.min):
        assert grad(lambda x: function(x, axis=0))(3.0) == 1  # noqa: B023
        assert grad(lambda x: function(x, axis=-1, keepdims=True))(3.0) == 1  # noqa: B023


def test_empty_arrays():
    empty = np.zeros((0, 3))
    assert grad(np.sum)(empty).shape == (0, 3)
    assert jacobian(lambda x: x.sum(axis=0))(empty).shape == (3, 0, 3)
    assert jacobian(lambda x: x @ np.ones(3), mode="reverse")(empty).shape == (0, 0, 3)
    assert hessian(lambda x: (x**2).sum())(empty).shape == (0, 3, 0, 3)
