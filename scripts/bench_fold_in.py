"""How long it takes to fold in a new user, to recommend to them, and to explain it.

    python scripts/bench_fold_in.py --factors 64 --ratings 100

Parameters are random: the time does not depend on them. All of it is done on one thread, on raw
ids, as `FunkSVD.fold_in` and its relatives are called.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from funksvd import FunkSVD, Ratings


def model_of(n_items: int, n_factors: int, algorithm: str) -> FunkSVD:
    """A model with as many items."""
    at = np.arange(max(2 * n_items, 1000))
    ratings = Ratings.from_arrays(at % 50, at % n_items, 1 + at % 5)
    model = FunkSVD(algorithm, n_factors, n_epochs=1, validation_fraction=0, n_threads=1)
    return model.fit(ratings)


def median_ms(repeats: int, function: Callable, *arguments: Any) -> float:
    """Median time of a call in milliseconds, after one that is not counted."""
    function(*arguments)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def best_of(model: FunkSVD, me: Ratings) -> list:
    """The ten best items of someone new."""
    return model.for_new_users(me).recommend("me")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--factors", type=int, nargs="+", default=[16, 64, 128])
    parser.add_argument("--ratings", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--algorithm", default="sgd")
    parser.add_argument("--repeats", type=int, default=300)
    arguments = parser.parse_args()

    print("milliseconds (medians), one thread")
    print(f"{'factors':>8}{'ratings':>9}{'fold in':>10}{'+ 10 best':>11}{'explain 10':>12}")
    random = np.random.default_rng(0)
    for n_factors in arguments.factors:
        model = model_of(arguments.items, n_factors, arguments.algorithm)
        for n_ratings in arguments.ratings:
            rated = random.choice(model.item_ids, n_ratings, replace=False)
            values = random.integers(1, 6, n_ratings).astype(np.float32)
            me = Ratings.from_arrays(["me"] * n_ratings, rated, values)
            calls = (
                (model.fold_in, rated, values),
                (best_of, model, me),
                (model.explain, rated, values, model.item_ids[:10]),
            )
            times = [median_ms(arguments.repeats, *call) for call in calls]
            print(
                f"{n_factors:>8}{n_ratings:>9}{times[0]:>10.3f}{times[1]:>11.3f}{times[2]:>12.3f}"
            )


if __name__ == "__main__":
    main()
