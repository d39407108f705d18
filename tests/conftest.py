"""Fixtures for all tests."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from funksvd import Ratings, read_ratings

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Ctrl-C as in a person's terminal, for child processes too.

    A shell starts commands in the background with SIGINT ignored, and children inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the published data sets; without it the test is skipped."""
    folder = Path(os.environ.get("FUNKSVD_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ml-100k" / "u.data").is_file():
        pytest.skip(f"no MovieLens data in {folder}; set FUNKSVD_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def sample() -> Ratings:
    """The sample data that comes with the project."""
    return read_ratings(ROOT / "data" / "ratings.csv")


@pytest.fixture
def planted():
    """Make ratings with planted factors: `planted(n_users, n_items, rank, n_ratings, noise)`."""

    def make(n_users, n_items, rank, n_ratings, noise, seed=0):
        generator = np.random.default_rng(seed)
        pairs = generator.choice(n_users * n_items, n_ratings, replace=False)
        users, items = np.divmod(pairs, n_items)
        p = generator.normal(0, 1, (n_users, rank))
        q = generator.normal(0, 1 / np.sqrt(rank), (n_items, rank))
        biases = generator.normal(0, 0.3, n_users)[users] + generator.normal(0, 0.3, n_items)[items]
        targets = 3.0 + biases + (p[users] * q[items]).sum(axis=1)
        return Ratings.from_arrays(users, items, targets + generator.normal(0, noise, n_ratings))

    return make
