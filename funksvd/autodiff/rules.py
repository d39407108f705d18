"""The rule table: one line for each primitive, with its JVP and its VJP.

For y = f(x₁, x₂, …), a primitive has for each argument that can be differentiated

- a JVP (t, y, *arguments) ↦ (∂y/∂x) t, which carries a tangent t of x to one of y;
- a VJP (g, y, *arguments) ↦ (∂y/∂x)ᵀ g, which carries an adjoint g of y back to one of x.

The rules are NumPy code themselves, so they can be differentiated in turn. For an operation that
works element by element both follow from one partial derivative (`elementwise`); broadcasting is
undone by summing over the axes that were stretched (`unbroadcast`). For a linear operation the
JVP is the operation itself (`linear`). For a reduction both follow from the weight of each
element (`reduction`).

Where a function has a kink, a subgradient is taken: 0 for abs and norm at zero and for relu at
zero; a maximum shares the derivative equally among the elements that attain it.

References
----------
A. Griewank, A. Walther, "Evaluating Derivatives", 2nd ed., 2008, chapter 3.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
import scipy.special

from funksvd.autodiff.tracing import (
    COMPOSITES,
    NOT_DIFFERENTIABLE,
    RULES,
    AutodiffError,
    Function,
    Rule,
    Traced,
    dispatch,
)


def register(
    function: Function,
    jvps: Sequence[Function | None],
    vjps: Sequence[Function | None],
) -> Function:
    """Give a function a rule.

    Parameters
    ----------
    function : callable
        A NumPy function or ufunc, or a function decorated with `primitive`.
    jvps : sequence of (callable or None)
        For each argument (t, y, *arguments, **keywords) -> tangent of y, of the shape of y; None
        for an argument that cannot be differentiated.
    vjps : sequence of (callable or None)
        For each argument (g, y, *arguments, **keywords) -> adjoint of that argument, of its shape;
        None as in `jvps`.

    Returns
    -------
    callable
        `function`.

    Examples
    --------
    >>> from funksvd.autodiff import grad
    >>> _ = register(
    ...     np.arctan,
    ...     jvps=[lambda t, y, x: t / (1 + x * x)],
    ...     vjps=[lambda g, y, x: g / (1 + x * x)],
    ... )
    >>> float(grad(np.arctan)(1.0))
    0.5
    """
    RULES[function] = Rule(function, tuple(jvps), tuple(vjps))
    return function


def primitive(function: Function) -> Function:
    """Decorate a function of one's own that is then given a rule with `register`.

    The function computes with plain arrays; on traced arrays its rule is used. Arguments that are
    differentiated must be given by position.

    Examples
    --------
    >>> from funksvd.autodiff import grad
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> _ = register(
    ...     cube, jvps=[lambda t, y, x: 3 * t * x**2], vjps=[lambda g, y, x: 3 * g * x**2]
    ... )
    >>> float(grad(cube)(2.0))
    12.0
    """

    @functools.wraps(function)
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        if any(isinstance(given, Traced) for given in (*arguments, *keywords.values())):
            return dispatch(wrapper, arguments, keywords)
        return np.asarray(function(*arguments, **keywords))[()]

    return register(wrapper, (), ())


def elementwise(function: Function, *partials: Function) -> Function:
    """Register an operation that works element by element, by its partial derivatives.

    Parameters
    ----------
    function : callable
    partials : callable
        For each argument (y, *arguments) -> ∂y/∂x, element by element.
    """

    def jvp(partial: Function) -> Function:
        return lambda t, y, *xs: stretch(_times(t, partial(y, *xs)), np.shape(y))

    def vjp(partial: Function, at: int) -> Function:
        return lambda g, y, *xs: unbroadcast(_times(g, partial(y, *xs)), np.shape(xs[at]))

    return register(
        function, [jvp(d) for d in partials], [vjp(d, at) for at, d in enumerate(partials)]
    )


def linear(function: Function, transposed: Function) -> Function:
    """Register an operation that is linear in its first argument, by its transpose (g, y, x, …)."""
    return register(function, [lambda t, y, x, *a, **k: function(t, *a, **k)], [transposed])


def reduction(function: Function, weights: Function) -> Function:
    """Register a reduction over axes, by its derivative by each element.

    Parameters
    ----------
    function : callable
        (x, axis=None, *, keepdims=False)
    weights : callable
        (y, x, axis) -> ∂y/∂x, given y with the shape of x (`restore`).
    """

    def jvp(t: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        weight = weights(restore(y, x, axis, keepdims), x, axis)
        return np.sum(_times(t, weight), axis=axis, keepdims=keepdims)

    def vjp(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        weight = weights(restore(y, x, axis, keepdims), x, axis)
        return _times(restore(g, x, axis, keepdims), weight)

    return register(function, [jvp], [vjp])


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum an adjoint over the axes that broadcasting has added or stretched."""
    if np.shape(g) == shape:
        return g
    if np.ndim(g) > len(shape):
        g = np.sum(g, axis=tuple(range(np.ndim(g) - len(shape))))
    stretched = tuple(a for a, n in enumerate(shape) if n == 1 and np.shape(g)[a] != 1)
    return np.sum(g, axis=stretched, keepdims=True) if stretched else g


