"""Products and factors of matrices in a fixed order of operations: the same bits everywhere."""

from __future__ import annotations

import numpy as np

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.fours import add_four

ROWS_PER_SUM = 256
"""Rows whose products are added up in float32; their sum is then added to the others in float64."""
LOST = 1e-12
"""Pivots that are smaller than this, compared with the largest diagonal entry, are rounding."""


@compiled
def add_products(left, right, products):
    """Add the products of the columns of two arrays of as many rows to a matrix.

    Parameters
    ----------
    left : ndarray of shape (n, m), float32
    right : ndarray of shape (n, k), float32
        k is a multiple of 16.
    products : ndarray of shape (m, k), float64
        Changed. The products of `ROWS_PER_SUM` rows are added up in float32 first.
    """
    n, m = left.shape
    part = np.empty(products.shape, np.float32)
    zero = np.float32(0.0)
    for begin in range(0, n, ROWS_PER_SUM):
        part[:] = 0.0
        stop = min(begin + ROWS_PER_SUM, n)
        for r in range(begin, stop, 4):
            b, c, d = min(r + 1, n - 1), min(r + 2, n - 1), min(r + 3, n - 1)
            for f in range(m):
                by = (
                    left[r, f],
                    left[b, f] if r + 1 < stop else zero,
                    left[c, f] if r + 2 < stop else zero,
                    left[d, f] if r + 3 < stop else zero,
                )
                add_four(right, r, b, c, d, by, 0, part[f])
        for f in range(m):
            for g in range(products.shape[1]):
                products[f, g] += np.float64(part[f, g])


@compiled
def factorize(matrix):
    """Cholesky's factor L of a positive semidefinite matrix, L L^T, in its place.

    Parameters
    ----------
    matrix : ndarray of shape (k, k), float64
        Symmetric; changed. Columns of L whose pivot is lost in rounding become zero.
    """
    k = matrix.shape[0]
    largest = 0.0
    for j in range(k):
        largest = max(largest, matrix[j, j])
    for j in range(k):
        pivot = matrix[j, j]
        for g in range(j):
            pivot -= matrix[j, g] * matrix[j, g]
        root = np.sqrt(pivot) if pivot > LOST * largest else 0.0
        matrix[j, j] = root
        for i in range(j + 1, k):
            total = matrix[i, j]
            for g in range(j):
                total -= matrix[i, g] * matrix[j, g]
            matrix[i, j] = total / root if root > 0.0 else 0.0
        for i in range(j):
            matrix[i, j] = 0.0


@compiled
def multiply(left, right, product):
    """The product of two matrices of float64, in a fixed order; written."""
    n, k = left.shape
    product[:] = 0.0
    for i in range(n):
        for g in range(k):
            for j in range(right.shape[1]):
                product[i, j] += left[i, g] * right[g, j]
