"""Seed in, same bits out: threads, processes, processors, C libraries, interpreters, NumPy."""

import hashlib
import json
import os
import platform
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from numpy._core._multiarray_umath import __cpu_dispatch__

from funksvd import FunkSVD, hold_out, read_ratings
from funksvd.rng import DRAWN_AT_ONCE, gammas, normals

TRAIN = """
import sys
from funksvd import FunkSVD, Interactions, Ratings, read_ratings
source, path, n_threads, seed = sys.argv[1:]
ratings = read_ratings(source)
pairs = (ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index])
liked = Ratings.from_arrays(*pairs, (ratings.values >= 4).astype("float32"))
clicks = Interactions.from_arrays(*pairs)
plays = Interactions.from_arrays(*pairs, weights=1 + ratings.user_index * ratings.item_index % 97)
years = {"user": list(range(999)), "born": [1950 + at * at % 61 for at in range(999)]}
titles = source.replace("ratings.csv", "items.csv")
choices = {"algorithm": "ials", "n_factors": 20}
settings = {
    "sgd": {"n_factors": 20, "choice": True},
    "choices-of-ratings": choices,
    "choices-of-clicks": {**choices, "validation_fraction": 0.1, "n_factors": 48},
    "choices-of-plays": {**choices, "n_factors": 1, "reg": 0.01},
    "svd++": {"algorithm": "svd++"},
    "bayes++": {"algorithm": "bayes++", "n_factors": 20},
    "incremental": {"algorithm": "incremental", "n_factors": 3},
    "adam": {"optimizer": "adam", "batch_size": 500, "reg": 0.03},
    "without-biases": {"biases": False, "loss": "huber", "schedule": "plateau"},
    "ensemble": {"ensemble": 2, "ensemble_snapshots": True, "schedule": "cyclic-annealed"},
    "logistic": {"loss": "logistic", "learning_rate_decay": 0.9},
    "features": {"choice": True},
}
for name, chosen in settings.items():
    others = {} if chosen.get("algorithm") == "ials" else {"choice": False}
    model = FunkSVD(**{"n_factors": 8, "n_epochs": 8, **others, **chosen})
    model.set_params(n_threads=int(n_threads), seed=int(seed))
    data = {"logistic": liked, "choices-of-clicks": clicks, "choices-of-plays": plays}
    known = {"user_features": years, "item_features": titles} if name == "features" else {}
    model.fit(data.get(name, ratings), **known).save(f"{path}/{name}")
    if name == "sgd":
        model.for_new_users(ratings).save(f"{path}/folded-in")
"""

LEARNED = {
    "adam": "15318702035eef3a",
    "bayes++": "71977f83137f0976",
    "choices-of-clicks": "bdef24a42ee4b5cf",
    "choices-of-plays": "51e34c5fb62f8e61",
    "choices-of-ratings": "dbc1547567c12309",
    "ensemble": "b074b0870be5ec90",
    "features": "fa38504f199fbd5e",
    "folded-in": "5add125a055dd235",
    "incremental": "caa6a73ff375a522",
    "logistic": "575068dfc7e6ee32",
    "sgd": "51f5f6184d2d31e2",
    "svd++": "6367c0710fffd9e5",
    "without-biases": "5372c36246cd03b4",
}
"""Digests of what these models learn from data/ratings.csv with seed 0, on every platform."""

PROCESSORS = {
    "x86_64": {"x86-64-v2": None, "haswell": None, "skylake-avx512": "avx512f"},
    "aarch64": {"generic": None, "apple-m1": "dotprod", "neoverse-v1": "sve"},
}
"""Processors to compile for, the oldest first, and the feature that this one must have for it."""
MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())


