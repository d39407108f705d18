"""How far predictions are from ratings, and how sure that figure is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from funksvd.parallel import PIECE, occurring
from funksvd.rng import Stream, generator

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
        squared = absolute = 0.0
        for _, errors in _errors_in_pieces(values, predictions):
            squared += float(np.sum(errors**2))
            absolute += float(np.sum(np.abs(errors)))
        return cls(math.sqrt(squared / len(values)), absolute / len(values))


def bootstrap_intervals(
    values: np.ndarray, predictions: np.ndarray, clusters: np.ndarray, seed: int = 0
) -> tuple[Interval, Interval]:
    """95 % percentile bootstrap intervals of RMSE and MAE, drawing whole clusters.

    Parameters
    ----------
    values, predictions : ndarray of shape (n,)
    clusters : ndarray of shape (n,), int, not negative
        What belongs together: the user of each rating. More than 10,000 are first dealt into
        10,000 groups at random, which leaves the variance as it is and bounds the time. Of a
        single one, the members are drawn.
    seed : int

    Returns
    -------
    rmse, mae : Interval
    """
    random = generator(seed, Stream.BOOTSTRAP)
    present = occurring(clusters, int(clusters.max()) + 1)
    if len(present) == 1:
        clusters = present = np.arange(len(values))
    n_clusters = min(len(present), MAX_CLUSTERS)
    groups = np.empty(present[-1] + 1, dtype=np.int64)
    groups[present] = np.arange(len(present))
    if len(present) > MAX_CLUSTERS:
        groups[present] = random.permutation(len(present)) % MAX_CLUSTERS
    sums = np.zeros((3, n_clusters))
    for piece, errors in _errors_in_pieces(values, predictions):
        group = groups[clusters[piece]]
        for of, weights in zip(sums, (errors**2, np.abs(errors), None), strict=True):
            of += np.bincount(group, weights, n_clusters)
    resampled = np.empty((N_RESAMPLES, 2))
    for row in resampled:
        times = np.bincount(random.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        squared, absolute, n_ratings = (sums * times).sum(axis=1)
        row[:] = np.sqrt(squared / n_ratings), absolute / n_ratings
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    return Interval(float(low[0]), float(high[0])), Interval(float(low[1]), float(high[1]))


def _errors_in_pieces(
    values: np.ndarray, predictions: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """The differences in float64, so many at a time."""
    for start in range(0, len(values), PIECE):
        piece = slice(start, start + PIECE)
        yield piece, values[piece].astype(np.float64) - predictions[piece]
