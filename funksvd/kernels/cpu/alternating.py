"""Rows of the choice model, solved by conjugate gradients: the kernels of `objectives.ials`.

Equation numbers are those of `funksvd.objectives.ials`. Everything is in a fixed order, without a
library's linear algebra, so that the bits depend neither on threads nor on the processor.
"""

import numpy as np

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.fours import (
    add_four,
    add_four_squares,
    dot_four,
    fetch_four,
    multiply_four,
)
from funksvd.kernels.vectors import LANES

ROWS_PER_SUM = 128
"""Rows whose products are added up in float32, before the sum is added to others in float64."""
SOLVED = np.float32(1e-30)
"""Squared length of a gradient, each entry over the root of its curvature, that counts as zero.

Squares of much shorter ones underflow, and would be divided by.
"""


@compiled
def _dot(a, b):
    """The inner product of two vectors of shape (a multiple of 16,), float32."""
    return dot_four(a.reshape(1, a.size), 0, 0, 0, 0, b)[0]


@compiled
def _four(columns, levels, weights, at, stop):
    """The columns of four pairs, and their weights: zero for those from `stop` on."""
    zero = np.float32(0.0)
    b, c, d = min(at + 1, stop - 1), min(at + 2, stop - 1), min(at + 3, stop - 1)
    of_b = weights[levels[b]] if at + 1 < stop else zero
    of_c = weights[levels[c]] if at + 2 < stop else zero
    of_d = weights[levels[d]] if at + 3 < stop else zero
    return (
        (columns[at], columns[b], columns[c], columns[d]),
        (weights[levels[at]], of_b, of_c, of_d),
    )


@compiled
def start_row(first, stop, pairs, weights, other, ridge, x, residual, curvature):
    """Minus the gradient of eq. (2) by a row, eq. (4), and the diagonal of the matrix of eq. (6).

    Parameters
    ----------
    first, stop : int
        The row's pairs.
    pairs : (ndarray of int32, ndarray of uint8), both of shape (n_pairs,)
        Columns and levels.
    weights : ndarray of shape (256,), float32
        w of each level.
    other : ndarray of shape (n_columns, k), float32
        The other side's rows, in the eigenbasis; k is a multiple of 16.
    ridge : ndarray of shape (k,), float32
        S + rho.
    x : ndarray of shape (k,), float32
        The row.
    residual, curvature : ndarray of shape (k,), float32
        Written.

    Returns
    -------
    float64
        Twice the part of eq. (2) that depends on the row.
    """
    columns, levels = pairs
    one = np.float32(1.0)
    for f in range(x.size):
        curvature[f] = ridge[f]
        residual[f] = -ridge[f] * x[f]
    value = -np.float64(_dot(residual, x))
    for at in range(first, stop, 4):
        (a, b, c, d), (w0, w1, w2, w3) = _four(columns, levels, weights, at, stop)
        if at + 7 < stop:
            fetch_four(other, columns[at + 4], columns[at + 5], columns[at + 6], columns[at + 7])
        s0, s1, s2, s3 = dot_four(other, a, b, c, d, x)
        e0, e1, e2, e3 = one - s0, one - s1, one - s2, one - s3
        by = (w0 * e0, w1 * e1, w2 * e2, w3 * e3)
        value += np.float64(by[0] * e0) + np.float64(by[1] * e1)
        value += np.float64(by[2] * e2) + np.float64(by[3] * e3)
        add_four(other, a, b, c, d, by, 0, residual)
        add_four_squares(other, a, b, c, d, (w0, w1, w2, w3), 0, curvature)
    return value


@compiled
def solve_rows(span, indptr, pairs, weights, other, diagonal, reg, n_steps, rows):
    """Move some rows towards the minimum of eq. (2), the other side's rows as they are.

    Parameters
    ----------
    span : (int, int)
        The first row, and the one after the last.
    indptr : ndarray of shape (n_rows + 1,), int64
        Row r has the pairs from `indptr[r]` to `indptr[r + 1]`.
    pairs, weights, other
        As for `start_row`.
    diagonal : ndarray of shape (k,), float32
        S: a0 times the eigenvalues of the other side's Gram matrix.
    reg : (float64, float64)
        rho of a row with n pairs is the first number times n, plus the second.
    n_steps : int
        Steps of conjugate gradients.
    rows : ndarray of shape (n_rows, k), float32
        Where the search starts; changed. Zero for a row without pairs.

    Returns
    -------
    (float64, float64)
        Twice the part of eq. (2) that depends on these rows, before; and the sum of rho |p|^2
        after.
    """
    columns, levels = pairs
    k = other.shape[1]
    ridge, curvature = np.empty(k, np.float32), np.empty(k, np.float32)
    residual, scaled = np.empty(k, np.float32), np.empty(k, np.float32)
    direction, image = np.empty(k, np.float32), np.empty(k, np.float32)
    before = after = 0.0
    for r in range(span[0], span[1]):
        first, stop = indptr[r], indptr[r + 1]
        x = rows[r]
        if first == stop:
            x[:] = 0.0
            continue
        rho = reg[0] * (stop - first) + reg[1]
        for f in range(k):
            ridge[f] = diagonal[f] + np.float32(rho)
        before += start_row(first, stop, pairs, weights, other, ridge, x, residual, curvature)
        for f in range(k):
            scaled[f] = residual[f] / curvature[f]
            direction[f] = scaled[f]
        size = _dot(residual, scaled)
        for step in range(n_steps):
            if not size > SOLVED:
                break
            for f in range(k):
                image[f] = ridge[f] * direction[f]
            for at in range(first, stop, 4):
                (a, b, c, d), (w0, w1, w2, w3) = _four(columns, levels, weights, at, stop)
                s0, s1, s2, s3 = dot_four(other, a, b, c, d, direction)
                add_four(other, a, b, c, d, (w0 * s0, w1 * s1, w2 * s2, w3 * s3), 0, image)
            length = size / _dot(direction, image)
            for f in range(k):
                x[f] += length * direction[f]
            if step == n_steps - 1:
                break
            for f in range(k):
                residual[f] -= length * image[f]
                scaled[f] = residual[f] / curvature[f]
            old_size, size = size, _dot(residual, scaled)
            share = size / old_size
            for f in range(k):
                direction[f] = scaled[f] + share * direction[f]
        after += rho * np.float64(_dot(x, x))
    return before, after


