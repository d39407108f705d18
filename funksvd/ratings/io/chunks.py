"""A source's rows in chunks: parsed by several threads, then gathered in their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from funksvd.ratings.io.badrows import N_KEPT
from funksvd.ratings.io.builders import ArrayBuilder, EncodedColumn, EncodedColumnBuilder

NUMBERS: dict[str, type[np.generic]] = {
    "rating": np.float32,
    "timestamp": np.int64,
    "count": np.float32,
}
"""Roles whose columns are numbers, and their types; the columns of other roles are ids."""

Fault = TypeVar("Fault")
"""A bad row, as a reader remembers it."""


class Chunk(NamedTuple, Generic[Fault]):
    """Columns of some of a source's rows.

    Parameters
    ----------
    n_rows : int
        Bad rows included.
    ids : dict of str to EncodedColumn
        By role; of the good rows only, as the numbers.
    numbers : dict of str to ndarray
        By role, of the types in `NUMBERS`.
    bad_rows : ndarray of shape (n_bad,), int64
        Ascending.
    first_bad : list of (int, Fault)
        The first few bad rows, each with its fault.
    rounded : str, optional
        A rating that 32 bits change, as `first_rounded` tells of it.
    """

    n_rows: int
    ids: dict[str, EncodedColumn]
    numbers: dict[str, np.ndarray]
    bad_rows: np.ndarray
    first_bad: list[tuple[int, Fault]]
    rounded: str | None = None


class Tally(Generic[Fault]):
    """What chunks tell besides their columns, added up one after the other.

    Attributes
    ----------
    n_rows, n_bad : int
        Bad rows included; and the bad ones among them.
    first_bad : list of (int, Fault)
        The first few bad rows of all, each with its fault.
    rounded : str or None
        A rating that 32 bits change, as `first_rounded` tells of it.
    users_count : tuple of int, or None
        First and last user, where users are integers, each one more than that of the row before.
    """

    def __init__(self) -> None:
        self.n_rows = self.n_bad = 0
        self.first_bad: list[tuple[int, Fault]] = []
        self.rounded: str | None = None
        self.users_count: tuple[int, int] | None = None
        self._n_good = 0

    def add(self, chunk: Chunk[Fault]) -> None:
        """Take note of the next chunk."""
        if len(chunk.bad_rows):
            self.n_bad += len(chunk.bad_rows)
            self.first_bad += [(row + self.n_rows, fault) for row, fault in chunk.first_bad]
            del self.first_bad[N_KEPT:]
        self.n_rows += chunk.n_rows
        self.rounded = self.rounded or chunk.rounded
        if "user" in chunk.ids and len(chunk.ids["user"].codes):
            self._look_at(chunk.ids["user"])

    def _look_at(self, users: EncodedColumn) -> None:
        codes, n_before = users.codes, self._n_good
        self._n_good += len(codes)
        if n_before and self.users_count is None:
            return
        first, last = (int(codes[0]), int(codes[-1]))
        before = self.users_count or (first, first - 1)
        counts = users.values is None and first == before[1] + 1
        counts = counts and last - first == len(codes) - 1 and bool((np.diff(codes) == 1).all())
        self.users_count = (before[0], last) if counts else None


class Gathered(NamedTuple, Generic[Fault]):
    """All rows of several chunks.

    Parameters
    ----------
    tally : Tally
    ids : dict of str to EncodedColumn
        By role; empty where the columns have gone elsewhere.
    numbers : dict of str to ndarray
    """

    tally: Tally[Fault]
    ids: dict[str, EncodedColumn]
    numbers: dict[str, np.ndarray]


Gather = Callable[[Iterable[Chunk[Any]], Collection[str], float], Gathered[Any]]
"""Takes chunks, one after the other, the roles of their columns, and about how many chunks come."""


def concatenated(
    chunks: Iterable[Chunk[Fault]], roles: Collection[str], n_chunks: float = 1
) -> Gathered[Fault]:
    """All rows of several chunks, one chunk after the other.

    Parameters
    ----------
    chunks : iterable of Chunk
    roles : collection of str
        Of their columns.
    n_chunks : float
        About how many there are, for the room to begin with.
    """
    chunks = iter(chunks)
    first = next(chunks, None)
    room = int(1.05 * n_chunks * first.n_rows) if first else 0
    ids = {role: EncodedColumnBuilder(room) for role in roles if role not in NUMBERS}
    numbers = {role: ArrayBuilder(NUMBERS[role], room) for role in roles if role in NUMBERS}
    tally: Tally[Fault] = Tally()
    for chunk in chain([first] if first else [], chunks):
        for role, column in chunk.ids.items():
            ids[role].append(column)
        for role, values in chunk.numbers.items():
            numbers[role].append(values)
        tally.add(chunk)
    return Gathered(
        tally,
        {role: builder.finish() for role, builder in ids.items()},
        {role: builder.array for role, builder in numbers.items()},
    )
