"""The model file: one safetensors file, nothing in it is ever executed.

Tensors
    user_biases, item_biases, user_factors, item_factors (float32), global_mean (float64, shape
    (1,)); user_ids and item_ids (int64) or, for text, user_ids.utf8 (uint8) with
    user_ids.offsets (int64), likewise for items; seen.indptr, seen.items: the pairs learned from;
    held_out.indptr, held_out.items: the pairs that were rated but set aside for the test;
    implicit_factors (float32): the y_j of SVD++; draws.global_means (float64), draws.user_biases
    and draws.item_biases (float32): what `Draws` has, for models that know how sure they are.
Metadata
    One entry, `funksvd`: JSON with the format version, the hyperparameters, the rating scale, the
    history, where the ratings came from, and a SHA-256 digest of all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from funksvd.atomic import replacing
from funksvd.errors import ModelFileError, ModelWriteError
from funksvd.learned.scoring import Draws
from funksvd.objectives.parameters import Parameters
from funksvd.ratings.compressed import CompressedRows

FORMAT_VERSION = 1
METADATA_KEY = "funksvd"
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading a file of the right kind with the wrong content comes to."""


@dataclass
class SavedModel:
    """What a model file holds.

    Parameters
    ----------
    parameters : Parameters
        float32.
    user_ids, item_ids : ndarray, int64 or object (str)
    seen, held_out : CompressedRows or None
    info : dict
        The JSON part, without format version and digest.
    implicit_factors : ndarray of shape (n_items, n_factors), float32, or None
    draws : Draws or None
    """

    parameters: Parameters
    user_ids: np.ndarray
    item_ids: np.ndarray
    seen: CompressedRows | None = None
    held_out: CompressedRows | None = None
    info: dict = field(default_factory=dict)
    implicit_factors: np.ndarray | None = None
    draws: Draws | None = None


def write_model(path: str | os.PathLike, model: SavedModel) -> None:
    """Write a model file; the same model gives the same bytes.

    Raises
    ------
    ModelWriteError
        If it cannot be written. A file that was there before is then untouched.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    tensors = _to_tensors(model)
    info = {"format_version": FORMAT_VERSION, **model.info}
    # NumPy's scalars come from parameter grids, such as scikit-learn's.
    info = json.loads(json.dumps(info, default=np.generic.item))
    info["sha256"] = _digest(tensors, info)
    metadata = {METADATA_KEY: json.dumps(info, sort_keys=True)}
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata)
    except (OSError, SafetensorError) as error:
        raise ModelWriteError(
            f"{path}: cannot write the model: {_reason(error)}; a file that was there before is "
            "untouched. Give another place with -o/--output"
        ) from error


def read_model(path: str | os.PathLike, *, in_memory: bool = False) -> SavedModel:
    """Read a model file, memory-mapped: pages of the factors are shared between processes.

    Parameters
    ----------
    path : path
    in_memory : bool
        Read it as a whole instead. A map changes with a file that is written over in place, and
        where that makes it shorter, even for a moment, reading the map ends the process.

    Raises
    ------
    ModelFileError
        If the file is missing, truncated, altered, of a later format or something else.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
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
                        raw = np.fromfile(file, dtype=np.uint8)
                    else:
                        raw = np.asarray(np.memmap(file, dtype=np.uint8, mode="c"))
                    break
    except OSError as error:
        raise ModelFileError(f"{path}: the file cannot be read: {_reason(error)}") from error
    except (SafetensorError, ValueError) as error:
        raise ModelFileError(
            f"{path}: not a model file, or one that was cut short ({error}); train one with "
            "`funksvd train RATINGS`, or restore a copy"
        ) from error
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not one written by funksvd")
    try:
        info = json.loads(metadata[METADATA_KEY])
        version = info.pop("format_version")
        if version != FORMAT_VERSION:
            raise ModelFileError(
                f"{path}: written in format {version}, but this version of funksvd reads format "
                f"{FORMAT_VERSION}; use the version that wrote it, or train again"
            )
        expected = info.pop("sha256")
        tensors = _map_tensors(raw)
        if _digest(tensors, {"format_version": version, **info}) != expected:
            raise altered(path, "its checksum does not match")
        return _from_tensors(tensors, info)
    except ModelFileError:
        raise
    except MALFORMED as error:
        raise altered(path, error) from error


