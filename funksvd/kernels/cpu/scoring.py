"""Predictions for pairs, and the items with the highest predictions."""

from __future__ import annotations

import numpy as np

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.losses import _exp_of_negative
from funksvd.kernels.cpu.products import TILE_ITEMS, TILE_USERS, dot, score_tile

TILES_PER_GROUP = 8
"""Tiles whose users share a panel of items while it is in the first-level cache."""
GROUP_USERS = TILES_PER_GROUP * TILE_USERS

LOST_IN_SQUARES = np.float32(2.0**-60)
"""A computed length may be short by less than this, because squares of small numbers underflow."""
_LOWEST = np.finfo(np.float32).min
"""Reached by any item, but not by a place in a panel without one."""
_ROUNDOFF = np.finfo(np.float32).eps


@compiled
def _predict(u, i, global_mean, user_biases, item_biases, user_factors, item_factors):
    """Eq. (1) of `objectives.plain` for one pair."""
    return global_mean + user_biases[u] + item_biases[i] + dot(user_factors, u, item_factors, i)


@compiled
def predict_block(user_index, item_index, parameters, predictions):
    """Predicted ratings, eq. (1) of `objectives.plain`, from what is known of each pair.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for a user or an item that the model does not know: its bias and its factors
        count as zero.
    parameters : tuple of float32 and four ndarray, float32
        As in `objectives.Parameters`.
    predictions : ndarray of shape (n,), float32
        Written.
    """
    global_mean, user_biases, item_biases, user_factors, item_factors = parameters
    for at in range(predictions.size):
        u, i = user_index[at], item_index[at]
        if u >= 0 and i >= 0:
            prediction = _predict(
                u, i, global_mean, user_biases, item_biases, user_factors, item_factors
            )
        elif u >= 0:
            prediction = global_mean + user_biases[u]
        elif i >= 0:
            prediction = global_mean + item_biases[i]
        else:
            prediction = global_mean
        predictions[at] = prediction


@compiled
def add_day_biases(user_index, days, known, predictions):
    """Add the biases of users on days; a day that is not known has none.

    Parameters
    ----------
    user_index : ndarray of shape (n,), int32
        -1 stands for an unknown user.
    days : ndarray of shape (n,), int32
    known : (ndarray, ndarray, ndarray) of shape (n_days,), int32, int32, float32
        As in `learned.Days`.
    predictions : ndarray of shape (n,), float32
        Changed.
    """
    users, numbers, biases = known
    for at in range(predictions.size):
        u, day = user_index[at], days[at]
        first, end = 0, users.size
        while first < end:
            middle = (first + end) // 2
            if users[middle] < u or (users[middle] == u and numbers[middle] < day):
                first = middle + 1
            else:
                end = middle
        if first < users.size and users[first] == u and numbers[first] == day:
            predictions[at] += biases[first]


@compiled
def _predict_by_draws(u, i, draws, predictions):
    """The predictions of all draws for a pair; their numbers lie side by side, factor by factor."""
    means, user_biases, item_biases, user_factors, item_factors, scales = draws
    for draw in range(means.size):
        biases = np.float64(user_biases[u, draw]) + np.float64(item_biases[i, draw])
        predictions[draw] = means[draw] + biases
    for f in range(scales.shape[0]):
        for draw in range(means.size):
            both = np.float64(user_factors[u, f, draw]) * np.float64(item_factors[i, f, draw])
            predictions[draw] += scales[f, draw] * both


@compiled
def _predict_of_unknown(u, i, draws, predictions):
    """The same where -1 stands for unknown: it is then another one of the known in each draw."""
    means, user_biases, item_biases, user_factors, item_factors, scales = draws
    n_draws, n_users, n_items = means.size, len(user_biases), len(item_biases)
    for draw in range(n_draws):
        user = u if u >= 0 else draw * n_users // n_draws
        item = i if i >= 0 else draw * n_items // n_draws
        biases = np.float64(user_biases[user, draw]) + np.float64(item_biases[item, draw])
        total = means[draw] + biases
        for f in range(scales.shape[0]):
            both = np.float64(user_factors[user, f, draw]) * np.float64(item_factors[item, f, draw])
            total += scales[f, draw] * both
        predictions[draw] = total


