"""Transforms: their results' forms, nesting, and what they do with odd functions."""

import copy
from collections import namedtuple

import numpy as np
import pytest

from funksvd.autodiff import (
    explain,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    logistic,
    logsumexp,
    numeric,
    primitive,
    register,
    softmax,
    value_and_grad,
    vjp,
)
from funksvd.autodiff.tracing import RULES

Point = namedtuple("Point", "x y")
MATRIX = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 4.0]])
VECTOR = np.array([0.3, -0.7, 1.1])


def quadratic(x):
    return 0.5 * x @ MATRIX @ x


# Forms of arguments and results


def test_a_number_gives_a_number():
    value, slope = value_and_grad(lambda x: x**2)(3.0)
    assert (value, slope) == (9, 6)
    assert np.shape(slope) == ()


@pytest.mark.parametrize(
    "tree",
    [
        (2.0, VECTOR),
        [2.0, VECTOR],
        Point(2.0, VECTOR),
        {"b": 2.0, "a": VECTOR},
        {"deep": [Point((2.0,), {"v": VECTOR}), ()], "more": (VECTOR, {})},
    ],
)
def test_a_gradient_has_the_form_of_its_argument(tree):
    def total(tree):
        if isinstance(tree, dict):
            return sum(map(total, tree.values()))
        if isinstance(tree, (tuple, list)):
            return sum(map(total, tree))
        return np.sum(tree**2)

    def double(tree):
        if isinstance(tree, dict):
            return {key: double(child) for key, child in tree.items()}
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return type(tree)(*map(double, tree))
        if isinstance(tree, (tuple, list)):
            return type(tree)(map(double, tree))
        return np.float64(2) * tree

    ref = repr(double(tree))  # shows each type and each number
    assert repr(grad(total)(tree)) == ref
    assert repr(hvp(total, tree, tree)) == ref


def test_dicts_are_matched_by_key_not_by_order():
    def function(d):
        return {"first": d["a"] * d["b"], "second": d["a"]}

    comp = jvp(function, ({"a": 2.0, "b": 3.0},), ({"b": 1.0, "a": 0.0},))[1]
    assert comp == {"first": 2.0, "second": 0.0}
    _, pull = vjp(function, {"b": 3.0, "a": 2.0})
    (adjoint,) = pull({"second": 10.0, "first": 1.0})
    assert adjoint == {"b": 2.0, "a": 13.0}
    assert list(adjoint) == ["b", "a"]


def test_argnum_and_further_arguments():
    def function(a, b, *, c):
        return (a * b**2).sum() * c

    comp = grad(function, argnum=1)(VECTOR, VECTOR, c=2.0)
    np.testing.assert_allclose(comp, 4 * VECTOR**2, rtol=1e-15)
    comp = jacobian(lambda a, b: a * b, argnum=1)(VECTOR, VECTOR)
    np.testing.assert_array_equal(comp, np.diag(VECTOR))


def test_several_arguments_at_once():
    def function(a, b, c):
        return (a["v"] * b).sum() * c

    by_a, by_c = grad(function, argnum=(0, 2))({"v": VECTOR}, VECTOR, 2.0)
    np.testing.assert_array_equal(by_a["v"], 2 * VECTOR)
    assert by_c == pytest.approx(VECTOR @ VECTOR, rel=1e-15)
    value, (slope,) = value_and_grad(function, argnum=[2])({"v": VECTOR}, VECTOR, 2.0)
    assert value == 2 * slope
    for mode in ("forward", "reverse"):
        a, b = jacobian(np.multiply, argnum=(0, 1), mode=mode)(VECTOR, 2 * VECTOR)
        np.testing.assert_array_equal(a, 2 * b)
    blocks = hessian(lambda a, b: a**2 * b, argnum=(0, 1))(3.0, 5.0)
    np.testing.assert_array_equal(blocks, [[10, 6], [6, 0]])


def test_vjp_gives_an_adjoint_for_each_argument_and_can_be_called_again():
    value, pull = vjp(lambda a, b: (a @ b, a + 1), MATRIX, VECTOR)
    np.testing.assert_array_equal(value[0], MATRIX @ VECTOR)
    for w in (VECTOR, 2 * VECTOR):
        a, b = pull((w, np.zeros((3, 3))))
        np.testing.assert_allclose(a, np.outer(w, VECTOR), rtol=1e-15)
        np.testing.assert_allclose(b, MATRIX.T @ w, rtol=1e-15)


