"""Rows of factors as vectors of 16 float32.

Rows are padded with zeros to whole vectors, which stay zero. Dot products and updates are written
as vector operations, for two reasons. Speed: LLVM's own vectorizer unrolls past rows as short as
these. And the same bits on every processor: products and sums are fused only where it says so, and
the 16 partial sums are added in a fixed tree, so that it does not matter how many lanes a processor
has, or whether it has fused multiply-add.

The number of vectors is a constant when a kernel is compiled: the length of a tuple
(`vectors_of`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
CACHE_LINE = 64
PREFETCHED = 8
"""Ratings between asking for a row and using it: by then it is in the cache."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def padded_rows(n: int, n_factors: int) -> np.ndarray:
    """Rows of zeros for `n_factors` factors each, as `sgd_block` wants them.

    Returns
    -------
    ndarray of shape (n, n_factors rounded up to a multiple of 16), float32
        C-contiguous; the first row begins at a cache line.
    """
    width = -(-n_factors // LANES) * LANES
    raw = np.zeros(n * width * 4 + CACHE_LINE, dtype=np.uint8)
    start = -raw.ctypes.data % CACHE_LINE
    return raw[start : start + n * width * 4].view(np.float32).reshape(n, width)


def _shuffled(builder: ir.IRBuilder, vector: ir.Value, lanes: list[int]) -> ir.Value:
    return builder.shuffle_vector(
        vector, _UNDEFINED, ir.Constant(ir.VectorType(_INT32, LANES), lanes)
    )


def spread(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    """The same number in all lanes."""
    first = builder.insert_element(_UNDEFINED, scalar, ir.Constant(_INT32, 0))
    return _shuffled(builder, first, [0] * LANES)


def _sum_of_lanes(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum of a vector, in a fixed order: halves are added, then quarters, …"""
    for distance in (8, 4, 2, 1):
        lanes = [(lane + distance) % LANES for lane in range(LANES)]
        vector = builder.fadd(vector, _shuffled(builder, vector, lanes))
    return builder.extract_element(vector, ir.Constant(_INT32, 0))


def fused(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """A * b + c, rounded once."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [a, b, c])


def at_least_zero(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Zero in the place of what is negative; NaN stays NaN."""
    zeros = ir.Constant(_VECTOR, [0.0] * LANES)
    return builder.select(builder.fcmp_ordered("<", vector, zeros), zeros, vector)


def row_pointers(
    target: Any, builder: ir.IRBuilder, kind: Any, array: ir.Value, row: ir.Value, n_vectors: int
) -> list[ir.Value]:
    """Where a row's vectors are."""
    data = builder.bitcast(
        target.make_array(kind)(target, builder, array).data, _VECTOR.as_pointer()
    )
    first = builder.mul(builder.zext(row, _INT64), ir.Constant(_INT64, n_vectors))
    return [
        builder.gep(data, [builder.add(first, ir.Constant(_INT64, at))]) for at in range(n_vectors)
    ]


def loaded(builder: ir.IRBuilder, pointers: list[ir.Value]) -> list[ir.Value]:
    vectors = [builder.load(pointer) for pointer in pointers]
    for vector in vectors:
        vector.align = 4  # rows of other origin need not begin at a cache line
    return vectors


def dot_product(builder: ir.IRBuilder, p: list[ir.Value], q: list[ir.Value]) -> ir.Value:
    dot = builder.fmul(p[0], q[0])
    for p_vector, q_vector in zip(p[1:], q[1:], strict=True):
        dot = fused(builder, p_vector, q_vector, dot)
    return _sum_of_lanes(builder, dot)


def fetch(builder: ir.IRBuilder, pointer: ir.Value, for_writing: bool = False) -> None:
    """Ask for the cache line that something is in."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte] + [_INT32] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    how = (ir.Constant(_INT32, number) for number in (int(for_writing), 3, 1))
    builder.call(function, [builder.bitcast(pointer, byte), *how])


@intrinsic
def prefetch(context: Any, factors: Any, row: Any, vectors: Any) -> tuple:
    """Ask for a row that is going to be written."""
    n_vectors = len(vectors)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        array_kind = signature.args[0]
        for pointer in row_pointers(target, builder, array_kind, *arguments[:2], n_vectors):
            fetch(builder, pointer, for_writing=True)
        return target.get_dummy_value()

    return types.void(factors, types.uint32, vectors), generate


def vectors_of(rows: np.ndarray) -> tuple[int, ...]:
    """Number of vectors of a row from `padded_rows`, as the length of a tuple."""
    return (0,) * (rows.shape[1] // LANES)
