"""One rating for each (user, item) pair."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ordering import stable_order

if TYPE_CHECKING:
    from funksvd.ratings.ratings import Ratings

POLICIES = ("last", "first", "mean", "error")


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
    order, is_first = _grouped(ratings)
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
    keep = np.zeros(len(order), dtype=bool)
    keep[order[is_first if policy == "first" else is_last]] = True
    return replace(ratings, values=values).subset(keep), n_dropped


def _grouped(ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """An order that puts equal pairs together, by position, and where in it a pair begins."""
    order = stable_order(ratings.user_index, ratings.item_index)
    users, items = ratings.user_index[order], ratings.item_index[order]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    return order, is_first
