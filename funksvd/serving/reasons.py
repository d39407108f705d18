"""Reasons for a recommendation: what each thing that a guest rated adds to its score.

The score of a folded-in guest is a function of two sums with a term for each rating: the score s of
the choice model and the predicted rating r (`learned.choice_model`, `learned.rating_model`). The
part of a rating in it is, to first order in its terms c and g of these sums::

    choice    c
    rating    g
    both      c / s + (1/3) g d(log P)/dr        the logarithm of s P^(1/3) of `learned.lists`

Some of each term is the same for all items: a high rating shows a generous guest, or one who likes
what everybody likes, which raises every prediction and speaks for no item before another. This
part, the term's mean over all items, is taken off; it is the term of an item whose factors are the
mean of all items' factors, since terms are linear in these.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from funksvd.fitted import Fitted
from funksvd.kernels import LEAST_CHOICE, weigh_choices
from funksvd.learned.fold_in import OtherSide
from funksvd.learned.lists import Liking


class Reasons:
    """Finds reasons, for guests of one model.

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
