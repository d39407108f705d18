"""Products and sums of four rows of factors at a time, written as explicit vectors.

Four rows that lie anywhere are multiplied with one vector, or added to one: it is then loaded, and
stored, a quarter as often. Rows are padded with zeros to whole vectors of 16 numbers. Products are
fused with sums and added in a fixed order, so that the bits are the same on every processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from funksvd.kernels.vectors import LANES, fused, spread

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def _sums_of_lanes(builder: ir.IRBuilder, vectors: list[ir.Value]) -> list[ir.Value]:
    """The sums of four vectors, in a fixed order: halves are added, then quarters, …

    Of the four quarters of four numbers, first the numbers at the same places are added; a
    transposition makes vectors of the first to fourth numbers of all, which are added in pairs.
    """
    quarters = []
    for vector in vectors:
        for width in (8, 4):
            low, high = (
                builder.shuffle_vector(vector, vector, _places(range(start, start + width)))
                for start in (0, width)
            )
            vector = builder.fadd(low, high)
        quarters.append(vector)
    a, b, c, d = quarters
    ab, cd = (
        (
            builder.shuffle_vector(x, y, _places((0, 4, 1, 5))),
            builder.shuffle_vector(x, y, _places((2, 6, 3, 7))),
        )
        for x, y in ((a, b), (c, d))
    )
    firsts = builder.shuffle_vector(ab[0], cd[0], _places((0, 1, 4, 5)))
    seconds = builder.shuffle_vector(ab[0], cd[0], _places((2, 3, 6, 7)))
    thirds = builder.shuffle_vector(ab[1], cd[1], _places((0, 1, 4, 5)))
    fourths = builder.shuffle_vector(ab[1], cd[1], _places((2, 3, 6, 7)))
    sums = builder.fadd(builder.fadd(firsts, thirds), builder.fadd(seconds, fourths))
    return [builder.extract_element(sums, ir.Constant(_INT32, at)) for at in range(4)]


def _places(lanes: Iterable[int]) -> ir.Value:
    lanes = list(lanes)
    return ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes)


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
                builder.store(fused(builder, row, factor, builder.load(total)), total)
        sums = _sums_of_lanes(builder, [builder.load(total) for total in totals])
        return target.make_tuple(builder, signature.return_type, sums)

    return signature, generate


@intrinsic
def add_four(
    context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any, by: Any, start: Any, out: Any
) -> tuple:
    """Add four rows, each times a number of its own, to a vector, one after the other.

    Parameters
    ----------
    factors, a, b, c, d
        As for `dot_four`.
    by : tuple of four float32
    start : int64
        Vector of 16 numbers from which on they are added.
    out : ndarray of shape (a multiple of 16,), float32
        Changed.
    """
    numbers = types.UniTuple(types.float32, 4)
    signature = types.void(factors, *[types.int64] * 4, numbers, types.int64, out)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def add(number: ir.Value, row: ir.Value, total: ir.Value) -> ir.Value:
            return fused(builder, number, row, total)

        _add_rows(target, builder, signature, arguments, add)
        return target.get_dummy_value()

    return signature, generate


@intrinsic
def add_four_squares(
    context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any, by: Any, start: Any, out: Any
) -> tuple:
    """Add the squares of four rows, each times a number of its own; otherwise as `add_four`."""
    numbers = types.UniTuple(types.float32, 4)
    signature = types.void(factors, *[types.int64] * 4, numbers, types.int64, out)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def add(number: ir.Value, row: ir.Value, total: ir.Value) -> ir.Value:
            return fused(builder, builder.fmul(number, row), row, total)

        _add_rows(target, builder, signature, arguments, add)
        return target.get_dummy_value()

    return signature, generate


def _add_rows(
    target: Any, builder: ir.IRBuilder, signature: Any, arguments: list, add: Callable
) -> None:
    """The loop of `add_four`: `total = add(number, row, total)` for each of the rows."""
    rows = _Rows(target, builder, signature.args[0], arguments[0], arguments[1:5])
    numbers = [spread(builder, each) for each in cgutils.unpack_tuple(builder, arguments[5])]
    sums = _vector_pointer(target, builder, signature.args[7], arguments[7])
    with cgutils.for_range(builder, rows.n_vectors, start=arguments[6]) as loop:
        total = _load(builder, sums, loop.index)
        for number, row in zip(numbers, rows.at(loop.index), strict=True):
            total = add(number, row, total)
        _store(builder, total, sums, loop.index)


@intrinsic
def multiply_four(
    context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any, matrix: Any, column: Any, out: Any
) -> tuple:
    """Multiply four rows with 16 columns of a matrix.

    Parameters
    ----------
    factors, a, b, c, d
        As for `dot_four`.
    matrix : ndarray of shape (k, m), float32
        k is the length of a row of the factors, m that of one of `out`.
    column : int64
        Number of the vector of 16 columns.
    out : ndarray of shape (n, m), float32
        Those columns of the same four rows are written.
    """
    signature = types.void(factors, *[types.int64] * 4, matrix, types.int64, out)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        places = arguments[1:5]
        rows, products = (
            _Rows(target, builder, signature.args[at], arguments[at], places) for at in (0, 7)
        )
        numbers = [builder.bitcast(p, ir.FloatType().as_pointer()) for p in rows.pointers]
        data = _vector_pointer(target, builder, signature.args[5], arguments[5])
        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        totals = [cgutils.alloca_once_value(builder, zeros) for _ in range(4)]
        for total in totals:
            builder.store(zeros, total)
        width = builder.mul(rows.n_vectors, ir.Constant(_INT64, LANES))
        with cgutils.for_range(builder, width) as loop:
            place = builder.add(builder.mul(loop.index, products.n_vectors), arguments[6])
            factor = _load(builder, data, place)
            for total, number in zip(totals, numbers, strict=True):
                each = spread(builder, builder.load(builder.gep(number, [loop.index])))
                builder.store(fused(builder, each, factor, builder.load(total)), total)
        for total, pointer in zip(totals, products.pointers, strict=True):
            _store(builder, builder.load(total), pointer, arguments[6])
        return target.get_dummy_value()

    return signature, generate


@intrinsic
def fetch_four(context: Any, factors: Any, a: Any, b: Any, c: Any, d: Any) -> tuple:
    """Ask for four rows that are going to be read: by then they are in the cache.

    Parameters
    ----------
    factors, a, b, c, d
        As for `dot_four`.
    """
    signature = types.void(factors, *[types.int64] * 4)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        rows = _Rows(target, builder, signature.args[0], arguments[0], arguments[1:5])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte] + [_INT32] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for_reading, keep, data = (ir.Constant(_INT32, number) for number in (0, 2, 1))
        with cgutils.for_range(builder, rows.n_vectors) as loop:
            for pointer in rows.pointers:
                place = builder.bitcast(builder.gep(pointer, [loop.index]), byte)
                builder.call(function, [place, for_reading, keep, data])
        return target.get_dummy_value()

    return signature, generate
