"""How functions get their rules: one by one, or by what they have in common.

For y = f(x₁, x₂, …), a primitive has for each argument that can be differentiated

- a JVP (t, y, *arguments) ↦ (∂y/∂x) t, which carries a tangent t of x to one of y;
- a VJP (g, y, *arguments) ↦ (∂y/∂x)ᵀ g, which carries an adjoint g of y back to one of x.

The rules are NumPy code themselves, so they can be differentiated in turn. For an operation that
works element by element both follow from one partial derivative (`elementwise`); broadcasting is
undone by summing over the axes that were stretched (`unbroadcast`). For a linear operation the
JVP is the operation itself (`linear`). For a reduction both follow from the weight of each
element (`reduction`). A function that only moves elements is a gather (`rearrangement`). Other
functions are made of primitives (`COMPOSITES`).

References
----------
A. Griewank, A. Walther, "Evaluating Derivatives", 2nd ed., 2008, chapter 3.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from funksvd.autodiff.tracing import (
    RULES,
    AutodiffError,
    Function,
    Rule,
    Traced,
    dispatch,
    name_of,
)
from funksvd.autodiff.trees import flatten


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
        return np.array(function(*arguments, **keywords))[()]

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
        return lambda t, y, *xs: stretch(times(t, partial(y, *xs)), np.shape(y))

    def vjp(partial: Function, at: int) -> Function:
        return lambda g, y, *xs: unbroadcast(times(g, partial(y, *xs)), np.shape(xs[at]))

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
        return np.sum(times(t, weight), axis=axis, keepdims=keepdims)

    def vjp(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        weight = weights(restore(y, x, axis, keepdims), x, axis)
        return times(restore(g, x, axis, keepdims), weight)

    return register(function, [jvp], [vjp])


def rearrangement(function: Function, several: bool = False) -> Function:
    """A function that moves, repeats and drops elements, or puts zeros among them, as a composite.

    The function is carried out on the numbers of the elements, counted from 1, so that 0 stands
    for a zero. The result is a gather at these numbers.

    Parameters
    ----------
    function : callable
        (array, or list or tuple of arrays, *details) -> array, or list or tuple of arrays.
    several : bool
        Whether all arguments are arrays.
    """

    def gather(*arguments: Any, **keywords: Any) -> Any:
        arrays, details = (arguments, ()) if several else (arguments[0], arguments[1:])
        if any(isinstance(detail, Traced) for detail in (*details, *keywords.values())):
            raise AutodiffError(f"{name_of(function)} is differentiated by its first argument only")
        if refused := [key for key in ("dtype", "out") if keywords.get(key) is not None]:
            raise AutodiffError(f"{name_of(function)} has no rule with {', '.join(refused)}=")
        leaves, rebuild = flatten(arrays)
        ends = np.cumsum([1, *map(np.size, leaves)]).tolist()
        numbers = rebuild([
            np.arange(start, end).reshape(np.shape(leaf))
            for leaf, (start, end) in zip(leaves, itertools.pairwise(ends), strict=True)
        ])  # fmt: skip
        places, put = flatten(function(*(numbers if several else (numbers, *details)), **keywords))
        elements = np.concatenate([np.zeros(1), *map(np.ravel, leaves)])
        return put([elements[place] for place in places])

    return gather


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
        axes = axes_of(x, axis)
        shape = tuple(1 if a in axes else n for a, n in enumerate(np.shape(x)))
        reduced = np.reshape(reduced, shape)
    return stretch(reduced, np.shape(x))


def axes_of(x: Any, axis: Any) -> tuple[int, ...]:
    """The axes that a reduction goes over, counted from the front."""
    if axis is None or np.ndim(x) == 0:  # a 0-d array may be reduced over axis 0 or -1
        return tuple(range(np.ndim(x)))
    return tuple(np.lib.array_utils.normalize_axis_tuple(axis, np.ndim(x)))


def times(t: Any, partial: Any) -> Any:
    """The product of a tangent or adjoint and a partial derivative; no work if the latter is 1."""
    return t if isinstance(partial, float) and partial == 1 else t * partial
