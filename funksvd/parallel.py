"""Work on long arrays by several threads; no result depends on how many there are."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

Argument = TypeVar("Argument")
Result = TypeVar("Result")

PIECE = 1 << 18
"""Rows that one thread works on at a time: few enough to stay in a processor's cache."""


def available_processors() -> int:
    """Number of processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    function: Callable[[Argument], Result], arguments: Iterable[Argument], n_threads: int
) -> Iterator[Result]:
    """Like `map`, with threads; of the arguments, only a few more than threads are held at once."""
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(n_threads)
    try:
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            del argument
            if len(waiting) > n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def take(table: np.ndarray, index: np.ndarray, out: np.ndarray) -> np.ndarray:
    """`table[index]`, written into `out`, which may be `index` itself.

    Parameters
    ----------
    table : ndarray of shape (n_values,)
    index : ndarray of shape (n,), int32
        Not negative.
    out : ndarray of shape (n,)
        Of the same type as `table`.
    """

    def take_piece(piece: slice) -> None:
        # "clip" writes into `out` directly; it comes to nothing, since no index is out of range
        np.take(table, index[piece], out=out[piece], mode="clip")

    in_pieces(take_piece, len(index))
    return out


def occurring(index: np.ndarray, n_values: int) -> np.ndarray:
    """The values from 0 up to `n_values` that occur in an array, ascending.

    Returns
    -------
    ndarray of shape (n_distinct,), int64
    """
    found = np.zeros(n_values, bool)

    def mark(piece: slice) -> None:
        if not found.all():
            found[index[piece]] = True

    in_pieces(mark, len(index))
    return np.flatnonzero(found)


def count_values(index: np.ndarray, n_values: int) -> np.ndarray:
    """How often each of the values from 0 up to `n_values` occurs; without a copy of the array.

    Returns
    -------
    ndarray of shape (n_values,), int32
    """
    counts = np.zeros(n_values, np.int32)
    step = max(PIECE, n_values)
    for start in range(0, len(index), step):
        counts += np.bincount(index[start : start + step], minlength=n_values).astype(np.int32)
    return counts


def all_finite(values: np.ndarray) -> bool:
    """Whether a C-contiguous array of floats holds neither NaN nor infinity; without a copy."""
    flat, found = values.reshape(-1), []

    def look(piece: slice) -> None:
        found.append(bool(np.isfinite(flat[piece]).all()))

    in_pieces(look, len(flat))
    return all(found)


def chosen(columns: Iterable[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    """`column[rows]` of each column.

    Parameters
    ----------
    columns : iterable of ndarray of shape (n,)
    rows : ndarray of shape (n,), bool, or of int
    """
    columns = list(columns)
    if len(columns) * len(rows) <= PIECE:
        return [column[rows] for column in columns]
    by_mask = rows.dtype == bool
    bounds = np.arange(0, len(rows) + PIECE, PIECE).clip(max=len(rows))
    if by_mask:
        sizes = [np.count_nonzero(rows[slice(*edge)]) for edge in pairwise(bounds)]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
    found = [np.empty(bounds[-1], column.dtype) for column in columns]

    def choose(piece: slice) -> None:
        at = piece.start // PIECE
        into = slice(bounds[at], bounds[at + 1])
        index = np.flatnonzero(rows[piece]) if by_mask else rows[piece]
        for column, out in zip(columns, found, strict=True):
            out[into] = (column[piece] if by_mask else column).take(index)

    in_pieces(choose, len(rows))
    return found


def extremes(values: np.ndarray, rows: np.ndarray | None = None) -> tuple[float, float]:
    """Smallest and largest of some values.

    Parameters
    ----------
    values : ndarray of shape (n,)
        At least one is asked for.
    rows : ndarray of shape (n,), bool, optional
        Those that are asked for; by default all.
    """
    lowest, highest = [], []

    def find(piece: slice) -> None:
        part = values[piece] if rows is None else values[piece][rows[piece]]
        if part.size:
            lowest.append(float(part.min()))
            highest.append(float(part.max()))

    in_pieces(find, len(values))
    return min(lowest), max(highest)


def in_pieces(function: Callable[[slice], None], n: int, piece: int | None = None) -> None:
    """Call a function, which lets go of the interpreter's lock, for slices of `range(n)`.

    Parameters
    ----------
    function : callable
    n : int
    piece : int, optional
        Length of a slice; by default `PIECE`.
    """
    piece = piece or PIECE
    pieces = [slice(start, start + piece) for start in range(0, n, piece)]
    if len(pieces) < 2:
        for only in pieces:
            function(only)
        return
    with ThreadPoolExecutor(min(available_processors(), len(pieces))) as pool:
        list(pool.map(function, pieces))
