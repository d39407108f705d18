"""Finite differences: derivatives from values alone.

The error of a difference has two parts: truncation, which falls with the step h, and round-off,
which grows as ε/h for first and ε/h² for second derivatives. With ε the machine epsilon they
balance near

    forward, backward  h = ε^½ max(1, |x|)     error about ε^½
    central            h = ε^⅓ max(1, |x|)     error about ε^⅔
    second, central    h = ε^¼ max(1, |x|)     error about ε^½

The nearest power of two is taken, so that x + h is exact or nearly so.

References
----------
W. Press et al., "Numerical Recipes", 3rd ed., 2007, section 5.7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[np.ndarray], Any]
"""A function of one float64 array that returns an array or a number."""
EPSILON = float(np.finfo(np.float64).eps)
EXPONENTS = {"forward": 1 / 2, "backward": 1 / 2, "central": 1 / 3, "second": 1 / 4}


def step_for(x: float, scheme: str = "central") -> float:
    """The step that balances truncation and round-off, a power of two.

    Parameters
    ----------
    x : float
        The coordinate to be moved.
    scheme : {"forward", "backward", "central", "second"}
        The difference that is taken; "second" is the central one of second derivatives.

    Raises
    ------
    ValueError
        If there is no such scheme.
    """
    if scheme not in EXPONENTS:
        raise ValueError(f"scheme must be one of {', '.join(EXPONENTS)}, not {scheme!r}")
    return 2.0 ** round(math.log2(EPSILON ** EXPONENTS[scheme] * max(1.0, abs(x))))


def directional(
    function: Function,
    x: np.ndarray,
    v: np.ndarray,
    scheme: str = "central",
    step: float | None = None,
) -> Any:
    """The derivative of a function in a direction: the Jacobian times v.

    Parameters
    ----------
    function : callable
        ndarray -> ndarray or float.
    x, v : ndarray, float64
        The point and the direction, of the same shape.
    scheme : {"forward", "backward", "central"}
    step : float, optional
        Multiple of v by which x is moved. By default `step_for` of |x|, divided by |v|.
    """
    x, v = np.asarray(x, dtype=np.float64), np.asarray(v, dtype=np.float64)
    length = float(np.linalg.norm(v))
    if step is None:
        step = step_for(float(np.linalg.norm(x)), scheme) / length if length else 1.0
    if scheme == "forward":
        return (function(x + step * v) - function(x)) / step
    if scheme == "backward":
        return (function(x) - function(x - step * v)) / step
    if scheme == "central":
        return (function(x + step * v) - function(x - step * v)) / (2 * step)
    raise ValueError(f"scheme must be forward, backward or central, not {scheme!r}")


def partial(
    function: Function,
    x: np.ndarray,
    at: tuple[int, ...],
    scheme: str = "central",
    step: float | None = None,
) -> Any:
    """The derivative of a function by one coordinate: one column of the Jacobian.

    Parameters
    ----------
    function : callable
        ndarray -> ndarray or float.
    x : ndarray
    at : tuple of int
        Position of the coordinate in x.
    scheme : {"forward", "backward", "central"}
    step : float, optional
        Distance by which the coordinate is moved; by default `step_for` of its value.
    """
    v = np.zeros(np.shape(x))
    v[at] = 1.0
    step = step_for(float(np.asarray(x)[at]), scheme) if step is None else step
    return directional(function, x, v, scheme, step)


def jacobian(
    function: Function, x: np.ndarray, scheme: str = "central", step: float | None = None
) -> np.ndarray:
    """The Jacobian, column by column; each costs two evaluations of the function.

    Returns
    -------
    ndarray of shape (*shape of the result, *shape of x)
    """
    x = np.asarray(x, dtype=np.float64)
    columns = [np.asarray(partial(function, x, at, scheme, step)) for at in np.ndindex(x.shape)]
    result_shape = np.shape(columns[0]) if columns else np.shape(function(x))
    stacked = np.stack(columns, axis=-1) if columns else np.zeros((*result_shape, 0))
    return stacked.reshape((*result_shape, *x.shape))


def element(
    function: Function,
    x: np.ndarray,
    row: tuple[int, ...],
    at: tuple[int, ...],
    scheme: str = "central",
    step: float | None = None,
) -> float:
    """One element of the Jacobian: the derivative of the result's `row` by the coordinate `at`."""
    return float(partial(lambda x: np.asarray(function(x))[row], x, at, scheme, step))


def gradient(
    function: Function, x: np.ndarray, scheme: str = "central", step: float | None = None
) -> np.ndarray:
    """The gradient of a scalar function, an array of the shape of x.

    Raises
    ------
    ValueError
        If the function's result is not a scalar.
    """
    if np.shape(function(np.asarray(x, dtype=np.float64))):
        raise ValueError("gradient needs a function with a scalar result; see jacobian")
    return jacobian(function, x, scheme, step)


def hessian(function: Function, x: np.ndarray, step: float | None = None) -> np.ndarray:
    """The second derivatives of a scalar function by central differences, a symmetric array.

    Returns
    -------
    ndarray of shape (*shape of x, *shape of x)
    """
    x = np.asarray(x, dtype=np.float64)
    n = x.size
    if step is None:
        moves = np.diag([step_for(c, "second") for c in x.ravel().tolist()])
    else:
        moves = step * np.eye(n)
    second = np.empty((n, n))

    def at(move: np.ndarray) -> float:
        return float(function(x + move.reshape(x.shape)))

    for i, a in enumerate(moves):
        for j, b in enumerate(moves[: i + 1]):
            corners = at(a + b) - at(a - b) - at(b - a) + at(-a - b)
            second[i, j] = second[j, i] = corners / (4 * a[i] * b[j])
    return second.reshape(*x.shape, *x.shape)


def hvp(gradient: Function, x: np.ndarray, v: np.ndarray, step: float | None = None) -> Any:
    """The Hessian times a vector: the central difference of a gradient in the direction v."""
    return directional(gradient, x, v, "central", step)
