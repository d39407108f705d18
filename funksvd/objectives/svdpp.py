"""The objective of SVD++: each user is also known by which items they have rated.

In the notation of `funksvd.objectives.plain`; N(u) is the set of items that user u is known to have
dealt with, rated or not, and y_j says what it means to have dealt with item j::

    (1)  r^_ui = mu + b_u + b_i + q_i . w_u
    (2)  w_u   = p_u + z_u,    z_u = |N(u)|^-1/2 sum over j in N(u) of y_j
    (3)  e_ui  = r_ui - r^_ui
    (4)  J     = sum over Omega of  1/2 e_ui^2
                                    + 1/2 lambda_b (b_u^2 + b_i^2)
                                    + 1/2 lambda (|p_u|^2 + |q_i|^2)
                                    + 1/2 lambda_y |N(u)|^-1 sum over j in N(u) of |y_j|^2
    (5)  dJ/dp_u = sum over i in Omega_u of  -e_ui q_i + lambda p_u
    (6)  dJ/dq_i = sum over u in Omega_i of  -e_ui w_u + lambda q_i
    (7)  s_u     = sum over i in Omega_u of  e_ui q_i            the descent of the sum z_u
    (8)  dJ/dy_j = sum over u with j in N(u) of  -|N(u)|^-1/2 s_u + lambda_y |Omega_u| / |N(u)| y_j

The biases' derivatives are those of the plain model. What is regularized of the y_j is their parts
|N(u)|^-1/2 y_j of the sum, once for each rating, as everything else: so that a y_j is held as
firmly as a q_i, by lambda_y for each user who rated the item, whatever else these users rated.
(Koren regularizes y_j itself, lambda for each rating of each user;
`funksvd.training.learners.svdpp` tells how the two compare.)

Equations (7) and (8) make a pass linear in the ratings: the sum is formed once a user, its descent
is added up over the user's ratings, and handed back to the y_j once.

With y = 0 this is the plain model. Where learning has ended, w_u takes the place of p_u, and what
is left is the plain model too (`folded`).

The functions here are the reference, for small data: the sets N(u) are the rows of a dense matrix.

References
----------
Y. Koren, "Factorization Meets the Neighborhood: a Multifaceted Collaborative Filtering Model",
KDD 2008, section 4.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.objectives.parameters import Parameters


class SVDPPParameters(NamedTuple):
    """The five arrays of the plain model, and those of eq. (2).

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
    implicit_factors : ndarray of shape (n_items, n_factors)
        The y_j, one a row.
    """

    global_mean: float
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    implicit_factors: np.ndarray


class SVDPPRegularization(NamedTuple):
    """The weights of eq. (4).

    Parameters
    ----------
    factors : float
        lambda, in rating units.
    biases : float
        lambda_b, a pure number.
    implicit : float
        lambda_y, in rating units.
    """

    factors: float
    biases: float
    implicit: float


def implicit_weights(
    user_index: np.ndarray, item_index: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """The matrix that makes the sums: z = weights @ y.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int
        The pairs (u, j) with j in N(u); each counts once, however often it is there.
    shape : (n_users, n_items)

    Returns
    -------
    ndarray of shape (n_users, n_items), float64
        |N(u)|^-1/2 where j is in N(u), else 0.
    """
    is_in = np.zeros(shape)
    is_in[user_index, item_index] = 1
    return is_in / np.sqrt(np.maximum(is_in.sum(axis=1, keepdims=True), 1))


def folded(parameters: SVDPPParameters, weights: np.ndarray) -> Parameters:
    """The plain model that predicts the same: w_u, eq. (2), in the place of p_u."""
    mean, user_biases, item_biases, p, q, y = parameters
    return Parameters(mean, user_biases, item_biases, p + weights @ y, q)


def predict(
    parameters: SVDPPParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Predicted ratings, eq. (1).

    Parameters
    ----------
    parameters : SVDPPParameters
    user_index, item_index : ndarray of shape (n,), int
    weights : ndarray of shape (n_users, n_items)
        From `implicit_weights`.

    Returns
    -------
    ndarray of shape (n,)
    """
    mean, user_biases, item_biases, w, q = folded(parameters, weights)
    products = w[user_index] * q[item_index]
    return mean + user_biases[user_index] + item_biases[item_index] + products.sum(axis=1)


def loss(
    parameters: SVDPPParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: SVDPPRegularization,
    weights: np.ndarray | None = None,
) -> float:
    """The objective J, eq. (4).

    Parameters
    ----------
    parameters : SVDPPParameters
    user_index, item_index : ndarray of shape (n_ratings,), int
    values : ndarray of shape (n_ratings,)
    regularization : SVDPPRegularization
    weights : ndarray of shape (n_users, n_items), optional
        From `implicit_weights`; by default N(u) is what u has rated here.

    Returns
    -------
    float
    """
    if weights is None:
        weights = implicit_weights(user_index, item_index, _shape(parameters))
    _, user_biases, item_biases, p, q, y = parameters
    errors = values - predict(parameters, user_index, item_index, weights)
    bias_norms = user_biases[user_index] ** 2 + item_biases[item_index] ** 2
    factor_norms = p[user_index] ** 2 + q[item_index] ** 2
    implicit_norms = (weights**2 @ y**2)[user_index]
    return (
        0.5 * (errors**2).sum()
        + 0.5 * regularization.biases * bias_norms.sum()
        + 0.5 * regularization.factors * factor_norms.sum()
        + 0.5 * regularization.implicit * implicit_norms.sum()
    )


def gradients(
    parameters: SVDPPParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: SVDPPRegularization,
    weights: np.ndarray | None = None,
) -> SVDPPParameters:
    """The derivative of `loss` by each parameter, eqs. (5) to (8), derived by hand.

    Parameters
    ----------
    parameters, user_index, item_index, values, regularization, weights
        As for `loss`.

    Returns
    -------
    SVDPPParameters
        Each derivative in the place of its parameter; that by `global_mean` is the sum of -e_ui.
    """
    if weights is None:
        weights = implicit_weights(user_index, item_index, _shape(parameters))
    _, user_biases, item_biases, user_factors, item_factors, y = parameters
    errors = values - predict(parameters, user_index, item_index, weights)
    p, q = user_factors[user_index], item_factors[item_index]
    w = folded(parameters, weights).user_factors[user_index]
    sums = _sum_by_row(errors[:, None] * q, user_index, user_factors)
    n_ratings = np.bincount(user_index, minlength=len(user_factors))
    held = (n_ratings @ weights**2)[:, None]
    of_user_bias = -errors + regularization.biases * user_biases[user_index]
    of_item_bias = -errors + regularization.biases * item_biases[item_index]
    of_p = -errors[:, None] * q + regularization.factors * p
    of_q = -errors[:, None] * w + regularization.factors * q
    return SVDPPParameters(
        -errors.sum(),
        _sum_by_row(of_user_bias, user_index, user_biases),
        _sum_by_row(of_item_bias, item_index, item_biases),
        _sum_by_row(of_p, user_index, user_factors),
        _sum_by_row(of_q, item_index, item_factors),
        -weights.T @ sums + regularization.implicit * held * y,
    )


def _shape(parameters: SVDPPParameters) -> tuple[int, int]:
    return len(parameters.user_factors), len(parameters.item_factors)


def _sum_by_row(terms: np.ndarray, index: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Add each rating's term to its row; a row that repeats receives all of its terms."""
    total = np.zeros_like(like)
    np.add.at(total, index, terms)
    return total
