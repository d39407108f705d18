"""One pass of stochastic gradient descent over a block of ratings, eq. (8) of `objective`.

Rows of factors are padded with zeros to whole vectors of 16 float32, which stay zero. A row's dot
product and its update are written as vector operations, for two reasons. Speed: LLVM's own
vectorizer unrolls past rows as short as these. And the same bits on every processor: products and
sums are fused only where it says so here, and the 16 partial sums are added in a fixed tree, so
that it does not matter how many lanes a processor has, or whether it has fused multiply-add.

The number of vectors is a constant when the kernel is compiled: the length of a tuple.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled

LANES = 16
CACHE_LINE = 64
PREFETCHED = 8
"""Rows are asked for so many ratings ahead, to be in the cache when their turn comes."""

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


def _spread(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    """The same number in all lanes."""
    first = builder.insert_element(_UNDEFINED, scalar, ir.Constant(_INT32, 0))
    return _shuffled(builder, first, [0] * LANES)


def _sum_of_lanes(builder: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """The sum of a vector, in a fixed order: halves are added, then quarters, …"""
    for distance in (8, 4, 2, 1):
        lanes = [(lane + distance) % LANES for lane in range(LANES)]
        vector = builder.fadd(vector, _shuffled(builder, vector, lanes))
    return builder.extract_element(vector, ir.Constant(_INT32, 0))


def _fused(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """A * b + c, rounded once."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [a, b, c])


