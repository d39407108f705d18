"""Repeated (user, item) pairs: one interaction is kept for each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.parallel import available_processors
from funksvd.ratings.vocabulary import quoted
from funksvd.sorting import is_ascending, stable_order

if TYPE_CHECKING:
    from funksvd.ratings.interactions import Interactions

    Some = TypeVar("Some", bound=Interactions)

POLICIES = ("last", "first", "mean", "error")
COUNT = "count"
"""The policy that keeps how often each pair occurs, for interactions whose values do not count."""
AVERAGED = ("values", "weights")
"""Columns that the policy "mean" averages; of the others, it keeps the last."""
MANY = 4_000_000
"""Number of rows from which on loading the compiler is worth its time."""


def resolve_duplicates(given: Some, policy: str = "last") -> tuple[Some, int]:
    """Keep one interaction for each (user, item) pair.

    "First" and "last" go by timestamp where there is one, ties and files without timestamps by
    position. "Mean" stands at the place of the last. The rows that remain keep their order.

    "Count" keeps the first row of each pair with the sum of the weights of all its rows, and the
    latest of their times. A row without weight counts 1; where nothing repeats, there are no
    weights then either.

    Parameters
    ----------
    given : Interactions
    policy : {"last", "first", "mean", "error", "count"}

    Returns
    -------
    kept : Interactions
        Of the same class; the same object where nothing repeats.
    n_dropped : int
        Number of rows that were dropped or merged into another.

    Raises
    ------
    RatingsError
        If the policy is "error" and a pair repeats (the message names it), or is unknown; or if a
        sum of weights is too large for a 32-bit float.
    """
    if policy not in (*POLICIES, COUNT):
        raise RatingsError(f"duplicates must be one of {', '.join(POLICIES)}, not {policy!r}")
    if is_ascending(given.user_index, given.item_index):  # as many a file is
        return given, 0
    order, is_first = _grouped(given, _suspects(given))
    n_dropped = len(order) - int(is_first.sum())
    if n_dropped == 0:
        return given, 0
    if policy == COUNT:
        return _counted(given, order, is_first), n_dropped
    is_last = np.append(is_first[1:], True)
    is_repeated = ~(is_first & is_last)
    rows, is_first_row = order[is_repeated], is_first[is_repeated]
    if policy == "error":
        user = given.users.label(given.user_index[rows[0]])
        item = given.items.label(given.item_index[rows[0]])
        raise repeats_refused(given.source, n_dropped, given.noun, (user, item))
    if given.timestamps is not None:
        group = np.cumsum(is_first_row)
        rows = rows[np.lexsort((given.timestamps[rows], group))]
        order[is_repeated] = rows
    averaged: dict[str, Any] = {}
    if policy == "mean":
        starts = np.flatnonzero(is_first_row)
        counts = np.diff(starts, append=len(rows))
        for name in given.columns.keys() & AVERAGED:
            column = given.columns[name].copy()
            sums = np.add.reduceat(column[rows].astype(np.float64), starts)
            column[rows[starts + counts - 1]] = sums / counts
            averaged[name] = column
    keep = np.ones(len(given), dtype=bool)
    keep[order[~(is_first if policy == "first" else is_last)]] = False
    return replace(given, **averaged).subset(keep), n_dropped


def first_repeat(given: Interactions) -> tuple[int, int] | None:
    """User and item row of the first pair that repeats, by user, then item; None if none does."""
    if is_ascending(given.user_index, given.item_index):
        return None
    order, is_first = _grouped(given, _suspects(given))
    if is_first.all():
        return None
    row = order[np.argmin(is_first)]
    return int(given.user_index[row]), int(given.item_index[row])


def repeats_refused(
    source: str, n: int, noun: str, pair: tuple[int | str, int | str]
) -> RatingsError:
    """The error for rows of which n repeat a pair, such as one of a user's and an item's id."""
    user, item = pair
    return RatingsError(
        f"{source}: {n:,} {noun} repeat a (user, item) pair, for instance "
        f"user {quoted(user)}, item {quoted(item)}; say with {argument('duplicates')} whether "
        "the last, the first or the mean of them is kept"
    )


def _counted(given: Some, order: np.ndarray, is_first: np.ndarray) -> Some:
    """One row of each pair, the first one, with the sum of its weights and the latest time."""
    starts = np.flatnonzero(is_first)
    weights = np.ones(len(given), np.float32) if given.weights is None else given.weights.copy()
    sums = np.add.reduceat(weights[order].astype(np.float64), starts)
    if sums.max() > np.finfo(np.float32).max:
        most = order[starts[np.argmax(sums)]]
        user = given.users.label(given.user_index[most])
        item = given.items.label(given.item_index[most])
        raise RatingsError(
            f"{given.source}: the counts of user {quoted(user)} and item {quoted(item)} are too "
            "large together for a 32-bit float"
        )
    weights[order[starts]] = sums
    columns: dict[str, Any] = {"weights": weights}
    if given.timestamps is not None:
        times = given.timestamps.copy()
        times[order[starts]] = np.maximum.reduceat(given.timestamps[order], starts)
        columns["timestamps"] = times
    keep = np.ones(len(given), dtype=bool)
    keep[order[~is_first]] = False
    return replace(given, **columns).subset(keep)


def _suspects(given: Interactions) -> np.ndarray:
    """Rows among which all repeats are: those of users who have an item twice; or all, if few."""
    if len(given) < MANY or given.n_users > len(given):
        return np.arange(len(given))
    from funksvd.kernels.cpu.grouping import group_by_row, rows_with_repeats

    n_threads = available_processors()
    grouped = group_by_row(given.user_index, given.item_index, given.n_users, n_threads)
    repeating = rows_with_repeats(*grouped, n_threads)
    return np.flatnonzero(repeating[given.user_index]) if repeating.any() else np.empty(0, int)


def _grouped(given: Interactions, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An order of rows that puts equal pairs together, by position, and where a pair begins."""
    users, items = given.user_index[rows], given.item_index[rows]
    order = stable_order(users, items)
    users, items = users[order], items[order]
    is_first = np.ones(len(rows), dtype=bool)
    is_first[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    return rows[order], is_first
