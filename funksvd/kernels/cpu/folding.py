"""The ridge problem of a row, eq. (3) of `objectives.plain` with the other side's parameters fixed.

With x_j = (1, q_j) of the columns j that a row has rated, n of them, and y_j what is left of its
ratings, its bias and factors theta = (b, p) minimize the sum of 1/2 (y_j - x_j . theta)^2, plus
m/2 (lambda_b b^2 + lambda |p|^2)::

    (1)  A theta = sum of y_j x_j,    A = sum of x_j x_j^T + m diag(lambda_b, lambda, ..., lambda)
    (2)  x_i . theta = sum over j of c_ij y_j,    c_ij = x_i . A^-1 x_j

In eq. (3), m is n. It can be more by a constant here (`funksvd.learned.fold_in` tells why).

In float64 and in a fixed order, without a library: the bits do not depend on the processor. A is
held as its upper triangle, so that all inner loops but two go along a row of it without adding up.

A model that is the mean of several has their factors side by side, divided by the root of their
number (`LearnedRatings.mean`). Each member has a ridge problem of its own.
"""

import numpy as np

from funksvd.kernels.compiling import compiled

TINY = 1e-10
"""The part of its trace added to the diagonal of A, which can be singular where lambda is zero."""


@compiled
def _load(factors, row, first, root, x):
    """A member's x of a row of factors, behind the constant in x[0]."""
    for f in range(1, x.size):
        x[f] = root * factors[row, first + f - 1]


@compiled
def _sum_implicit(columns, implicit_factors, first, root, sums):
    """A member's |N|^-1/2 sum of y_j; zero for a model without."""
    sums[:] = 0.0
    if implicit_factors.shape[0] == 0 or columns.size == 0:
        return
    for j in columns:
        for f in range(sums.size):
            sums[f] += implicit_factors[j, first + f]
    weight = root / np.sqrt(np.float64(columns.size))
    for f in range(sums.size):
        sums[f] *= weight


@compiled
def _factorize(columns, factors, first, root, regularization, x, matrix):
    """The upper Cholesky factor U of A = U^T U, eq. (1)."""
    reg, bias_reg, n_more, intercept = regularization
    m = columns.size + n_more
    size = x.size
    matrix[:] = 0.0
    x[0] = intercept
    four = np.zeros((4, size))
    for start in range(0, columns.size, 4):  # four at a time: the matrix is gone through less often
        four[:] = 0.0
        for at in range(start, min(start + 4, columns.size)):
            _load(factors, columns[at], first, root, x)
            four[at - start] = x
        for a in range(size):
            x0, x1, x2, x3 = four[0, a], four[1, a], four[2, a], four[3, a]
            for b in range(a, size):
                total = matrix[a, b] + x0 * four[0, b]
                total += x1 * four[1, b]
                total += x2 * four[2, b]
                matrix[a, b] = total + x3 * four[3, b]
    trace = 0.0
    for a in range(size):
        trace += matrix[a, a]
    tiny = TINY * trace if trace > 0.0 else 1.0
    for a in range(size):
        matrix[a, a] += m * (bias_reg if a == 0 else reg) + tiny
    for d in range(size):
        pivot = np.sqrt(matrix[d, d])
        for b in range(d, size):
            matrix[d, b] /= pivot
        for a in range(d + 1, size):
            u = matrix[d, a]
            for b in range(a, size):
                matrix[a, b] -= u * matrix[d, b]


@compiled
def _solve(matrix, vector):
    """A^-1 times a vector, in place."""
    size = vector.size
    for d in range(size):
        solved = vector[d] / matrix[d, d]
        vector[d] = solved
        for b in range(d + 1, size):
            vector[b] -= solved * matrix[d, b]
    for d in range(size - 1, -1, -1):
        total = vector[d]
        for b in range(d + 1, size):
            total -= matrix[d, b] * vector[b]
        vector[d] = total / matrix[d, d]


