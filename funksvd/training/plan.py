"""The block plan: which ratings may be learned from at the same time.

Users and items are each dealt into B groups, which cuts the ratings into B x B blocks. A stratum
is B blocks that share no user and no item (a diagonal of a Latin square), so its blocks can run
in parallel without two threads ever touching the same row, and the result does not depend on
their number. B is a hyperparameter, which the data's shape decides unless it is given; the number
of threads has no part in it.

Users can be dealt into several batches first, each of B groups: then there are as many rows of
blocks, and a stratum is one of one batch. (SVD++ learns from a batch at a time.)

This is DSGD inside one machine.

References
----------
R. Gemulla et al., "Large-Scale Matrix Factorization with Distributed Stochastic Gradient
Descent", KDD 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np

from funksvd.kernels import pack_records, padded_rows
from funksvd.objectives.parameters import Parameters
from funksvd.parallel import PIECE, in_order, in_pieces
from funksvd.sorting import stable_order
from funksvd.training.block_order import NO_WORDS, RecordForm, unpack, words_of
from funksvd.training.checkpoints import fingerprint

VALUE = "value"
"""Name of the column of ratings."""
DAY = "day"
"""Name of the column of days, int32, since 1970; -1 for a rating whose day is not known."""
Result = TypeVar("Result")
NUMBERS_PER_PIECE = 1 << 18
"""Factors that one thread copies at a time."""


class Triples(NamedTuple):
    """Ratings in index form; without values, interactions.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32, optional
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Rows:
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
        """The new rows of group g."""
        return slice(int(self.starts[g]), int(self.starts[g + 1]))

    @property
    def largest_group(self) -> int:
        """Number of rows of the group that has most."""
        return int(np.diff(self.starts).max())

    def joined(self, n: int) -> Rows:
        """The same rows in larger groups, each of n that follow each other."""
        return replace(self, starts=self.starts[::n])

    def with_all_learned(self) -> Rows:
        """The same rows where nothing is held back."""
        return replace(self, counts=self.counts.sum(axis=0) * [[1], [0]])


@dataclass(frozen=True)
class Block:
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

    @property
    def ratings(self) -> slice:
        """Those learned from and those held back."""
        return slice(self.learned.start, self.held_back.stop)


@dataclass(frozen=True, eq=False)
class UnratedPairs:
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