@pytest.mark.parametrize("mode", ["forward", "reverse", None])
def test_jacobians_of_trees_by_both_modes(mode):
    def function(point):
        return {"product": point.x * point.y, "sum": point.x.sum() + point.y}

    comp = jacobian(function, mode=mode)(Point(VECTOR, 2.0))
    assert type(comp["sum"]) is Point
    np.testing.assert_array_equal(comp["product"].x, 2 * np.eye(3))
    np.testing.assert_array_equal(comp["product"].y, VECTOR)
    np.testing.assert_array_equal(comp["sum"].x, np.ones(3))
    assert comp["sum"].y == 1


@pytest.mark.parametrize("mode", ["forward", "reverse", None])
@pytest.mark.parametrize(("n", "m"), [(3, 2), (2, 3), (1, 1), (0, 2), (2, 0)])
def test_jacobian_shapes(mode, n, m):
    a = np.arange(1.0, 1 + 2 * m * n).reshape(2, m, n)
    comp = jacobian(lambda x: a @ x, mode=mode)(np.ones(n))
    np.testing.assert_array_equal(comp, a)
    assert comp.shape == (2, m, n)


@pytest.mark.parametrize(("n", "m", "n_calls"), [(2, 3, 1 + 2), (3, 3, 1 + 3), (3, 2, 1)])
def test_the_mode_is_chosen_by_shape(n, m, n_calls):
    calls = []

    def function(x):
        calls.append(1)
        return np.ones((m, n)) @ x

    jacobian(function)(np.ones(n))
    assert len(calls) == n_calls  # forward mode calls it for each element of the argument


def test_hessian_and_its_product_with_a_vector():
    np.testing.assert_allclose(hessian(quadratic)(VECTOR), MATRIX, rtol=1e-15)
    np.testing.assert_allclose(hvp(quadratic, VECTOR, VECTOR), MATRIX @ VECTOR, rtol=1e-15)
    blocks = hessian(lambda p: p.x**2 * p.y.sum())(Point(3.0, VECTOR))
    assert blocks.x.x == pytest.approx(2 * VECTOR.sum())
    np.testing.assert_array_equal(blocks.x.y, [6, 6, 6])
    np.testing.assert_array_equal(blocks.y.x, [6, 6, 6])
    np.testing.assert_array_equal(blocks.y.y, np.zeros((3, 3)))


# Functions that do nothing, or little, with their argument


def test_a_function_that_ignores_its_argument_has_the_derivative_zero():
    for constant in (5.0, np.float64(5), np.array(5.0)):
        assert grad(lambda x: constant)(1.0) == 0  # noqa: B023
        assert jvp(lambda x: constant, (1.0,), (1.0,)) == (5, 0)  # noqa: B023
    np.testing.assert_array_equal(grad(lambda t: t[0] ** 2)((1.0, VECTOR))[1], np.zeros(3))
    np.testing.assert_array_equal(jacobian(lambda x: np.ones(2))(VECTOR), np.zeros((2, 3)))
    np.testing.assert_array_equal(hessian(lambda x: x.sum())(VECTOR), np.zeros((3, 3)))


def test_the_result_may_be_the_argument_itself():
    assert value_and_grad(lambda x: x)(2.0) == (2, 1)
    np.testing.assert_array_equal(jacobian(lambda x: x)(VECTOR), np.eye(3))
    np.testing.assert_array_equal(jacobian(lambda x: (x, x), mode="reverse")(VECTOR)[1], np.eye(3))
    (adjoint,) = vjp(lambda x: (x, x), VECTOR)[1]((VECTOR, VECTOR))
    np.testing.assert_array_equal(adjoint, 2 * VECTOR)


def test_the_same_argument_used_twice():
    assert grad(lambda x: x + x + x * x)(3.0) == 8
    x = np.ones(3)
    np.testing.assert_array_equal(grad(lambda t: (t[0] * t[1]).sum())((x, x))[0], x)


def test_gradients_are_arrays_of_their_own():
    a, b = grad(lambda t: (t[0] + t[1]).sum())((VECTOR, VECTOR))
    a += 1  # neither read-only nor the other one
    np.testing.assert_array_equal(b, np.ones(3))
    cotangent = np.ones(3)
    (adjoint,) = vjp(lambda x: x, VECTOR)[1](cotangent)
    adjoint += 1
    np.testing.assert_array_equal(cotangent, np.ones(3))


