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
    rmse, mae = intervals_of(_resampled(values, (predictions,), clusters, seed)[0])
    return rmse, mae


def paired_intervals(
    values: np.ndarray,
    predictions: np.ndarray,
    others: np.ndarray,
    clusters: np.ndarray,
    seed: int = 0,
) -> tuple[Interval, Interval]:
    """95 % percentile bootstrap intervals of differences of RMSE and of MAE.

    The clusters that are drawn are the same for both predictions. What makes some ratings harder to
    predict than others then cancels out, and much smaller differences are found than by two
    intervals side by side.

    Parameters
    ----------
    values : ndarray of shape (n,)
    predictions, others : ndarray of shape (n,)
        The errors of `predictions` are subtracted from those of `others`.
    clusters, seed
        As for `bootstrap_intervals`.

    Returns
    -------
    rmse, mae : Interval
    """
    of_one, of_other = _resampled(values, (predictions, others), clusters, seed)
    rmse, mae = intervals_of(of_other - of_one)
    return rmse, mae


def _resampled(
    values: np.ndarray, guesses: tuple[np.ndarray, ...], clusters: np.ndarray, seed: int
) -> list[np.ndarray]:
    """RMSE and MAE in each draw: an array of shape (N_RESAMPLES, 2) for each of some guesses."""
    present = occurring(clusters, int(clusters.max()) + 1)
    if len(present) == 1:
        clusters = present = np.arange(len(values))
    resampling = Resampling(len(present), seed)
    groups = np.empty(present[-1] + 1, dtype=np.int64)
    groups[present] = resampling.groups
    sums = np.zeros((2 * len(guesses) + 1, resampling.n_groups))
    for at, predictions in enumerate(guesses):
        for piece, errors in _errors_in_pieces(values, predictions):
            group = groups[clusters[piece]]
            sums[2 * at] += np.bincount(group, errors**2, resampling.n_groups)
            sums[2 * at + 1] += np.bincount(group, np.abs(errors), resampling.n_groups)
    for start in range(0, len(values), PIECE):
        group = groups[clusters[start : start + PIECE]]
        sums[-1] += np.bincount(group, minlength=resampling.n_groups)
    *totals, n_ratings = resampling.totals(sums).T
    return [
        np.column_stack([np.sqrt(squared / n_ratings), absolute / n_ratings])
        for squared, absolute in zip(totals[::2], totals[1::2], strict=True)
    ]


def _errors_in_pieces(
    values: np.ndarray, predictions: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Rating less prediction in float64, piece by piece, to bound the memory that is needed."""
    for start in range(0, len(values), PIECE):
        piece = slice(start, start + PIECE)
        yield piece, values[piece].astype(np.float64) - predictions[piece]
