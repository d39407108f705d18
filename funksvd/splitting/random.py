"""Random parts of the ratings."""

from __future__ import annotations

from typing import Any, TypeVar, overload

import numpy as np

from funksvd.errors import RatingsError
from funksvd.kernels import choose
from funksvd.ratings import Interactions
from funksvd.ratings.data import as_data
from funksvd.rng import Stream, generator

Some = TypeVar("Some", bound=Interactions)


@overload
def random_split(
    ratings: Some, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Some, Some]: ...


@overload
def random_split(
    ratings: object, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Any, Any]: ...


def random_split(
    ratings: Any, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Any, Any]:
    """Set a random part of the ratings, or of the interactions, aside.

    Both parts keep their rows' order, and all ids of the whole.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
    fraction : float
        Size of the part, 0 <= fraction < 1; rounded to a whole number of ratings, or of distinct
        pairs.
    seed : int
        The same ratings, fraction and seed give the same parts, in any process.
    stream : Stream
        Random numbers to use: those for test parts or those for validation parts.

    Returns
    -------
    rest, part : Ratings or Interactions

    Raises
    ------
    RatingsError
        If the fraction is out of range.
    """
    ratings = as_data(ratings)
    chosen = random_part(len(ratings), fraction, seed, stream)
    return ratings.subset(~chosen), ratings.subset(chosen)


def random_part(n: int, fraction: float, seed: int, stream: Stream) -> np.ndarray:
    """Choose a random part of n things; otherwise as `random_split`.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    if not 0 <= fraction < 1:
        raise RatingsError(
            f"a part must be at least 0 and less than 1 of the whole, not {fraction}"
        )
    return choose(generator(seed, stream), n, round(fraction * n))
