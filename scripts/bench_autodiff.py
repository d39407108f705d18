"""Time reverse mode against one evaluation of the objective, and measure its memory.

The ratings are synthetic, NumPy evaluates, and `funksvd.objectives.plain.loss` itself is
differentiated. Runs alternate, so that a change of the machine's speed affects all alike; a ratio
compares medians of one run of this script.

    python scripts/bench_autodiff.py
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from funksvd.autodiff import value_and_grad
from funksvd.objectives import plain
from funksvd.objectives.parameters import Parameters, Regularization

N_USERS, N_ITEMS = 6_000, 4_000
REGULARIZATION = Regularization(0.05, 0.01)
LIMIT = 6.0
"""Largest time of reverse mode, in evaluations: the cheap gradient principle promises a few."""


def make_problem(n_ratings: int, n_factors: int, seed: int) -> tuple[Any, ...]:
    """Draw parameters and ratings, the arguments of `plain.loss`."""
    generator = np.random.default_rng(seed)
    shapes = [(N_USERS,), (N_ITEMS,), (N_USERS, n_factors), (N_ITEMS, n_factors)]
    parameters = Parameters(3.5, *(generator.normal(0, 0.1, shape) for shape in shapes))
    users = generator.integers(0, N_USERS, n_ratings)
    items = generator.integers(0, N_ITEMS, n_ratings)
    values = generator.uniform(1, 5, n_ratings)
    return parameters, users, items, values, REGULARIZATION


def seconds(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def peak_mib(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Peak memory of one call in MiB, without its arguments."""
    tracemalloc.start()
    function(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--n-ratings", type=int, default=100_000)
    parser.add_argument("--n-factors", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    problem = make_problem(options.n_ratings, options.n_factors, options.seed)
    reverse_mode = value_and_grad(plain.loss)
    functions = {
        "one evaluation": plain.loss,
        "derived by hand": plain.gradients,
        "reverse mode": reverse_mode,
    }

    ref = plain.gradients(*problem)
    comp = reverse_mode(*problem)[1]
    pairs = ((np.asarray(a), np.asarray(b)) for a, b in zip(ref, comp, strict=True))
    worst = max(np.abs(a - b).max() / np.abs(a).max() for a, b in pairs)

    # The calls above also had the system hand out the memory, which therefore is not timed.
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(options.repeats):
        for name, function in functions.items():
            times[name].append(seconds(function, problem))
    medians = {name: statistics.median(measured) for name, measured in times.items()}
    peaks = {name: peak_mib(function, problem) for name, function in functions.items()}

    print(
        f"{options.n_ratings:,} ratings, {N_USERS:,} users, {N_ITEMS:,} items, "
        f"{options.n_factors} factors; medians of {options.repeats} alternating runs"
    )
    print(f"{'':<16} {'ms':>8} {'ratio':>7} {'peak MiB':>9} {'ratio':>7}")
    base, base_peak = medians["one evaluation"], peaks["one evaluation"]
    for name in functions:
        print(
            f"{name:<16} {1000 * medians[name]:>8.1f} {medians[name] / base:>7.2f} "
            f"{peaks[name]:>9.0f} {peaks[name] / base_peak:>7.2f}"
        )
    print(f"largest difference between the two gradients, relative: {worst:.1e}")
    ratio = medians["reverse mode"] / base
    print(
        f"reverse mode / one evaluation: {ratio:.2f}, {'within' if ratio <= LIMIT else 'OVER'} "
        f"the limit of {LIMIT:g}"
    )


if __name__ == "__main__":
    main()
