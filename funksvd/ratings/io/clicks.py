"""`read_clicks` and `read_data`: interactions without ratings, or whatever a source holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings.duplicates import COUNT
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.io.names import CLICKS, RATINGS, MissingColumnsError
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.reading import (
    all_ratings,
    explained_ids,
    joined,
    merged,
    read_interactions,
    read_ratings,
    times,
    without_repeats,
)
from funksvd.ratings.io.sources import read_columns
from funksvd.ratings.ratings import Ratings

if TYPE_CHECKING:
    from funksvd.ratings.io.columns import Columns
    from funksvd.ratings.io.report import ReadReport


EARLIEST_TIME = 10**8
"""Least number that may be a time in seconds since 1970, and is no likely rating."""


def read_clicks(source: Any, options: ReadOptions | None = None, **overrides: Any) -> Interactions:
    """Read what users have dealt with: clicks, plays, purchases, without ratings.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`. Besides user and item, a column of counts and one of timestamps are
        read if there are such; further columns are ignored, ratings too. Without a header, the
        first two columns are user and item.

    Returns
    -------
    Interactions
        Each pair once, at the place of its first row. Its weight is the sum of its counts, or the
        number of its rows; its time is the latest. There are no weights where no pair repeats
        and there are no counts.

    Raises
    ------
    RatingsError
        As for `read_ratings`; a count must be finite and more than 0. If `duplicates` is "error",
        a pair that repeats.

    Examples
    --------
    >>> clicks = read_clicks("plays.csv", count_col="plays")  # doctest: +SKIP
    >>> clicks.weights  # doctest: +SKIP
    array([3., 1., 12.], dtype=float32)
    """
    options = merged(options, overrides)
    return _clicks(*read_columns(source, CLICKS, options), options)


def read_data(
    source: Any,
    options: ReadOptions | None = None,
    *,
    positive_from: float | None = None,
    keep_equal: bool = False,
    **overrides: Any,
) -> Ratings | Interactions:
    """Read ratings where a source has some, and interactions where it has none.

    A source has none if it has no column of ratings: neither one of a usual name, nor a third
    column where there is no header. Ratings that are all equal tell nothing: then each counts as
    an interaction, unless `rating_col` says that they are ratings. A source that has a column of
    numbers with an unusual name is refused: it may hold ratings.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`. `rating_col="none"` says that there are no ratings, and so does a
        `count_col`.
    positive_from : float, optional
        Ratings below this are left out, and the others become interactions without weights.
    keep_equal : bool
        Whether ratings that are all equal stay ratings, as for a copy of the source.

    Returns
    -------
    Ratings or Interactions
        `report.notes` says what the rows were taken for and why, `report.kind` in one word.

    Raises
    ------
    RatingsError
        As for `read_ratings` and `read_clicks`; or if it is not clear whether there are ratings,
        if only some of several files have them, or `positive_from` leaves nothing.
    """
    options = merged(options, overrides)
    without = options.ignores("rating") or options.names("count")
    if options.names("rating") and options.names("count"):
        raise RatingsError(
            f"give {argument('rating_col')} or {argument('count_col')}, not both: counts are read "
            "where there are no ratings"
        )
    if positive_from is not None and without:
        raise RatingsError(
            f"{argument('positive_from')} chooses among ratings, but "
            f"{argument('rating_col', 'none')} or {argument('count_col')} says that there are none"
        )
    if positive_from is not None:
        return _rated_from(source, options, positive_from)
    if without:
        return read_clicks(source, options)
    if options.names("rating"):
        return read_ratings(source, options)
    parts, report = read_columns(source, RATINGS, options, or_else=CLICKS)
    if parts[0].values is None:
        return _clicks(parts, report, options)
    ratings = all_ratings(parts, report)
    if ratings.timestamps is None and ratings.values.min(initial=np.inf) >= EARLIEST_TIME:
        report.warnings.append(
            f"{report.source}: all ratings are {EARLIEST_TIME:,} or more: are they times? Then say "
            "that there are no ratings, and which column holds the times"
        )
    if not keep_equal and len(ratings) > 1 and ratings.values.min() == ratings.values.max():
        return _rated(ratings, options)
    return without_repeats(ratings, options.duplicates)


def read_again(
    source: Any,
    options: ReadOptions,
    kind: str = "ratings",
    positive_from: float | None = None,
    n_rows: int | None = None,
) -> Interactions:
    """Read a source as it was read before, whatever it seems to hold now.

    Parameters
    ----------
    source, options
        As for `read_data`.
    kind : str
        One of `report.KINDS`.
    positive_from : float, optional
    n_rows : int, optional
        Only the first rows that can be used, where pairs are counted.

    Raises
    ------
    RatingsError
        As for `read_data`.
    """
    if kind == "clicks":
        return _clicks(*read_columns(source, CLICKS, options), options, n_rows)
    if kind == "ratings":
        return read_ratings(source, options)
    if kind == "pairs":
        return read_interactions(source, options)
    if positive_from is not None:
        return _rated_from(source, options, positive_from)
    return _rated(all_ratings(*read_columns(source, RATINGS, options)), options, n_rows)


def _clicks(
    parts: list[Columns], report: ReadReport, options: ReadOptions, n_rows: int | None = None
) -> Interactions:
    notes = ["There are no ratings: each pair of a user and an item counts"]
    if any(part.counts is not None for part in parts):
        notes = ["There are no ratings: each pair of a user and an item counts as often as it says"]
    report = replace(report, kind="clicks", notes=notes)
    weights = _counts(parts)
    users, user_index, report = explained_ids(parts, "user", report)
    items, item_index, report = explained_ids(parts, "item", report)
    timestamps = joined(times(parts))
    parts.clear()
    found = Interactions(
        users,
        items,
        user_index,
        item_index,
        weights=weights,
        timestamps=timestamps,
        report=report,
    )
    return _each_once(found, options, n_rows)


def _rated(ratings: Ratings, options: ReadOptions, n_rows: int | None = None) -> Interactions:
    """Interactions of ratings whose values do not count."""
    assert ratings.report is not None
    low, high = ratings.values.min(), ratings.values.max()
    what = f"All ratings are {low:g}" if low == high else f"Ratings are from {low:g} to {high:g}"
    note = f"{what}: they are taken as clicks"
    report = replace(ratings.report, kind="rated", notes=[note])
    return _each_once(without_values(ratings, report), options, n_rows)


def without_values(ratings: Interactions, report: ReadReport | None) -> Interactions:
    """The pairs of ratings, with their times."""
    return Interactions(
        ratings.users,
        ratings.items,
        ratings.user_index,
        ratings.item_index,
        timestamps=ratings.timestamps,
        report=report,
    )


def _each_once(found: Interactions, options: ReadOptions, n_rows: int | None) -> Interactions:
    if n_rows is not None and n_rows < len(found):
        found = found.subset(np.arange(n_rows)).compact()
    return without_repeats(found, "error" if options.duplicates == "error" else COUNT)


def _rated_from(source: Any, options: ReadOptions, positive_from: float) -> Interactions:
    try:
        ratings = read_ratings(source, options)
    except MissingColumnsError as error:
        raise MissingColumnsError(
            f"{error.template}. {argument('positive_from')} needs ratings to choose among"
        ) from None
    return ratings.to_interactions(positive_from)


def _counts(parts: list[Columns]) -> np.ndarray | None:
    """The counts of all rows; a row of a file without counts counts 1."""
    if all(part.counts is None for part in parts):
        return None
    return joined(
        [
            np.ones(len(part.ids["user"].codes), np.float32) if part.counts is None else part.counts
            for part in parts
        ]
    )
