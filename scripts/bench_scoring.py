"""Seconds to find the ten best unseen items of many users; implicit beside it, where there is one.

    python scripts/bench_scoring.py
    python scripts/bench_scoring.py --peers-python path/to/python --n-users 480189

The factors are random, and so are the seen items, most of them popular ones. implicit knows no
biases, so those of the items are one more factor there. Its `recommend` uses as many threads, its
BLAS one in each of them, as its authors advise. The two take turns on the same arrays; medians are
shown, ratios of medians, and how many of the lists are the same: implicit's scores are rounded
otherwise, and where two are equal, it takes any.

What was tried, in seconds of one core (AVX-512) for 48,000 users, 17,770 items and 64 factors;
multiplying alone would take 0.66 at that core's measured peak:

    BLAS, then a heap for each row of scores                                           7.5
    own tiles of 12 users and 32 items in registers, compared with thresholds there    1.24
    and no arrays passed to functions with branches, which count references            0.96
    and a tile's sums written row by row, so that no register is spilled (in use)      0.89
    the same, with items in their own order instead of by descending bias              1.01

With AVX2 only, tiles of 4 users and 16 items do 77 GFLOP/s on that core, and of 12 and 32 only 42.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from funksvd.learned.scoring import best_items
from funksvd.objectives.parameters import Parameters
from funksvd.parallel import available_processors
from funksvd.ratings import CompressedRows

N_BEST = 10
WORKER = """
import sys, time
import numpy as np
import scipy.sparse
from implicit.cpu.matrix_factorization_base import MatrixFactorizationBase

class Model(MatrixFactorizationBase):
    def fit(self):
        pass
    def save(self):
        pass

arrays = np.load(sys.argv[1])
model = Model()
model.user_factors, model.item_factors = arrays["users"], arrays["items"]
shape = len(model.user_factors), len(model.item_factors)
ones = np.ones(len(arrays["seen"]), np.float32)
seen = scipy.sparse.csr_matrix((ones, arrays["seen"], arrays["indptr"]), shape=shape)
for line in sys.stdin:
    started = time.perf_counter()
    items, _ = model.recommend(np.arange(shape[0]), seen, N=int(line))
    print(time.perf_counter() - started, flush=True)
    np.save(sys.argv[2], items)
"""


def make_model(n_users: int, n_items: int, n_factors: int, n_seen: int) -> tuple:
    """Random parameters, and about `n_seen` seen items for each user."""
    random = np.random.default_rng(0)
    shapes = ((n_users,), (n_items,), (n_users, n_factors), (n_items, n_factors))
    spreads = (0.4, 0.45, 0.6 / n_factors**0.25, 1 / n_factors**0.25)
    parameters = Parameters(
        3.6,
        *(
            (spread * random.standard_normal(shape, dtype=np.float32))
            for spread, shape in zip(spreads, shapes, strict=True)
        ),
    )
    popular = np.argsort(-parameters.item_biases, kind="stable").astype(np.int32)
    users = np.repeat(np.arange(n_users, dtype=np.int32), n_seen)
    items = popular[(n_items * random.random(len(users), dtype=np.float32) ** 2).astype(np.int32)]
    return parameters, CompressedRows.from_pairs(
        users, items, n_users, n_threads=available_processors()
    )


class Implicit:
    """A process with the same arrays."""

    def __init__(
        self, python: Path, folder: str, parameters: Parameters, seen: CompressedRows
    ) -> None:
        arrays, self.found = Path(folder, "arrays.npz"), Path(folder, "found.npy")
        _, user_biases, item_biases, users, items = parameters
        users = np.column_stack([users, np.ones_like(user_biases)])
        items = np.column_stack([items, item_biases])
        np.savez(arrays, users=users, items=items, indptr=seen.indptr, seen=seen.columns)
        self.command = [python, "-c", WORKER, arrays, self.found]

    def start(self, n_threads: int) -> None:
        """Begin to listen."""
        environment = {"OMP_NUM_THREADS": str(n_threads), "OPENBLAS_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def seconds(self) -> float:
        """Recommend once; how long it took."""
        print(N_BEST, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def stop(self) -> np.ndarray:
        """End; what was found last."""
        self.process.communicate()
        return np.load(self.found)


def our_run(
    parameters: Parameters, seen: CompressedRows, n_threads: int
) -> tuple[float, np.ndarray]:
    """Seconds that it took, and its result."""
    started = time.perf_counter()
    users = np.arange(len(parameters.user_biases), dtype=np.int32)
    found = list(best_items(parameters, users, N_BEST, exclude=(seen,), n_threads=n_threads))
    return time.perf_counter() - started, np.concatenate([best.items for best in found])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-users", type=int, default=48_000)
    parser.add_argument("--n-items", type=int, default=17_770)
    parser.add_argument("--n-seen", type=int, default=200, help="items that each user has seen")
    parser.add_argument("--factors", type=int, nargs="+", default=[16, 64, 128])
    parser.add_argument("--threads", type=int, default=available_processors())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers-python", type=Path, help="an interpreter that has implicit")
    arguments = parser.parse_args()
    print(f"{arguments.n_users:,} users, {arguments.n_items:,} items, {arguments.threads} threads;")
    print(f"seconds to find the {N_BEST} best of each, medians of {arguments.runs} runs in turn\n")
    print(f"{'factors':>7}{'funksvd':>10}{'implicit':>10}{'ratio':>8}{'same lists':>13}")
    for n_factors in arguments.factors:
        model = make_model(arguments.n_users, arguments.n_items, n_factors, arguments.n_seen)
        our_run(*make_model(100, 100, n_factors, 1), arguments.threads)  # compiles
        ours, theirs, peer = [], [], None
        with tempfile.TemporaryDirectory() as folder:
            if arguments.peers_python:
                peer = Implicit(arguments.peers_python, folder, *model)
                peer.start(arguments.threads)
            for _ in range(arguments.runs):
                seconds, found = our_run(*model, arguments.threads)
                ours.append(seconds)
                if peer:
                    theirs.append(peer.seconds())
            row = f"{n_factors:7d}{np.median(ours):10.2f}"
            if peer:
                same = (found == peer.stop()).all(axis=1).mean()
                ratio = np.median(theirs) / np.median(ours)
                row += f"{np.median(theirs):10.2f}{ratio:8.1f}{same:13.2%}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
