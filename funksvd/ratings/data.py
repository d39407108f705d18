"""From what a caller has to ratings or interactions, whichever it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from funksvd.ratings.adapt import as_pairs, as_ratings
from funksvd.ratings.duplicates import COUNT
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.io.names import MissingColumnsError
from funksvd.ratings.ratings import Ratings


def as_data(source: Any, values: Any = None) -> Ratings | Interactions:
    """Ratings or interactions, whichever a caller gives.

    Parameters
    ----------
    source : Interactions (ratings are), table, path, or array-like of shape (n, 2)
        Of a table or a path, as `read_data` finds; an array holds pairs of ids, which are counted
        where they repeat. With `values`, what `as_pairs` takes.
    values : array-like of shape (n_ratings,), optional

    Returns
    -------
    Ratings or Interactions
        Interactions are returned as they are.

    Raises
    ------
    RatingsError
        If it is something else.
    """
    if values is not None:
        return as_ratings(source, values)
    if isinstance(source, Interactions):
        return source
    if _is_array(source):
        return Interactions.from_arrays(*as_pairs(source), duplicates=COUNT)
    from funksvd.ratings.io.clicks import read_data

    try:
        return read_data(source)
    except MissingColumnsError as error:
        raise MissingColumnsError(
            f"{error.template}. Or rename the columns: those are arguments of read_data"
        ) from None


def _is_array(source: Any) -> bool:
    """Whether it holds rows itself: neither a path nor paths nor a table with names."""
    if isinstance(source, np.ndarray):
        return True
    if isinstance(source, (list, tuple)):
        return any(isinstance(each, (list, tuple, np.ndarray)) for each in source)
    is_pandas = hasattr(type(source), "columns") and hasattr(source, "iloc")
    return is_pandas and not any(isinstance(name, str) for name in source.columns)
