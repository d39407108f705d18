"""Products and sums of four rows of factors at a time, written as explicit vectors.

Four rows that lie anywhere are multiplied with one vector, or added to one: it is then loaded, and
stored, a quarter as often. Rows are padded with zeros to whole vectors of 16 numbers. Products and
sums are rounded one by one, and in a fixed order, so that the bits are the same on every processor.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def _spread(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    """The same number in all lanes."""
    first = builder.insert_element(_UNDEFINED, scalar, ir.Constant(_INT32, 0))
    lanes = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, _UNDEFINED, lanes)


def _sum_of_lanes(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum of a vector, in a fixed order: halves are added, then quarters, …"""
    for distance in (8, 4, 2, 1):
        lanes = [(lane + distance) % LANES for lane in range(LANES)]
        order = ir.Constant(ir.VectorType(_INT32, LANES), lanes)
        vector = builder.fadd(vector, builder.shuffle_vector(vector, _UNDEFINED, order))
    return builder.extract_element(vector, ir.Constant(_INT32, 0))


class _Rows:
    """Four rows of an array of factors, and how many vectors each of them has."""

    def __init__(
        self, target: Any, builder: ir.IRBuilder, kind: Any, array: ir.Value, rows: list[ir.Value]
    ) -> None:
        made = target.make_array(kind)(target, builder, array)
        width = cgutils.unpack_tuple(builder, made.shape)[1]
        self.builder = builder
        self.n_vectors = builder.udiv(width, ir.Constant(_INT64, LANES))
        self.pointers = [
            builder.bitcast(builder.gep(made.data, [builder.mul(row, width)]), _VECTOR.as_pointer())
            for row in rows
        ]

    def at(self, index: ir.Value) -> list[ir.Value]:
        """The vectors number `index` of the four rows."""
        return [_load(self.builder, pointer, index) for pointer in self.pointers]


def _vector_pointer(target: Any, builder: ir.IRBuilder, kind: Any, array: ir.Value) -> ir.Value:
    data = target.make_array(kind)(target, builder, array).data
    return builder.bitcast(data, _VECTOR.as_pointer())


def _load(builder: ir.IRBuilder, pointer: ir.Value, index: ir.Value) -> ir.Value:
    vector = builder.load(builder.gep(pointer, [index]))
    vector.align = 4
    return vector


def _store(builder: ir.IRBuilder, vector: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
    builder.store(vector, builder.gep(pointer, [index]), align=4)


@intrinsic
def dot_four(context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any, vector: Any) -> tuple:
    """Inner products of four rows with one vector.

    Parameters
    ----------
    factors : ndarray of shape (n, a multiple of 16), float32
        C-contiguous.
    a, b, c, d : int64
        Rows.
    vector : ndarray of shape (a multiple of 16,), float32

    Returns
    -------
    tuple of four float32
    """
    result = types.UniTuple(types.float32, 4)
    signature = result(factors, *[types.int64] * 4, vector)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        rows = _Rows(target, builder, signature.args[0], arguments[0], arguments[1:5])
        x = _vector_pointer(target, builder, signature.args[5], arguments[5])
        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        totals = [cgutils.alloca_once_value(builder, zeros) for _ in range(4)]
        for total in totals:
            builder.store(zeros, total)
        with cgutils.for_range(builder, rows.n_vectors) as loop:
            factor = _load(builder, x, loop.index)
            for total, row in zip(totals, rows.at(loop.index), strict=True):
                builder.store(builder.fadd(builder.load(total), builder.fmul(row, factor)), total)
        sums = [_sum_of_lanes(builder, builder.load(total)) for total in totals]
        return target.make_tuple(builder, signature.return_type, sums)

    return signature, generate


@intrinsic
def add_four(
    context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any, by: Any, out: Any
) -> tuple:
    """Add four rows, each times a number of its own, to a vector, one after the other.

    Parameters
    ----------
    factors, a, b, c, d
        As for `dot_four`.
    by : tuple of four float32
    out : ndarray of shape (a multiple of 16,), float32
        Changed.
    """
    signature = types.void(factors, *[types.int64] * 4, types.UniTuple(types.float32, 4), out)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        rows = _Rows(target, builder, signature.args[0], arguments[0], arguments[1:5])
        numbers = [_spread(builder, each) for each in cgutils.unpack_tuple(builder, arguments[5])]
        sums = _vector_pointer(target, builder, signature.args[6], arguments[6])
        with cgutils.for_range(builder, rows.n_vectors) as loop:
            total = _load(builder, sums, loop.index)
            for number, row in zip(numbers, rows.at(loop.index), strict=True):
                total = builder.fadd(total, builder.fmul(number, row))
            _store(builder, total, sums, loop.index)
        return target.get_dummy_value()

    return signature, generate


@intrinsic
def add_four_squares(
    context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any, by: Any, out: Any
) -> tuple:
    """Add the squares of four rows, each times a number of its own; otherwise as `add_four`."""
    signature = types.void(factors, *[types.int64] * 4, types.UniTuple(types.float32, 4), out)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        rows = _Rows(target, builder, signature.args[0], arguments[0], arguments[1:5])
        numbers = [_spread(builder, each) for each in cgutils.unpack_tuple(builder, arguments[5])]
        sums = _vector_pointer(target, builder, signature.args[6], arguments[6])
        with cgutils.for_range(builder, rows.n_vectors) as loop:
            total = _load(builder, sums, loop.index)
            for number, row in zip(numbers, rows.at(loop.index), strict=True):
                total = builder.fadd(total, builder.fmul(builder.fmul(number, row), row))
            _store(builder, total, sums, loop.index)
        return target.get_dummy_value()

    return signature, generate
