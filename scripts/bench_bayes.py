"""Bayesian SVD++ on planted ratings: error, time and memory by the number of factors.

    python scripts/bench_bayes.py                                  # a million ratings
    python scripts/bench_bayes.py --n-ratings 10000000 --factors 0 # 0: as many as the rule says

Ratings are made from factors whose spread falls as f^-0.7, biases, and noise that differs between
users and between items; who rates what depends on taste. A tenth of them is for the test. Each row
is a process of its own, which is measured after its kernels are compiled.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from typing import NamedTuple

import numpy as np

from funksvd import FunkSVD, Ratings

SHAPES = {100_000: (943, 1_682), 1_000_000: (6_040, 3_706), 10_000_000: (69_878, 10_677)}
"""Users and items of MovieLens' sets, by numbers of ratings."""
DECAY, FIRST = 0.7, 0.42


class Row(NamedTuple):
    """A line of the table; memory in MiB."""

    n_factors: int
    n_sweeps: int
    rmse: float
    processor_seconds: float
    seconds: float
    peak: float


def planted(n_ratings: int, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users, items and ratings, in random order; no pair repeats."""
    random = np.random.default_rng(seed)
    n_users, n_items = SHAPES[min(SHAPES, key=lambda n: abs(np.log(n / n_ratings)))]
    shares = []
    for n, spread in ((n_users, 1.0), (n_items, 1.3)):
        weights = np.exp(random.normal(0, spread, n))
        shares.append(np.cumsum(weights) / weights.sum())
    spectrum = np.sqrt(FIRST * np.arange(1, rank + 1) ** -DECAY)
    p, q = (
        (random.normal(size=(n, rank)) * spectrum).astype(np.float32) for n in (n_users, n_items)
    )
    codes = np.empty(0, np.int64)
    while len(codes) < n_ratings:
        pairs = [np.searchsorted(share, random.random(n_ratings)) for share in shares]
        tastes = np.concatenate(
            [
                np.einsum("nk,nk->n", p[users], q[items])
                for users, items in zip(*(np.array_split(each, 64) for each in pairs), strict=True)
            ]
        )
        taken = random.random(n_ratings) < 1 / (1 + np.exp(-1.5 * tastes))
        codes = np.unique(np.append(codes, (pairs[0] * n_items + pairs[1])[taken]))
    users, items = np.divmod(random.permutation(codes)[:n_ratings], n_items)
    scores = 3.5 + random.normal(0, 0.4, n_users)[users] + random.normal(0, 0.35, n_items)[items]
    for part in np.array_split(np.arange(n_ratings), 64):
        scores[part] += np.einsum("nk,nk->n", p[users[part]], q[items[part]])
    noise = np.exp(random.normal(0, 0.3, n_users))[users]
    noise *= np.exp(random.normal(0, 0.15, n_items))[items]
    values = scores + 0.75 * noise * random.normal(size=n_ratings)
    return users, items, np.clip(np.rint(values), 1, 5).astype(np.float32)


def measure(n_factors: int, chosen: argparse.Namespace) -> Row:
    """Train one model, and look at its test error."""
    users, items, values = planted(chosen.n_ratings, chosen.rank, chosen.seed)
    at = len(values) * 9 // 10
    training, test = (
        Ratings.from_arrays(users[part], items[part], values[part])
        for part in (slice(0, at), slice(at, None))
    )
    options = {"algorithm": "bayes++", "choice": False, "n_threads": chosen.threads}
    if n_factors:
        options["n_factors"] = n_factors
    few = training.subset(np.arange(len(training)) < 20_000)
    FunkSVD(**options, n_epochs=2).fit(few)  # compiles
    if chosen.n_epochs:
        options["n_epochs"] = chosen.n_epochs
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    model = FunkSVD(**options).fit(training)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Row(
        model.learned.n_factors_of_draw,
        len(model.training.history),
        -model.score(test),
        processor,
        seconds,
        after.ru_maxrss / 1024,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n-ratings", type=int, default=1_000_000)
    parser.add_argument("--rank", type=int, default=40, help="planted factors")
    parser.add_argument("--factors", type=int, nargs="+", default=[12, 14, 22, 30, 46, 0])
    parser.add_argument("--n-epochs", type=int, default=0, help="sweeps; 0: as many as are needed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print("factors  sweeps    RMSE  processor s  wall s  peak MiB")
    context = multiprocessing.get_context("spawn")
    for n_factors in chosen.factors:
        with context.Pool(1) as pool:
            row = pool.apply(measure, (n_factors, chosen))
        rule = "  (the rule)" if n_factors == 0 else ""
        print(
            f"{row.n_factors:7d}  {row.n_sweeps:6d}  {row.rmse:.4f}  {row.processor_seconds:11.1f}"
            f"  {row.seconds:6.1f}  {row.peak:8.0f}{rule}",
            flush=True,
        )


if __name__ == "__main__":
    main()
