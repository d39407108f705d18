"""Small models, their files, and what a careful person could make of these."""

import hashlib
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from funksvd import ModelFileError
from funksvd.learned import LearnedRatings, storage
from funksvd.learned.storage import Part, SavedModel, read_model
from funksvd.ratings.compressed import CompressedRows

FILES = Path(__file__).parent / "files"
INTEGER_IDS = (np.array([-5, 3, 2**62]), np.array([0, 7, 8, 900]))
TEXT_IDS = (
    np.array(["007", "a b", "żółw"], dtype=object),
    np.array(["7", "x,y", "千と千尋", "🎬"], dtype=object),
)


def small_model(ids=INTEGER_IDS, seen=True, **more):
    """Three users, four items, two factors."""
    generator = np.random.default_rng(0)
    shapes = ((3,), (4,), (3, 2), (4, 2))
    arrays = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
    learned = LearnedRatings(3.5, *arrays, **more)
    pairs = (None, None)
    if seen:
        users, items = np.array([0, 0, 2], np.int32), np.array([1, 3, 0], np.int32)
        nobody = np.array([], np.int32)
        pairs = (
            CompressedRows.from_pairs(users, items, 3),
            CompressedRows.from_pairs(nobody, nobody, 3),
        )
    info = {"rating_scale": [1.0, 5.0], "history": [0.1, None], "name": "é"}
    part = Part(info, learned.tensors())
    return SavedModel(*ids, *pairs, {"n_ratings": 3, "é": None}, {"rating": part})


def read(path):
    """The content of a model file, and what was learned, as `FunkSVD.load` gets them."""
    saved = read_model(path, kinds={"rating"})
    with storage.telling_of_damage(path):
        shape = len(saved.user_ids), len(saved.item_ids)
        return saved, LearnedRatings.from_tensors(saved.parts["rating"].tensors, *shape)


def message_of(path):
    """The message of the one error that reading the file is allowed to raise."""
    with pytest.raises(ModelFileError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    return message


def info_of(path):
    """The metadata of the file."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["funksvd"])


def write_altered(path, tensors=None, info=None, drop=(), part=None):
    """Write the file again with some tensors and entries replaced, and a checksum that fits.

    `info` is of the whole file, `part` of its part "rating".
    """
    arrays = {**load_file(path), **(tensors or {})}
    arrays = {name: array for name, array in arrays.items() if name not in drop}
    plain = {**info_of(path), **(info or {})}
    if "parts" in plain and not (info and "parts" in info):
        plain["parts"]["rating"] |= part or {}
        rating = plain["parts"]["rating"].items()
        plain["parts"]["rating"] = {name: value for name, value in rating if name not in drop}
    plain = {name: value for name, value in plain.items() if name not in {"sha256", *drop}}
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    plain["sha256"] = digest.hexdigest()
    save_file(arrays, path, {"funksvd": json.dumps(plain, sort_keys=True)})


DRAWS = {
    "rating.draws.global_means": np.array([3.5, 3.6]),
    "rating.draws.user_biases": np.zeros((3, 2), np.float32),
    "rating.draws.item_biases": np.zeros((4, 2), np.float32),
    "rating.draws.user_factors": np.ones((3, 3, 2), np.int8),
    "rating.draws.item_factors": np.full((4, 3, 2), -1, np.int8),
    "rating.draws.scales": np.ones((3, 2)),
}


INT64_MAX = 2**63 - 1
MALICIOUS = {
    "indptr beyond the items": {"seen.indptr": np.array([0, 10**6, 10**6, 3])},
    "indptr ends beyond the items": {"seen.indptr": np.array([0, 2, 2, 1000])},
    "indptr backwards": {"seen.indptr": np.array([0, 3, 2, 3])},
    "indptr negative": {"seen.indptr": np.array([0, -1, 2, 3])},
    "indptr does not start at 0": {"seen.indptr": np.array([1, 2, 2, 3])},
    "indptr whose differences overflow": {
        "seen.indptr": np.array([0, INT64_MAX, -2, 3]),
    },
    "indptr too short": {"seen.indptr": np.array([0, 3])},
    "indptr empty": {"seen.indptr": np.array([], np.int64)},
    "indptr of floats": {"seen.indptr": np.array([0.0, 2, 2, 3])},
    "indptr of two dimensions": {"seen.indptr": np.array([[0], [2], [2], [3]])},
    "items beyond the items": {"seen.items": np.array([1, 4, 0], np.int32)},
    "items negative": {"held_out.items": np.array([-1], np.int32)},
    "items of another type": {"seen.items": np.array([1, 3, 0])},
    "offsets beyond the text": {"user_ids.offsets": np.array([0, 3, 6, 10**6])},
    "offsets backwards": {"user_ids.offsets": np.array([0, 13, 3, 13])},
    "offsets negative": {"user_ids.offsets": np.array([0, -2, 6, 13])},
    "offsets inside a character": {"user_ids.offsets": np.array([0, 3, 7, 13])},
    "offsets empty": {"user_ids.offsets": np.array([], np.int64)},
    "not UTF-8": {"user_ids.utf8": np.full(13, 0xFF, np.uint8)},
    "an id twice": {"user_ids": np.array([1, 1, 2])},
    "ids not ascending": {"user_ids": np.array([1, 3, 2])},
    "ids of floats": {"user_ids": np.array([1.0, 2.0, 3.0])},
    "ids of two dimensions": {"user_ids": np.array([[1], [2], [3]])},
    "too many ids": {"user_ids": np.arange(4)},
    "too few rows": {"rating.user_factors": np.zeros((2, 2), np.float32)},
    "factors of different length": {"rating.item_factors": np.zeros((4, 3), np.float32)},
    "factors of one dimension": {"rating.user_factors": np.zeros(6, np.float32)},
    "factors without dimension": {"rating.user_factors": np.zeros((), np.float32)},
    "factors in float64": {"rating.user_factors": np.zeros((3, 2))},
    "NaN among the factors": {"rating.item_factors": np.full((4, 2), np.nan, np.float32)},
    "infinity among the biases": {"rating.user_biases": np.array([0, np.inf, 0], np.float32)},
    "NaN as the mean": {"rating.global_mean": np.array([np.nan])},
    "no mean": {"rating.global_mean": np.array([])},
    "a mean without dimension": {"rating.global_mean": np.array(3.0)},
    "a mean of integers": {"rating.global_mean": np.array([3])},
    "more draws than factors": DRAWS | {"rating.draws.global_means": np.zeros(3)},
    "a single draw": DRAWS | {"rating.draws.global_means": np.zeros(1)},
    "no draws": DRAWS | {"rating.draws.global_means": np.zeros(0)},
    "draws of too few users": DRAWS | {"rating.draws.user_biases": np.zeros((2, 2), np.float32)},
    "draws in float64": DRAWS | {"rating.draws.item_biases": np.zeros((4, 2))},
    "NaN among the draws": DRAWS
    | {"rating.draws.user_biases": np.full((3, 2), np.nan, np.float32)},
    "draws without biases": {"rating.draws.global_means": np.array([1.0, 0.0])},
    "biases of draws without means": {"rating.draws.user_biases": np.zeros((3, 2), np.float32)},
    "a mean beyond float32": {"rating.global_mean": np.array([1e300])},
    "factors whose products overflow": {
        "rating.user_factors": np.full((3, 2), 1e20, np.float32),
        "rating.item_factors": np.full((4, 2), -1e20, np.float32),
    },
    "infinity among the means": DRAWS | {"rating.draws.global_means": np.array([np.inf, 0.0])},
}


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
