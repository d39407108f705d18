"""Columns as codes into their distinct texts: 100 million rows have few of them to check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Coded:
    """A column of text.

    Parameters
    ----------
    codes : ndarray of shape (n,), int32
        Position of each row's text in `texts`.
    texts : pyarrow.BinaryArray
        UTF-8 unless the file is faulty. Texts may repeat, and some may not be used.
    """

    codes: np.ndarray
    texts: pa.Array


def from_dictionary(column: pa.ChunkedArray) -> Coded:
    """A column of Arrow's dictionary type."""
    column = column.unify_dictionaries()
    if column.num_chunks == 0:
        return Coded(np.empty(0, np.int32), text_array([], pa.binary()))
    texts = as_binary(column.chunk(0).dictionary)
    return Coded(numbers([chunk.indices for chunk in column.chunks], np.int32), texts)


def as_binary(texts: pa.Array) -> pa.Array:
    """A string array as bytes, without copying and without a look at them."""
    return pa.Array.from_buffers(pa.binary(), len(texts), texts.buffers(), offset=texts.offset)


def text_array(texts: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Texts as Arrow's, by way of buffers: `pa.array` would import pandas."""
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(kind, len(texts), buffers)


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
        if len(chunk):
            width = chunk.type.bit_width // 8
            kind = {"i": "int", "u": "uint", "f": "float"}[_kind(chunk.type)]
            joined[start : start + len(chunk)] = np.frombuffer(
                chunk.buffers()[1], f"{kind}{width * 8}", len(chunk), chunk.offset * width
            )
        start += len(chunk)
    return joined


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
