"""Text of plain numbers, parsed by a kernel several times as fast as by Arrow's CSV reader.

The kernel refuses a text that is in any way unusual, and leaves it to the reader: what is read,
and what is said about bad rows, does not depend on which of the two has read it.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from funksvd.ratings.io.builders import MAX_PLAIN_ID, EncodedColumn
from funksvd.ratings.io.checks import BadField
from funksvd.ratings.io.chunks import NUMBERS, Chunk
from funksvd.ratings.io.layout import FRACTIONS, Layout

KERNEL_BYTES = 32 << 20
"""Length of a text, in bytes, from which on loading the compiler is worth its time."""
NUMBERS_HOLD = frozenset("0123456789.-")
PLACES = {"user": 0, "item": 1, "rating": 2, "timestamp": 3, "count": 2}
"""Each role's place among the columns that the kernel writes: counts are read as ratings are."""
IGNORED = 4
"""The place of columns that no role needs."""


class PlainRows:
    """Parser of rows of plain numbers.

    Parameters
    ----------
    layout : Layout
    integers : collection of str
        Roles whose fields are read as integers.
    """

    def __init__(self, layout: Layout, integers: Collection[str]) -> None:
        separator = layout.separator
        self.is_possible = (
            layout.decimal == "."
            and all(role in integers for role in layout.columns if role not in FRACTIONS)
            and separator.isascii()
            and NUMBERS_HOLD.isdisjoint(separator)
            and not set('\r\n"') & set(separator)
        )
        self._columns = layout.columns
        self._separator = np.frombuffer(separator.encode(), np.uint8)
        self._roles = np.full(layout.n_columns, IGNORED)
        for role, at in layout.columns.items():
            self._roles[at] = PLACES[role]

    def parse(self, text: bytes) -> Chunk[BadField] | None:
        """The rows of a text; None if one of them is unusual.

        Parameters
        ----------
        text : bytes
            Whole lines, the last of which ends in a newline.
        """
        from funksvd.kernels import parse_rows

        # A byte behind each column, and at least one of a number; and a row that is not complete.
        most = len(text) // (len(self._roles) + len(self._columns)) + 1
        users, items = np.empty((2, most), np.int32)
        ratings = np.empty(most, np.float32)
        timestamps = np.empty(most if "timestamp" in self._columns else 0, np.int64)
        n_rows = parse_rows(
            np.frombuffer(text, np.uint8),
            self._separator,
            self._roles,
            MAX_PLAIN_ID,
            users,
            items,
            ratings,
            timestamps,
        )
        if n_rows < 0:
            return None
        found: list[np.ndarray] = [users, items, ratings, timestamps]
        columns = {role: found[PLACES[role]][:n_rows] for role in self._columns}
        if "count" in columns and columns["count"].min(initial=1) <= 0:
            return None
        ids = columns.keys() - NUMBERS.keys()
        return Chunk(
            n_rows,
            {role: EncodedColumn(columns[role]) for role in ids},
            {role: columns[role] for role in columns.keys() - ids},
            np.empty(0, np.int64),
            [],
        )
