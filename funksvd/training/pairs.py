"""`PairPlan`: observed pairs as the choice model learns from them, by user and by item."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from funksvd.ratings import CompressedRows
from funksvd.training.checkpoints import fingerprint


@dataclass(frozen=True, eq=False)
class PairPlan:
    """Observed pairs, and which of them are held back.

    Parameters
    ----------
    pairs : CompressedRows
        Items of each user; the values, uint8, are levels.
    n_items : int
    weights : ndarray of shape (256,), float32
        w of eq. (2) of `objectives.ials`, for each level.
    held_back : ndarray of shape (n_pairs,), bool, or None
        Pairs that decide when to stop.
    n_threads : int
        Does not change anything.
    """

    pairs: CompressedRows
    n_items: int
    weights: np.ndarray
    held_back: np.ndarray | None = None
    n_threads: int = 1

    unrated = None
    """All of its pairs are alike."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of users and items."""
        return self.pairs.n_rows, self.n_items

    @property
    def n_held_back(self) -> int:
        """Number of pairs that decide when to stop."""
        return 0 if self.held_back is None else int(np.count_nonzero(self.held_back))

    @property
    def n_learned(self) -> int:
        """Number of pairs that are learned from."""
        return len(self.pairs.columns) - self.n_held_back

    def fingerprint(self) -> str:
        """Checksum of all that can be learned from."""
        pairs, sizes = self.pairs, np.array(self.shape)
        arrays = (pairs.indptr, pairs.columns, pairs.values, self.weights, self.held_back)
        return fingerprint(sizes, *arrays)

    @cached_property
    def by_user(self) -> CompressedRows:
        """The pairs learned from, as items of each user, with levels."""
        return self.pairs if self.held_back is None else _some(self.pairs, ~self.held_back)

    @cached_property
    def by_item(self) -> CompressedRows:
        """The pairs learned from, as users of each item, with levels."""
        users, items = self.by_user.pairs
        levels = self.by_user.values
        return CompressedRows.from_pairs(items, users, self.n_items, levels, self.n_threads)

    @cached_property
    def held_back_items(self) -> CompressedRows:
        """The pairs held back, as items of each user, with levels."""
        held_back = self.held_back
        if held_back is None:
            held_back = np.zeros(len(self.pairs.columns), bool)
        return _some(self.pairs, held_back)

    def with_all_learned(self, n_threads: int) -> Self:
        """The same with nothing held back."""
        return replace(self, held_back=None, n_threads=n_threads)


def _some(pairs: CompressedRows, wanted: np.ndarray) -> CompressedRows:
    """The pairs for which a mask is true."""
    indptr = np.concatenate([[0], np.cumsum(wanted)])[pairs.indptr]
    values = None if pairs.values is None else pairs.values[wanted]
    return CompressedRows(indptr, pairs.columns[wanted], values)
