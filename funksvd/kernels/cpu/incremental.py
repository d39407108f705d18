"""One feature at a time over a block of ratings: the numbers p_u and q_i of each user and item.

What the finished features leave of each rating is at hand as its residual, so that a step touches
one number of each row rather than all.
"""

from __future__ import annotations

import numpy as np

from funksvd.kernels.compiling import compiled


@compiled
def feature_block(
    user_index, item_index, residuals, user_biases, item_biases, user_feature, item_feature, rates
):
    """Move biases and one feature along the negative gradient of each rating's term, in order.

    Eqs. (4) to (8) of `funksvd.objectives.incremental`. Serial, and so deterministic; blocks that
    share no user and no item may run at the same time.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), integer, not negative
    residuals : ndarray of shape (n,), float32
        Ratings less mu and the finished features.
    user_biases, item_biases : ndarray of shape (n_users,) and (n_items,), float32
        Changed in place.
    user_feature, item_feature : ndarray of shape (n_users,) and (n_items,), float32
        The p_u and the q_i; changed in place.
    rates : tuple
        Learning rates of the feature and of the biases; lambda and lambda_b; the weights w_u of
        the users, ndarray of shape (n_users,), and w_i of the items; float32.

    Returns
    -------
    float
        Sum of the squared errors e_ui**2 in float64, each as it was before its own step. Not
        finite where the descent diverges.
    """
    lr, bias_lr, reg, bias_reg, user_weights, item_weights = rates
    one = np.float32(1.0)
    shrink = lr * reg
    bias_shrink = bias_lr * bias_reg
    squared_error = 0.0
    for at in range(residuals.size):
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        b_u = user_biases[u]
        b_i = item_biases[i]
        p = user_feature[u]
        q = item_feature[i]
        e = residuals[at] - (b_u + b_i) - p * q
        squared_error += np.float64(e) * np.float64(e)
        w_u = user_weights[u]
        w_i = item_weights[i]
        user_feature[u] = (one - shrink * w_u) * p + lr * e * q
        item_feature[i] = (one - shrink * w_i) * q + lr * e * p
        user_biases[u] = (one - bias_shrink * w_u) * b_u + bias_lr * e
        item_biases[i] = (one - bias_shrink * w_i) * b_i + bias_lr * e
    return squared_error


@compiled
def squared_error_of_feature(
    user_index,
    item_index,
    residuals,
    user_biases,
    item_biases,
    user_feature,
    item_feature,
    values,
    limits,
):
    """Sum of the squared errors of predictions held within limits; nothing is learned.

    Parameters
    ----------
    user_index, item_index, residuals, user_biases, item_biases, user_feature, item_feature
        As for `feature_block`.
    values : ndarray of shape (n,), float32
        The ratings.
    limits : (low, high), float32

    Returns
    -------
    float
        In float64.
    """
    low, high = limits
    squared_error = 0.0
    for at in range(values.size):
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        finished = values[at] - residuals[at]
        prediction = finished + (user_biases[u] + item_biases[i])
        prediction += user_feature[u] * item_feature[i]
        e = np.float64(values[at] - min(max(prediction, low), high))
        squared_error += e * e
    return squared_error


@compiled
def subtract_feature(user_index, item_index, residuals, user_feature, item_feature):
    """Take a finished feature's p_u q_i out of the residuals.

    Parameters
    ----------
    user_index, item_index, user_feature, item_feature
        As for `feature_block`.
    residuals : ndarray of shape (n,), float32
        Changed in place.
    """
    for at in range(residuals.size):
        u = np.uint32(user_index[at])
        i = np.uint32(item_index[at])
        residuals[at] -= user_feature[u] * item_feature[i]
