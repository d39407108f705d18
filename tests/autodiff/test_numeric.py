"""Finite differences: known orders of error, and each form against a derivative by hand."""

import numpy as np
import pytest

from funksvd.autodiff import numeric

X = np.array([0.5, -1.2, 2.0])
MATRIX = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, -1.0]])
JACOBIAN = MATRIX * np.cos(X)


def function(x):
    return MATRIX @ np.sin(x)


@pytest.mark.parametrize(("scheme", "order"), [("forward", 1), ("backward", 1), ("central", 2)])
def test_the_error_falls_with_the_order_of_the_scheme(scheme, order):
    errors = [
        abs(float(numeric.gradient(np.exp, np.array(1.0), scheme, step)) - np.e)
        for step in (2.0**-8, 2.0**-9, 2.0**-10)
    ]
    assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.01)
    assert errors[1] / errors[2] == pytest.approx(2**order, rel=0.01)


def test_the_leading_term_of_the_error():
    # e^(x + h) = e^x (1 + h + h²/2 + h³/6 + …)
    h, x = 2.0**-8, np.array(1.0)
    errors = {
        scheme: float(numeric.gradient(np.exp, x, scheme, h)) - np.e
        for scheme in ("forward", "backward", "central")
    }
    assert errors["forward"] == pytest.approx(np.e * h / 2, rel=0.01)
    assert errors["backward"] == pytest.approx(-np.e * h / 2, rel=0.01)
    assert errors["central"] == pytest.approx(np.e * h**2 / 6, rel=0.01)


@pytest.mark.parametrize(
    ("scheme", "exponent"), [("forward", 1 / 2), ("backward", 1 / 2), ("central", 1 / 3)]
)
@pytest.mark.parametrize("x", [0.0, 0.3, -7.0, 1e6])
def test_the_default_step_comes_from_epsilon_and_the_coordinate(scheme, exponent, x):
    step = numeric.step_for(x, scheme)
    ideal = np.finfo(float).eps ** exponent * max(1, abs(x))
    assert ideal / 1.5 < step < ideal * 1.5
    assert np.log2(step) % 1 == 0
    tolerance = 10 * np.finfo(float).eps ** (2 / 3 if scheme == "central" else 1 / 2)
    comp = float(numeric.gradient(lambda x: x**3 / 3 + x, np.array(x), scheme))
    assert comp == pytest.approx(x**2 + 1, rel=tolerance)


def test_the_default_step_is_near_the_best():
    def error(step):
        return abs(float(numeric.gradient(np.sin, np.array(1.0), "central", step)) - np.cos(1))

    default = error(None)
    assert default < 1e-10
    assert error(1e-2) > 1000 * default  # truncation
    assert error(1e-12) > 1000 * default  # round-off


@pytest.mark.parametrize("scheme", ["forward", "backward", "central"])
def test_a_jacobian_by_columns_elements_and_directions(scheme):
    tolerance = {"rtol": 0, "atol": 1e-9 if scheme == "central" else 1e-6}
    comp = numeric.jacobian(function, X, scheme)
    np.testing.assert_allclose(comp, JACOBIAN, **tolerance)
    for column in range(3):
        comp = numeric.partial(function, X, (column,), scheme)
        np.testing.assert_allclose(comp, JACOBIAN[:, column], **tolerance)
        for row in range(2):
            comp = numeric.element(function, X, (row,), (column,), scheme)
            np.testing.assert_allclose(comp, JACOBIAN[row, column], **tolerance)
    v = np.array([1.0, -2.0, 0.5])
    comp = numeric.directional(function, X, v, scheme)
    np.testing.assert_allclose(comp, JACOBIAN @ v, **tolerance)
    for factor in (1e-3, 1e3, 0.0):
        comp = numeric.directional(function, X, factor * v, scheme)
        np.testing.assert_allclose(comp, factor * JACOBIAN @ v, rtol=1e-6)


def test_the_step_can_be_overridden():
    # A quadratic has no truncation error in central differences, however large the step.
    comp = numeric.gradient(lambda x: np.sum(x**2), X, step=8.0)
    np.testing.assert_allclose(comp, 2 * X, rtol=1e-14)
    forward = numeric.gradient(lambda x: np.sum(x**2), X, "forward", 8.0)
    np.testing.assert_allclose(forward, 2 * X + 8, rtol=1e-14)
    hessian = numeric.hessian(lambda x: np.sum(x**2) + x[0] * x[1], X, step=8.0)
    np.testing.assert_allclose(hessian, [[2, 1, 0], [1, 2, 0], [0, 0, 2]], atol=1e-14)
    assert numeric.partial(np.sin, np.array(0.0), (), step=np.pi) == pytest.approx(0, abs=1e-15)


def test_shapes():
    x = np.ones((2, 3))
    assert numeric.gradient(np.sum, x).shape == (2, 3)
    assert numeric.jacobian(lambda x: x.T @ x, x).shape == (3, 3, 2, 3)
    assert numeric.hessian(np.sum, x).shape == (2, 3, 2, 3)
    assert numeric.gradient(np.sum, np.ones((0, 3))).shape == (0, 3)
    assert numeric.jacobian(lambda x: x.sum(axis=0), np.ones((0, 3))).shape == (3, 0, 3)
    assert numeric.hessian(np.sum, np.ones(0)).shape == (0, 0)
    assert numeric.gradient(np.exp, np.array(0.0)).shape == ()
    assert numeric.gradient(np.sum, [1, 2]).tolist() == [1, 1]  # integers become float64


def test_a_hessian_and_its_product_with_a_vector():
    def scalar(x):
        return np.exp(x[0] * x[1]) + x[2] ** 3 * x[0]

    def by_hand(x):
        e = np.exp(x[0] * x[1])
        return np.array([e * x[1] + x[2] ** 3, e * x[0], 3 * x[2] ** 2 * x[0]])

    a, b, c = X
    e = np.exp(a * b)
    ref = np.array([
        [e * b**2, e * (1 + a * b), 3 * c**2],
        [e * (1 + a * b), e * a**2, 0],
        [3 * c**2, 0, 6 * c * a],
    ])  # fmt: skip
    comp = numeric.hessian(scalar, X)
    np.testing.assert_array_equal(comp, comp.T)
    np.testing.assert_allclose(comp, ref, rtol=1e-6, atol=1e-6)
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(numeric.hvp(by_hand, X, v), ref @ v, rtol=1e-8)


def test_the_argument_is_left_alone():
    x = X.copy()
    numeric.gradient(lambda x: x.sum(), x)
    numeric.hessian(lambda x: x.sum(), x)
    np.testing.assert_array_equal(x, X)
