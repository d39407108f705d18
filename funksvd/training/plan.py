"""The block plan: which ratings may be learned from at the same time.

Users and items are each dealt into B groups, which cuts the ratings into B x B blocks. A stratum
is B blocks that share no user and no item (a diagonal of a Latin square), so its blocks can run
in parallel without two threads ever touching the same row, and the result does not depend on
their number. B follows from the data's shape and never from the number of threads.

This is DSGD inside one machine.

References
----------
R. Gemulla et al., "Large-Scale Matrix Factorization with Distributed Stochastic Gradient
Descent", KDD 2011.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.ordering import stable_order

RATINGS_PER_BLOCK = 5_000
MAX_GROUPS = 8
"""No more threads than this can work at the same time."""


class BlockPlan(NamedTuple):
    """Ratings sorted into blocks.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), int32
    values : ndarray of shape (n_ratings,), float32
    starts : ndarray of shape (n_groups, n_groups + 1), int64
        The block of user group g and item group h holds the ratings from `starts[g, h]` up to
        `starts[g, h + 1]`.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray
    starts: np.ndarray

    @property
    def n_groups(self) -> int:
        return len(self.starts)

    def stratum(self, shift: int) -> list[slice]:
        """The blocks (g, (g + shift) mod B): no user and no item is in two of them."""
        groups = np.arange(self.n_groups)
        others = (groups + shift) % self.n_groups
        return [
            slice(int(self.starts[g, h]), int(self.starts[g, h + 1]))
            for g, h in zip(groups, others, strict=True)
        ]


def choose_n_groups(n_users: int, n_items: int, n_ratings: int) -> int:
    """B for data of this shape: few, large blocks, but several where there is work to share."""
    wanted = int(np.sqrt(n_ratings / RATINGS_PER_BLOCK))
    return max(1, min(wanted, MAX_GROUPS, n_users, n_items))


def plan_blocks(
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    shape: tuple[int, int],
    n_groups: int | None = None,
) -> BlockPlan:
    """Sort ratings into blocks, and within a block by user, then item.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), int32
    values : ndarray of shape (n_ratings,), float32
    shape : (n_users, n_items)
    n_groups : int, optional
        B; `choose_n_groups` decides where it is not given.

    Returns
    -------
    BlockPlan
        The same for the same ratings in any order, as long as no pair repeats.
    """
    n_users, n_items = shape
    if n_groups is None:
        n_groups = choose_n_groups(n_users, n_items, len(values))
    user_group = _deal(np.bincount(user_index, minlength=n_users), n_groups)[user_index]
    item_group = _deal(np.bincount(item_index, minlength=n_items), n_groups)[item_index]
    block = user_group * n_groups + item_group
    order = stable_order(block * n_users + user_index, item_index)
    bounds = np.searchsorted(block[order], np.arange(n_groups * n_groups + 1))
    starts = np.empty((n_groups, n_groups + 1), dtype=np.int64)
    starts[:, :-1] = bounds[:-1].reshape(n_groups, n_groups)
    starts[:, -1] = bounds[n_groups::n_groups]
    return BlockPlan(user_index[order], item_index[order], values[order], starts)


def _deal(counts: np.ndarray, n_groups: int) -> np.ndarray:
    """Group of each row: the busiest first, dealt to and fro (0 1 2 2 1 0 0 1 …).

    Leaves the groups nearly equal in rows and in ratings.
    """
    position = np.empty(len(counts), dtype=np.int64)
    position[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    lap, seat = np.divmod(position, n_groups)
    return np.where(lap % 2 == 0, seat, n_groups - 1 - seat)
