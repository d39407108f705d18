"""Pairs of a user and an item, each as one number: they are known again in any file and order."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from funksvd.parallel import in_pieces
from funksvd.ratings import Interactions
from funksvd.ratings.hashing import HASHED_AT_ONCE, joint_hashes, smallest_hashes

SLOTS_PER_HASH = 8
"""Bytes for each hash sought, or up to twice as many, of a table that is looked into first."""


def pair_hashes(given: Interactions) -> np.ndarray:
    """The hash of the pair of each interaction, by `hashing.joint_hashes`, as signed numbers.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    users, items = given.users.hashes, given.items.hashes
    hashes = np.empty(len(given), np.uint64)

    def join(piece: slice) -> None:
        hashes[piece] = joint_hashes(users[given.user_index[piece]], items[given.item_index[piece]])

    in_pieces(join, len(given), HASHED_AT_ONCE)
    return hashes.view(np.int64)


def are_among(given: Interactions, hashes: np.ndarray) -> np.ndarray:
    """Which interactions have one of these hashes of pairs, which ascend.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    if not len(hashes):
        return np.zeros(len(given), dtype=bool)
    mine = pair_hashes(given)
    # Nearly all others are told by some of their bits, much quicker than by bisection.
    mask = (1 << (SLOTS_PER_HASH * len(hashes)).bit_length()) - 1
    is_taken = np.zeros(mask + 1, dtype=bool)
    is_taken[hashes & mask] = True
    found = is_taken[mine & mask]
    rows = np.flatnonzero(found)
    places = np.searchsorted(hashes, mine[rows])
    found[rows] = hashes[np.minimum(places, len(hashes) - 1)] == mine[rows]
    return found


def smallest_pairs(given: Interactions, n: int, among: np.ndarray | None = None) -> np.ndarray:
    """Rows of the n pairs with the smallest hashes, or of all if there are fewer, by hash.

    A sample in which neither the order of the rows nor other ids of the vocabularies have a part.

    Parameters
    ----------
    given : Interactions
    n : int
    among : ndarray of shape (n_interactions,), bool, optional
        Rows to choose from; by default all.

    Returns
    -------
    ndarray of shape (min(n, n_rows),), int64
    """
    n_rows = len(given) if among is None else int(np.count_nonzero(among))
    n = min(n, n_rows)
    users, items = given.users.hashes, given.items.hashes
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def look(piece: slice, bound: np.uint64) -> None:
        hashes = joint_hashes(users[given.user_index[piece]], items[given.item_index[piece]])
        is_small = hashes <= bound
        if among is not None:
            is_small &= among[piece]
        at = np.flatnonzero(is_small)
        found[piece.start] = at + piece.start, hashes[at]

    # Hashes are spread evenly over 64 bits, so the n smallest are nearly always below a bound that
    # lets few more than n through, and only these have to be sorted; else all are.
    shares = min(1.0, (n + 6 * math.sqrt(n) + 10) / max(n_rows, 1)), 1.0
    for bound in (np.uint64(min(int(share * 2.0**64), (1 << 64) - 1)) for share in shares):
        in_pieces(partial(look, bound=bound), len(given), HASHED_AT_ONCE)
        rows, hashes = map(
            np.concatenate, zip(*(found[start] for start in sorted(found)), strict=True)
        )
        if len(rows) >= n:
            break
    sampled: np.ndarray = rows[smallest_hashes(hashes, n)]
    return sampled
