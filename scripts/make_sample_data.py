"""Write data/ratings.csv and data/items.csv: a small made-up data set with a known noise floor.

Users and items have planted biases and planted factors of low rank; popular items and busy users
have most of the ratings. What a user thinks of an item is

    3.6 + b_u + b_i + p_u . q_i + noise

rounded to half a star and held between 0.5 and 5. The best that any model can reach is therefore
about the standard deviation of the noise and the rounding; `main` prints the exact figure. The
same seed gives the same files.

    python scripts/make_sample_data.py            # writes into data/
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

N_USERS, N_ITEMS, N_RATINGS = 500, 300, 20_000
RANK = 3
MEAN, USER_STD, ITEM_STD, FACTOR_STD, NOISE_STD = 3.6, 0.35, 0.35, 0.55, 0.6
FIRST_DAY, LAST_DAY = 1_577_836_800, 1_735_689_599  # 2020 to 2024, seconds since 1970

ADJECTIVES = """
    Silent Crimson Last Hidden Electric Broken Golden Midnight Paper Distant
    Frozen Wild Invisible Burning Gentle Hollow Lucky Restless Velvet Northern
"""
NOUNS = """
    Harbour Orchard Engine Letter Horizon Garden Station Mirror River Signal
    Lantern Mountain Carousel Winter Compass Theatre Island Shadow Bridge Summer
"""


class Sample(NamedTuple):
    """Planted data.

    Parameters
    ----------
    users, items : ndarray of shape (n_ratings,), int
        Ids from 1.
    ratings : ndarray of shape (n_ratings,)
    targets : ndarray of shape (n_ratings,)
        The ratings without noise and rounding.
    timestamps : ndarray of shape (n_ratings,), int
    """

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    targets: np.ndarray
    timestamps: np.ndarray


def make_ratings(seed: int) -> Sample:
    """Draw distinct pairs by activity and popularity, and rate them."""
    generator = np.random.default_rng(seed)
    activity = generator.permutation(np.arange(1, N_USERS + 1) ** -0.6)
    popularity = generator.permutation(np.arange(1, N_ITEMS + 1) ** -0.7)
    chances = np.outer(activity, popularity).ravel()
    # Gumbel's trick: the largest of log weight + Gumbel noise is a draw without replacement
    keys = np.log(chances) + generator.gumbel(size=chances.size)
    pairs = generator.permutation(np.argpartition(-keys, N_RATINGS)[:N_RATINGS])
    users, items = np.divmod(pairs, N_ITEMS)
    user_factors = generator.normal(0, FACTOR_STD, (N_USERS, RANK))
    item_factors = generator.normal(0, 1, (N_ITEMS, RANK))
    targets = (
        MEAN
        + generator.normal(0, USER_STD, N_USERS)[users]
        + generator.normal(0, ITEM_STD, N_ITEMS)[items]
        + (user_factors[users] * item_factors[items]).sum(axis=1)
    )
    noisy = targets + generator.normal(0, NOISE_STD, N_RATINGS)
    ratings = np.clip(np.round(2 * noisy) / 2, 0.5, 5)
    timestamps = np.sort(generator.integers(FIRST_DAY, LAST_DAY, N_RATINGS))
    return Sample(users + 1, items + 1, ratings, targets, timestamps)


def make_titles(seed: int) -> list[str]:
    """A title and a year for each item, all different."""
    generator = np.random.default_rng([seed, 1])
    names = [f"{a} {n}" for a in ADJECTIVES.split() for n in NOUNS.split()]
    chosen = generator.permutation(len(names))[:N_ITEMS]
    years = generator.integers(1950, 2020, N_ITEMS)
    return [f"The {names[at]} ({year})" for at, year in zip(chosen, years, strict=True)]


def main() -> None:
    """Write the two files and print the noise floor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parents[1] / "data")
    arguments = parser.parse_args()
    sample = make_ratings(arguments.seed)
    with open(arguments.output / "ratings.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["user", "item", "rating", "timestamp"])
        columns = (sample.users, sample.items, sample.ratings, sample.timestamps)
        writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
    with open(arguments.output / "items.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item", "title"])
        writer.writerows(enumerate(make_titles(arguments.seed), start=1))
    errors = sample.ratings - np.clip(sample.targets, 0.5, 5)
    print(f"{N_RATINGS:,} ratings, {N_USERS} users, {N_ITEMS} items, rank {RANK}")
    print(f"noise floor: RMSE {np.sqrt(np.mean(errors**2)):.3f}")
    print(f"standard deviation of the ratings: {sample.ratings.std():.3f}")


if __name__ == "__main__":
    main()
