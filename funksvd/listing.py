"""Lists of items for users, as tables: which items may be listed, and the columns beside them."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError, argument
from funksvd.fitted import Fitted
from funksvd.learned.lists import diversified
from funksvd.learned.scoring import Best


class Recommendation(NamedTuple):
    """An item that is listed for a user.

    Parameters
    ----------
    item : int or str
    prediction : float or None
        The rating that the user is predicted to give it; None where the model knows choices only.
    score : float
        What the list is ordered by; see `funksvd.learned.lists`.
    n_ratings : int or None
        Number of ratings, or of observed pairs, of the item; None where it is not known.
    """

    item: int | str
    prediction: float | None
    score: float
    n_ratings: int | None


class SimilarItem(NamedTuple):
    """An item like another one.

    Parameters
    ----------
    item : int or str
    similarity : float
        -1 to 1; see `funksvd.learned.similar`.
    n_ratings : int or None
        Number of ratings, or of observed pairs, of the item; None where it is not known.
    """

    item: int | str
    similarity: float
    n_ratings: int | None


class SimilarUser(NamedTuple):
    """A user, and how similar they are to another one: -1 to 1."""

    user: int | str
    similarity: float


@dataclass(frozen=True)
class Filters:
    """Which items may be listed, and how unlike each other they should be.

    Parameters
    ----------
    include_seen : bool
        Whether items that the user has rated may be among them.
    exclude : array-like or None
        Raw ids of items that are left out.
    among : array-like or None
        Raw ids of the only items that may be listed.
    min_ratings : int
        Least number of ratings of an item.
    diversify : float
        From 0 to less than 1; see `funksvd.learned.lists.diversified`.
    """

    include_seen: bool = False
    exclude: Any = None
    among: Any = None
    min_ratings: int = 0
    diversify: float = 0.0


def tables_of(
    fitted: Fitted,
    users: np.ndarray,
    n: int,
    by: str | None,
    filters: Filters,
    n_threads: int = 1,
) -> Iterator[dict[str, np.ndarray]]:
    """Lists for users, in batches, as `Recommender.recommend_all` yields them.

    Parameters
    ----------
    fitted : Fitted
    users : ndarray of shape (n_users,), int32
        Rows.
    n : int
    by : str or None
        Name of the ranking; by default the best that there is.
    filters : Filters
    n_threads : int
        Does not change the result.

    Raises
    ------
    FunkSVDError
        If n is less than 1, there is no such ranking, `diversify` is out of its range, or it is
        not known what to leave out.
    UnknownIdError
        If the model knows none of the items that may be listed.
    """
    check_count(n)
    ranking = fitted.ranking(by)
    diversify = filters.diversify
    if not 0 <= diversify < 1:
        raise FunkSVDError(
            f"{argument('diversify')} must be at least 0 and less than 1, not {diversify}"
        )
    if fitted.seen is None and not filters.include_seen:
        raise FunkSVDError(
            "the model was saved without the pairs it has seen, so rated items cannot be "
            f"left out; ask for recommendations with {argument('include_seen')}"
        )
    rated = () if filters.include_seen else (fitted.seen, fitted.held_out)
    given: dict[str, Any] = {
        "exclude": tuple(pairs for pairs in rated if pairs is not None),
        "allowed": allowed_items(fitted, filters),
        "n_threads": n_threads,
    }
    batches = (
        diversified(ranking, fitted.item_vectors, users, n, diversify, **given)
        if diversify
        else ranking.best_items(users, n, **given)
    )
    return (_table_of(fitted, best, n_threads) for best in batches)


def recommendations_in(table: dict[str, np.ndarray]) -> list[Recommendation]:
    """The rows of a table of `tables_of`."""
    nothing = [None] * len(table["item"])
    columns = (
        table[name].tolist() if name in table else nothing
        for name in ("item", "prediction", "score", "n_ratings")
    )
    return [Recommendation(*row) for row in zip(*columns, strict=True)]


def allowed_items(fitted: Fitted, filters: Filters) -> np.ndarray | None:
    """Which items may be listed at all: ndarray of shape (n_items,), bool; None if all may.

    Raises
    ------
    FunkSVDError
        If there is a least number of ratings that is no number, or it is not known how many each
        item has.
    UnknownIdError
        If the model knows none of the items that may be listed.
    """
    least = filters.min_ratings
    if least != least:
        raise FunkSVDError(f"{argument('min_ratings')} must be a number, not {least}")
    if filters.exclude is None and filters.among is None and least <= 0:
        return None
    allowed = np.ones(len(fitted.items), bool)
    if filters.among is not None:
        ids = _ids(filters.among)
        allowed[:] = False
        if len(ids):
            rows = fitted.items.rows(ids)
            fitted.items.require_some(rows, ids)
            allowed[rows[rows >= 0]] = True
    if filters.exclude is not None and len(ids := _ids(filters.exclude)):
        rows = fitted.items.rows(ids)
        allowed[rows[rows >= 0]] = False
    if least > 0:
        if fitted.item_counts is None:
            raise FunkSVDError(
                "the model does not know how many ratings its items have; train it again to "
                f"use {argument('min_ratings')}"
            )
        allowed &= fitted.item_counts >= least
    return allowed


def _ids(given: Any) -> np.ndarray:
    """The ids of an array-like, of a set, or of a single one."""
    return np.atleast_1d(list(given) if isinstance(given, Set) else given)


def _table_of(fitted: Fitted, best: Best, n_threads: int) -> dict[str, np.ndarray]:
    """The columns for the lists of some users."""
    found = best.items >= 0
    items = best.items[found]
    owners = np.repeat(best.users, found.sum(axis=1))
    ranks = np.broadcast_to(np.arange(1, found.shape[1] + 1), found.shape)
    table = {
        "user": fitted.users.labels(owners),
        "rank": ranks[found],
        "item": fitted.items.labels(items),
        "score": best.predictions[found],
    }
    if fitted.rating is not None:
        table["prediction"] = fitted.rating.predict(owners, items, n_threads=n_threads)
    if fitted.item_counts is not None:
        table["n_ratings"] = fitted.item_counts[items]
    return table


def check_count(n: int) -> None:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise FunkSVDError(f"n must be a whole number of at least 1, not {n}")
