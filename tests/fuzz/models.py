"""Model files that were changed in every way, with a checksum that is right again."""

from __future__ import annotations

import hashlib
import json
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from fuzz.mutations import mutated

from funksvd import FunkSVD, Interactions, Ratings, update
from funksvd.splitting import hold_out

CODES = {
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "int32": "I32",
    "int8": "I8",
    "uint8": "U8",
}
OTHER_CODES = (
    "F16",
    "BF16",
    "I16",
    "U16",
    "BOOL",
    "U32",
    "U64",
    "F8_E4M3",
    "C64",
    "X9",
    7,
    None,
)
KEY = "funksvd"


@dataclass
class Parsed:
    """A model file in its parts.

    Parameters
    ----------
    info : dict
        The JSON of its metadata, without the checksum.
    tensors : dict of str to ndarray
    """

    info: dict[str, Any]
    tensors: dict[str, np.ndarray]


def parse(data: bytes) -> Parsed:
    """The parts of a model file that is as it should be."""
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    info = json.loads(header.pop("__metadata__")[KEY])
    del info["sha256"]
    dtypes = {code: name for name, code in CODES.items()}
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        raw = data[8 + length + first : 8 + length + last]
        tensors[name] = np.frombuffer(raw, dtypes[entry["dtype"]]).reshape(entry["shape"]).copy()
    return Parsed(info, tensors)


def digest(parsed: Parsed) -> str:
    """The checksum that belongs to it."""
    found = hashlib.sha256(json.dumps(parsed.info, sort_keys=True).encode())
    for name in sorted(parsed.tensors):
        array = np.ascontiguousarray(parsed.tensors[name])
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def write(
    parsed: Parsed,
    alter_info: Callable[[str], str] = str,
    alter_header: Callable[[dict[str, Any]], None] = lambda header: None,
    pad: int = 8,
) -> bytes:
    """A model file of these parts, with the right checksum.

    Parameters
    ----------
    alter_info : callable
        Of the text of the metadata, after the checksum was made.
    alter_header : callable
        Changes the header of the file.
    pad : int
        The data begins at a multiple of this.
    """
    info = alter_info(json.dumps({**parsed.info, "sha256": digest(parsed)}, sort_keys=True))
    header: dict[str, Any] = {"__metadata__": {KEY: info}}
    at, parts = 0, []
    # Widest first, so that all are aligned.
    for name, array in sorted(parsed.tensors.items(), key=lambda each: -each[1].itemsize):
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": CODES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [at, at + len(raw)],
        }
        at += len(raw)
        parts.append(raw)
    alter_header(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % pad)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


