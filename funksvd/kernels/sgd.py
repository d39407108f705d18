"""One pass of stochastic gradient descent over a block of ratings, eq. (8) of `objective`."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled
from funksvd.kernels.vectors import (
    PREFETCHED,
    dot_product,
    fused,
    loaded,
    prefetch,
    row_pointers,
    spread,
    vectors_of,
)


@intrinsic
def _dot(context: Any, user_factors: Any, u: Any, item_factors: Any, i: Any, vectors: Any) -> tuple:
    """p_u . q_i, as `_step` has it."""
    n_vectors = len(vectors)
    rows = (user_factors, types.uint32, item_factors, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        p_at = row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        q_at = row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        return dot_product(builder, loaded(builder, p_at), loaded(builder, q_at))

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
        p_at = row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        q_at = row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        p, q = loaded(builder, p_at), loaded(builder, q_at)
        e = builder.fsub(arguments[4], dot_product(builder, p, q))
        lr_p, keep_p, lr_q, keep_q = (builder.extract_value(arguments[5], at) for at in range(4))
        pull_p, pull_q = (spread(builder, builder.fmul(lr, e)) for lr in (lr_p, lr_q))
        keep_p, keep_q = spread(builder, keep_p), spread(builder, keep_q)
        for at in range(n_vectors):
            new_p = fused(builder, pull_p, q[at], builder.fmul(keep_p, p[at]))
            new_q = fused(builder, pull_q, p[at], builder.fmul(keep_q, q[at]))
            builder.store(new_p, p_at[at], align=4)
            builder.store(new_q, q_at[at], align=4)
        return e

    steps = types.UniTuple(types.float32, 4)
    return types.float32(*rows, types.float32, steps, vectors), generate


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
        prefetch(user_factors, np.uint32(user_index[soon]), vectors)
        prefetch(item_factors, np.uint32(item_index[soon]), vectors)
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
    vectors = vectors_of(user_factors)
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
    vectors = vectors_of(user_factors)
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
