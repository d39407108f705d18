"""Random parts of the ratings."""

from __future__ import annotations

from typing import Any

import numpy as np

from funksvd.errors import RatingsError
from funksvd.kernels import choose
from funksvd.ratings import Ratings, as_ratings
from funksvd.rng import Stream, generator


def random_split(
    ratings: Any, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Ratings, Ratings]:
    """Set a random part of the ratings aside.

    Both parts keep their ratings' order, and all ids of the whole.

    Parameters
    ----------
    ratings : Ratings or table
    fraction : float
        Size of the part, 0 <= fraction < 1; rounded to a whole number of ratings.
    seed : int
        The same ratings, fraction and seed give the same parts, in any process.
    stream : Stream
        Random numbers to use: those for test parts or those for validation parts.

    Returns
    -------
    rest, part : Ratings

    Raises
    ------
    RatingsError
        If the fraction is out of range.
    """
    ratings = as_ratings(ratings)
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
