"""Seed in, same bits out: threads, processes, processors, C libraries, interpreters, NumPy."""

import hashlib
import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from numpy._core._multiarray_umath import __cpu_dispatch__

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
    "adam": "e5400a6cb4dca0bb",
    "bayes++": "71977f83137f0976",
    "choices-of-clicks": "d5c12b43aeae2f32",
    "choices-of-plays": "51e34c5fb62f8e61",
    "choices-of-ratings": "dbc1547567c12309",
    "ensemble": "31e7ee880a1cc334",
    "features": "ed3e9d64118f7c95",
    "folded-in": "c1a2d9b0d0e407b4",
    "incremental": "7599973ec1749d3e",
    "logistic": "b0efc58356a9891a",
    "sgd": "a6e2f89b171f274e",
    "svd++": "66230536e5864f63",
    "without-biases": "2e6fb7a4ba2ad7ac",
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
