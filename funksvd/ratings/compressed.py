"""`CompressedRows`: the columns of each row, such as the items of each user.

Numba is loaded by the methods that need a kernel, not by importing the class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funksvd.parallel import PIECE, in_order, occurring, take
from funksvd.sorting import stable_order


class CompressedRows(NamedTuple):
    """Pairs (row, column), and perhaps a value each, in compressed sparse row form.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
    columns : ndarray of shape (n_pairs,), int32
        Row r has `columns[indptr[r]:indptr[r + 1]]`, ascending.
    values : ndarray of shape (n_pairs,), optional
    """

    indptr: np.ndarray
    columns: np.ndarray
    values: np.ndarray | None = None

    @classmethod
    def from_pairs(
        cls,
        row_index: np.ndarray,
        column_index: np.ndarray,
        n_rows: int,
        values: np.ndarray | None = None,
        n_threads: int = 1,
        left_out: np.ndarray | None = None,
    ) -> CompressedRows:
        """From pairs in any order.

        Parameters
        ----------
        row_index, column_index : ndarray of shape (n,), int32
            A pair with a -1 is left out. Equal pairs keep their order.
        n_rows : int
        values : ndarray of shape (n,), optional
            Sorting is quickest without, or with uint8.
        n_threads : int
            Does not change the result.
        left_out : ndarray of shape (n,), bool, optional
            Further pairs that are left out.
        """
        if min(row_index.min(initial=0), column_index.min(initial=0)) < 0:
            known = (row_index >= 0) & (column_index >= 0)
            left_out = None if left_out is None else left_out[known]
            row_index, column_index = row_index[known], column_index[known]
            values = None if values is None else values[known]
        more = () if left_out is None else (left_out,)
        if values is None:
            from funksvd.kernels import group_by_row

            return cls(*group_by_row(row_index, column_index, n_rows, n_threads, *more))
        if values.dtype == np.uint8:
            from funksvd.kernels import group_with_levels

            return cls(
                *group_with_levels(row_index, column_index, values, n_rows, n_threads, *more)
            )
        if left_out is not None:
            kept = ~left_out
            row_index, column_index, values = row_index[kept], column_index[kept], values[kept]
        order = stable_order(row_index, column_index)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row_index, minlength=n_rows))])
        return cls(indptr, column_index[order].astype(np.int32), values[order])

    @property
    def n_rows(self) -> int:
        return len(self.indptr) - 1

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of each pair, row by row."""
        return np.repeat(np.arange(self.n_rows, dtype=np.int32), np.diff(self.indptr)), self.columns

    def rows_of(self, part: slice) -> np.ndarray:
        """The row of each of some pairs that follow each other: ndarray, int32."""
        first = int(np.searchsorted(self.indptr, part.start, side="right")) - 1
        last = int(np.searchsorted(self.indptr, part.stop))
        counts = np.diff(self.indptr[first : last + 1].clip(part.start, part.stop))
        return np.repeat(np.arange(first, last, dtype=np.int32), counts)

    def without_empty(self, n_columns: int) -> tuple[CompressedRows, np.ndarray, np.ndarray]:
        """The same without rows and columns that have no pair.

        Parameters
        ----------
        n_columns : int
            Number of columns now.

        Returns
        -------
        pairs : CompressedRows
            In the new numbering.
        rows, columns : ndarray of shape (n_rows,) and (n_columns,), int64
            The old numbers of those that are left, ascending.
        """
        rows = np.flatnonzero(np.diff(self.indptr))
        columns = occurring(self.columns, n_columns)
        renumbered = self.columns
        if len(columns) < n_columns:
            new_number = np.zeros(n_columns, np.int32)
            new_number[columns] = np.arange(len(columns), dtype=np.int32)
            renumbered = take(new_number, self.columns, out=np.empty_like(self.columns))
        indptr = np.append(self.indptr[rows], self.indptr[-1])
        return CompressedRows(indptr, renumbered, self.values), rows, columns

    def spread_out(self, what: str, places: np.ndarray, n: int) -> CompressedRows:
        """The same among more users or items.

        Parameters
        ----------
        what : {"user", "item"}
            Whether rows or columns move.
        places : ndarray of shape (n_rows,) or (n_columns,), int32
            New number of each old one, ascending.
        n : int
            Number of rows, or of columns, then.
        """
        if what == "item":
            return self._replace(columns=places.astype(np.int32)[self.columns])
        counts = np.zeros(n, np.int64)
        counts[places] = np.diff(self.indptr)
        return self._replace(indptr=np.concatenate([[0], np.cumsum(counts)]))

    def contains(
        self, row_index: np.ndarray, column_index: np.ndarray, n_threads: int = 1
    ) -> np.ndarray:
        """Which pairs are in it; a pair with a -1 is not.

        Parameters
        ----------
        row_index, column_index : ndarray of shape (n,), int32
        n_threads : int
            Does not change the result.

        Returns
        -------
        ndarray of shape (n,), bool
        """
        found = np.empty(len(row_index), dtype=bool)

        def note(part: slice, places: np.ndarray) -> None:
            found[part] = places >= 0

        self._find(row_index, column_index, n_threads, note)
        return found

    def places(
        self, row_index: np.ndarray, column_index: np.ndarray, n_threads: int = 1
    ) -> np.ndarray:
        """Where pairs are; otherwise as `contains`.

        Returns
        -------
        ndarray of shape (n,), int64
            Positions in `columns`, -1 for a pair that is not there.
        """
        found = np.empty(len(row_index), dtype=np.int64)

        def note(part: slice, places: np.ndarray) -> None:
            found[part] = places

        self._find(row_index, column_index, n_threads, note)
        return found

    def _find(
        self,
        row_index: np.ndarray,
        column_index: np.ndarray,
        n_threads: int,
        use: Callable[[slice, np.ndarray], None],
    ) -> None:
        """Call `use` with each piece of the pairs, and their positions, -1 for none."""
        from funksvd.kernels import find_pairs

        def find(start: int) -> None:
            part = slice(start, start + PIECE)
            places = np.empty(len(row_index[part]), dtype=np.int64)
            find_pairs(row_index[part], column_index[part], self.indptr, self.columns, places)
            use(part, places)

        starts = range(0, len(row_index), PIECE)
        if len(starts) == 1:
            find(0)
        else:
            list(in_order(find, starts, n_threads))
