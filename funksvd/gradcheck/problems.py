"""Small problems, random or cut out of real ratings, at which gradients are compared."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.gradcheck.objectives import N_DAYS, N_FEATURES, AnyParameters, Objective
from funksvd.objectives import plain
from funksvd.ratings import Ratings, Vocabulary
from funksvd.rng import Stream, generator

NEAR_KINK = 0.125
"""Least distance of an error from a kink of its loss, in rating units.

Across a kink, a finite difference is no derivative.
"""
EXCERPT_FACTORS = 2
"""Most factors of an `excerpt`."""


class Problem(NamedTuple):
    """Ratings, and a point at which to differentiate.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), int32
    values : ndarray of shape (n_ratings,), float64
        The ratings, in rating units.
    parameters : named tuple
        The point, in float64: `Parameters`, or what the objective has instead.
    regularization : tuple
        Last argument of the loss.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray
    parameters: AnyParameters
    regularization: Any

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, Any]:
        """The arguments of a loss after the parameters."""
        return self.user_index, self.item_index, self.values, self.regularization

    @property
    def sizes(self) -> dict[str, int]:
        """Numbers of ratings, users, items and factors, by their names as options."""
        n_users, n_factors = self.parameters.user_factors.shape
        return {
            "n_ratings": len(self.values),
            "n_users": n_users,
            "n_items": len(self.parameters.item_factors),
            "n_factors": n_factors,
        }


def random_problem(
    checked: Objective,
    *,
    n_users: int = 6,
    n_items: int = 5,
    n_ratings: int = 16,
    n_factors: int = 3,
    seed: int = 0,
) -> Problem:
    """A random problem in which users and items repeat.

    Raises
    ------
    FunkSVDError
        If a size is less than 1, or there are more ratings than pairs.
    """
    if min(n_users, n_items, n_ratings, n_factors) < 1:
        raise FunkSVDError("users, items, ratings and factors must be at least 1 each")
    if n_ratings > n_users * n_items:
        raise FunkSVDError(
            f"{n_ratings} ratings are more than the {n_users * n_items} pairs of {n_users} users "
            f"and {n_items} items"
        )
    random = generator(seed, Stream.CHECK)
    pairs = random.choice(n_users * n_items, n_ratings, replace=False)
    user_index, item_index = np.divmod(pairs, n_items)
    values = random.integers(1, 6, n_ratings).astype(np.float64)
    ratings = Ratings(
        Vocabulary(np.arange(n_users), "user"),
        Vocabulary(np.arange(n_items), "item"),
        user_index.astype(np.int32),
        item_index.astype(np.int32),
        values,
    )
    return _at_random_point(checked, ratings, n_factors, random)


def sampled_problem(
    checked: Objective,
    ratings: Ratings,
    *,
    n_ratings: int = 40,
    n_factors: int = 3,
    seed: int = 0,
) -> Problem:
    """A problem made of real ratings, of the busiest users and items, so that both repeat.

    Raises
    ------
    FunkSVDError
        If a size is less than 1.
    """
    if min(n_ratings, n_factors) < 1:
        raise FunkSVDError("ratings and factors must be at least 1 each")
    random = generator(seed, Stream.CHECK)
    activity = np.bincount(ratings.user_index)[ratings.user_index]
    popularity = np.bincount(ratings.item_index)[ratings.item_index]
    weight = activity.astype(np.float64) * popularity
    n_ratings = min(n_ratings, len(ratings))
    busy = np.argsort(-weight, kind="stable")[: 4 * n_ratings]
    sample = ratings.subset(np.sort(random.choice(busy, n_ratings, replace=False))).compact()
    return _at_random_point(checked, sample, n_factors, random)


def excerpt(problem: Problem) -> Problem:
    """Three ratings and two factors of a problem: a user with two items, an item with two users.

    The user and the item of the excerpt are those of the pair with the most ratings; what has
    fewer ratings or factors in the problem has fewer in the excerpt.
    """
    users, items = problem.user_index, problem.item_index
    first = np.argmax(np.bincount(users)[users] * np.bincount(items)[items])
    is_other = np.arange(len(users)) != first
    seconds = [np.flatnonzero(is_other & (i == i[first]))[:1] for i in (users, items)]
    chosen = np.concatenate([[first], *seconds])
    of_users, user_index = np.unique(users[chosen], return_inverse=True)
    of_items, item_index = np.unique(items[chosen], return_inverse=True)

    def part(name: str, array: np.ndarray) -> np.ndarray:
        chosen = {"user": of_users, "item": of_items, "impl": of_items}.get(name[:4], slice(None))
        rows: np.ndarray = array[chosen]
        return rows[:, :EXCERPT_FACTORS] if rows.ndim == 2 else rows

    arrays = problem.parameters._asdict()
    del arrays["global_mean"]
    parts = {name: part(name, array) for name, array in arrays.items()}
    return Problem(
        user_index.astype(users.dtype),
        item_index.astype(items.dtype),
        problem.values[chosen],
        problem.parameters._replace(**parts),
        problem.regularization,
    )


def _at_random_point(
    checked: Objective, ratings: Ratings, n_factors: int, random: np.random.Generator
) -> Problem:
    shapes = {
        "user_biases": (ratings.n_users,),
        "item_biases": (ratings.n_items,),
        "user_factors": (ratings.n_users, n_factors),
        "item_factors": (ratings.n_items, n_factors),
        "implicit_factors": (ratings.n_items, n_factors),
        "user_implicit_factors": (ratings.n_users, n_factors),
        "user_days": (ratings.n_users, N_DAYS),
        "weight_biases": (N_FEATURES,),
        "weight_factors": (N_FEATURES, n_factors),
    }
    values: np.ndarray = ratings.values.astype(np.float64)
    if checked.is_binary:
        values = (values > np.median(values)) * 1.0
    # The point is exact in float32, so that the float32 kernel starts from the very same one.
    arrays = {
        name: random.normal(0, 0.5, shape).astype(np.float32).astype(np.float64)
        if name in checked.blocks
        else np.zeros(shape)
        for name, shape in shapes.items()
        if name in checked.parameters._fields
    }
    mean = float(np.float32(values.mean())) if "user_biases" in checked.blocks else 0.0
    parameters = checked.parameters(mean, **arrays)
    pairs = (ratings.user_index, ratings.item_index)
    for kink in checked.kinks:
        errors = values - plain.predict(parameters, *pairs)
        values = values + 2 * NEAR_KINK * (np.abs(errors - kink) < NEAR_KINK)
    return Problem(*pairs, values, parameters, checked.regularization)
