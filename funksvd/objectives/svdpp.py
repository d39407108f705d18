"""The objective of SVD++: users are also known by which items they rated, items by who rated them.

In the notation of `funksvd.objectives.plain`; N(u) is the set of items that user u is known to have
dealt with, rated or not, and y_j says what it means for a user to have dealt with item j. N(i) is
the set of users who are known to have dealt with item i, and x_v says what it means for an item
that user v has dealt with it::

    (1)  r^_ui = mu + b_u + b_i + w_u . v_i
    (2)  w_u   = p_u + z_u,    z_u = |N(u)|^-1/2 sum over j in N(u) of y_j
         v_i   = q_i + t_i,    t_i = |N(i)|^-1/2 sum over v in N(i) of x_v
    (3)  e_ui  = r_ui - r^_ui
    (4)  J     = sum over Omega of  1/2 e_ui^2
                                    + 1/2 lambda_b (b_u^2 + b_i^2)
                                    + 1/2 lambda (|p_u|^2 + |q_i|^2)
                                    + 1/2 lambda_y |N(u)|^-1 sum over j in N(u) of |y_j|^2
                                    + 1/2 lambda_x |N(i)|^-1 sum over v in N(i) of |x_v|^2
    (5)  dJ/dp_u = sum over i in Omega_u of  -e_ui v_i + lambda p_u
    (6)  dJ/dq_i = sum over u in Omega_i of  -e_ui w_u + lambda q_i
    (7)  dJ/dy_j = sum over u with j in N(u) of  -|N(u)|^-1/2 s_u + lambda_y |Omega_u| / |N(u)| y_j
         s_u     = sum over i in Omega_u of  e_ui v_i           the descent of the sum z_u
    (8)  dJ/dx_v = sum over i with v in N(i) of  -|N(i)|^-1/2 s_i + lambda_x |Omega_i| / |N(i)| x_v
         s_i     = sum over u in Omega_i of  e_ui w_u           the descent of the sum t_i

The biases' derivatives are those of the plain model. What is regularized of the y_j is their parts
|N(u)|^-1/2 y_j of the sum, once for each rating, as everything else: so that a y_j is held as
firmly as a q_i, by lambda_y for each user who rated the item, whatever else these users rated; an
x_v is held by lambda_x for each item that the user has rated. (Koren's model has the sets of users
only, and regularizes y_j itself, lambda for each rating of each user.)

Equations (7) and (8) make a pass linear in the ratings: a sum is formed once a user or item, its
descent is added up over the ratings of the user or item, and handed back to the y_j or x_v once.

With x = 0 this is Koren's model, and with y = 0 too the plain one. Where learning has ended, w_u
and v_i take the places of p_u and q_i, and what is left is the plain model (`folded`).

The functions here are the reference, for small data: the sets are the rows of dense matrices.

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
    user_implicit_factors : ndarray of shape (n_users, n_factors)
        The x_v, one a row.
    """

    global_mean: float
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    implicit_factors: np.ndarray
    user_implicit_factors: np.ndarray


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
    user_implicit : float
        lambda_x, in rating units.
    """

    factors: float
    biases: float
    implicit: float
    user_implicit: float


class SetWeights(NamedTuple):
    """The matrices that make the sums: z = users @ y, t = items @ x.

    Parameters
    ----------
    users : ndarray of shape (n_users, n_items), float64
        |N(u)|^-1/2 where j is in N(u), else 0.
    items : ndarray of shape (n_items, n_users), float64
        |N(i)|^-1/2 where v is in N(i), else 0.
    """

    users: np.ndarray
    items: np.ndarray


def implicit_weights(
    user_index: np.ndarray, item_index: np.ndarray, shape: tuple[int, int]
) -> SetWeights:
    """The weights of the sets that pairs make.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int
        The pairs (u, j) with j in N(u) and u in N(j); each counts once, however often it is there.
    shape : (n_users, n_items)
    """
    is_in = np.zeros(shape)
    is_in[user_index, item_index] = 1
    users, items = (
        sets / np.sqrt(np.maximum(sets.sum(axis=1, keepdims=True), 1)) for sets in (is_in, is_in.T)
    )
    return SetWeights(users, items)


def folded(parameters: SVDPPParameters, weights: SetWeights) -> Parameters:
    """The plain model that predicts the same: w_u and v_i, eq. (2), in place of p_u and q_i."""
    mean, user_biases, item_biases, p, q, y, x = parameters
    return Parameters(mean, user_biases, item_biases, p + weights.users @ y, q + weights.items @ x)


def predict(
    parameters: SVDPPParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    weights: SetWeights,
) -> np.ndarray:
    """Predicted ratings, eq. (1).

    Parameters
    ----------
    parameters : SVDPPParameters
    user_index, item_index : ndarray of shape (n,), int
    weights : SetWeights

    Returns
    -------
    ndarray of shape (n,)
    """
    mean, user_biases, item_biases, w, v = folded(parameters, weights)
    products = w[user_index] * v[item_index]
    return mean + user_biases[user_index] + item_biases[item_index] + products.sum(axis=1)


def loss(
    parameters: SVDPPParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: SVDPPRegularization,
    weights: SetWeights | None = None,
) -> float:
    """The objective J, eq. (4).

    Parameters
    ----------
    parameters : SVDPPParameters
    user_index, item_index : ndarray of shape (n_ratings,), int
    values : ndarray of shape (n_ratings,)
    regularization : SVDPPRegularization
    weights : SetWeights, optional
        By default the sets are those of the pairs that are rated here.

    Returns
    -------
    float
    """
    if weights is None:
        weights = implicit_weights(user_index, item_index, _shape(parameters))
    _, user_biases, item_biases, p, q, y, x = parameters
    errors = values - predict(parameters, user_index, item_index, weights)
    bias_norms = user_biases[user_index] ** 2 + item_biases[item_index] ** 2
    factor_norms = p[user_index] ** 2 + q[item_index] ** 2
    implicit_norms = (weights.users**2 @ y**2)[user_index]
    user_implicit_norms = (weights.items**2 @ x**2)[item_index]
    return (
        0.5 * (errors**2).sum()
        + 0.5 * regularization.biases * bias_norms.sum()
        + 0.5 * regularization.factors * factor_norms.sum()
        + 0.5 * regularization.implicit * implicit_norms.sum()
        + 0.5 * regularization.user_implicit * user_implicit_norms.sum()
    )


def gradients(
    parameters: SVDPPParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: SVDPPRegularization,
    weights: SetWeights | None = None,
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
    _, user_biases, item_biases, p, q, y, x = parameters
    errors = values - predict(parameters, user_index, item_index, weights)
    whole = folded(parameters, weights)
    descents = (
        _sum_by_row(errors[:, None] * whole.item_factors[item_index], user_index, p),
        _sum_by_row(errors[:, None] * whole.user_factors[user_index], item_index, q),
    )
    n_ratings = [
        np.bincount(index, minlength=len(rows))
        for index, rows in ((user_index, p), (item_index, q))
    ]
    held = [(n @ each**2)[:, None] for n, each in zip(n_ratings, weights, strict=True)]
    of_user_bias = -errors + regularization.biases * user_biases[user_index]
    of_item_bias = -errors + regularization.biases * item_biases[item_index]
    return SVDPPParameters(
        -errors.sum(),
        _sum_by_row(of_user_bias, user_index, user_biases),
        _sum_by_row(of_item_bias, item_index, item_biases),
        -descents[0] + regularization.factors * n_ratings[0][:, None] * p,
        -descents[1] + regularization.factors * n_ratings[1][:, None] * q,
        -weights.users.T @ descents[0] + regularization.implicit * held[0] * y,
        -weights.items.T @ descents[1] + regularization.user_implicit * held[1] * x,
    )


def _shape(parameters: SVDPPParameters) -> tuple[int, int]:
    return len(parameters.user_factors), len(parameters.item_factors)


def _sum_by_row(terms: np.ndarray, index: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Add each rating's term to its row; a row that repeats receives all of its terms."""
    total = np.zeros_like(like)
    np.add.at(total, index, terms)
    return total
