"""Draws that are kept to tell how sure predictions are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.learned.draws import Draws, whole_numbers
from funksvd.objectives.parameters import Parameters

MOST_KEPT = 50
"""Largest number of draws that are kept."""


class KeptDraw(NamedTuple):
    """A draw whose factors are whole numbers times a scale for each factor.

    Parameters
    ----------
    mean : float
    user_biases, item_biases : ndarray of shape (n,), float32
    user_factors, item_factors : ndarray of shape (n, n_factors), int8
    scales : ndarray of shape (n_factors,), float64
        Of the products of two factors.
    """

    mean: float
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, draw: Parameters) -> KeptDraw:
        """A draw, rounded."""
        users, items = (whole_numbers(factors) for factors in draw[3:])
        user_biases, item_biases = (each.astype(np.float32) for each in draw[1:3])
        return cls(
            draw.global_mean, user_biases, item_biases, users[0], items[0], users[1] * items[1]
        )


class KeptDraws:
    """Draws at equal distances, as many as there is room for.

    Where room ends, every other one is given up, and from then on every other one is taken. The
    number of draws for which there is room is even, so that distances stay equal.

    Attributes
    ----------
    draws : list of KeptDraw
    """

    def __init__(self) -> None:
        self.draws: list[KeptDraw] = []
        self._every, self._n_offered = 1, 0

    def wants_next(self) -> bool:
        """Tell whether the next draw is to be kept, and count it."""
        self._n_offered += 1
        return (self._n_offered - 1) % self._every == 0

    def add(self, draw: KeptDraw) -> None:
        """Keep a draw."""
        if len(self.draws) == MOST_KEPT:
            self.draws = self.draws[::2]
            self._every *= 2
        self.draws.append(draw)

    def together(self) -> Draws | None:
        """All draws kept; None if there is only one."""
        if len(self.draws) < 2:
            return None
        means, *arrays = zip(*self.draws, strict=True)
        return Draws(np.array(means), *(np.stack(each, axis=-1) for each in arrays))
