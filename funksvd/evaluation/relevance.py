"""Relevant items: those of a user's test pairs that a list should find."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from funksvd.errors import FunkSVDError, RatingsError, argument
from funksvd.kernels import add_residuals
from funksvd.ratings import CompressedRows, Interactions, Vocabulary

LIKED_SHARE = 0.75
"""Part of the rating scale, from below, above which a rating says that the item was liked."""
Rule: TypeAlias = Literal["liked", "user-mean", "all"]
"""Names of ways to tell which test ratings make their items relevant."""
RULES: tuple[Rule, ...] = get_args(Rule)
Least: TypeAlias = float | Literal["user-mean", "all"]
"""What is asked of a test rating: a number, the user's mean, or nothing."""


def liked_from(scale: tuple[float, float]) -> float:
    """Lowest rating that says that an item was liked: low + 0.75 (high - low), 4 of 1 to 5."""
    low, high = scale
    return low + LIKED_SHARE * (high - low)


def least_relevant(
    relevant_from: float | str, test: Interactions, scale: tuple[float, float] | None
) -> Least:
    """What is asked of a test rating: a number, "user-mean", or "all" where nothing is asked.

    Parameters
    ----------
    relevant_from : float, or one of `RULES`
    test : Interactions
    scale : (float, float) or None
        Lowest and highest rating learned from; None where no ratings were learned from. Those of
        the test then count.

    Raises
    ------
    FunkSVDError
        If it is neither a finite number nor one of `RULES`, or needs ratings where there are none.
    """
    if isinstance(relevant_from, str):
        if relevant_from not in RULES:
            *names, last = RULES
            raise FunkSVDError(
                f"{argument('relevant_from')} takes a rating or one of {', '.join(names)} and "
                f"{last}, not {relevant_from!r}"
            )
        if test.values is None or relevant_from == "all":
            return "all"
        if relevant_from == "user-mean":
            return "user-mean"
        return liked_from(scale or (float(test.values.min()), float(test.values.max())))
    if not np.isfinite(relevant_from):
        raise FunkSVDError(f"{argument('relevant_from')} must be finite, not {relevant_from}")
    if test.values is None:
        raise FunkSVDError(
            f"{test.source}: there are no ratings, so none is at least {relevant_from:g}; leave "
            f"{argument('relevant_from')} out: every test pair is relevant"
        )
    return float(relevant_from)


class Relevant(NamedTuple):
    """The items that are to be found, in a model's rows.

    Parameters
    ----------
    users : ndarray of shape (n,), int32
        Users with a relevant item, ascending.
    counts : ndarray of shape (n_users,), int64
        Number of relevant items of each user of the model, known to the model or not.
    items : CompressedRows
        Relevant items that the model knows, by user.
    n_without : int
        Known users with test pairs, none of which is relevant.
    n_unknown : int
        Users with test pairs that the model does not know.
    """

    users: np.ndarray
    counts: np.ndarray
    items: CompressedRows
    n_without: int
    n_unknown: int

    @classmethod
    def among(
        cls,
        test: Interactions,
        users: Vocabulary,
        items: Vocabulary,
        *,
        least: Least,
        seen: tuple[CompressedRows, ...] = (),
        training: Interactions | None = None,
        n_threads: int = 1,
    ) -> Relevant:
        """The relevant items among test pairs.

        Parameters
        ----------
        test : Interactions
        users, items : Vocabulary
            Those that are known.
        least
            As `least_relevant` has it.
        seen : tuple of CompressedRows
            Pairs learned from, in rows of `users` and `items`; they are passed over.
        training : Interactions, optional
            Pairs learned from, over `users` and `items`; needed for the users' means.
        n_threads : int
            Does not change the result.

        Raises
        ------
        FunkSVDError
            If the users' means are asked for and there are no training ratings.
        RatingsError
            If no known user has a relevant item.
        """
        user_index, item_index = test.index_for(users, items)
        is_known = user_index >= 0
        is_relevant = is_known.copy()
        for pairs in seen:
            is_relevant &= ~pairs.contains(user_index, item_index, n_threads)
        if least != "all":
            assert test.values is not None, "`least_relevant` asks nothing of pairs without ratings"
            needed = _user_means(training)[user_index] if least == "user-mean" else least
            is_relevant &= test.values >= needed
        relevant_users, relevant_items = user_index[is_relevant], item_index[is_relevant]
        counts = np.bincount(relevant_users, minlength=len(users))
        n_known = np.count_nonzero(np.bincount(user_index[is_known], minlength=len(users)))
        if not len(relevant_users):
            what = "pair" if least == "all" else "rating of at least "
            what += "" if least == "all" else "their mean" if least == "user-mean" else f"{least:g}"
            raise RatingsError(
                f"{test.source}: no user has a relevant item: of {n_known:,} users that are "
                f"known, none has a new {what}"
            )
        return cls(
            users=np.flatnonzero(counts).astype(np.int32),
            counts=counts,
            items=CompressedRows.from_pairs(relevant_users, relevant_items, len(users)),
            n_without=int(n_known - np.count_nonzero(counts)),
            n_unknown=len(np.unique(test.user_index[~is_known])),
        )


def _user_means(training: Interactions | None) -> np.ndarray:
    """Mean of each user's ratings; NaN, which nothing reaches, for a user without ratings."""
    if training is None or training.values is None:
        raise FunkSVDError(
            "the model's training ratings are not there, and so not the users' means: say from "
            f"which rating on an item is relevant, with {argument('relevant_from')}"
        )
    sums = np.zeros(training.n_users)
    add_residuals(training.user_index, training.values, 0.0, sums)
    counts = np.bincount(training.user_index, minlength=training.n_users)
    return np.divide(sums, counts, out=np.full(training.n_users, np.nan), where=counts > 0)
