"""Making a block plan: dealing users and items to groups, and sorting ratings into blocks."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np

from funksvd.kernels import count_blocks, count_rows, fill_records
from funksvd.parallel import take
from funksvd.training.block_order import RecordForm, unpack, words_of
from funksvd.training.plan import VALUE, BlockPlan, Rows, Triples, groups_of, rows_in_groups

RATINGS_PER_BLOCK = 5_000
GROUPS = {20_000_000: 4, 200_000_000: 8, 500_000_000: 16, 1_000_000_000: 32}
"""Largest B, by the largest number of ratings; no more threads can work at the same time."""
MAX_GROUPS = 64
RATINGS_PER_PIECE = 100_000
"""Fewer are not worth a thread of their own."""


def choose_n_groups(
    n_users: int,
    n_items: int,
    n_ratings: int,
    n_batches: int = 1,
    n_item_batches: int = 1,
    *,
    given: int | None = None,
) -> int:
    """B for data of this shape: few, large blocks, but several where there is work to share.

    Where it is given, it is that, but at most one for each user and item.
    """
    if given is not None:
        return max(1, min(given, n_users, n_items))
    wanted = int(np.sqrt(n_ratings / n_batches / RATINGS_PER_BLOCK))
    most = next((groups for limit, groups in GROUPS.items() if n_ratings < limit), MAX_GROUPS)
    return max(1, min(wanted, most, n_users // n_batches, n_items // n_item_batches))


def plan_blocks(
    triples: Triples,
    shape: tuple[int, int],
    *,
    further: Mapping[str, np.ndarray] | None = None,
    held_back: np.ndarray | None = None,
    n_groups: int | None = None,
    n_batches: int = 1,
    n_item_batches: int = 1,
    n_threads: int = 1,
) -> BlockPlan:
    """Sort ratings into blocks, and within a block by user, then item; four users in turn.

    Parameters
    ----------
    triples : Triples
        No pair repeats.
    shape : (n_users, n_items)
    further : mapping of str to ndarray of shape (n_ratings,), optional
        Columns beside the values, such as weights or times: the plan's `columns` have them in its
        order.
    held_back : ndarray of shape (n_ratings,), bool, optional
        Ratings not to be learned from at first: they come at the end of their block.
    n_groups : int, optional
        B; `choose_n_groups` decides where it is not given.
    n_batches : int
        Of users, but at most one for each; no more than 65,536 groups of users in all.
    n_item_batches : int
        Batches of items, at most one for each, that `exchanged` is to make of this plan.
    n_threads : int
        Does not change the result.

    Returns
    -------
    BlockPlan
        The same for the same ratings in any order.
    """
    user_index, item_index, values = triples
    given = dict(further or {}) if values is None else {VALUE: values, **(further or {})}
    n = len(user_index)
    n_batches, n_item_batches = min(n_batches, shape[0]), min(n_item_batches, shape[1])
    n_groups = n_groups or choose_n_groups(*shape, n, n_batches, n_item_batches)
    if held_back is None:
        held_back = np.empty(0, dtype=bool)
    pieces = _pieces(n, n_threads)
    with ThreadPoolExecutor(n_threads) as pool:

        def dealt(index: np.ndarray, n_rows: int, n_groups: int) -> Rows:
            def count(piece: slice) -> np.ndarray:
                counts = np.zeros((2, n_rows), dtype=np.int64)
                count_rows(index[piece], held_back[piece], counts)
                return counts

            return dealt_by_counts(np.sum(list(pool.map(count, pieces)), axis=0), n_groups)

        users = dealt(user_index, shape[0], n_batches * n_groups)
        items = dealt(item_index, shape[1], n_item_batches * n_groups).joined(n_item_batches)
    return _in_blocks((user_index, item_index), given, held_back, (users, items), n_threads)


def exchanged(plan: BlockPlan, n_batches: int, n_threads: int = 1) -> BlockPlan:
    """The same ratings with items in batches, as users, and users as items; rows keep numbers.

    Parameters
    ----------
    plan : BlockPlan
        Made with `n_batches` batches of items in mind.
    n_batches : int
        Of items, but at most one for each.
    n_threads : int
        Does not change the result.
    """
    n_items, n_groups = len(plan.items.order), plan.n_groups
    _, starts = _groups_dealt(n_items, min(n_batches, n_items) * n_groups)
    sides = (replace(plan.items, starts=starts), plan.users.joined(plan.n_batches))
    held_back = np.zeros(len(plan.values), dtype=bool)
    for block in plan.blocks:
        held_back[block.held_back] = True
    index = plan.old_rows((plan.user_index, plan.item_index), plan.bounds[..., [0, -1]])
    turned = _in_blocks(index[::-1], {VALUE: plan.values}, held_back, sides, n_threads)
    if (unrated := plan.unrated) is None:
        return turned
    pairs = plan.old_rows((unrated.user_index, unrated.item_index), unrated.bounds)
    return turned.with_unrated(*pairs[::-1])


def _in_blocks(
    index: tuple[np.ndarray, np.ndarray],
    given: Mapping[str, np.ndarray],
    held_back: np.ndarray,
    sides: tuple[Rows, Rows],
    n_threads: int,
) -> BlockPlan:
    """Sort ratings, by users and items in the old numbering, into the blocks of dealt rows."""
    user_index, item_index = index
    users, items = sides
    n = len(user_index)
    shape = tuple(len(rows.starts) - 1 for rows in sides)
    pieces = _pieces(n, n_threads)
    groups, rows = (groups_of(users), groups_of(items)), rows_in_groups(users, items)
    with ThreadPoolExecutor(n_threads) as pool:

        def count(piece: slice) -> np.ndarray:
            counts = np.zeros((*shape, 2), dtype=np.int64)
            count_blocks(user_index[piece], item_index[piece], held_back[piece], *groups, counts)
            return counts

        counts = np.stack(list(pool.map(count, pieces)))
        ends = np.cumsum(counts.sum(axis=0)).reshape(counts.shape[1:])
        begins = ends - counts.sum(axis=0)
        bounds = np.concatenate([begins, ends[..., 1:]], axis=-1)

        form = RecordForm.of(users.largest_group, items.largest_group, n)
        records, words = form.empty(n), words_of(given)

        def fill(piece: slice, places: np.ndarray) -> None:
            part = (user_index[piece], item_index[piece], words[piece], held_back[piece])
            fill_records(*part, groups, rows, form.item_bits, piece.start, places, records)

        list(pool.map(fill, pieces, begins + np.cumsum(counts, axis=0) - counts))
        user_rows, item_rows = (np.empty(n, dtype=index.dtype) for index in rows)
        columns = {name: np.empty(n, column.dtype) for name, column in given.items()}
        moved = words_of(columns)
        order = np.empty(0 if len(moved) or not columns else n, form.word)

        def sort(part: slice) -> None:
            into = moved[part] if len(moved) else order[part]
            unpack(form, records[part], user_rows[part], item_rows[part], into)

        for group in reversed(bounds):
            parts = [slice(*edge) for block in group for edge in pairwise(block.tolist())]
            list(pool.map(sort, parts))
            # what lies behind is done with: give its memory back before more is written
            records.resize((int(group[0, 0]), 2), refcheck=False)
    if len(order):
        for name, column in given.items():
            take(column, order, out=columns[name])
    return BlockPlan(user_rows, item_rows, columns, bounds, users, items)


def _pieces(n: int, n_threads: int) -> list[slice]:
    """Ratings in pieces, one for each thread that is worth its start."""
    n_pieces = max(1, min(n_threads, n // RATINGS_PER_PIECE))
    edges = [n * piece // n_pieces for piece in range(n_pieces + 1)]
    return [slice(*edge) for edge in pairwise(edges)]


def dealt_by_counts(counts: np.ndarray, n_groups: int) -> Rows:
    """Rows dealt to groups, the busiest first; the groups are nearly equal in rows and ratings.

    Parameters
    ----------
    counts : ndarray of shape (2, n_rows), int64
        Of each row: ratings to learn from, and ratings held back.
    n_groups : int
    """
    busiest_first = np.argsort(-counts.sum(axis=0), kind="stable")
    group, starts = _groups_dealt(len(busiest_first), n_groups)
    return Rows(busiest_first[np.argsort(group, kind="stable")], starts, counts)


def _groups_dealt(n_rows: int, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The group that each row is dealt to, to and fro (0 1 2 2 1 0 0 1 …), and where groups start.

    Returns
    -------
    groups : ndarray of shape (n_rows,), int64
    starts : ndarray of shape (n_groups + 1,), int64
    """
    lap, seat = np.divmod(np.arange(n_rows), n_groups)
    groups = np.where(lap % 2 == 0, seat, n_groups - 1 - seat)
    return groups, np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n_groups))])
