"""What a model's probabilities are calibrated on: ratings that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from funksvd.evaluation.relevance import liked_from as lowest_liked
from funksvd.kernels import distinct_values
from funksvd.learned.calibration import N_GRID, Calibration, Checked
from funksvd.learned.lists import Liking
from funksvd.learned.rating_model import RatingModel
from funksvd.learned.scoring import add_days, predict_without
from funksvd.metrics import Errors
from funksvd.ratings import Ratings
from funksvd.ratings.hashing import smallest_hashes
from funksvd.ratings.times import days_of
from funksvd.splitting.pairs import pair_hashes, smallest_pairs
from funksvd.training import TrainingRecord

MANY_LEVELS = 40
"""Number of distinct ratings from which on the scale has no steps."""
MOST_CHECKED = 50_000
"""Largest number of ratings that probabilities are calibrated on."""
FEW_CHECKED = 10
"""Number of checked ratings below which their errors may be small by chance."""
CHANCE = 0.25
"""Least error that fewer ratings can tell of, as a share of the scale: about that of the mean."""
LEAST_ERROR = 1e-3
"""Least standard deviation of ratings about their predictions."""


@dataclass(frozen=True, eq=False)
class RatingFacts:
    """What a calibration takes from the ratings learned from; that of pieces is joined by `+`.

    Neither their order nor how they are cut into pieces changes what `calibrate` makes of it.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,), float32, or None
        The different ratings, ascending; None if there are more than `MANY_LEVELS`.
    least_liked : float
        Smallest rating from three quarters of the way up the scale; infinite if there is none.
    hashes : ndarray of shape (n_sampled,), uint64
        Smallest hashes of pairs, ascending, at most `MOST_CHECKED`.
    sample : ndarray of shape (n_sampled,), float32
        Ratings of these pairs.
    """

    levels: np.ndarray | None
    least_liked: float
    hashes: np.ndarray
    sample: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, hashes: np.ndarray, limits: tuple[float, float]) -> Self:
        """Of a piece of the ratings.

        Parameters
        ----------
        values : ndarray of shape (n,), float32
        hashes : ndarray of shape (n,), uint64
            Of the pairs, by `ratings.hashing.joint_hashes`.
        limits : (float, float)
            Lowest and highest rating of all pieces.
        """
        sampled = smallest_hashes(hashes, MOST_CHECKED)
        return cls(
            _few_levels(values), _least_liked(values, limits), hashes[sampled], values[sampled]
        )

    @classmethod
    def of_all(
        cls, ratings: Ratings, limits: tuple[float, float], left_out: np.ndarray | None = None
    ) -> Self:
        """Of all ratings at once; the sample is empty where levels say enough.

        Parameters
        ----------
        ratings : Ratings
        limits : (float, float)
            Lowest and highest of those that are not left out.
        left_out : ndarray of shape (n_ratings,), bool, optional
        """
        learned = None if left_out is None else ~left_out
        values = ratings.values if learned is None else ratings.values[learned]
        if (levels := _few_levels(values)) is not None:
            return cls.of(levels, np.empty(0, np.uint64), limits)
        sampled = ratings.subset(smallest_pairs(ratings, MOST_CHECKED, learned))
        facts = cls.of(sampled.values, pair_hashes(sampled).view(np.uint64), limits)
        return replace(facts, levels=None, least_liked=_least_liked(values, limits))

    def __add__(self, other: RatingFacts) -> RatingFacts:
        """Of the ratings of both."""
        hashes = np.concatenate([self.hashes, other.hashes])
        sampled = smallest_hashes(hashes, MOST_CHECKED)
        levels = None
        if self.levels is not None and other.levels is not None:
            levels = _few_levels(np.concatenate([self.levels, other.levels]))
        return RatingFacts(
            levels,
            min(self.least_liked, other.least_liked),
            hashes[sampled],
            np.concatenate([self.sample, other.sample])[sampled],
        )


def check_held_back(
    rating: RatingModel, ratings: Ratings, held_back: np.ndarray, n_threads: int
) -> Checked:
    """Predict ratings that were held back from learning.

    Parameters
    ----------
    rating : RatingModel
        In the rows of `ratings`.
    ratings : Ratings
    held_back : ndarray of shape (n_ratings,), bool
    n_threads : int
        Does not change the result.
    """
    at = smallest_pairs(ratings, MOST_CHECKED, held_back)
    pairs = ratings.user_index[at], ratings.item_index[at]
    return Checked(rating.predict(*pairs, n_threads=n_threads), ratings.values[at])


def leave_one_out(rating: RatingModel, ratings: Ratings, n_threads: int) -> Checked | None:
    """Predict ratings that were learned from as if each had not been.

    Parameters
    ----------
    rating : RatingModel
        In the rows of `ratings`.
    ratings : Ratings
        Those learned from.
    n_threads : int
        Does not change the result.

    Returns
    -------
    Checked or None
        None if the model is not the mean of a sampler's draws.

    Notes
    -----
    Draws count as much as they are more likely without the rating (`predict_without`), which is
    told from the bias of its day. On 10 % of u1.base and of latest-small, the expected calibration
    error, mean of all thresholds, is .013 and .011 of `bayes++`, .010 and .012 of `bayes`; without
    the truncation of weights .013 to .016. With errors of the mean of the draws, divided by one
    less the share of the prediction's variance in the noise's, as in a linear model, it is .028
    to .046: draws of many factors are not normal enough.
    """
    learned = rating.learned
    if learned.draws is None or learned.user_noise is None or learned.item_noise is None:
        return None
    at = smallest_pairs(ratings, MOST_CHECKED)
    users, items, values = ratings.user_index[at], ratings.item_index[at], ratings.values[at]
    noise = learned.user_noise[users] * learned.item_noise[items]
    of_days = np.zeros(len(at), np.float32)
    if learned.days is not None and ratings.timestamps is not None:
        add_days(learned.days, users, days_of(ratings.timestamps[at]), of_days)
    without = predict_without(
        learned.draws, users, items, values - of_days, noise, n_threads=n_threads
    )
    return Checked(np.clip(without, *rating.limits), values)


def calibrate(
    facts: RatingFacts, rating: RatingModel, record: TrainingRecord, checked: Checked | None
) -> tuple[Liking, Calibration | None]:
    """When a rating is a liked one, and how probable ratings of at least some number are.

    Liked are ratings from three quarters of the way up the scale: 4 and 5 of 1 to 5.

    Parameters
    ----------
    facts : RatingFacts
        Of the ratings learned from, with the model's limits.
    rating : RatingModel
    record : TrainingRecord
    checked : Checked or None
        Ratings that were not learned from.

    Returns
    -------
    liking : Liking
    calibration : Calibration or None
        None where predictions are themselves probabilities that a rating is a liked one.
    """
    levels, has_steps, liked_from = facts.levels, facts.levels is not None, facts.least_liked
    if levels is None:
        shares = np.linspace(0, 1, N_GRID + 2)[1:-1]
        grid = np.quantile(facts.sample, shares, method="lower")
        ends = np.array([rating.limits[0], liked_from], np.float32)
        levels = np.unique(np.concatenate([ends, grid]))
    if rating.loss.is_binary:
        return Liking(liked_from, float(levels[0] + levels[-1]) / 2, 0.0), None
    best = record.best
    error = best.train if best.valid is None or best.valid_metric != best.metric else best.valid
    if checked is not None:
        error = Errors.of(checked.values, checked.predictions).rmse
        if len(checked.values) < FEW_CHECKED:
            low, high = rating.limits
            error = max(error, CHANCE * (high - low))
    calibration = Calibration.of(
        rating.limits, levels[1:].tolist(), has_steps, max(error, LEAST_ERROR), checked
    )
    return Liking(liked_from, *calibration.threshold_and_spread(liked_from)), calibration


def _few_levels(values: np.ndarray) -> np.ndarray | None:
    """The different ratings, ascending; None if there are more than `MANY_LEVELS`."""
    levels = distinct_values(values, MANY_LEVELS)
    return levels if len(levels) <= MANY_LEVELS else None


def _least_liked(values: np.ndarray, limits: tuple[float, float]) -> float:
    """The smallest liked rating of a scale; infinite if there is none."""
    liked = values[values >= np.float32(lowest_liked(limits))]
    return float(liked.min(initial=np.inf))
