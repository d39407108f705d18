"""Errors on the test part: their spread, and the users and items they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from funksvd.evaluation import Evaluation, regularized_biases
from funksvd.learned.scoring import predict_pairs
from funksvd.metrics import Errors, Interval, bootstrap_intervals
from funksvd.model import FunkSVD
from funksvd.ratings import Ratings

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of the predictions of equal ratings."""
MAX_VALUES = 12
"""Largest number of different ratings that each have a column; more share `N_RANGES`."""
N_RANGES = 10
"""Number of columns, each for a range of ratings."""
N_CALIBRATED = 12
"""Largest number of groups of nearly equal predictions."""
PER_CALIBRATED = 25
"""Least number of test ratings in such a group."""
N_RESIDUALS = 41
"""Number of bars of the histogram of residuals."""
TINY = 1e-6
"""Least half-width of a histogram, needed if all predictions are right; in rating units."""
N_GROUPS = 8
"""Largest number of groups by activity, and by popularity."""
PER_GROUP = 50
"""Number of test ratings for each of these groups, below which there are fewer groups."""


class Spread(NamedTuple):
    """Spread of the predictions of equal, or nearly equal, ratings.

    Parameters
    ----------
    actual : float
        The rating, or the middle of a range of ratings.
    n_ratings : int
        Number of test ratings.
    quantiles : ndarray of shape (5,), float32
        Quantiles of their predictions, at `QUANTILES`.
    """

    actual: float
    n_ratings: int
    quantiles: np.ndarray


class Calibration(NamedTuple):
    """Mean of ratings with nearly equal predictions.

    Parameters
    ----------
    predicted, actual : float
        Means of the predictions and of the ratings.
    margin : float
        1.96 standard errors of `actual`.
    """

    predicted: float
    actual: float
    margin: float


class Group(NamedTuple):
    """Test ratings whose user, or item, has nearly as many training ratings.

    Parameters
    ----------
    label : str
        The numbers of training ratings, such as "10-19" (with a dash).
    n_ratings : int
        Number of test ratings.
    rmse : float
        RMSE of the model.
    interval : Interval
        95 % bootstrap interval of it.
    biases_rmse : float
        RMSE of the biases alone.
    """

    label: str
    n_ratings: int
    rmse: float
    interval: Interval
    biases_rmse: float


@dataclass(frozen=True)
class TestResults:
    """Errors of a model on the test part, from several sides.

    Parameters
    ----------
    evaluation : Evaluation
        With baselines.
    spreads : list of Spread
    calibration : list of Calibration
    residual_edges : ndarray of shape (n + 1,), float64
    residual_counts : ndarray of shape (n,), int
        Histogram of rating less prediction.
    residual_mean : float
        Mean of rating less prediction.
    within : dict of float to float
        Share of the predictions whose error is at most the key, in rating units.
    by_activity, by_popularity : list of Group
        By the number of training ratings of the user, and of the item.
    """

    evaluation: Evaluation
    spreads: list[Spread]
    calibration: list[Calibration]
    residual_edges: np.ndarray
    residual_counts: np.ndarray
    residual_mean: float
    within: dict[float, float]
    by_activity: list[Group]
    by_popularity: list[Group]


