"""Products of long arrays of rows, in blocks that are worked on at the same time.

The blocks follow from the number of rows, and sums go through them in their order: the bits do not
depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from funksvd.kernels import add_gram, padded_rows, rotate_rows
from funksvd.training.executors import Executor

ROWS_PER_BLOCK, MAX_BLOCKS = 256, 32
"""Rows that are one task, at least; the largest number of tasks."""


def block_size(n_rows: int) -> int:
    """Rows that are one task."""
    return max(ROWS_PER_BLOCK, -(-n_rows // MAX_BLOCKS))


def gram_of(rows: np.ndarray, executor: Executor) -> np.ndarray:
    """The Gram matrix of the columns of an array.

    Parameters
    ----------
    rows : ndarray of shape (n, k), float32
    executor : Executor

    Returns
    -------
    ndarray of shape (k, k), float64
    """
    k, size = rows.shape[1], block_size(len(rows))

    def gram_of_block(start: int) -> np.ndarray:
        part = np.zeros((k, k))
        add_gram(rows[start : start + size], part)
        return part

    total = np.zeros((k, k))
    for part in executor.map(gram_of_block, range(0, len(rows), size)):
        total += part
    upper = np.triu(total)
    return upper + np.triu(total, 1).T


def rotated(rows: np.ndarray, basis: np.ndarray, executor: Executor) -> np.ndarray:
    """Each row times a matrix.

    Parameters
    ----------
    rows : ndarray of shape (n, k), float32
    basis : ndarray of shape (k, m), float32
        k and m are multiples of 16.
    executor : Executor

    Returns
    -------
    ndarray of shape (n, m), float32
    """
    out, size = padded_rows(len(rows), basis.shape[1]), block_size(len(rows))

    def rotate(start: int) -> None:
        rotate_rows((start, min(start + size, len(rows))), basis, rows, out)

    executor.map(rotate, range(0, len(rows), size))
    return out
