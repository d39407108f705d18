"""One pass of stochastic gradient descent over a block of ratings, eq. (8) of `objectives.plain`.

What differs from loss to loss is a scalar, chosen when the kernel is compiled: `losses`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.losses import Squared, cost, residual
from funksvd.kernels.vectors import (
    PREFETCHED,
    at_least_zero,
    dot_product,
    fused,
    loaded,
    prefetch,
    row_pointers,
    spread,
    vectors_of,
)

SQUARED = Squared()


@intrinsic
def _dot(context: Any, user_factors: Any, u: Any, item_factors: Any, i: Any, vectors: Any) -> tuple:
    """p_u . q_i. The rows' indices are unsigned: they are not wrapped around."""
    n_vectors = len(vectors)
    rows = (user_factors, types.uint32, item_factors, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        p_at = row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        q_at = row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        return dot_product(builder, loaded(builder, p_at), loaded(builder, q_at))

    return types.float32(*rows, vectors), generate


@intrinsic
def _move(
    context: Any,
    user_factors: Any,
    u: Any,
    item_factors: Any,
    i: Any,
    g: Any,
    steps: Any,
    nonnegative: Any,
    vectors: Any,
) -> tuple:
    """Move p_u and q_i, each by the residual g times the old value of the other.

    `steps` are four float32: the learning rate lr of p_u and 1 - lr lambda, then the same of q_i.
    If `nonnegative` is a tuple of any length but 0, no factor becomes negative. After `_dot` of
    the same rows the compiler does not load them again.
    """
    n_vectors = len(vectors)
    rows = (user_factors, types.uint32, item_factors, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        p_at = row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        q_at = row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        p, q = loaded(builder, p_at), loaded(builder, q_at)
        lr_p, keep_p, lr_q, keep_q = (builder.extract_value(arguments[5], at) for at in range(4))
        pull_p, pull_q = (spread(builder, builder.fmul(lr, arguments[4])) for lr in (lr_p, lr_q))
        keep_p, keep_q = spread(builder, keep_p), spread(builder, keep_q)
        for at in range(n_vectors):
            new_p = fused(builder, pull_p, q[at], builder.fmul(keep_p, p[at]))
            new_q = fused(builder, pull_q, p[at], builder.fmul(keep_q, q[at]))
            if len(nonnegative):
                new_p, new_q = (at_least_zero(builder, new) for new in (new_p, new_q))
            builder.store(new_p, p_at[at], align=4)
            builder.store(new_q, q_at[at], align=4)
        return target.get_dummy_value()

    steps = types.UniTuple(types.float32, 4)
    return types.void(*rows, types.float32, steps, nonnegative, vectors), generate


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
    loss,
    nonnegative,
    vectors,
):
    user_rates, item_rates, bias_lr, reg, bias_reg = rates
    one = np.float32(1.0)
    bias_keep = one - bias_lr * bias_reg
    total = 0.0
    for at in range(values.size):
        soon = min(at + PREFETCHED, values.size - 1)
        prefetch(user_factors, np.uint32(user_index[soon]), vectors)
        prefetch(item_factors, np.uint32(item_index[soon]), vectors)
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        b_u = user_biases[u]
        b_i = item_biases[i]
        r = values[at]
        lr_p = user_rates[u]
        lr_q = item_rates[i]
        steps = (lr_p, one - lr_p * reg, lr_q, one - lr_q * reg)
        e = (r - (global_mean + b_u + b_i)) - _dot(user_factors, u, item_factors, i, vectors)
        g = residual(loss, e, r)
        _move(user_factors, u, item_factors, i, g, steps, nonnegative, vectors)
        total += cost(loss, e, r)
        user_biases[u] = bias_keep * b_u + bias_lr * g
        item_biases[i] = bias_keep * b_i + bias_lr * g
    return total


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
    loss: NamedTuple = SQUARED,
    nonnegative: bool = False,
) -> float:
    """Move the parameters along the negative gradient of each rating's term, in order.

    Serial, and so deterministic; blocks that share no user and no item may run at the same time.
    The step is written as theta <- (1 - lr lambda) theta + lr g (the other row), the same as
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
    loss : Squared, Absolute, Huber or Logistic
    nonnegative : bool
        Whether factors that would become negative become 0 instead: a projected step.

    Returns
    -------
    float
        Sum of the `losses.cost` of each rating in float64, as it was before its own step: for the
        squared loss, of e_ui**2. Not finite where the descent diverges.
    """
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
        loss,
        (0,) * nonnegative,
        vectors_of(user_factors),
    )


@compiled
def _cost_of_block(
    user_index,
    item_index,
    values,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    limits,
    loss,
    vectors,
):
    low, high = limits
    total = 0.0
    for at in range(values.size):
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        score = global_mean + user_biases[u] + item_biases[i]
        score += _dot(user_factors, u, item_factors, i, vectors)
        total += cost(loss, values[at] - min(max(score, low), high), values[at])
    return total


def cost_of_block(
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    global_mean: np.float32,
    user_biases: np.ndarray,
    item_biases: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    limits: tuple[np.float32, np.float32],
    loss: NamedTuple = SQUARED,
) -> float:
    """Sum of the `losses.cost` of ratings, their scores held within limits; nothing is learned.

    Parameters
    ----------
    user_index, item_index, values, global_mean, user_biases, item_biases, user_factors, \
item_factors
        As for `sgd_block`.
    limits : (low, high), float32
    loss : Squared, Absolute, Huber or Logistic

    Returns
    -------
    float
        In float64.
    """
    return _cost_of_block(
        user_index,
        item_index,
        values,
        global_mean,
        user_biases,
        item_biases,
        user_factors,
        item_factors,
        limits,
        loss,
        vectors_of(user_factors),
    )
