"""From parameters to predictions, best items and similar items; in indices, not in raw ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from funksvd.kernels import (
    GROUP_USERS,
    LOST_IN_SQUARES,
    TILE_ITEMS,
    add_day_biases,
    deviate_block,
    exclude_items,
    leave_each_out,
    pack_items,
    predict_block,
    rank_each_item,
    rank_items,
)
from funksvd.learned.draws import Draws
from funksvd.learned.ratings import Days
from funksvd.objectives.parameters import Parameters
from funksvd.parallel import in_order
from funksvd.ratings.compressed import CompressedRows

PAIRS_PER_TASK = 1 << 18
ROWS_PER_BATCH = 1 << 17
"""Largest number of best items, of all its users together, that one batch of users has."""
SCORES_PER_BATCH = 1 << 29
"""Largest number of scores that one batch of users, the task of one thread, is ranked by."""
MARKS_AT_ONCE = 1 << 24
"""Pairs of a user and an item that are marked as excluded or not at a time: 2 MiB of bits."""
FEW_USERS = 16
"""Users up to which looking at each item takes less time than laying the items out first."""


def predict_deviations(
    draws: Draws,
    user_index: np.ndarray,
    item_index: np.ndarray,
    *,
    n_threads: int = 1,
) -> np.ndarray:
    """Standard deviations of the noise-free ratings, eq. (1) of `objectives.plain`, over the draws.

    Parameters
    ----------
    draws : Draws
        At least two.
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for unknown: any of the known ones.
    n_threads : int
        Does not change the result.

    Returns
    -------
    ndarray of shape (n,), float32
        In rating units.
    """
    deviations = np.empty(len(user_index), dtype=np.float32)

    def deviate(part: slice) -> None:
        deviate_block(user_index[part], item_index[part], tuple(draws), deviations[part])

    _in_parts(deviate, len(deviations), n_threads)
    return deviations


def predict_without(
    draws: Draws,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    noise: np.ndarray,
    *,
    n_threads: int = 1,
) -> np.ndarray:
    """Predictions of ratings that draws come from, as if each had not been known.

    Parameters
    ----------
    draws : Draws
        At least two.
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
        The ratings.
    noise : ndarray of shape (n,), float32
        Variance of each rating about the noise-free one.
    n_threads : int
        Does not change the result.

    Returns
    -------
    ndarray of shape (n,), float32

    References
    ----------
    E. L. Ionides, "Truncated Importance Sampling", 2008. A. E. Gelfand, "Model Determination Using
    Sampling-Based Methods", 1996.
    """
    predictions = np.empty(len(user_index), dtype=np.float32)

    def predict(part: slice) -> None:
        given = (user_index[part], item_index[part], values[part], noise[part])
        leave_each_out(*given, tuple(draws), predictions[part])

    _in_parts(predict, len(predictions), n_threads)
    return predictions


def predict_pairs(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    *,
    limits: tuple[float, float] | None = None,
    n_threads: int = 1,
) -> np.ndarray:
    """Predicted ratings, eq. (1) of `objectives.plain`.

    Parameters
    ----------
    parameters : Parameters
        float32.
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for unknown: the prediction is then made from what is known, mu + b_u, mu + b_i
        or mu.
    limits : (low, high), optional
        Predictions are held within them.
    n_threads : int
        Does not change the result.

    Returns
    -------
    ndarray of shape (n,), float32
    """
    predictions = np.empty(len(user_index), dtype=np.float32)
    arguments = _for_kernels(parameters)

    def predict(part: slice) -> None:
        out = predictions[part]
        predict_block(user_index[part], item_index[part], arguments, out)
        if limits is not None:
            np.clip(out, *limits, out=out)

    _in_parts(predict, len(predictions), n_threads)
    return predictions


def add_days(
    known: Days,
    user_index: np.ndarray,
    days: np.ndarray,
    predictions: np.ndarray,
    *,
    n_threads: int = 1,
) -> None:
    """Add to predictions the biases of their users on days, where these are known.

    Parameters
    ----------
    known : Days
    user_index, days : ndarray of shape (n,), int32
        -1 stands for unknown.
    predictions : ndarray of shape (n,), float32
        Changed.
    n_threads : int
        Does not change the result.
    """

    def add(part: slice) -> None:
        add_day_biases(user_index[part], days[part], tuple(known), predictions[part])

    _in_parts(add, len(predictions), n_threads)


class Best(NamedTuple):
    """The items with the highest predictions for each of some users.

    Parameters
    ----------
    users : ndarray of shape (n,), int32
    items : ndarray of shape (n, n_best), int32
        Best first, of equals the lower index first; -1 where there are no more.
    predictions : ndarray of shape (n, n_best), float32
        As `predict_pairs` makes them, without limits; minus infinity there.
    """

    users: np.ndarray
    items: np.ndarray
    predictions: np.ndarray


def best_items(
    parameters: Parameters,
    users: np.ndarray,
    n_best: int,
    *,
    exclude: tuple[CompressedRows, ...] = (),
    allowed: np.ndarray | None = None,
    item_norms: np.ndarray | None = None,
    n_threads: int = 1,
) -> Iterator[Best]:
    """The items with the highest predictions for each user, batch by batch.

    Parameters
    ----------
    parameters : Parameters
        float32.
    users : ndarray of shape (n,), int32
        Known ones only.
    n_best : int
    exclude : tuple of CompressedRows
        Items left out, by user.
    allowed : ndarray of shape (n_items,), bool, optional
        Items that may be listed; by default all.
    item_norms : ndarray of shape (n_items,), float32, optional
        Lengths of the items' factors. Whoever asks for few users again and again should know them:
        most items then need not be looked at. They do not change the result.
    n_threads : int
        Does not change the result.

    Returns
    -------
    iterator of Best
        Together, all users in their order.
    """
    n_items = len(parameters.item_factors)
    n_best = min(n_best, n_items)
    if len(users) <= FEW_USERS:
        norms = np.empty(0, dtype=np.float32) if item_norms is None else item_norms
        rank: Callable[..., None] = partial(rank_each_item, norms)
    else:
        rank = _ranking_of_many(parameters)
    arguments = _for_kernels(parameters)
    left_out = np.zeros(n_items // 8 + 1, dtype=np.uint8)
    if allowed is not None:
        bits = np.packbits(~allowed, bitorder="little")
        left_out[: len(bits)] = bits

    def best_of(batch: np.ndarray) -> Best:
        items = np.empty((len(batch), n_best), dtype=np.int32)
        predictions = np.empty((len(batch), n_best), dtype=np.float32)
        n_marked = _whole_groups(MARKS_AT_ONCE, n_items)
        for start in range(0, len(batch), n_marked):
            part = slice(start, start + n_marked)
            excluded = np.tile(left_out, (len(batch[part]), 1))
            for user_items in exclude:
                exclude_items(excluded, batch[part], user_items.indptr, user_items.columns)
            rank(batch[part], excluded, arguments, items[part], predictions[part])
        return Best(batch, items, predictions)

    size = min(_whole_groups(ROWS_PER_BATCH, n_best), _whole_groups(SCORES_PER_BATCH, n_items))
    batches = [users[start : start + size] for start in range(0, len(users), size)]
    return map(best_of, batches) if len(batches) == 1 else in_order(best_of, batches, n_threads)


def _whole_groups(total: int, for_each: int) -> int:
    """Users that can be had for a total, rounded down to what is ranked together, or up to it."""
    return max(1, total // max(for_each, 1) // GROUP_USERS) * GROUP_USERS


def _ranking_of_many(parameters: Parameters) -> Callable[..., None]:
    """A function that ranks items for many users, after laying the items out once."""
    mean, user_biases, item_biases, user_factors, item_factors = parameters
    n_items, n_factors = item_factors.shape
    lengths = np.linalg.norm(item_factors, axis=1)
    order = np.lexsort((-lengths, -item_biases)).astype(np.int32)
    n_panels = max(1, -(-n_items // TILE_ITEMS))
    panels = np.empty((n_panels, n_factors + 1, TILE_ITEMS), dtype=np.float32)
    pack_items(order, item_biases, item_factors, panels)
    longest = lengths.max(initial=0) + LOST_IN_SQUARES
    largest_bias = np.abs(item_biases).max(initial=0) + abs(mean)

    def rank(users: np.ndarray, excluded: np.ndarray, *arguments: Any) -> None:
        # How far scores and predictions can be apart: n + 4 roundings, of sums and products of
        # at most this size (Higham, "Accuracy and Stability of Numerical Algorithms", eq. 3.5).
        sizes = (np.linalg.norm(user_factors[users], axis=1) + LOST_IN_SQUARES) * longest
        sizes += np.abs(user_biases[users]) + largest_bias
        tolerances = 4 * (n_factors + 4) * np.finfo(np.float32).eps * sizes
        rank_items(users, tolerances.astype(np.float32), excluded, order, panels, *arguments)

    return rank


def _for_kernels(parameters: Parameters) -> tuple[Any, ...]:
    return (np.float32(parameters.global_mean), *parameters[1:])


def _in_parts(function: Callable[[slice], None], n: int, n_threads: int) -> None:
    """Call a function of slices that together are n long."""
    parts = [slice(start, start + PAIRS_PER_TASK) for start in range(0, n, PAIRS_PER_TASK)]
    if len(parts) == 1:
        function(parts[0])
    else:
        list(in_order(function, parts, n_threads))
