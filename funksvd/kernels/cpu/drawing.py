"""Choosing a random part of many things: what `Generator.choice` chooses, sooner."""

from __future__ import annotations

import numpy as np

from funksvd.kernels.compiling import compiled

FEW = 10_000
FEW_OF_MANY = 20
"""NumPy shuffles more than 10,000 things to choose more than a twentieth of them."""
WORDS_AT_ONCE = 1 << 18


def choose(random: np.random.Generator, n: int, n_chosen: int) -> np.ndarray:
    """The part of n things that `random.choice(n, n_chosen, replace=False, shuffle=False)` is.

    To choose more than a few, NumPy lists all things and shuffles the end of the list. Here the
    list is of moves, in 32 bits, and begins as zeros, which takes less time and memory.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    chosen = np.zeros(n, dtype=bool)
    if n <= FEW or n >= 1 << 31 or n_chosen == n or n_chosen <= n // FEW_OF_MANY:
        chosen[random.choice(n, n_chosen, replace=False, shuffle=False)] = True
        return chosen
    moves = np.zeros(n, dtype=np.int32)
    last = np.array([n - 1])
    while last[0] >= n - n_chosen:
        words = random.bit_generator.random_raw(WORDS_AT_ONCE)
        halves = np.stack([words & 0xFFFFFFFF, words >> 32], axis=1).ravel()
        _take_last(halves, n - n_chosen, last, moves, chosen)
    return chosen


@compiled
def _take_last(words, end, last, moves, chosen):
    """Swap the last thing of a list with a random one up to it, choose it, and so on.

    Parameters
    ----------
    words : ndarray of shape (n_words,), uint64
        Random numbers below 2**32; where they lead to no fair choice, the next is taken.
    end : int
        Where the part that is not chosen ends.
    last : ndarray of shape (1,), int64
        Position of the last thing that is not chosen yet; moved on.
    moves : ndarray of shape (n,), int32
        What stands at each position, less the position; changed.
    chosen : ndarray of shape (n,), bool
        Changed.

    References
    ----------
    D. Lemire, "Fast Random Integer Generation in an Interval", 2019.
    """
    at = last[0]
    for word in words:
        if at < end:
            break
        n_left = np.uint64(at + 1)
        product = word * n_left
        low = product & np.uint64(0xFFFFFFFF)
        if low < n_left and low < (np.uint64(1 << 32) - n_left) % n_left:
            continue
        other = np.int64(product >> np.uint64(32))
        chosen[other + moves[other]] = True
        moves[other] = at + moves[at] - other
        at -= 1
    last[0] = at
