"""From what a caller has to ratings, interactions or pairs of ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.ratings import Ratings


def as_ratings(source: Any, values: Any = None) -> Ratings:
    """Ratings from what a caller gives for them.

    Parameters
    ----------
    source : Ratings, table, or (with `values`) array-like of shape (n_ratings, 2)
    values : array-like of shape (n_ratings,), optional

    Returns
    -------
    Ratings
    """
    if values is not None:
        return Ratings.from_arrays(*as_pairs(source), values)
    if isinstance(source, Ratings):
        return source
    from funksvd.ratings.io.reading import read_ratings

    return read_ratings(source)


def as_interactions(source: Any) -> Interactions:
    """Interactions from what a caller gives for them; each pair once.

    Parameters
    ----------
    source : Interactions (ratings are), or a table or an array of shape (n, 2)
        User ids, item ids.

    Raises
    ------
    RatingsError
        If it is something else.
    """
    if isinstance(source, Interactions):
        return source
    return Interactions.from_arrays(*as_pairs(source))


def as_pairs(pairs: Any) -> tuple[np.ndarray, np.ndarray]:
    """User ids and item ids from a table or an array of two columns.

    Raises
    ------
    RatingsError
        If it is not of shape (n, 2).
    """
    shape = np.shape(pairs)
    if len(shape) != 2 or shape[1] != 2:
        raise RatingsError(f"pairs must be of shape (n, 2), user ids and item ids, not {shape}")
    if hasattr(pairs, "iloc"):
        return pairs.iloc[:, 0].to_numpy(), pairs.iloc[:, 1].to_numpy()
    pairs = np.asarray(pairs)
    return pairs[:, 0], pairs[:, 1]
