"""Ratings per second in one epoch, by number of factors; LIBMF beside it, where there is one.

    python scripts/bench_epoch.py
    python scripts/bench_epoch.py --mf-train path/to/mf-train --n-ratings 20000000

The data are random pairs of skewed activity and popularity; planning and compiling are not part of
an epoch. LIBMF's figure is the difference between a long and a short run, divided by the number of
epochs between them. The two take turns; medians are shown, and ratios of medians.

What was tried for the kernel, in million ratings per second on two cores with AVX-512 (10 million
ratings, 100,000 users, 10,000 items), so that nobody need try it again:

    factors                                                     16    32    64   128
    plain loops, strict arithmetic, four partial sums           37    23    16     9
    explicit 16-lane vectors, rows where they were              56    39    41    27
    and four users in turn                                      76    67    57    31
    vectors, a group's rows together (no shared cache lines)   131   116    93    71
    vectors, rows together, four users in turn (in use)        316   251   196   107
    the same with 8 x 8 blocks instead of 4 x 4                255   217   167   102
    the same with 16 x 16 blocks                               224   192   140    81

Without renumbering the rows, two threads were slower than one: neighbouring rows belong to
different groups, and every write took a cache line away from the other thread.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from funksvd.streams import Stream, generator
from funksvd.training import Hyperparameters, Scale, Triples, available_processors, plan_blocks
from funksvd.training.loop import initial_parameters, run_epoch
from funksvd.training.scale import scaled_rates

SHORT, LONG = 2, 8  # epochs of LIBMF's two runs


def make_triples(n_users: int, n_items: int, n_ratings: int) -> Triples:
    """Distinct random pairs, most of them of few users and items, with random stars."""
    random = np.random.default_rng(0)
    n_drawn = int(n_ratings * 1.2)
    users = (n_users * random.random(n_drawn) ** 1.7).astype(np.int64)
    items = (n_items * random.random(n_drawn) ** 2.2).astype(np.int64)
    pairs = np.unique(users * n_items + items)
    pairs = random.permutation(pairs)[:n_ratings]
    users, items = np.divmod(pairs, n_items)
    stars = random.integers(1, 6, len(pairs)).astype(np.float32)
    return Triples(users.astype(np.int32), items.astype(np.int32), stars)


class OurEpochs:
    """Epochs of this package on one data set."""

    def __init__(self, triples: Triples, shape: tuple[int, int], n_factors: int, n_threads: int):
        self.hyperparameters = Hyperparameters(n_factors=n_factors)
        self.scale = Scale.of(triples.values, biases=True)
        self.plan = plan_blocks(*triples, shape)
        start = initial_parameters(
            triples, shape, self.hyperparameters, self.scale, generator(0, Stream.TRAINING)
        )
        self.parameters = self.plan.arranged(start)
        self.pool = ThreadPoolExecutor(n_threads)
        self.seconds()  # compiles

    def seconds(self) -> float:
        """Run one epoch; how long it took."""
        rates = scaled_rates(self.hyperparameters, 0.005, self.scale)
        strata = np.arange(self.plan.n_groups)
        started = time.perf_counter()
        run_epoch(self.parameters, self.plan, strata, rates, self.pool, lambda n: None)
        return time.perf_counter() - started


def libmf_seconds(mf_train: Path, text: Path, n_factors: int, n_threads: int) -> float:
    """Seconds per epoch of LIBMF."""
    took = []
    for n_epochs in (SHORT, LONG):
        options = f"--quiet -k {n_factors} -t {n_epochs} -s {n_threads} -l2 0.05 -r 0.05".split()
        started = time.perf_counter()
        subprocess.run([mf_train, *options, text, text.with_suffix(".model")], check=True)
        took.append(time.perf_counter() - started)
    return (took[1] - took[0]) / (LONG - SHORT)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-users", type=int, default=100_000)
    parser.add_argument("--n-items", type=int, default=10_000)
    parser.add_argument("--n-ratings", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=available_processors())
    parser.add_argument("--factors", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mf-train", type=Path, help="LIBMF's trainer, best its AVX build")
    arguments = parser.parse_args()
    shape = (arguments.n_users, arguments.n_items)
    triples = make_triples(*shape, arguments.n_ratings)
    n = len(triples.values)
    print(f"{n:,} ratings, {shape[0]:,} users, {shape[1]:,} items, {arguments.threads} threads;")
    print(f"million ratings per second in an epoch, medians of {arguments.runs} runs in turn\n")
    print(f"{'factors':>7}{'funksvd':>10}{'LIBMF':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "ratings.txt"
        if arguments.mf_train:
            np.savetxt(text, np.stack(triples, axis=1), fmt="%d")
        for n_factors in arguments.factors:
            epochs = OurEpochs(triples, shape, n_factors, arguments.threads)
            ours, theirs = [], []
            for _ in range(arguments.runs):
                ours.append(epochs.seconds())
                if arguments.mf_train:
                    theirs.append(
                        libmf_seconds(arguments.mf_train, text, n_factors, arguments.threads)
                    )
            speed = n / np.median(ours) / 1e6
            row = f"{n_factors:7d}{speed:10.0f}"
            if theirs:
                other = n / np.median(theirs) / 1e6
                row += f"{other:10.0f}{speed / other:8.1f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
