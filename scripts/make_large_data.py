"""Write a large made-up data set of the Netflix Prize's shape, with a known noise floor.

    python scripts/make_large_data.py -o netflix.csv                     # 100,480,507 ratings
    python scripts/make_large_data.py --n-ratings 10000000 -o ten.csv --facts ten.json

The file is a CSV of user, item and rating: distinct pairs, 1 to 5 stars, grouped by user in the
order of the ids, a user's items in ascending order. How many ratings users and items have follows
the Prize's published quartiles and extremes; ids say nothing about either. Each user's number is
exact. Each item's is expected, but none is without ratings: items are drawn without replacement,
by weights that make the numbers come out although the busiest users have seen nearly everything.

With fewer ratings, users shrink as n_ratings^0.9 and items as n_ratings^(1/3), because that is how
MovieLens's sizes go: 100,000 ratings make 954 x 1,774 (published: 943 x 1,682), a million 7,578 x
3,822 (6,040 x 3,706), ten million 60,192 x 8,235 (69,878 x 10,677).

What a user thinks of an item is the score

    3.6 + b_u + b_i + p_u . q_i

with planted biases (popular items are liked a little better) and planted factors; the rating is the
score with normal noise, rounded and held between 1 and 5. So the best possible prediction is the
conditional mean E[rating | score], and the noise floor is the root of the mean conditional variance
over the file's own ratings. The RMSE of the planted biases alone, where the factors count as
further noise, stands beside it. No model can know the planted numbers of a user of few ratings, so
what can be reached lies between the two.

The file is made in parts, each with its own random stream: the same seed gives the same bytes, and
memory stays under 2 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv
from scipy.special import ndtr, ndtri


class Published(NamedTuple):
    """How many users or items the Prize's data have, and how many ratings those have.

    `quantiles` are numbers of ratings by the share that has fewer. The quartiles and extremes are
    published; what lies above the quartiles makes the published mean.
    """

    size: int
    least: int
    quantiles: dict[float, int]
    most: int


USERS = Published(480_189, 1, {0.25: 39, 0.5: 96, 0.75: 259, 0.9: 510}, 17_653)
ITEMS = Published(
    17_770, 3, {0.25: 192, 0.5: 561, 0.75: 2_668, 0.9: 15_000, 0.99: 100_000}, 232_944
)
N_RATINGS = 100_480_507

RANK = 20
MEAN, USER_STD, ITEM_STD, LIKED, FACTOR_STD, NOISE_STD = 3.6, 0.48, 0.3, 0.1, 0.5, 0.82
STARS = np.arange(1, 6)
RATINGS_PER_PART = 1_000_000
RARE = 8  # users of more than 1/8 of the items draw by keys
T = TypeVar("T")
R = TypeVar("R")


class World(NamedTuple):
    """Everything planted.

    Parameters
    ----------
    activity : ndarray of shape (n_users,), int64
        Number of ratings of each user.
    n_draws : ndarray of shape (n_users,), int64
        How many draws with replacement probably contain that many items; 0 where too many.
    weights : ndarray of shape (n_items,), float64
        Of the draws; their sum is 1.
    first_users, first_items : ndarray of shape (n_items,), int64
        Each item with a user who has it in any case, by user.
    user_biases, item_biases : ndarray of shape (n_users,) or (n_items,), float32
    user_factors, item_factors : ndarray of shape (RANK, n_users) or (RANK, n_items), float32
    """

    activity: np.ndarray
    n_draws: np.ndarray
    weights: np.ndarray
    first_users: np.ndarray
    first_items: np.ndarray
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray


class Part(NamedTuple):
    """Some users' ratings as text, and sums over them."""

    text: pa.Buffer
    item_counts: np.ndarray
    star_counts: np.ndarray
    variance: float
    bias_errors: float


def shape_for(n_ratings: int) -> tuple[int, int]:
    """Numbers of users and items that suit a number of ratings."""
    share = n_ratings / N_RATINGS
    n_users, n_items = round(USERS.size * share**0.9), round(ITEMS.size * share ** (1 / 3))
    return max(1, n_users), min(n_items, n_ratings)


