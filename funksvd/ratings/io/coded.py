"""Columns as codes into their distinct values: 100 million rows have few of them to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from funksvd.parallel import take
from funksvd.ratings.io.growing import Growing

MAX_PLAIN_ID = (1 << 24) - 1
"""Integers from 0 up to this are their own codes: a table of all of them is small."""
SETTLED_BYTES = 64 << 20
"""So much may be waiting, and as much again as there is, before repeated values are dropped."""


@dataclass(frozen=True)
class Coded:
    """A column of ids.

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


class GrowingCoded:
    """A `Coded` column that is put together from parts, each with values of its own."""

    def __init__(self, room: int = 0) -> None:
        self._codes = Growing(np.int32, room)
        self._values: list[pa.Array] = []
        self._n_values = self._n_bytes = 0
        self._settled_rows = self._settled_bytes = 0

    def extend(self, part: Coded) -> None:
        """Append a part: all of them text, or all of them integers."""
        if part.values is not None and not self._values and len(self._codes):
            plain = np.arange(int(self._codes.array.max()) + 1)
            self._add_values(arrow_integers(plain))
        elif part.values is None and self._values:
            values, codes = np.unique(part.codes, return_inverse=True)
            part = Coded(codes.astype(np.int32), arrow_integers(values))
        self._codes.extend(part.codes + np.int32(self._n_values) if self._n_values else part.codes)
        if part.values is not None:
            self._add_values(part.values)

    def _add_values(self, values: pa.Array) -> None:
        self._values.append(values)
        self._n_values += len(values)
        self._n_bytes += values.nbytes
        if self._n_bytes > 2 * self._settled_bytes + SETTLED_BYTES:
            self._settle()

    def _settle(self) -> None:
        """Let no value be there twice. The codes of those settled before stay as they are."""
        encoded = pa.concat_arrays(self._values).dictionary_encode()
        recent = self._codes.array[self._settled_rows :]
        take(numbers([encoded.indices], np.int32), recent, out=recent)
        self._values = [encoded.dictionary]
        self._n_values = len(encoded.dictionary)
        self._n_bytes = self._settled_bytes = encoded.dictionary.nbytes
        self._settled_rows = len(self._codes)

    def finished(self) -> Coded:
        """The whole column."""
        return Coded(self._codes.array, pa.concat_arrays(self._values) if self._values else None)


def as_binary(texts: pa.Array) -> pa.Array:
    """A string array as bytes, without copying and without a look at them."""
    return pa.Array.from_buffers(pa.binary(), len(texts), texts.buffers(), offset=texts.offset)


def text_array(texts: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Texts as Arrow's, by way of buffers: `pa.array` would import pandas."""
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(kind, len(texts), buffers)


def text_bytes(texts: pa.Array) -> np.ndarray:
    """All bytes of an array of text (32-bit offsets), one text after the other, as uint8."""
    _, offsets, data = texts.buffers()
    if not len(texts):
        return np.empty(0, np.uint8)
    first, last = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(data or b"", np.uint8)[first:last]


def mask(chosen: np.ndarray) -> pa.Array:
    """A NumPy boolean array as Arrow's."""
    bits = np.packbits(chosen, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(chosen), [None, pa.py_buffer(bits)])


def numbers(chunks: Sequence[pa.Array], dtype: type) -> np.ndarray:
    """Arrow numbers as NumPy's; what stands in place of nulls is arbitrary.

    Arrow's own `to_numpy` would import pandas, which takes longer than reading a small file.
    """
    joined = np.empty(sum(len(chunk) for chunk in chunks), dtype)
    start = 0
    for chunk in chunks:
        joined[start : start + len(chunk)] = view(chunk)
        start += len(chunk)
    return joined


def view(chunk: pa.Array) -> np.ndarray:
    """One array of Arrow numbers as NumPy's, without copying: not to be changed."""
    width = chunk.type.bit_width // 8
    kind = np.dtype({"i": "int", "u": "uint", "f": "float"}[_kind(chunk.type)] + str(width * 8))
    if not len(chunk):
        return np.empty(0, kind)
    return np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * width)


def booleans(array: pa.Array) -> np.ndarray:
    """An Arrow boolean array without nulls as NumPy's."""
    bits = np.frombuffer(array.buffers()[1], np.uint8) if len(array) else np.empty(0, np.uint8)
    unpacked = np.unpackbits(bits, count=array.offset + len(array), bitorder="little")
    return unpacked[array.offset :].astype(bool)


def arrow_integers(values: np.ndarray) -> pa.Array:
    """A NumPy int64 array as Arrow's, without copying."""
    values = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return "f"
    return "u" if pa.types.is_unsigned_integer(kind) else "i"