@dataclass(frozen=True, eq=False)
class BlockPlan:
    """Ratings sorted into blocks.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), uint16 or uint32
        Rows within the block's groups.
    columns : mapping of str to ndarray of shape (n_ratings,)
        What is known of each rating, in the same order: "value", float32, unless the plan is of
        interactions; and the columns that `plan_blocks` was given beside it.
    bounds : ndarray of shape (n_batches * n_groups, n_groups, 3), int64
        The block of user group g and item group h holds the ratings from `bounds[g, h, 0]` up to
        `bounds[g, h, 2]`; those from `bounds[g, h, 1]` on are held back. The groups of a batch of
        users follow each other.
    users, items : Rows
    unrated : UnratedPairs, optional
        What users have dealt with without rating it; SVD++ and Bayesian SVD++ learn from it.
    user_features, item_features : ndarray of shape (n, n_features), float32, optional
        What is known of users and items besides, in the old numbering.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    columns: Mapping[str, np.ndarray]
    bounds: np.ndarray
    users: Rows
    items: Rows
    unrated: UnratedPairs | None = None
    user_features: np.ndarray | None = None
    item_features: np.ndarray | None = None

    @property
    def values(self) -> np.ndarray:
        """The ratings; a `KeyError` where there are only interactions."""
        return self.columns[VALUE]

    def fingerprint(self) -> str:
        """Checksum of all that can be learned from."""
        unrated = self.unrated
        pairs = (None,) if unrated is None else (unrated.user_index, unrated.item_index)
        sides = (self.users, self.items)
        return fingerprint(
            self.user_index,
            self.item_index,
            self.bounds,
            *(self.columns[name] for name in sorted(self.columns)),
            *(array for rows in sides for array in (rows.order, rows.starts, rows.counts)),
            *pairs,
            self.user_features,
            self.item_features,
        )

    def with_values(self, values: np.ndarray) -> BlockPlan:
        """The same with other ratings of the same pairs, in the plan's order."""
        return replace(self, columns={**self.columns, VALUE: values})

    @property
    def n_groups(self) -> int:
        """B: groups of items, and of the users of a batch."""
        return self.bounds.shape[1]

    @property
    def n_batches(self) -> int:
        """Batches of users."""
        return self.bounds.shape[0] // self.n_groups

    @property
    def n_held_back(self) -> int:
        """Ratings that are not learned from."""
        return int((self.bounds[..., 2] - self.bounds[..., 1]).sum())

    @property
    def n_learned(self) -> int:
        """Ratings to learn from."""
        return len(self.user_index) - self.n_held_back

    @property
    def blocks(self) -> list[Block]:
        """All of them."""
        strata = product(range(self.n_batches), range(self.n_groups))
        return [block for batch, shift in strata for block in self.stratum(shift, batch)]

    def of_learned(
        self, function: Callable[[np.ndarray], Result], n_threads: int = 1
    ) -> list[Result]:
        """Call a function with the values to learn from of each block that has some.

        Parameters
        ----------
        function : callable
        n_threads : int
            Does not change the results.

        Returns
        -------
        list
            In the order of `blocks`.
        """
        parts = (self.values[block.learned] for block in self.blocks)
        n_threads = 1 if self.n_learned <= PIECE else n_threads
        return list(in_order(function, (part for part in parts if part.size), n_threads))

    def n_learned_of(self, shift: int) -> int:
        """Ratings to learn from of a stratum of the first batch."""
        return sum(block.learned.stop - block.learned.start for block in self.stratum(shift))

    def stratum(self, shift: int, batch: int = 0) -> list[Block]:
        """The blocks (g, (g + shift) mod B) of a batch: no user and no item is in two of them."""
        n_groups = self.n_groups
        return [self.block(batch * n_groups + g, (g + shift) % n_groups) for g in range(n_groups)]

    def block(self, g: int, h: int) -> Block:
        """The block of user group g and item group h."""
        begin, middle, end = map(int, self.bounds[g, h])
        users, items = self.users.group(g), self.items.group(h)
        return Block(users, items, slice(begin, middle), slice(middle, end))

    def groups(self, batch: int) -> range:
        """The groups of users of a batch."""
        return range(batch * self.n_groups, (batch + 1) * self.n_groups)

    def pairs(self, g: int, h: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pairs of users of group g and items of group h that are learned from, in parts.

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

    def old_rows(
        self, index: tuple[np.ndarray, np.ndarray], bounds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Users and items of sorted pairs in the old numbering.

        Parameters
        ----------
        index : (user_index, item_index), ndarray of shape (n,), uint16 or uint32
            Rows within the block's groups.
        bounds : ndarray of shape (n_batches * n_groups, n_groups, 2), int64
            Where each block's pairs begin and end.

        Returns
        -------
        (user_index, item_index) : ndarray of shape (n,), int32
        """
        old = tuple(np.empty(len(rows), dtype=np.int32) for rows in index)
        for g, h in np.ndindex(*bounds.shape[:2]):
            part = slice(*bounds[g, h].tolist())
            sides = ((self.users, g), (self.items, h))
            for out, rows, (side, group) in zip(old, index, sides, strict=True):
                out[part] = side.order[side.group(group)][rows[part]]
        return old[0], old[1]

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
        block = groups[0].astype(np.int64) * self.n_groups + groups[1]
        counts = np.bincount(block, minlength=len(self.bounds) * self.n_groups)
        counts = counts.reshape(self.bounds.shape[:2])
        ends = np.cumsum(counts).reshape(counts.shape)
        unrated = UnratedPairs(
            rows[0][user_index][order],
            rows[1][item_index][order],
            np.stack([ends - counts, ends], axis=-1),
        )
        return replace(self, unrated=unrated)

    def with_all_learned(self, n_threads: int = 1) -> BlockPlan:
        """A plan that holds nothing back, as if it had been made so.

        It takes over the arrays of this one, which is of no use any more.
        """
        form = RecordForm.of(
            self.users.largest_group, self.items.largest_group, len(self.user_index)
        )
        words = words_of(self.columns)

        def sort(block: Block) -> None:
            part = block.ratings
            users, items = self.user_index[part], self.item_index[part]
            records = form.empty(len(users))
            if len(words) or not self.columns:
                pack_records(users, items, words[part], form.item_bits, records)
                unpack(form, records, users, items, words[part])
            else:
                order = np.empty(len(users), form.word)
                pack_records(users, items, NO_WORDS, form.item_bits, records)
                unpack(form, records, users, items, order)
                for column in self.columns.values():
                    column[part] = column[part][order]

        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(sort, self.blocks))
        bounds = self.bounds.copy()
        bounds[..., 1] = bounds[..., 2]
        users, items = self.users.with_all_learned(), self.items.with_all_learned()
        return replace(self, bounds=bounds, users=users, items=items)

    def arranged(self, parameters: Parameters) -> Parameters:
        """A copy of parameters in the new numbering, rows padded as the kernel wants them."""
        orders = (self.users.order, self.items.order)
        given = (parameters.user_factors, parameters.item_factors)
        rows = [
            _rows_at(order, factors, padded_rows(*factors.shape))
            for order, factors in zip(orders, given, strict=True)
        ]
        biases = (parameters.user_biases[orders[0]], parameters.item_biases[orders[1]])
        return Parameters(parameters.global_mean, *biases, *rows)

    def restored(self, parameters: Parameters, n_factors: int) -> Parameters:
        """The opposite of `arranged`."""
        places = (_inverse(self.users.order), _inverse(self.items.order))
        given = (parameters.user_factors, parameters.item_factors)
        rows = [
            _rows_at(order, factors, np.empty((len(order), n_factors), np.float32))
            for order, factors in zip(places, given, strict=True)
        ]
        biases = (parameters.user_biases[places[0]], parameters.item_biases[places[1]])
        return Parameters(parameters.global_mean, *biases, *rows)


def _rows_at(order: np.ndarray, factors: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Write the leading columns of `factors[order]` into those of `out`; the narrower decides."""
    n_factors = min(out.shape[1], factors.shape[1])

    def copy(piece: slice) -> None:
        out[piece, :n_factors] = factors[order[piece], :n_factors]

    in_pieces(copy, len(order), max(1, NUMBERS_PER_PIECE // n_factors))
    return out


def groups_of(rows: Rows) -> np.ndarray:
    """The group of each old row, uint16."""
    sizes = np.diff(rows.starts)
    return np.repeat(np.arange(len(sizes), dtype=np.uint16), sizes)[_inverse(rows.order)]


def rows_in_groups(*sides: Rows) -> tuple[np.ndarray, ...]:
    """The place of each old row in its group.

    16 bits are enough for most data, and half as many to move.
    """
    kind = np.uint16 if max(rows.largest_group for rows in sides) <= 1 << 16 else np.uint32
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