@pytest.fixture(scope="module")
def train_elsewhere(root, tmp_path_factory):
    """The bytes of the model files that another process has written, by name."""

    def train(n_threads, seed=0, processor=None):
        environment = dict(os.environ)
        if processor:
            environment |= {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
        if processor in ("x86-64-v2", "generic"):  # NumPy chooses at run time among all of these
            environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(__cpu_dispatch__)
        path = tmp_path_factory.mktemp("models")
        arguments = [root / "data" / "ratings.csv", path, n_threads, seed]
        subprocess.run(
            [sys.executable, "-c", TRAIN, *map(str, arguments)],
            check=True,
            cwd=path,
            env=environment,
        )
        return {file.name: file.read_bytes() for file in sorted(path.iterdir())}

    return train


@pytest.fixture(scope="module")
def reference(train_elsewhere):
    return train_elsewhere(1)


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_same_bytes_for_any_number_of_threads_and_in_any_process(
    train_elsewhere, reference, n_threads
):
    assert train_elsewhere(n_threads) == reference


def test_another_seed_gives_another_model(train_elsewhere, reference):
    changed = train_elsewhere(1, seed=1)
    assert changed.keys() == reference.keys()
    assert not [name for name in changed if changed[name] == reference[name]]


@pytest.mark.parametrize("processor", PROCESSORS.get(MACHINE, {}))
def test_same_bytes_on_every_processor(train_elsewhere, reference, processor):
    """With and without wide vectors and fused multiply-add; the reference is this one's own."""
    needed = PROCESSORS[MACHINE][processor]
    if needed and needed not in processor_features():
        pytest.skip(f"this processor has no {needed}")
    assert train_elsewhere(2, processor=processor) == reference


def processor_features():
    from llvmlite import binding

    return {name for name, has in binding.get_host_cpu_features().items() if has}


def test_same_numbers_on_every_platform(reference):
    """A change that moves a learned number, or a platform that does, is found here."""
    assert {name: digest_of_learned(raw) for name, raw in reference.items()} == LEARNED


ORDERLESS = {
    "sgd": {"n_factors": 5, "choice": True},
    "search-only": {"n_factors": 5, "choice": False, "refit": False},
    "many-levels": {"n_factors": 5, "choice": False},
    "svd++": {"algorithm": "svd++", "n_factors": 3, "choice": False},
    "bayes++": {"algorithm": "bayes++", "n_factors": 3, "choice": False},
    "incremental": {"algorithm": "incremental", "n_factors": 2, "choice": False},
    "choices": {"algorithm": "ials", "n_factors": 5},
    "choices-search": {"algorithm": "ials", "n_factors": 5, "refit": False},
}


@pytest.mark.parametrize("name", ORDERLESS)
def test_the_order_of_rows_makes_no_difference_to_a_model_file(root, tmp_path, monkeypatch, name):
    """Parts, samples, fingerprints and all that is learned: the bytes are the same."""
    monkeypatch.setattr("funksvd.calibrating.MOST_CHECKED", 200)
    header, *rows = (root / "data" / "ratings.csv").read_text().splitlines()[:6001]
    if name == "many-levels":
        cells = [row.split(",") for row in rows]
        rows = [f"{u},{i},{float(r) + int(t) % 97 / 1000},{t}" for u, i, r, t in cells]
    found = []
    for folder in ("as-it-is", "shuffled"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path("ratings.csv").write_text("\n".join([header, *rows]) + "\n")
        holdout = hold_out(read_ratings("ratings.csv"))
        model = FunkSVD(**ORDERLESS[name], n_epochs=6).fit(holdout.training)
        model.remember_origin(holdout)
        model.save("model")
        found.append(Path("model").read_bytes())
        random.Random(2).shuffle(rows)
    assert found[0] == found[1]


def digest_of_learned(raw):
    """Of the arrays of the parts, and the history, but not of the rest of a model file."""
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    (info,) = header["__metadata__"].values()
    parts = json.loads(info)["parts"]
    history = parts["rating" if "rating" in parts else "choice"]["history"]
    digest = hashlib.sha256(json.dumps(history).encode())
    for name, tensor in sorted(safetensors.numpy.load(raw).items()):
        if name.split(".")[0] in parts:
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return digest.hexdigest()[:16]


def test_normal_numbers_are_doubles_rounded_whatever_the_pieces():
    shape = (DRAWN_AT_ONCE // 100, 250)
    comp = normals(np.random.default_rng(3), shape)
    ref = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    assert comp.dtype == np.float32
    np.testing.assert_array_equal(comp, ref)
    assert normals(np.random.default_rng(3), 0).shape == (0,)


@pytest.mark.parametrize("shape", [1.0, 1.5, 7.0, 1e4])
def test_gamma_numbers_have_their_distribution(shape):
    from scipy import stats

    drawn = gammas(np.random.default_rng(0), np.full(20_000, shape))
    assert stats.kstest(drawn, stats.gamma(shape).cdf).pvalue > 0.01
    assert drawn.min() > 0


def test_gamma_numbers_follow_their_own_shapes_and_do_not_need_a_library_logarithm(monkeypatch):
    """Logarithms decide only: with their last bits changed, the same numbers come out."""
    shapes = np.tile([1.0, 30.0, 500.0], 3000)
    ref = gammas(np.random.default_rng(1), shapes)
    np.testing.assert_allclose([ref[f::3].mean() for f in range(3)], [1, 30, 500], rtol=0.05)
    log = np.log
    monkeypatch.setattr(np, "log", lambda x: np.nextafter(log(x), np.inf))
    np.testing.assert_array_equal(gammas(np.random.default_rng(1), shapes), ref)
