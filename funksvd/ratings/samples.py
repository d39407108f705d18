"""Random samples of ratings or interactions: of some of the users, items and ratings."""

from __future__ import annotations

from typing import Any

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings.data import as_data
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.ratings import Ratings
from funksvd.rng import Stream, generator


def sample(
    ratings: Any,
    *,
    n_users: int | None = None,
    n_items: int | None = None,
    n_ratings: int | None = None,
    seed: int = 0,
) -> Ratings | Interactions:
    """Choose users, items and ratings at random.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
    n_users, n_items : int, optional
        Number of users, and of items, to choose; the ratings of others are dropped.
    n_ratings : int, optional
        Number of ratings, or interactions, to choose of those that are left.
    seed : int
        The same ratings, numbers and seed give the same sample, in any process.

    Returns
    -------
    Ratings or Interactions
        In their order, over the ids that still occur. A number larger than that of all users,
        items or ratings keeps all of them.

    Raises
    ------
    RatingsError
        If a number is less than 1, or the users chosen have nothing to do with the items chosen.
    """
    ratings = as_data(ratings)
    for name, number in (("users", n_users), ("items", n_items), ("ratings", n_ratings)):
        if number is not None and number < 1:
            raise RatingsError(f"the number of {name} in a sample must be at least 1, not {number}")
    random = generator(seed, Stream.SAMPLE)
    keep = np.ones(len(ratings), bool)
    for index, n_all, n in (
        (ratings.user_index, ratings.n_users, n_users),
        (ratings.item_index, ratings.n_items, n_items),
    ):
        if n is not None:
            keep &= _chosen(random, n_all, n)[index]
    if n_ratings is not None:
        left = np.flatnonzero(keep)
        keep[left] = _chosen(random, len(left), n_ratings)
    if not keep.any():
        verb = "rated" if isinstance(ratings, Ratings) else "dealt with"
        raise RatingsError(
            f"{ratings.source}: the users chosen have not {verb} any of the items chosen; ask for "
            f"more of them, or for {ratings.noun} only"
        )
    return ratings.subset(keep).compact()


def _chosen(random: np.random.Generator, n_all: int, n: int) -> np.ndarray:
    chosen = np.zeros(n_all, bool)
    chosen[random.choice(n_all, min(n, n_all), replace=False, shuffle=False)] = True
    return chosen
