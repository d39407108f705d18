"""`read_ratings` and its relatives: from files and tables to ratings, interactions and ids."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings.duplicates import resolve_duplicates
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.io.names import KNOWN_NAMES, RATINGS, MissingColumnsError, Roles
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import ReadReport
from funksvd.ratings.io.sources import read_columns
from funksvd.ratings.ratings import Ratings
from funksvd.ratings.times import in_one_unit
from funksvd.ratings.vocabulary import CANONICAL_INTEGER, Vocabulary

if TYPE_CHECKING:
    from funksvd.ratings.io.columns import Columns

Some = TypeVar("Some", bound=Interactions)
PAIRS = Roles(("user", "item"))
TIMED_PAIRS = Roles(("user", "item"), ("timestamp",))
USERS = Roles(("user",))


def read_ratings(source: Any, options: ReadOptions | None = None, **overrides: Any) -> Ratings:
    """Read ratings from files or from a table in memory.

    Parameters
    ----------
    source : str, os.PathLike, a sequence of them, or a table
        Paths of text files (CSV and the like, Netflix Prize, Matrix Market), Parquet or Feather
        files, a folder or archive that holds one as published, a folder of parts, or "-" for
        standard input; plain or compressed; or addresses such as "s3://bucket/ratings/", which
        fsspec reads. Several files are read one after the other. A table is a pandas or polars
        DataFrame or anything else that exports Arrow.
    options : ReadOptions, optional
        Settings to use instead of detection.
    **overrides
        Fields of `ReadOptions`, for instance `sep=";"`.

    Returns
    -------
    Ratings
        In the source's order, one for each (user, item) pair; its `report` counts the rows that
        were read, skipped and dropped.

    Raises
    ------
    RatingsError
        If the source is missing or cannot be understood, or holds a row that cannot be used
        and `on_bad_rows` is "error". The message names file, line and remedy.

    Examples
    --------
    >>> ratings = read_ratings("ratings.csv", sep=";")  # doctest: +SKIP
    >>> ratings.report.detected  # doctest: +SKIP
    'ratings.csv: semicolon-separated, header, columns userId movieId rating'
    """
    options = merged(options, overrides)
    return _ratings(*read_columns(source, RATINGS, options), options)


def read_own_ratings(source: Any, options: ReadOptions | None = None, **overrides: Any) -> Ratings:
    """Read ratings that may all be by one person: without a user column.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`. In a file without header, the first two of two columns are item and
        rating; of three or more, user, item and rating as everywhere. A column of titles stands
        for the items where there is no other.

    Returns
    -------
    Ratings
        Of a user 0, where there is no user column.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    from funksvd.ratings.io.folders import resolve

    options = merged(options, overrides)
    resolve_once = cache(resolve)  # standard input and pipes cannot be read again
    roles = [RATINGS]
    if options.user_col is None:
        roles.append(Roles(("item", "rating"), RATINGS.optional))
    titles = KNOWN_NAMES["title"] if options.item_col is None else []
    problem: MissingColumnsError | None = None
    for chosen in (options, *(replace(options, item_col=name) for name in titles)):
        for required in roles:
            try:
                columns = read_columns(source, required, chosen, resolve=resolve_once)
                return _ratings(*columns, chosen)
            except MissingColumnsError as error:
                if chosen is options:
                    problem = error
            except RatingsError:
                if chosen is options:
                    raise
    assert problem is not None
    raise problem


def _ratings(parts: list[Columns], report: ReadReport, options: ReadOptions) -> Ratings:
    return without_repeats(all_ratings(parts, report), options.duplicates)


def all_ratings(parts: list[Columns], report: ReadReport) -> Ratings:
    """The ratings of all parts, which lose theirs; repeated pairs are still among them."""
    vocabularies, index = {}, {}
    if "user" not in parts[0].ids:
        report = replace(report, names_users=False)
        n_rows = sum(len(part.ids["item"].codes) for part in parts)
        vocabularies["user"] = Vocabulary(np.zeros(1, np.int64), "user")
        index["user"] = np.zeros(n_rows, np.int32)
    for role in list(parts[0].ids):
        vocabularies[role], index[role], report = explained_ids(parts, role, report)
    values = joined([part.values for part in parts])
    assert values is not None, "ratings were required"
    timestamps = joined(times(parts))
    parts.clear()
    return Ratings(
        vocabularies["user"],
        vocabularies["item"],
        index["user"],
        index["item"],
        values,
        timestamps=timestamps,
        report=report,
    )


def without_repeats(found: Some, policy: str) -> Some:
    """One of each pair; the report says how many were dropped."""
    found, n_duplicates = resolve_duplicates(found, policy)
    assert found.report is not None
    return replace(found, report=replace(found.report, n_duplicates=n_duplicates))


def read_pairs(
    source: Any, options: ReadOptions | None = None, **overrides: Any
) -> tuple[np.ndarray, np.ndarray, ReadReport]:
    """Read (user, item) pairs; any further columns are ignored.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`.

    Returns
    -------
    users, items : ndarray of shape (n_rows,), int64 or object (str)
        Raw ids in the source's order, repeats included.
    report : ReadReport

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    rows = read_pair_rows(source, options, **overrides)
    assert rows.report is not None
    users, items = rows.users.labels(rows.user_index), rows.items.labels(rows.item_index)
    return users, items, rows.report


