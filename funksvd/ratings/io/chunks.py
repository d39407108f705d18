"""A source's rows in chunks: parsed by several threads, then put together in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

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
    """Columns of some or all of a source's rows.

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


def concatenated(
    chunks: Iterable[Chunk[Fault]], roles: Collection[str], n_chunks: float = 1
) -> Chunk[Fault]:
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
    n_rows = 0
    bad_rows: list[np.ndarray] = [np.empty(0, np.int64)]
    first_bad: list[tuple[int, Fault]] = []
    rounded = None
    for chunk in chain([first] if first else [], chunks):
        for role, column in chunk.ids.items():
            ids[role].append(column)
        for role, values in chunk.numbers.items():
            numbers[role].append(values)
        if len(chunk.bad_rows):
            bad_rows.append(chunk.bad_rows + n_rows)
            first_bad += [(row + n_rows, fault) for row, fault in chunk.first_bad]
            del first_bad[N_KEPT:]
        n_rows += chunk.n_rows
        rounded = rounded or chunk.rounded
    return Chunk(
        n_rows,
        {role: builder.finish() for role, builder in ids.items()},
        {role: builder.array for role, builder in numbers.items()},
        np.concatenate(bad_rows),
        first_bad,
        rounded,
    )
