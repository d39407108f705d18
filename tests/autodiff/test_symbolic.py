"""Symbolic derivatives: those of reverse mode, or an error that names what has no symbolic form."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.special

from funksvd.autodiff import AutodiffError, grad
from funksvd.autodiff.symbolic import gradient

pytest.importorskip("sympy")


class Point(NamedTuple):
    a: float
    x: np.ndarray
    m: np.ndarray


POINT = Point(0.7, np.array([0.4, -1.3, 2.0]), np.array([[0.9, -0.2, 1.1], [-0.6, 0.3, 0.5]]))


@pytest.mark.parametrize(
    "function",
    [
        lambda p: p.a * (p.x**3).sum() - (p.m @ p.x)[0] ** 2 / p.a,
        lambda p: (np.exp(p.x) * np.sin(p.m) + np.cos(p.m) * np.tanh(p.x)).sum(),
        lambda p: (np.tan(p.m) * np.sinh(p.x) + np.cosh(p.m) * np.arctan(p.x)).sum(),
        lambda p: (np.arcsin(p.m / 2) * np.arccos(p.m / 3) + np.arctanh(p.m / 4)).sum(),
        lambda p: (np.arcsinh(p.x) * np.arccosh(p.x**2 + 2) + np.arctan2(p.m, p.x)).sum(),
        lambda p: (np.log1p(p.x**2) * np.expm1(p.m) + np.exp2(p.m) * np.hypot(p.m, p.a)).sum(),
        lambda p: (np.log2(p.x**2 + 1) * np.log10(p.m**2)).sum(),
        lambda p: (np.log(p.x**2 + 1) * np.sqrt(p.m * p.m + p.a)).sum(),
        lambda p: (np.logaddexp(p.x, p.m) + scipy.special.expit(p.m)).sum(),
        lambda p: (np.abs(p.x) * np.sign(p.m) * p.m**2).sum(),
        lambda p: (np.maximum(p.x, p.m) ** 2 + np.minimum(p.x, 0.5) * p.m).sum(),
        lambda p: (np.clip(p.m, -0.4, 0.7) * p.x).sum(),
        lambda p: np.mean(p.x**2) * np.mean(p.m, axis=1)[0] + np.max(p.x) * p.a,
        lambda p: np.where(POINT.x > 0, p.x**2, -p.x).sum(),
        lambda p: p.m[[0, 1, 0], [2, 2, 2]].sum() * p.x[0] + np.concatenate([p.x, p.x])[-1],
        lambda p: p.a * 0.0,
        lambda p: 3.0,
    ],
)
def test_it_agrees_with_reverse_mode(function):
    for comp, ref in zip(gradient(function, POINT), grad(function)(POINT), strict=True):
        assert comp.shape == np.shape(ref)
        np.testing.assert_allclose(comp, ref, rtol=1e-12, atol=1e-12)


def test_it_is_given_constants_too():
    comp = gradient(lambda p, c: (c * p.x).sum(), POINT, np.arange(3.0))
    np.testing.assert_array_equal(comp[1], [0, 1, 2])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p: np.cbrt(p.x).sum(), "^cbrt has no symbolic form$"),
        (lambda p: np.floor(p.x).sum(), "^floor has no symbolic form$"),
        (lambda p: np.where(p.x > 0, p.x, 0.0).sum(), "^greater has no symbolic form$"),
        (lambda p: p.x[0] if p.x[0] > 0 else p.x[1], "truth value of Relational"),
        (lambda p: float(p.x[0]), "Cannot convert expression to float"),
        (lambda p: np.bincount([0, 1, 1], p.x)[1], "Cannot cast array data"),
        (lambda p: p.x[0].real, "has no attribute 'real'"),
        (lambda p: np.linalg.inv(p.m[:, :2])[0, 0], "ufunc 'inv'"),
    ],
)
def test_an_operation_without_a_symbolic_form_is_named(function, message):
    with pytest.raises(AutodiffError, match=message) as caught:
        gradient(function, POINT)
    assert "\n" not in str(caught.value)
