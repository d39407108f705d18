"""`read_ratings` and its relatives: from files and tables to ratings, interactions and ids."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings.duplicates import resolve_duplicates
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.io.names import KNOWN_NAMES, MissingColumnsError
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import ReadReport
from funksvd.ratings.ratings import Ratings
from funksvd.ratings.times import check_one_unit, in_one_unit, unit_of
from funksvd.ratings.vocabulary import CANONICAL_INTEGER, Vocabulary

if TYPE_CHECKING:
    from funksvd.ratings.io.columns import Columns
    from funksvd.ratings.io.files import Source
    from funksvd.ratings.io.layout import Layout

Some = TypeVar("Some", bound=Interactions)
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
    options = _merged(options, overrides)
    return _ratings(*_read(source, RATINGS, options), options)


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

    options = _merged(options, overrides)
    resolve_once = cache(resolve)  # standard input and pipes cannot be read again
    roles = [RATINGS] if options.user_col is not None else [RATINGS, ("item", "rating")]
    titles = KNOWN_NAMES["title"] if options.item_col is None else []
    problem: MissingColumnsError | None = None
    for chosen in (options, *(replace(options, item_col=name) for name in titles)):
        for required in roles:
            try:
                return _ratings(*_read(source, required, chosen, resolve_once), chosen)
            except MissingColumnsError as error:
                if chosen is options:
                    problem = error
            except RatingsError:
                if chosen is options:
                    raise
    assert problem is not None
    raise problem


def _ratings(parts: list[Columns], report: ReadReport, options: ReadOptions) -> Ratings:
    vocabularies, index = {}, {}
    if "user" not in parts[0].ids:
        report = replace(report, names_users=False)
        n_rows = sum(len(part.ids["item"].codes) for part in parts)
        vocabularies["user"] = Vocabulary(np.zeros(1, np.int64), "user")
        index["user"] = np.zeros(n_rows, np.int32)
    for role in list(parts[0].ids):
        typed = any(part.ids[role].typed for part in parts)
        vocabularies[role], index[role] = _joined_ids(parts, role, report)
        if not typed:
            remark = _why_text(vocabularies[role])
            report = replace(report, detected=report.detected + remark)
    values = _joined([part.values for part in parts])
    assert values is not None, "ratings were required"
    ratings = Ratings(
        vocabularies["user"],
        vocabularies["item"],
        index["user"],
        index["item"],
        values,
        timestamps=_joined(_times(parts)),
        report=report,
    )
    parts.clear()
    del index, values
    return _without_repeats(ratings, options.duplicates)


def _without_repeats(found: Some, policy: str) -> Some:
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
    source: Any, options: ReadOptions | None = None, **overrides: Any
) -> Interactions:
    """The same as `read_pairs`, with each id once: many text ids take less time and memory.

    Returns
    -------
    Interactions
        In the source's order; unlike others, they may hold a pair twice.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    parts, report = _read(source, ("user", "item"), _merged(options, overrides))
    users, user_index = _joined_ids(parts, "user", report)
    items, item_index = _joined_ids(parts, "item", report)
    return Interactions(users, items, user_index, item_index, report=report)


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
        Each pair once, without values, weights and timestamps.

    Raises
    ------
    RatingsError
        As for `read_ratings`.
    """
    return _without_repeats(read_pair_rows(source, options, **overrides), "last")


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
    users, index = _joined_ids(parts, "user", report)
    return users.labels(index), report


def _merged(options: ReadOptions | None, overrides: dict[str, Any]) -> ReadOptions:
    known = [field.name for field in fields(ReadOptions)]
    for name in overrides.keys() - set(known):
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {argument(near[0])}? The" if near else "the"
        raise RatingsError(
            f"there is no argument {argument(name)}; {meant} ones there are: {', '.join(known)}"
        )
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
        paths: list[str] = []
        named = [(name, table(required, options))]
    else:
        from funksvd.ratings.io import folders

        given = source if isinstance(source, (list, tuple)) else [source]
        _refuse_rows(given)
        paths = [os.path.expanduser(os.fspath(path)) for path in given]
        if not paths:
            raise RatingsError("there is no file to read: the list of paths is empty")
        named = list(_read_files(paths, required, options, resolve or folders.resolve))
    named = [(name, _with_unit(part, name)) for name, part in named]
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
        warnings=[text for part in parts for text in part.warnings],
        rounded=next((part.rounded for part in parts if part.rounded), None),
    )
    return parts, report


def _with_unit(part: Columns, name: str) -> Columns:
    """The same, with the unit of its timestamps in the description, unless they are seconds."""
    if part.timestamps is None:
        return part
    check_one_unit(part.timestamps, name)
    unit = unit_of(part.timestamps)
    if unit == "seconds":
        return part
    return replace(part, description=f"{part.description}, timestamps in {unit}")


def _refuse_rows(given: Sequence[Any]) -> None:
    """Raise an error for a list that is not one of paths, and say what to call for it."""
    other = next((each for each in given if not isinstance(each, (str, os.PathLike))), None)
    if other is None:
        return
    raise RatingsError(
        f"ratings cannot be read from a list with objects of type {type(other).__name__} in it; "
        "a list holds paths. Ratings as rows [(user, item, rating), …] can be given as "
        "Ratings.from_arrays(*zip(*rows))"
    )


def _read_files(
    paths: Sequence[str],
    required: Sequence[str],
    options: ReadOptions,
    resolve: Callable[[str], list[Source]],
) -> Iterator[tuple[str, Columns]]:
    """Each file's columns, with its name; Netflix files that follow each other are read as one."""
    from funksvd.ratings.io import layout as layouts
    from funksvd.ratings.io import tables, textfile

    netflix: list[tuple[Source, Layout]] = []
    for source in (source for path in paths for source in resolve(path)):
        table = tables.from_file(source)
        layout = None if table else layouts.detect(source, required, options)
        if layout and layout.netflix:
            netflix.append((source, layout))
            continue
        if netflix:
            yield _read_netflix(netflix, options)
            netflix = []
        if table:
            yield source.name, table(required, options)
        if layout:
            columns = textfile.read([source], layout, options)
            packing = f"{source.note}, " if source.note else ""
            yield source.name, replace(columns, description=packing + columns.description)
    if netflix:
        yield _read_netflix(netflix, options)


