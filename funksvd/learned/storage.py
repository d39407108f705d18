"""The model file: one safetensors file, nothing in it is ever executed.

Tensors
    user_ids (int64) or, for text, user_ids.utf8 (uint8) with user_ids.offsets (int64); item_ids in
    the same two forms; seen.indptr, seen.items: the pairs learned from; seen.levels (uint8): their
    ratings, in 256 steps of the rating scale, or their counts; item_counts (int32): how many of
    them each item has, if they are not there; held_out.indptr, held_out.items: the pairs that were
    rated but set aside for the test; test_pairs (int64): hashes of the pairs of the test part,
    ascending; features.users, features.items (int32): rows known from their features alone,
    ascending. The names of the arrays of a part begin with its kind: rating.user_factors, …
    (`LearnedRatings`), choice.user_factors, … (`LearnedChoices`).
Metadata
    One entry, `funksvd`: JSON with the format version; `parts`, for each kind the version of its
    own and all that it needs to know; the number of ratings, where they came from, and a SHA-256
    digest of everything.

Which files are read
    The format version changes when a program that knows only the old one would misread a file, and
    the version of a part when it would misread that part. A file of an older format is read if
    `UPGRADES` leads from it to the present one, step by step, and refused otherwise. A newer format
    or part, a part of an unknown kind, and a tensor or a hyperparameter that this program does not
    know are refused: whatever wrote them meant something by them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from funksvd.atomic import replacing
from funksvd.errors import ModelFileError, ModelWriteError, argument
from funksvd.learned.base import UnknownArrayError
from funksvd.ratings import CompressedRows

FORMAT_VERSION = 2
PART_VERSION = 1
METADATA_KEY = "funksvd"
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""Errors that a file of the right kind with the wrong content leads to."""

Tensors = dict[str, np.ndarray]
Plain = dict[str, Any]
"""An object of JSON."""


@dataclass
class Part:
    """The part of a model file that belongs to one kind of model.

    Parameters
    ----------
    info : dict
        Plain data.
    tensors : dict of str to ndarray
    """

    info: Plain
    tensors: Tensors


