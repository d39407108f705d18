"""The worked examples of the literature, to their printed digits, by forward and reverse mode."""

import numpy as np
import pytest

from funksvd.autodiff import explain, grad, jacobian, jvp, numeric, value_and_grad
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization


def by_forward_mode(function, *point):
    """The gradient of a function of numbers: one evaluation with tangents for each of them."""
    return [jvp(function, point, tuple(unit.tolist()))[1] for unit in np.eye(len(point))]


def by_reverse_mode(function, *point):
    return list(grad(lambda point: function(*point))(point))


MODES = pytest.mark.parametrize("gradient", [by_forward_mode, by_reverse_mode])


@MODES
def test_a_square_of_a_sum(gradient):
    # f(x) = (x² + 1)², f'(x) = 4x (x² + 1)
    def function(x):
        return (x**2 + 1) ** 2

    assert function(1.0) == 4
    assert gradient(function, 1.0) == [8]


@MODES
def test_a_fourth_power(gradient):
    # z = x⁴, by y = x², z = y²: z' = 2y · 2x = 4x³
    for function in (lambda x: x**4, lambda x: (x * x) * (x * x), lambda x: (x**2) ** 2):
        assert gradient(function, 3.0) == [108]


@MODES
def test_a_sum_of_a_product_and_a_sine(gradient):
    # a = xy, b = sin x, z = a + b: ∂z/∂x = y + cos x, ∂z/∂y = x
    def function(x, y):
        a = x * y
        b = np.sin(x)
        return a + b

    assert gradient(function, 2.0, 3.0) == pytest.approx([3 + np.cos(2), 2], rel=1e-15)
    table = [line.split() for line in explain(function, 2.0, 3.0).splitlines()]
    assert table == [
        ["node", "operation", "operands", "value", "adjoint"],
        ["v0", "input", "2.", "2.583853"],
        ["v1", "input", "3.", "2."],
        ["v2", "multiply", "v0", "v1", "6.", "1."],
        ["v3", "sin", "v0", "0.909297", "1."],
        ["v4", "add", "v2", "v3", "6.909297", "1."],
    ]


def griewank_walther(x1, x2):
    v1 = x1 / x2
    v2 = np.sin(v1)
    v3 = np.exp(x2)
    v4 = v1 - v3
    v5 = v2 + v4
    return v5 * v4


# The book, "Evaluating Derivatives", 2nd ed., section 1.2, prints a calculation in which each
# intermediate value is rounded to four digits: its last digit may be off by one.
PRINTED = {"abs": 1e-4, "rel": 0}


@MODES
def test_griewank_and_walther(gradient):
    assert griewank_walther(1.5, 0.5) == pytest.approx(2.0167, **PRINTED)
    comp = gradient(griewank_walther, 1.5, 0.5)
    assert comp == pytest.approx([3.0118, -13.7239], **PRINTED)
    # The same by hand, with all digits: y = (s + a - e) (a - e), where a = x1/x2.
    a, e = 3.0, np.exp(0.5)
    by_a = (np.cos(a) + 1) * (a - e) + np.sin(a) + a - e
    by_e = -(a - e) - (np.sin(a) + a - e)
    assert comp == pytest.approx([by_a / 0.5, -by_a * a / 0.5 + by_e * e], rel=1e-14)

    def as_one_expression(x1, x2):
        return (np.sin(x1 / x2) + x1 / x2 - np.exp(x2)) * (x1 / x2 - np.exp(x2))

    assert gradient(as_one_expression, 1.5, 0.5) == pytest.approx(comp, rel=1e-14)


def test_griewank_and_walthers_tables():
    ref = {
        "v0 input": (1.5, 3.0118),
        "v1 input": (0.5, -13.7239),
        "v2 divide v0 v1": (3.0, 1.5059),
        "v3 sin v2": (0.1411, 1.3513),
        "v4 exp v1": (1.6487, -2.8437),
        "v5 subtract v2 v4": (1.3513, 2.8437),
        "v6 add v3 v5": (1.4924, 1.3513),
        "v7 multiply v6 v5": (2.0167, 1.0),
    }
    rows = [line.split() for line in explain(griewank_walther, 1.5, 0.5).splitlines()[1:]]
    assert [" ".join(row[:-2]) for row in rows] == list(ref)
    for row, printed in zip(rows, ref.values(), strict=True):
        assert [float(cell) for cell in row[-2:]] == pytest.approx(printed, **PRINTED)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_sine_and_cosine_of_a_line(mode):
    # y₁ = sin(w₁x + w₀), y₂ = cos(w₁x + w₀)
    x, w = 0.5, np.array([0.2, 1.4])

    def function(w):
        z = w[1] * x + w[0]
        return np.stack([np.sin(z), np.cos(z)])

    z = 1.4 * 0.5 + 0.2
    ref = [[np.cos(z), x * np.cos(z)], [-np.sin(z), -x * np.sin(z)]]
    np.testing.assert_allclose(jacobian(function, mode=mode)(w), ref, rtol=1e-15)