@compiled
def deviate_block(user_index, item_index, draws, deviations):
    """Standard deviations of the predictions of several draws, as `learned.Draws` has them.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for unknown: it is then another one of the known in each draw.
    draws : tuple of ndarray
        As `learned.Draws`.
    deviations : ndarray of shape (n,), float32
        Written.
    """
    predictions = np.empty(draws[0].size)
    for at in range(deviations.size):
        if user_index[at] >= 0 and item_index[at] >= 0:
            _predict_by_draws(user_index[at], item_index[at], draws, predictions)
        else:
            _predict_of_unknown(user_index[at], item_index[at], draws, predictions)
        total = squares = 0.0
        for prediction in predictions:
            total += prediction
        for prediction in predictions:
            squares += (prediction - total / predictions.size) ** 2
        deviations[at] = np.sqrt(squares / (predictions.size - 1))


@compiled
def leave_each_out(user_index, item_index, values, noise, draws, predictions):
    """Predictions of ratings as if each were not known, by truncated importance sampling.

    A draw counts as much as it is more likely without the rating, 1 / N(rating; prediction, noise),
    but at most as much as the mean of all times the root of their number.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
        The ratings.
    noise : ndarray of shape (n,), float32
        Variance of each about the noise-free one.
    draws : tuple of ndarray
        As `learned.Draws`.
    predictions : ndarray of shape (n,), float32
        Written.
    """
    n_draws = draws[0].size
    by_draw, weights = np.empty(n_draws), np.empty(n_draws)
    for at in range(predictions.size):
        _predict_by_draws(user_index[at], item_index[at], draws, by_draw)
        largest = 0.0
        for draw in range(n_draws):
            error = np.float64(values[at]) - by_draw[draw]
            weights[draw] = error * error / (2 * np.float64(noise[at]))
            largest = max(largest, weights[draw])
        total = 0.0
        for draw in range(n_draws):
            weights[draw] = _exp_of_negative(weights[draw] - largest)
            total += weights[draw]
        most = total / np.sqrt(n_draws)
        total = weighted = 0.0
        for draw in range(n_draws):
            weight = min(weights[draw], most)
            total += weight
            weighted += weight * by_draw[draw]
        predictions[at] = np.float32(weighted / total)


@compiled
def find_pairs(user_index, item_index, indptr, items, places):
    """Find where pairs are among each user's listed items.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
        -1 stands for unknown, which is not found.
    indptr : ndarray of shape (n_users + 1,), int64
    items : ndarray, int32
        User u's items are `items[indptr[u]:indptr[u + 1]]`, ascending.
    places : ndarray of shape (n,), int64
        Written: the position in `items`, -1 where the pair is not there.
    """
    for at in range(places.size):
        u = user_index[at]
        places[at] = -1
        if 0 <= u < indptr.size - 1:
            first, end = indptr[u], indptr[u + 1]
            while first < end:
                middle = (first + end) // 2
                if items[middle] < item_index[at]:
                    first = middle + 1
                else:
                    end = middle
            if first < indptr[u + 1] and items[first] == item_index[at]:
                places[at] = first


@compiled
def exclude_items(excluded, users, indptr, items):
    """Mark each user's listed items.

    Parameters
    ----------
    excluded : ndarray of shape (n, at least n_items / 8), uint8
        A bit an item, the lowest first; set in place.
    users : ndarray of shape (n,), int32
        The user of each row.
    indptr : ndarray of shape (n_users + 1,), int64
        User u's items are `items[indptr[u]:indptr[u + 1]]`.
    items : ndarray, int32
        Item indices; one outside the row is passed over, so that a damaged file does no harm.
    """
    for row in range(users.size):
        for at in range(indptr[users[row]], indptr[users[row] + 1]):
            i = items[at]
            if 0 <= i < 8 * excluded.shape[1]:
                excluded[row, i >> 3] |= np.uint8(1 << (i & 7))


