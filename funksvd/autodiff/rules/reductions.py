"""Reductions over axes, and functions made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from funksvd.autodiff.rules.elementwise import difference, direction
from funksvd.autodiff.rules.registering import axes_of, linear, primitive, reduction, register
from funksvd.autodiff.tracing import COMPOSITES, AutodiffError


@primitive
def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials that sum to one along an axis."""
    return scipy.special.softmax(x, axis)


@primitive
def logsumexp(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Log Σ exp x, without overflow."""
    return scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


@primitive
def norm(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The square root of the sum of squares, over any axes."""
    if axis is None and not keepdims:
        return np.linalg.norm(x)
    return np.sqrt(np.sum(np.square(x), axis=axis, keepdims=keepdims))


def _count(x: Any, axis: Any) -> int:
    """Number of elements that a reduction turns into one; 1 if it is 0, whose mean is NaN."""
    return max(1, math.prod(np.shape(x)[a] for a in axes_of(x, axis)))


def _ties(y: Any, x: Any, axis: Any) -> Any:
    """The slope of a maximum by each element: equal shares where several attain it."""
    attained = (x == y) * 1.0
    return attained / np.sum(attained, axis=axis, keepdims=True)


def _shares(y: Any, x: Any, axis: Any) -> Any:
    """The slope of log Σ exp x by each element; where it is infinite, that of the maximum."""
    if np.all(np.isfinite(y)):
        return np.exp(x - y)
    largest = _ties(np.where(np.isinf(y), y, x), x, axis)
    return np.where(np.isinf(y), largest, np.exp(difference(x, y)))


# fmt: off
reduction(np.sum,    lambda y, x, axis: 1.0)
reduction(np.mean,   lambda y, x, axis: 1.0 / _count(x, axis))
reduction(np.max,    _ties)
reduction(norm,      lambda y, x, axis: direction(x, y))
reduction(logsumexp, _shares)

linear(np.cumsum, lambda g, y, x, axis=None:
       np.reshape(np.flip(np.cumsum(np.flip(g, axis), axis), axis), np.shape(x)))

register(softmax,   [lambda t, y, x, axis=-1: y * (t - np.sum(t * y, axis=axis, keepdims=True))],
                    [lambda g, y, x, axis=-1: y * (g - np.sum(g * y, axis=axis, keepdims=True))])
# fmt: on


def _min(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return -np.max(-x, axis=axis, keepdims=keepdims)


def _prod(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """The product as a tree of products of two: right for any number of factors that are zero."""
    axes, shape = axes_of(x, axis), np.shape(x)
    kept = [a for a in range(np.ndim(x)) if a not in axes]
    rest = tuple(shape[a] for a in kept)
    factors = (
        np.reshape(np.transpose(x, (*axes, *kept)), (-1, *rest))
        if np.size(x)
        else np.ones((1, *rest))
    )
    while (half := len(factors) // 2) > 0:
        factors = np.concatenate([factors[:half] * factors[half : 2 * half], factors[2 * half :]])
    return np.reshape(
        factors, [1 if a in axes else n for a, n in enumerate(shape)] if keepdims else rest
    )


def _from_mean(x: Any, axis: Any) -> Any:
    return x - np.mean(x, axis=axis, keepdims=True)


def _var(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    squares = np.sum(np.square(_from_mean(x, axis)), axis=axis, keepdims=keepdims)
    return squares / np.maximum(_count(x, axis) - ddof, 0.0)


def _std(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    count = _count(x, axis)
    if count == 1:  # it is 0 everywhere, like the variance
        return _var(x, axis, ddof=ddof, keepdims=keepdims)
    return norm(_from_mean(x, axis), axis, keepdims=keepdims) / np.sqrt(
        np.maximum(count - ddof, 0.0)
    )


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    axes = axes_of(x, axis)
    if len(axes) > 2 and (axis is not None or ord is not None):
        raise ValueError(f"a norm is taken over one or two axes, not {len(axes)}")
    if ord is None or (ord == 2 and len(axes) == 1) or (ord == "fro" and len(axes) == 2):
        return norm(x, axis, keepdims=keepdims)
    x = np.absolute(x)
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):  # the largest column, or row
        first, second = axes if abs(ord) == 1 else axes[::-1]
        sums = np.sum(x, axis=first, keepdims=True)
        largest = (np.max if ord > 0 else np.min)(sums, axis=second, keepdims=True)
        return largest if keepdims else np.squeeze(largest, axes)
    if len(axes) != 1 or not isinstance(ord, (int, float)) or ord == 0:
        raise AutodiffError(f"np.linalg.norm with ord={ord!r} has no differentiation rule here")
    if math.isinf(ord):
        return (np.max if ord > 0 else np.min)(x, axis=axes, keepdims=keepdims)
    return np.sum(x**ord, axis=axes, keepdims=keepdims) ** (1 / ord)


COMPOSITES.update({
    np.min: _min,
    np.amin: _min,
    np.amax: lambda x, axis=None, *, keepdims=False: np.max(x, axis=axis, keepdims=keepdims),
    np.prod: _prod,
    np.var: _var,
    np.std: _std,
    np.linalg.norm: _norm,
})  # fmt: skip
