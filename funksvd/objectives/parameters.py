"""The parameters of eq. (1) of `objectives.plain`, and the weights of its regularization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Parameters(NamedTuple):
    """What a model has learned: the five arrays of eq. (1), in the order used everywhere.

    Parameters
    ----------
    global_mean : float
        mu, in rating units.
    user_biases : ndarray of shape (n_users,)
        b_u, in rating units.
    item_biases : ndarray of shape (n_items,)
        b_i, in rating units.
    user_factors : ndarray of shape (n_users, n_factors)
        The p_u, one a row.
    item_factors : ndarray of shape (n_items, n_factors)
        The q_i, one a row.
    """

    global_mean: float
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray

    def rows(self, users: np.ndarray, items: np.ndarray) -> Parameters:
        """Those of some users and items, by index."""
        mean, user_biases, item_biases, user_factors, item_factors = self
        return Parameters(
            mean, user_biases[users], item_biases[items], user_factors[users], item_factors[items]
        )

    @classmethod
    def mean(cls, members: Sequence[Parameters]) -> Parameters:
        """One model whose every prediction is the mean of several models' predictions.

        It has as many factors as they have together: the mean of S products p . q is the product
        of their rows set side by side, each divided by sqrt(S).
        """
        if len(members) == 1:
            return members[0]
        columns = list(zip(*members, strict=True))
        mean, *biases = (np.mean(column, axis=0) for column in columns[:3])
        return cls(float(mean), *biases, *map(side_by_side, columns[3:]))


def side_by_side(members: Sequence[np.ndarray]) -> np.ndarray:
    """The factors of a model that is the mean of S others, each (n, k); (n, S k)."""
    if len(members) == 1:
        return members[0]
    return np.concatenate(members, axis=1) / members[0].dtype.type(np.sqrt(len(members)))


class Regularization(NamedTuple):
    """The two weights of eq. (3).

    Parameters
    ----------
    factors : float
        lambda, in rating units.
    biases : float
        lambda_b, a pure number.
    """

    factors: float
    biases: float
