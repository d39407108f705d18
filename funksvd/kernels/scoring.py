"""Predictions for pairs, and the best items of a row of scores."""

import numba
import numpy as np


@numba.njit(nogil=True, cache=True)
def predict_block(
    user_index,
    item_index,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    predictions,
):
    """Predicted ratings, eq. (1) of `objective`, from what is known of each pair.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for a user or an item that the model does not know: its bias and its factors
        count as zero.
    global_mean : float32
    user_biases, item_biases, user_factors, item_factors : ndarray, float32
    predictions : ndarray of shape (n,), float32
        Written.
    """
    n_factors = user_factors.shape[1]
    for at in range(predictions.size):
        u = user_index[at]
        i = item_index[at]
        prediction = global_mean
        if u >= 0:
            prediction += user_biases[u]
        if i >= 0:
            prediction += item_biases[i]
        if u >= 0 and i >= 0:
            p = user_factors[u]
            q = item_factors[i]
            dot0 = dot1 = dot2 = dot3 = np.float32(0.0)
            for f in range(0, n_factors - 3, 4):
                dot0 += p[f] * q[f]
                dot1 += p[f + 1] * q[f + 1]
                dot2 += p[f + 2] * q[f + 2]
                dot3 += p[f + 3] * q[f + 3]
            for f in range(n_factors - n_factors % 4, n_factors):
                dot0 += p[f] * q[f]
            prediction += (dot0 + dot1) + (dot2 + dot3)
        predictions[at] = prediction


@numba.njit(nogil=True, cache=True)
def exclude_items(scores, users, indptr, items):
    """Set each user's listed items to minus infinity.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items), float32
        Changed in place.
    users : ndarray of shape (n,), int32
        The user of each row of scores.
    indptr : ndarray of shape (n_users + 1,), int64
        User u's items are `items[indptr[u]:indptr[u + 1]]`.
    items : ndarray, int32
        Item indices; one outside the row is passed over, so that a damaged file does no harm.
    """
    for row in range(users.size):
        for at in range(indptr[users[row]], indptr[users[row] + 1]):
            i = items[at]
            if 0 <= i < scores.shape[1]:
                scores[row, i] = -np.inf


@numba.njit(nogil=True, cache=True)
def top_items(scores, best_items, best_scores):
    """The highest scores of each row, best first; of equal ones the lower index first.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items), float32
        Minus infinity and NaN are never chosen.
    best_items : ndarray of shape (n, n_best), int32
        Written; -1 where a row has fewer items to offer.
    best_scores : ndarray of shape (n, n_best), float32
        Written; minus infinity there.
    """
    n_best = best_items.shape[1]
    for row in range(scores.shape[0]):
        n_found = 0
        threshold = np.float32(-np.inf)  # a score must be above it to enter a full list
        for i in range(scores.shape[1]):
            score = scores[row, i]
            if not score > threshold:
                continue
            at = n_found if n_found < n_best else n_best - 1
            while at > 0 and best_scores[row, at - 1] < score:
                best_scores[row, at] = best_scores[row, at - 1]
                best_items[row, at] = best_items[row, at - 1]
                at -= 1
            best_scores[row, at] = score
            best_items[row, at] = i
            if n_found < n_best:
                n_found += 1
            if n_found == n_best:
                threshold = best_scores[row, n_best - 1]
        best_items[row, n_found:] = -1
        best_scores[row, n_found:] = -np.inf
