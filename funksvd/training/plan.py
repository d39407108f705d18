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

from funksvd.kernels import padded_rows
from funksvd.objective import Parameters
from funksvd.ordering import stable_order

RATINGS_PER_BLOCK = 5_000
MANY_RATINGS = 20_000_000
FEW_GROUPS, MAX_GROUPS = 4, 8
"""Up to and from `MANY_RATINGS`; no more threads than this can work at the same time."""
USERS_IN_TURN = 4
"""Consecutive ratings are of so many different users, so that a processor can overlap them."""


class BlockPlan(NamedTuple):
    """Ratings sorted into blocks.

    Rows are renumbered, so that those of a group lie together (two threads must not even share a
    cache line), the busiest first (the most popular items stay in the cache).

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), int32
        In the new numbering.
    values : ndarray of shape (n_ratings,), float32
    starts : ndarray of shape (n_groups, n_groups + 1), int64
        The block of user group g and item group h holds the ratings from `starts[g, h]` up to
        `starts[g, h + 1]`.
    user_order, item_order : ndarray of shape (n_users,) and (n_items,), int64
        The old number of each new row.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray
    starts: np.ndarray
    user_order: np.ndarray
    item_order: np.ndarray

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

    def renumbered(self, user_index: np.ndarray, item_index: np.ndarray) -> tuple:
        """Old indices in the new numbering; -1 stays -1."""
        return tuple(
            np.append(_inverse(order), -1)[index].astype(np.int32)
            for order, index in ((self.user_order, user_index), (self.item_order, item_index))
        )

    def arranged(self, parameters: Parameters) -> Parameters:
        """A copy of parameters in the new numbering, rows padded as the kernel wants them."""
        rows = []
        orders = (self.user_order, self.item_order)
        for order, factors in zip(orders, parameters[3:], strict=True):
            padded = padded_rows(*factors.shape)
            padded[:, : factors.shape[1]] = factors[order]
            rows.append(padded)
        biases = (parameters.user_biases[orders[0]], parameters.item_biases[orders[1]])
        return Parameters(parameters.global_mean, *biases, *rows)

    def restored(self, parameters: Parameters, n_factors: int) -> Parameters:
        """The opposite of `arranged`."""
        users, items = _inverse(self.user_order), _inverse(self.item_order)
        return Parameters(
            parameters.global_mean,
            parameters.user_biases[users],
            parameters.item_biases[items],
            np.ascontiguousarray(parameters.user_factors[users, :n_factors]),
            np.ascontiguousarray(parameters.item_factors[items, :n_factors]),
        )


def choose_n_groups(n_users: int, n_items: int, n_ratings: int) -> int:
    """B for data of this shape: few, large blocks, but several where there is work to share."""
    wanted = int(np.sqrt(n_ratings / RATINGS_PER_BLOCK))
    most = FEW_GROUPS if n_ratings < MANY_RATINGS else MAX_GROUPS
    return max(1, min(wanted, most, n_users, n_items))


def plan_blocks(
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    shape: tuple[int, int],
    n_groups: int | None = None,
) -> BlockPlan:
    """Sort ratings into blocks, and within a block by user, then item; four users in turn.

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
    user_order, user_group = _deal(np.bincount(user_index, minlength=n_users), n_groups)
    item_order, item_group = _deal(np.bincount(item_index, minlength=n_items), n_groups)
    users = _inverse(user_order)[user_index].astype(np.int32)
    items = _inverse(item_order)[item_index].astype(np.int32)
    block = user_group[users] * n_groups + item_group[items]

    order = stable_order(block, users, items)
    block = block[order]
    order = order[_in_turn(block, users[order])]
    bounds = np.searchsorted(block, np.arange(n_groups * n_groups + 1))
    starts = np.empty((n_groups, n_groups + 1), dtype=np.int64)
    starts[:, :-1] = bounds[:-1].reshape(n_groups, n_groups)
    starts[:, -1] = bounds[n_groups::n_groups]
    return BlockPlan(users[order], items[order], values[order], starts, user_order, item_order)


def _in_turn(block: np.ndarray, users: np.ndarray) -> np.ndarray:
    """From the order by block and user to one in which a few users take turns."""
    n = len(users)
    begins = np.ones(n, dtype=bool)  # a user's ratings in a block
    begins[1:] = (users[1:] != users[:-1]) | (block[1:] != block[:-1])
    run = np.cumsum(begins) - 1
    turn = np.arange(n) - np.flatnonzero(begins)[run]
    first = np.searchsorted(block, np.arange(block.max(initial=0) + 1))
    run -= run[first][block]  # counted from the block's beginning
    return stable_order(block, run // USERS_IN_TURN, turn)


def _deal(counts: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows dealt to groups, the busiest first, to and fro (0 1 2 2 1 0 0 1 …).

    Leaves the groups nearly equal in rows and in ratings.

    Returns
    -------
    order : ndarray of shape (n_rows,), int64
        The rows group by group, in each the busiest first: the new numbering.
    group : ndarray of shape (n_rows,), int64
        Of each row in the new numbering.
    """
    busiest_first = np.argsort(-counts, kind="stable")
    lap, seat = np.divmod(np.arange(len(counts)), n_groups)
    group = np.where(lap % 2 == 0, seat, n_groups - 1 - seat)
    by_group = np.argsort(group, kind="stable")
    return busiest_first[by_group], group[by_group]


def _inverse(order: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
