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

Other losses put another cost l in the place of 1/2 e_ui^2, and in eqs. (4) to (7), in the place of
e_ui, its residual g_ui: the negative derivative of l by the score s_ui, which is r^_ui of eq. (1)::

                        cost l(r, s)                                    residual g
    (9)   squared       1/2 e^2                                         e = r - s
    (10)  absolute      |e|                                             sign e
    (11)  Huber         1/2 e^2 if |e| <= delta,                        e held within
                        else delta (|e| - delta / 2)                    -delta and delta
    (12)  logistic      log(1 + exp s) - r s, where r is 0 or 1         r - 1 / (1 + exp(-s))

Where the loss is logistic, scores are log-odds: the prediction is 1 / (1 + exp(-s)), the
probability that r is 1, and mu is the log-odds of the mean.

Where ratings have timestamps, a bias d_ut of each user u on each day t (UTC) is found before all
else, and r_ui - d_ut takes the place of r_ui in what is said above. It is that of a model of biases
only, where the ratings of a user have a mean d_ut of 0, so that b_u tells the user's level. Its
minimum is approached by solving for users with their days, and for items, in turn::

    (13)  J_0   = sum over Omega of  1/2 (r_ui - mu - b_u - b_i - d_ut)^2
                  + 1/2 kappa_u |b_u|^2 + 1/2 kappa_i |b_i|^2 + 1/2 kappa_d |d_ut|^2,
                  where sum over t of n_ut d_ut = 0 for each user
    (14)  d_ut  = (s_ut - n_ut c_u) / (n_ut + kappa_d)
                  with c_u = sum over t of v_ut s_ut / sum over t of v_ut n_ut
                  and v_ut = n_ut / (n_ut + kappa_d)
    (15)  b_u   = sum over t of s_ut / (n_u + kappa_u)

Here n_ut is the number of the user's ratings of that day, and s_ut the sum of r_ui - mu - b_i over
them; c_u - b_u is the multiplier of the condition. The damping kappa_d is the variance of ratings
of a user and a day over that of days, each estimated without bias by an analysis of variance of
r_ui - mu - b_i (Henderson's method 1)::

    (16)  var_e = sum of squares within days / (n - T)              T: the number of users' days
    (17)  var_d = (sum of squares between days of a user - (T - U) var_e)
                  / sum over u of (n_u - sum over t of n_ut^2 / n_u),    kappa_d = var_e / var_d

Without biases (mu = b = 0) and with lambda = 0, J is half the squared Frobenius error on the
known entries, 1/2 |W o (A - P Q^T)|^2: the original Funk SVD. On a fully observed matrix its
minimum is the truncated SVD (Eckart and Young, 1936).

The functions here are the reference: any floating type, no parallelism. The kernels of
`funksvd.kernels` do the same in float32, one rating at a time.

References
----------
S. Funk, "Netflix Update: Try This at Home", 2006.
C. R. Henderson, "Estimation of Variance and Covariance Components", 1953.
P. Huber, "Robust Estimation of a Location Parameter", 1964.
Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender Systems", 2009.
"""

from __future__ import annotations

import numpy as np

from funksvd.objectives.losses import SQUARED, Loss
from funksvd.objectives.parameters import Parameters, Regularization


def predict(parameters: Parameters, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
    """Predicted ratings, eq. (1); for the logistic loss, their log-odds.

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
    rating_loss: Loss = SQUARED,
) -> float:
    """The objective J, eq. (3) with one of the costs (9) to (12).

    Parameters
    ----------
    parameters : Parameters
    user_index, item_index : ndarray of shape (n_ratings,), int
    values : ndarray of shape (n_ratings,)
    regularization : Regularization
    rating_loss : Loss

    Returns
    -------
    float
    """
    _, user_biases, item_biases, user_factors, item_factors = parameters
    costs = rating_loss.cost(values, predict(parameters, user_index, item_index))
    bias_norms = user_biases[user_index] ** 2 + item_biases[item_index] ** 2
    factor_norms = user_factors[user_index] ** 2 + item_factors[item_index] ** 2
    return (
        costs.sum()
        + 0.5 * regularization.biases * bias_norms.sum()
        + 0.5 * regularization.factors * factor_norms.sum()
    )


def gradients(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    regularization: Regularization,
    rating_loss: Loss = SQUARED,
) -> Parameters:
    """The derivative of `loss` by each parameter, eqs. (4) to (7) and (9) to (12), by hand.

    The arguments are those of `loss`.

    Returns
    -------
    gradient : Parameters
        Of the same shapes. Its `global_mean` is dJ/dmu = -sum of g_ui, which training does not
        use: mu is fixed.
    """
    _, user_biases, item_biases, user_factors, item_factors = parameters
    residuals = rating_loss.residual(values, predict(parameters, user_index, item_index))
    p, q = user_factors[user_index], item_factors[item_index]
    of_user_bias = -residuals + regularization.biases * user_biases[user_index]
    of_item_bias = -residuals + regularization.biases * item_biases[item_index]
    of_p = -residuals[:, None] * q + regularization.factors * p
    of_q = -residuals[:, None] * p + regularization.factors * q
    return Parameters(
        (-residuals).sum(),
        _sum_by_row(of_user_bias, user_index, user_biases),
        _sum_by_row(of_item_bias, item_index, item_biases),
        _sum_by_row(of_p, user_index, user_factors),
        _sum_by_row(of_q, item_index, item_factors),
    )


def _sum_by_row(terms: np.ndarray, index: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Add each rating's term to its row; a row that repeats receives all of its terms."""
    total = np.zeros_like(like)
    np.add.at(total, index, terms)
    return total
