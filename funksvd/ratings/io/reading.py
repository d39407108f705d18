"""`read_ratings` and its relatives: from whatever people have to arrays."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings.duplicates import resolve_duplicates
from funksvd.ratings.io.names import MissingColumnsError
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import ReadReport
from funksvd.ratings.labels import CANONICAL_INTEGER, is_integer_ids
from funksvd.ratings.ratings import Ratings

if TYPE_CHECKING:
    from funksvd.ratings.io.columns import Columns
    from funksvd.ratings.io.files import Source

RATINGS = ("user", "item", "rating")
N_KEPT_BAD_ROWS = 5


def read_ratings(source: Any, options: ReadOptions | None = None, **overrides: Any) -> Ratings:
    """Read ratings from files or from a table in memory.

    Parameters
    ----------
    source : str, os.PathLike, a sequence of them, or a table
        Paths of text files (CSV and the like, Netflix Prize, Matrix Market), Parquet or Feather
        files, a folder or archive that holds one as published, or "-" for standard input; plain
        or compressed. Several files are read one after the other. A table is a pandas or polars
        DataFrame or anything else that exports Arrow.
    options : ReadOptions, optional
        What is not to be detected.
    **overrides
        Fields of `ReadOptions`, for instance `sep=";"`.

    Returns
    -------
    Ratings
        In the source's order, one for each (user, item) pair; its `report` says what was
        detected, skipped and dropped.

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
    options = _merged(options, overrides)
    return _ratings(*_read(source, RATINGS, options), options)


def read_own_ratings(source: Any, options: ReadOptions | None = None, **overrides: Any) -> Ratings:
    """Read ratings that may all be by one person: without a user column.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`. In a file without header, the first two of two columns are item and
        rating; of three or more, user, item and rating as everywhere.

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

    options = _merged(options, overrides)
    resolve_once = cache(resolve)  # standard input and pipes cannot be read again
    try:
        return _ratings(*_read(source, RATINGS, options, resolve_once), options)
    except MissingColumnsError:
        if options.user_col is not None:
            raise
    return _ratings(*_read(source, ("item", "rating"), options, resolve_once), options)


def _ratings(parts: list[Columns], report: ReadReport, options: ReadOptions) -> Ratings:
    ids, index = {}, {}
    if "user" not in parts[0].ids:
        n_rows = sum(len(part.values) for part in parts)
        ids["user"], index["user"] = np.zeros(1, np.int64), np.zeros(n_rows, np.int32)
    for role in list(parts[0].ids):
        typed = any(part.ids[role].typed for part in parts)
        ids[role], index[role] = _joined_ids(parts, role, report)
        if not typed:
            report = replace(report, detected=report.detected + _mixture(role, ids[role]))
    stamped = all(part.timestamps is not None for part in parts)
    ratings = Ratings(
        index["user"],
        index["item"],
        _joined([part.values for part in parts]),
        ids["user"],
        ids["item"],
        _joined([part.timestamps for part in parts]) if stamped else None,
        report,
    )
    parts.clear()
    del index
    ratings, n_duplicates = resolve_duplicates(ratings, options.duplicates)
    return replace(ratings, report=replace(report, n_duplicates=n_duplicates))


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
    pairs = read_coded_pairs(source, options, **overrides)
    users, items = pairs.user_ids[pairs.user_index], pairs.item_ids[pairs.item_index]
    return users, items, pairs.report


class CodedPairs(NamedTuple):
    """Pairs as rows of id arrays.

    Parameters
    ----------
    user_ids, item_ids : ndarray of shape (n_users,) and (n_items,), int64 or object (str)
        Sorted, distinct.
    user_index, item_index : ndarray of shape (n_rows,), int32
    report : ReadReport
    """

    user_ids: np.ndarray
    user_index: np.ndarray
    item_ids: np.ndarray
    item_index: np.ndarray
    report: ReadReport


def read_coded_pairs(
    source: Any, options: ReadOptions | None = None, **overrides: Any
) -> CodedPairs:
    """The same as `read_pairs`, with each id once: many text ids take less time and memory.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    parts, report = _read(source, ("user", "item"), _merged(options, overrides))
    ids = (*_joined_ids(parts, "user", report), *_joined_ids(parts, "item", report))
    return CodedPairs(*ids, report)