def _row_pointers(
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


def _loaded(builder: ir.IRBuilder, pointers: list[ir.Value]) -> list[ir.Value]:
    vectors = [builder.load(pointer) for pointer in pointers]
    for vector in vectors:
        vector.align = 4  # rows of other origin need not begin at a cache line
    return vectors


def _dot_product(builder: ir.IRBuilder, p: list[ir.Value], q: list[ir.Value]) -> ir.Value:
    dot = builder.fmul(p[0], q[0])
    for p_vector, q_vector in zip(p[1:], q[1:], strict=True):
        dot = _fused(builder, p_vector, q_vector, dot)
    return _sum_of_lanes(builder, dot)


@intrinsic
def _dot(context: Any, user_factors: Any, u: Any, item_factors: Any, i: Any, vectors: Any) -> tuple:
    """p_u . q_i, as `_step` has it."""
    n_vectors = len(vectors)
    rows = (user_factors, types.uint32, item_factors, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        p_at = _row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        q_at = _row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        return _dot_product(builder, _loaded(builder, p_at), _loaded(builder, q_at))

    return types.float32(*rows, vectors), generate


@intrinsic
def _step(
    context: Any,
    user_factors: Any,
    u: Any,
    item_factors: Any,
    i: Any,
    residual: Any,
    steps: Any,
    vectors: Any,
) -> tuple:
    """E = residual - p_u . q_i; moves p_u and q_i, each by the old value of the other; returns e.

    `steps` are four float32: the learning rate lr of p_u and 1 - lr lambda, then the same of q_i.
    The rows' indices are unsigned: they are not wrapped around.
    """
    n_vectors = len(vectors)
    rows = (user_factors, types.uint32, item_factors, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        p_at = _row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        q_at = _row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        p, q = _loaded(builder, p_at), _loaded(builder, q_at)
        e = builder.fsub(arguments[4], _dot_product(builder, p, q))
        lr_p, keep_p, lr_q, keep_q = (builder.extract_value(arguments[5], at) for at in range(4))
        pull_p, pull_q = (_spread(builder, builder.fmul(lr, e)) for lr in (lr_p, lr_q))
        keep_p, keep_q = _spread(builder, keep_p), _spread(builder, keep_q)
        for at in range(n_vectors):
            new_p = _fused(builder, pull_p, q[at], builder.fmul(keep_p, p[at]))
            new_q = _fused(builder, pull_q, p[at], builder.fmul(keep_q, q[at]))
            builder.store(new_p, p_at[at], align=4)
            builder.store(new_q, q_at[at], align=4)
        return e

    steps = types.UniTuple(types.float32, 4)
    return types.float32(*rows, types.float32, steps, vectors), generate


@intrinsic
def _prefetch(context: Any, factors: Any, row: Any, vectors: Any) -> tuple:
    """Ask for a row that is going to be written."""
    n_vectors = len(vectors)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte] + [_INT32] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for_writing, keep, data = (ir.Constant(_INT32, number) for number in (1, 3, 1))
        array_kind = signature.args[0]
        for pointer in _row_pointers(target, builder, array_kind, *arguments[:2], n_vectors):
            builder.call(function, [builder.bitcast(pointer, byte), for_writing, keep, data])
        return target.get_dummy_value()

    return types.void(factors, types.uint32, vectors), generate


@compiled
def _sgd_block(
    user_index,
    item_index,
    values,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    rates,
    vectors,
):
    user_rates, item_rates, bias_lr, reg, bias_reg = rates
    one = np.float32(1.0)
    bias_keep = one - bias_lr * bias_reg
    squared_error = 0.0
    for at in range(values.size):
        soon = min(at + PREFETCHED, values.size - 1)
        _prefetch(user_factors, np.uint32(user_index[soon]), vectors)
        _prefetch(item_factors, np.uint32(item_index[soon]), vectors)
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        b_u = user_biases[u]
        b_i = item_biases[i]
        residual = values[at] - (global_mean + b_u + b_i)
        lr_p = user_rates[u]
        lr_q = item_rates[i]
        steps = (lr_p, one - lr_p * reg, lr_q, one - lr_q * reg)
        e = _step(user_factors, u, item_factors, i, residual, steps, vectors)
        squared_error += np.float64(e) * np.float64(e)
        user_biases[u] = bias_keep * b_u + bias_lr * e
        item_biases[i] = bias_keep * b_i + bias_lr * e
    return squared_error


def sgd_block(
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    global_mean: np.float32,
    user_biases: np.ndarray,
    item_biases: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    rates: tuple[np.ndarray, np.ndarray, np.float32, np.float32, np.float32],
) -> float:
    """Move the parameters along the negative gradient of each rating's term, in order.

    Serial, and so deterministic; blocks that share no user and no item may run at the same time.
    The step is written as theta <- (1 - lr lambda) theta + lr e (the other row), the same as
    eq. (8).

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), integer, not negative
    values : ndarray of shape (n,), float32
    global_mean : float32
    user_biases, item_biases : ndarray of shape (n_users,) and (n_items,), float32
        Changed in place.
    user_factors, item_factors : ndarray from `padded_rows`, float32
        Changed in place; columns of zeros stay zero.
    rates : tuple
        Learning rates of each user's factors, ndarray of shape (n_users,), of each item's, and of
        the biases; lambda and lambda_b; float32.

    Returns
    -------
    float
        Sum of the squared errors e_ui**2 in float64, each as it was before its own step. Not
        finite where the descent diverges.
    """
    vectors = (0,) * (user_factors.shape[1] // LANES)
    return _sgd_block(
        user_index,
        item_index,
        values,
        global_mean,
        user_biases,
        item_biases,
        user_factors,
        item_factors,
        rates,
        vectors,
    )


@compiled
def _squared_error_of_block(
    user_index,
    item_index,
    values,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    limits,
    vectors,
):
    low, high = limits
    squared_error = 0.0
    for at in range(values.size):
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        prediction = global_mean + user_biases[u] + item_biases[i]
        prediction += _dot(user_factors, u, item_factors, i, vectors)
        e = np.float64(values[at] - min(max(prediction, low), high))
        squared_error += e * e
    return squared_error


def squared_error_of_block(
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    global_mean: np.float32,
    user_biases: np.ndarray,
    item_biases: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    limits: tuple[np.float32, np.float32],
) -> float:
    """Sum of the squared errors of predictions held within limits; nothing is learned.

    Parameters
    ----------
    user_index, item_index, values, global_mean, user_biases, item_biases, user_factors, \
item_factors
        As for `sgd_block`.
    limits : (low, high), float32

    Returns
    -------
    float
        In float64.
    """
    vectors = (0,) * (user_factors.shape[1] // LANES)
    return _squared_error_of_block(
        user_index,
        item_index,
        values,
        global_mean,
        user_biases,
        item_biases,
        user_factors,
        item_factors,
        limits,
        vectors,
    )
