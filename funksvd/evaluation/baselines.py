"""What a recommender must beat: predictions that need no factors."""

from __future__ import annotations

import numpy as np

from funksvd.objective import Parameters
from funksvd.ratings import Ratings

USER_DAMPING = 7.0
ITEM_DAMPING = 3.0
N_SWEEPS = 15


def global_mean(ratings: Ratings) -> Parameters:
    """The mean of the ratings, for every pair."""
    mean = float(np.mean(ratings.values, dtype=np.float64))
    return _without_factors(mean, np.zeros(ratings.n_users), np.zeros(ratings.n_items))


def regularized_biases(ratings: Ratings) -> Parameters:
    """Mean, user biases and item biases only: mu + b_u + b_i.

    The biases come from fifteen sweeps over the two closed forms that minimize the squared error
    plus 7 b_u**2 for each user and 3 b_i**2 for each item,
    b_i = sum over u in Omega_i of (r_ui - mu - b_u) / (3 + |Omega_i|), and likewise b_u. These
    weights did about best on held-out parts of MovieLens 100K and latest-small.

    References
    ----------
    Y. Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering", 2010,
    section 2.1.
    """
    mean = float(np.mean(ratings.values, dtype=np.float64))
    residuals = ratings.values - mean
    users, items = ratings.user_index, ratings.item_index
    user_weights = USER_DAMPING + np.bincount(users, minlength=ratings.n_users)
    item_weights = ITEM_DAMPING + np.bincount(items, minlength=ratings.n_items)
    user_biases = np.zeros(ratings.n_users)
    for _ in range(N_SWEEPS):
        item_biases = np.bincount(items, residuals - user_biases[users], ratings.n_items)
        item_biases /= item_weights
        user_biases = np.bincount(users, residuals - item_biases[items], ratings.n_users)
        user_biases /= user_weights
    return _without_factors(mean, user_biases, item_biases)


def _without_factors(mean: float, user_biases: np.ndarray, item_biases: np.ndarray) -> Parameters:
    return Parameters(
        mean,
        user_biases.astype(np.float32),
        item_biases.astype(np.float32),
        np.zeros((len(user_biases), 0), dtype=np.float32),
        np.zeros((len(item_biases), 0), dtype=np.float32),
    )
