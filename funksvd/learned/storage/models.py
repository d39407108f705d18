"""Writing and reading models."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from funksvd.atomic import replacing
from funksvd.errors import ModelFileError, ModelWriteError, argument
from funksvd.learned.storage import files
from funksvd.learned.storage.content import (
    FORMAT_VERSION,
    PART_VERSION,
    UPGRADES,
    SavedModel,
    check_parts,
    from_tensors,
    to_tensors,
)
from funksvd.learned.storage.damage import altered, reason, telling_of_damage
from funksvd.learned.storage.layout import METADATA_KEY, Plain, Stored, digest, info_of, lay_out


def write_model(path: str | os.PathLike[str], model: SavedModel) -> None:
    """Write a model file; the same model gives the same bytes.

    Raises
    ------
    ModelWriteError
        If it cannot be written. A file that was there before is then untouched.
    """
    tensors = to_tensors(model)
    parts = {kind: {"version": PART_VERSION, **part.info} for kind, part in model.parts.items()}
    info: Plain = {"format_version": FORMAT_VERSION, **model.info, "parts": parts}
    # NumPy's scalars come from parameter grids, such as scikit-learn's.
    info = json.loads(json.dumps(info, default=np.generic.item))
    info["sha256"] = digest(tensors, info)
    stored = lay_out(tensors, info)
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            files.write(file, stored)
    except OSError as error:
        raise ModelWriteError(
            f"{path}: cannot write the model: {reason(error)}; a file that was there before is "
            f"untouched. Give another place with {argument('path')}",
            error,
        ) from error


def read_model(
    path: str | os.PathLike[str], *, kinds: Collection[str], in_memory: bool = False
) -> SavedModel:
    """Read a model file, memory-mapped: pages of the factors are shared between processes.

    Parameters
    ----------
    path : path
    kinds : collection of str
        Kinds of parts that the caller knows.
    in_memory : bool
        Read it as a whole instead. A map changes with a file that is written over in place, and
        where that makes it shorter, even for a moment, reading the map ends the process.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, altered, of a format or with a part that is not known,
        or something else.
    """
    path = Path(path)
    stored = read_stored(path, in_memory)
    with telling_of_damage(path):
        tensors, info = stored.tensors, info_of(stored.header)
        if info is None:
            raise ModelFileError(f"{path}: a safetensors file, but not one written by funksvd")
        expected = info.pop("sha256")
        version = info["format_version"]
        if version != FORMAT_VERSION and version not in UPGRADES:
            known = ", ".join(map(str, [*UPGRADES, FORMAT_VERSION]))
            raise ModelFileError(
                f"{path}: written in format {version}, but this version of funksvd reads format "
                f"{known}; use the version that wrote it, or train again"
            )
        if digest(tensors, info) != expected:
            raise altered(path, "its checksum does not match")
        while (version := info.pop("format_version")) != FORMAT_VERSION:
            info, tensors = UPGRADES[version](info, tensors)
        check_parts(path, info["parts"], kinds)
        return from_tensors(path, tensors, info)


def read_stored(path: Path, in_memory: bool = False) -> Stored:
    """Read a model as it is stored; its checksum is not looked at.

    Raises
    ------
    ModelFileError
        If there is nothing, or it is not laid out like a model.
    """
    # Another process may put a new model there at any moment: read one and the same.
    while True:
        before = _identity(path)
        try:
            stored = files.read(path, in_memory)
        except ModelFileError:
            if _identity(path) == before:
                raise
        else:
            if _identity(path) == before:
                return stored


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Tell by its first bytes whether a file looks like one that funksvd has written."""
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    return b'"__metadata__"' in head and f'"{METADATA_KEY}"'.encode() in head
