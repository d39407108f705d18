"""Sources of ratings cut into partitions, each of which is read a chunk at a time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from funksvd.errors import RatingsError
from funksvd.ratings.io import addresses, folders, tables, textfile
from funksvd.ratings.io import layout as layouts
from funksvd.ratings.io.chunks import Gather
from funksvd.ratings.io.columns import Columns
from funksvd.ratings.io.files import Source
from funksvd.ratings.io.layout import Layout
from funksvd.ratings.io.names import RATINGS
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.sample import SAMPLE_BYTES

PARTITION_ROWS = 4_000_000
"""Rows of a Parquet file from which on its further groups of rows are another partition."""
BYTES_PER_ROW = 6
"""Bytes of a Feather file for each rating: a guess."""
PACKED = 4
"""Bytes of text for each byte of a compressed file: a guess."""


@dataclass(frozen=True)
class Partition:
    """A part of a source that one worker reads; it can be sent to another process.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    places : tuple of (str, int)
        Path of a file, and which one of the files in it; several of a Netflix data set.
    n_rows : int
        Rows there are, where that is known; else a guess.
    layout : Layout, optional
        Of text files.
    groups : range, optional
        Groups of rows of a Parquet file.
    first_row : int
        Rows of the file before them.
    """

    name: str
    places: tuple[tuple[str, int], ...]
    n_rows: int
    layout: Layout | None = None
    groups: range | None = None
    first_row: int = 0

    @property
    def is_typed(self) -> bool:
        """Whether the file says what is text and what is an integer."""
        return self.layout is None

    def read(self, options: ReadOptions, gather: Gather) -> Columns:
        """Read it, all columns but the data itself.

        Parameters
        ----------
        options : ReadOptions
        gather : callable
            Takes the chunks; again from the first one on where a text must be read otherwise.

        Returns
        -------
        Columns
            Without ids and numbers. Bad rows of tables have not been refused.

        Raises
        ------
        RatingsError
            If it cannot be read.
        """
        sources = [folders.resolve(path)[at] for path, at in self.places]
        if self.layout is not None:
            found = textfile.read(sources, self.layout, options, gather)
            note = sources[0].note if len(sources) == 1 else ""
            return replace(
                found, description=f"{note}, {found.description}" if note else found.description
            )
        reader = tables.from_file(sources[0], self.groups)
        assert reader is not None, "it was a table before"
        found = reader(RATINGS, options, gather)
        moved = [row._replace(line=row.line + self.first_row) for row in found.bad_rows]
        return replace(found, bad_rows=moved)


def partitions(paths: Sequence[str], options: ReadOptions) -> list[Partition]:
    """The partitions of some paths, in the order of the rows.

    Parameters
    ----------
    paths : sequence of str
        Of files and folders.
    options : ReadOptions

    Raises
    ------
    RatingsError
        If there is nothing there, or a file has no ratings.
    """
    found = [part for path in paths for part in _of_path(path, options)]
    if not found:
        raise RatingsError("there is no file to read: the list of paths is empty")
    joined: list[Partition] = []
    for is_netflix, run in groupby(found, lambda part: bool(part.layout and part.layout.netflix)):
        parts = list(run)
        joined += [_as_one(parts)] if is_netflix else parts
    return joined


def _of_path(path: str, options: ReadOptions) -> Iterator[Partition]:
    n_in: Counter[str] = Counter()
    for source in folders.resolve(path):
        place = ((source.origin, n_in[source.origin]),)
        n_in[source.origin] += 1
        sizes = tables.group_sizes(source)
        if sizes is not None:
            yield from _of_groups(source, place, sizes)
            continue
        is_table = tables.from_file(source) is not None
        layout = None if is_table else layouts.detect(source, RATINGS, options)
        per_row = BYTES_PER_ROW if is_table else _bytes_per_line(source)
        packed = PACKED if source.note else 1
        yield Partition(source.name, place, int(packed * _size(source) / per_row), layout)


def _of_groups(
    source: Source, place: tuple[tuple[str, int], ...], sizes: list[int]
) -> Iterator[Partition]:
    start = n_before = n_rows = 0
    for at, size in enumerate(sizes):
        n_rows += size
        if n_rows >= PARTITION_ROWS or at == len(sizes) - 1:
            yield Partition(
                source.name, place, n_rows, groups=range(start, at + 1), first_row=n_before
            )
            start, n_before, n_rows = at + 1, n_before + n_rows, 0
    if not sizes:
        yield Partition(source.name, place, 0)


def _bytes_per_line(source: Source) -> float:
    head = source.head(SAMPLE_BYTES)
    return len(head) / max(1, head.count(b"\n") or head.count(b"\r"))


def _size(source: Source) -> int:
    """Bytes of the file that a source is in; 0 if that is not known."""
    return int(stamp(source)[0]) if source.origin else 0


def stamp(source: Source) -> list[str]:
    """What changes if the file that a source is in is written again: its size, first of all."""
    if addresses.is_address(source.origin):
        return addresses.stamp(source.origin)
    found = os.stat(source.origin)
    return [str(found.st_size), str(found.st_mtime_ns)]


def stamps(paths: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The files that paths stand for, each with its `stamp`.

    Raises
    ------
    RatingsError
        If there is nothing there, or it cannot be read a second time.
    """
    found = []
    for source in (source for path in paths for source in folders.resolve(path)):
        if not source.origin:
            raise RatingsError(
                f"{source.name} can be read only once, and ratings in shards are read again "
                "by each worker: save them as a file first"
            )
        found.append((_lasting(source.origin), stamp(source)))
    return found


def _lasting(origin: str) -> str:
    return origin if addresses.is_address(origin) else os.path.abspath(origin)


def _as_one(parts: list[Partition]) -> Partition:
    """Netflix files that follow each other."""
    every = [part.layout for part in parts if part.layout is not None]
    more = len(parts) - 1
    name = parts[0].name
    if more:
        name = f"{name} and {more:,} more file{'s' if more > 1 else ''}"
    return Partition(
        name,
        tuple(place for part in parts for place in part.places),
        sum(part.n_rows for part in parts),
        max(every, key=lambda layout: layout.n_columns),
    )
