"""One rating for each (user, item) pair."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from funksvd.errors import RatingsError
from funksvd.parallel import available_processors
from funksvd.sorting import is_ascending, stable_order

if TYPE_CHECKING:
    from funksvd.ratings.ratings import Ratings

POLICIES = ("last", "first", "mean", "error")
MANY = 4_000_000
"""From so many ratings on, loading the compiler is worth its time."""


def resolve_duplicates(ratings: Ratings, policy: str = "last") -> tuple[Ratings, int]:
    """Keep one rating for each (user, item) pair.

    "First" and "last" go by timestamp where there is one, ties and files without timestamps by
    position. The ratings that remain keep their order.

    Parameters
    ----------
    ratings : Ratings
    policy : {"last", "first", "mean", "error"}

    Returns
    -------
    ratings : Ratings
        The same object where nothing repeats.
    n_dropped : int
        Number of ratings that were dropped or merged into another.

    Raises
    ------
    RatingsError
        If the policy is "error" and a pair repeats (the message names it), or is unknown.
    """
    if policy not in POLICIES:
        raise RatingsError(f"duplicates must be one of {', '.join(POLICIES)}, not {policy!r}")
    if is_ascending(ratings.user_index, ratings.item_index):  # as many a file is
        return ratings, 0
    order, is_first = _grouped(ratings, _suspects(ratings))
    n_dropped = len(order) - int(is_first.sum())
    if n_dropped == 0:
        return ratings, 0
    is_last = np.append(is_first[1:], True)
    is_repeated = ~(is_first & is_last)
    rows, is_first_row = order[is_repeated], is_first[is_repeated]
    if policy == "error":
        user = ratings.user_ids[ratings.user_index[rows[0]]]
        item = ratings.item_ids[ratings.item_index[rows[0]]]
        raise RatingsError(
            f"{ratings.source}: {n_dropped:,} ratings repeat a (user, item) pair, for instance "
            f"user {user}, item {item}; keep the last, the first or the mean of them with "
            "duplicates = last, first or mean"
        )
    if ratings.timestamps is not None:
        group = np.cumsum(is_first_row)
        rows = rows[np.lexsort((ratings.timestamps[rows], group))]
        order[is_repeated] = rows
    values = ratings.values
    if policy == "mean":
        starts = np.flatnonzero(is_first_row)
        counts = np.diff(starts, append=len(rows))
        values = values.copy()
        values[rows[starts + counts - 1]] = (
            np.add.reduceat(values[rows].astype(np.float64), starts) / counts
        )
    keep = np.ones(len(ratings), dtype=bool)
    keep[order[~(is_first if policy == "first" else is_last)]] = False
    return replace(ratings, values=values).subset(keep), n_dropped


def _suspects(ratings: Ratings) -> np.ndarray:
    """Rows of all ratings by the users who rated something twice; of few ratings, all rows."""
    if len(ratings) < MANY or ratings.n_users > len(ratings):
        return np.arange(len(ratings))
    from funksvd.kernels.cpu.grouping import group_by_row, rows_with_repeats

    n_threads = available_processors()
    grouped = group_by_row(ratings.user_index, ratings.item_index, ratings.n_users, n_threads)
    repeating = rows_with_repeats(*grouped, n_threads)
    return np.flatnonzero(repeating[ratings.user_index]) if repeating.any() else np.empty(0, int)


def _grouped(ratings: Ratings, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An order of rows that puts equal pairs together, by position, and where a pair begins."""
    users, items = ratings.user_index[rows], ratings.item_index[rows]
    order = stable_order(users, items)
    users, items = users[order], items[order]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    return rows[order], is_first
