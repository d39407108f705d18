"""Time epochs of threads, shards and Ray's workers side by side, and what an empty step costs.

Every run learns the same model from the same ratings: by the plain trainer with one and two
threads, from shards in this process, and by one and two workers of Ray with one thread each. No
ratings are held back. The seconds are the median of all epochs but the first.

    python scripts/bench_cluster.py --ratings 5000000 --factors 64
    python scripts/bench_cluster.py ratings.parquet
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from funksvd import FunkSVD, Hyperparameters, Monitor, Shards, read_ratings
from funksvd.training import EpochRecord

EMPTY_STEPS = 300
"""Empty steps of all workers that are timed."""


class Epochs(Monitor):
    """Keeps the seconds of each epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def epoch_done(self, record: EpochRecord, is_best: bool) -> None:
        """Take note of an epoch."""
        self.seconds.append(record.seconds)

    @property
    def median(self) -> float:
        """Of all epochs but the first, in which code may be compiled and files are read."""
        return statistics.median(self.seconds[1:])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", help="ratings; by default some are made up")
    parser.add_argument("--ratings", type=int, default=2_000_000, help="to make up")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--groups", type=int, default=8)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(given.path or made_up(given.ratings, Path(folder)))
        report(path, given.factors, given.epochs, given.groups)


def made_up(n: int, folder: Path) -> Path:
    """A file of ratings by skewed users of skewed items."""
    random = np.random.default_rng(0)
    n_users, n_items = max(10, n // 100), max(10, n // 1000)
    table = pd.DataFrame(
        {
            "user": (n_users * random.random(n) ** 1.5).astype(np.int32),
            "item": (n_items * random.random(n) ** 2).astype(np.int32),
            "rating": random.integers(1, 11, n).astype(np.float32) / 2,
        }
    ).drop_duplicates(["user", "item"])
    path = folder / "ratings.parquet"
    table.to_parquet(path)
    return path


def report(path: Path, n_factors: int, n_epochs: int, n_groups: int) -> None:
    """Time all, and print a table."""
    chosen = {
        "n_factors": n_factors,
        "n_epochs": n_epochs,
        "n_groups": n_groups,
        "validation_fraction": 0.0,
        "choice": False,
        "days": False,
    }
    rows = []
    ratings = read_ratings([str(path)])
    for n_threads in (1, 2):
        epochs = Epochs()
        FunkSVD(**chosen, n_threads=n_threads).fit(ratings, monitor=epochs)
        rows.append((f"in memory, {counted(n_threads, 'thread')}", epochs.median, None))
    n_ratings = len(ratings)
    del ratings
    runs = {
        "shards, 1 worker in this process": {},
        "Ray, 1 worker, 1 thread": {"cluster": "local:1"},
        "Ray, 2 workers, 1 thread each": {"cluster": "local:2"},
    }
    for name, how in runs.items():
        epochs = Epochs()
        model = FunkSVD(**chosen, n_threads=1)
        with Shards([str(path)], Hyperparameters(**chosen, n_threads=1), **how) as shards:
            shards.fit(model, monitor=epochs)
            rows.append((name, epochs.median, empty_step(shards)))
    base = rows[0][1]
    print(f"{n_ratings:,} ratings, {n_factors} factors, {n_groups} groups, 1 epoch\n")
    print(f"{'':34}{'seconds':>9}{'M ratings/s':>13}{'ratio':>8}{'empty step, ms':>16}")
    for name, seconds, empty in rows:
        speed = n_ratings / seconds / 1e6
        ms = "" if empty is None else f"{1000 * empty:.2f}"
        print(f"{name:34}{seconds:9.3f}{speed:13.1f}{base / seconds:8.2f}{ms:>16}")


def empty_step(shards: Shards) -> float:
    """Seconds of a call of all workers that does nothing, and of waiting for it."""
    times = []
    for _ in range(EMPTY_STEPS):
        started = time.perf_counter()
        shards.gang.each("n_bytes")
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def counted(n: int, noun: str) -> str:
    """A number with its noun."""
    return f"{n} {noun}{'s' * (n != 1)}"


if __name__ == "__main__":
    main()