# -- what is changed ------------------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 10**6, 2**31, 2**63, -(2**63), 10**30, 1e308, -1e308, 1e-320,
    0.5, float("nan"), float("inf"), -float("inf"), "", "x", "nan", "1", "\x00", "\ud800", "é" * 50,
    [], {}, [[]], [1], {"x": 1}, ["a", None], [[[[[]]]]], "sgd", "bayes", "svd++", "logistic", -0.0,
)  # fmt: skip
VERSIONS = (0, 1, 2, 3, -1, "[]", "{}", "null", "2.0", "1.0", "true", "1e999")
INTEGERS = (
    0,
    1,
    -1,
    2,
    5,
    9,
    10,
    12,
    127,
    255,
    3000,
    -5000,
    2**31 - 1,
    -(2**31),
    2**31,
    2**40,
    2**62,
    2**63 - 1,
    -(2**63),
)
FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    1e-38,
    1e-45,
    3e38,
    -3e38,
    1e20,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = (
        value.keys()
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    found = [path] if path else []
    for key in keys:
        found += _paths(value[key], (*path, key))
    return found


def _info(r: random.Random, parsed: Parsed) -> None:
    paths = _paths(parsed.info)
    short = [path for path in paths if "history" not in path] or paths
    path = r.choice(short if r.random() < 0.8 else paths)
    parent: Any = parsed.info
    for key in path[:-1]:
        parent = parent[key]
    choice = r.random()
    if choice < 0.15:
        del parent[path[-1]]
    elif choice < 0.25 and isinstance(parent, dict):
        parent[r.choice(("x", "", "n_factors", "rating", "choice", "version", "\u0000"))] = (
            r.choice(VALUES)
        )
    elif choice < 0.3 and isinstance(parent, list):
        parent.extend(parent[:] * r.choice((1, 3)))
    elif choice < 0.4:
        other = r.choice(paths)
        value: Any = parsed.info
        for key in other:
            value = value[key]
        parent[path[-1]] = json.loads(json.dumps(value))
    else:
        old = parent[path[-1]]
        parent[path[-1]] = r.choice(VALUES)
        if isinstance(old, (int, float)) and r.random() < 0.5:
            parent[path[-1]] = r.choice(
                (-old, old + 1, old * 2, old * 1000, old / 3, str(old), [old])
            )


def _tensor(r: random.Random, parsed: Parsed) -> None:
    tensors = parsed.tensors
    indices = [name for name in sorted(tensors) if not name.startswith("rating.")]
    name = r.choice(indices if indices and r.random() < 0.5 else sorted(tensors))
    array = tensors[name]
    choice = r.random()
    if choice < 0.5 and array.size:  # a few values
        flat = array.reshape(-1)
        for _ in range(r.choice((1, 1, 2, 5))):
            at = r.randrange(flat.size)
            with np.errstate(all="ignore"):
                value = r.choice(FLOATS if array.dtype.kind == "f" else INTEGERS)
                if r.random() < 0.3:
                    value = flat[r.randrange(flat.size)]
                flat[at] = np.array(value).astype(array.dtype)
    elif choice < 0.56:
        gone = r.randint(0, max(len(array) - 1, 0))
        tensors[name] = (
            array[:gone] if r.random() < 0.5 else np.delete(array, [gone][: len(array)], 0)
        )
    elif choice < 0.62:
        tensors[name] = np.concatenate([array, array[: r.randint(1, 3)]])
    elif choice < 0.68:
        shapes = [
            array.shape[::-1],
            (1, *array.shape),
            (array.size,),
            (array.size, 1),
            (0, *array.shape[1:]),
        ]
        tensors[name] = np.resize(array, r.choice(shapes))
    elif choice < 0.74:
        with np.errstate(all="ignore"):
            tensors[name] = array.astype(r.choice(list(CODES)))
    elif choice < 0.79:
        del tensors[name]
    elif choice < 0.83:
        new = r.choice(
            (
                "x",
                "rating.x",
                "user_ids",
                "seen.items",
                "held_out.indptr",
                "rating.draws.global_means",
                "",
            )
        )
        tensors[new] = tensors.pop(name) if r.random() < 0.5 else array
    elif choice < 0.88:
        other = r.choice(sorted(tensors))
        tensors[name], tensors[other] = tensors[other], array
    elif choice < 0.93:
        r.shuffle(order := list(range(len(array))))
        tensors[name] = array[order]
    elif array.size:
        raw = bytearray(array.tobytes())
        for _ in range(r.choice((1, 3, 20))):
            raw[r.randrange(len(raw))] = r.randrange(256)
        tensors[name] = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)


def _axes(r: random.Random, parsed: Parsed) -> None:
    """No users, no items, no factors or no pairs, consistently; or another number of factors."""
    tensors = parsed.tensors
    side = r.choice(("user", "item", "factors", "seen"))
    if side == "factors":
        k = r.choice((0, 1, 2, 5))
        for name in ("user_factors", "item_factors", "implicit_factors"):
            if (full := f"rating.{name}") in tensors:
                tensors[full] = np.resize(tensors[full], (len(tensors[full]), k))
        if r.random() < 0.7:
            parsed.info["parts"]["rating"]["hyperparameters"]["n_factors"] = k
        return
    if side == "seen":
        for name in ("seen.items", "held_out.items"):
            if name in tensors:
                tensors[name] = tensors[name][:0]
                tensors[name.replace("items", "indptr")][:] = 0
        return
    n = r.choice((0, 0, 1))
    ids = tensors.get(f"{side}_ids")
    if ids is not None:
        tensors[f"{side}_ids"] = ids[:n]
    else:
        offsets = tensors[f"{side}_ids.offsets"][: n + 1]
        tensors[f"{side}_ids.offsets"] = offsets
        tensors[f"{side}_ids.utf8"] = tensors[f"{side}_ids.utf8"][: int(offsets[-1])]
    for name in list(tensors):
        of_side = (
            ("user_factors", "user_biases")
            if side == "user"
            else ("item_factors", "item_biases", "implicit_factors")
        )
        if name.endswith(of_side):
            tensors[name] = tensors[name][:n]
    for name in ("seen", "held_out"):
        if f"{name}.indptr" not in tensors:
            continue
        indptr, items = tensors[f"{name}.indptr"], tensors[f"{name}.items"]
        if side == "user":
            tensors[f"{name}.indptr"] = indptr[: n + 1]
            tensors[f"{name}.items"] = items[: int(indptr[n])]
        else:
            keep = items < n
            counts = [int(keep[a:b].sum()) for a, b in pairwise(indptr)]
            tensors[f"{name}.indptr"] = np.cumsum([0, *counts], dtype=np.int64)
            tensors[f"{name}.items"] = items[keep]


