"""SVD++: form the sums of a batch of users or of items, descend, hand the sums' descent back.

In the notation of `funksvd.objectives.svdpp`, and for a batch of users; for one of items, users and
items change places. All three go through a block of pairs (user, item) in
order, on rows from `padded_rows`, with the vectors and the fixed order of operations of
`kernels.sgd`.
"""

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
def _add_row(context: Any, sums: Any, u: Any, rows: Any, j: Any, vectors: Any) -> tuple:
    """Sums_u += rows_j."""
    n_vectors = len(vectors)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        sum_at = row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        row_at = row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        for at, row in zip(sum_at, loaded(builder, row_at), strict=True):
            builder.store(builder.fadd(*loaded(builder, [at]), row), at, align=4)
        return target.get_dummy_value()

    return types.void(sums, types.uint32, rows, types.uint32, vectors), generate


@intrinsic
def _pull(
    context: Any, rows: Any, j: Any, pulls: Any, u: Any, rate: Any, keep: Any, vectors: Any
) -> tuple:
    """Rows_j = keep * rows_j + rate * pulls_u."""
    n_vectors = len(vectors)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        kinds = signature.args
        row_at = row_pointers(target, builder, kinds[0], *arguments[0:2], n_vectors)
        pull_at = row_pointers(target, builder, kinds[2], *arguments[2:4], n_vectors)
        rows, pulls = loaded(builder, row_at), loaded(builder, pull_at)
        rate, keep = (spread(builder, scalar) for scalar in arguments[4:6])
        for at in range(n_vectors):
            new = fused(builder, rate, pulls[at], builder.fmul(keep, rows[at]))
            builder.store(new, row_at[at], align=4)
        return target.get_dummy_value()

    kinds = (rows, types.uint32, pulls, types.uint32, types.float32, types.float32, vectors)
    return types.void(*kinds), generate


