"""A model as one file, which is a safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from funksvd.errors import ModelFileError
from funksvd.learned.storage.damage import reason, telling_of_damage
from funksvd.learned.storage.layout import Stored, as_bytes, parse


def write(file: BinaryIO, stored: Stored) -> None:
    """Write into a file that is open: 8 bytes with the header's length, the header, the data.

    The library's own function writes to a file of another name, which it leaves when it is killed.
    """
    file.write(len(stored.header).to_bytes(8, "little") + stored.header)
    for array in stored.tensors.values():
        file.write(as_bytes(array))


def read(path: Path, in_memory: bool) -> Stored:
    """Read a file, memory-mapped unless it is to be in memory.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise ModelFileError(
            f"{path}: there is no such model file; train one with `funksvd train RATINGS`"
        )
    try:
        with open(path, "rb") as file, safe_open(path, framework="numpy"):
            if in_memory:
                raw = np.fromfile(file, dtype=np.uint8)
            else:
                raw = np.asarray(np.memmap(file, dtype=np.uint8, mode="c"))
    except OSError as error:
        raise ModelFileError(f"{path}: the file cannot be read: {reason(error)}") from error
    except (SafetensorError, ValueError) as error:
        raise ModelFileError(
            f"{path}: not a model file, or one that was cut short; train one with "
            "`funksvd train RATINGS`, or restore a copy"
        ) from error
    with telling_of_damage(path):
        return cut(raw)


def cut(raw: np.ndarray) -> Stored:
    """The content of a file as views of its bytes."""
    end = 8 + int(raw[:8].view("<u8")[0])
    header, data = raw[8:end].tobytes(), raw[end:]
    entries = parse(header)
    return Stored(
        header,
        {
            entry.name: data[entry.start : entry.stop].view(entry.dtype).reshape(entry.shape)
            for entry in entries
        },
    )
