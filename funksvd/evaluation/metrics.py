"""How far predictions are from ratings, and how sure that figure is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from funksvd.streams import Stream, generator

N_RESAMPLES = 1000
MAX_CLUSTERS = 10_000


class Interval(NamedTuple):
    """A 95 % bootstrap interval."""

    low: float
    high: float


class Errors(NamedTuple):
    """Root mean squared and mean absolute error, in rating units."""

    rmse: float
    mae: float

    @classmethod
    def of(cls, values: np.ndarray, predictions: np.ndarray) -> Errors:
        """Of ratings and predictions of shape (n,); summed in float64."""
        errors = values.astype(np.float64) - predictions
        return cls(float(np.sqrt(np.mean(errors**2))), float(np.mean(np.abs(errors))))


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on ratings it has not learned from.

    Parameters
    ----------
    n_ratings : int
    rmse, mae : float
        In rating units.
    rmse_interval, mae_interval : Interval
        95 % bootstrap intervals; users are drawn, not ratings, since those of one user go
        together. (Those of one item do too, which they leave out of account.) With fewer than
        about 20 users they are too narrow.
    n_users : int
        Number of different users among the ratings.
    unknown_users, unknown_items : float
        Share of the ratings whose user, or item, the model does not know; they are predicted
        from what is known.
    already_learned : float or None
        Share of the ratings whose (user, item) pair the model was trained on; None where the
        model does not know its pairs.
    baselines : dict of str to Errors
        The same figures for simpler predictors.
    """

    n_ratings: int
    rmse: float
    mae: float
    rmse_interval: Interval
    mae_interval: Interval
    n_users: int
    unknown_users: float
    unknown_items: float
    already_learned: float | None = None
    baselines: dict[str, Errors] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = asdict(self)
        plain["rmse_interval"] = list(self.rmse_interval)
        plain["mae_interval"] = list(self.mae_interval)
        plain["baselines"] = {name: errors._asdict() for name, errors in self.baselines.items()}
        return plain


def bootstrap_intervals(
    values: np.ndarray, predictions: np.ndarray, clusters: np.ndarray, seed: int = 0
) -> tuple[Interval, Interval]:
    """95 % percentile bootstrap intervals of RMSE and MAE, drawing whole clusters.

    Parameters
    ----------
    values, predictions : ndarray of shape (n,)
    clusters : ndarray of shape (n,), int
        What belongs together: the user of each rating. More than 10,000 are first dealt into
        10,000 groups at random, which leaves the variance as it is and bounds the time. Of a
        single one, the members are drawn.
    seed : int

    Returns
    -------
    rmse, mae : Interval
    """
    random = generator(seed, Stream.BOOTSTRAP)
    errors = values.astype(np.float64) - predictions
    _, cluster = np.unique(clusters, return_inverse=True)
    n_clusters = int(cluster.max()) + 1
    if n_clusters == 1:
        cluster, n_clusters = np.arange(len(errors)), len(errors)
    if n_clusters > MAX_CLUSTERS:
        cluster = (random.permutation(n_clusters) % MAX_CLUSTERS)[cluster]
        n_clusters = MAX_CLUSTERS
    sums = np.stack(
        [np.bincount(cluster, weights, n_clusters) for weights in (errors**2, np.abs(errors))]
        + [np.bincount(cluster, minlength=n_clusters)]
    )
    resampled = np.empty((N_RESAMPLES, 2))
    for row in resampled:
        times = np.bincount(random.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        squared, absolute, n_ratings = sums @ times
        row[:] = np.sqrt(squared / n_ratings), absolute / n_ratings
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return Interval(float(low[0]), float(high[0])), Interval(float(low[1]), float(high[1]))
