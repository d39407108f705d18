"""The objective, stated once: prediction, loss and hand-derived gradients in readable NumPy.

Omega is the set of observed (user u, item i) pairs and r_ui a rating, in rating units (stars)::

    (1)  r^_ui = mu + b_u + b_i + p_u . q_i        mu is fixed: the mean of the training ratings
    (2)  e_ui  = r_ui - r^_ui
    (3)  J     = sum over Omega of  1/2 e_ui^2 + 1/2 lambda_b (b_u^2 + b_i^2)
                                               + 1/2 lambda (|p_u|^2 + |q_i|^2)
    (4)  dJ/db_u = sum over i in Omega_u of  -e_ui + lambda_b b_u
    (5)  dJ/db_i = sum over u in Omega_i of  -e_ui + lambda_b b_i
    (6)  dJ/dp_u = sum over i in Omega_u of  -e_ui q_i + lambda p_u
    (7)  dJ/dq_i = sum over u in Omega_i of  -e_ui p_u + lambda q_i

The regularization stands inside the sum, so a row is regularized once for each of its ratings.
Stochastic gradient descent takes one pair's term at a time and moves all four rows at once, each
from the old values of the others::

    (8)  theta <- theta - lr * d(term)/d(theta)

Without biases (mu = b = 0) and with lambda = 0, J is half the squared Frobenius error on the
known entries, 1/2 |W o (A - P Q^T)|^2: the original Funk SVD. On a fully observed matrix its
minimum is the truncated SVD (Eckart and Young, 1936).

The functions here are the reference: any floating type, no parallelism. The kernels of
`funksvd.kernels` do the same in float32, one rating at a time.

References
----------
S. Funk, "Netflix Update: Try This at Home", 2006.
Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender Systems", 2009.
"""

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


def predict(parameters: Parameters, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
    """Predicted ratings, eq. (1).

    Parameters
    ----------
    parameters : Parameters
    user_index, item_index : ndarray of shape (n,), int

    Returns
    -------
    ndarray of shape (n,)
    """
    mean, user_biases, item_biases, user_factors, item_factors = parameters
    products = user_factors[user_index] * item_factors[item_index]
    return mean + user_biases[user_index] + item_biases[item_index] + products.sum(axis=1)


def loss(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: Regularization,
) -> float:
    """The objective J, eq. (3).

    Parameters
    ----------
    parameters : Parameters
    user_index, item_index : ndarray of shape (n_ratings,), int
    values : ndarray of shape (n_ratings,)
    regularization : Regularization

    Returns
    -------
    float
    """
    _, user_biases, item_biases, user_factors, item_factors = parameters
    errors = values - predict(parameters, user_index, item_index)
    bias_norms = user_biases[user_index] ** 2 + item_biases[item_index] ** 2
    factor_norms = user_factors[user_index] ** 2 + item_factors[item_index] ** 2
    return (
        0.5 * (errors**2).sum()
        + 0.5 * regularization.biases * bias_norms.sum()
        + 0.5 * regularization.factors * factor_norms.sum()
    )


def gradients(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: Regularization,
) -> Parameters:
    """The derivative of `loss` by each parameter, eqs. (4) to (7), derived by hand.

    The arguments are those of `loss`.

    Returns
    -------
    gradient : Parameters
        Of the same shapes. Its `global_mean` is dJ/dmu = -sum of e_ui, which training does not
        use: mu is fixed.
    """
    _, user_biases, item_biases, user_factors, item_factors = parameters
    errors = values - predict(parameters, user_index, item_index)
    p, q = user_factors[user_index], item_factors[item_index]
    by_rating = Parameters(
        -errors,
        -errors + regularization.biases * user_biases[user_index],
        -errors + regularization.biases * item_biases[item_index],
        -errors[:, None] * q + regularization.factors * p,
        -errors[:, None] * p + regularization.factors * q,
    )
    return Parameters(
        by_rating.global_mean.sum(),
        _sum_by_row(by_rating.user_biases, user_index, user_biases),
        _sum_by_row(by_rating.item_biases, item_index, item_biases),
        _sum_by_row(by_rating.user_factors, user_index, user_factors),
        _sum_by_row(by_rating.item_factors, item_index, item_factors),
    )


def _sum_by_row(terms: np.ndarray, index: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Add each rating's term to its row; a row that repeats receives all of its terms."""
    total = np.zeros_like(like)
    np.add.at(total, index, terms)
    return total
