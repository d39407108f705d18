r"""What features of users and items, and the days of ratings, are worth; beside myFM.

    python scripts/bench_features.py ml-100k ml-latest-small --peers-python peers/bin/python

The first folder has MovieLens 100K's `u1.base`, `u1.test` to `u5.test`, `u.user` and `u.item`; the
second latest-small's `ratings.csv` and `movies.csv`. Three tables:

1.  RMSE on the test part of u1 to u5: each algorithm with its defaults, without and with features,
    without and with days of users.
2.  The same on a random tenth of latest-small, mean of three seeds; and on all ratings of a random
    tenth of its items, which training then has not seen. Beside these, the mean of the training
    ratings, and the mean and the user's bias.
3.  myFM on u1 and u2, of the peers' interpreter: users known by their ids, their items and their
    features, items likewise, the same columns of numbers as ours, 512 draws of rank 10.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_peers import MISSING, FailedError, machine, run, table

from funksvd import FunkSVD, FunkSVDError, Ratings, random_split, read_ratings
from funksvd.training import GivenFeatures

WORKERS = Path(__file__).with_name("feature_workers.py")
SEEDS = (0, 1, 2)
TENTH = 0.1


class Part(NamedTuple):
    """Ratings to learn from and to test on, and what is known besides."""

    training: Ratings
    test: Ratings
    features: dict[str, Path]


class Run(NamedTuple):
    """Error on a test part, and processor seconds of training."""

    rmse: float
    seconds: float


def rmse(predictions: Any, test: Ratings) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((predictions - test.values.astype(np.float64)) ** 2)))


def train(part: Part, algorithm: str, features: bool, days: bool, threads: int, seed: int) -> Run:
    """Train with defaults, and test."""
    model = FunkSVD(algorithm=algorithm, n_threads=threads, seed=seed, choice=False, days=days)
    started = time.process_time()
    model.fit(part.training, **(part.features if features else {}))
    seconds = time.process_time() - started
    evaluation = model.evaluate(part.test)
    return Run(evaluation.rmse, seconds)


VARIANTS = tuple(itertools.product((False, True), repeat=2))
"""Whether days of users are learned, and whether features are known."""


def named(algorithm: str, features: bool, days: bool) -> str:
    """A row's name."""
    return algorithm + ", features" * features + ", days" * days


def fold_rows(folder: Path, algorithms: Sequence[str], threads: int) -> list[dict[str, Any]]:
    """RMSE of each fold, and their mean."""
    features = {"user_features": folder / "u.user", "item_features": folder / "u.item"}
    parts = {
        f"u{k}": Part(
            read_ratings(folder / f"u{k}.base"), read_ratings(folder / f"u{k}.test"), features
        )
        for k in range(1, 6)
    }
    rows = []
    for algorithm in algorithms:
        for days, known in VARIANTS:
            runs = {
                name: train(part, algorithm, known, days, threads, seed=0)
                for name, part in parts.items()
            }
            mean = float(np.mean([each.rmse for each in runs.values()]))
            seconds = sum(each.seconds for each in runs.values()) / len(runs)
            errors = {name: each.rmse for name, each in runs.items()}
            rows.append({"name": named(algorithm, known, days), **errors} | {"mean": mean})
            rows[-1]["seconds"] = seconds
            print(rows[-1], file=sys.stderr, flush=True)
    return rows


def small_parts(folder: Path, seed: int) -> dict[str, Part]:
    """A random tenth of the ratings, and the ratings of a random tenth of the items."""
    ratings = read_ratings(folder / "ratings.csv")
    features = {"item_features": folder / "movies.csv"}
    training, test = random_split(ratings, TENTH, seed)
    n_out = ratings.n_items // 10
    out = np.random.default_rng(seed).permutation(ratings.n_items)[:n_out]
    is_out = np.isin(ratings.item_index, out)
    return {
        "tenth": Part(training, test, features),
        "unseen": Part(ratings.subset(~is_out).compact(), ratings.subset(is_out), features),
    }


