"""Explanations: the part of each of a user's ratings in a prediction.

The prediction for someone who is folded in is linear in their ratings (`learned.fold_in`), so that
each rating has its part in the sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


def strongest_for(contributions: np.ndarray, n: int) -> np.ndarray:
    """Positions of the n largest contributions above zero, largest first.

    Parameters
    ----------
    contributions : ndarray of shape (n_rated,), float64
        Their negatives give the positions of what speaks most against an item.
    n : int

    Returns
    -------
    ndarray of shape (n or fewer,), int64
    """
    order = np.argsort(-contributions, kind="stable")
    return order[contributions[order] > 0][:n]


class Explanation(NamedTuple):
    """A prediction as a sum: what each of the user's ratings adds to it.

    Parameters
    ----------
    item : int or str
    prediction : float
        Held within the rating scale: the sum of all that follows.
    global_mean : float
        mu: the prediction where nothing is known.
    item_bias : float
        b_i: how much better or worse than others the item is rated.
    rated : ndarray of shape (n_rated,), int64 or object (str)
        The user's rated items, as far as the model knows them.
    ratings : ndarray of shape (n_rated,), float32
    contributions : ndarray of shape (n_rated,), float64
        Above zero: the rating speaks for the item.
    rest : float
        What training knows of the user besides; 0 for someone new.
    limit : float
        Taken off or added to stay within the rating scale.
    """

    item: int | str
    prediction: float
    global_mean: float
    item_bias: float
    rated: np.ndarray
    ratings: np.ndarray
    contributions: np.ndarray
    rest: float
    limit: float

    def speaking_for(self, n: int) -> np.ndarray:
        """Positions of the n ratings that speak most for the item, strongest first."""
        return strongest_for(self.contributions, n)

    def speaking_against(self, n: int) -> np.ndarray:
        """Positions of the n ratings that speak most against the item, strongest first."""
        return strongest_for(-self.contributions, n)


@dataclass(frozen=True, eq=False)
class Sums:
    """Predictions of some items for one user, as sums.

    Parameters
    ----------
    global_mean : float
    item_biases : ndarray of shape (n_items,), float64
    contributions : ndarray of shape (n_items, n_rated), float64
    rest : ndarray of shape (n_items,), float64
        What a trained user's prediction differs from that of a folded-in one by.
    limits : (float, float)
        The rating scale.
    """

    global_mean: float
    item_biases: np.ndarray
    contributions: np.ndarray
    rest: np.ndarray
    limits: tuple[float, float]

    def explanations(
        self, items: np.ndarray, rated: np.ndarray, ratings: np.ndarray
    ) -> list[Explanation]:
        """One explanation for each item.

        Parameters
        ----------
        items : ndarray of shape (n_items,), int64 or object (str)
            Raw ids of the items.
        rated, ratings : ndarray of shape (n_rated,)
            Raw ids of the rated items, and their ratings.
        """
        sums = self.global_mean + self.item_biases + self.contributions.sum(axis=1) + self.rest
        shown = np.clip(sums, *self.limits)
        return [
            Explanation(
                item,
                float(shown[at]),
                float(self.global_mean),
                float(self.item_biases[at]),
                rated,
                ratings,
                self.contributions[at],
                float(self.rest[at]),
                float(shown[at] - sums[at]),
            )
            for at, item in enumerate(items.tolist())
        ]
