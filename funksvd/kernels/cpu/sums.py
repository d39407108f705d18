"""Sums in a fixed order.

NumPy's sums depend on how a version of it divides arrays into pieces, and these do not.
"""

import numpy as np

from funksvd.kernels.compiling import compiled


@compiled
def sum_values(values):
    """The sum of an array of shape (n,), as float64."""
    result = 0.0
    for value in values:
        result += np.float64(value)
    return result


@compiled
def sum_squares(values, center):
    """The sum of (value - center)**2 over an array of shape (n,), as float64."""
    result = 0.0
    for value in values:
        difference = np.float64(value) - center
        result += difference * difference
    return result


@compiled
def sum_columns(rows):
    """The sums of each column of an array of shape (n, k), and of their squares.

    Returns
    -------
    (sums, squares) : ndarray of shape (k,), float64
    """
    n, k = rows.shape
    sums, squares_ = np.zeros(k), np.zeros(k)
    for row in range(n):
        for f in range(k):
            value = np.float64(rows[row, f])
            sums[f] += value
            squares_[f] += value * value
    return sums, squares_


@compiled
def multiply_rows(rows, vector):
    """The product of each row of an array of shape (n, k) with a vector of shape (k,).

    Returns
    -------
    ndarray of shape (n,), float64
    """
    n, k = rows.shape
    result = np.zeros(n)
    for row in range(n):
        for f in range(k):
            result[row] += rows[row, f] * vector[f]
    return result
