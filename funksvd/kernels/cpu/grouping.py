"""Pairs (row, column) sorted: the columns of each row, ascending."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import types
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled

TASKS_PER_THREAD = 8
FEW = 24
"""Columns of a row up to which they are sorted by insertion."""
NONE = np.empty(0, dtype=bool)
NO_LEVELS = np.empty(0, dtype=np.uint8)


def group_by_row(
    rows: np.ndarray,
    columns: np.ndarray,
    n_rows: int,
    n_threads: int = 1,
    left_out: np.ndarray = NONE,
) -> tuple[np.ndarray, np.ndarray]:
    """Group pairs by row, in compressed sparse row form.

    A counting sort: pairs are counted and then dealt out, each thread its part of them.

    Parameters
    ----------
    rows, columns : ndarray of shape (n,), int32
        Not negative. Pairs may repeat.
    n_rows : int
    n_threads : int
        Does not change the result.
    left_out : ndarray of shape (n,), bool, optional
        Pairs that are passed over.

    Returns
    -------
    indptr : ndarray of shape (n_rows + 1,), int64
    columns : ndarray of shape (n_grouped,), int32
        Row r's are `columns[indptr[r]:indptr[r + 1]]`, ascending.

    Raises
    ------
    ValueError
        If a row or a column is negative, or a row is not less than `n_rows`.
    """
    return group_with_levels(rows, columns, NO_LEVELS, n_rows, n_threads, left_out)[:2]


def group_with_levels(
    rows: np.ndarray,
    columns: np.ndarray,
    levels: np.ndarray,
    n_rows: int,
    n_threads: int = 1,
    left_out: np.ndarray = NONE,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group pairs that have a small number each; otherwise as `group_by_row`.

    Parameters
    ----------
    levels : ndarray of shape (n,), uint8
        Of a pair that repeats, the last one counts for all. Without any, they stay away.

    Returns
    -------
    indptr, columns : ndarray
    levels : ndarray of shape (n_grouped,), uint8
        In the order of the columns.
    """
    n = len(rows)
    # Each part counts for itself; a few large parts, so that the counts stay a small share.
    n_parts = max(1, min(n_threads, n // (2 * n_rows + 1)))
    bounds = np.linspace(0, n, n_parts + 1).astype(np.int64)
    parts = [slice(start, stop) for start, stop in pairwise(bounds)]
    cursors = np.zeros((n_parts, n_rows), dtype=np.int64)
    indptr = np.zeros(n_rows + 1, dtype=np.int64)

    def count(part: slice, counts: np.ndarray) -> int:
        of_part = (rows[part], columns[part])
        if min(each.min(initial=0) for each in of_part) < 0 or of_part[0].max(initial=-1) >= n_rows:
            raise ValueError("rows and columns must be at least 0, rows less than n_rows")
        _count(of_part[0], left_out[part], counts)
        return int(of_part[1].max(initial=-1)) + 1

    def deal(part: slice, cursor: np.ndarray) -> None:
        of_part = (rows[part], columns[part], left_out[part], levels[part])
        _deal(*of_part, cursor, grouped, dealt)

    with ThreadPoolExecutor(n_threads) as pool:
        n_columns = max(pool.map(count, parts, cursors))
        np.cumsum(cursors.sum(axis=0), out=indptr[1:])
        grouped = np.empty(indptr[-1], dtype=np.int32)
        dealt = np.empty(len(grouped) if len(levels) else 0, dtype=np.uint8)
        start = indptr[:-1].copy()
        for counts in cursors:  # they become where each part puts its pairs
            start += counts
            np.subtract(start, counts, out=counts)
        list(pool.map(deal, parts, cursors))
        shared = (indptr, grouped, dealt, n_columns)
        _by_rows(pool, n_threads, indptr, lambda *span: _sort(*shared, *span))
    return indptr, grouped, dealt


def rows_with_repeats(indptr: np.ndarray, columns: np.ndarray, n_threads: int = 1) -> np.ndarray:
    """Rows that hold a column more than once.

    Parameters
    ----------
    indptr, columns : ndarray
        From `group_by_row`.
    n_threads : int

    Returns
    -------
    ndarray of shape (n_rows,), bool
    """
    found = np.zeros(len(indptr) - 1, dtype=np.bool_)
    with ThreadPoolExecutor(n_threads) as pool:
        _by_rows(
            pool, n_threads, indptr, lambda *span: _find_repeats(indptr, columns, found, *span)
        )
    return found


def _by_rows(
    pool: ThreadPoolExecutor, n_threads: int, indptr: np.ndarray, task: Callable[[int, int], None]
) -> None:
    """Call `task(first, last)` for spans of rows that hold about as many pairs each."""
    shares = np.linspace(0, indptr[-1], n_threads * TASKS_PER_THREAD + 1)[1:-1]
    bounds = np.unique([0, *np.searchsorted(indptr, shares), len(indptr) - 1])
    list(pool.map(task, bounds[:-1], bounds[1:]))


@compiled
def _count(rows, left_out, counts):
    for at in range(rows.size):
        if not (left_out.size and left_out[at]):
            counts[rows[at]] += 1


@compiled
def _deal(rows, columns, left_out, levels, cursors, grouped, dealt):
    for at in range(rows.size):
        if left_out.size and left_out[at]:
            continue
        r = rows[at]
        grouped[cursors[r]] = columns[at]
        if levels.size:
            dealt[cursors[r]] = levels[at]
        cursors[r] += 1


@intrinsic
def n_trailing_zeros(context, word):
    """Position of the lowest bit of a word that is not zero."""

    def generate(target, builder, signature, arguments):
        return builder.cttz(arguments[0], target.get_constant(types.boolean, True))

    return types.uint64(types.uint64), generate


@compiled
def _is_ascending(columns):
    for at in range(1, columns.size):  # noqa: SIM110 (compiled)
        if columns[at] < columns[at - 1]:
            return False
    return True


@compiled
def _sort_by_insertion(columns):
    for at in range(1, columns.size):
        column = columns[at]
        to = at
        while to > 0 and columns[to - 1] > column:
            columns[to] = columns[to - 1]
            to -= 1
        columns[to] = column


@compiled
def _sort_by_bits(columns, bits):
    """Sort columns, unless one repeats: then they stay as they are. Bits are left zero."""
    n_set = 0
    for c in columns:
        word = c >> 6
        bit = np.uint64(1) << np.uint64(c & 63)
        if bits[word] & bit:
            break
        bits[word] |= bit
        n_set += 1
    if n_set < columns.size:
        for c in columns[:n_set]:
            bits[c >> 6] = np.uint64(0)
        return False
    at = 0
    for word in range(bits.size):
        rest = bits[word]
        bits[word] = np.uint64(0)
        while rest:
            columns[at] = (word << 6) + n_trailing_zeros(rest)
            rest &= rest - np.uint64(1)
            at += 1
    return True


@compiled
def _sort_columns(columns, bits):
    if columns.size <= FEW:
        _sort_by_insertion(columns)
    elif not _is_ascending(columns) and (
        columns.size < bits.size >> 3 or not _sort_by_bits(columns, bits)
    ):
        columns.sort()


@compiled
def _sort(indptr, grouped, levels, n_columns, first, last):
    """Sort the columns of each row: few by insertion, many by setting bits and reading them off."""
    bits = np.zeros((n_columns + 63) >> 6, dtype=np.uint64)
    level_of = np.empty(n_columns if levels.size else 0, dtype=np.uint8)
    for r in range(first, last):
        columns = grouped[indptr[r] : indptr[r + 1]]
        if levels.size:
            for at in range(columns.size):
                level_of[columns[at]] = levels[indptr[r] + at]
        _sort_columns(columns, bits)
        if levels.size:
            for at in range(columns.size):
                levels[indptr[r] + at] = level_of[columns[at]]


@compiled
def _find_repeats(indptr, columns, found, first, last):
    for r in range(first, last):
        for at in range(indptr[r] + 1, indptr[r + 1]):
            if columns[at] == columns[at - 1]:
                found[r] = True
                break
