"""Seed in, same bits out: whatever the number of threads, in any process."""

import os
import platform
import subprocess
import sys

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__

TRAIN = """
import sys
from funksvd import FunkSVD, read_ratings
source, path, n_threads, seed = sys.argv[1:]
ratings = read_ratings(source)
for algorithm, n_factors in (("sgd", 20), ("bayes++", 20), ("incremental", 3)):
    model = FunkSVD(algorithm=algorithm, n_factors=n_factors, n_epochs=8, n_threads=int(n_threads))
    model.set_params(seed=int(seed)).fit(ratings).save(f"{path}.{algorithm}")
    if algorithm == "sgd":
        model.for_new_users(ratings).save(path + ".new-users")
"""


@pytest.fixture(scope="module")
def train_elsewhere(root, tmp_path_factory):
    """The bytes of the model files that another process has written; new users are folded in."""

    def train(n_threads, seed=0, processor=None):
        environment = dict(os.environ)
        if processor:
            environment |= {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
        if processor == "x86-64-v2":  # NumPy chooses at run time among all of these
            environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(__cpu_dispatch__)
        path = tmp_path_factory.mktemp("model") / "model.funksvd"
        arguments = [root / "data" / "ratings.csv", path, n_threads, seed]
        subprocess.run(
            [sys.executable, "-c", TRAIN, *map(str, arguments)],
            check=True,
            cwd=path.parent,
            env=environment,
        )
        return [file.read_bytes() for file in sorted(path.parent.iterdir())]

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
    for comp, ref in zip(train_elsewhere(1, seed=1), reference, strict=True):
        assert comp != ref


@pytest.mark.skipif(platform.machine() != "x86_64", reason="these are names of x86-64 processors")
@pytest.mark.parametrize("processor", ["x86-64-v2", "haswell", "skylake-avx512"])
def test_same_bytes_on_every_processor(train_elsewhere, reference, processor):
    """With and without AVX-512, AVX2 and fused multiply-add; the reference is this one's own."""
    if processor == "skylake-avx512" and "avx512f" not in processor_features():
        pytest.skip("this processor has no AVX-512")
    assert train_elsewhere(2, processor=processor) == reference


def processor_features():
    from llvmlite import binding

    return {name for name, has in binding.get_host_cpu_features().items() if has}