def small_rows(folder: Path, algorithms: Sequence[str], threads: int) -> list[dict[str, Any]]:
    """RMSE on both parts, mean of the seeds, and relative to the same run without features."""
    parts = [small_parts(folder, seed) for seed in SEEDS]
    simple: dict[str, dict[str, list[float]]] = {"mean": {}, "mean and user's bias": {}}
    for each in parts:
        for kind, part in each.items():
            mean = float(part.training.values.mean(dtype=np.float64))
            biases = FunkSVD(
                n_factors=1, n_epochs=30, reg=100.0, choice=False, days=False, n_threads=threads
            )
            biases.fit(part.training)
            users = biases.users.rows(part.test.user_ids[part.test.user_index])
            by_user = np.where(users >= 0, biases.global_mean + biases.user_biases[users], mean)
            low, high = biases.rating_scale
            errors = (rmse(mean, part.test), rmse(np.clip(by_user, low, high), part.test))
            for name, error in zip(simple, errors, strict=True):
                simple[name].setdefault(kind, []).append(error)
    rows = [
        {"name": name, **{kind: float(np.mean(errors)) for kind, errors in found.items()}}
        for name, found in simple.items()
    ]
    for algorithm in algorithms:
        plain: dict[str, float] = {}
        for days, known in VARIANTS:
            row: dict[str, Any] = {"name": named(algorithm, known, days)}
            seconds = []
            for kind in ("tenth", "unseen"):
                runs = [
                    train(each[kind], algorithm, known, days, threads, seed)
                    for seed, each in enumerate(parts)
                ]
                row[kind] = float(np.mean([each.rmse for each in runs]))
                plain.setdefault(kind, row[kind])
                row[f"{kind}_change"] = 100 * (row[kind] / plain[kind] - 1)
                seconds += [each.seconds for each in runs]
            row["seconds"] = float(np.mean(seconds))
            rows.append(row)
            print(row, file=sys.stderr, flush=True)
    return rows


def peer_rows(folder: Path, python: Path | None) -> list[dict[str, Any]]:
    """RMSE of myFM on u1 and u2, without and with features."""
    rows = []
    for features in (False, True):
        row: dict[str, Any] = {"name": "myFM, both sets" + ", features" * features}
        for fold in ("u1", "u2"):
            if python is None:
                return [{"name": "myFM", "note": MISSING}]
            training, test = (read_ratings(folder / f"{fold}.{end}") for end in ("base", "test"))
            whole = training.joined_with(test)
            given = GivenFeatures(folder / "u.user", folder / "u.item").encode(whole)
            is_test = np.arange(len(whole)) >= len(training)
            with tempfile.TemporaryDirectory() as made:
                np.savez(
                    path := Path(made, "part.npz"),
                    users=whole.user_index,
                    items=whole.item_index,
                    values=whole.values,
                    is_test=is_test,
                    of_users=given["user"] if features else np.empty((whole.n_users, 0)),
                    of_items=given["item"] if features else np.empty((whole.n_items, 0)),
                )
                found = run([python, WORKERS, path])
            row["version"], row[fold], row["seconds"] = found.output.split()
            row[fold], row["seconds"] = float(row[fold]), float(row["seconds"])
            print(row, file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def columns(*names: str) -> dict[str, tuple[str, str]]:
    """Labels and formats of a table of errors."""
    found = {"name": ("", "{}")}
    for name in names:
        form = "{:.4f}"
        if name == "seconds":
            form = "{:.1f}"
        elif name == "version":
            form = "{}"
        elif name.endswith("change"):
            form = "{:+.1f} %"
        found[name] = (name.replace("_", " "), form)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folds", type=Path, help="folder of MovieLens 100K")
    parser.add_argument("small", type=Path, help="folder of MovieLens latest-small")
    parser.add_argument(
        "--algorithms", nargs="+", default=["sgd", "svd++", "bayes++"], metavar="NAME"
    )
    parser.add_argument("--tables", nargs="+", type=int, default=[1, 2, 3], metavar="N")
    parser.add_argument("--peers-python", type=Path, help="interpreter that has myFM")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--markdown", action="store_true", help="tables for a README")
    given = parser.parse_args()
    print(f"{machine()}; {given.threads} threads")
    if 1 in given.tables:
        rows = fold_rows(given.folds, given.algorithms, given.threads)
        names = columns("u1", "u2", "u3", "u4", "u5", "mean", "seconds")
        print(f"\nu1 to u5\n\n{table(rows, names, given.markdown)}", flush=True)
    if 2 in given.tables:
        rows = small_rows(given.small, given.algorithms, given.threads)
        names = columns("tenth", "tenth_change", "unseen", "unseen_change", "seconds")
        print(f"\nlatest-small\n\n{table(rows, names, given.markdown)}", flush=True)
    if 3 in given.tables:
        rows = peer_rows(given.folds, given.peers_python)
        names = columns("version", "u1", "u2", "seconds")
        print(f"\nmyFM\n\n{table(rows, names, given.markdown)}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (FailedError, FunkSVDError) as error:
        sys.exit(f"Error: {error}")
