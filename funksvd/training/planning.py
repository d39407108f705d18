"""Making a block plan: dealing users and items to groups, and sorting ratings into blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from funksvd.kernels import count_blocks, count_rows, fill_blocks
from funksvd.training.plan import BlockPlan, Rows, Triples, groups_of, rows_in_groups

RATINGS_PER_BLOCK = 5_000
MANY_RATINGS = 20_000_000
FEW_GROUPS, MAX_GROUPS = 4, 8
"""Up to and from `MANY_RATINGS`; no more threads than this can work at the same time."""
RATINGS_PER_PIECE = 100_000
"""Fewer are not worth a thread of their own."""


def choose_n_groups(n_users: int, n_items: int, n_ratings: int, n_batches: int = 1) -> int:
    """B for data of this shape: few, large blocks, but several where there is work to share."""
    wanted = int(np.sqrt(n_ratings / n_batches / RATINGS_PER_BLOCK))
    most = FEW_GROUPS if n_ratings < MANY_RATINGS else MAX_GROUPS
    return max(1, min(wanted, most, n_users // n_batches, n_items))


def plan_blocks(
    triples: Triples,
    shape: tuple[int, int],
    *,
    held_back: np.ndarray | None = None,
    n_groups: int | None = None,
    n_batches: int = 1,
    n_threads: int = 1,
) -> BlockPlan:
    """Sort ratings into blocks, and within a block by user, then item; four users in turn.

    Parameters
    ----------
    triples : Triples
        No pair repeats.
    shape : (n_users, n_items)
    held_back : ndarray of shape (n_ratings,), bool, optional
        Ratings not to be learned from at first: they come at the end of their block.
    n_groups : int, optional
        B; `choose_n_groups` decides where it is not given.
    n_batches : int
        Of users, but at most one for each; no more than 256 groups of users in all.
    n_threads : int
        Does not change the result.

    Returns
    -------
    BlockPlan
        The same for the same ratings in any order.
    """
    n = len(triples.values)
    n_batches = min(n_batches, shape[0])
    n_groups = n_groups or choose_n_groups(*shape, n, n_batches)
    n_dealt = (n_batches * n_groups, n_groups)
    if held_back is None:
        held_back = np.empty(0, dtype=bool)
    n_pieces = max(1, min(n_threads, n // RATINGS_PER_PIECE))
    edges = [n * piece // n_pieces for piece in range(n_pieces + 1)]
    pieces = [slice(*edge) for edge in pairwise(edges)]
    with ThreadPoolExecutor(n_threads) as pool:

        def counted(
            kernel: Callable, counts_shape: tuple[int, ...], index: Sequence, *more: np.ndarray
        ) -> list[np.ndarray]:
            """What a kernel counts in each piece."""

            def count(piece: slice) -> np.ndarray:
                counts = np.zeros(counts_shape, dtype=np.int64)
                kernel(*(array[piece] for array in index), held_back[piece], *more, counts)
                return counts

            return list(pool.map(count, pieces))

        users, items = (
            _dealt(sum(counted(count_rows, (2, n_rows), [index])), n)
            for n_rows, index, n in zip(shape, triples[:2], n_dealt, strict=True)
        )
        groups = (groups_of(users), groups_of(items))
        rows = rows_in_groups(users, items)
        counts = counted(count_blocks, (*n_dealt, 2), triples[:2], *groups)
        ends = np.cumsum(sum(counts)).reshape(*n_dealt, 2)
        begins = ends - sum(counts)
        user_index, item_index = (np.empty(n, dtype=index.dtype) for index in rows)
        values = np.empty(n, dtype=np.float32)

        def fill(piece: slice, places: np.ndarray) -> None:
            part = (array[piece] for array in triples)
            into = (user_index, item_index, values)
            fill_blocks(*part, held_back[piece], groups, rows, places, *into)

        before = [begins + sum(counts[:at]) for at in range(n_pieces)]
        list(pool.map(fill, pieces, before))
        bounds = np.concatenate([begins, ends[..., 1:]], axis=-1)
        plan = BlockPlan(user_index, item_index, values, bounds, users, items)
        plan._sort(pool)
    return plan


def _dealt(counts: np.ndarray, n_groups: int) -> Rows:
    """Rows dealt to groups, the busiest first, to and fro (0 1 2 2 1 0 0 1 …).

    Leaves the groups nearly equal in rows and in ratings.
    """
    busiest_first = np.argsort(-counts.sum(axis=0), kind="stable")
    lap, seat = np.divmod(np.arange(len(busiest_first)), n_groups)
    group = np.where(lap % 2 == 0, seat, n_groups - 1 - seat)
    order = busiest_first[np.argsort(group, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=n_groups))])
    return Rows(order, starts, counts)
