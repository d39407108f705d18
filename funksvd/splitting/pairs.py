"""Pairs of a user and an item, each as one number: they are known again in any file and order."""

from __future__ import annotations

import hashlib

import numpy as np

from funksvd.parallel import take
from funksvd.ratings import Interactions, Vocabulary

SLOTS_PER_HASH = 8
"""Bytes for each hash sought, or up to twice as many, of a table that is looked into first."""


def pair_hashes(given: Interactions) -> np.ndarray:
    """A hash of the user's and the item's id of each interaction.

    Of a billion pairs, two have the same hash with a probability of 3 %.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    users, items = (
        take(_id_hashes(vocabulary), index, out=np.empty(len(index), np.uint64))
        for vocabulary, index in (
            (given.users, given.user_index),
            (given.items, given.item_index),
        )
    )
    return _mixed(_mixed(users) ^ items).view(np.int64)


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


def _id_hashes(vocabulary: Vocabulary) -> np.ndarray:
    """A hash of each id, uint64: an integer and the text that stands for it differ."""
    if vocabulary.holds_integers:
        return _mixed(vocabulary.ids.view(np.uint64))
    digests = (
        hashlib.blake2b(label.encode(), digest_size=8).digest() for label in vocabulary.ids.tolist()
    )
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64: each bit depends on all bits, and none is lost.

    References
    ----------
    G. L. Steele Jr., D. Lea, C. H. Flood, "Fast Splittable Pseudorandom Number Generators",
    OOPSLA 2014.
    """
    z = numbers + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