def _alter_info(r: random.Random) -> Callable[[str], str]:
    """A change of the text of the metadata itself."""

    def alter(text: str) -> str:
        at = r.randrange(len(text))
        return r.choice(
            (
                text[:1] + '"format_version": 2, ' + text[1:],
                text[:1] + f'"x": {"[" * 100_000}, ' + text[1:],
                text[:1] + f'"x": {"9" * 5000}, ' + text[1:],
                text[:1] + '"n_ratings": -1, ' + text[1:],
                text.replace('"format_version": 2', f'"format_version": {r.choice(VERSIONS)}'),
                text.replace('"version": 1', f'"version": {r.choice(VERSIONS)}'),
                text[:at] + text[at + 1 :],
                text[:at] + r.choice('{}[]",:0x\\\u0000\ud800') + text[at:],
                "",
                "[]",
                "null",
                "7",
            )
        )

    return alter


def _alter_header(r: random.Random) -> Callable[[dict[str, Any]], None]:
    """A change of the header of the file: types, shapes and places of tensors."""

    def alter(header: dict[str, Any]) -> None:
        name = r.choice([name for name in header if name != "__metadata__"])
        entry = header[name]
        choice = r.randrange(7)
        if choice == 0:
            entry["dtype"] = r.choice((*CODES.values(), *OTHER_CODES))
        elif choice == 1:
            entry["shape"] = r.choice(
                (
                    [],
                    [0],
                    [-1],
                    [1],
                    [2**63],
                    [2**32, 2**32],
                    [2**62, 0],
                    [1.5],
                    ["1"],
                    None,
                    entry["shape"][::-1],
                    [*entry["shape"], 1],
                    [1, *entry["shape"]],
                )
            )
        elif choice == 2:
            first, last = entry["data_offsets"]
            entry["data_offsets"] = r.choice(
                (
                    [0, last],
                    [first, last + 8],
                    [last, first],
                    [-8, last],
                    [first + 1, last + 1],
                    [2**63, 2**64 - 1],
                    [0, 0],
                    [first],
                    None,
                    [first, last, last],
                )
            )
        elif choice == 3:
            header[r.choice(("x", "__metadata__", "", "rating.x", "user_ids"))] = dict(entry)
        elif choice == 4:
            header["__metadata__"][r.choice(("x", KEY))] = r.choice(("", "{}", "é", None, 7, []))
        elif choice == 5:
            del header[name]
        else:
            other = r.choice([each for each in header if each != "__metadata__"])
            header[name], header[other] = header[other], entry

    return alter


def mutate(r: random.Random, base: bytes, other: bytes) -> tuple[bytes, str]:
    """A changed model file, and what was done to it."""
    choice = r.random()
    if choice < 0.1:
        return mutated(r, base, other if r.random() < 0.1 else b""), "bytes"
    parsed = parse(base)
    if choice < 0.2:
        return write(parsed, alter_info=_alter_info(r)), "text of the metadata"
    if choice < 0.3:
        return write(parsed, alter_header=_alter_header(r), pad=r.choice((8, 1))), "header"
    steps = []
    for _ in range(r.choice((1, 1, 1, 2, 3))):
        step = r.choice((_info, _info, _tensor, _tensor, _tensor, _axes))
        try:
            step(r, parsed)
        except (KeyError, IndexError, ValueError, TypeError):  # nothing left of that kind
            continue
        steps.append(step.__name__.strip("_"))
    try:
        return write(parsed), ", ".join(steps)
    except (UnicodeEncodeError, KeyError):
        return base, "nothing"


