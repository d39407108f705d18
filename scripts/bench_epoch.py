"""Ratings per second in one epoch, by number of factors; LIBMF beside it, where there is one.

    python scripts/bench_epoch.py
    python scripts/bench_epoch.py ratings.csv --mf-train path/to/mf-train

Without a file, the data are random pairs of skewed activity and popularity. Planning and compiling
are not part of an epoch. LIBMF prints a line after each epoch; the time between two lines is taken.
The two take turns; medians are shown, and ratios of medians.

What was tried for the kernel, in million ratings per second on two cores with AVX-512 (10 million
ratings, 100,000 users, 10,000 items), so that nobody need try it again:

    factors                                                     16    32    64   128
    plain loops, strict arithmetic, four partial sums           37    23    16     9
    explicit 16-lane vectors, rows where they were              56    39    41    27
    and four users in turn                                      76    67    57    31
    vectors, a group's rows together (no shared cache lines)   131   116    93    71
    vectors, rows together, four users in turn                 316   251   196   107
    the same with 8 x 8 blocks instead of 4 x 4                255   217   167   102
    the same with 16 x 16 blocks                               224   192   140    81

Without renumbering the rows, two threads were slower than one: neighbouring rows belong to
different groups, and every write took a cache line away from the other thread.

On data of the Netflix Prize's shape (`make_large_data.py`), in million ratings per second of a
single thread's processor time, which is steadier:

    factors                                                     16    32    64   128
    8 x 8 blocks, rows of 16 bits                              172   148   111    63
    item rows prefetched 4 ratings ahead                       175   151   113    65
    item rows prefetched 8 ratings ahead                       175   151   114    66
    user rows too, 8 ratings ahead (in use)                    174   151   116    68
    4 x 4 blocks, rows of 32 bits, without prefetching         173   152   114    65
    4 x 4 blocks with prefetching                              179   157   120    71
    16 x 16 blocks with prefetching                            166   141   107    63

8 x 8 blocks are in use there: machines for data of that size have more than 4 processors.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from funksvd.ratings import read_ratings
from funksvd.rng import Stream, generator
from funksvd.training import (
    BlockPlan,
    Context,
    Hyperparameters,
    Triples,
    available_processors,
    plan_blocks,
)
from funksvd.training.executors import Threads
from funksvd.training.learners.base import Progress
from funksvd.training.learners.sgd import SGDLearner

LIBMF_EPOCHS = 5


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

    def __init__(self, plan: BlockPlan, n_factors: int, n_threads: int):
        hyperparameters = Hyperparameters(n_factors=n_factors).resolved()
        random = generator(0, Stream.TRAINING)
        self.learner = SGDLearner(Context(plan, hyperparameters, random, Threads(n_threads)))
        self.seconds()  # compiles

    def seconds(self) -> float:
        """Run one epoch; how long it took."""
        started = time.perf_counter()
        self.learner.run_epoch(Progress(lambda done: 0.005, lambda n_ratings: None))
        return time.perf_counter() - started


def libmf_seconds(mf_train: Path, text: Path, n_factors: int, n_threads: int) -> list[float]:
    """Seconds of each of LIBMF's epochs after the first."""
    options = f"-k {n_factors} -t {LIBMF_EPOCHS} -s {n_threads} -l2 0.05 -r 0.05".split()
    command = [mf_train, *options, text, text.with_suffix(".model")]
    ends = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.split()[:1] and line.split()[0].isdecimal():
                ends.append(time.perf_counter())
    if process.returncode or len(ends) != LIBMF_EPOCHS:
        raise SystemExit(f"{mf_train} failed")
    return np.diff(ends).tolist()


def read(arguments: argparse.Namespace) -> tuple[Triples, tuple[int, int]]:
    """The ratings, and how many users and items there are."""
    if arguments.ratings:
        ratings = read_ratings(arguments.ratings)
        triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
        return triples, (ratings.n_users, ratings.n_items)
    shape = (arguments.n_users, arguments.n_items)
    return make_triples(*shape, arguments.n_ratings), shape


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings", nargs="?", type=Path, help="a file of ratings")
    parser.add_argument("--n-users", type=int, default=100_000)
    parser.add_argument("--n-items", type=int, default=10_000)
    parser.add_argument("--n-ratings", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=available_processors())
    parser.add_argument("--factors", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--mf-train", type=Path, help="LIBMF's trainer, best its AVX build")
    arguments = parser.parse_args()
    triples, shape = read(arguments)
    n, n_threads = len(triples.values), arguments.threads
    print(f"{n:,} ratings, {shape[0]:,} users, {shape[1]:,} items, {n_threads} threads;")
    print(f"million ratings per second in an epoch, medians, {arguments.runs} runs in turn\n")
    print(f"{'factors':>7}{'funksvd':>10}{'LIBMF':>10}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "ratings.txt"
        if arguments.mf_train:
            columns = pa.table(list(triples), names=Triples._fields)
            layout = pacsv.WriteOptions(include_header=False, delimiter=" ")
            pacsv.write_csv(columns, text, layout)
        plan = plan_blocks(triples, shape, n_threads=n_threads)
        del triples
        for n_factors in arguments.factors:
            epochs = OurEpochs(plan, n_factors, n_threads)
            ours, theirs = [], []
            for _ in range(arguments.runs):
                ours += [epochs.seconds() for _ in range(3)]
                if arguments.mf_train:
                    theirs += libmf_seconds(arguments.mf_train, text, n_factors, n_threads)
            speed = n / np.median(ours) / 1e6
            row = f"{n_factors:7d}{speed:10.0f}"
            if theirs:
                other = n / np.median(theirs) / 1e6
                row += f"{other:10.0f}{speed / other:8.1f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
