"""One rating for each (user, item) pair."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from funksvd.errors import RatingsError

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
    pair = ratings.user_index.astype(np.int64)
    pair *= ratings.n_items
    pair += ratings.item_index
    order, is_first = _grouped(pair)
    starts = np.flatnonzero(is_first)
    n_dropped = len(order) - len(starts)
    if n_dropped == 0:
        return ratings, 0
    if ratings.timestamps is not None:
        _sort_groups_by_time(order, is_first, pair, ratings.timestamps)
    ends = np.append(starts[1:], len(order)) - 1
    if policy == "error":
        at = order[starts[np.argmax(ends > starts)]]
        user = ratings.user_ids[ratings.user_index[at]]
        item = ratings.item_ids[ratings.item_index[at]]
        raise RatingsError(
            f"{ratings.source}: {n_dropped:,} ratings repeat a (user, item) pair, for instance "
            f"user {user}, item {item}; keep the last, the first or the mean of them with "
            "duplicates = last, first or mean"
        )
    kept = order[starts if policy == "first" else ends]
    values = ratings.values
    if policy == "mean":
        sums = np.add.reduceat(values[order].astype(np.float64), starts)
        values = values.copy()
        values[kept] = sums / (ends - starts + 1)
    return replace(ratings, values=values).subset(np.sort(kept)), n_dropped


def _grouped(pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A stable sorting order, and where in it another pair begins."""
    n_bits = len(pair).bit_length()
    if int(pair.max(initial=0)).bit_length() + n_bits <= 63:
        # NumPy sorts 64-bit integers several times faster than it finds their sorting order.
        ordered = pair << n_bits
        ordered |= np.arange(len(pair))
        ordered.sort()
        order = ordered & ((1 << n_bits) - 1)
        ordered >>= n_bits
    else:
        order = np.argsort(pair, kind="stable")
        ordered = pair[order]
    is_first = np.ones(len(order), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return order, is_first


def _sort_groups_by_time(
    order: np.ndarray, is_first: np.ndarray, pair: np.ndarray, timestamps: np.ndarray
) -> None:
    """Sort the ratings of each repeated pair by time, in place; ties stay in their order."""
    is_repeated = ~is_first
    is_repeated[:-1] |= ~is_first[1:]
    rows = order[is_repeated]
    order[is_repeated] = rows[np.lexsort((timestamps[rows], pair[rows]))]
