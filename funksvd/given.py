"""What a caller gives, in rows of a model: pairs, and ratings of someone new."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from funksvd.errors import RatingsError, UnknownIdWarning, counted
from funksvd.learned import LearnedRatings
from funksvd.ratings import Ratings, Vocabulary, as_labels, as_pairs, first_few
from funksvd.ratings.times import SECONDS_PER_DAY, USUAL, as_timestamps, days_of

EARLIEST_DAY = USUAL[0] // SECONDS_PER_DAY
"""The first day of usual timestamps, 1990-01-01, in days since 1970."""


def ones_if_none(item_ids: Any, ratings: Any) -> Any:
    return np.ones(np.shape(item_ids), np.float32) if ratings is None else ratings


def rated_rows(vocabulary: Vocabulary, ids: Any, ratings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows, ascending, of the rated items (or of the users who rated) that are known; ratings.

    The last rating of several counts.
    """
    ids = as_labels(ids, f"{vocabulary.what} ids")
    if np.shape(ratings) != ids.shape:
        raise RatingsError(
            f"{vocabulary.what} ids and ratings must have the same shape, but have {ids.shape} and "
            f"{np.shape(ratings)}"
        )
    given = Ratings.from_arrays(np.zeros(len(ids), dtype=np.int64), ids, ratings)
    if not given:
        raise RatingsError("there are no ratings to fold in")
    known = vocabulary.rows(given.item_ids)
    vocabulary.require_some(known, given.item_ids)
    warn_of_unknown(vocabulary, known, given.item_ids, stacklevel=4)
    rows = known[given.item_index]
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= 0]
    return rows[order], given.values[order]


def rows_of_pairs(
    user_ids: Vocabulary, item_ids: Vocabulary, users: Any, items: Any
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Rows of the pairs that are meant, -1 for unknown; and whether it is a single one."""
    if items is None:
        users, items = as_pairs(users)
    single = np.ndim(users) == 0 and np.ndim(items) == 0
    user_index = user_ids.rows(users if np.ndim(users) else [users])
    item_index = item_ids.rows(items if np.ndim(items) else [items])
    if np.ndim(users) == 0 or len(user_index) == 1:
        user_index = np.repeat(user_index, len(item_index))
    elif np.ndim(items) == 0 or len(item_index) == 1:
        item_index = np.repeat(item_index, len(user_index))
    if len(user_index) != len(item_index):
        raise RatingsError(
            f"{len(user_index):,} users and {len(item_index):,} items do not make pairs; "
            "give as many of one as of the other"
        )
    return user_index, item_index, single


def times_of_pairs(timestamps: Any, n_pairs: int, learned: LearnedRatings) -> np.ndarray:
    """Timestamps, int64, one for each pair; a single one goes with all.

    Raises
    ------
    RatingsError
        If they are no integers, negative, of another number, in different units, or all of years
        long before the days that the model knows: then their unit is a wrong one.
    """
    if np.ndim(timestamps) == 0:
        timestamps = np.repeat(timestamps, n_pairs)
    times = as_timestamps(timestamps, n_pairs)
    if (times < 0).any():
        at = int(np.argmin(times))
        raise RatingsError(
            f"the timestamp at position {at} is {times[at]}; give seconds since 1970, and 0 for a "
            "time that is not known"
        )
    if learned.days is not None and len(learned.days.numbers):
        last, earliest = int(days_of(times).max(initial=-1)), int(learned.days.numbers.min())
        if 0 <= last < EARLIEST_DAY <= earliest:
            day, first = (np.datetime64(each, "D") for each in (last, earliest))
            raise RatingsError(
                f"timestamps are of {day} or before (like {times.max()}), but the model's days "
                f"begin on {first}; give seconds since 1970, or milli-, micro- or nanoseconds"
            )
    return times


def times_of_rows(timestamps: np.ndarray | None) -> np.ndarray | None:
    """Timestamps of a table of pairs: 0, not known, for those before 1970, as in training."""
    return None if timestamps is None else np.maximum(timestamps, 0)


def warn_of_unknown(
    vocabulary: Vocabulary, rows: np.ndarray, labels: np.ndarray, stacklevel: int
) -> None:
    """Warn of labels that the model does not know; `rows` are of one each, in their order."""
    unknown = labels[rows < 0]
    if len(unknown):
        warnings.warn(
            f"the model does not know {len(unknown):,} of {counted(len(labels), vocabulary.what)} "
            f"({first_few(unknown)}): their ratings are passed over",
            UnknownIdWarning,
            stacklevel=stacklevel,
        )