def _read_netflix(files: list[tuple[Source, Layout]], options: ReadOptions) -> tuple[str, Columns]:
    from funksvd.ratings.io import textfile

    sources = [source for source, _ in files]
    layout = max((layout for _, layout in files), key=lambda layout: layout.n_columns)
    return textfile.name_of(sources), textfile.read(sources, layout, options)


def _why_text(vocabulary: Vocabulary) -> str:
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
) -> tuple[Vocabulary, np.ndarray]:
    """The ids of all parts, and each row's index; the parts lose theirs, to save memory."""
    from funksvd.ratings.io.columns import joined_ids
    from funksvd.ratings.io.damaged import damaged_ids

    ids, index = joined_ids([part.ids.pop(role) for part in parts], role, report.source)
    vocabulary = Vocabulary(ids, role)
    report.warnings.extend(damaged_ids(vocabulary, report.source))
    return vocabulary, index


def _times(parts: list[Columns]) -> list[np.ndarray | None]:
    """The timestamps of all parts, in one unit."""
    columns = [part.timestamps for part in parts]
    there = [column for column in columns if column is not None]
    return list(in_one_unit(there)) if len(there) == len(columns) else columns


def _joined(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """One array after the other, without copying a single one; None if one is missing."""
    there = [array for array in arrays if array is not None]
    if len(there) < len(arrays):
        return None
    return there[0] if len(there) == 1 else np.concatenate(there)
