"""Sorting by integers."""

from __future__ import annotations

import numpy as np

PIECE = 1 << 16


def stable_order(*keys: np.ndarray) -> np.ndarray:
    """The order that sorts by several keys, the most significant first; equals keep their order.

    The same as `np.lexsort(keys[::-1])`. NumPy sorts 64-bit integers many times faster than it
    finds their sorting order, so keys and positions are packed into one integer where they fit.

    Parameters
    ----------
    *keys : ndarray of shape (n,), int
        Not negative.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    n = len(keys[0])
    widths = [int(key.max(initial=0)).bit_length() for key in keys]
    n_bits = n.bit_length()
    if sum(widths) + n_bits > 63:
        if len(keys) == 1:
            return np.argsort(keys[0], kind="stable")
        order = stable_order(keys[-1])
        return order[stable_order(*(key[order] for key in keys[:-1]))]
    packed = keys[0].astype(np.int64)
    for key, width in zip(keys[1:], widths[1:], strict=True):
        packed <<= width
        packed |= key
    packed <<= n_bits
    packed |= np.arange(n)
    packed.sort()
    packed &= (1 << n_bits) - 1
    return packed


def is_ascending(*keys: np.ndarray) -> bool:
    """True if rows are sorted by several keys, the most significant first, and none repeats.

    Parameters
    ----------
    *keys : ndarray of shape (n,)

    Returns
    -------
    bool
    """
    for start in range(0, len(keys[0]) - 1, PIECE):
        below = np.False_
        for key in reversed(keys):
            piece = key[start : start + PIECE + 1]
            below = (piece[:-1] < piece[1:]) | ((piece[:-1] == piece[1:]) & below)
        if not below.all():
            return False
    return True
