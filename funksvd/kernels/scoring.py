"""Predictions for pairs, and the best items of rows of scores."""

import numpy as np

from funksvd.kernels.compiling import compiled


@compiled
def _predict(u, i, global_mean, user_biases, item_biases, user_factors, item_factors):
    """Eq. (1) of `objective` for one pair; what is unknown (-1) counts as zero."""
    prediction = global_mean
    if u >= 0:
        prediction += user_biases[u]
    if i >= 0:
        prediction += item_biases[i]
    if u >= 0 and i >= 0:
        p = user_factors[u]
        q = item_factors[i]
        n_factors = p.size
        # Four sums instead of one: their additions do not wait for each other.
        dot0 = dot1 = dot2 = dot3 = np.float32(0.0)
        for f in range(0, n_factors - 3, 4):
            dot0 += p[f] * q[f]
            dot1 += p[f + 1] * q[f + 1]
            dot2 += p[f + 2] * q[f + 2]
            dot3 += p[f + 3] * q[f + 3]
        for f in range(n_factors - n_factors % 4, n_factors):
            dot0 += p[f] * q[f]
        prediction += (dot0 + dot1) + (dot2 + dot3)
    return prediction


@compiled
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
    for at in range(predictions.size):
        predictions[at] = _predict(
            user_index[at],
            item_index[at],
            global_mean,
            user_biases,
            item_biases,
            user_factors,
            item_factors,
        )


@compiled
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


@compiled
def _nth_largest(scores, heap):
    """The heap.size-th largest score; minus infinity if there are fewer. Overwrites the heap."""
    heap[:] = -np.inf
    for score in scores:
        if not score > heap[0]:
            continue
        at = 0
        while True:  # sift the new score down from the root
            child = 2 * at + 1
            if child >= heap.size:
                break
            if child + 1 < heap.size and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= score:
                break
            heap[at] = heap[child]
            at = child
        heap[at] = score
    return heap[0]


@compiled
def top_items(
    scores,
    users,
    tolerances,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    best_items,
    best_predictions,
):
    """The items with the highest predictions for each user; of equal ones the lower index first.

    The scores only narrow the choice: they may come from a library that rounds as it pleases.
    All items that could be among the best are predicted anew, exactly as `predict_block` does.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items), float32
        About b_i + p_u . q_i. Items with minus infinity or NaN are never chosen.
    users : ndarray of shape (n,), int32
        The user of each row.
    tolerances : ndarray of shape (n,), float32
        By how much two scores of a row may be in the wrong order.
    global_mean : float32
    user_biases, item_biases, user_factors, item_factors : ndarray, float32
    best_items : ndarray of shape (n, n_best), int32
        Written; -1 where a row has fewer items to offer.
    best_predictions : ndarray of shape (n, n_best), float32
        Written; minus infinity there.
    """
    n_best = best_items.shape[1]
    heap = np.empty(n_best, dtype=np.float32)
    for row in range(users.size):
        bound = _nth_largest(scores[row], heap) - tolerances[row]
        candidates = np.flatnonzero((scores[row] >= bound) & (scores[row] > -np.inf))
        predictions = np.empty(candidates.size, dtype=np.float32)
        for at in range(candidates.size):
            predictions[at] = _predict(
                users[row],
                candidates[at],
                global_mean,
                user_biases,
                item_biases,
                user_factors,
                item_factors,
            )
        order = np.argsort(-predictions, kind="mergesort")[:n_best]
        best_items[row, : order.size] = candidates[order]
        best_predictions[row, : order.size] = predictions[order]
        best_items[row, order.size :] = -1
        best_predictions[row, order.size :] = -np.inf
