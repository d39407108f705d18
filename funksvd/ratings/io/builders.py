"""Columns that are appended to: plain arrays, and columns of ids by their distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from funksvd.parallel import PIECE, occurring, take
from funksvd.ratings.io.arrow import arrow_integers, numbers

MAX_PLAIN_ID = (1 << 24) - 1
"""Largest integer id that is its own code: a table of all up to it is small."""
UNSETTLED_BYTES = 64 << 20
"""Bytes of values that wait, besides twice those that are settled, before repeats are dropped."""


class ArrayBuilder:
    """A one-dimensional array that is appended to.

    Parameters
    ----------
    dtype : type
    room : int
        Number of values to expect. Room that is never used takes no memory; if there is too
        little, the array moves to twice as much.
    """

    def __init__(self, dtype: type[np.generic], room: int = 0) -> None:
        self._array: np.ndarray[tuple[int], np.dtype[Any]] = np.empty(max(room, PIECE), dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, values: np.ndarray) -> None:
        """Append values, cast to the array's type."""
        start, self._size = self._size, self._size + len(values)
        if self._size > len(self._array):
            # `resize` would fill what is new with zeros, and so use it.
            larger = np.empty(max(self._size, 2 * len(self._array)), self._array.dtype)
            larger[:start] = self._array[:start]
            self._array = larger
        self._array[start : self._size] = values

    @property
    def array(self) -> np.ndarray:
        """The values appended so far, without copying."""
        return self._array[: self._size]


@dataclass(frozen=True)
class EncodedColumn:
    """A column of ids, dictionary-encoded: 100 million rows have few distinct values to check.

    Parameters
    ----------
    codes : ndarray of shape (n,), int32
        Position of each row's value in `values`.
    values : pyarrow.Array, optional
        Text or int64. They may repeat, and some may not be used. Without them, the codes are the
        ids themselves.
    """

    codes: np.ndarray
    values: pa.Array | None = None


class EncodedColumnBuilder:
    """An `EncodedColumn` that others are appended to, each with values of its own."""

    def __init__(self, room: int = 0) -> None:
        self._codes = ArrayBuilder(np.int32, room)
        self._values: list[pa.Array] = []
        self._n_values = self._n_bytes = 0
        self._settled_rows = self._settled_bytes = 0

    def append(self, column: EncodedColumn) -> None:
        """Append a column: all of them text, or all of them integers."""
        if column.values is not None and not self._values and len(self._codes):
            codes = self._codes.array
            ids = occurring(codes, int(codes.max()) + 1)
            code_of = np.zeros(ids[-1] + 1, np.int32)
            code_of[ids] = np.arange(len(ids))
            take(code_of, codes, out=codes)
            self._add_values(arrow_integers(ids))
        elif column.values is None and self._values:
            values, codes = np.unique(column.codes, return_inverse=True)
            column = EncodedColumn(codes.astype(np.int32), arrow_integers(values))
        codes = column.codes
        self._codes.append(codes + np.int32(self._n_values) if self._n_values else codes)
        if column.values is not None:
            self._add_values(column.values)

    def _add_values(self, values: pa.Array) -> None:
        self._values.append(values)
        self._n_values += len(values)
        self._n_bytes += values.nbytes
        if self._n_bytes > 2 * self._settled_bytes + UNSETTLED_BYTES:
            self._settle()

    def _settle(self) -> None:
        """Drop repeated values. The codes of those settled before stay as they are."""
        encoded = pa.concat_arrays(self._values).dictionary_encode()
        recent = self._codes.array[self._settled_rows :]
        take(numbers([encoded.indices], np.int32), recent, out=recent)
        self._values = [encoded.dictionary]
        self._n_values = len(encoded.dictionary)
        self._n_bytes = self._settled_bytes = encoded.dictionary.nbytes
        self._settled_rows = len(self._codes)

    def finish(self) -> EncodedColumn:
        """The whole column."""
        values = pa.concat_arrays(self._values) if self._values else None
        return EncodedColumn(self._codes.array, values)
