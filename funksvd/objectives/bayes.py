"""The Bayesian model, stated once: its joint density, hand-derived gradients and conditionals.

The model of `objectives.plain`, with noise and with distributions that everything comes from; in
units of the ratings' standard deviation, from their mean::

    (1)  r_ui = b_u + b_i + d_ut + p_u . q_i + e_ui     e_ui ~ N(0, 1 / (alpha_u gamma_i))
    (2)  w_u = (p_u, b_u) ~ N(M_u, 1 / lambda)
         M_u = m + |N_u|^-1/2 sum over j in N_u of y_j + x_u W
         v_i = (q_i, b_i) ~ N(M_i, 1 / lambda'), items' rows, with M_i of m', y', W' of their own
    (3)  m_f ~ N(0, 1 / lambda_f)    lambda_f ~ Gamma(1, 0.01)
         y_jf ~ N(0, 1 / tau_f)      tau_f ~ Gamma(1, 0.03)
         W_gf ~ N(0, 1 / kappa_f)    kappa_f ~ Gamma(1, 0.03)
         d_ut ~ N(0, 1 / delta)      delta ~ Gamma(1, 0.03)
    (4)  alpha_u ~ Gamma(a, a s)     s ~ Exp(1)      a on a grid from 0.5 to 128, all as likely
         gamma_i ~ Gamma(c, c)                       c on the same grid

Gamma(shape, rate); lambda, tau, kappa and m are vectors, a number for each factor and for the bias.
N_u are the items that user u has rated, N_i the users who have rated item i, both in the training
ratings only. That someone has rated something tells of both, and so does y (Bayesian SVD++);
without it (Bayesian Funk SVD), y = 0. x_u are features of the user, such as age, W what they say of
a row before anything is rated; without features, W = 0. t is the day on which u has rated i, and
d_ut what all ratings of that day are higher by; without times, d = 0. The regularization of
`objectives.plain` is what lambda / alpha is here: learned, for each factor, with everything else.
That users and items have noise of their own makes those that are hard to predict count less.

Given lambda, alpha, gamma, kappa, delta and the rest of M, the rows, W and d have the density
exp(-E) up to a constant::

    (5)  E = sum over Omega of 1/2 alpha_u gamma_i e_ui^2
             + sum over u of 1/2 lambda . (w_u - M_u)^2 + sum over i of 1/2 lambda' . (v_i - M_i)^2
             + sum over g of 1/2 kappa . W_g^2 + sum over u, t of 1/2 delta d_ut^2
    (6)  dE/dw_u = sum over i in Omega_u of -alpha_u gamma_i e_ui (q_i, 1) + lambda (w_u - M_u)
    (7)  dE/dv_i = sum over u in Omega_i of -alpha_u gamma_i e_ui (p_u, 1) + lambda' (v_i - M_i)
    (8)  dE/dd_ut = sum over i rated by u on day t of -alpha_u gamma_i e_ui + delta d_ut
    (9)  dE/dW_g = sum over u of -x_ug lambda (w_u - M_u) + kappa W_g

E is quadratic in w_u, so w_u given all else is normal: its precision is the second derivative,
its mean where (6) vanishes, a ridge regression::

    (10) A_u = diag(lambda) + sum over i in Omega_u of alpha_u gamma_i (q_i, 1) (q_i, 1)^T
         mean = A_u^-1 (lambda M_u
                        + sum over i in Omega_u of alpha_u gamma_i (r_ui - d_ut - b_i) (q_i, 1))

The means of d_ut and of W given all else are where (8) and (9) vanish; in the basis in which X^T X
is diagonal, the entries of W are independent. All others are drawn given the rest, too: m, y and
lambda, tau, kappa, delta as means and precisions of normal distributions, alpha and gamma as
precisions of errors, s as a rate, a and c from their grid. Going round all of them again and again,
the draws come to be from the distribution of everything given the ratings (Gibbs sampling). The
prediction is the mean of the draws' predictions; their standard deviation tells how sure it is.

References
----------
R. Salakhutdinov, A. Mnih, "Bayesian Probabilistic Matrix Factorization using Markov Chain Monte
Carlo", 2008.
S. Rendle, L. Zhang, Y. Koren, "On the Difficulty of Evaluating Baselines", 2019.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.objectives.parameters import Parameters
from funksvd.objectives.plain import predict


class BayesParameters(NamedTuple):
    """The five arrays of the plain model, and those of eqs. (1) and (2) that are drawn like rows.

    Parameters
    ----------
    global_mean : float
    user_biases, item_biases : ndarray of shape (n_users,) and (n_items,)
    user_factors, item_factors : ndarray of shape (n_users, n_factors) and (n_items, n_factors)
    user_days : ndarray of shape (n_users, n_days)
        The d_ut.
    weight_biases : ndarray of shape (n_features,)
        The last column of W, that of the users' biases.
    weight_factors : ndarray of shape (n_features, n_factors)
        The others.
    """

    global_mean: float
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    user_days: np.ndarray
    weight_biases: np.ndarray
    weight_factors: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """W: ndarray of shape (n_features, n_factors + 1)."""
        return np.column_stack([self.weight_factors, self.weight_biases])


class Given(NamedTuple):
    """The quantities that rows are drawn given, besides each other and the ratings.

    Parameters
    ----------
    user_noise, item_noise : ndarray of shape (n_users,) and (n_items,)
        alpha_u and gamma_i.
    user_means, item_means : ndarray of shape (n_users, n_factors + 1) and (n_items, n_factors + 1)
        M_u and M_i; the bias comes last.
        What they are without the features of users.
    user_precisions, item_precisions : ndarray of shape (n_factors + 1,)
        lambda and lambda'.
    user_features : ndarray of shape (n_users, n_features)
        The x_u.
    weight_precisions : ndarray of shape (n_factors + 1,)
        kappa.
    days : ndarray of shape (n_ratings,), int
        The day t of each rating, counted for its user.
    day_precision : float
        delta.
    """

    user_noise: np.ndarray
    item_noise: np.ndarray
    user_means: np.ndarray
    item_means: np.ndarray
    user_precisions: np.ndarray
    item_precisions: np.ndarray
    user_features: np.ndarray
    weight_precisions: np.ndarray
    days: np.ndarray
    day_precision: float

    def means_of_users(self, parameters: BayesParameters) -> np.ndarray:
        """M_u, eq. (2): ndarray of shape (n_users, n_factors + 1)."""
        return self.user_means + self.user_features @ parameters.weights


def errors_of(
    parameters: BayesParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    given: Given,
) -> np.ndarray:
    """The e_ui of eq. (1): ndarray of shape (n_ratings,)."""
    predictions = predict(Parameters(*parameters[:5]), user_index, item_index)
    return values - predictions - parameters.user_days[user_index, given.days]


def energy_loss(
    parameters: BayesParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    given: Given,
) -> float:
    """E, eq. (5): minus the logarithm of the density, up to a constant.

    Parameters
    ----------
    parameters : BayesParameters
    user_index, item_index : ndarray of shape (n_ratings,), int
    values : ndarray of shape (n_ratings,)
    given : Given

    Returns
    -------
    float
    """
    _, user_biases, item_biases, user_factors, item_factors, days, weight_biases, weights = (
        parameters
    )
    errors = errors_of(parameters, user_index, item_index, values, given)
    precisions = given.user_noise[user_index] * given.item_noise[item_index]
    total = 0.5 * (precisions * errors**2).sum()
    of_factors = given.user_means[:, :-1] + given.user_features @ weights
    of_biases = given.user_means[:, -1] + given.user_features @ weight_biases
    for factors, biases, means, row_precisions in (
        (user_factors, user_biases, (of_factors, of_biases), given.user_precisions),
        (
            item_factors,
            item_biases,
            (given.item_means[:, :-1], given.item_means[:, -1]),
            given.item_precisions,
        ),
    ):
        total = total + 0.5 * (row_precisions[:-1] * (factors - means[0]) ** 2).sum()
        total = total + 0.5 * (row_precisions[-1] * (biases - means[1]) ** 2).sum()
    total = total + 0.5 * (given.weight_precisions[:-1] * weights**2).sum()
    total = total + 0.5 * (given.weight_precisions[-1] * weight_biases**2).sum()
    return total + 0.5 * given.day_precision * (days**2).sum()


def energy_gradients(
    parameters: BayesParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    given: Given,
) -> BayesParameters:
    """The derivative of `energy_loss` by each parameter, eqs. (6) to (9), derived by hand."""
    _, user_biases, item_biases, user_factors, item_factors, days, *_ = parameters
    errors = errors_of(parameters, user_index, item_index, values, given)
    pulls = -given.user_noise[user_index] * given.item_noise[item_index] * errors
    user_rows = np.column_stack([user_factors, user_biases])
    item_rows = np.column_stack([item_factors, item_biases])
    users = given.user_precisions * (user_rows - given.means_of_users(parameters))
    items = given.item_precisions * (item_rows - given.item_means)
    weights = given.weight_precisions * parameters.weights - given.user_features.T @ users
    of_days = given.day_precision * days
    np.add.at(of_days, (user_index, given.days), pulls)
    np.add.at(users[:, :-1], user_index, pulls[:, None] * item_factors[item_index])
    np.add.at(users[:, -1], user_index, pulls)
    np.add.at(items[:, :-1], item_index, pulls[:, None] * user_factors[user_index])
    np.add.at(items[:, -1], item_index, pulls)
    return BayesParameters(
        pulls.sum(),
        users[:, -1],
        items[:, -1],
        users[:, :-1],
        items[:, :-1],
        of_days,
        weights[:, -1],
        weights[:, :-1],
    )


def conditional(
    parameters: BayesParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    given: Given,
    user: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and precision of a user's row given all else, eq. (10).

    Returns
    -------
    mean : ndarray of shape (n_factors + 1,)
    precision : ndarray of shape (n_factors + 1, n_factors + 1)
    """
    own = user_index == user
    items = item_index[own]
    features = np.column_stack([parameters.item_factors[items], np.ones(len(items))])
    weights = given.user_noise[user] * given.item_noise[items]
    known = parameters.item_biases[items] + parameters.user_days[user, given.days[own]]
    targets = values[own] - parameters.global_mean - known
    precision = np.diag(given.user_precisions) + features.T @ (weights[:, None] * features)
    pull = given.user_precisions * given.means_of_users(parameters)[user]
    return np.linalg.solve(precision, pull + features.T @ (weights * targets)), precision
