"""Arrow's arrays as NumPy's, and the other way round.

Arrow's own conversions would import pandas, which takes longer than reading a small file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PIECE = 4_096
"""Numbers that are looked at together for one that is rounded."""
N_DECIMALS = 4
"""Number of decimals of the ratings that are recognized at once as not rounded by 32-bit floats."""
MOST_KEPT = 10**6
"""Bound of their digits, read as a whole number without the point: below it, none is lost."""


def as_binary(texts: pa.Array) -> pa.Array:
    """A string array as bytes, without copying and without a look at them."""
    return pa.Array.from_buffers(pa.binary(), len(texts), texts.buffers(), offset=texts.offset)


def text_array(texts: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    """Texts as an Arrow array of a type for text."""
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


def numbers(chunks: Sequence[pa.Array], dtype: type[np.generic]) -> np.ndarray:
    """Arrow numbers as NumPy's, one chunk after the other; arbitrary in the place of nulls."""
    joined: np.ndarray = np.empty(sum(len(chunk) for chunk in chunks), dtype)
    start = 0
    for chunk in chunks:
        with np.errstate(invalid="ignore"):  # some kinds of NaN, which stay NaN
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


def first_rounded(values: np.ndarray) -> str | None:
    """The first number that a 32-bit float changes, and what it becomes; None if there is none.

    Numbers are compared as they are written: 0.1 is 0.1 in 32 bits too.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
    """
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
    others = values[(narrow != values) & np.isfinite(narrow)]
    digits = np.rint(others * 10**N_DECIMALS)
    others = others[(np.abs(digits) >= MOST_KEPT) | (digits / 10**N_DECIMALS != others)]
    found = _rounded(others[:PIECE])
    if found is not None or len(others) <= PIECE:
        return found
    others = view(_floats(others).unique())
    pieces = (others[start : start + PIECE] for start in range(0, len(others), PIECE))
    return next(filter(None, map(_rounded, pieces)), None)


def _rounded(values: np.ndarray) -> str | None:
    written = pc.cast(_floats(values.astype(np.float32)), pa.string())
    changed = numbers([pc.cast(written, pa.float64())], np.float64) != values
    if not changed.any():
        return None
    at = int(np.argmax(changed))
    return f"{pc.cast(_floats(values[at : at + 1]), pa.string())[0]} becomes {written[at]}"


def booleans(array: pa.Array) -> np.ndarray:
    """An Arrow boolean array without nulls as NumPy's."""
    bits = np.frombuffer(array.buffers()[1], np.uint8) if len(array) else np.empty(0, np.uint8)
    unpacked = np.unpackbits(bits, count=array.offset + len(array), bitorder="little")
    return unpacked[array.offset :].astype(bool)


def _floats(values: np.ndarray) -> pa.Array:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def arrow_integers(values: np.ndarray) -> pa.Array:
    """A NumPy int64 array as Arrow's, without copying."""
    values = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_floating(kind):
        return "f"
    return "u" if pa.types.is_unsigned_integer(kind) else "i"