def spread(published: Published, size: int, total: int, most: float) -> np.ndarray:
    """Numbers of ratings, in ascending order, between 1 and `most`, with a given total.

    Logarithms are interpolated in the quantiles of the normal distribution, then all are scaled.
    """
    edge = 0.5 / published.size
    knots = ndtri([edge, *published.quantiles, 1 - edge])
    logs = np.log([published.least, *published.quantiles.values(), published.most])
    shape = np.exp(np.interp(ndtri((np.arange(size) + 0.5) / size), knots, logs))
    low, high = 0.0, total * most / shape[0]
    for _ in range(200):  # the sum grows with the scale
        scale = (low + high) / 2
        numbers = np.clip(scale * shape, 1, most)
        low, high = (scale, high) if numbers.sum() < total else (low, scale)
    return numbers


def whole(numbers: np.ndarray, total: int) -> np.ndarray:
    """Round to integers with a given sum: the largest remainders go up."""
    rounded = np.floor(numbers).astype(np.int64)
    missing = total - rounded.sum()
    rounded[np.argsort(rounded - numbers, kind="stable")[:missing]] += 1
    return rounded


def balance(activity: np.ndarray, popularity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights for which items drawn without replacement come out as popular as asked.

    A user who draws from the items with weights w until time t has seen item i with chance
    1 - exp(-t w_i). Times and weights are scaled in turn until the sums fit.

    Parameters
    ----------
    activity : ndarray of shape (n_users,), int64
        In ascending order.
    popularity : ndarray of shape (n_items,), float64
        Expected number of ratings of each item.

    Returns
    -------
    weights : ndarray of shape (n_items,), float64
    times : ndarray of shape (n_users,), float64
    """
    n_classes = min(64, len(activity))  # users of similar activity, each with as many ratings
    share = np.cumsum(activity) * (n_classes / activity.sum())
    classes = np.split(activity, np.flatnonzero(np.diff(share.astype(np.int64))) + 1)
    classes = [each for each in classes if len(each)]
    sizes = np.array([len(each) for each in classes], np.float64)
    means = np.array([each.mean() for each in classes])
    times, weights = means.copy(), popularity / popularity.sum()
    for _ in range(100):
        times *= means / -np.expm1(-np.outer(times, weights)).sum(axis=1)
        weights *= popularity / (sizes @ -np.expm1(-np.outer(times, weights)))
    times, weights = times * weights.sum(), weights / weights.sum()
    return weights, np.interp(activity, means, times)


def make_world(n_users: int, n_items: int, n_ratings: int, seed: int) -> World:
    """Plant biases, factors, activity and popularity.

    Raises
    ------
    ValueError
        If users and items cannot have that many distinct pairs, or not all have one.
    """
    if not max(n_users, n_items) <= n_ratings <= n_users * n_items:
        raise ValueError(
            f"{n_users:,} users and {n_items:,} items have from {max(n_users, n_items):,} ratings "
            f"(one each) to {n_users * n_items:,} (all pairs), not {n_ratings:,}"
        )
    random = np.random.default_rng(seed)
    # the busiest user has seen the published share of the items, and the most popular item been
    # seen by that of the users; by more where the matrix is fuller than that allows
    filled = n_ratings / (n_users * n_items)
    most_of_user = np.ceil(n_items * max(USERS.most / ITEMS.size, filled))
    most_of_item = max(1, n_users * max(ITEMS.most / USERS.size, min(1, 1.5 * filled)))
    activity = whole(spread(USERS, n_users, n_ratings, most_of_user), n_ratings)
    popularity = spread(ITEMS, n_items, n_ratings, most_of_item)
    weights, times = balance(activity, popularity)
    n_draws = np.ceil(times + 3 * np.sqrt(times) + 4).astype(np.int64)
    n_draws[activity > n_items // RARE] = 0

    user_order, item_order = random.permutation(n_users), random.permutation(n_items)
    activity, n_draws = activity[user_order], n_draws[user_order]
    weights, popularity = weights[item_order], popularity[item_order]
    # distinct ratings, one an item: no user has more of them than ratings
    seats = random.choice(n_ratings, n_items, replace=False)
    first_users = np.searchsorted(np.cumsum(activity), seats, side="right")
    by_user = np.argsort(first_users, kind="stable")

    liked = np.log(popularity) - np.average(np.log(popularity), weights=popularity)
    shares = 1 / np.arange(1, RANK + 1)  # of the variance
    stds = (FACTOR_STD**2 * shares / shares.sum())[:, None] ** 0.25  # of users and of items
    return World(
        activity=activity,
        n_draws=n_draws,
        weights=weights,
        first_users=first_users[by_user],
        first_items=by_user,
        user_biases=random.normal(0, USER_STD, n_users).astype(np.float32),
        item_biases=(random.normal(0, ITEM_STD, n_items) + LIKED * liked).astype(np.float32),
        user_factors=(stds * random.standard_normal((RANK, n_users))).astype(np.float32),
        item_factors=(stds * random.standard_normal((RANK, n_items))).astype(np.float32),
    )


def draw_pairs(
    world: World, first: int, last: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw items without replacement for the users from `first` to before `last`.

    Returns
    -------
    users, items : ndarray of shape (n,), int64
        By user, then by item.
    """
    n_items = len(world.weights)
    activity, n_draws = world.activity[first:last], world.n_draws[first:last]
    forced = slice(*np.searchsorted(world.first_users, [first, last]))
    forced_users, forced_items = world.first_users[forced] - first, world.first_items[forced]
    # with replacement, and each user's first distinct ones are kept
    drawn = np.searchsorted(np.cumsum(world.weights)[:-1], random.random(n_draws.sum()))
    users = np.concatenate([forced_users, np.repeat(np.arange(last - first), n_draws)])
    pairs = users * n_items + np.concatenate([forced_items, drawn])
    n_drawn = len(pairs)
    pairs, drawn_at = np.unique(pairs, return_index=True)
    users = pairs // n_items
    found = np.bincount(users, minlength=last - first)
    order = np.argsort(users * n_drawn + drawn_at)
    starts = np.cumsum(found) - found
    place = np.empty_like(order)
    place[order] = np.arange(len(order)) - starts[users]
    parts = [pairs[place < activity[users]]]
    # whoever is short of some takes the smallest exponential keys of the rest: the same law
    for user in np.flatnonzero(found < activity):
        missing = activity[user] - found[user]
        keys = random.standard_exponential(n_items) / world.weights
        keys[pairs[starts[user] : starts[user] + found[user]] - user * n_items] = np.inf
        parts.append(user * n_items + np.argpartition(keys, missing - 1)[:missing])
    users, items = np.divmod(np.sort(np.concatenate(parts)), n_items)
    return users + first, items


def star_moments(score: np.ndarray, noise_std: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of a score's rating: with normal noise, rounded, from 1 to 5."""
    below = [ndtr((star + 0.5 - score) / noise_std) for star in STARS[:-1]]
    mean = STARS[-1] - sum(below)
    square = STARS[-1] ** 2 - sum((2 * k + 1) * p for k, p in zip(STARS[:-1], below, strict=True))
    return mean, square - mean**2


def make_part(world: World, seed: int, users: tuple[int, int, int]) -> Part:
    """Rate what the users from `users[1]` to before `users[2]` have drawn; `users[0]`: which part.

    The seed and the part's number make its random stream.
    """
    number, first, last = users
    random = np.random.default_rng([seed, number])
    u, i = draw_pairs(world, first, last, random)
    biased = (np.float32(MEAN) + world.user_biases[u] + world.item_biases[i]).astype(np.float64)
    score = biased.copy()
    for p, q in zip(world.user_factors, world.item_factors, strict=True):
        score += p[u] * q[i]
    ratings = np.rint(score + random.normal(0, NOISE_STD, len(score)))
    ratings = np.clip(ratings, STARS[0], STARS[-1]).astype(np.int8)
    _, variance = star_moments(score, NOISE_STD)
    by_biases, _ = star_moments(biased, np.hypot(NOISE_STD, FACTOR_STD))
    columns = [(u + 1).astype(np.int32), (i + 1).astype(np.int32), ratings]
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(pa.table(columns, names=["user", "item", "rating"]), sink, options)
    return Part(
        text=sink.getvalue(),
        item_counts=np.bincount(i, minlength=len(world.weights)),
        star_counts=np.bincount(ratings, minlength=STARS[-1] + 1)[1:],
        variance=float(variance.sum()),
        bias_errors=float(((ratings - by_biases) ** 2).sum()),
    )


def parts_of(activity: np.ndarray) -> list[tuple[int, int, int]]:
    """Number, first user and end of parts of about `RATINGS_PER_PART` ratings.

    Numbers start from 1: NumPy's stream [seed, 0] is the stream of the seed alone.
    """
    part = (np.cumsum(activity) - 1) // RATINGS_PER_PART
    starts = [0, *(np.flatnonzero(np.diff(part)) + 1), len(activity)]
    return [(k, int(a), int(b)) for k, (a, b) in enumerate(pairwise(starts), 1)]


def in_turn(make: Callable[[T], R], tasks: Iterable[T], n_threads: int) -> Iterator[R]:
    """Map with threads, in order, never more than a few results ahead."""
    with ThreadPoolExecutor(n_threads) as pool:
        waiting: deque = deque()
        for task in tasks:
            waiting.append(pool.submit(make, task))
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def write_ratings(
    path: Path, shape: tuple[int, int], n_ratings: int, seed: int, n_threads: int
) -> dict[str, float]:
    """Write the file.

    Returns
    -------
    dict
        Facts about it: sizes, mean and standard deviation of the ratings, `noise_floor` and
        `biases_rmse`, and how many ratings users and items have.

    Raises
    ------
    ValueError
        If users and items cannot have that many distinct pairs, or not all have one.
    """
    world = make_world(*shape, n_ratings, seed)
    item_counts, star_counts = np.zeros(shape[1], np.int64), np.zeros(len(STARS), np.int64)
    variance = bias_errors = 0.0
    with open(path, "wb") as file:
        file.write(b"user,item,rating\n")
        tasks = parts_of(world.activity)
        for done, part in enumerate(in_turn(partial(make_part, world, seed), tasks, n_threads), 1):
            file.write(part.text)
            item_counts += part.item_counts
            star_counts += part.star_counts
            variance += part.variance
            bias_errors += part.bias_errors
            if sys.stderr.isatty():
                print(f"\r{done} of {len(tasks)} parts", end="", file=sys.stderr, flush=True)
        size = file.tell()
    if sys.stderr.isatty():
        print(file=sys.stderr)
    mean = float(star_counts @ STARS / n_ratings)
    return {
        "n_users": shape[0],
        "n_items": shape[1],
        "n_ratings": int(star_counts.sum()),
        "seed": seed,
        "rank": RANK,
        "bytes": size,
        "mean": mean,
        "std": float(np.sqrt(star_counts @ (STARS - mean) ** 2 / n_ratings)),
        "noise_floor": float(np.sqrt(variance / n_ratings)),
        "biases_rmse": float(np.sqrt(bias_errors / n_ratings)),
        "median_of_user": float(np.median(world.activity)),
        "most_of_user": int(world.activity.max()),
        "median_of_item": float(np.median(item_counts)),
        "most_of_item": int(item_counts.max()),
    }


def main() -> None:
    """Write the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--n-ratings", type=int, default=N_RATINGS)
    parser.add_argument("--n-users", type=int, help="default: what suits the number of ratings")
    parser.add_argument("--n-items", type=int, help="default: what suits the number of ratings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--facts", type=Path, metavar="FILE", help="write what is printed as JSON")
    arguments = parser.parse_args()
    if arguments.n_ratings < 1 or arguments.seed < 0:
        parser.error("--n-ratings must be at least 1 and --seed at least 0")
    n_users, n_items = shape_for(arguments.n_ratings)
    shape = (arguments.n_users or n_users, arguments.n_items or n_items)
    try:
        facts = write_ratings(
            arguments.output, shape, arguments.n_ratings, arguments.seed, arguments.threads
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    if arguments.facts:
        arguments.facts.write_text(json.dumps(facts, indent=1) + "\n")
    print("{n_ratings:,} ratings, {n_users:,} users, {n_items:,} items".format(**facts))
    print("per user: median {median_of_user:,.0f}, at most {most_of_user:,}".format(**facts))
    print("per item: median {median_of_item:,.0f}, at most {most_of_item:,}".format(**facts))
    print("ratings: mean {mean:.3f}, standard deviation {std:.3f}".format(**facts))
    print("RMSE of the planted biases only: {biases_rmse:.4f}".format(**facts))
    print("noise floor: RMSE {noise_floor:.4f}".format(**facts))
    print("{bytes:,} bytes".format(**facts))


if __name__ == "__main__":
    main()
