"""The layout of a model's tensors, which a header in JSON describes, and their checksum.

The header is that of safetensors, https://github.com/huggingface/safetensors#format: for each
tensor its type, its shape and the part of the data that it is.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, BinaryIO, NamedTuple

import numpy as np

Tensors = dict[str, np.ndarray]
Plain = dict[str, Any]
"""An object of JSON."""

METADATA_KEY = "funksvd"
ALIGNMENT = 8
"""Bytes that the length of a header is a multiple of: those of the largest numbers."""
DTYPES = {"I64": "<i8", "F64": "<f8", "F32": "<f4", "I32": "<i4", "I8": "|i1", "U8": "|u1"}
"""Names of types in a header, in the order in which their tensors are written: aligned."""


class Stored(NamedTuple):
    """A model as it is stored, byte for byte.

    Parameters
    ----------
    header : bytes
        JSON, padded by blanks to a multiple of `ALIGNMENT` bytes.
    tensors : dict of str to ndarray
        In the order of the data; C-contiguous.
    """

    header: bytes
    tensors: Tensors


class Entry(NamedTuple):
    """What a header says of one tensor.

    Parameters
    ----------
    name : str
    dtype : str
        One of the values of `DTYPES`.
    shape : tuple of int
    start, stop : int
        Bytes of the data that it is.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def lay_out(tensors: Tensors, info: Plain) -> Stored:
    """Order tensors, and describe them in a header; byte for byte as the safetensors library does.

    Parameters
    ----------
    tensors : dict of str to ndarray
        C-contiguous, of types that are in `DTYPES`.
    info : dict
        Plain data, whose place is the header's metadata.
    """
    names = {np.dtype(dtype): (place, name) for place, (name, dtype) in enumerate(DTYPES.items())}
    ordered = sorted(tensors.items(), key=lambda item: (names[item[1].dtype], item[0]))
    header: Plain = {"__metadata__": {METADATA_KEY: json.dumps(info, sort_keys=True)}}
    start = 0
    for name, array in ordered:
        stop = start + array.nbytes
        entry = {"dtype": names[array.dtype][1], "shape": array.shape}
        header[name] = entry | {"data_offsets": [start, stop]}
        start = stop
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return Stored(encoded + b" " * (-len(encoded) % ALIGNMENT), dict(ordered))


def parse(header: bytes) -> list[Entry]:
    """What a header says of each tensor, in the order of the data.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError
        If it is not a header, or one whose tensors do not lie one after another.
    """
    if len(header) % ALIGNMENT:
        raise ValueError(f"its header is not padded to a multiple of {ALIGNMENT} bytes")
    plain = json.loads(header)
    plain.pop("__metadata__", None)
    entries = [
        Entry(name, DTYPES[each["dtype"]], tuple(each["shape"]), *each["data_offsets"])
        for name, each in plain.items()
    ]
    entries.sort(key=lambda entry: (entry.start, entry.stop))
    end = 0
    for entry in entries:
        if not all(type(number) is int and number >= 0 for number in (*entry.shape, entry.stop)):
            raise ValueError(f"the shape or place of {entry.name} is not of whole numbers")
        n_bytes = math.prod(entry.shape) * np.dtype(entry.dtype).itemsize
        if entry.start != end or entry.stop != end + n_bytes:
            raise ValueError(f"{entry.name} is not where its shape wants it")
        end = entry.stop
    return entries


def info_of(header: bytes) -> Plain | None:
    """The plain data in a header's metadata; None if funksvd has not written it.

    Raises
    ------
    LookupError, TypeError, ValueError, AttributeError, RecursionError
        If there is no such thing in it.
    """
    text = json.loads(header).get("__metadata__", {}).get(METADATA_KEY)
    return None if text is None else json.loads(text)


def looks_like_header(file: BinaryIO) -> bool:
    """Tell by its first bytes whether a header follows that funksvd has written."""
    head = file.read(1 << 16)
    return b'"__metadata__"' in head and f'"{METADATA_KEY}"'.encode() in head


def digest(tensors: Tensors, info: Plain) -> str:
    """SHA-256 of tensors and plain data, in hexadecimal digits."""
    found = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(as_bytes(array))
    return found.hexdigest()


def as_bytes(array: np.ndarray) -> memoryview:
    """The bytes of a C-contiguous array, without a copy."""
    return array.reshape(-1).view(np.uint8).data
