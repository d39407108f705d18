"""Hashes of ids and of rows: numbers of 64 bits that are the same in any file, order and piece.

A file, a part of it and a folder of parts agree on the hash of a user, of an item and of a pair,
whatever their vocabularies are. What is drawn by hashes, and summed of them, can therefore be made
piece by piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

HASHED_AT_ONCE = 1 << 15
"""Rows whose hashes are worked on at a time: few enough for the nearest cache of a processor."""


def mixed(numbers: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64: each bit depends on all bits, and none is lost.

    Parameters
    ----------
    numbers : ndarray of shape (n,), uint64

    Returns
    -------
    ndarray of shape (n,), uint64

    References
    ----------
    G. L. Steele Jr., D. Lea, C. H. Flood, "Fast Splittable Pseudorandom Number Generators",
    OOPSLA 2014.
    """
    z = numbers + np.uint64(0x9E3779B97F4A7C15)
    shifted = z >> np.uint64(30)
    z ^= shifted
    z *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(z, np.uint64(27), out=shifted)
    z ^= shifted
    z *= np.uint64(0x94D049BB133111EB)
    np.right_shift(z, np.uint64(31), out=shifted)
    z ^= shifted
    return z


def id_hashes(ids: np.ndarray) -> np.ndarray:
    """A hash of each id: an integer and the text that stands for it differ.

    Parameters
    ----------
    ids : ndarray of shape (n,), int64 or object (str)

    Returns
    -------
    ndarray of shape (n,), uint64
    """
    if ids.dtype.kind == "i":
        return mixed(ids.view(np.uint64))
    digests = (hashlib.blake2b(label.encode(), digest_size=8).digest() for label in ids.tolist())
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def joint_hashes(user_hashes: np.ndarray, item_hashes: np.ndarray | np.uint64) -> np.ndarray:
    """The hash of each pair of a user and an item.

    Of a billion pairs, two have the same hash with a probability of 3 %.

    Parameters
    ----------
    user_hashes, item_hashes : ndarray of shape (n,), uint64
        Of their ids, by `id_hashes`; of the items also one for all.

    Returns
    -------
    ndarray of shape (n,), uint64
    """
    return mixed(mixed(user_hashes) ^ item_hashes)


def smallest_hashes(hashes: np.ndarray, n: int) -> np.ndarray:
    """Positions of the n smallest hashes, or of all if there are fewer, ascending by hash.

    Those of pieces hold those of the whole: a sample that does not depend on the pieces.

    Parameters
    ----------
    hashes : ndarray of shape (n_hashes,), uint64
    n : int

    Returns
    -------
    ndarray of shape (min(n, n_hashes),), int64
    """
    at = np.arange(len(hashes))
    if n < len(hashes):
        at = np.flatnonzero(hashes <= np.partition(hashes, n)[n])
    return at[np.argsort(hashes[at], kind="stable")][:n]


@dataclass(frozen=True)
class RowSums:
    """Sums over the rows of interactions, by which equal rows are known, whatever their order.

    Those of pieces are added up by `+`.

    Parameters
    ----------
    n : int
        Number of rows.
    first, second : int
        Sums of two hashes of each row, modulo 2**64.
    """

    n: int = 0
    first: int = 0
    second: int = 0

    @classmethod
    def of(
        cls,
        user_hashes: np.ndarray,
        item_hashes: np.ndarray,
        columns: Mapping[str, np.ndarray],
    ) -> RowSums:
        """Of some rows.

        Parameters
        ----------
        user_hashes, item_hashes : ndarray of shape (n,), uint64
            Of their ids, by `id_hashes`.
        columns : mapping of str to ndarray of shape (n,)
            "values" and "weights", float32, and "timestamps", int64, as far as there are any.
        """
        hashes = joint_hashes(user_hashes, item_hashes)
        for name in sorted(columns):
            bits = columns[name].view(np.uint64 if name == "timestamps" else np.uint32)
            hashes = mixed(hashes ^ bits)
        return cls(len(hashes), int(hashes.sum()), int(mixed(hashes).sum()))

    def __add__(self, other: RowSums) -> RowSums:
        return RowSums(
            self.n + other.n,
            (self.first + other.first) % (1 << 64),
            (self.second + other.second) % (1 << 64),
        )

    def digest(self, names: Iterable[str]) -> str:
        """32 hexadecimal digits for the sums and the names of the columns that they cover."""
        text = f"{self.n} {self.first} {self.second} {' '.join(sorted(names))}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