@compiled
def fold_rows(
    rows,
    indptr,
    columns,
    targets,
    factors,
    implicit_factors,
    n_members,
    regularization,
    new_biases,
    new_factors,
):
    """Bias and factors of some rows, eq. (1).

    Parameters
    ----------
    rows : (int, int)
        The first row, and the one after the last.
    indptr : ndarray of shape (n_rows + 1,), int64
    columns : ndarray of shape (n_ratings,), int32
        Row r has rated `columns[indptr[r]:indptr[r + 1]]`.
    targets : ndarray of shape (n_ratings,), float64
        Ratings less the mean and the column's bias.
    factors : ndarray of shape (n_columns, n_factors), float32
        The q_j.
    implicit_factors : ndarray of shape (n_columns or 0, n_factors), float32
        The y_j of SVD++, whose sum is then a part of the row's factors.
    n_members : int
        Models that the factors are of.
    regularization : (float64, float64, float64, float64)
        lambda, lambda_b, m - n, and 1, or 0 for a model without biases.
    new_biases : ndarray of shape (n_rows,), float32
    new_factors : ndarray of shape (n_rows, n_factors), float32
        Written, as far as those rows are concerned; zero for a row without ratings.
    """
    length = factors.shape[1] // n_members
    root = np.sqrt(np.float64(n_members))
    x = np.empty(length + 1)
    solution = np.empty(length + 1)
    sums = np.empty(length)
    matrix = np.empty((length + 1, length + 1))
    for r in range(rows[0], rows[1]):
        mine = columns[indptr[r] : indptr[r + 1]]
        bias = 0.0
        if mine.size == 0:
            new_biases[r] = 0.0
            new_factors[r] = 0.0
            continue
        for member in range(n_members):
            first = member * length
            _sum_implicit(mine, implicit_factors, first, root, sums)
            _factorize(mine, factors, first, root, regularization, x, matrix)
            solution[:] = 0.0
            for at in range(mine.size):
                _load(factors, mine[at], first, root, x)
                target = targets[indptr[r] + at]
                for f in range(length):
                    target -= x[f + 1] * sums[f]
                for a in range(x.size):
                    solution[a] += target * x[a]
            _solve(matrix, solution)
            bias += solution[0]
            for f in range(length):
                new_factors[r, first + f] = (solution[f + 1] + sums[f]) / root
        new_biases[r] = bias / n_members


@compiled
def weigh_ratings(
    columns, others, factors, implicit_factors, n_members, regularization, weights, implied
):
    """Shares of a row's ratings in its predictions once it is folded in, eq. (2).

    Parameters
    ----------
    columns : ndarray of shape (n_rated,), int32
        What the row has rated.
    others : ndarray of shape (n_others,), int32
        The columns whose predictions are meant.
    factors, implicit_factors, n_members, regularization
        As for `fold_rows`.
    weights : ndarray of shape (n_others, n_rated), float64
        Written: c_ij, the mean of the members'.
    implied : ndarray of shape (n_others, n_rated), float64
        Written: what a rated column adds by its y_j, whatever its rating.
    """
    length = factors.shape[1] // n_members
    root = np.sqrt(np.float64(n_members))
    x = np.empty(length + 1)
    solution = np.empty(length + 1)
    rest = np.empty(length)
    matrix = np.empty((length + 1, length + 1))
    weights[:] = 0.0
    implied[:] = 0.0
    for member in range(n_members):
        first = member * length
        _factorize(columns, factors, first, root, regularization, x, matrix)
        for row in range(others.size):
            _load(factors, others[row], first, root, x)
            solution[:] = x
            rest[:] = x[1:]
            _solve(matrix, solution)
            for at in range(columns.size):
                _load(factors, columns[at], first, root, x)
                weight = 0.0
                for a in range(x.size):
                    weight += solution[a] * x[a]
                weights[row, at] += weight / n_members
                # x_i less the sum of w_j x_j, which no rating of this user explains.
                for f in range(length):
                    rest[f] -= weight * x[f + 1]
            if implicit_factors.shape[0] == 0:
                continue
            scale = root / np.sqrt(np.float64(columns.size)) / n_members
            for at in range(columns.size):
                total = 0.0
                for f in range(length):
                    total += rest[f] * implicit_factors[columns[at], first + f]
                implied[row, at] += scale * total
