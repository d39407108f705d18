"""Folds: pairs of training ratings and test ratings, cut out of the same ratings."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings import Interactions
from funksvd.ratings.data import as_data
from funksvd.rng import Stream
from funksvd.sorting import stable_order
from funksvd.splitting.kind import Kind_co
from funksvd.splitting.random import draws, random_part


class Fold(NamedTuple, Generic[Kind_co]):
    """Ratings to learn from, and ratings to test on; both with all ids of the whole.

    They may be interactions without ratings, like the whole.
    """

    training: Kind_co
    test: Kind_co


class Folds(Sequence[Fold[Kind_co]], Generic[Kind_co]):
    """Folds of the same ratings, cut out when they are asked for: `folds[0].training`.

    Parameters
    ----------
    ratings : Ratings or Interactions
    fold_of : ndarray of shape (n_ratings,), int
        The fold, from 0, that tests on each rating; -1 for ratings that are only learned from.
    n_folds : int
    only_past : bool
        Folds follow each other in time: each learns from what is tested on by those before it,
        and from what is only learned from. Otherwise each learns from all that it does not test.
    remarks : sequence of str
        Sentences for people, such as about users who are not tested.

    Raises
    ------
    RatingsError
        If there is nothing to test on, or nothing to learn from, in one of them.
    """

    def __init__(
        self,
        ratings: Kind_co,
        fold_of: np.ndarray,
        n_folds: int,
        *,
        only_past: bool = False,
        remarks: Sequence[str] = (),
    ) -> None:
        self.ratings = ratings
        self.fold_of = fold_of.astype(np.min_scalar_type(-n_folds))
        self.n_folds = n_folds
        self.only_past = only_past
        self.remarks = tuple(remarks)
        sizes = np.bincount(self.fold_of + np.int64(1), minlength=n_folds + 1)
        n_learned = np.cumsum(sizes[:-1]) if only_past else len(ratings) - sizes[1:]
        for what, counts in (("test on", sizes[1:]), ("learn from", n_learned)):
            if not counts.all():
                raise RatingsError(
                    f"{ratings.source}: fold {np.argmin(counts) + 1} of {n_folds} has no "
                    f"{ratings.noun} to {what}; there are {len(ratings):,} in all. Ask for fewer "
                    "folds, or for other test parts"
                )

    def __len__(self) -> int:
        return self.n_folds

    def __getitem__(self, fold: int) -> Fold[Kind_co]:  # type: ignore[override]  # there are no slices
        if not -self.n_folds <= fold < self.n_folds:
            raise IndexError(f"there are {self.n_folds} folds, and none with number {fold}")
        fold %= self.n_folds
        is_learned = self.fold_of < fold if self.only_past else self.fold_of != fold
        return Fold(self.ratings.subset(is_learned), self.ratings.subset(self.fold_of == fold))


def random_folds(
    ratings: Any, n_folds: int = 5, *, fraction: float = 0.1, seed: int = 0
) -> Folds[Any]:
    """Folds at random: each rating is in the test part of exactly one of them.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
    n_folds : int
        Their sizes differ by one rating at most.
    fraction : float
        Share of the ratings to test on, if there is a single fold: the part that `random_split`
        sets aside.
    seed : int
        The same ratings, in any order, number of folds and seed give the same folds, in any
        process.

    Raises
    ------
    RatingsError
        If a fold would be empty, or `fraction` is out of range.
    """
    ratings = as_data(ratings)
    _check_count("n_folds", n_folds)
    if n_folds == 1:
        chosen = random_part(ratings, fraction, seed, Stream.TEST)
        return Folds(ratings, np.where(chosen, 0, -1), 1)
    fold_of = np.empty(len(ratings), dtype=np.int32)
    fold_of[_random_order(ratings, seed)] = _dealt(len(ratings), n_folds)
    return Folds(ratings, fold_of, n_folds)


def per_user_folds(
    ratings: Any, n_folds: int = 5, *, fraction: float = 0.1, seed: int = 0
) -> Folds[Any]:
    """Folds with the same share of each user's ratings, chosen at random.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
    n_folds : int
        Each rating is tested on in exactly one of several folds; a user's numbers of ratings in
        them differ by one at most, and so do the folds' sizes.
    fraction : float
        Share of each user's ratings to test on, if there is a single fold; their number is
        rounded, and at least one rating of each user is learned from.
    seed : int
        As for `random_folds`.

    Raises
    ------
    RatingsError
        If a fold would be empty, or `fraction` is out of range.
    """
    ratings = as_data(ratings)
    _check_count("n_folds", n_folds)
    order = _random_order(ratings, seed)
    counts = np.bincount(ratings.user_index, minlength=ratings.n_users)
    if n_folds == 1:
        _check_fraction(fraction)
        n_tested = np.minimum(np.floor(fraction * counts + 0.5), np.maximum(counts - 1, 0))
        order = order[stable_order(ratings.user_index[order])]
        fold_of = np.empty(len(ratings), dtype=np.int8)
        fold_of[order] = np.where(_places(counts) < np.repeat(n_tested, counts), 0, -1)
        return Folds(ratings, fold_of, 1, remarks=_untested(counts, n_tested == 0, 1, ratings.noun))
    # Users are dealt to in turn, in an order that has nothing to do with their ids.
    turns = np.empty(ratings.n_users, dtype=np.int64)
    turns[_order(ratings.users.hashes, np.uint64(0), seed)] = np.arange(ratings.n_users)
    order = order[stable_order(turns[ratings.user_index[order]])]
    fold_of = np.empty(len(ratings), dtype=np.int32)
    fold_of[order] = _dealt(len(ratings), n_folds)
    n_single = int(np.count_nonzero(counts == 1))
    remarks = []
    if n_single:
        remarks.append(
            f"{_users(n_single)} a single {ratings.noun[:-1]}: the model does not know them where "
            "it is tested"
        )
    return Folds(ratings, fold_of, n_folds, remarks=remarks)


def leave_last_out(ratings: Any, n_last: int = 1, *, n_folds: int = 1) -> Folds[Any]:
    """The last ratings of each user to test on.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
        "Last" is by timestamp, of equals by position; without timestamps, by position.
    n_last : int
        Number of ratings of each user to test on.
    n_folds : int
        Of several folds, the last one tests on each user's last ratings, the one before it on
        those before them, and so on; none learns from what comes after its test part.

    Returns
    -------
    Folds
        In a fold where fewer than `n_last` ratings of a user would be left to test on, or none
        to learn from, none of the user's ratings is tested.

    Raises
    ------
    RatingsError
        If no user has enough ratings.
    """
    ratings = as_data(ratings)
    _check_count("n_last", n_last)
    _check_count("n_folds", n_folds)
    order, remarks = np.arange(len(ratings)), []
    if ratings.timestamps is None:
        remarks.append(
            f"There are no timestamps: each user's {ratings.noun} are taken as they stand"
        )
    else:
        since_first = ratings.timestamps - ratings.timestamps.min(initial=np.iinfo(np.int64).max)
        order = stable_order(since_first.view(np.uint64))  # which holds any difference
    order = order[stable_order(ratings.user_index[order])]
    counts = np.bincount(ratings.user_index, minlength=ratings.n_users)
    from_end = np.repeat(counts, counts) - 1 - _places(counts)
    # Number of test parts that can be taken from each user, the last one first.
    n_parts = np.clip((counts - 1) // n_last, 0, n_folds)
    part = from_end // n_last
    fold_of = np.empty(len(ratings), dtype=np.int32)
    fold_of[order] = np.where(part < np.repeat(n_parts, counts), n_folds - 1 - part, -1)
    remarks += _untested(counts, n_parts < n_folds, n_folds, ratings.noun)
    return Folds(ratings, fold_of, n_folds, only_past=True, remarks=remarks)


def by_time(ratings: Any, fraction: float = 0.1, *, n_folds: int = 1) -> Folds[Any]:
    """All ratings after a point in time to test on.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
        With timestamps.
    fraction : float
        Size of a test part. It is smaller where several ratings were made at that point in time:
        ratings with the same timestamp stay together, and are learned from.
    n_folds : int
        Of several folds, the last one tests on the last ratings, the one before it on those
        before them, and so on; none learns from what comes after its test part.

    Raises
    ------
    RatingsError
        If there are no timestamps, a fold would be empty, or `fraction` is out of range.
    """
    ratings = as_data(ratings)
    _check_fraction(fraction)
    _check_count("n_folds", n_folds)
    if ratings.timestamps is None:
        raise RatingsError(
            f"{ratings.source}: the {ratings.noun} have no timestamps, so they cannot be split by "
            f"time; if a column holds them, name it with {argument('timestamp_col')}"
        )
    n_tested = max(1, round(fraction * len(ratings)))
    if n_folds * n_tested >= len(ratings):
        raise RatingsError(
            f"{ratings.source}: {n_folds} test parts of {n_tested:,} {ratings.noun} leave nothing "
            f"to learn from, of {len(ratings):,} {ratings.noun}; ask for fewer or smaller ones"
        )
    times = np.sort(ratings.timestamps)
    points = times[len(ratings) - 1 - n_tested * np.arange(n_folds, 0, -1)]
    fold_of = np.searchsorted(points, ratings.timestamps, side="left") - 1
    return Folds(ratings, fold_of, n_folds, only_past=True)


def _random_order(ratings: Interactions, seed: int) -> np.ndarray:
    """Positions of the ratings in a random order, which that of the file has no part in."""
    users, items = ratings.users.hashes, ratings.items.hashes
    return _order(users[ratings.user_index], items[ratings.item_index], seed)


def _order(user_hashes: np.ndarray, item_hashes: np.ndarray | np.uint64, seed: int) -> np.ndarray:
    return np.argsort(draws(user_hashes, item_hashes, seed, Stream.TEST), kind="stable")


def _dealt(n: int, n_folds: int) -> np.ndarray:
    return np.arange(n, dtype=np.int32) % np.int32(n_folds)


def _places(counts: np.ndarray) -> np.ndarray:
    """0, 1, 2, ... within each of groups that follow each other."""
    places: np.ndarray = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return places


def _untested(counts: np.ndarray, is_untested: np.ndarray, n_folds: int, noun: str) -> list[str]:
    n = int(np.count_nonzero(is_untested & (counts > 0)))
    where = "" if n_folds == 1 else " in some folds"
    return [f"{_users(n)} too few {noun} to be tested{where}: they are learned from"] if n else []


def _users(n: int) -> str:
    return "1 user has" if n == 1 else f"{n:,} users have"


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, numbers.Integral) or int(value) < 1:
        raise RatingsError(f"{name} must be a whole number of at least 1, not {value!r}")


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise RatingsError(f"a test part must be more than 0 and less than 1, not {fraction!r}")