def test_least_squares():
    # ½‖y - Ax‖²: gradient -Aᵀ(y - Ax)
    generator = np.random.default_rng(0)
    a, y = generator.normal(size=(500, 100)), generator.normal(size=500)

    def loss(x):
        return 0.5 * ((y - a @ x) ** 2).sum()

    x = generator.normal(size=100)
    ref = -a.T @ (y - a @ x)
    np.testing.assert_allclose(grad(loss)(x), ref, rtol=1e-12, atol=1e-10)
    comp = jacobian(loss, mode="forward")(x)
    np.testing.assert_allclose(comp, ref, rtol=1e-12, atol=1e-10)

    learning_rate = 1 / np.linalg.norm(a, 2) ** 2
    curve = []
    for _ in range(500):
        value, gradient = value_and_grad(loss)(x)
        curve.append(value)
        x = x - learning_rate * gradient
    # It falls at each step, until it is at the minimum to the last digits.
    best = loss(np.linalg.lstsq(a, y)[0])
    assert np.all(np.diff(curve) <= 1e-13 * best)
    assert np.all(np.diff(curve[:50]) < 0)
    assert curve[-1] == pytest.approx(best, rel=1e-12)
    assert curve[0] > 100 * best


def test_the_weights_of_a_linear_layer():
    # D = XW: ∂L/∂W = Xᵀ ∂L/∂D and ∂L/∂X = ∂L/∂D Wᵀ
    generator = np.random.default_rng(1)
    x, w = generator.normal(size=(7, 4)), generator.normal(size=(4, 3))

    def loss_of_d(d):
        return np.sum(np.tanh(d) ** 2 * np.exp(d))

    by_d = grad(loss_of_d)(x @ w)
    by_w = grad(lambda w: loss_of_d(x @ w))(w)
    by_x = grad(lambda x: loss_of_d(x @ w))(x)
    np.testing.assert_allclose(by_w, x.T @ by_d, rtol=1e-14)
    np.testing.assert_allclose(by_x, by_d @ w.T, rtol=1e-14)
    forward = jacobian(lambda w: loss_of_d(x @ w), mode="forward")(w)
    np.testing.assert_allclose(forward, x.T @ by_d, rtol=1e-12)


def test_funk_svd():
    # J = ½‖W∘(A - UVᵀ)‖²_F:  ∂J/∂U_rq = -Σ_c W_rc (A - UVᵀ)_rc V_cq, and ∂J/∂V_cq likewise
    generator = np.random.default_rng(2)
    n_rows, n_columns, rank = 5, 4, 3
    a = generator.uniform(1, 5, (n_rows, n_columns))
    w = generator.integers(0, 2, (n_rows, n_columns)).astype(float)
    u, v = generator.normal(size=(n_rows, rank)), generator.normal(size=(n_columns, rank))

    def loss(factors):
        u, v = factors
        return 0.5 * np.linalg.norm(w * (a - u @ v.T)) ** 2

    errors = [
        [a[r, c] - sum(u[r, q] * v[c, q] for q in range(rank)) for c in range(n_columns)]
        for r in range(n_rows)
    ]
    ref_u = [
        [-sum(w[r, c] * errors[r][c] * v[c, q] for c in range(n_columns)) for q in range(rank)]
        for r in range(n_rows)
    ]
    ref_v = [
        [-sum(w[r, c] * errors[r][c] * u[r, q] for r in range(n_rows)) for q in range(rank)]
        for c in range(n_columns)
    ]
    for comp in (grad(loss)((u, v)), jacobian(loss, mode="forward")((u, v))):
        np.testing.assert_allclose(comp[0], ref_u, rtol=1e-12)
        np.testing.assert_allclose(comp[1], ref_v, rtol=1e-12)
    ref = numeric.gradient(lambda u: loss((u, v)), u, step=1.0)  # J is quadratic in U
    np.testing.assert_allclose(ref_u, ref, rtol=1e-11, atol=1e-12)

    # The objective that training uses says the same without its biases and regularization.
    users, items = np.nonzero(w)
    parameters = Parameters(0.0, np.zeros(n_rows), np.zeros(n_columns), u, v)
    given = users, items, a[users, items], Regularization(0.0, 0.0)
    comp = grad(objective.loss)(parameters, *given)
    np.testing.assert_allclose(comp.user_factors, ref_u, rtol=1e-12)
    np.testing.assert_allclose(comp.item_factors, ref_v, rtol=1e-12)
    for one, ref in zip(comp, objective.gradients(parameters, *given), strict=True):
        np.testing.assert_allclose(one, ref, rtol=1e-12)