def look_at_test(model: FunkSVD, training: Ratings, test: Ratings) -> TestResults:
    """Predict the test part and gather the errors.

    Parameters
    ----------
    model : FunkSVD
    training, test : Ratings
        What the model learned from, and what it is tested on.
    """
    values = test.values.astype(np.float64)
    predictions = model.predict_index(*test.index_for(model.users, model.items), test.timestamps)
    biases = predict_pairs(
        regularized_biases(training),
        *test.index_for(training.users, training.items),
        limits=model.rating_scale,
        n_threads=model.thread_count(),
    )
    residuals = values - predictions
    largest = max(float(np.abs(residuals).max()), TINY)
    counts, edges = np.histogram(residuals, N_RESIDUALS, (-largest, largest))
    width = model.rating_scale[1] - model.rating_scale[0]
    users, items = test.index_for(training.users, training.items)

    def groups(index: np.ndarray, of_training: np.ndarray, n: int) -> list[Group]:
        known = np.bincount(of_training, minlength=n + 1)  # the last one, at -1, is the unknown
        return _groups(known[index], test, predictions, biases, model.hyperparameters.seed)

    return TestResults(
        evaluation=model.evaluate(test, training=training),
        spreads=_spreads(values, predictions),
        calibration=_calibration(values, predictions),
        residual_edges=edges,
        residual_counts=counts,
        residual_mean=float(residuals.mean()),
        within={
            limit: float(np.mean(np.abs(residuals) <= limit))
            for limit in (_rounded(width / 8), _rounded(width / 4))
        },
        by_activity=groups(users, training.user_index, training.n_users),
        by_popularity=groups(items, training.item_index, training.n_items),
    )


def _rounded(value: float) -> float:
    """The largest of 1, 2 and 5 times powers of ten that is not above a value."""
    power = 10.0 ** np.floor(np.log10(max(value, TINY)))
    return float(max(step * power for step in (1, 2, 5) if step * power <= value * 1.001))


def _spreads(values: np.ndarray, predictions: np.ndarray) -> list[Spread]:
    different = np.unique(values)
    if len(different) <= MAX_VALUES:
        middles, column = different, np.searchsorted(different, values)
    else:
        edges = np.linspace(different[0], different[-1], N_RANGES + 1)
        middles = (edges[:-1] + edges[1:]) / 2
        column = np.searchsorted(edges[1:-1], values, side="right")
    order = np.argsort(column, kind="stable")
    ends = np.cumsum(np.bincount(column, minlength=len(middles)))
    parts = np.split(predictions[order], ends[:-1])
    return [
        Spread(float(middle), len(part), np.quantile(part, QUANTILES))
        for middle, part in zip(middles, parts, strict=True)
        if len(part)
    ]


def _calibration(values: np.ndarray, predictions: np.ndarray) -> list[Calibration]:
    order = np.argsort(predictions, kind="stable")
    n_parts = min(max(1, len(values) // PER_CALIBRATED), N_CALIBRATED)
    found = []
    for part in np.array_split(order, n_parts):
        error = values[part].std() / np.sqrt(len(part))
        found.append(
            Calibration(
                predicted=float(predictions[part].mean(dtype=np.float64)),
                actual=float(values[part].mean()),
                margin=float(1.96 * error),
            )
        )
    return found


def _groups(
    known: np.ndarray, test: Ratings, predictions: np.ndarray, biases: np.ndarray, seed: int
) -> list[Group]:
    """Groups of about the same number of test ratings.

    Parameters
    ----------
    known : ndarray of shape (n_test,), int
        Number of training ratings of the user, or the item, of each test rating; those with 0 are
        a group of their own.
    test : Ratings
    predictions, biases : ndarray of shape (n_test,), float32
        Predictions of the model, and of the biases alone.
    seed : int
        Seed of the bootstrap.
    """
    n_groups = min(max(1, len(known) // PER_GROUP), N_GROUPS)
    positive = known[known > 0]
    edges = np.zeros(0, dtype=known.dtype)
    if len(positive):
        shares = np.linspace(0, 1, n_groups + 1)[:-1]
        edges = np.unique(np.quantile(positive, shares, method="lower"))
    starts = np.concatenate([[0], edges]) if len(positive) < len(known) else edges
    ends = np.append(starts[1:], known.max() + 1)
    found = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        rows = np.flatnonzero((known >= start) & (known < end))
        last = 0 if start == 0 else end - 1
        values = test.values[rows]
        users = test.user_index[rows]
        found.append(
            Group(
                label=f"{start:,}" if last == start else f"{start:,}–{last:,}",
                n_ratings=len(rows),
                rmse=Errors.of(values, predictions[rows]).rmse,
                interval=bootstrap_intervals(values, predictions[rows], users, seed)[0],
                biases_rmse=Errors.of(values, biases[rows]).rmse,
            )
        )
    return found
