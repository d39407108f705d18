"""`LearnedChoices`: the parameters of the choice model of `objectives.ials`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from funksvd.learned.base import Axis, Learned, array, number, optional
from funksvd.objectives.parameters import Parameters

MOST = 1e15
"""Largest number in a model file whose square, times any number of factors, fits a float32."""


@dataclass(frozen=True, eq=False)
class LearnedChoices(Learned):
    """What a choice model knows.

    Parameters
    ----------
    user_factors, item_factors : ndarray of shape (n_users, n_factors) and (n_items, n_factors), \
float32
        p_u and q_i, one a row, in the basis in which the items' Gram matrix is diagonal.
    spectrum : ndarray of shape (n_factors,), float32
        Diagonal of that matrix times a0, which new users need.
    unobserved_weight : float
        a0 of eq. (2).
    strength : float
        nu of eq. (3).
    user_feature_factors, item_feature_factors : ndarray of shape (n_features, n_factors), \
float32, optional
        Of a row without pairs whose encoded features are x: p_u or q_i is x . factors.
    """

    kind: ClassVar[str] = "choice"

    user_factors: np.ndarray = array(Axis.USER, Axis.FACTOR)
    item_factors: np.ndarray = array(Axis.ITEM, Axis.FACTOR)
    spectrum: np.ndarray = array(Axis.FACTOR)
    unobserved_weight: float = number()
    strength: float = number()
    user_feature_factors: np.ndarray | None = optional(Axis.USER_FEATURE, Axis.FACTOR)
    item_feature_factors: np.ndarray | None = optional(Axis.ITEM_FEATURE, Axis.FACTOR)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], n_users: int, n_items: int) -> Self:
        """As `Learned.from_tensors`; new users need a matrix that can be inverted.

        Raises
        ------
        KeyError, UnknownArrayError, ValueError
            As there; or if a number is negative that cannot be, or products could overflow.
        """
        learned = super().from_tensors(tensors, n_users, n_items)
        if not (learned.unobserved_weight > 0 and learned.strength > 0):
            raise ValueError("unobserved_weight and strength must be above 0")
        if learned.spectrum.min(initial=0) < 0:
            raise ValueError("spectrum holds negative numbers")
        for name, values in learned.arrays().items():
            if np.ndim(values) and max(values.max(initial=0), -values.min(initial=0)) > MOST:
                raise ValueError(f"{name} holds numbers above {MOST:g}")
        return learned

    @property
    def parameters(self) -> Parameters:
        """Parameters whose predictions, by eq. (1) of `objectives.plain`, are the scores p . q."""
        return products(self.user_factors, self.item_factors)


def products(user_factors: np.ndarray, item_factors: np.ndarray) -> Parameters:
    """Parameters without mean and biases: predictions are the products of rows.

    Parameters
    ----------
    user_factors, item_factors : ndarray of shape (n, n_factors), float32
    """
    of_users, of_items = (np.zeros(len(rows), np.float32) for rows in (user_factors, item_factors))
    return Parameters(0.0, of_users, of_items, user_factors, item_factors)
