"""The content of a model file: from what is saved to tensors and plain data, and back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from funksvd.errors import ModelFileError
from funksvd.learned.storage.damage import newer
from funksvd.learned.storage.layout import Plain, Tensors
from funksvd.parallel import count_values
from funksvd.ratings import CompressedRows

FORMAT_VERSION = 2
PART_VERSION = 1


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


def to_tensors(model: SavedModel) -> Tensors:
    """The tensors of a model, C-contiguous; those that are so already are not copied."""
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


def check_parts(path: Path, parts: dict[str, Plain], kinds: Collection[str]) -> None:
    """Refuse kinds and versions of parts that this program does not know.

    Raises
    ------
    ModelFileError
    """
    for kind, part in parts.items():
        if kind not in kinds:
            raise newer(path, f"a part of the kind {kind!r}")
        if (version := part.pop("version")) != PART_VERSION:
            raise newer(path, f"version {version} of the part {kind!r}")
    if not parts:
        known = " or ".join(map(repr, sorted(kinds)))
        raise ModelFileError(f"{path}: the model file has no part of the kind {known}")


def from_tensors(path: Path, tensors: Tensors, info: Plain) -> SavedModel:
    """The opposite of `to_tensors`, checked.

    Raises
    ------
    ModelFileError
        If there is a tensor that this program does not know.
    LookupError, TypeError, ValueError
        If one is missing, or makes no sense.
    """
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
        item_counts = count_values(seen.columns, len(item_ids))
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
