"""Writing and reading models."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np

from funksvd.atomic import present, replacing
from funksvd.errors import ModelFileError, ModelWriteError, argument
from funksvd.learned.storage import files, folders
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
from funksvd.learned.storage.layout import (
    Plain,
    Stored,
    digest,
    info_of,
    lay_out,
    looks_like_header,
)

FOLDER_ABOVE = 20_000_000_000
"""Bytes of tensors above which a model is a folder, where nobody has said otherwise."""


def write_model(
    path: str | os.PathLike[str], model: SavedModel, *, as_folder: bool | None = None
) -> None:
    """Write a model file or folder; the same model gives the same bytes.

    Parameters
    ----------
    path : path
    model : SavedModel
        Its arrays may be maps of files: they are written without being in memory.
    as_folder : bool, optional
        By default, models of more than `FOLDER_ABOVE` bytes are folders, and so are those that
        take the place of one.

    Raises
    ------
    ModelWriteError
        If it cannot be written. A file or folder that was there before is then untouched.
    """
    tensors = to_tensors(model)
    parts = {kind: {"version": PART_VERSION, **part.info} for kind, part in model.parts.items()}
    info: Plain = {"format_version": FORMAT_VERSION, **model.info, "parts": parts}
    # NumPy's scalars come from parameter grids, such as scikit-learn's.
    info = json.loads(json.dumps(info, default=np.generic.item))
    info["sha256"] = digest(tensors, info)
    if as_folder is None:
        n_bytes = sum(array.nbytes for array in tensors.values())
        as_folder = n_bytes > FOLDER_ABOVE or os.path.isdir(path)
    _write(path, lay_out(tensors, info), as_folder)


def _write(path: str | os.PathLike[str], stored: Stored, as_folder: bool) -> None:
    try:
        with replacing(path, as_folder=as_folder, may_replace=folders.is_one) as temporary:
            if as_folder:
                folders.write(temporary, stored)
            else:
                with open(temporary, "wb") as file:
                    files.write(file, stored)
    except OSError as error:
        raise ModelWriteError(
            f"{path}: cannot write the model: {reason(error)}; what was there before is "
            f"untouched. Give another place with {argument('path')}",
            error,
        ) from error


def read_model(
    path: str | os.PathLike[str], *, kinds: Collection[str], in_memory: bool = False
) -> SavedModel:
    """Read a model file or folder, memory-mapped: processes share the pages of the factors.

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
    stored, info = _read_checked(path, in_memory)
    with telling_of_damage(path):
        tensors = stored.tensors
        while (version := info.pop("format_version")) != FORMAT_VERSION:
            info, tensors = UPGRADES[version](info, tensors)
        check_parts(path, info["parts"], kinds)
        return from_tensors(path, tensors, info)


def copy_model(
    source: str | os.PathLike[str], path: str | os.PathLike[str], *, as_folder: bool
) -> None:
    """Copy a model file or folder as either of them.

    A folder's files joined are the file that was split, byte for byte, and the other way round.

    Parameters
    ----------
    source, path : path
    as_folder : bool
        Whether to write a folder rather than a file.

    Raises
    ------
    ModelFileError
        If the source is missing, truncated, altered, of a format that is not known, or something
        else.
    ModelWriteError
        If the copy cannot be written. A file or folder that was there before is then untouched.
    """
    _write(path, _read_checked(Path(source), in_memory=False)[0], as_folder)


def _read_checked(path: Path, in_memory: bool) -> tuple[Stored, Plain]:
    """A model of a known format whose checksum is right, and its plain data without that."""
    stored = read_stored(path, in_memory)
    with telling_of_damage(path):
        info = info_of(stored.header)
        if info is None:
            raise ModelFileError(
                f"{path}: in the format of safetensors, but not one written by funksvd"
            )
        expected = info.pop("sha256")
        version = info["format_version"]
        if version != FORMAT_VERSION and version not in UPGRADES:
            known = ", ".join(map(str, [*UPGRADES, FORMAT_VERSION]))
            raise ModelFileError(
                f"{path}: written in format {version}, but this version of funksvd reads format "
                f"{known}; use the version that wrote it, or train again"
            )
        if digest(stored.tensors, info) != expected:
            raise altered(path, "its checksum does not match")
        return stored, info


def read_stored(path: Path, in_memory: bool = False) -> Stored:
    """Read a model as it is stored; its checksum is not looked at.

    Raises
    ------
    ModelFileError
        If there is nothing, or it is not laid out like a model.
    """
    # Another process may put a new model there at any moment: read one and the same.
    while True:
        place = present(path)
        before = _identity(place)
        try:
            stored = (folders if place.is_dir() else files).read(place, in_memory)
        except ModelFileError:
            if _identity(present(path)) == before:
                raise
        else:
            if _identity(present(path)) == before:
                return stored


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_model(path: str | os.PathLike[str]) -> bool:
    """Whether a file or folder is there and looks like a model that funksvd has written."""
    path = Path(path)
    if path.is_dir():
        return folders.is_one(path)
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return looks_like_header(file)


def size_of(path: str | os.PathLike[str]) -> int:
    """Bytes of a model file, or of the files of a folder."""
    place = present(path)
    if place.is_dir():
        return sum(os.path.getsize(place / name) for name in os.listdir(place))
    return os.path.getsize(place)