def read_pair_rows(
    source: Any,
    options: ReadOptions | None = None,
    *,
    with_times: bool = False,
    **overrides: Any,
) -> Interactions:
    """The same as `read_pairs`, with each id once: many text ids take less time and memory.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`.
    with_times : bool
        Whether a column of timestamps is read too, where there is one.

    Returns
    -------
    Interactions
        In the source's order; unlike others, they may hold a pair twice.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    parts, report = read_columns(
        source, TIMED_PAIRS if with_times else PAIRS, merged(options, overrides)
    )
    users, user_index = joined_ids(parts, "user", report)
    items, item_index = joined_ids(parts, "item", report)
    report = replace(report, kind="pairs")
    timestamps = joined(times(parts)) if with_times else None
    return Interactions(users, items, user_index, item_index, timestamps=timestamps, report=report)


def read_interactions(
    source: Any, options: ReadOptions | None = None, **overrides: Any
) -> Interactions:
    """Read (user, item) pairs that users have dealt with, rated or not.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`; any further columns are ignored.

    Returns
    -------
    Interactions
        Each pair once, without values, weights and timestamps: `read_clicks` keeps those.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    return without_repeats(read_pair_rows(source, options, **overrides), "last")


def read_ids(
    source: Any, options: ReadOptions | None = None, **overrides: Any
) -> tuple[np.ndarray, ReadReport]:
    """Read ids of users: one a line, or the user column of any source of ratings.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`.

    Returns
    -------
    ids : ndarray of shape (n_rows,), int64 or object (str)
        Raw ids in the source's order, repeats included.
    report : ReadReport

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    parts, report = read_columns(source, USERS, merged(options, overrides))
    users, index = joined_ids(parts, "user", report)
    return users.labels(index), report


def merged(options: ReadOptions | None, overrides: dict[str, Any]) -> ReadOptions:
    """Options with some of their fields replaced."""
    known = [field.name for field in fields(ReadOptions)]
    for name in overrides.keys() - set(known):
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {argument(near[0])}? The" if near else "the"
        raise RatingsError(
            f"there is no argument {argument(name)}; {meant} ones there are: {', '.join(known)}"
        )
    return replace(options or ReadOptions(), **overrides)


def why_text(vocabulary: Vocabulary) -> str:
    """Say which id made a column of integers text; nothing where it is not one."""
    if vocabulary.holds_integers:
        return ""
    from funksvd.ratings.io.sample import shortened

    ids = vocabulary.ids
    integer = re.compile(CANONICAL_INTEGER).fullmatch
    if not any(integer(label) for label in (*ids[:1000], *ids[-1000:])):
        return ""
    odd = next((label for label in ids if not integer(label)), None)
    return f"; {vocabulary.what} ids are text" + (
        f" because of {shortened(odd, 30)!r}" if odd else ""
    )


def joined_ids(
    parts: list[Columns], role: str, report: ReadReport
) -> tuple[Vocabulary, np.ndarray]:
    """The ids of all parts, and each row's index; the parts lose theirs, to save memory."""
    from funksvd.ratings.io import columns
    from funksvd.ratings.io.damaged import damaged_ids

    ids, index = columns.joined_ids([part.ids.pop(role) for part in parts], role, report.source)
    vocabulary = Vocabulary(ids, role)
    report.warnings.extend(damaged_ids(vocabulary, report.source))
    return vocabulary, index


def explained_ids(
    parts: list[Columns], role: str, report: ReadReport
) -> tuple[Vocabulary, np.ndarray, ReadReport]:
    """The same, and the report with the reason why ids that look like integers are text."""
    typed = any(part.ids[role].typed for part in parts)
    vocabulary, index = joined_ids(parts, role, report)
    remark = "" if typed else why_text(vocabulary)
    return vocabulary, index, replace(report, detected=report.detected + remark)


def times(parts: list[Columns]) -> list[np.ndarray | None]:
    """The timestamps of all parts, in one unit."""
    columns = [part.timestamps for part in parts]
    there = [column for column in columns if column is not None]
    return list(in_one_unit(there)) if len(there) == len(columns) else columns


def joined(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """One array after the other, without copying a single one; None if one is missing."""
    there = [array for array in arrays if array is not None]
    if len(there) < len(arrays):
        return None
    return there[0] if len(there) == 1 else np.concatenate(there)
