"""Percentile bootstrap: the spread of a figure when the units it comes from are drawn anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.rng import Stream, generator

N_RESAMPLES = 1000
"""Number of times that the units are drawn with replacement."""
MAX_UNITS = 10_000
"""Largest number of units that are drawn; more of them are dealt into this number of groups."""
PERCENTILES = (2.5, 97.5)
"""Ends of an interval among the resampled figures, in percent."""


class Interval(NamedTuple):
    """A 95 % bootstrap interval."""

    low: float
    high: float


class Resampling:
    """Units that are drawn again and again, with replacement, in the same way for all figures.

    More than 10,000 units are first dealt into 10,000 groups at random, and groups are drawn. That
    leaves the variance of a sum as it is, and bounds the time.

    Parameters
    ----------
    n_units : int
    seed : int

    Attributes
    ----------
    groups : ndarray of shape (n_units,), int64
        Number of the group of each unit; the unit itself where there are not too many.
    n_groups : int
    """

    def __init__(self, n_units: int, seed: int) -> None:
        self._random = generator(seed, Stream.BOOTSTRAP)
        self.n_groups = min(n_units, MAX_UNITS)
        self.groups = np.arange(n_units)
        if n_units > self.n_groups:
            self.groups = self._random.permutation(n_units) % self.n_groups

    def totals(self, sums: np.ndarray) -> np.ndarray:
        """Totals over the groups of each draw.

        Parameters
        ----------
        sums : ndarray of shape (n_sums, n_groups), float64
            Sums over the units of each group.

        Returns
        -------
        ndarray of shape (N_RESAMPLES, n_sums), float64
        """
        totals = np.empty((N_RESAMPLES, len(sums)))
        for row in totals:
            drawn = self._random.integers(0, self.n_groups, self.n_groups)
            row[:] = (sums * np.bincount(drawn, minlength=self.n_groups)).sum(axis=1)
        return totals


def intervals_of(resampled: np.ndarray) -> list[Interval]:
    """Intervals of figures.

    Parameters
    ----------
    resampled : ndarray of shape (N_RESAMPLES, n_figures), float64
        Each figure in each draw.
    """
    low, high = np.percentile(resampled, PERCENTILES, axis=0)
    return list(map(Interval, low.tolist(), high.tolist()))


def intervals_of_means(figures: np.ndarray, seed: int = 0) -> list[Interval]:
    """95 % percentile bootstrap intervals of the means of rows.

    Parameters
    ----------
    figures : ndarray of shape (n_figures, n_units), float64
        Figures of each unit, such as a user. The same units are drawn for all rows.
    seed : int
    """
    resampling = Resampling(figures.shape[1], seed)
    of_units = (*figures, np.ones(figures.shape[1]))
    totals = resampling.totals(
        np.stack([np.bincount(resampling.groups, row, resampling.n_groups) for row in of_units])
    )
    return intervals_of(totals[:, :-1] / totals[:, -1:])
