"""Ridge regression of many rows at once: the same bits on every processor."""

import numpy as np

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.matrices import factorize


@compiled
def add_weighted_gram(rows, weights, gram):
    """Add one side of the normal equations, X^T D X.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns), float32
        X.
    weights : ndarray of shape (n,), float64
        The diagonal of D.
    gram : ndarray of shape (n_columns, n_columns), float64
        Changed, in the lower triangle with its diagonal.
    """
    n, n_columns = rows.shape
    for row in range(n):
        for f in range(n_columns):
            weighted = weights[row] * np.float64(rows[row, f])
            if weighted == 0:
                continue
            for g in range(f + 1):
                gram[f, g] += weighted * np.float64(rows[row, g])


@compiled
def add_cross(rows, weights, targets, cross):
    """Add the other side of the normal equations, X^T D Y.

    Parameters
    ----------
    rows, weights
        As for `add_weighted_gram`.
    targets : ndarray of shape (n, k), float32
        Y.
    cross : ndarray of shape (n_columns, k), float64
        Changed.
    """
    n, n_columns = rows.shape
    k = targets.shape[1]
    for row in range(n):
        for f in range(n_columns):
            weighted = weights[row] * np.float64(rows[row, f])
            if weighted == 0:
                continue
            for g in range(k):
                cross[f, g] += weighted * np.float64(targets[row, g])


@compiled
def solve_ridge(gram, ridge, cross):
    """Solve (G + ridge I) W = C by Cholesky's decomposition.

    Parameters
    ----------
    gram : ndarray of shape (n_columns, n_columns), float64
        G, in the lower triangle, positive semidefinite; becomes the decomposition.
    ridge : float
        Above 0, and above what is lost in rounding beside the diagonal of G (`factorize`).
    cross : ndarray of shape (n_columns, k), float64
        C; becomes W.
    """
    n_columns, k = cross.shape
    for f in range(n_columns):
        gram[f, f] += ridge
    factorize(gram)
    for f in range(n_columns):
        for g in range(f):
            for column in range(k):
                cross[f, column] -= gram[f, g] * cross[g, column]
        for column in range(k):
            cross[f, column] /= gram[f, f]
    for f in range(n_columns - 1, -1, -1):
        for g in range(f + 1, n_columns):
            for column in range(k):
                cross[f, column] -= gram[g, f] * cross[g, column]
        for column in range(k):
            cross[f, column] /= gram[f, f]


@compiled
def combine_rows(rows, weights, out):
    """The product X W.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns), float32
        X.
    weights : ndarray of shape (n_columns, k), float64
        W.
    out : ndarray of shape (n, k), float32
    """
    n, n_columns = rows.shape
    k = weights.shape[1]
    sums = np.empty(k)
    for row in range(n):
        sums[:] = 0.0
        for f in range(n_columns):
            x = np.float64(rows[row, f])
            if x == 0:
                continue
            for column in range(k):
                sums[column] += x * weights[f, column]
        for column in range(k):
            out[row, column] = sums[column]
