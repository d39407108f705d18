"""Functions that move, join, cut or repeat arrays without computing."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from funksvd.autodiff.rules.registering import (
    linear,
    primitive,
    rearrangement,
    register,
    unbroadcast,
)
from funksvd.autodiff.tracing import COMPOSITES, RULES, AutodiffError, operand


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
        rows = key.astype(np.intp) % max(shape[0], 1)
        columns = (np.ones(key.size), rows, np.arange(key.size + 1))
        return np.asarray(scipy.sparse.csc_array(columns, shape=(shape[0], key.size)) @ g)
    place = np.arange(math.prod(shape)).reshape(shape)[key]
    sums = np.bincount(place.ravel(), np.ravel(g), math.prod(shape)).reshape(shape)
    return sums.astype(np.float64, copy=False)  # bincount makes integers from empty arrays


@primitive
def join(*parts: Any, axis: int) -> Any:
    """`np.concatenate`, with the parts as arguments."""
    return np.concatenate(parts, axis)


def _cut(g: Any, parts: Sequence[Any], axis: int) -> list[Any]:
    """Cut an adjoint of concatenated arrays into those of its parts."""
    ends = np.cumsum([0, *(np.shape(part)[axis] for part in parts)]).tolist()
    before = (slice(None),) * (axis % np.ndim(g))
    return [g[*before, slice(a, b)] for a, b in itertools.pairwise(ends)]


def _inverse(axes: Any, ndim: int) -> tuple[int, ...] | None:
    """The permutation of axes that undoes `axes`."""
    return None if axes is None else tuple(np.argsort([axis % ndim for axis in axes]))


# fmt: off
linear(np.transpose,     lambda g, y, x, axes=None: np.transpose(g, _inverse(axes, np.ndim(x))))
linear(np.swapaxes,      lambda g, y, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
linear(np.reshape,       lambda g, y, x, shape: np.reshape(g, np.shape(x)))
linear(np.broadcast_to,  lambda g, y, x, shape: unbroadcast(g, np.shape(x)))
linear(operator.getitem, lambda g, y, x, key: scatter_add(g, key, np.shape(x)))
linear(scatter_add,      lambda g, y, x, key, shape: g[key])

register(join,      [lambda ts, y, *parts, axis: join(*ts, axis=axis)],
                    [lambda g, y, *parts, axis: _cut(g, parts, axis)])
# fmt: on
RULES[join] = RULES[join]._replace(joint=True)

PADDINGS = ("constant", "edge", "reflect", "symmetric", "wrap")
"""Modes of `np.pad` that compute nothing."""


def _pad(x: Any, pad_width: Any, mode: Any = "constant", *, constant_values: Any = 0.0) -> Any:
    if mode not in PADDINGS:
        raise AutodiffError(f"np.pad has rules for the modes {', '.join(PADDINGS)}, not {mode!r}")
    padded = rearrangement(np.pad)(x, pad_width, mode)
    if mode != "constant":
        return padded
    return padded + np.pad(np.zeros(np.shape(x)), pad_width, constant_values=constant_values)


def _sort(x: Any, axis: int | None = -1, *, kind: Any = None) -> Any:
    if axis is None:
        return _sort(np.ravel(x), kind=kind)
    return np.take_along_axis(x, np.argsort(x, axis=axis, kind=kind), axis)


def _partition(x: Any, kth: Any, axis: int = -1) -> Any:
    return np.take_along_axis(x, np.argpartition(x, kth, axis=axis), axis)


def _concatenate(parts: Sequence[Any], axis: int | None = 0) -> Any:
    parts = list(map(operand, parts))
    return join(*(map(np.ravel, parts) if axis is None else parts), axis=axis or 0)


def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    return join(*(_expand_dims(operand(a), axis) for a in arrays), axis=axis)


def _expand_dims(x: Any, axis: Any) -> Any:
    return np.reshape(x, np.expand_dims(np.empty(np.shape(x)), axis).shape)


def _squeeze(x: Any, axis: Any = None) -> Any:
    return np.reshape(x, np.squeeze(np.empty(np.shape(x)), axis).shape)


def _diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    x = np.swapaxes(x, axis, -1)
    for _ in range(n):
        x = x[..., 1:] - x[..., :-1]
    return np.swapaxes(x, axis, -1)


COMPOSITES.update({
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.append: lambda x, values, axis=None: _concatenate([x, values], axis),
    np.ravel: lambda x: np.reshape(x, -1),
    np.expand_dims: _expand_dims,
    np.squeeze: _squeeze,
    np.pad: _pad,
    np.take: lambda x, indices, axis=None: rearrangement(np.take)(x, indices, axis),
    np.sort: _sort,
    np.partition: _partition,
    np.diff: _diff,
})  # fmt: skip
COMPOSITES.update({function: rearrangement(function) for function in (
    np.array_split, np.column_stack, np.delete, np.diag, np.diagflat, np.diagonal, np.dsplit,
    np.dstack, np.flip, np.fliplr, np.flipud, np.hsplit, np.hstack, np.moveaxis, np.repeat,
    np.roll, np.rollaxis, np.rot90, np.split, np.take_along_axis, np.tile, np.tril, np.triu,
    np.vsplit, np.vstack,
)})  # fmt: skip
COMPOSITES.update({function: rearrangement(function, several=True) for function in (
    np.atleast_1d, np.atleast_2d, np.atleast_3d, np.broadcast_arrays,
)})  # fmt: skip
