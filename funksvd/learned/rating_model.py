"""`RatingModel`: the answers of a model of ratings, in rows.

It is one part of a recommender, which asks it in raw ids; however the arrays were learned, this is
written once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Self

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.learned.explain import Sums
from funksvd.learned.fold_in import OtherSide, RowPrior
from funksvd.learned.ratings import LearnedRatings
from funksvd.learned.scoring import add_days, predict_deviations, predict_pairs
from funksvd.objectives.losses import Loss
from funksvd.objectives.parameters import Regularization
from funksvd.ratings import CompressedRows


@dataclass(frozen=True)
class FoldInTerms:
    """Constants of the ridge problem by which rows are folded into a model of ratings.

    Parameters
    ----------
    regularization : Regularization
    n_prior : float
        A new row is regularized as if it had this number of ratings more.
    has_biases : bool
        Whether new rows get a bias.
    priors : (RowPrior, RowPrior), optional
        What is known of new users and of new items; the others then do not matter.
    """

    regularization: Regularization
    n_prior: float
    has_biases: bool
    priors: tuple[RowPrior, RowPrior] | None = None


@dataclass(frozen=True, eq=False)
class RatingModel:
    """Learned parameters, and the facts that predictions of ratings depend on besides.

    Parameters
    ----------
    learned : LearnedRatings
    limits : (float, float)
        The rating scale: lowest and highest rating learned from. Predictions are held within it.
    n_members : int
        Number of models, or of draws, whose mean this one is.
    loss : Loss
        What it was learned with: how scores become predictions.
    terms : FoldInTerms
    alone : (ndarray, ndarray) of shape (n_users,) and (n_items,), bool; or None
        Rows without ratings, known from features alone: no draw tells how sure they are.
    """

    learned: LearnedRatings
    limits: tuple[float, float]
    n_members: int
    loss: Loss
    terms: FoldInTerms
    alone: tuple[np.ndarray, np.ndarray] | None = None

    def predict(
        self,
        user_index: np.ndarray,
        item_index: np.ndarray,
        days: np.ndarray | None = None,
        *,
        n_threads: int = 1,
    ) -> np.ndarray:
        """Predicted ratings, held within the rating scale; for log-odds, probabilities.

        Parameters
        ----------
        user_index, item_index : ndarray of shape (n,), int32
            Rows; -1 stands for an unknown user or item, who is predicted from what is known.
        days : ndarray of shape (n,), int32, optional
            Days since 1970 of the ratings: the user's bias on that day counts, if it is known.
        n_threads : int
            Does not change the result.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        parameters = self.learned.parameters
        scores = predict_pairs(parameters, user_index, item_index, n_threads=n_threads)
        if days is not None and (known := self.learned.days) is not None:
            add_days(known, user_index, days, scores, n_threads=n_threads)
        return self.from_scores(scores)

    def from_scores(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores, float32, into predicted ratings; in their place."""
        self.loss.predictions(scores)
        return np.clip(scores, *self.limits, out=scores)

    def deviations(
        self, user_index: np.ndarray, item_index: np.ndarray, *, n_threads: int = 1
    ) -> np.ndarray:
        """Standard deviations of the noise-free ratings, in rating units.

        Parameters
        ----------
        user_index, item_index : ndarray of shape (n,), int32
            Rows; -1 stands for unknown: any of the known ones, and so do rows without ratings.
        n_threads : int
            Does not change the result.

        Returns
        -------
        ndarray of shape (n,), float32
        """
        draws = self.learned.draws
        assert draws is not None, "asked only of models that are the mean of draws"
        if self.alone is None:
            return predict_deviations(draws, user_index, item_index, n_threads=n_threads)
        index = [user_index, item_index]
        rated = [np.flatnonzero(~is_alone) for is_alone in self.alone]
        is_unknown = [
            (rows < 0) | is_alone[rows] for rows, is_alone in zip(index, self.alone, strict=True)
        ]
        deviations = np.empty(len(user_index), np.float32)
        for wanted in product((False, True), repeat=2):
            at = (is_unknown[0] == wanted[0]) & (is_unknown[1] == wanted[1])
            rows, of_these = [each[at] for each in index], draws
            for side, what in enumerate(("user", "item")):
                if wanted[side] and len(rated[side]):
                    of_these = of_these.with_stand_in(what, rated[side])
                    rows[side] = np.zeros_like(rows[side])
            deviations[at] = predict_deviations(of_these, *rows, n_threads=n_threads)
        return deviations

    def items_side(self) -> OtherSide:
        """The items, as the side that new users are folded into.

        Raises
        ------
        FunkSVDError
            If the loss has no closed form.
        """
        return self._items_side

    @cached_property
    def _items_side(self) -> OtherSide:
        learned = self.learned
        given = (learned.item_biases, learned.item_factors, learned.implicit_factors)
        return self._side(*given, self.terms.priors and self.terms.priors[0])

    def users_side(self) -> OtherSide:
        """The users, as the side that new items are folded into; raises as `items_side` does."""
        learned = self.learned
        given = (learned.user_biases, learned.user_factors, learned.user_implicit_factors)
        return self._side(*given, self.terms.priors and self.terms.priors[1])

    def _side(
        self,
        biases: np.ndarray,
        factors: np.ndarray,
        implicit_factors: np.ndarray | None,
        prior: RowPrior | None,
    ) -> OtherSide:
        if not self.loss.has_closed_form:
            raise FunkSVDError(
                f"with the {self.loss.title} loss there is no closed form for new users and items, "
                "nor for explanations; train again with their ratings"
            )
        if prior is not None:
            return OtherSide.given_prior(self.learned.global_mean, biases, factors, prior)
        return OtherSide(
            self.learned.global_mean,
            biases,
            factors,
            implicit_factors,
            self.n_members,
            self.terms.regularization,
            self.terms.n_prior,
            self.terms.has_biases,
        )

    def with_users(self, ratings: CompressedRows, *, n_threads: int = 1) -> Self:
        """A model of the same items for other users: those whose ratings these are.

        Parameters
        ----------
        ratings : CompressedRows
            Ratings of items by user, with values.
        n_threads : int
            Does not change the result.
        """
        biases, factors = self.items_side().fold(ratings, n_threads)
        learned = LearnedRatings.of(
            self.learned.parameters._replace(user_biases=biases, user_factors=factors),
            self.learned.implicit_factors,
        )
        return replace(self, learned=learned, alone=None)

    def explain(
        self, rated: np.ndarray, values: np.ndarray, items: np.ndarray, user: int | None = None
    ) -> Sums:
        """The part of each of someone's ratings in the predictions of items.

        Parameters
        ----------
        rated : ndarray of shape (n_rated,), int32
            Rows of the rated items, ascending.
        values : ndarray of shape (n_rated,), float32
            Their ratings.
        items : ndarray of shape (n_items,), int32
            Rows of the items to be explained.
        user : int, optional
            Row of a user by whose trained parameters the model predicts; what these differ by
            from folded-in ones is the rest.
        """
        contributions = self.items_side().contributions(rated, values, items)
        levels = self.learned.item_biases[items].astype(np.float64)
        rest = np.zeros(len(items))
        if user is not None:
            sums = self.learned.global_mean + levels + contributions.sum(axis=1)
            row = np.full(len(items), user, dtype=np.int32)
            rest = predict_pairs(self.learned.parameters, row, items) - sums
        return Sums(self.learned.global_mean, levels, contributions, rest, self.limits)
