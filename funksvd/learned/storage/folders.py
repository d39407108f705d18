"""A model as a folder: a file for each tensor, and the header of the single file.

`header.json` is the single file's header, and NAME.bin the bytes of the tensor NAME, so that the
file is the header's length in 8 bytes, the header and the tensors one after another, in the order
that the header tells. Each tensor is one memory map, and several writers can write a tensor's rows
at their places.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from funksvd.errors import ModelFileError
from funksvd.learned.storage.damage import altered, reason, telling_of_damage
from funksvd.learned.storage.layout import Entry, Stored, as_bytes, looks_like_header, parse

HEADER = "header.json"
SUFFIX = ".bin"
LONGEST_HEADER = 100_000_000
"""Bytes of the longest header that the safetensors library reads."""
NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
"""Names of tensors that are names of files on every system, and lead to no other folder."""


def write(folder: Path, stored: Stored) -> None:
    """Write into an empty folder; the header comes last, without which it is no model."""
    for name, array in stored.tensors.items():
        with open(folder / _file_of(name), "xb") as file:
            file.write(as_bytes(array))
    (folder / HEADER).write_bytes(stored.header)


def read(folder: Path, in_memory: bool) -> Stored:
    """Read a folder, each tensor memory-mapped unless all are to be in memory.

    Raises
    ------
    ModelFileError
        If it is no model, or has not the files that its header tells.
    """
    try:
        header = _read_header(folder)
        with telling_of_damage(folder):
            entries = parse(header)
            files = {_file_of(entry.name): entry for entry in entries}
            found = set(os.listdir(folder)) - {HEADER}
            if missing := sorted(files.keys() - found):
                raise altered(folder, f"{missing[0]} is missing")
            if foreign := sorted(found - files.keys()):
                raise altered(folder, f"{foreign[0]} is not part of it")
            return Stored(
                header,
                {each.name: _read(folder / name, each, in_memory) for name, each in files.items()},
            )
    except OSError as error:
        raise ModelFileError(f"{folder}: the folder cannot be read: {reason(error)}") from error


def is_one(folder: Path) -> bool:
    """Whether a folder looks like a model that funksvd has written, and holds nothing else."""
    header = folder / HEADER
    if not header.is_file() or any(
        path.is_dir() or (path.suffix != SUFFIX and path != header) for path in folder.iterdir()
    ):
        return False
    with open(header, "rb") as file:
        return looks_like_header(file)


def _file_of(tensor: str) -> str:
    if not NAME.fullmatch(tensor):
        raise ValueError(f"{tensor!r} cannot be the name of a file")
    return f"{tensor}{SUFFIX}"


def _read_header(folder: Path) -> bytes:
    header = folder / HEADER
    if not header.is_file():
        raise ModelFileError(
            f"{folder}: is a folder without {HEADER}, and so not a model; train one with "
            "`funksvd train RATINGS`"
        )
    if os.path.getsize(header) > LONGEST_HEADER:
        raise altered(folder, f"{HEADER} is too long")
    return header.read_bytes()


def _read(path: Path, entry: Entry, in_memory: bool) -> np.ndarray:
    """One tensor, of exactly the bytes that the header tells."""
    n_bytes = entry.stop - entry.start
    if not path.is_file():  # a named pipe would be waited for
        raise ValueError(f"{path.name} is not a regular file")
    with open(path, "rb") as file:
        if (size := os.fstat(file.fileno()).st_size) != n_bytes:
            raise ValueError(f"{path.name} has {size:,} bytes, not {n_bytes:,}")
        if in_memory or n_bytes == 0:  # nothing cannot be mapped
            values = np.fromfile(file, dtype=entry.dtype)
        else:
            values = np.asarray(np.memmap(file, dtype=entry.dtype, mode="c"))
    return values.reshape(entry.shape)
