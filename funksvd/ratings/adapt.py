"""From what a caller has to ratings, interactions or pairs of ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.io.names import MissingColumnsError
from funksvd.ratings.ratings import Ratings


def as_ratings(source: Any, values: Any = None) -> Ratings:
    """Ratings from what a caller gives for them.

    Parameters
    ----------
    source : Ratings, table, path, or (with `values`) what `as_pairs` takes
    values : array-like of shape (n_ratings,), optional

    Returns
    -------
    Ratings

    Raises
    ------
    RatingsError
        If there are no ratings in it; the message says what to call instead.
    """
    if values is not None:
        return Ratings.from_arrays(*as_pairs(source), values)
    if isinstance(source, Ratings):
        return source
    if isinstance(source, Interactions):
        raise RatingsError(f"{source.source}: these are interactions, not ratings. {_OF_CHOICES}")
    from funksvd.ratings.io.reading import read_ratings

    try:
        return read_ratings(source)
    except MissingColumnsError as error:
        of_choices = f". {_OF_CHOICES}" if error.missing == {"rating"} else ""
        raise MissingColumnsError(f"{error.template}. {_OTHER_NAMES}{of_choices}") from None


def as_interactions(source: Any) -> Interactions:
    """Interactions from what a caller gives for them; each pair once.

    Parameters
    ----------
    source : Interactions (ratings are), or what `as_pairs` takes

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

    Parameters
    ----------
    pairs : table, or array-like of shape (n, 2)
        The columns of a table are known by their names, in any order, among others. An array has
        user ids first, and so has a DataFrame whose columns have numbers instead of names.

    Raises
    ------
    RatingsError
        If an array is not of shape (n, 2), or it is not clear which columns of a table are meant.
    """
    if _has_no_names(pairs):
        _check_shape(pairs.shape)
        return pairs.iloc[:, 0].to_numpy(), pairs.iloc[:, 1].to_numpy()
    if _is_table(pairs):
        return _pairs_by_name(pairs)
    pairs = np.asarray(pairs)
    _check_shape(pairs.shape)
    return pairs[:, 0], pairs[:, 1]


def times_of_table(pairs: Any) -> np.ndarray | None:
    """The timestamps of what `as_pairs` takes; None where it is no table with a column of them.

    Raises
    ------
    RatingsError
        If one of them is no time.
    """
    if not _is_table(pairs) or _has_no_names(pairs) or getattr(pairs, "shape", (1,))[0] == 0:
        return None
    from funksvd.ratings.io.reading import read_pair_rows

    return read_pair_rows(pairs, with_times=True).timestamps


_OF_CHOICES = f"Models learn from interactions with {argument('algorithm', 'ials')}"
_OTHER_NAMES = "Or rename the columns: those are arguments of read_ratings and of read_pairs"


def _pairs_by_name(table: Any) -> tuple[np.ndarray, np.ndarray]:
    from funksvd.ratings.io.reading import read_pairs

    if getattr(table, "shape", (1,))[0] == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    try:
        users, items, _ = read_pairs(table)
    except MissingColumnsError as error:
        raise MissingColumnsError(
            f"{error.template}. {_OTHER_NAMES}. Of an array, the first column holds users"
        ) from None
    return users, items


def _is_table(given: Any) -> bool:
    is_frame = hasattr(type(given), "columns")
    return is_frame or isinstance(given, Mapping) or hasattr(given, "__arrow_c_stream__")


def _has_no_names(table: Any) -> bool:
    """Whether it is a pandas table whose columns have numbers instead of names."""
    is_pandas = hasattr(type(table), "columns") and hasattr(table, "iloc")
    return is_pandas and not any(isinstance(name, str) for name in table.columns)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] != 2:
        raise RatingsError(
            f"pairs must be of shape (n, 2), user ids and item ids, or a table, not {shape}"
        )
