"""The learned factors, turned into the axes in which they can be read.

Any rotation of the factors predicts the same, so single factors mean nothing as they were learned.
The singular value decomposition of P Qᵀ is the rotation that puts as much as possible into the
first factor, as much as possible of the rest into the second, and so on; a report speaks of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from funksvd.learned.svd import SVD
from funksvd.model import FunkSVD
from funksvd.report.labels import Labels

N_ITEMS = 500
"""Largest number of items that are shown: the best-known ones, whose titles say something."""
N_FACTORS = 8
"""Largest number of factors whose ends are shown."""
N_TITLES = 5
"""Largest number of items at each end of a factor."""


class Spectrum(NamedTuple):
    """Part of each principal factor in all that the factors predict.

    Parameters
    ----------
    energy : ndarray of shape (n_factors,)
        Share of the sum of the squares of all predictions.
    effect : ndarray of shape (n_factors,)
        Root mean square of a factor's part in a prediction, over all users and items; in rating
        units.
    """

    energy: np.ndarray
    effect: np.ndarray

    def factors_for(self, share: float) -> int:
        """Least number of first factors that have at least this share of the energy."""
        return int(np.searchsorted(np.cumsum(self.energy), share - 1e-9)) + 1


class FactorEnds(NamedTuple):
    """A principal factor, described by the items that are farthest out.

    Parameters
    ----------
    number : int
        Number of the factor, from 1.
    energy, effect : float
        As in `Spectrum`.
    low, high : list of str
        Items at the two ends, the outermost first.
    users_high : float
        Share of the users who lean to the high end.
    """

    number: int
    energy: float
    effect: float
    low: list[str]
    high: list[str]
    users_high: float


class Point(NamedTuple):
    """An item on the map.

    Parameters
    ----------
    label : str
    x, y : float
        Amounts by which the factors move its prediction for a typical user; in rating units.
    n_ratings : int or None
        Ratings learned from; None where that is not known.
    liking : int
        Third of the points in which its bias is: -1 the lowest, 0 the middle, 1 the highest.
    """

    label: str
    x: float
    y: float
    n_ratings: int | None
    liking: int


@dataclass(frozen=True)
class Factors:
    """The factors in principal axes.

    Parameters
    ----------
    spectrum : Spectrum
    ends : list of FactorEnds
        Ends of the first factors that have any energy.
    points : list of Point
        The best-known items, the best-known first.
    chosen_by : str
        Words for what "best-known" means here.
    axes : (str, str)
        Names of the axes of the map.
    """

    spectrum: Spectrum
    ends: list[FactorEnds]
    points: list[Point]
    chosen_by: str
    axes: tuple[str, str]


def look_at_factors(model: FunkSVD, labels: Labels, n_ratings: np.ndarray | None) -> Factors:
    """Turn the factors into their principal axes and look at the items there.

    Parameters
    ----------
    model : FunkSVD
    labels : Labels
    n_ratings : ndarray of shape (n_items,), int, or None
        Ratings learned from, of each item.
    """
    svd = model.to_svd()
    n_users = len(model.user_ids)
    weight, chosen_by = n_ratings, "with the most ratings"
    if weight is None:
        weight = np.linalg.norm(svd.vt.T * svd.singular_values, axis=1)
        chosen_by = "with the largest factors, since their numbers of ratings are not known"
    best_known = np.argsort(-weight, kind="stable")[:N_ITEMS]
    spectrum = Spectrum(
        svd.explained_energy, svd.singular_values / np.sqrt(n_users * len(model.item_ids))
    )
    has_energy = np.flatnonzero(svd.singular_values[:N_FACTORS] > 0)
    positions = svd.vt.T * (svd.singular_values / np.sqrt(n_users))
    axes = ("factor 1", "factor 2")
    if len(svd.singular_values) == 1:
        axes = ("factor 1", "item bias")
        positions = np.column_stack([positions, model.item_biases])
    likings = _thirds(model.item_biases[best_known])
    points = [
        Point(
            labels[row],
            float(positions[row, 0]),
            float(positions[row, 1]),
            None if n_ratings is None else int(n_ratings[row]),
            liking,
        )
        for row, liking in zip(best_known.tolist(), likings, strict=True)
    ]
    ends = [_ends_of(svd, f, spectrum, best_known, labels) for f in has_energy.tolist()]
    return Factors(spectrum, ends, points, chosen_by, axes)


def _ends_of(
    svd: SVD, factor: int, spectrum: Spectrum, best_known: np.ndarray, labels: Labels
) -> FactorEnds:
    along = svd.vt[factor, best_known]
    order = best_known[np.argsort(along, kind="stable")]
    n = min(N_TITLES, len(order) // 2) or 1
    return FactorEnds(
        number=factor + 1,
        energy=float(spectrum.energy[factor]),
        effect=float(spectrum.effect[factor]),
        low=labels.of(order[:n].tolist()),
        high=labels.of(order[::-1][:n].tolist()),
        users_high=float(np.mean(svd.u[:, factor] > 0)),
    )


def _thirds(biases: np.ndarray) -> list[int]:
    """Third in which each bias is: -1 the lowest, 0 the middle, 1 the highest."""
    low, high = np.quantile(biases, [1 / 3, 2 / 3])
    return ((biases > high).astype(int) - (biases < low)).tolist()
