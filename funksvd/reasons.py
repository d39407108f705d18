"""Reasons for a recommendation: what each thing that somebody rated adds to its score.

The score of somebody who is folded in is a function of two sums with a term for each rating: the
score s of the choice model and the predicted rating r (`learned.choice_model`,
`learned.rating_model`). The part of a rating in it is, to first order in its terms c and g of these
sums::

    choice    c
    rating    g
    both      c / s + (1/3) g d(log P)/dr        the logarithm of s P^(1/3) of `learned.lists`

Some of each term is the same for all items: a high rating shows a generous person, or one who likes
what everybody likes, which raises every prediction and speaks for no item before another. This
part, the term's mean over all items, is taken off; it is the term of an item whose factors are the
mean of all items' factors, since terms are linear in these.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError, argument
from funksvd.fitted import Fitted
from funksvd.given import ones_if_none, rated_rows
from funksvd.kernels import LEAST_CHOICE, weigh_choices
from funksvd.learned.fold_in import OtherSide
from funksvd.learned.lists import Liking
from funksvd.learned.weighting import Weighting


class Because(NamedTuple):
    """What each of a user's items adds to the scores of others.

    Parameters
    ----------
    by : {"both", "choice", "rating"}
        The ranking.
    rated : ndarray of shape (n_rated,), int64 or object (str)
        The user's items, as far as the model knows them.
    ratings : ndarray of shape (n_rated,), float32, or None
        Their ratings; None where the model does not know ratings.
    contributions : ndarray of shape (n_items, n_rated), float64
        See `Reasons.parts`.
    """

    by: str
    rated: np.ndarray
    ratings: np.ndarray | None
    contributions: np.ndarray


def learned_from(fitted: Fitted, user: int) -> tuple[np.ndarray, np.ndarray | None]:
    """What the model has learned from of one of its users.

    Parameters
    ----------
    fitted : Fitted
    user : int
        Row.

    Returns
    -------
    rows : ndarray of shape (n_rated,), int32
        Rows of items, ascending.
    values : ndarray of shape (n_rated,), float32, or None
        Their ratings, as the model remembers them: exact on a scale with steps, and to the 255th
        part of one without. For a model of choices only, numbers of times, roughly. None where
        these do not matter.

    Raises
    ------
    FunkSVDError
        If the model was saved without this.
    """
    if fitted.seen is None:
        raise FunkSVDError(
            "the model was saved without the pairs it has seen, so there is nothing to explain "
            f"its lists by; give the user's ratings with {argument('ratings')}"
        )
    seen = fitted.seen
    mine = slice(*seen.indptr[user : user + 2])
    rows = seen.columns[mine]
    if fitted.rating is None:
        weighting = fitted.choice_model.weighting
    else:
        weighting = Weighting("rating", *fitted.rating.limits)
    if seen.values is None:
        if weighting.kind == "none":
            return rows, None
        raise FunkSVDError(
            "the model does not remember the ratings of its users; give the user's ratings with "
            f"{argument('ratings')}"
        )
    values = weighting.values(seen.values[mine])
    if values is not None and fitted.rating_step is not None:
        steps = np.rint((values - weighting.low) / fitted.rating_step)
        values = (weighting.low + steps * fitted.rating_step).astype(np.float32)
    return rows, values


def because(
    fitted: Fitted,
    items: Any,
    by: str | None = None,
    user: int | str | None = None,
    item_ids: Any = None,
    ratings: Any = None,
) -> Because:
    """Which of a user's items speak for others in a list, more than for all items.

    Parameters
    ----------
    fitted : Fitted
    items : array-like of shape (n,)
        Raw ids of the listed items.
    by : {"both", "choice", "rating"}, optional
        The ranking; by default the first that the model has.
    user : int or str, optional
        A user of the model, of whom it remembers what it has learned from.
    item_ids, ratings : array-like of shape (n_rated,), optional
        In the place of `user`: the items of somebody new; their ratings or counts, which a list by
        choice can do without.

    Returns
    -------
    Because
        Its contributions are, to first order, parts of the ranking's score; for "both", of its
        logarithm. What is the same for all items is taken off them, such as the generosity of
        somebody who rates everything high.

    Raises
    ------
    FunkSVDError
        If the model does not have this ranking, or does not remember its users' items; if there
        are no ratings, and the ranking needs them.
    UnknownIdError
        If the model knows none of the user's items, not all of `items`, or not the user.
    """
    by = by or fitted.rankings[0]
    fitted.ranking(by)
    if (user is None) == (item_ids is None):
        raise FunkSVDError(f"give either {argument('user')} or {argument('item_ids')}")
    values: np.ndarray | None
    if user is not None:
        rated, values = learned_from(fitted, fitted.users.row(user))
    else:
        if ratings is None and by != "choice":
            raise FunkSVDError(
                f"lists by {by} are explained by ratings: give {argument('ratings')}"
            )
        rated, values = rated_rows(fitted.items, item_ids, ones_if_none(item_ids, ratings))
        values = None if ratings is None else values
    parts = Reasons(fitted).parts(by, rated, values, fitted.items.known_rows(items))
    shown = None if fitted.rating is None else values
    return Because(by, fitted.items.labels(rated), shown, parts)


class Reasons:
    """Finds reasons, for people who are folded into one model.

    Parameters
    ----------
    fitted : Fitted
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted

    def parts(
        self, by: str, rated: np.ndarray, values: np.ndarray | None, items: np.ndarray
    ) -> np.ndarray:
        """The part of each rating in the score of each item, without what all items have.

        Parameters
        ----------
        by : {"both", "choice", "rating"}
            The ranking.
        rated : ndarray of shape (n_rated,), int32
            Rows of the rated items, ascending.
        values : ndarray of shape (n_rated,), float32, or None
            Their ratings, or numbers of times.
        items : ndarray of shape (n_items,), int32
            Rows of the items to be explained.

        Returns
        -------
        ndarray of shape (n_items, n_rated), float64
            Above zero: the rating speaks for the item. In the unit of the ranking's scores; for
            "both", in that of their logarithm.
        """
        if by == "choice":
            return _centred(self._choice_terms(rated, values, items))
        assert values is not None, "models of ratings are asked with ratings"
        rating_terms = self._rating_terms(rated, values, items)
        if by == "rating":
            return _centred(rating_terms)
        choice_terms = self._choice_terms(rated, values, items)
        rating, liking = self._fitted.rating_model, self._fitted.liking
        assert liking is not None, "models that list by both know what a liked rating is"
        scores = choice_terms[:-1].sum(axis=1)
        level = rating.learned.global_mean + rating.learned.item_biases[items].astype(np.float64)
        raw = (level + rating_terms[:-1].sum(axis=1)).astype(np.float32)
        slopes = [_slope(float(each), liking) for each in rating.from_scores(raw)]
        of_choice = np.where(scores > LEAST_CHOICE, 1 / np.maximum(scores, LEAST_CHOICE), 0.0)
        return (
            _centred(choice_terms) * of_choice[:, None]
            + _centred(rating_terms) * np.array(slopes)[:, None] / 3
        )

    def _rating_terms(self, rated: np.ndarray, values: np.ndarray, items: np.ndarray) -> np.ndarray:
        """The terms of predicted ratings; the last row has those of the mean item."""
        side = self._rating_side
        with_mean = np.append(items, np.int32(len(side.factors) - 1)).astype(np.int32)
        return side.contributions(rated, values, with_mean)

    def _choice_terms(
        self, rated: np.ndarray, values: np.ndarray | None, items: np.ndarray
    ) -> np.ndarray:
        """The terms of choice scores; the last row has those of the mean item."""
        choice = self._fitted.choice_model
        factors = self._choice_factors
        with_mean = np.append(items, np.int32(len(factors) - 1)).astype(np.int32)
        weights = choice.weighting.weights(values, len(rated))
        rho = choice.reg[0] * len(rated) + choice.reg[1]
        terms = np.empty((len(with_mean), len(rated)))
        weigh_choices(rated, weights, with_mean, factors, choice.learned.spectrum, rho, terms)
        return terms

    @cached_property
    def _rating_side(self) -> OtherSide:
        """The items with one more, the mean of them."""
        side = self._fitted.rating_model.items_side()
        implicit = side.implicit_factors
        return side._replace(
            biases=np.append(side.biases, np.float32(0)),
            factors=_with_mean(side.factors),
            implicit_factors=None if implicit is None else _with_mean(implicit),
        )

    @cached_property
    def _choice_factors(self) -> np.ndarray:
        return _with_mean(self._fitted.choice_model.learned.item_factors)


def _with_mean(factors: np.ndarray) -> np.ndarray:
    mean = factors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return np.concatenate([factors, mean[None]])


def _centred(terms: np.ndarray) -> np.ndarray:
    """The terms of each item less those of the mean item, which are the last row."""
    return terms[:-1] - terms[-1]


def _slope(prediction: float, liking: Liking) -> float:
    """Derivative of log P by the predicted rating."""
    if liking.error <= 0:  # the prediction is itself the probability
        return 1 / max(prediction, LEAST_CHOICE)
    z = (prediction - liking.threshold) / liking.error
    probability = max(math.erfc(-z / math.sqrt(2)) / 2, 1e-12)
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / probability / liking.error
