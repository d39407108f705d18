"""The block plan: which ratings may be learned from at the same time.

Users and items are each dealt into B groups, which cuts the ratings into B x B blocks. A stratum
is B blocks that share no user and no item (a diagonal of a Latin square), so its blocks can run
in parallel without two threads ever touching the same row, and the result does not depend on
their number. B follows from the data's shape and never from the number of threads.

Users can be dealt into several batches first, each of B groups: then there are as many rows of
blocks, and a stratum is one of one batch. (SVD++ learns from a batch at a time.)

This is DSGD inside one machine.

References
----------
R. Gemulla et al., "Large-Scale Matrix Factorization with Distributed Stochastic Gradient
Descent", KDD 2011.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import NamedTuple

import numpy as np

from funksvd.kernels import padded_rows, take_turns
from funksvd.objectives.parameters import Parameters
from funksvd.sorting import stable_order

USERS_IN_TURN = 4
"""Consecutive ratings are of so many different users, so that a processor can overlap them."""


class Triples(NamedTuple):
    """Ratings in index form.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray


class Rows(NamedTuple):
    """Users or items in their groups.

    Rows are renumbered, so that those of a group lie together (two threads must not even share a
    cache line), the busiest first (the most popular items stay in the cache).

    Parameters
    ----------
    order : ndarray of shape (n_rows,), int64
        The old number of each new row.
    starts : ndarray of shape (n_groups + 1,), int64
        Group g has the new rows from `starts[g]` up to `starts[g + 1]`.
    counts : ndarray of shape (2, n_rows), int64
        Of the old rows: ratings to learn from, and ratings held back.
    """

    order: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    def group(self, g: int) -> slice:
        return slice(int(self.starts[g]), int(self.starts[g + 1]))


class Block(NamedTuple):
    """Where a block's rows and ratings are.

    Parameters
    ----------
    users, items : slice
        Of the new rows.
    learned, held_back : slice
        Of the ratings; one follows the other.
    """

    users: slice
    items: slice
    learned: slice
    held_back: slice


