"""The order of ratings within a block: by user, then item, with a few users taking turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from funksvd.kernels import unpack_in_turns

USERS_IN_TURN = 4
"""Consecutive ratings that are of different users, so that a processor can overlap them."""
FEWEST_BITS, MOST_BITS = 6, 14
"""Smallest and largest number of bits of a digit in the radix sort."""
RATINGS_PER_DIGIT = 8
"""Ratings for each value of a digit, between those limits: counting is then little of the work."""


NO_WORDS = np.empty(0, np.uint32)


def words_of(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """A single column of 32 bits as the second words of records; else none.

    Several columns are not moved along with the rows: records carry positions then, and each
    column is put in order once.

    Returns
    -------
    ndarray of shape (n_ratings,) or (0,), uint32
        The memory of the column itself.
    """
    first, *others = columns.values() or [NO_WORDS]
    return NO_WORDS if others or first.itemsize != 4 else first.view(np.uint32)


class RecordForm(NamedTuple):
    """Layout of a record: two words that hold a rating's user row, item row and one more word.

    Parameters
    ----------
    item_bits : int
        Lowest bits of the first word, which hold the item row.
    key_bits : int
        Bits of user row and item row together.
    word : numpy.dtype
        uint32 or uint64.
    """

    item_bits: int
    key_bits: int
    word: np.dtype[np.unsignedinteger]

    @classmethod
    def of(cls, n_users: int, n_items: int, n_ratings: int) -> RecordForm:
        """The smallest form for blocks of this shape.

        Parameters
        ----------
        n_users, n_items : int
            Of the largest groups.
        n_ratings : int
            Of all blocks: the second word may be a rating's position.
        """
        user_bits, item_bits = ((n - 1).bit_length() for n in (n_users, n_items))
        narrow = user_bits + item_bits <= 32 and n_ratings <= 1 << 32
        return cls(item_bits, user_bits + item_bits, np.dtype(np.uint32 if narrow else np.uint64))

    def empty(self, n: int) -> np.ndarray:
        """Memory for n records."""
        return np.empty((n, 2), self.word)


def unpack(
    form: RecordForm,
    records: np.ndarray,
    users: np.ndarray,
    items: np.ndarray,
    words: np.ndarray,
) -> None:
    """Write the ratings of a block in their order.

    Parameters
    ----------
    form : RecordForm
    records : ndarray of shape (n, 2)
        In any order; overwritten.
    users, items : ndarray of shape (n,), uint16 or uint32
        Written.
    words : ndarray of shape (n,) or (0,), uint32 or uint64
        Written, unless it is empty: the second words.
    """
    n = len(records)
    if not n:
        return
    wanted = (n // RATINGS_PER_DIGIT).bit_length()
    most = min(max(wanted, FEWEST_BITS), MOST_BITS)
    n_digits = max(1, -(-form.key_bits // most))
    counts = np.empty(1 << max(1, -(-form.key_bits // n_digits)), form.word)
    unpack_in_turns(
        records,
        form.empty(n),
        counts,
        form.item_bits,
        form.key_bits,
        USERS_IN_TURN,
        users,
        items,
        words,
    )