def read_interactions(source: Any, options: ReadOptions | None = None, **overrides: Any) -> Ratings:
    """Read what users have dealt with: pairs as ratings of zero, which mean nothing.

    Parameters
    ----------
    source, options, **overrides
        As for `read_ratings`; any further columns are ignored.

    Returns
    -------
    Ratings
        Each pair once.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    pairs = read_coded_pairs(source, options, **overrides)
    values = np.zeros(len(pairs.user_index), dtype=np.float32)
    ratings = Ratings(
        pairs.user_index, pairs.item_index, values, pairs.user_ids, pairs.item_ids, None
    )
    ratings, n_duplicates = resolve_duplicates(ratings, "last")
    return replace(ratings, report=replace(pairs.report, n_duplicates=n_duplicates))


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
    parts, report = _read(source, ("user",), _merged(options, overrides))
    ids, index = _joined_ids(parts, "user", report)
    return ids[index], report


def _merged(options: ReadOptions | None, overrides: dict[str, Any]) -> ReadOptions:
    return replace(options or ReadOptions(), **overrides)


def _read(
    source: Any,
    required: Sequence[str],
    options: ReadOptions,
    resolve: Callable[[str], list[Source]] | None = None,
) -> tuple[list[Columns], ReadReport]:
    if hasattr(source, "__arrow_c_stream__") or not isinstance(
        source, (str, os.PathLike, list, tuple)
    ):
        from funksvd.ratings.io.tables import from_object

        table, name = from_object(source)
        named, paths = [(name, table(required, options))], []
    else:
        paths = source if isinstance(source, (list, tuple)) else [source]
        paths = [os.path.expanduser(os.fspath(path)) for path in paths]
        if not paths:
            raise RatingsError("there is no file to read: the list of paths is empty")
        if resolve is None:
            from funksvd.ratings.io.folders import resolve
        named = list(_read_files(paths, required, options, resolve))
    parts = [part for _, part in named]
    bad_rows = [row for part in parts for row in part.bad_rows]
    # Standard input and pipes cannot be read again.
    lasting = all(os.path.isfile(path) or os.path.isdir(path) for path in paths)
    report = ReadReport(
        source=_names([name for name, _ in named]),
        detected=_detected(named),
        n_rows=sum(part.n_rows for part in parts),
        n_bad_rows=sum(part.n_bad for part in parts),
        bad_rows=bad_rows[:N_KEPT_BAD_ROWS],
        files=list(paths) if lasting else [],
    )
    return parts, report


def _read_files(
    paths: Sequence[str],
    required: Sequence[str],
    options: ReadOptions,
    resolve: Callable[[str], list[Source]],
) -> Iterator[tuple[str, Columns]]:
    """Each file's columns, with its name; Netflix files that follow each other are read as one."""
    from funksvd.ratings.io import layout as layouts
    from funksvd.ratings.io import tables, textfile

    netflix: list[tuple[Source, Any]] = []
    for source in (source for path in paths for source in resolve(path)):
        table = tables.from_file(source)
        layout = None if table else layouts.detect(source, required, options)
        if layout is not None and layout.netflix:
            netflix.append((source, layout))
            continue
        if netflix:
            yield _read_netflix(netflix, options)
            netflix = []
        if table:
            yield source.name, table(required, options)
        else:
            columns = textfile.read([source], layout, options)
            packing = f"{source.note}, " if source.note else ""
            yield source.name, replace(columns, description=packing + columns.description)
    if netflix:
        yield _read_netflix(netflix, options)


def _read_netflix(files: list[tuple[Source, Any]], options: ReadOptions) -> tuple[str, Columns]:
    from funksvd.ratings.io import textfile

    sources = [source for source, _ in files]
    layout = max((layout for _, layout in files), key=lambda layout: layout.n_columns)
    return textfile.name_of(sources), textfile.read(sources, layout, options)


def _mixture(role: str, ids: np.ndarray) -> str:
    """What keeps integers from being integers, since people are surprised; usually nothing."""
    if is_integer_ids(ids):
        return ""
    integer = re.compile(CANONICAL_INTEGER).fullmatch
    if not any(integer(label) for label in (*ids[:1000], *ids[-1000:])):
        return ""
    odd = next((label for label in ids if not integer(label)), None)
    return f"; {role} ids are text" + (f" because of {odd!r}" if odd else "")


def _names(names: list[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1:,} more files"


def _detected(named: list[tuple[str, Columns]]) -> str:
    by_description: dict[str, list[str]] = {}
    for name, part in named:
        by_description.setdefault(part.description, []).append(name)
    return "; ".join(f"{_names(names)}: {text}" for text, names in by_description.items())


def _joined_ids(
    parts: list[Columns], role: str, report: ReadReport
) -> tuple[np.ndarray, np.ndarray]:
    """The parts' ids, which they are left without, so that nothing is there twice for long."""
    from funksvd.ratings.io.columns import joined_ids

    return joined_ids([part.ids.pop(role) for part in parts], role, report.source)


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