def test_arrays_may_be_changed_after_they_were_used():
    def function(x):
        buffer, rows, total = np.empty(3), np.array([0, 0]), 0.0
        for step in range(3):
            buffer[:] = step
            rows[:] = step
            total = total + (x * buffer).sum() + 10.0 * x[rows].sum() + 100.0 * x[rows, None].sum()
        return total

    np.testing.assert_array_equal(grad(function)(VECTOR), np.full(3, 3.0 + 20.0 + 200.0))
    x = np.array([1.0, 2.0])
    value, pull = vjp(lambda x: np.exp(x * x), x)
    ref = 2 * x * np.exp(x * x)
    x -= 5.0
    value[:] = 0.0
    np.testing.assert_allclose(pull(np.ones(2))[0], ref, rtol=1e-15)


def weighted(x, w, more=None):
    return x * w if more is None else x * w * more["scale"][0]


by_weight = primitive(weighted)
RULES.pop(by_weight)  # it has its rule in one test only, as others count the rules


BUFFER = np.empty(3)
doubled = primitive(lambda x: np.multiply(x, 2.0, out=BUFFER))
RULES.pop(doubled)


@pytest.fixture
def by_weight_registered(unchanged_rules):
    def rule(g, y, x, *arguments, **keywords):
        return weighted(g, *arguments, **keywords)

    register(by_weight, [rule], [rule])
    register(doubled, [lambda t, y, x: 2.0 * t], [lambda g, y, x: 2.0 * g])


def keyword_array(x):
    buffer = np.full(3, 2.0)
    y = by_weight(x, w=buffer)
    buffer[:] = 50.0
    return y


def keyword_dict(x):
    scale = {"scale": [np.full(3, 2.0)]}
    y = by_weight(x, w=1.0, more=scale)
    scale["scale"][0][:] = 50.0
    scale["scale"][0] = 60.0
    return y


def result_that_is_used_again(x):
    y = doubled(x)
    doubled(np.full(3, 50.0))
    return y * y / (2.0 * x)


def read_only_view(x):
    buffer = np.full(3, 2.0)
    view = buffer.view()
    view.flags.writeable = False
    y = x * view
    buffer[:] = 50.0
    return y


def broadcast_view(x):
    number = np.array(2.0)
    y = x * np.broadcast_to(number, 3)
    number[()] = 50.0
    return y


def list_of_axes(x):
    axes = [1, 0, 2]
    y = np.transpose(np.reshape(2 * x, (1, 3, 1)), axes=axes)
    axes[:] = [0, 1, 2]
    return np.reshape(y, 3)


def list_of_rows(x):
    rows = [0, 1, 2]
    y = 2 * x[rows]
    rows[:] = [0, 0, 0]
    return y


def slice_of_arrays(x):
    start = np.array(0)
    y = 2 * x[slice(start, None)]
    start[()] = 2
    return y


def condition(x):
    chosen = np.ones(3, dtype=bool)
    y = np.where(chosen, 2 * x, 0.0)
    chosen[:] = False
    return y


@pytest.mark.usefixtures("by_weight_registered")
@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(
    "function",
    [
        keyword_array,
        keyword_dict,
        result_that_is_used_again,
        read_only_view,
        broadcast_view,
        list_of_axes,
        list_of_rows,
        slice_of_arrays,
        condition,
    ],
)
def test_whatever_is_changed_after_it_was_used(function, mode):
    np.testing.assert_array_equal(jacobian(function, mode=mode)(VECTOR), 2 * np.eye(3))
    comp = hessian(lambda x: (function(x) ** 2).sum())(VECTOR)
    np.testing.assert_array_equal(comp, 8 * np.eye(3))


def test_all_results_are_arrays_of_their_own():
    constant = np.ones(3)
    value, slope = jvp(lambda x: constant, (VECTOR,), (VECTOR,))
    value += 1
    np.testing.assert_array_equal(constant, np.ones(3))
    tangent = np.ones(3)
    value, slope = jvp(lambda x: x, (VECTOR,), (tangent,))
    value += 1
    slope += 1
    np.testing.assert_array_equal(tangent, np.ones(3))
    for result in (hvp(lambda x: (x.sum()) ** 2, VECTOR, VECTOR), slope, value):
        assert result.flags.writeable
        assert not np.shares_memory(result, VECTOR)


