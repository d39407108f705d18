"""Files, or a table, into checked columns: what all readers begin with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import addresses
from funksvd.ratings.io.names import MissingColumnsError, Roles
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import ReadReport
from funksvd.ratings.times import check_one_unit, unit_of

if TYPE_CHECKING:
    from funksvd.ratings.io.columns import Columns
    from funksvd.ratings.io.files import Source
    from funksvd.ratings.io.layout import Layout

Read = TypeVar("Read")
N_KEPT_BAD_ROWS = 5


def read_columns(
    source: Any,
    roles: Roles,
    options: ReadOptions,
    *,
    or_else: Roles | None = None,
    resolve: Callable[[str], list[Source]] | None = None,
) -> tuple[list[Columns], ReadReport]:
    """The checked columns of each file, or of a table.

    Parameters
    ----------
    source : path, sequence of paths, or table
    roles : Roles
        Of the columns.
    options : ReadOptions
    or_else : Roles, optional
        Those of a file that lacks nothing but ratings.
    resolve : callable, optional
        Finds the files that a path stands for.

    Raises
    ------
    RatingsError
        As `read_ratings`; or if some files have ratings and others have none.
    """
    if hasattr(source, "__arrow_c_stream__") or not isinstance(
        source, (str, os.PathLike, list, tuple)
    ):
        from funksvd.ratings.io.tables import from_object

        table, name = from_object(source)
        paths: list[str] = []
        named = [(name, _or_else(table, options, roles, or_else))]
    else:
        from funksvd.ratings.io import folders

        given = source if isinstance(source, (list, tuple)) else [source]
        _refuse_rows(given)
        paths = [os.path.expanduser(os.fspath(path)) for path in given]
        if not paths:
            raise RatingsError("there is no file to read: the list of paths is empty")
        every = _read_files(paths, roles, options, or_else, resolve or folders.resolve)
        named = list(every)
    _refuse_mixture(named)
    for name, part in named:
        if part.timestamps is not None:
            check_one_unit(part.timestamps, name)
    units = [None if part.timestamps is None else unit_of(part.timestamps) for _, part in named]
    return [part for _, part in named], report_of(named, units, paths)


def report_of(
    named: Sequence[tuple[str, Columns]], units: Sequence[str | None], paths: Sequence[str]
) -> ReadReport:
    """The report about several sources.

    Parameters
    ----------
    named : sequence of (str, Columns)
        Names of files or tables, and what was found there; the columns themselves do not count.
    units : sequence of str or None
        Of their timestamps.
    paths : sequence of str
        As they were given.
    """
    named = [
        (name, _with_unit(part, unit)) for (name, part), unit in zip(named, units, strict=True)
    ]
    parts = [part for _, part in named]
    bad_rows = [row for part in parts for row in part.bad_rows]
    # Standard input and pipes cannot be read again.
    lasting = all(
        addresses.is_address(path) or os.path.isfile(path) or os.path.isdir(path) for path in paths
    )
    return ReadReport(
        source=_names([name for name, _ in named]),
        detected=_detected(named),
        n_rows=sum(part.n_rows for part in parts),
        n_bad_rows=sum(part.n_bad for part in parts),
        bad_rows=bad_rows[:N_KEPT_BAD_ROWS],
        files=list(paths) if lasting else [],
        warnings=[text for part in parts for text in part.warnings],
        rounded=next((part.rounded for part in parts if part.rounded), None),
    )


def _or_else(
    read: Callable[[Roles, ReadOptions], Read],
    options: ReadOptions,
    roles: Roles,
    or_else: Roles | None,
) -> Read:
    """Read the columns of some roles or, where nothing but ratings is missing, of others."""
    try:
        return read(roles, options)
    except MissingColumnsError as error:
        if or_else is None or error.missing != {"rating"}:
            raise
        if error.unclear:
            raise MissingColumnsError(
                f"{error.template}; or, if there are no ratings, say so with "
                f"{argument('rating_col', 'none')}"
            ) from None
    return read(or_else, options)


def _refuse_mixture(named: list[tuple[str, Columns]]) -> None:
    """Raise an error if some files have ratings and others have none."""
    rated = [name for name, part in named if part.values is not None]
    unrated = [name for name, part in named if part.values is None]
    if rated and unrated:
        raise RatingsError(
            f"{rated[0]} has ratings and {unrated[0]} has none, so that they do not go "
            "together; give files of one kind, or leave the ratings out with "
            f"{argument('rating_col', 'none')}"
        )


def _with_unit(part: Columns, unit: str | None) -> Columns:
    """The same, with the unit of its timestamps in the description, unless they are seconds."""
    if unit in (None, "seconds"):
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
    roles: Roles,
    options: ReadOptions,
    or_else: Roles | None,
    resolve: Callable[[str], list[Source]],
) -> Iterator[tuple[str, Columns]]:
    """Each file's columns, with its name; Netflix files that follow each other are read as one."""
    from funksvd.ratings.io import layout as layouts
    from funksvd.ratings.io import tables, textfile

    netflix: list[tuple[Source, Layout]] = []
    for source in (source for path in paths for source in resolve(path)):
        table = tables.from_file(source)
        layout = None
        if table is None:
            layout = _or_else(partial(layouts.detect, source), options, roles, or_else)
        if layout and layout.netflix:
            netflix.append((source, layout))
            continue
        if netflix:
            yield _read_netflix(netflix, options)
            netflix = []
        if table:
            yield source.name, _or_else(table, options, roles, or_else)
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


def _names(names: list[str]) -> str:
    if len(names) <= 3:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1:,} more files"


def _detected(named: list[tuple[str, Columns]]) -> str:
    by_description: dict[str, list[str]] = {}
    for name, part in named:
        by_description.setdefault(part.description, []).append(name)
    return "; ".join(f"{_names(names)}: {text}" for text, names in by_description.items())
