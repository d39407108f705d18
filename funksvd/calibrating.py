"""What a model's probabilities are calibrated on: ratings that it has not learned from."""

from __future__ import annotations

import numpy as np

from funksvd.evaluation.relevance import liked_from as lowest_liked
from funksvd.kernels import distinct_values
from funksvd.learned.calibration import N_GRID, Calibration, Checked
from funksvd.learned.lists import Liking
from funksvd.learned.rating_model import RatingModel
from funksvd.learned.scoring import add_days, predict_without
from funksvd.metrics import Errors
from funksvd.ratings import Ratings
from funksvd.ratings.times import days_of
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
    at = _some(np.flatnonzero(held_back))
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
    at = _some(np.arange(len(ratings)))
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
    values: np.ndarray, rating: RatingModel, record: TrainingRecord, checked: Checked | None
) -> tuple[Liking, Calibration | None]:
    """When a rating is a liked one, and how probable ratings of at least some number are.

    Liked are ratings from three quarters of the way up the scale: 4 and 5 of 1 to 5.

    Parameters
    ----------
    values : ndarray of shape (n,), float32
        The ratings learned from.
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
    cut = np.float32(lowest_liked(rating.limits))
    levels = distinct_values(values, MANY_LEVELS)
    has_steps = len(levels) <= MANY_LEVELS
    if not has_steps:
        shares = np.linspace(0, 1, N_GRID + 2)[1:-1]
        grid = np.quantile(values[_some(np.arange(len(values)))], shares, method="lower")
        levels = np.unique(
            np.concatenate([[rating.limits[0]], grid, [values[values >= cut].min()]])
        )
    liked_from = float(levels[levels >= cut][0])
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


def _some(rows: np.ndarray) -> np.ndarray:
    """At most `MOST_CHECKED` rows, equally far apart."""
    return rows[:: max(1, -(-len(rows) // MOST_CHECKED))]