@dataclass
class SavedModel:
    """The content of a model file.

    Parameters
    ----------
    user_ids, item_ids : ndarray, int64 or object (str)
    seen, held_out : CompressedRows or None
        The values of `seen`, uint8, if it has any, are levels of the rating scale.
    info : dict
        Plain data that belongs to no part.
    parts : dict of str to Part
        By kind.
    test_pairs : ndarray of shape (n_test,), int64, or None
        Hashes of pairs, ascending.
    item_counts : ndarray of shape (n_items,), int32, or None
        Number of ratings, or pairs, learned from of each item.
    alone : dict of str to ndarray of shape (n_alone,), int32
        For "user" and "item": rows that are known from their features alone, ascending.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    seen: CompressedRows | None = None
    held_out: CompressedRows | None = None
    info: Plain = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    test_pairs: np.ndarray | None = None
    item_counts: np.ndarray | None = None
    alone: dict[str, np.ndarray] = field(default_factory=dict)


def write_model(path: str | os.PathLike[str], model: SavedModel) -> None:
    """Write a model file; the same model gives the same bytes.

    Raises
    ------
    ModelWriteError
        If it cannot be written. A file that was there before is then untouched.
    """
    tensors = _to_tensors(model)
    parts = {kind: {"version": PART_VERSION, **part.info} for kind, part in model.parts.items()}
    info: Plain = {"format_version": FORMAT_VERSION, **model.info, "parts": parts}
    # NumPy's scalars come from parameter grids, such as scikit-learn's.
    info = json.loads(json.dumps(info, default=np.generic.item))
    info["sha256"] = _digest(tensors, info)
    metadata = {METADATA_KEY: json.dumps(info, sort_keys=True)}
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            _write_tensors(file, tensors, metadata)
    except OSError as error:
        raise ModelWriteError(
            f"{path}: cannot write the model: {_reason(error)}; a file that was there before is "
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
    raw, metadata = _read_bytes(path, in_memory)
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not one written by funksvd")
    with telling_of_damage(path):
        info = json.loads(metadata[METADATA_KEY])
        expected = info.pop("sha256")
        version = info["format_version"]
        if version != FORMAT_VERSION and version not in UPGRADES:
            known = ", ".join(map(str, [*UPGRADES, FORMAT_VERSION]))
            raise ModelFileError(
                f"{path}: written in format {version}, but this version of funksvd reads format "
                f"{known}; use the version that wrote it, or train again"
            )
        tensors = _map_tensors(raw)
        if _digest(tensors, info) != expected:
            raise altered(path, "its checksum does not match")
        while (version := info.pop("format_version")) != FORMAT_VERSION:
            info, tensors = UPGRADES[version](info, tensors)
        _check_parts(path, info["parts"], kinds)
        return _from_tensors(path, tensors, info)


def _read_bytes(path: Path, in_memory: bool) -> tuple[np.ndarray, dict[str, str]]:
    """All bytes of a safetensors file, and its metadata."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        what = "is a folder, not a model file" if path.is_dir() else "there is no such model file"
        raise ModelFileError(f"{path}: {what}; train one with `funksvd train RATINGS`")
    try:
        # Another process may put a new file there at any moment: look at one and the same.
        while True:
            with open(path, "rb") as file, safe_open(path, framework="numpy") as checked:
                metadata = checked.metadata() or {}
                if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                    if in_memory:
                        return np.fromfile(file, dtype=np.uint8), metadata
                    return np.asarray(np.memmap(file, dtype=np.uint8, mode="c")), metadata
    except OSError as error:
        raise ModelFileError(f"{path}: the file cannot be read: {_reason(error)}") from error
    except (SafetensorError, ValueError) as error:
        raise ModelFileError(
            f"{path}: not a model file, or one that was cut short; train one with "
            "`funksvd train RATINGS`, or restore a copy"
        ) from error


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Tell by its first bytes whether a file looks like one that funksvd has written."""
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    return b'"__metadata__"' in head and f'"{METADATA_KEY}"'.encode() in head


def altered(path: str | os.PathLike[str], why: str | Exception) -> ModelFileError:
    """The error for a file that funksvd has written, but not like this."""
    if isinstance(why, KeyError):
        why = f"{why} is missing"
    return ModelFileError(
        f"{path}: the model file is damaged or was altered ({why}); train again or restore a copy"
    )


@contextlib.contextmanager
def telling_of_damage(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn whatever the content of a file leads to into an error that names the file."""
    try:
        yield
    except ModelFileError:
        raise
    except UnknownArrayError as error:
        raise newer(path, f"a tensor {str(error)!r}") from error
    except MALFORMED as error:
        raise altered(path, error) from error