@compiled
def _is_worse(item, prediction, other_item, other_prediction):
    """Lower prediction, or the same and the higher index."""
    if prediction == other_prediction:
        return item > other_item
    return prediction < other_prediction


@compiled
def _sift(items, predictions, row, n, item, prediction):
    """Put an entry into a row's heap of n in the place of its root, which is the worst of all."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= n:
            break
        other = child + 1
        if other < n and _is_worse(
            items[row, other], predictions[row, other], items[row, child], predictions[row, child]
        ):
            child = other
        if not _is_worse(items[row, child], predictions[row, child], item, prediction):
            break
        items[row, at] = items[row, child]
        predictions[row, at] = predictions[row, child]
        at = child
    items[row, at] = item
    predictions[row, at] = prediction


@compiled
def _sort_best_first(items, predictions):
    """Sort each row's heap, whose root is the worst."""
    for row in range(items.shape[0]):
        for end in range(items.shape[1] - 1, 0, -1):
            item, prediction = items[row, end], predictions[row, end]
            items[row, end], predictions[row, end] = items[row, 0], predictions[row, 0]
            _sift(items, predictions, row, end, item, prediction)


@compiled
def rank_each_item(item_norms, users, excluded, parameters, best_items, best_predictions):
    """The items with the highest predictions for each user: by looking at each of them.

    Where the lengths of their factors are known, only at those that can be among the best: by the
    Cauchy-Schwarz inequality, p . q is at most |p| |q|, which a computed product exceeds
    by no more than the bound of its rounding error (Higham, "Accuracy and Stability of Numerical
    Algorithms", eq. 3.5).

    Parameters
    ----------
    item_norms : ndarray of shape (n_items or 0,), float32
    users : ndarray of shape (n,), int32
    excluded : ndarray of shape (n, at least n_items / 8), uint8
        From `exclude_items`.
    parameters : tuple of float32 and four ndarray, float32
        As in `objectives.Parameters`.
    best_items : ndarray of shape (n, n_best), int32
        Written: best first, of equal ones the lower index first; -1 where a row has fewer items
        to offer. Items whose prediction is minus infinity or NaN are never chosen.
    best_predictions : ndarray of shape (n, n_best), float32
        Written: exactly what `predict_block` predicts; minus infinity there.
    """
    global_mean, user_biases, item_biases, user_factors, item_factors = parameters
    n_best = best_items.shape[1]
    best_items[:] = -1
    best_predictions[:] = -np.inf
    rounding = np.float32(4 * (item_factors.shape[1] + 4) * _ROUNDOFF)
    for row in range(users.size):
        u = users[row]
        length = np.sqrt(dot(user_factors, u, user_factors, u)) + LOST_IN_SQUARES
        base = abs(global_mean) + abs(user_biases[u])
        threshold = _LOWEST
        for i in range(item_biases.size):
            if item_norms.size > 0:
                bias, most = item_biases[i], length * (item_norms[i] + LOST_IN_SQUARES)
                if bias + most + rounding * (base + abs(bias) + most) < threshold:
                    continue
            if excluded[row, i >> 3] >> (i & 7) & 1:
                continue
            prediction = _predict(
                u, i, global_mean, user_biases, item_biases, user_factors, item_factors
            )
            if _is_worse(best_items[row, 0], best_predictions[row, 0], i, prediction):
                _sift(best_items, best_predictions, row, n_best, i, prediction)
                threshold = max(best_predictions[row, 0] - (global_mean + user_biases[u]), _LOWEST)
    _sort_best_first(best_items, best_predictions)


