"""The choice model: who deals with what, by weighted least squares over all pairs.

Omega is the set of pairs (user u, item i) that are observed: the user has dealt with the item. A
pair's score says how likely that is; 1 stands for an observed pair and 0 for any other::

    (1)  s_ui = p_u . q_i
    (2)  J    = sum over Omega of 1/2 w_ui (1 - s_ui)^2  +  1/2 a0 sum over all pairs of s_ui^2
                + 1/2 sum over u of rho_u |p_u|^2  +  1/2 sum over i of rho_i |q_i|^2
    (3)  rho_u = nu (n_u + a0 n_items)    rho_i = nu (n_i + a0 n_users)

n_u and n_i are the numbers of observed pairs of a user and of an item. w_ui is how much a pair
counts, a0 how much each of the pairs counts as an argument for 0. The sum over all pairs needs no
loop over them: with the Gram matrices P^T P and Q^T Q it is the sum of the products of their
entries. The derivatives::

    (4)  dJ/dp_u = sum over i in Omega_u of -w_ui (1 - s_ui) q_i  +  a0 Q^T Q p_u  +  rho_u p_u
    (5)  dJ/dq_i = sum over u in Omega_i of -w_ui (1 - s_ui) p_u  +  a0 P^T P q_i  +  rho_i q_i

With the items' rows as they are, J is quadratic in p_u, and (4) vanishes at the solution of::

    (6)  A_u p_u = sum over i in Omega_u of w_ui q_i
         A_u     = a0 Q^T Q + rho_u I + sum over i in Omega_u of w_ui q_i q_i^T

All rows of one side are solved, then all of the other, in turn. The basis of the factors is free: a
rotation of all rows changes no score. In the one in which a0 Q^T Q = diag(S), the matrix of eq. (6)
is diag(S + rho_u) and one term for each observed pair, so that its product with a vector takes
2 k n_u multiplications, and its diagonal is known: conjugate gradients with that diagonal as
preconditioner, from the row's last value, need two steps.

How large nu is follows from the data: the geometric mean of the mean rho_u and the mean rho_i is
`reg` times sqrt(mean n_u) + sqrt(mean n_i). A random matrix of zeros and ones, with as many ones,
has a largest singular value of about this size beside that of its mean: directions that are
weaker than noise are shrunk to nothing.

What was tried, on quarters of the training ratings of MovieLens 100K's five folds, and on tenths of
those of latest-small: NDCG@10 with liked items relevant, of lists by choice, and by both models
(`learned.lists`), with 128 factors::

                      100K, choice   both     latest-small, choice   both
    a0 0.2, reg 0.55         .2867   .2926                   .1942   .1990
       0.3, 0.5              .2816   .2937                   .1946   .2024
       0.3, 0.65             .2877   .2928                   .1967   .2009
       0.4, 0.6              .2847   .2941                   .1958   .2026
       0.5, 0.65             .2852   .2933                   .1966   .2025
       0.5, 0.75             .2882   .2939                   .1972   .2015

15 or 20 epochs change the third digit of none of these, nor do 256 factors of the first two; on
latest-small, 256 factors give .2041 instead of .2024 by both.

The functions here are the reference: any floating type, no parallelism. The kernels of
`funksvd.kernels.cpu.alternating` do the same in float32.

References
----------
Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", 2008.
S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item
Recommendation Benchmarks", 2022: the regularization of eq. (3).
G. Takács, I. Pilászy, D. Tikk, "Applications of the Conjugate Gradient Method for Implicit
Feedback Collaborative Filtering", 2011.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.objectives.parameters import Parameters


class ChoiceTerms(NamedTuple):
    """Constants of eqs. (2) and (3).

    Parameters
    ----------
    unobserved_weight : float
        a0.
    strength : float
        nu.
    """

    unobserved_weight: float
    strength: float

    def of_rows(self, n_others: int) -> tuple[float, float]:
        """The two numbers that make rho of a row with n pairs: the first times n, plus the second.

        Parameters
        ----------
        n_others : int
            Number of rows of the other side: of items for a user.
        """
        return self.strength, self.strength * self.unobserved_weight * n_others


def strength_of(
    reg: float, unobserved_weight: float, n_users: int, n_items: int, n_pairs: int
) -> float:
    """Nu of eq. (3), by the size of the data.

    Parameters
    ----------
    reg : float
        Regularization as a multiple of the noise level.
    unobserved_weight : float
        a0.
    n_users, n_items, n_pairs : int
        Users and items with at least one observed pair, and observed pairs.
    """
    of_user, of_item = n_pairs / n_users, n_pairs / n_items
    means = (of_user + unobserved_weight * n_items) * (of_item + unobserved_weight * n_users)
    return float(reg * (np.sqrt(of_user) + np.sqrt(of_item)) / np.sqrt(means))


def loss(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    weights: np.ndarray,
    terms: ChoiceTerms,
) -> float:
    """The objective J, eq. (2).

    Parameters
    ----------
    parameters : Parameters
        Its mean and biases have no part in it.
    user_index, item_index : ndarray of shape (n_pairs,), int
        The observed pairs, each once.
    weights : ndarray of shape (n_pairs,)
        w_ui.
    terms : ChoiceTerms

    Returns
    -------
    float
    """
    p, q = parameters.user_factors, parameters.item_factors
    scores = (p[user_index] * q[item_index]).sum(axis=1)
    of_users, of_items = _regularization(parameters, user_index, item_index, terms)
    return (
        0.5 * (weights * (1 - scores) ** 2).sum()
        + 0.5 * terms.unobserved_weight * ((p @ q.T) ** 2).sum()
        + 0.5 * (of_users * (p**2).sum(axis=1)).sum()
        + 0.5 * (of_items * (q**2).sum(axis=1)).sum()
    )


def gradients(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    weights: np.ndarray,
    terms: ChoiceTerms,
) -> Parameters:
    """The derivative of `loss` by each parameter, eqs. (4) and (5), by hand.

    The arguments are those of `loss`.

    Returns
    -------
    gradient : Parameters
        Of the same shapes; zero for mean and biases.
    """
    mean, user_biases, item_biases, p, q = parameters
    residuals = weights * (1 - (p[user_index] * q[item_index]).sum(axis=1))
    of_users, of_items = _regularization(parameters, user_index, item_index, terms)
    of_p = terms.unobserved_weight * (p @ (q.T @ q)) + of_users[:, None] * p
    of_q = terms.unobserved_weight * (q @ (p.T @ p)) + of_items[:, None] * q
    np.subtract.at(of_p, user_index, residuals[:, None] * q[item_index])
    np.subtract.at(of_q, item_index, residuals[:, None] * p[user_index])
    return Parameters(
        0.0 * mean, np.zeros_like(user_biases), np.zeros_like(item_biases), of_p, of_q
    )


def _regularization(
    parameters: Parameters, user_index: np.ndarray, item_index: np.ndarray, terms: ChoiceTerms
) -> tuple[np.ndarray, np.ndarray]:
    """rho_u and rho_i, eq. (3)."""
    n_users, n_items = len(parameters.user_factors), len(parameters.item_factors)
    sides = ((user_index, n_users, n_items), (item_index, n_items, n_users))
    of_users, of_items = (
        share * np.bincount(index, minlength=n) + fixed
        for index, n, (share, fixed) in (
            (index, n, terms.of_rows(n_others)) for index, n, n_others in sides
        )
    )
    return of_users, of_items