@intrinsic
def _step(
    context: Any,
    user_factors: Any,
    user_sums: Any,
    u: Any,
    item_factors: Any,
    item_sums: Any,
    i: Any,
    residual: Any,
    steps: Any,
    vectors: Any,
) -> tuple:
    """E = residual - (p_u + z_u) . (q_i + t_i); moves all four, each by the others' old values.

    Returns e. `steps` are four float32: the learning rate lr of p_u and z_u, 1 - lr lambda of p_u;
    then both of q_i and t_i.
    """
    n_vectors = len(vectors)
    rows = (user_factors, user_sums, types.uint32, item_factors, item_sums, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        places = [
            row_pointers(
                target, builder, signature.args[array], arguments[array], arguments[row], n_vectors
            )
            for array, row in ((0, 2), (1, 2), (3, 5), (4, 5))
        ]
        p, z, q, t = (loaded(builder, pointers) for pointers in places)
        w, v = (
            [builder.fadd(*pair) for pair in zip(*side, strict=True)] for side in ((p, z), (q, t))
        )
        e = builder.fsub(arguments[6], dot_product(builder, w, v))
        lr_p, keep_p, lr_q, keep_q = (builder.extract_value(arguments[7], at) for at in range(4))
        pull_p, pull_q = (spread(builder, builder.fmul(lr, e)) for lr in (lr_p, lr_q))
        keep_p, keep_q = spread(builder, keep_p), spread(builder, keep_q)
        for at in range(n_vectors):
            moved = (
                fused(builder, pull_p, v[at], builder.fmul(keep_p, p[at])),
                fused(builder, pull_p, v[at], z[at]),
                fused(builder, pull_q, w[at], builder.fmul(keep_q, q[at])),
                fused(builder, pull_q, w[at], t[at]),
            )
            for new, pointers in zip(moved, places, strict=True):
                builder.store(new, pointers[at], align=4)
        return e

    steps = types.UniTuple(types.float32, 4)
    return types.float32(*rows, types.float32, steps, vectors), generate


@compiled
def _add_rows(user_index, item_index, item_rows, sums, vectors):
    for at in range(user_index.size):
        soon = min(at + PREFETCHED, user_index.size - 1)
        prefetch(item_rows, np.uint32(item_index[soon]), vectors)
        _add_row(sums, np.uint32(user_index[at]), item_rows, np.uint32(item_index[at]), vectors)


def add_rows(
    user_index: np.ndarray, item_index: np.ndarray, item_rows: np.ndarray, sums: np.ndarray
) -> None:
    """Add the row of each pair's item to the sum of its user.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), integer, not negative
    item_rows : ndarray from `padded_rows`, float32
    sums : ndarray from `padded_rows`, float32
        Changed in place.
    """
    _add_rows(user_index, item_index, item_rows, sums, vectors_of(item_rows))


@compiled
def _svdpp_block(
    user_index,
    item_index,
    values,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    user_sums,
    item_sums,
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
        prefetch(user_sums, np.uint32(user_index[soon]), vectors)
        prefetch(item_factors, np.uint32(item_index[soon]), vectors)
        prefetch(item_sums, np.uint32(item_index[soon]), vectors)
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        b_u = user_biases[u]
        b_i = item_biases[i]
        residual = values[at] - (global_mean + b_u + b_i)
        lr_p = user_rates[u]
        lr_q = item_rates[i]
        steps = (lr_p, one - lr_p * reg, lr_q, one - lr_q * reg)
        users, items = (user_factors, user_sums, u), (item_factors, item_sums, i)
        e = _step(*users, *items, residual, steps, vectors)
        squared_error += np.float64(e) * np.float64(e)
        user_biases[u] = bias_keep * b_u + bias_lr * e
        item_biases[i] = bias_keep * b_i + bias_lr * e
    return squared_error


def svdpp_block(
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    global_mean: np.float32,
    user_biases: np.ndarray,
    item_biases: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    user_sums: np.ndarray,
    item_sums: np.ndarray,
    rates: tuple[np.ndarray, np.ndarray, np.float32, np.float32, np.float32],
) -> float:
    """Move p_u, q_i and the biases along the negative gradient of each rating's term, in order.

    The sums z_u and t_i move too, as the y_j and the x_v that they are of would make them: z_u by
    lr e_ui (q_i + t_i). What it has moved by when all of the user's ratings are done, divided by
    lr, is s_u of eq. (7). What t_i has moved by over the ratings of its item, divided by lr, is
    s_i of eq. (8).

    Parameters
    ----------
    user_index, item_index, values, global_mean, user_biases, item_biases, user_factors, \
item_factors
        As for `sgd_block`.
    user_sums, item_sums : ndarray from `padded_rows`, float32
        The z_u and the t_i, changed in place.
    rates : tuple
        As for `sgd_block`.

    Returns
    -------
    float
        Sum of the squared errors e_ui**2 in float64, each as it was before its own step. Not
        finite where the descent diverges.
    """
    return _svdpp_block(
        user_index,
        item_index,
        values,
        global_mean,
        user_biases,
        item_biases,
        user_factors,
        item_factors,
        user_sums,
        item_sums,
        rates,
        vectors_of(user_factors),
    )


@compiled
def _hand_back(user_index, item_index, descents, user_regs, item_rates, item_rows, vectors):
    one = np.float32(1.0)
    for at in range(user_index.size):
        soon = min(at + PREFETCHED, user_index.size - 1)
        prefetch(item_rows, np.uint32(item_index[soon]), vectors)
        u = np.uint32(user_index[at])
        j = np.uint32(item_index[at])
        lr = item_rates[j]
        _pull(item_rows, j, descents, u, lr, one - lr * user_regs[u], vectors)


def hand_back(
    user_index: np.ndarray,
    item_index: np.ndarray,
    descents: np.ndarray,
    user_regs: np.ndarray,
    item_rates: np.ndarray,
    item_rows: np.ndarray,
) -> None:
    """Move y_j along each of its users' share of the descent, eq. (8), pair after pair.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), integer, not negative
        The pairs (u, j) with j in N(u).
    descents : ndarray from `padded_rows`, float32
        |N(u)|^-1/2 s_u, times each user's share of the learning rate.
    user_regs : ndarray of shape (n_users,), float32
        lambda_y |Omega_u| / |N(u)|, times the same share.
    item_rates : ndarray of shape (n_items,), float32
        Learning rates of the y_j.
    item_rows : ndarray from `padded_rows`, float32
        The y_j, changed in place.
    """
    _hand_back(
        user_index, item_index, descents, user_regs, item_rates, item_rows, vectors_of(item_rows)
    )
