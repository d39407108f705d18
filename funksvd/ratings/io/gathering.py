"""A source's columns put together from parts, which are made by several threads."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from funksvd.ratings.io.badrows import N_KEPT
from funksvd.ratings.io.coded import Coded, GrowingCoded
from funksvd.ratings.io.growing import Growing

NUMBERS = {"rating": np.float32, "timestamp": np.int64}
"""Roles whose columns are numbers; those of the others are ids."""


class Part(NamedTuple):
    """Columns of some or all of a source's rows.

    Parameters
    ----------
    n_rows : int
        Bad ones included.
    ids : dict of str to Coded
        By role; of the good rows, as the numbers.
    numbers : dict of str to ndarray
        "rating" as float32, "timestamp" as int64.
    bad_rows : ndarray of shape (n_bad,), int64
        Ascending.
    first_bad : list of tuple
        The first few of them, each with what is wrong there, whatever that is.
    """

    n_rows: int
    ids: dict[str, Coded]
    numbers: dict[str, np.ndarray]
    bad_rows: np.ndarray
    first_bad: list[tuple[int, Any]]


def gathered(parts: Iterable[Part], roles: Collection[str], n_parts: float = 1) -> Part:
    """The parts, one after the other, as a whole; `n_parts` is about how many of them there are."""
    parts = iter(parts)
    first = next(parts, None)
    room = int(1.05 * n_parts * first.n_rows) if first else 0
    ids = {role: GrowingCoded(room) for role in roles if role not in NUMBERS}
    numbers = {role: Growing(NUMBERS[role], room) for role in roles if role in NUMBERS}
    n_rows = 0
    bad_rows: list[np.ndarray] = [np.empty(0, np.int64)]
    first_bad: list[tuple[int, Any]] = []
    for part in chain([first] if first else [], parts):
        for role, column in part.ids.items():
            ids[role].extend(column)
        for role, column in part.numbers.items():
            numbers[role].extend(column)
        if len(part.bad_rows):
            bad_rows.append(part.bad_rows + n_rows)
            first_bad += [(row + n_rows, what) for row, what in part.first_bad]
            del first_bad[N_KEPT:]
        n_rows += part.n_rows
    return Part(
        n_rows,
        {role: growing.finished() for role, growing in ids.items()},
        {role: growing.array for role, growing in numbers.items()},
        np.concatenate(bad_rows),
        first_bad,
    )
