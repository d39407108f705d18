"""The rows of a partition on disk, as they were read: ids are not numbered yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from funksvd.atomic import naming
from funksvd.ratings.io.builders import EncodedColumn
from funksvd.ratings.io.chunks import Chunk, Gathered, Tally
from funksvd.ratings.io.distinct import DistinctIds, IdLookup, as_arrays, from_arrays
from funksvd.ratings.times import TimeTally

PIECE_ROWS = 1 << 21
"""Rows of a piece, or a chunk more: what is worked on and sent at a time."""
ALIGNMENT = 8
"""Bytes at whose multiples arrays begin."""
SIDES = ("user", "item")


class Piece(NamedTuple):
    """Rows that are numbered.

    Parameters
    ----------
    users, items : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    timestamps : ndarray of shape (n,), int64, or None
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    timestamps: np.ndarray | None = None

    def part(self, rows: slice | np.ndarray) -> Piece:
        """Some of the rows."""
        return Piece(*(None if each is None else each[rows] for each in self))  # type: ignore[arg-type]


class Spool:
    """A file with the chunks of a partition.

    Parameters
    ----------
    path : Path
    is_typed : bool
        Whether the source says what is text and what is an integer.

    Attributes
    ----------
    ids : dict of str to DistinctIds
        Of "user" and "item".
    times : TimeTally
    has_times : bool
        Whether there is a column of timestamps.
    n_rows : int
        Good ones.
    """

    def __init__(self, path: Path, is_typed: bool) -> None:
        self._path, self._is_typed = path, is_typed
        self._begin()

    def _begin(self) -> None:
        self.ids = {side: DistinctIds() for side in SIDES}
        self.times, self.has_times = TimeTally(), False
        self.n_rows = 0
        self._chunks: list[list[list[tuple[str, int]]]] = []
        self._pieces: list[tuple[int, int, int]] = []  # offset and number of bytes, first chunk
        self._n_bytes = self._piece_start = self._piece_rows = self._piece_chunk = 0

    def gather(
        self, chunks: Iterable[Chunk[Any]], roles: Collection[str], n_chunks: float = 1
    ) -> Gathered[Any]:
        """Write chunks; called again, it begins anew."""
        self._begin()
        self.has_times = "timestamp" in roles
        tally: Tally[Any] = Tally()
        with naming(self._path, self._path), open(self._path, "wb") as file:
            for chunk in chunks:
                tally.add(chunk)
                self._write(chunk, file)
        self._end_piece()
        return Gathered(tally, {}, {})

    def _write(self, chunk: Chunk[Any], file: BinaryIO) -> None:
        columns = [as_arrays(self.ids[side].add(chunk.ids[side], self._is_typed)) for side in SIDES]
        columns.append([chunk.numbers["rating"]])
        if self.has_times:
            self.times.add(chunk.numbers["timestamp"])
            columns.append([chunk.numbers["timestamp"]])
        self._chunks.append([[(a.dtype.str, len(a)) for a in arrays] for arrays in columns])
        for array in (array for arrays in columns for array in arrays):
            file.write(np.ascontiguousarray(array).data)
            padding = -array.nbytes % ALIGNMENT
            file.write(bytes(padding))
            self._n_bytes += array.nbytes + padding
        n_rows = len(chunk.numbers["rating"])
        self.n_rows += n_rows
        self._piece_rows += n_rows
        if self._piece_rows >= PIECE_ROWS:
            self._end_piece()

    def _end_piece(self) -> None:
        if self._piece_rows:
            n_bytes = self._n_bytes - self._piece_start
            self._pieces.append((self._piece_start, n_bytes, self._piece_chunk))
        self._piece_start, self._piece_chunk = self._n_bytes, len(self._chunks)
        self._piece_rows = 0

    @property
    def n_pieces(self) -> int:
        """Pieces that the rows are read in."""
        return len(self._pieces)

    def read(self, piece: int, lookups: dict[str, IdLookup], with_times: bool) -> Piece:
        """Numbered rows of a piece."""
        offset, n_bytes, first = self._pieces[piece]
        last = self._pieces[piece + 1][2] if piece + 1 < len(self._pieces) else len(self._chunks)
        with open(self._path, "rb") as file:
            file.seek(offset)
            data = file.read(n_bytes)
        chunks = list(_arrays(data, self._chunks[first:last]))
        rows = []
        for at, side in enumerate(SIDES):
            columns: list[EncodedColumn] = [from_arrays(chunk[at]) for chunk in chunks]
            rows.append(lookups[side].rows(columns))
        values = np.concatenate([chunk[2][0] for chunk in chunks])
        times = np.concatenate([chunk[3][0] for chunk in chunks]) if with_times else None
        return Piece(rows[0], rows[1], values, times)

    def delete(self) -> None:
        """Delete the file: its rows are elsewhere."""
        self._path.unlink()


def _arrays(
    data: bytes, chunks: list[list[list[tuple[str, int]]]]
) -> Iterator[list[list[np.ndarray]]]:
    offset = 0
    for columns in chunks:
        arrays: list[list[np.ndarray]] = []
        for column in columns:
            arrays.append([])
            for dtype, n in column:
                array = np.frombuffer(data, dtype, n, offset)
                arrays[-1].append(array)
                offset += array.nbytes + -array.nbytes % ALIGNMENT
        yield arrays