def newer(path: str | os.PathLike[str], what: str) -> ModelFileError:
    """The error for a file that holds something this program does not know."""
    return ModelFileError(
        f"{path}: the model file has {what}, which this version of funksvd does not know; use the "
        "version that wrote it, or train again"
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


# -- formats of earlier programs ---------------------------------------------------------------


def _from_format_1(info: Plain, tensors: Tensors) -> tuple[Plain, Tensors]:
    """Format 1 had a model of ratings only, and its arrays and facts beside all others."""
    shared = ("user_ids", "item_ids", "seen.", "held_out.")
    of_model = {"n_ratings", "provenance"}
    rating = {name: value for name, value in info.items() if name not in of_model}
    upgraded: Plain = {name: info[name] for name in of_model}
    upgraded |= {"format_version": 2, "parts": {"rating": {"version": 1, **rating}}}
    return upgraded, {
        name if name.startswith(shared) else f"rating.{name}": array
        for name, array in tensors.items()
    }


UPGRADES: dict[int, Callable[[Plain, Tensors], tuple[Plain, Tensors]]] = {1: _from_format_1}
"""For each older format that is read, what makes the next one of it; without the digest."""


# -- tensors -------------------------------------------------------------------------------------


def _to_tensors(model: SavedModel) -> Tensors:
    tensors: Tensors = {}
    for name, ids in (("user_ids", model.user_ids), ("item_ids", model.item_ids)):
        if ids.dtype.kind == "i":
            tensors[name] = ids
            continue
        encoded = [label.encode() for label in ids.tolist()]
        tensors[f"{name}.utf8"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        tensors[f"{name}.offsets"] = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    for name, pairs in (("seen", model.seen), ("held_out", model.held_out)):
        if pairs is not None:
            tensors |= {f"{name}.indptr": pairs.indptr, f"{name}.items": pairs.columns}
    if model.seen is not None and model.seen.values is not None:
        tensors["seen.levels"] = model.seen.values
    if model.test_pairs is not None:
        tensors["test_pairs"] = model.test_pairs
    if model.item_counts is not None:
        tensors["item_counts"] = model.item_counts
    tensors |= {f"features.{what}s": rows for what, rows in model.alone.items()}
    for kind, part in model.parts.items():
        tensors |= {f"{kind}.{name}": array for name, array in part.tensors.items()}
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _check_parts(path: Path, parts: dict[str, Plain], kinds: Collection[str]) -> None:
    for kind, part in parts.items():
        if kind not in kinds:
            raise newer(path, f"a part of the kind {kind!r}")
        if (version := part.pop("version")) != PART_VERSION:
            raise newer(path, f"version {version} of the part {kind!r}")
    if not parts:
        known = " or ".join(map(repr, sorted(kinds)))
        raise ModelFileError(f"{path}: the model file has no part of the kind {known}")


def _from_tensors(path: Path, tensors: Tensors, info: Plain) -> SavedModel:
    tensors = dict(tensors)
    parts = {
        kind: Part(part, _taken(tensors, f"{kind}.")) for kind, part in info.pop("parts").items()
    }
    user_ids, item_ids = _take_ids(tensors, "user_ids"), _take_ids(tensors, "item_ids")
    shape = (len(user_ids), len(item_ids))
    seen, held_out = (_take_pairs(tensors, name, *shape) for name in ("seen", "held_out"))
    if seen is not None and "seen.levels" in tensors:
        levels = _take(tensors, "seen.levels", np.uint8)
        if len(levels) != len(seen.columns):
            raise ValueError("seen.levels are not as many as the pairs learned from")
        seen = seen._replace(values=levels)
    test_pairs = None
    if "test_pairs" in tensors:
        test_pairs = _take(tensors, "test_pairs", np.int64)
        if not (test_pairs[:-1] <= test_pairs[1:]).all():  # they are found by bisection
            raise ValueError("test_pairs are not in ascending order")
    item_counts = None
    if "item_counts" in tensors:
        item_counts = _take(tensors, "item_counts", np.int32)
        if len(item_counts) != len(item_ids) or item_counts.min() < 0:
            raise ValueError("item_counts are not one for each item, of at least 0")
    elif seen is not None:
        item_counts = np.bincount(seen.columns, minlength=len(item_ids)).astype(np.int32)
    alone = {
        what: _take_rows(tensors, f"features.{what}s", n)
        for what, n in zip(("user", "item"), shape, strict=True)
        if f"features.{what}s" in tensors
    }
    if tensors:
        raise newer(path, f"a tensor {min(tensors)!r}")
    return SavedModel(
        user_ids, item_ids, seen, held_out, info, parts, test_pairs, item_counts, alone
    )


def _taken(tensors: Tensors, prefix: str) -> Tensors:
    """The tensors whose names begin so, taken out; without that beginning."""
    names = [name for name in tensors if name.startswith(prefix)]
    return {name.removeprefix(prefix): tensors.pop(name) for name in names}


def _take(tensors: Tensors, name: str, dtype: type) -> np.ndarray:
    """A one-dimensional tensor of that type, taken out; kernels rely on it."""
    array = tensors.pop(name)
    if array.dtype != dtype or not array.flags.aligned:
        raise ValueError(f"{name} is not an aligned array of {np.dtype(dtype)}")
    if array.ndim != 1:
        raise ValueError(f"{name} has the shape {array.shape}, not one dimension")
    return array


def _take_rows(tensors: Tensors, name: str, n: int) -> np.ndarray:
    """Rows of users or items, ascending."""
    rows = _take(tensors, name, np.int32)
    if len(rows) and not (rows[0] >= 0 and rows[-1] < n and (np.diff(rows) > 0).all()):
        raise ValueError(f"{name} are not ascending rows of the model")
    return rows


def _take_ids(tensors: Tensors, name: str) -> np.ndarray:
    if name in tensors:
        ids = _take(tensors, name, np.int64)
    else:
        text = _take(tensors, f"{name}.utf8", np.uint8).tobytes()
        offsets = _take_offsets(tensors, f"{name}.offsets", len(text)).tolist()
        ids = np.empty(len(offsets) - 1, dtype=object)
        ids[:] = [text[a:b].decode() for a, b in pairwise(offsets)]
    if len(ids) == 0:  # training always knows some
        raise ValueError(f"there are no {name}")
    if not (ids[:-1] < ids[1:]).all():  # rows are found by bisection
        raise ValueError(f"{name} are not in ascending order")
    return ids


def _take_pairs(tensors: Tensors, name: str, n_users: int, n_items: int) -> CompressedRows | None:
    if f"{name}.indptr" not in tensors:
        return None
    items = _take(tensors, f"{name}.items", np.int32)
    indptr = _take_offsets(tensors, f"{name}.indptr", len(items))
    if len(indptr) != n_users + 1:
        raise ValueError(f"{name}.indptr is for {len(indptr) - 1:,} users, not {n_users:,}")
    if len(items) and not 0 <= items.min() <= items.max() < n_items:
        raise ValueError(f"{name}.items holds items that do not exist")
    return CompressedRows(indptr, items)


def _take_offsets(tensors: Tensors, name: str, end: int) -> np.ndarray:
    """Positions where parts begin, and where the last one ends; kernels follow them unchecked."""
    offsets = _take(tensors, name, np.int64)
    # Ordered by comparison: a difference of huge numbers overflows to any sign.
    ordered = (offsets[:-1] <= offsets[1:]).all()
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != end or not ordered:
        raise ValueError(f"{name} does not cut {end:,} values into parts")
    return offsets


def _digest(tensors: Tensors, info: Plain) -> str:
    digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


# The format: 8 bytes with the header's length, the header in JSON, the data.
# https://github.com/huggingface/safetensors#format
DTYPES = {"I64": "<i8", "F64": "<f8", "F32": "<f4", "I32": "<i4", "I8": "|i1", "U8": "|u1"}
"""Names of types in a header, in the order in which their tensors are written: aligned."""


def _write_tensors(file: BinaryIO, tensors: Tensors, metadata: dict[str, str]) -> None:
    """Write a safetensors file, into the file that is open, and byte for byte as they do.

    The library's own function writes to a file of another name, which it leaves when it is killed.
    """
    names = {np.dtype(dtype): (place, name) for place, (name, dtype) in enumerate(DTYPES.items())}
    ordered = sorted(tensors.items(), key=lambda item: (names[item[1].dtype], item[0]))
    header: Plain = {"__metadata__": metadata}
    start = 0
    for name, array in ordered:
        stop = start + array.nbytes
        entry = {"dtype": names[array.dtype][1], "shape": array.shape}
        header[name] = entry | {"data_offsets": [start, stop]}
        start = stop
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)
    file.write(len(encoded).to_bytes(8, "little") + encoded)
    for _, array in ordered:
        file.write(array.reshape(-1).view(np.uint8).data)


def _map_tensors(raw: np.ndarray) -> Tensors:
    """All tensors as views of a map of the file; `safe_open` has checked the layout."""
    header_length = int(raw[:8].view("<u8")[0])
    header = json.loads(raw[8 : 8 + header_length].tobytes())
    data = raw[8 + header_length :]
    return {
        name: data[slice(*entry["data_offsets"])]
        .view(DTYPES[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }
