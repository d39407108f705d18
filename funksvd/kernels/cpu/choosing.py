"""Kernels of the choice model after training: fold-in, explanation, and the score of both models.

A new user's row solves eq. (6) of `funksvd.objectives.ials`. The items' factors are stored in the
eigenbasis of their Gram matrix, so that A = D + Y^T W Y with D = diag(S + rho) and Y the rows of
the n items that the user has dealt with. By the identity of Woodbury, with as many equations as
there are items, or as there are factors if these are fewer::

    (1)  p = A^-1 Y^T W 1 = D^-1 Y^T M^-1 1          M = W^-1 + Y D^-1 Y^T
    (2)  s_i = sum over j of c_ij                    c_ij = w_j q_i . A^-1 q_j = (M^-1 Y D^-1 q_i)_j

Everything is in float64 and in a fixed order, without a library.
"""

import numpy as np

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.folding import _solve
from funksvd.kernels.cpu.probit import _normal_probability

LEAST_CHOICE = 0.01
"""Smallest score of the choice model that counts: below, items are ordered by rating alone."""
LEAST_LIKING = 1e-12
"""Smallest probability of liking that counts."""
TINY = 1e-150
"""Least pivot that is divided by."""


@compiled
def _cholesky(matrix):
    """The upper factor U of U^T U, in the place of the upper triangle of a positive matrix."""
    size = matrix.shape[0]
    for d in range(size):
        pivot = np.sqrt(matrix[d, d])
        if not pivot > TINY:  # only in files that something else has written
            pivot = TINY
        for b in range(d, size):
            matrix[d, b] /= pivot
        for a in range(d + 1, size):
            u = matrix[d, a]
            for b in range(a, size):
                matrix[a, b] -= u * matrix[d, b]


@compiled
def _prepare(columns, weights, factors, diagonal):
    """The Cholesky factor of M or of A, whichever is smaller; Y^T; and whether it is that of M.

    `diagonal` is D.
    """
    n, k = columns.size, diagonal.size
    transposed = np.empty((k, n))
    for at in range(n):
        for f in range(k):
            transposed[f, at] = factors[columns[at], f]
    by_items = n <= k
    size = n if by_items else k
    matrix = np.zeros((size, size))
    if by_items:
        for a in range(n):
            out = matrix[a]
            for f in range(k):
                y = transposed[f, a] / diagonal[f]
                for b in range(a, n):
                    out[b] += y * transposed[f, b]
            out[a] += 1 / np.float64(weights[a])
    else:
        row = np.empty(k)
        for at in range(n):
            for f in range(k):
                row[f] = transposed[f, at]
            for a in range(k):
                y = np.float64(weights[at]) * row[a]
                out = matrix[a]
                for b in range(a, k):
                    out[b] += y * row[b]
        for f in range(k):
            matrix[f, f] += diagonal[f]
    _cholesky(matrix)
    return matrix, transposed, by_items


@compiled
def fold_choices(span, indptr, columns, weights, factors, spectrum, reg, rows):
    """Rows of some new users, eq. (1).

    Parameters
    ----------
    span : (int, int)
        The first row, and the one after the last.
    indptr : ndarray of shape (n_rows + 1,), int64
        Row r has dealt with `columns[indptr[r]:indptr[r + 1]]`.
    columns : ndarray of shape (n_pairs,), int32
    weights : ndarray of shape (n_pairs,), float32
        w of each pair; above zero.
    factors : ndarray of shape (n_columns, k), float32
        The items' rows, in the eigenbasis.
    spectrum : ndarray of shape (k,), float32
        S.
    reg : (float64, float64)
        rho of a row with n pairs is the first number times n, plus the second.
    rows : ndarray of shape (n_rows, k), float32
        Written; zero for a row without pairs.
    """
    k = factors.shape[1]
    diagonal, sums = np.empty(k), np.empty(k)
    for r in range(span[0], span[1]):
        first, stop = indptr[r], indptr[r + 1]
        n = stop - first
        if n == 0:
            rows[r] = 0.0
            continue
        for f in range(k):
            diagonal[f] = np.float64(spectrum[f]) + (reg[0] * n + reg[1])
        mine = weights[first:stop]
        matrix, transposed, by_items = _prepare(columns[first:stop], mine, factors, diagonal)
        if by_items:
            shares = np.ones(n)
            _solve(matrix, shares)
            for f in range(k):
                total = 0.0
                for at in range(n):
                    total += shares[at] * transposed[f, at]
                rows[r, f] = total / diagonal[f]
        else:
            for f in range(k):
                total = 0.0
                for at in range(n):
                    total += np.float64(mine[at]) * transposed[f, at]
                sums[f] = total
            _solve(matrix, sums)
            for f in range(k):
                rows[r, f] = sums[f]


@compiled
def weigh_choices(columns, weights, others, factors, spectrum, rho, contributions):
    """The part of each of a new user's items in the scores of others, eq. (2).

    Parameters
    ----------
    columns, weights
        Of the user's items, as for `fold_choices`.
    others : ndarray of shape (n_others,), int32
        The items whose scores are meant.
    factors, spectrum
        As for `fold_choices`.
    rho : float64
        Of the user.
    contributions : ndarray of shape (n_others, n), float64
        Written: c_ij.
    """
    k = factors.shape[1]
    diagonal = np.empty(k)
    for f in range(k):
        diagonal[f] = np.float64(spectrum[f]) + rho
    n = columns.size
    matrix, transposed, by_items = _prepare(columns, weights, factors, diagonal)
    right = np.empty(n if by_items else k)
    for row in range(others.size):
        if by_items:
            right[:] = 0.0
            for f in range(k):
                q = np.float64(factors[others[row], f]) / diagonal[f]
                for at in range(n):
                    right[at] += q * transposed[f, at]
            _solve(matrix, right)
            for at in range(n):
                contributions[row, at] = right[at]
        else:
            for f in range(k):
                right[f] = factors[others[row], f]
            _solve(matrix, right)
            contributions[row] = 0.0
            for f in range(k):
                for at in range(n):
                    contributions[row, at] += right[f] * transposed[f, at]
            for at in range(n):
                contributions[row, at] *= weights[at]


@compiled
def _cube_root(x):
    """The cube root of a number above 0 and up to 1, by Newton's method."""
    y = 1.0
    for _ in range(100):
        lower = (2 * y + x / (y * y)) / 3
        if not lower < y:
            break
        y = lower
    return y


@compiled
def score_both(choices, predictions, threshold, spread, scores):
    """Scores by both models: how likely somebody is to come to an item and to like it.

    Parameters
    ----------
    choices : ndarray of shape (n,), float32
        Scores s of the choice model.
    predictions : ndarray of shape (n,), float32
        Predicted ratings; with a spread of zero, probabilities.
    threshold, spread : float64
        A rating is liked with the probability P that a normal number with the prediction as mean,
        and this standard deviation, is above the threshold.
    scores : ndarray of shape (n,), float32
        Written: max(s, LEAST_CHOICE) times the cube root of P.
    """
    for at in range(choices.size):
        if spread > 0.0:
            liking = _normal_probability((np.float64(predictions[at]) - threshold) / spread)
        else:
            liking = np.float64(predictions[at])
        liking = min(max(liking, LEAST_LIKING), 1.0)
        choice = max(np.float64(choices[at]), LEAST_CHOICE)
        scores[at] = np.float32(choice * _cube_root(liking))


@compiled
def diversify(scores, similarities, diversity, order):
    """Order candidates by maximal marginal relevance.

    Parameters
    ----------
    scores : ndarray of shape (n,), float32
        Best first; the candidates' relevance is their share of the first one's.
    similarities : ndarray of shape (n, n), float32
        Cosines between the candidates.
    diversity : float64
        lambda: the next one has the highest (1 - lambda) relevance - lambda (largest cosine with
        one that is chosen already).
    order : ndarray of shape (m,), int64
        Written: positions of the chosen ones, in turn; of equals the first.
    """
    n = scores.size
    nearest = np.zeros(n)
    is_left = np.ones(n, np.bool_)
    top = max(abs(np.float64(scores[0])), 1e-30)
    for place in range(order.size):
        best, best_value = -1, -np.inf
        for at in range(n):
            if is_left[at]:
                value = (1 - diversity) * (scores[at] / top) - diversity * nearest[at]
                if best < 0 or value > best_value:
                    best, best_value = at, value
        order[place] = best
        is_left[best] = False
        for at in range(n):
            cosine = np.float64(similarities[best, at])
            if place == 0 or cosine > nearest[at]:
                nearest[at] = cosine
