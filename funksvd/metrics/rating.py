"""Errors of predicted ratings, and bootstrap intervals of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from funksvd.metrics.bootstrap import Interval, Resampling, intervals_of
from funksvd.parallel import PIECE, occurring


class Errors(NamedTuple):
    """Root mean squared and mean absolute error, in rating units."""

    rmse: float
    mae: float

    @classmethod
    def of(cls, values: np.ndarray, predictions: np.ndarray) -> Errors:
        """Errors of predictions; summed in float64.

        Parameters
        ----------
        values, predictions : ndarray of shape (n,)
            Ratings, and what was predicted in their place; n is at least 1.
        """
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
        Number of the cluster that each rating belongs to: its user. If there is only one cluster,
        its ratings are drawn instead.
    seed : int

    Returns
    -------
    rmse, mae : Interval
    """
    present = occurring(clusters, int(clusters.max()) + 1)
    if len(present) == 1:
        clusters = present = np.arange(len(values))
    resampling = Resampling(len(present), seed)
    groups = np.empty(present[-1] + 1, dtype=np.int64)
    groups[present] = resampling.groups
    sums = np.zeros((3, resampling.n_groups))
    for piece, errors in _errors_in_pieces(values, predictions):
        group = groups[clusters[piece]]
        for of, weights in zip(sums, (errors**2, np.abs(errors), None), strict=True):
            of += np.bincount(group, weights, resampling.n_groups)
    squared, absolute, n_ratings = resampling.totals(sums).T
    rmse, mae = intervals_of(np.column_stack([np.sqrt(squared / n_ratings), absolute / n_ratings]))
    return rmse, mae


def _errors_in_pieces(
    values: np.ndarray, predictions: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Rating less prediction in float64, piece by piece, to bound the memory that is needed."""
    for start in range(0, len(values), PIECE):
        piece = slice(start, start + PIECE)
        yield piece, values[piece].astype(np.float64) - predictions[piece]