def stretch(t: Any, shape: tuple[int, ...]) -> Any:
    """Broadcast a tangent to its result's shape."""
    return t if np.shape(t) == shape else np.broadcast_to(t, shape)


def restore(reduced: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduction's result broadcast back to the shape of x."""
    if not keepdims:
        axes = _axes(x, axis)
        shape = tuple(1 if a in axes else n for a, n in enumerate(np.shape(x)))
        reduced = np.reshape(reduced, shape)
    return stretch(reduced, np.shape(x))


def _axes(x: Any, axis: Any) -> Sequence[int]:
    """The axes that a reduction goes over, counted from the front."""
    if axis is None:
        return range(np.ndim(x))
    # For a 0-d array NumPy allows the axes 0 and -1, which do nothing.
    return [int(a) % max(np.ndim(x), 1) for a in np.atleast_1d(axis)]


def _count(x: Any, axis: Any) -> int:
    """Number of elements that a reduction turns into one; 1 if it is 0, whose mean is NaN."""
    shape: tuple[int, ...] = np.shape(x)
    return max(1, math.prod(shape[a] for a in _axes(x, axis)))


def _times(t: Any, partial: Any) -> Any:
    """The product of a tangent or adjoint and a partial derivative; no work if the latter is 1."""
    return t if isinstance(partial, float) and partial == 1 else t * partial


def _power_by_base(y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, (int, float)) and b == 2:
        return 2.0 * a  # squares are common in losses: save the power
    # With the base 1 for 0**0 this and its own derivatives are 0, not 0 times infinity.
    return b * (a if np.all(b != 0) else np.where((a == 0) & (b == 0), 1.0, a)) ** (b - 1)


def _log_base(a: Any) -> Any:
    """The logarithm of a power's base; 0 for the base 0, as 0**b is 0 for every b > 0."""
    return np.log(a if np.all(a != 0) else np.where(a == 0, 1.0, a))


def _half(larger: Any, other: Any) -> Any:
    """The slope of a maximum of two numbers by the first: ½ where they are equal."""
    return np.where(larger > other, 1.0, np.where(larger == other, 0.5, 0.0))


def _ties(y: Any, x: Any, axis: Any) -> Any:
    """The slope of a maximum by each element: equal shares where several attain it."""
    attained = (x == y) * 1.0
    return attained / np.sum(attained, axis=axis, keepdims=True)


def _inverse(axes: Any, ndim: int) -> tuple[int, ...] | None:
    """The permutation of axes that undoes `axes`."""
    return None if axes is None else tuple(np.argsort([axis % ndim for axis in axes]))


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """A product's adjoint and its factors, with vectors turned into rows or columns."""
    if np.ndim(b) == 1:
        g, b = np.expand_dims(g, -1), np.expand_dims(b, -1)
    if np.ndim(a) == 1:
        g, a = np.expand_dims(g, -2), np.expand_dims(a, -2)
    return g, a, b


def _matmul_vjp_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, left, right = _as_matrices(g, a, b)
    share = np.matmul(g, np.swapaxes(right, -1, -2))
    return np.reshape(unbroadcast(share, np.shape(left)), np.shape(a))


def _matmul_vjp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, left, right = _as_matrices(g, a, b)
    share = np.matmul(np.swapaxes(left, -1, -2), g)
    return np.reshape(unbroadcast(share, np.shape(right)), np.shape(b))


def _dot(a: Any, b: Any) -> Any:
    if not (np.ndim(a) and np.ndim(b)):
        return a * b
    if np.ndim(a) > 1 and np.ndim(b) > 2:
        raise AutodiffError("np.dot of these shapes has no differentiation rule; see np.matmul")
    return np.matmul(a, b)


@primitive
def scatter_add(g: Any, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The transpose of x[key]: zeros of a shape, to which g is added at key; repeats add up."""
    parts = key if isinstance(key, tuple) else (key,)
    if all(isinstance(part, (int, np.integer, slice, type(None), type(...))) for part in parts):
        total = np.zeros(shape)
        total[key] = g
        return total
    is_list = isinstance(key, np.ndarray) and key.ndim == 1 and key.dtype.kind in "iu"
    if is_list and len(shape) == 2:
        # Whole rows: the product with a sparse matrix of ones reads g once, in its own order.
        columns = (np.ones(key.size), key % max(shape[0], 1), np.arange(key.size + 1))
        return np.asarray(scipy.sparse.csc_array(columns, shape=(shape[0], key.size)) @ g)
    place = np.arange(math.prod(shape)).reshape(shape)[key]
    sums = np.bincount(place.ravel(), np.ravel(g), math.prod(shape)).reshape(shape)
    return sums.astype(np.float64, copy=False)  # bincount makes integers from empty arrays


logistic = scipy.special.expit
"""1 / (1 + exp(-x)); it is a ufunc and needs no wrapper."""


@primitive
def relu(x: Any) -> Any:
    """max(x, 0)."""
    return np.maximum(x, 0.0)


@primitive
def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials that sum to one along an axis."""
    return scipy.special.softmax(x, axis)


@primitive
def logsumexp(x: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    """Log Σ exp x, without overflow."""
    return scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


@primitive
def _norm(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.linalg.norm(x, axis=axis, keepdims=keepdims)


@primitive
def _join(*parts: Any, axis: int) -> Any:
    return np.concatenate(parts, axis)


def _split(g: Any, parts: Sequence[Any], axis: int) -> list[Any]:
    """Cut an adjoint of concatenated arrays into those of its parts."""
    ends = np.cumsum([0, *(np.shape(part)[axis] for part in parts)]).tolist()
    before = (slice(None),) * (axis % np.ndim(g))
    return [g[*before, slice(a, b)] for a, b in itertools.pairwise(ends)]


# fmt: off
elementwise(np.add,      lambda y, a, b: 1.0,         lambda y, a, b: 1.0)
elementwise(np.subtract, lambda y, a, b: 1.0,         lambda y, a, b: -1.0)
elementwise(np.multiply, lambda y, a, b: b,           lambda y, a, b: a)
elementwise(np.divide,   lambda y, a, b: 1.0 / b,     lambda y, a, b: -y / b)
elementwise(np.power,    _power_by_base,              lambda y, a, b: y * _log_base(a))
elementwise(np.maximum,  lambda y, a, b: _half(a, b), lambda y, a, b: _half(b, a))
elementwise(np.logaddexp, lambda y, a, b: np.exp(a - y), lambda y, a, b: np.exp(b - y))
elementwise(np.negative, lambda y, x: -1.0)
elementwise(np.absolute, lambda y, x: np.sign(x))
elementwise(np.sqrt,     lambda y, x: 0.5 / y)
elementwise(np.exp,      lambda y, x: y)
elementwise(np.log,      lambda y, x: 1.0 / x)
elementwise(np.sin,      lambda y, x: np.cos(x))
elementwise(np.cos,      lambda y, x: -np.sin(x))
elementwise(np.tanh,     lambda y, x: 1.0 - y * y)
elementwise(logistic,    lambda y, x: y * (1.0 - y))
elementwise(relu,        lambda y, x: (x > 0) * 1.0)

reduction(np.sum,    lambda y, x, axis: 1.0)
reduction(np.mean,   lambda y, x, axis: 1.0 / _count(x, axis))
reduction(np.max,    _ties)
reduction(_norm,     lambda y, x, axis: x / np.where(y == 0, 1.0, y))
reduction(logsumexp, lambda y, x, axis: np.exp(x - y))

linear(np.transpose,     lambda g, y, x, axes=None: np.transpose(g, _inverse(axes, np.ndim(x))))
linear(np.swapaxes,      lambda g, y, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
linear(np.reshape,       lambda g, y, x, shape: np.reshape(g, np.shape(x)))
linear(np.broadcast_to,  lambda g, y, x, shape: unbroadcast(g, np.shape(x)))
linear(operator.getitem, lambda g, y, x, key: scatter_add(g, key, np.shape(x)))
linear(scatter_add,      lambda g, y, x, key, shape: g[key])

register(np.where,  [None, lambda t, y, c, a, b: stretch(np.where(c, t, 0.0), np.shape(y)),
                           lambda t, y, c, a, b: stretch(np.where(c, 0.0, t), np.shape(y))],
                    [None, lambda g, y, c, a, b: unbroadcast(np.where(c, g, 0.0), np.shape(a)),
                           lambda g, y, c, a, b: unbroadcast(np.where(c, 0.0, g), np.shape(b))])
register(np.matmul, [lambda t, y, a, b: np.matmul(t, b), lambda t, y, a, b: np.matmul(a, t)],
                    [_matmul_vjp_a, _matmul_vjp_b])
register(softmax,   [lambda t, y, x, axis=-1: y * (t - np.sum(t * y, axis=axis, keepdims=True))],
                    [lambda g, y, x, axis=-1: y * (g - np.sum(g * y, axis=axis, keepdims=True))])
register(_join,     [lambda ts, y, *parts, axis: _join(*ts, axis=axis)],
                    [lambda g, y, *parts, axis: _split(g, parts, axis)])
# fmt: on

# The operator ** computes the square of an array as a product; the ufunc np.power calls pow.
RULES[np.power] = RULES[np.power]._replace(function=operator.pow)
RULES[_join] = RULES[_join]._replace(joint=True)


def _concatenate(parts: Sequence[Any], axis: int | None = 0) -> Any:
    return _join(*(map(np.ravel, parts) if axis is None else parts), axis=axis or 0)


def _min(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return -np.max(-x, axis=axis, keepdims=keepdims)


def _expand_dims(x: Any, axis: Any) -> Any:
    return np.reshape(x, np.expand_dims(np.empty(np.shape(x)), axis).shape)


def _squeeze(x: Any, axis: Any = None) -> Any:
    return np.reshape(x, np.squeeze(np.empty(np.shape(x)), axis).shape)


COMPOSITES.update({
    np.positive: lambda x: x,
    np.square: lambda x: x * x,
    np.reciprocal: lambda x: 1.0 / x,
    np.minimum: lambda a, b: -np.maximum(-a, -b),
    np.clip: lambda x, a_min, a_max: np.minimum(np.maximum(x, a_min), a_max),
    np.min: _min,
    np.dot: _dot,
    np.linalg.norm: lambda x, *, axis=None, keepdims=False: _norm(x, axis, keepdims=keepdims),
    np.concatenate: _concatenate,
    np.stack: lambda arrays, axis=0: _join(*(_expand_dims(a, axis) for a in arrays), axis=axis),
    np.ravel: lambda x: np.reshape(x, -1),
    np.expand_dims: _expand_dims,
    np.squeeze: _squeeze,
})  # fmt: skip

NOT_DIFFERENTIABLE.update({
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.sign,
    np.floor, np.ceil, np.isnan, np.isfinite, np.logical_not, np.argmax, np.argmin, np.argsort,
    np.array_equal, np.allclose, np.shape, np.ndim, np.size, np.zeros_like, np.ones_like,
})  # fmt: skip