@compiled
def add_gram(rows, gram):
    """Add the Gram matrix of an array of rows to the upper triangle of another matrix.

    Parameters
    ----------
    rows : ndarray of shape (n, k), float32
        k is a multiple of 16.
    gram : ndarray of shape (k, k), float64
        Changed. The products of `ROWS_PER_SUM` rows are added up in float32 first.
    """
    n, k = rows.shape
    part = np.empty((k, k), np.float32)
    zero = np.float32(0.0)
    for begin in range(0, n, ROWS_PER_SUM):
        part[:] = 0.0
        stop = min(begin + ROWS_PER_SUM, n)
        for r in range(begin, stop, 4):
            b, c, d = min(r + 1, n - 1), min(r + 2, n - 1), min(r + 3, n - 1)
            for f in range(k):
                by = (
                    rows[r, f],
                    rows[b, f] if r + 1 < n else zero,
                    rows[c, f] if r + 2 < n else zero,
                    rows[d, f] if r + 3 < n else zero,
                )
                add_four(rows, r, b, c, d, by, f // LANES, part[f])
        for f in range(k):
            for g in range(f, k):
                gram[f, g] += np.float64(part[f, g])


@compiled
def diagonalize(gram, shift, tolerance, max_sweeps, basis):
    """Make a symmetric matrix all but diagonal by Jacobi's rotations, pair by pair.

    Parameters
    ----------
    gram : ndarray of shape (k, k), float64
        Both triangles, positive semidefinite; changed.
    shift : float
        Number that is going to be added to the diagonal, at least.
    tolerance : float
        A pair is rotated if its entry is more than this, times the root of the product of the two
        diagonal entries, each with the shift.
    max_sweeps : int
        Largest number of times that all pairs are gone through.
    basis : ndarray of shape (k, k), float64
        Becomes the rotations' product: an approximate eigenvector a row.

    Returns
    -------
    int
        Rotations that were made.
    """
    k = gram.shape[0]
    basis[:] = 0.0
    for f in range(k):
        basis[f, f] = 1.0
    n_rotations = 0
    for _ in range(max_sweeps):
        n_before = n_rotations
        for f in range(k - 1):
            for g in range(f + 1, k):
                x, y, xy = gram[f, f], gram[g, g], gram[f, g]
                # Rounding may have made an eigenvalue of zero negative.
                sizes = max(x + shift, 0.0) * max(y + shift, 0.0)
                if xy * xy <= tolerance * tolerance * sizes:
                    continue
                n_rotations += 1
                theta = (y - x) / (2 * xy)
                t = 1 / (abs(theta) + np.sqrt(theta * theta + 1))
                if theta < 0:
                    t = -t
                c = 1 / np.sqrt(t * t + 1)
                s = t * c
                _turn(gram[f], gram[g], c, s)
                _turn(basis[f], basis[g], c, s)
                # The columns are what the rows have become, but for the four entries in both.
                gram[f, f], gram[g, g] = x - t * xy, y + t * xy
                gram[f, g] = gram[g, f] = 0.0
                for r in range(k):
                    gram[r, f], gram[r, g] = gram[f, r], gram[g, r]
        if n_rotations == n_before:
            break
    return n_rotations


@compiled
def _turn(a, b, c, s):
    """Rotate two vectors in the plane of both."""
    for at in range(a.size):
        x, y = a[at], b[at]
        a[at] = c * x - s * y
        b[at] = s * x + c * y


@compiled
def rotate_rows(span, basis, rows, out):
    """Multiply some rows with a matrix.

    Parameters
    ----------
    span : (int, int)
        The first row, and the one after the last.
    basis : ndarray of shape (k, m), float32
    rows : ndarray of shape (n, k), float32
        k and m are multiples of 16.
    out : ndarray of shape (n, m), float32
        Row r of it becomes row r times the basis.
    """
    last = span[1] - 1
    for column in range(out.shape[1] // LANES):
        for a in range(span[0], span[1], 4):
            b, c, d = min(a + 1, last), min(a + 2, last), min(a + 3, last)
            multiply_four(rows, a, b, c, d, basis, column, out)
