"""Seed in, same bits out: whatever the number of threads, in any process."""

import subprocess
import sys

import pytest

TRAIN = """
import sys
from funksvd import FunkSVD, read_ratings
source, path, n_threads, seed = sys.argv[1:]
FunkSVD(n_factors=20, n_epochs=8, n_threads=int(n_threads), seed=int(seed)).fit(
    read_ratings(source)
).save(path)
"""


@pytest.fixture(scope="module")
def train_elsewhere(root, tmp_path_factory):
    """The bytes of a model file that another process has written."""

    def train(n_threads, seed=0):
        path = tmp_path_factory.mktemp("model") / "model.funksvd"
        arguments = [str(root / "data" / "ratings.csv"), str(path), str(n_threads), str(seed)]
        subprocess.run([sys.executable, "-c", TRAIN, *arguments], check=True, cwd=path.parent)
        return path.read_bytes()

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
    assert train_elsewhere(1, seed=1) != reference
