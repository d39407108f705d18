"""`Fitted`: what a fitted model consists of."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from funksvd.calibrating import MANY_LEVELS
from funksvd.errors import FunkSVDError, argument
from funksvd.evaluation.relevance import liked_from as lowest_liked
from funksvd.hyperparameters import Hyperparameters
from funksvd.learned.calibration import Calibration
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.lists import ByBoth, Liking, Ranking, by_choice, by_rating
from funksvd.learned.rating_model import RatingModel
from funksvd.learned.weighting import LEVELS
from funksvd.rankings import RANKINGS
from funksvd.ratings import CompressedRows, Vocabulary
from funksvd.splitting import Provenance
from funksvd.training import TrainingRecord


@dataclass(frozen=True, eq=False)
class Fitted:
    """All that a fitted model answers from; replaced as a whole, never changed.

    Parameters
    ----------
    users, items : Vocabulary
        Ids of the rows: of users and items with at least one rating, or pair, learned from.
    rating : RatingModel or None
        The model of ratings; None if there were none to learn from.
    n_ratings : int
        Number of ratings, or of observed pairs, learned from.
    seen : CompressedRows or None
        Items of each user, by row: the pairs learned from, which recommendations leave out. None
        for a model that was saved without them. Its values are levels of `Weighting`; models of
        earlier programs lack them.
    record : TrainingRecord
        How training went: that of the model of ratings, if there is one.
    hyperparameters : Hyperparameters
        Those that training had; the model's own may have been set anew since.
    choice : ChoiceModel or None
        The model of choices.
    item_counts : ndarray of shape (n_items,), int32, or None
        Number of ratings or pairs learned from of each item; None if it is not known.
    liking : Liking or None
        When a rating is a liked one; None without a model of ratings.
    calibration : Calibration or None
        How probable ratings of at least some number are; None without a model of ratings, where
        predictions are themselves probabilities, and in models of earlier programs.
    held_out : CompressedRows or None
        Pairs rated but set aside for a test or validation; left out of recommendations too.
    provenance : Provenance or None
        Where the ratings came from, where that is known.
    """

    users: Vocabulary
    items: Vocabulary
    rating: RatingModel | None
    n_ratings: int
    seen: CompressedRows | None
    record: TrainingRecord
    hyperparameters: Hyperparameters
    choice: ChoiceModel | None = None
    item_counts: np.ndarray | None = None
    liking: Liking | None = None
    calibration: Calibration | None = None
    held_out: CompressedRows | None = None
    provenance: Provenance | None = None

    @property
    def rating_model(self) -> RatingModel:
        """The model of ratings.

        Raises
        ------
        FunkSVDError
            If there is none.
        """
        if self.rating is None:
            raise FunkSVDError(
                "the model knows choices only: it was trained without ratings, and so predicts none"
            )
        return self.rating

    @property
    def choice_model(self) -> ChoiceModel:
        """The model of choices.

        Raises
        ------
        FunkSVDError
            If there is none.
        """
        if self.choice is None:
            raise FunkSVDError("the model has no choice model beside that of ratings")
        return self.choice

    @property
    def rankings(self) -> tuple[str, ...]:
        """Names of the rankings that there are, the best first."""
        has = {"rating": self.rating is not None, "choice": self.choice is not None}
        has["both"] = all(has.values())
        return tuple(name for name in RANKINGS if has[name])

    def ranking(self, by: str | None = None) -> Ranking:
        """A ranking of the items.

        Parameters
        ----------
        by : {"both", "choice", "rating"}, optional
            By default the first of `rankings`.

        Raises
        ------
        FunkSVDError
            If the model does not have it.
        """
        by = by or self.rankings[0]
        if by not in RANKINGS:
            raise FunkSVDError(f"{argument('by')} must be one of {', '.join(RANKINGS)}, not {by!r}")
        if by not in self.rankings:
            why = (
                "was trained without ratings"
                if self.rating is None
                else "has no choice model: it is of ratings only"
            )
            raise FunkSVDError(
                f"the model {why}, and lists items by {' or '.join(self.rankings)}, not by {by}"
            )
        return self._by[by]

    @cached_property
    def rating_step(self) -> float | None:
        """Difference between a rating and the next higher one; None for a continuous scale."""
        if self.rating is None or self.seen is None or self.seen.values is None:
            return None
        levels = np.flatnonzero(np.bincount(self.seen.values, minlength=LEVELS))
        if len(levels) < 2:
            return None
        last = LEVELS - 1
        n_steps = round(last / float(np.diff(levels).min()))
        steps = levels * n_steps / last
        if n_steps > MANY_LEVELS or np.abs(steps - np.rint(steps)).max() > n_steps / last:
            return None
        low, high = self.rating.limits
        return round((high - low) / n_steps, 6)

    @property
    def is_calibrated(self) -> bool:
        """Whether probabilities were calibrated on ratings that the model has not learned from."""
        predicts_likings = self.rating is not None and self.rating.loss.is_binary
        return predicts_likings or (self.calibration is not None and self.calibration.n_checked > 0)

    def probabilities(self, predictions: np.ndarray, at_least: float | None = None) -> np.ndarray:
        """Probabilities that ratings are at least some number.

        Parameters
        ----------
        predictions : ndarray of shape (n,), float32
            Predicted ratings.
        at_least : float, optional
            By default the lowest liked rating.

        Returns
        -------
        ndarray of shape (n,), float32

        Raises
        ------
        FunkSVDError
            If the model predicts no ratings, or `at_least` is not on their scale.
        """
        rating = self.rating_model
        low, high = rating.limits
        if at_least is None:
            assert self.liking is not None, "models of ratings know what a liked rating is"
            at_least = self.liking.liked_from
        if not low <= np.float32(at_least) <= high:
            raise FunkSVDError(
                f"{argument('at_least')} must be a rating of the model's scale, {low:g} to "
                f"{high:g}, not {at_least:g}"
            )
        if not rating.loss.is_binary:
            return self._calibration.probabilities(predictions, at_least)
        return predictions if at_least > low else np.ones_like(predictions)

    @cached_property
    def _calibration(self) -> Calibration:
        """That of the model; for one of an earlier program, with a = 0 and b = 1."""
        if self.calibration is not None:
            return self.calibration
        assert self.liking is not None, "models of ratings know what a liked rating is"
        (low, high), step = self.rating_model.limits, self.rating_step
        levels = [self.liking.liked_from]
        if step is not None:
            levels = [low + step * n for n in range(1, round((high - low) / step) + 1)]
        error = self.liking.error
        return Calibration.of((low, high), levels, step is not None, error)

    @property
    def item_vectors(self) -> np.ndarray:
        """Vectors of the items by which these are more or less alike: (n_items, k), float32."""
        part = self.choice or self.rating_model
        return part.learned.item_factors

    @cached_property
    def _by(self) -> dict[str, Ranking]:
        made: dict[str, Ranking] = {}
        if self.rating is not None:
            made["rating"] = by_rating(self.rating, self.item_counts, self.record.spread)
        if self.choice is not None:
            made["choice"] = by_choice(self.choice)
            if self.rating is not None and self.liking is not None:
                made["both"] = ByBoth(self.choice, self.rating, self.liking)
        return made

    def with_new_users(
        self,
        users: Vocabulary,
        pairs: CompressedRows,
        *,
        by: str | None = None,
        n_threads: int = 1,
    ) -> Self:
        """The same items for other users.

        Parameters
        ----------
        users : Vocabulary
        pairs : CompressedRows
            Items that they have rated or dealt with, by user; values are ratings or counts.
        by : {"both", "choice", "rating"}, optional
            The only ranking that they are going to be asked for: by rating, the choice model is
            left out.
        n_threads : int
            Does not change the result.
        """
        rating, choice = self.rating, None if by == "rating" else self.choice
        return replace(
            self,
            users=users,
            rating=rating and rating.with_users(pairs, n_threads=n_threads),
            choice=choice and choice.with_users(pairs, n_threads=n_threads),
            n_ratings=len(pairs.columns),
            seen=pairs._replace(values=None),
            held_out=None,
            provenance=None,
        )


def liking_of_scale(low: float, high: float, record: TrainingRecord) -> Liking:
    """The liking for a model of an earlier program, which does not know the ratings' steps."""
    liked_from = lowest_liked((low, high))
    error = record.best.train
    return Liking(liked_from, liked_from, error if math.isfinite(error) and error > 0 else 1e-3)