@compiled
def pack_items(order, item_biases, item_factors, panels):
    """Lay items out for `rank_items`.

    Parameters
    ----------
    order : ndarray of shape (n_items,), int32
    item_biases : ndarray of shape (n_items,), float32
    item_factors : ndarray of shape (n_items, n_factors), float32
    panels : ndarray of shape (n_items / TILE_ITEMS rounded up, n_factors + 1, TILE_ITEMS), float32
        Written, a tile of items each: their biases, then their factors, one after another.
    """
    panels[-1] = 0.0
    panels[-1, 0] = -np.inf  # of places without an item
    for at in range(order.size):
        panel, lane = divmod(at, TILE_ITEMS)
        i = order[at]
        panels[panel, 0, lane] = item_biases[i]
        for f in range(item_factors.shape[1]):
            panels[panel, f + 1, lane] = item_factors[i, f]


@compiled
def rank_items(
    users, tolerances, excluded, order, panels, parameters, best_items, best_predictions
):
    """The same as `rank_each_item`, for many users.

    Scores are computed tile by tile, as fast as the processor multiplies. They round as they
    please: only items whose score is, within the tolerance, as good as the worst of a user's best
    so far are predicted exactly.

    Parameters
    ----------
    users : ndarray of shape (n,), int32
    tolerances : ndarray of shape (n,), float32
        How far scores and predictions may be apart, apart from mean and user bias.
    excluded : ndarray of shape (n, at least n_items / 8), uint8
    order, panels : ndarray
        As in `pack_items`. The sooner good items come, the fewer have to be predicted.
    parameters : tuple of float32 and four ndarray, float32
    best_items : ndarray of shape (n, n_best), int32
    best_predictions : ndarray of shape (n, n_best), float32
    """
    global_mean, user_biases, item_biases, user_factors, item_factors = parameters
    n_factors = user_factors.shape[1]
    n_best = best_items.shape[1]
    rows = np.empty((TILES_PER_GROUP, n_factors, TILE_USERS), dtype=np.float32)
    thresholds = np.empty(GROUP_USERS, dtype=np.float32)
    scores = np.empty((TILE_USERS, TILE_ITEMS), dtype=np.float32)
    best_items[:] = -1
    best_predictions[:] = -np.inf
    for start in range(0, users.size, GROUP_USERS):
        n_rows = min(GROUP_USERS, users.size - start)
        thresholds[:n_rows] = _LOWEST
        thresholds[n_rows:] = np.inf
        for row in range(GROUP_USERS):
            u = users[start + min(row, n_rows - 1)]
            for f in range(n_factors):
                rows[row // TILE_USERS, f, row % TILE_USERS] = user_factors[u, f]
        for panel in range(panels.shape[0]):
            for tile in range((n_rows + TILE_USERS - 1) // TILE_USERS):
                rows_reached = score_tile(rows, tile, panels, panel, thresholds, scores)
                if not rows_reached:
                    continue
                for r in range(TILE_USERS):
                    if not rows_reached >> r & 1:
                        continue
                    row = tile * TILE_USERS + r
                    at = start + row
                    u = users[at]
                    for lane in range(TILE_ITEMS):
                        if not scores[r, lane] >= thresholds[row]:
                            continue
                        i = order[panel * TILE_ITEMS + lane]
                        if excluded[at, i >> 3] >> (i & 7) & 1:
                            continue
                        prediction = _predict(
                            u, i, global_mean, user_biases, item_biases, user_factors, item_factors
                        )
                        if _is_worse(best_items[at, 0], best_predictions[at, 0], i, prediction):
                            _sift(best_items, best_predictions, at, n_best, i, prediction)
                            root = best_predictions[at, 0] - (global_mean + user_biases[u])
                            thresholds[row] = max(root - tolerances[at], _LOWEST)
    _sort_best_first(best_items, best_predictions)
