"""Rows whose factors point in the same direction."""

from __future__ import annotations

import numpy as np

from funksvd.learned.scoring import predict_pairs
from funksvd.objectives.parameters import Parameters


def most_similar(rows: np.ndarray, row: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that are most similar to one row, itself left out.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_factors), float32
    row : int
    n : int

    Returns
    -------
    indices : ndarray of shape (at most n,), int
        Most similar first; of equally similar rows the lower one first.
    similarities : ndarray of the same shape, float32
        Cosines, -1 to 1.
    """
    similarities = cosine_similarities(rows, row)
    order = np.argsort(-similarities, kind="stable")
    chosen = order[order != row][:n]
    return chosen, similarities[chosen]


def cosine_similarities(rows: np.ndarray, row: int) -> np.ndarray:
    """Cosine of the angle between one row and each row; 0 where one of them is zero.

    Parameters
    ----------
    rows : ndarray of shape (n, n_factors), float32
    row : int

    Returns
    -------
    ndarray of shape (n,), float32
    """
    zeros = np.zeros(len(rows), np.float32)
    products = Parameters(0.0, zeros, zeros, rows, rows)  # without biases, predictions are products
    each = np.arange(len(rows), dtype=np.int32)
    norms = np.sqrt(predict_pairs(products, each, each))
    norms[norms == 0] = np.inf
    return np.clip(
        predict_pairs(products, np.full_like(each, row), each) / norms / norms[row], -1, 1
    )