class UnratedPairs(NamedTuple):
    """Pairs of a user and an item that are known without a rating, in the blocks of a plan.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), uint16 or uint32
        Rows within the block's groups.
    bounds : ndarray of shape (n_batches * n_groups, n_groups, 2), int64
        The block of user group g and item group h holds the pairs from `bounds[g, h, 0]` up to
        `bounds[g, h, 1]`.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    bounds: np.ndarray


class BlockPlan(NamedTuple):
    """Ratings sorted into blocks.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), uint16 or uint32
        Rows within the block's groups.
    values : ndarray of shape (n_ratings,), float32
    bounds : ndarray of shape (n_batches * n_groups, n_groups, 3), int64
        The block of user group g and item group h holds the ratings from `bounds[g, h, 0]` up to
        `bounds[g, h, 2]`; those from `bounds[g, h, 1]` on are held back. The groups of a batch of
        users follow each other.
    users, items : Rows
    unrated : UnratedPairs, optional
        What users have dealt with without rating it; only SVD++ learns from it.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray
    bounds: np.ndarray
    users: Rows
    items: Rows
    unrated: UnratedPairs | None = None

    @property
    def n_groups(self) -> int:
        """B: groups of items, and of the users of a batch."""
        return self.bounds.shape[1]

    @property
    def n_batches(self) -> int:
        return self.bounds.shape[0] // self.n_groups

    @property
    def n_held_back(self) -> int:
        return int((self.bounds[..., 2] - self.bounds[..., 1]).sum())

    @property
    def n_learned(self) -> int:
        return len(self.values) - self.n_held_back

    @property
    def blocks(self) -> list[Block]:
        """All of them."""
        strata = product(range(self.n_batches), range(self.n_groups))
        return [block for batch, shift in strata for block in self.stratum(shift, batch)]

    def stratum(self, shift: int, batch: int = 0) -> list[Block]:
        """The blocks (g, (g + shift) mod B) of a batch: no user and no item is in two of them."""
        n_groups = self.n_groups
        return [self.block(batch * n_groups + g, (g + shift) % n_groups) for g in range(n_groups)]

    def block(self, g: int, h: int) -> Block:
        begin, middle, end = map(int, self.bounds[g, h])
        users, items = self.users.group(g), self.items.group(h)
        return Block(users, items, slice(begin, middle), slice(middle, end))

    def groups(self, batch: int) -> range:
        """The groups of users of a batch."""
        return range(batch * self.n_groups, (batch + 1) * self.n_groups)

    def pairs(self, g: int, h: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """What users of group g have dealt with among the items of group h, in parts.

        Returns
        -------
        list of (user_index, item_index)
            Rows within the groups: of the ratings to learn from, and of the unrated pairs.
        """
        begin, middle, _ = self.bounds[g, h]
        parts = [(self.user_index[begin:middle], self.item_index[begin:middle])]
        if self.unrated is not None:
            begin, end = self.unrated.bounds[g, h]
            parts.append((self.unrated.user_index[begin:end], self.unrated.item_index[begin:end]))
        return parts

    def with_unrated(self, user_index: np.ndarray, item_index: np.ndarray) -> BlockPlan:
        """The same with pairs that are known without a rating.

        Parameters
        ----------
        user_index, item_index : ndarray of shape (n,), int
            In the old numbering. None is one of a rating, and none repeats.
        """
        groups = [
            groups_of(rows)[at] for rows, at in ((self.users, user_index), (self.items, item_index))
        ]
        rows = rows_in_groups(self.users, self.items)
        order = stable_order(
            groups[0].astype(np.int64) * self.n_groups + groups[1],
            rows[0][user_index],
            rows[1][item_index],
        )
        counts = np.zeros(self.bounds.shape[:2], dtype=np.int64)
        np.add.at(counts, tuple(groups), 1)
        ends = np.cumsum(counts).reshape(counts.shape)
        return self._replace(
            unrated=UnratedPairs(
                rows[0][user_index][order],
                rows[1][item_index][order],
                np.stack([ends - counts, ends], axis=-1),
            )
        )

    def with_all_learned(self, n_threads: int = 1) -> BlockPlan:
        """A plan that holds nothing back, as if it had been made so.

        It takes over the arrays of this one, which is of no use any more.
        """
        bounds = self.bounds.copy()
        bounds[..., 1] = bounds[..., 2]
        sides = (side._replace(counts=side.counts.sum(0) * [[1], [0]]) for side in self[4:6])
        plan = BlockPlan(*self[:3], bounds, *sides, self.unrated)
        with ThreadPoolExecutor(n_threads) as pool:
            plan._sort(pool)
        return plan

    def _sort(self, pool: ThreadPoolExecutor) -> None:
        """Sort what is learned from and what is held back of each block."""

        def sort(part: slice) -> None:
            _sort_part(self.user_index[part], self.item_index[part], self.values[part])

        list(pool.map(sort, [part for block in self.blocks for part in block[2:]]))

    def arranged(self, parameters: Parameters) -> Parameters:
        """A copy of parameters in the new numbering, rows padded as the kernel wants them."""
        rows = []
        orders = (self.users.order, self.items.order)
        for order, factors in zip(orders, parameters[3:], strict=True):
            padded = padded_rows(*factors.shape)
            padded[:, : factors.shape[1]] = factors[order]
            rows.append(padded)
        biases = (parameters.user_biases[orders[0]], parameters.item_biases[orders[1]])
        return Parameters(parameters.global_mean, *biases, *rows)

    def restored(self, parameters: Parameters, n_factors: int) -> Parameters:
        """The opposite of `arranged`."""
        users, items = _inverse(self.users.order), _inverse(self.items.order)
        return Parameters(
            parameters.global_mean,
            parameters.user_biases[users],
            parameters.item_biases[items],
            np.ascontiguousarray(parameters.user_factors[users, :n_factors]),
            np.ascontiguousarray(parameters.item_factors[items, :n_factors]),
        )


def _sort_part(users: np.ndarray, items: np.ndarray, values: np.ndarray) -> None:
    """Sort ratings by user, then item, and let a few users take turns; in place."""
    item_bits = int(items.max(initial=0)).bit_length()
    if item_bits + int(users.max(initial=0)).bit_length() <= 32:
        # All of a rating in 64 bits: NumPy sorts them many times faster than it finds an order.
        packed = users.astype(np.uint64)
        packed <<= np.uint64(item_bits)
        packed |= items
        packed <<= np.uint64(32)
        packed |= values.view(np.uint32)
        packed.sort()
        in_order = (
            (packed >> np.uint64(32 + item_bits)).astype(users.dtype),
            (packed >> np.uint64(32) & np.uint64((1 << item_bits) - 1)).astype(items.dtype),
            packed.astype(np.uint32).view(np.float32),
        )
    else:
        order = stable_order(users, items)
        in_order = (users[order], items[order], values[order])
    take_turns(*in_order, USERS_IN_TURN, users, items, values)


def groups_of(rows: Rows) -> np.ndarray:
    """The group of each old row, uint8."""
    sizes = np.diff(rows.starts)
    return np.repeat(np.arange(len(sizes), dtype=np.uint8), sizes)[_inverse(rows.order)]


def rows_in_groups(*sides: Rows) -> tuple[np.ndarray, ...]:
    """The place of each old row in its group.

    16 bits are enough for most data, and half as many to move.
    """
    largest = max(np.diff(rows.starts).max() for rows in sides)
    kind = np.uint16 if largest <= 1 << 16 else np.uint32
    return tuple(
        (np.arange(len(rows.order)) - np.repeat(rows.starts[:-1], np.diff(rows.starts))).astype(
            kind
        )[_inverse(rows.order)]
        for rows in sides
    )


def _inverse(order: np.ndarray) -> np.ndarray:
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