def test_contributions_are_summed_whatever_their_kind():
    # v is used three times, so that the second sum happens in place.
    def function(v):
        return (v * 1.0 + v * 2.0 + v * 3.0 + v).sum() + v[0]

    np.testing.assert_array_equal(grad(function)(VECTOR), [8, 7, 7])
    np.testing.assert_array_equal(hessian(function)(VECTOR), np.zeros((3, 3)))
    np.testing.assert_array_equal(
        hessian(lambda v: (v * 3.0 + v * v + v * v + v * v + v).sum())(VECTOR), 6 * np.eye(3)
    )


# Numbers, which NumPy treats as values and not as memory


def test_numbers_may_be_added_up_in_place():
    def function(x):
        total, product = x[0], 1.0
        for value in x:
            total += value
            product *= value
            total -= 2.0
            total /= 1.0
        total **= 2
        return total + product

    x = np.array([1.0, 2.0, 4.0])
    total = 8.0 - 6.0
    ref = 2 * total * np.array([2.0, 1.0, 1.0]) + np.array([8.0, 4.0, 2.0])
    np.testing.assert_array_equal(grad(function)(x), ref)
    np.testing.assert_array_equal(jacobian(function, mode="forward")(x), ref)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_an_array_of_numbers(mode):
    def function(x):
        y = np.array([[x[0], 1.0], [x[1] * x[2], x[0]]])
        return np.array([np.exp(y[:, 0]).sum(), (y @ y)[1, 0] + np.sum([x[0], x[1]])])

    def plainly(x):
        y = np.stack([np.stack([x[0], 1.0]), np.stack([x[1] * x[2], x[0]])])
        return np.stack([np.exp(y[:, 0]).sum(), (y @ y)[1, 0] + x[0] + x[1]])

    comp, ref = (jacobian(f, mode=mode)(VECTOR) for f in (function, plainly))
    np.testing.assert_allclose(comp, ref, rtol=1e-14)
    comp, ref = (hessian(lambda x: f(x)[0] * f(x)[1])(VECTOR) for f in (function, plainly))  # noqa: B023
    np.testing.assert_allclose(comp, ref, rtol=1e-13, atol=1e-14)
    mixed = jacobian(lambda x: np.array([x[0], 0.0, 1.0]) * x + np.array([1.0, x[1], 2.0]))(VECTOR)
    np.testing.assert_array_equal(mixed, [[2 * VECTOR[0], 0, 0], [0, 1, 0], [0, 0, 1]])


def test_copies_are_followed():
    for copied in (
        copy.copy,
        copy.deepcopy,
        np.copy,
        lambda x: x.copy(),
        lambda x: x.astype(float),
    ):
        assert grad(lambda x: copied(x) ** 2)(3.0) == 6  # noqa: B023


# Nesting


def test_perturbations_are_not_confused():
    # d/dx (x d/dy (x + y)) = 1: Siskind and Pearlmutter, 2005
    def inner_grad(x):
        return x * grad(lambda y: x + y)(2.0)

    def inner_jvp(x):
        return x * jvp(lambda y: x + y, (2.0,), (1.0,))[1]

    for inner in (inner_grad, inner_jvp):
        assert grad(inner)(1.0) == 1
        assert jvp(inner, (1.0,), (1.0,))[1] == 1


def test_an_inner_derivative_by_the_outer_variable():
    # d/dx [x d/dy (x y²) at y = x] = d/dx [x · 2x²] = 6x²
    def function(x):
        return x * grad(lambda y: x * y**2)(x)

    assert grad(function)(3.0) == pytest.approx(54, rel=1e-15)
    assert jvp(function, (3.0,), (1.0,))[1] == pytest.approx(54, rel=1e-15)


def test_derivatives_of_high_order():
    derivative, refs = np.sin, [np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin]
    for order in range(6):
        derivative = grad(derivative)
        assert derivative(0.7) == pytest.approx(refs[order % 4](0.7), rel=1e-14)


def test_pull_back_and_its_own_derivative():
    # The adjoint is linear in the cotangent: its Jacobian is the transposed Jacobian.
    _, pull = vjp(lambda x: np.sin(MATRIX @ x), VECTOR)
    comp = jacobian(lambda w: pull(w)[0])(VECTOR)
    ref = numeric.jacobian(lambda x: np.sin(MATRIX @ x), VECTOR)
    np.testing.assert_allclose(comp.T, ref, rtol=1e-8)