def is_model_file(path: str | os.PathLike) -> bool:
    """Whether a file looks like one that funksvd has written, to judge by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    return b'"__metadata__"' in head and f'"{METADATA_KEY}"'.encode() in head


def altered(path: str | os.PathLike, why: str | Exception) -> ModelFileError:
    """The error for a file that funksvd has written, but not like this."""
    if isinstance(why, KeyError):
        why = f"{why} is missing"
    return ModelFileError(
        f"{path}: the model file is damaged or was altered ({why}); train again or restore a copy"
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _to_tensors(model: SavedModel) -> dict[str, np.ndarray]:
    tensors = dict(model.parameters._asdict())
    tensors["global_mean"] = np.array([model.parameters.global_mean], dtype=np.float64)
    for name, ids in (("user_ids", model.user_ids), ("item_ids", model.item_ids)):
        if ids.dtype.kind == "i":
            tensors[name] = ids
            continue
        encoded = [label.encode() for label in ids.tolist()]
        tensors[f"{name}.utf8"] = np.frombuffer(b"".join(encoded), dtype=np.uint8)
        tensors[f"{name}.offsets"] = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    for name, user_items in (("seen", model.seen), ("held_out", model.held_out)):
        if user_items is not None:
            tensors[f"{name}.indptr"] = user_items.indptr
            tensors[f"{name}.items"] = user_items.columns
    if model.implicit_factors is not None:
        tensors["implicit_factors"] = model.implicit_factors
    if model.draws is not None:
        tensors |= {f"draws.{name}": array for name, array in model.draws._asdict().items()}
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _from_tensors(tensors: dict[str, np.ndarray], info: dict) -> SavedModel:
    user_ids, item_ids = _read_ids(tensors, "user_ids"), _read_ids(tensors, "item_ids")
    n_users, n_items = len(user_ids), len(item_ids)
    n_factors = tensors["user_factors"].shape[-1]
    shapes = ((1,), (n_users,), (n_items,), (n_users, n_factors), (n_items, n_factors))
    arrays = [
        _expect_finite(tensors, name, np.float64 if name == "global_mean" else np.float32, shape)
        for name, shape in zip(Parameters._fields, shapes, strict=True)
    ]
    implicit_factors = None
    if "implicit_factors" in tensors:
        implicit_factors = _expect_finite(tensors, "implicit_factors", np.float32, shapes[-1])
    return SavedModel(
        Parameters(float(arrays[0][0]), *arrays[1:]),
        user_ids,
        item_ids,
        _read_user_items(tensors, "seen", n_users, n_items),
        _read_user_items(tensors, "held_out", n_users, n_items),
        info,
        implicit_factors,
        _read_draws(tensors, n_users, n_items, n_factors),
    )


def _expect(
    tensors: dict[str, np.ndarray], name: str, dtype: type, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    """A tensor of that kind and shape, or any one-dimensional one; kernels rely on it."""
    array = tensors[name]
    if array.dtype != dtype or not array.flags.aligned:
        raise ValueError(f"{name} is not an aligned array of {np.dtype(dtype)}")
    if array.ndim != 1 if shape is None else array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}, not {shape or 'one dimension'}")
    return array


def _expect_finite(
    tensors: dict[str, np.ndarray], name: str, dtype: type, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    array = _expect(tensors, name, dtype, shape)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds values that are not finite")
    return array


def _read_draws(
    tensors: dict[str, np.ndarray], n_users: int, n_items: int, n_factors: int
) -> Draws | None:
    if "draws.global_means" not in tensors:
        return None
    means = _expect_finite(tensors, "draws.global_means", np.float64)
    n_draws = len(means)
    if n_draws < 2 or n_factors % n_draws:
        raise ValueError(f"{n_factors} factors are not those of {n_draws} draws")
    shapes = {"user_biases": (n_users, n_draws), "item_biases": (n_items, n_draws)}
    biases = (
        _expect_finite(tensors, f"draws.{name}", np.float32, shape)
        for name, shape in shapes.items()
    )
    return Draws(means, *biases)


def _read_ids(tensors: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name in tensors:
        ids = _expect(tensors, name, np.int64)
    else:
        text = _expect(tensors, f"{name}.utf8", np.uint8).tobytes()
        offsets = _read_offsets(tensors, f"{name}.offsets", len(text)).tolist()
        ids = np.empty(len(offsets) - 1, dtype=object)
        ids[:] = [text[a:b].decode() for a, b in pairwise(offsets)]
    if not (ids[:-1] < ids[1:]).all():  # rows are found by bisection
        raise ValueError(f"{name} are not in ascending order")
    return ids


def _read_user_items(
    tensors: dict[str, np.ndarray], name: str, n_users: int, n_items: int
) -> CompressedRows | None:
    if f"{name}.indptr" not in tensors:
        return None
    items = _expect(tensors, f"{name}.items", np.int32)
    indptr = _read_offsets(tensors, f"{name}.indptr", len(items))
    if len(indptr) != n_users + 1:
        raise ValueError(f"{name}.indptr is for {len(indptr) - 1:,} users, not {n_users:,}")
    if len(items) and not 0 <= items.min() <= items.max() < n_items:
        raise ValueError(f"{name}.items holds items that do not exist")
    return CompressedRows(indptr, items)


def _read_offsets(tensors: dict[str, np.ndarray], name: str, end: int) -> np.ndarray:
    """Where parts begin, and where the last one ends; kernels follow them without any check."""
    offsets = _expect(tensors, name, np.int64)
    # Ordered by comparison: a difference of huge numbers overflows to any sign.
    ordered = (offsets[:-1] <= offsets[1:]).all()
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != end or not ordered:
        raise ValueError(f"{name} does not cut {end:,} values into parts")
    return offsets


def _digest(tensors: dict[str, np.ndarray], info: dict) -> str:
    digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _map_tensors(raw: np.ndarray) -> dict[str, np.ndarray]:
    """All tensors as views of a map of the file; `safe_open` has checked the layout.

    Format: 8 bytes with the header's length, the header in JSON, the data.
    https://github.com/huggingface/safetensors#format
    """
    header_length = int(raw[:8].view("<u8")[0])
    header = json.loads(raw[8 : 8 + header_length].tobytes())
    dtypes = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
    data = raw[8 + header_length :]
    return {
        name: data[slice(*entry["data_offsets"])]
        .view(dtypes[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }
