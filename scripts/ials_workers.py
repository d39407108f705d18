"""What bench_ials.py has done by processes of its own, in our interpreter or in the peer's.

    python scripts/ials_workers.py NAME ARGUMENTS

calls the function of that name with a JSON object's values, and prints what it returns as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

SEED = 0
N_BEST = 10
N_TOPICS, TASTES, TASTE_STD = 64, 3, 1.5
ROUNDS = 8  # of drawing, after which some users still lack a few items
MOST_USERS = 20_000  # whose lists are looked at


def make(folder: str, n_users: int, n_items: int, n_pairs: int) -> dict[str, Any]:
    """Write pairs with planted tastes: train.csv, and a random tenth of them, test.npz.

    Of those in train.csv, a random tenth is also in valid.npz, and the rest in tune.csv. At least
    one pair of each user is there.

    Users are as active and items as popular as in the Netflix Prize's data
    (`make_large_data.py`). Each topic has its own popularity of each item, which is the item's
    times exp(N(0, TASTE_STD)); each user draws items from TASTES topics.
    """
    import pyarrow as pa
    import pyarrow.csv
    from make_large_data import ITEMS, USERS, spread, whole

    random = np.random.default_rng(SEED)
    activity = whole(spread(USERS, n_users, n_pairs, n_items / 2), n_pairs)
    popularity = random.permutation(spread(ITEMS, n_items, n_pairs, n_users / 2))
    random.shuffle(activity)
    tilted = popularity * np.exp(TASTE_STD * random.standard_normal((N_TOPICS, n_items)))
    upto = np.cumsum(tilted / tilted.sum(axis=1, keepdims=True), axis=1)
    topics = random.integers(N_TOPICS, size=(n_users, TASTES))
    users = items = np.empty(0, np.int64)
    for _ in range(ROUNDS):
        missing = activity - np.bincount(users, minlength=n_users)
        if not missing.any():
            break
        more = np.repeat(np.arange(n_users), 2 * missing)
        topic = topics[more, random.integers(TASTES, size=len(more))]
        drawn = np.empty(len(more), np.int64)
        for t in range(N_TOPICS):
            chosen = np.flatnonzero(topic == t)
            drawn[chosen] = np.searchsorted(upto[t, :-1], random.random(len(chosen)))
        users, items, place = _distinct(
            np.concatenate([users, more]), np.concatenate([items, drawn]), n_items
        )
        kept = place < activity[users]
        users, items, place = users[kept], items[kept], place[kept]
    part = np.where(place == 0, 1, random.random(len(users)))  # all users are known
    is_test, is_valid = part < 0.1, (part >= 0.1) & (part < 0.19)
    for name, chosen in {"train": ~is_test, "tune": ~is_test & ~is_valid}.items():
        table = pa.table([users[chosen], items[chosen]], names=["user", "item"])
        pyarrow.csv.write_csv(table, str(Path(folder, f"{name}.csv")))
    for name, chosen in {"test": is_test, "valid": is_valid}.items():
        np.savez(Path(folder, name), users=users[chosen], items=items[chosen])
    counts = np.bincount(items)
    return {
        "users": len(np.unique(users)),
        "items": len(np.unique(items)),
        "pairs": len(users),
        "median_of_item": float(np.median(counts)),
        "most_of_item": int(counts.max()),
    }


def _distinct(
    users: np.ndarray, items: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair where it comes first, by user, and its place among the user's."""
    _, at = np.unique(users * n_items + items, return_index=True)
    at.sort()
    at = at[np.argsort(users[at], kind="stable")]
    users, items = users[at], items[at]
    counts = np.bincount(users)
    return users, items, np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)


def _per_iteration(marks: list[float]) -> float:
    """Median of the processor seconds between the ends of iterations, thus without the first."""
    return statistics.median(b - a for a, b in pairwise(marks))


def ours_train(pairs: str, model: str, factors: int, iterations: int, n_threads: int) -> dict:
    """From CSV to a saved model."""
    from funksvd import FunkSVD, read_interactions
    from funksvd.training import Monitor

    marks: list[float] = []

    class Clock(Monitor):
        def epoch_done(self, record: Any, is_best: bool) -> None:
            marks.append(time.process_time())

    learner = FunkSVD(
        algorithm="ials",
        n_factors=factors,
        n_epochs=iterations,
        validation_fraction=0,
        n_threads=n_threads,
    )
    learner.fit(read_interactions(pairs), monitor=Clock())
    learner.save(model)
    return {"iteration": _per_iteration(marks)}


def ours_lists(model: str, users: np.ndarray) -> np.ndarray:
    """Each user's best unseen items."""
    from funksvd import FunkSVD

    found = FunkSVD.load(model)
    best = np.full((len(users), N_BEST), -1)
    for batch in found.recommend_all(users, n=N_BEST):
        best[np.searchsorted(users, batch["user"]), batch["rank"] - 1] = batch["item"]
    return best


def implicit_train(
    pairs: str,
    model: str,
    factors: int,
    iterations: int,
    n_threads: int,
    use_cg: bool,
    alpha: float,
    reg: float,
) -> dict:
    """From CSV to a saved model."""
    from implicit.cpu.als import AlternatingLeastSquares

    marks: list[float] = []
    learner = AlternatingLeastSquares(
        factors=factors,
        regularization=reg,
        alpha=alpha,
        iterations=iterations,
        use_cg=use_cg,
        num_threads=n_threads,
        random_state=SEED,
    )
    learner.fit(
        _matrix(pairs),
        show_progress=False,
        callback=lambda *_: marks.append(time.process_time()),
    )
    learner.save(model)
    return {"iteration": _per_iteration(marks)}


def implicit_lists(model: str, users: np.ndarray, pairs: str) -> np.ndarray:
    """Each user's best unseen items."""
    from implicit.cpu.als import AlternatingLeastSquares

    matrix = _matrix(pairs)
    best, _ = AlternatingLeastSquares.load(model).recommend(users, matrix[users], N=N_BEST)
    return best


def _matrix(pairs: str) -> Any:
    """Pairs as implicit wants them."""
    import pandas as pd
    from scipy.sparse import csr_matrix

    table = pd.read_csv(pairs, dtype=np.int32)
    return csr_matrix((np.ones(len(table), np.float32), (table["user"], table["item"])))


def ndcg(whose: str, model: str, test: str, pairs: str) -> float:
    """NDCG of the ten best unseen items, mean over (at most 20,000) users of the test part."""
    found = np.load(test)
    users, n_relevant = np.unique(found["users"], return_counts=True)
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(users))[:MOST_USERS])
    users, n_relevant = users[chosen].astype(np.int64), n_relevant[chosen]
    best = ours_lists(model, users) if whose == "ours" else implicit_lists(model, users, pairs)
    width = 1 + max(int(found["items"].max()), int(best.max()))
    relevant = found["users"].astype(np.int64) * width + found["items"]
    hits = np.isin(users[:, None] * width + best, relevant) & (best >= 0)
    gains = 1 / np.log2(np.arange(2, N_BEST + 2))
    return float((hits @ gains / np.cumsum(gains)[np.minimum(n_relevant, N_BEST) - 1]).mean())


def versions() -> dict[str, str]:
    """What the interpreter has."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("funksvd", "implicit"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
