"""How good and how fast an update is, beside training anew.

    python scripts/bench_update.py ratings.csv --algorithm sgd

A tenth of the ratings is set aside for the test. A tenth of the others is new, the last in time or
at random: a model of the rest is updated with them, and another is trained on all.
"""

import argparse
import time

import numpy as np

from funksvd import FunkSVD, Ratings, random_split, read_ratings, update


def timed(function, *arguments):
    """Result of a function, and its seconds."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def compare(name: str, training: Ratings, is_new: np.ndarray, test: Ratings, options: dict) -> None:
    old = FunkSVD(**options).fit(training.subset(~is_new))
    updated, update_seconds = timed(update, old, training)
    anew, seconds = timed(FunkSVD(**options).fit, training)
    rmses = [-model.score(test) for model in (old, updated, anew)]
    print(
        f"{name:>10}{rmses[0]:>10.4f}{rmses[1]:>10.4f}{rmses[2]:>10.4f}"
        f"{rmses[1] / rmses[2] - 1:>+10.2%}{update_seconds:>10.2f}{seconds:>10.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings")
    parser.add_argument("--algorithm", default="sgd")
    parser.add_argument("--ensemble", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    training, test = random_split(read_ratings(arguments.ratings), 0.1, arguments.seed)
    options = {"algorithm": arguments.algorithm, "ensemble": arguments.ensemble, "choice": False}
    warm = training.subset(np.arange(len(training)) < 1000)
    update(FunkSVD(**options).fit(warm), warm)  # compile
    print(f"{len(training):,} ratings, a tenth of them new; {len(test):,} test ratings")
    header = ("new", "old RMSE", "updated", "anew", "", "update s", "anew s")
    print("".join(f"{name:>10}" for name in header))
    at_random = np.random.default_rng(arguments.seed).random(len(training)) < 0.1
    compare("at random", training, at_random, test, options)
    if training.timestamps is not None:
        last = training.timestamps > np.quantile(training.timestamps, 0.9)
        compare("the last", training, last, test, options)


if __name__ == "__main__":
    main()