def test_a_network_to_the_second_derivative():
    x = np.linspace(-1, 1, 12).reshape(4, 3)

    def loss(weights):
        hidden = np.tanh(x @ weights.reshape(3, 2) + weights[:2])
        joined = np.concatenate([hidden, np.stack([hidden.max(axis=1), hidden.mean(1)], 1)], 1)
        return (logsumexp(joined, axis=1) - softmax(joined)[:, 0] * logistic(joined[:, 1])).sum()

    weights = np.linspace(-0.8, 0.9, 6)
    np.testing.assert_allclose(grad(loss)(weights), numeric.gradient(loss, weights), rtol=1e-8)
    ref = numeric.hessian(loss, weights)
    np.testing.assert_allclose(hessian(loss)(weights), ref, rtol=1e-5, atol=1e-6)
    by_reverse = jacobian(grad(loss), mode="reverse")(weights)
    np.testing.assert_allclose(by_reverse, hessian(loss)(weights), rtol=1e-11, atol=1e-13)
    v = np.arange(6.0)
    np.testing.assert_allclose(hvp(loss, weights, v), hessian(loss)(weights) @ v, rtol=1e-12)


# Size


def test_a_chain_of_100_000_operations():
    def chain(x):
        for _ in range(50_000):
            x = x * 1.00001 + 0.0
        return x

    ref = 1.00001**50_000
    value, slope = value_and_grad(chain)(2.0)
    assert value == pytest.approx(2 * ref, rel=1e-9)
    assert slope == pytest.approx(ref, rel=1e-9)
    assert jvp(chain, (2.0,), (1.0,))[1] == pytest.approx(ref, rel=1e-9)
    assert grad(grad(chain))(2.0) == 0


# Registering


@pytest.fixture
def unchanged_rules():
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


@pytest.mark.usefixtures("unchanged_rules")
def test_register_a_function_of_numpy():
    register(
        np.cumsum,
        jvps=[lambda t, y, x: np.cumsum(t)],
        vjps=[lambda g, y, x: np.cumsum(g[::-1])[::-1]],
    )
    ref = np.tril(np.ones((3, 3)))
    for mode in ("forward", "reverse"):
        np.testing.assert_array_equal(jacobian(np.cumsum, mode=mode)(VECTOR), ref)
    comp = hessian(lambda x: (np.cumsum(x) ** 2).sum())(VECTOR)
    np.testing.assert_array_equal(comp, 2 * ref.T @ ref)


@pytest.mark.usefixtures("unchanged_rules")
def test_register_a_function_of_ones_own():
    @primitive
    def solve(a, b, n_times=1):
        """Divide by a matrix."""
        assert type(a) is type(b) is np.ndarray
        return np.linalg.solve(a, b) / n_times

    register(
        solve,
        jvps=[
            lambda t, y, a, b, n_times=1: -solve(a, t @ y),
            lambda t, y, a, b, n_times=1: solve(a, t, n_times=n_times),
        ],
        vjps=[
            lambda g, y, a, b, n_times=1: -solve(a.T, g)[:, None] * y,
            lambda g, y, a, b, n_times=1: solve(a.T, g, n_times=n_times),
        ],
    )
    assert solve.__doc__ == "Divide by a matrix."
    np.testing.assert_array_equal(solve(np.eye(3), VECTOR, n_times=2), VECTOR / 2)

    def function(a):
        return (solve(a, VECTOR, n_times=2) ** 2).sum()

    np.testing.assert_allclose(
        grad(function)(MATRIX), numeric.gradient(function, MATRIX), rtol=1e-7
    )
    v = np.eye(3)
    ref = numeric.hvp(grad(function), MATRIX, v)
    np.testing.assert_allclose(hvp(function, MATRIX, v), ref, rtol=1e-7)


# explain


def test_explain_shows_constants_unused_nodes_and_arrays():
    def function(x, y):
        np.exp(y)
        return (3.0 * x).sum() + y * VECTOR[0] * MATRIX[0, 1] * 13.0

    lines = explain(function, np.arange(9.0), 2.0).splitlines()
    assert lines[0].split() == ["node", "operation", "operands", "value", "adjoint"]
    assert lines[1].endswith("[3., 3., 3., ..., 3., 3., 3.]")
    assert lines[3].split() == ["v2", "exp", "v1", "7.389056", "-"]
    assert lines[4].startswith("v3    multiply   3. v0")
    assert lines[-1].split() == ["v8", "add", "v4", "v7", "115.8", "1."]
