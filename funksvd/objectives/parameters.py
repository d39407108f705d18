"""The parameters of eq. (1) of `objectives.plain`, and the weights of its regularization."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Parameters(NamedTuple):
    """The five parameters of eq. (1), in the order used everywhere.

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