# -- models to begin with ------------------------------------------------------------------------

SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "sgd, no biases": {"biases": False, "nonnegative": True},
    "sgd, ensemble": {"ensemble": 2},
    "sgd, huber": {"loss": "huber"},
    "sgd, momentum": {"optimizer": "momentum", "batch_size": 4},
    "svd++": {"algorithm": "svd++"},
    "bayes": {"algorithm": "bayes", "n_epochs": 8},
    "bayes++": {"algorithm": "bayes++", "n_epochs": 8},
    "incremental": {"algorithm": "incremental"},
    "features, sgd": {"validation_fraction": 0.5},
    "features, bayes++": {"algorithm": "bayes++", "n_epochs": 8},
    "features, ials": {"algorithm": "ials"},
    "logistic": {"loss": "logistic"},
    "no seen": {},
    "held out": {},
    "text": {},
    "updated": {},
    "no choice": {"choice": False},
    "choices of ratings": {"algorithm": "ials"},
    "counts": {"algorithm": "ials", "reg": 0.1},
    "clicks": {"algorithm": "ials", "validation_fraction": 0.0},
    "clicks, no seen": {"algorithm": "ials"},
}
"""Models that are changed, by name; the last ones are told apart by what is done after training."""


def _ratings(seed: int, *, liked: bool = False, text: bool = False) -> Ratings:
    generator = np.random.default_rng(seed)
    pairs = generator.choice(12 * 10, 60, replace=False)
    users, items = np.divmod(pairs, 10)
    values = generator.integers(0, 2, 60) if liked else generator.integers(1, 11, 60) / 2
    if text:
        names = np.array(["ann", "bob", "é", "漢字", "", "😀", *map(str, range(20))], dtype=object)
        names[4] = "x y"
        return Ratings.from_arrays(names[users], names[items], values)
    return Ratings.from_arrays(users, items * 1000, values)


USERS = {"user": list(range(15)), "age": list(range(20, 50, 2)), "on": ["2020-01-05"] * 15}
USERS["on"][:9] = [f"20{at:02}-07-0{at + 1}" for at in range(9)]
ITEMS = {
    "item": list(range(0, 13_000, 1000)),
    "kinds": ["a|b", "b", "c|a", ""] * 3 + ["d"],
    "zip": [f"{at % 3}5000" for at in range(13)],
    "new": [at % 2 for at in range(13)],
}
"""Features of more users and items than have ratings."""


def _with_days(ratings: Ratings) -> Ratings:
    """The same with timestamps, on days that are clearly alike."""
    days = ratings.item_index % 3
    values = np.clip(ratings.values + 2 * (days == ratings.user_index % 3) - 1, 0.5, 5)
    return replace(ratings, values=values, timestamps=(days + 15_000) * 86_400)


def base_models(folder: Path) -> dict[str, bytes]:
    """Small models of every kind, as files."""
    files = {}
    for name, chosen in SETTINGS.items():
        chosen = {"n_factors": 3, "n_epochs": 3, "validation_fraction": 0.2, **chosen}
        if chosen.get("algorithm", "sgd").startswith("bayes"):
            del chosen["validation_fraction"]
        text = name in ("text", "svd++", "counts")
        ratings: Ratings | Interactions = _ratings(len(files), liked=name == "logistic", text=text)
        if name.startswith(("counts", "clicks")):
            pairs = (ratings.users, ratings.items, ratings.user_index, ratings.item_index)
            weights = ratings.values if name == "counts" else None
            ratings = Interactions(*pairs, weights=weights)
        model = FunkSVD(**chosen)
        if name.startswith("features"):
            model.fit(_with_days(ratings), user_features=USERS, item_features=ITEMS)
        elif name == "held out":
            held = hold_out(ratings)
            model.fit(held.training)
            model.remember_origin(held)
        else:
            model.fit(ratings)
        if name == "updated":
            model = update(model, ratings)
        path = folder / "base.funksvd"
        model.save(path, with_seen="no seen" not in name)
        files[name] = path.read_bytes()
    return files


def contents(data: bytes) -> bytes:
    """All that a model file says, however its header is written."""
    parsed = parse(data)
    return json.dumps(parsed.info, sort_keys=True).encode() + digest(parsed).encode()
