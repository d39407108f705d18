"""`Ratings`: the observed entries of the rating matrix, in coordinate (COO) form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from funksvd.errors import RatingsError
from funksvd.parallel import chosen, occurring, take
from funksvd.ratings import labels as label_arrays
from funksvd.ratings.duplicates import resolve_duplicates

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse

    from funksvd.ratings.io.report import ReadReport


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """Ratings as (user, item, value) triples, with the raw ids they came with.

    Build one with `read_ratings`, `Ratings.from_arrays` or `Ratings.from_scipy`; the bare
    constructor trusts its arguments.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), int32
        0-based rows of `user_ids` and `item_ids`.
    values : ndarray of shape (n_ratings,), float32
        In rating units (stars); finite.
    user_ids : ndarray of shape (n_users,), int64 or object (str)
        Raw ids, sorted, distinct.
    item_ids : ndarray of shape (n_items,), int64 or object (str)
    timestamps : ndarray of shape (n_ratings,), int64, optional
        Seconds since 1970, or whatever else the source counted in.
    report : ReadReport, optional
        Where the ratings came from, and what was noticed on the way.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray
    user_ids: np.ndarray
    item_ids: np.ndarray
    timestamps: np.ndarray | None = None
    report: ReadReport | None = field(default=None, repr=False)

    @classmethod
    def from_arrays(
        cls,
        users: Any,
        items: Any,
        values: Any,
        timestamps: Any = None,
        *,
        duplicates: str = "last",
    ) -> Ratings:
        """Ratings from three arrays of the same length.

        Parameters
        ----------
        users, items : array-like of shape (n_ratings,)
            Raw ids, integers or text.
        values : array-like of shape (n_ratings,)
            Ratings; any finite numbers.
        timestamps : array-like of shape (n_ratings,), optional
            Integers.
        duplicates : {"last", "first", "mean", "error"}
            What to keep of several ratings of one item by one user.

        Raises
        ------
        RatingsError
            If the lengths differ, an id is missing, or a value is not a finite number; the
            message names the position.

        Examples
        --------
        >>> ratings = Ratings.from_arrays(["ann", "bob", "ann"], [10, 10, 20], [4, 2, 5])
        >>> ratings.n_users, ratings.n_items, len(ratings)
        (2, 2, 3)
        """
        users = label_arrays.as_labels(users, "user ids")
        items = label_arrays.as_labels(items, "item ids")
        values = np.asarray(values)
        if not len(users) == len(items) == values.size or values.ndim != 1:
            raise RatingsError(
                f"users, items and values must have the same length, but have "
                f"{len(users):,}, {len(items):,} and {values.size:,}"
            )
        if values.dtype.kind not in "iuf":
            raise RatingsError(f"values are {values.dtype}; ratings must be numbers")
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise RatingsError(
                f"the rating at position {at} is {values[at]}; remove ratings that are not "
                "finite numbers first"
            )
        if timestamps is not None:
            timestamps = np.asarray(timestamps)
            if timestamps.shape != values.shape or timestamps.dtype.kind not in "iu":
                raise RatingsError(
                    f"timestamps must be {values.size:,} integers, but are of shape "
                    f"{timestamps.shape} and type {timestamps.dtype}"
                )
            timestamps = timestamps.astype(np.int64)
        user_ids, user_index = label_arrays.encode(users)
        item_ids, item_index = label_arrays.encode(items)
        ratings = cls(user_index, item_index, values, user_ids, item_ids, timestamps)
        return resolve_duplicates(ratings, duplicates)[0]

    @classmethod
    def from_scipy(cls, matrix: scipy.sparse.sparray | scipy.sparse.spmatrix) -> Ratings:
        """Ratings from a SciPy sparse matrix: its stored entries, explicit zeros included.

        Row numbers become user ids and column numbers item ids.

        Raises
        ------
        RatingsError
            If an entry is stored twice or is not a finite number.
        """
        coo = matrix.tocoo()
        return cls.from_arrays(
            coo.row.astype(np.int64), coo.col.astype(np.int64), coo.data, duplicates="error"
        )

    def __repr__(self) -> str:
        counts = f"{len(self):,} ratings, {self.n_users:,} users, {self.n_items:,} items"
        return f"<Ratings: {counts}>"

    def __len__(self) -> int:
        return self.values.size

    @property
    def n_ratings(self) -> int:
        return self.values.size

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    @property
    def source(self) -> str:
        """Where the ratings came from, for messages."""
        return self.report.source if self.report else "the ratings"

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal BLAKE2b digest of ids, pairs and values, in their order."""
        digest = hashlib.blake2b(digest_size=16)
        for ids in (self.user_ids, self.item_ids):
            integers = label_arrays.is_integer_ids(ids)
            digest.update(b"int64" if integers else b"text")
            digest.update(len(ids).to_bytes(8, "little"))
            digest.update(ids.tobytes() if integers else "\0".join(ids.tolist()).encode())
        for array in (self.user_index, self.item_index, self.values):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def subset(self, rows: np.ndarray) -> Ratings:
        """Some of the ratings, with the same ids and so the same indices.

        Parameters
        ----------
        rows : ndarray of bool of shape (n_ratings,), or of int
        """
        columns = {"user_index": self.user_index, "item_index": self.item_index}
        columns["values"] = self.values
        if self.timestamps is not None:
            columns["timestamps"] = self.timestamps
        return replace(self, **dict(zip(columns, chosen(columns.values(), rows), strict=True)))

    def compact(self) -> Ratings:
        """The same ratings without the ids that none of them uses."""
        user_ids, user_index = _drop_unused(self.user_ids, self.user_index)
        item_ids, item_index = _drop_unused(self.item_ids, self.item_index)
        return replace(
            self,
            user_ids=user_ids,
            user_index=user_index,
            item_ids=item_ids,
            item_index=item_index,
        )

    def index_for(self, user_ids: np.ndarray, item_ids: np.ndarray) -> tuple:
        """The ratings' rows in other id arrays, -1 where an id is missing there.

        Returns
        -------
        user_index, item_index : ndarray of shape (n_ratings,), int32
        """
        return (
            _translate(self.user_ids, self.user_index, user_ids),
            _translate(self.item_ids, self.item_index, item_ids),
        )

    def joined_with(self, other: Ratings, duplicates: str = "last") -> Ratings:
        """These ratings followed by another's, over the ids of both.

        Raises
        ------
        RatingsError
            If one has integer ids where the other has text.
        """
        ids = []
        for what, mine, its in (
            ("user", self.user_ids, other.user_ids),
            ("item", self.item_ids, other.item_ids),
        ):
            if mine is its:
                ids.append(mine)
                continue
            if label_arrays.is_integer_ids(mine) != label_arrays.is_integer_ids(its):
                integers, texts = (mine, its) if label_arrays.is_integer_ids(mine) else (its, mine)
                raise RatingsError(
                    f"{self.source} and {other.source} do not go together: the {what} ids of "
                    f"one are integers{_example(integers)} and those of the other are text"
                    f"{_example(texts)}"
                )
            ids.append(label_arrays.encode(np.concatenate([mine, its]))[0])
        parts = (self.index_for(*ids), other.index_for(*ids))
        stamped = self.timestamps is not None and other.timestamps is not None
        joined = replace(
            self,
            user_ids=ids[0],
            item_ids=ids[1],
            user_index=np.concatenate([part[0] for part in parts]),
            item_index=np.concatenate([part[1] for part in parts]),
            values=np.concatenate([self.values, other.values]),
            timestamps=np.concatenate([self.timestamps, other.timestamps]) if stamped else None,
        )
        return resolve_duplicates(joined, duplicates)[0]

    def batches(self, n_rows: int = 1 << 17) -> Iterator[dict[str, np.ndarray]]:
        """So many ratings at a time, as columns user, item, rating and, where known, timestamp."""
        for start in range(0, max(1, len(self)), n_rows):
            part = slice(start, start + n_rows)
            columns = {
                "user": self.user_ids[self.user_index[part]],
                "item": self.item_ids[self.item_index[part]],
                "rating": self.values[part],
            }
            if self.timestamps is not None:
                columns["timestamp"] = self.timestamps[part]
            yield columns

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with the columns user, item, rating and, where known, timestamp."""
        import pandas as pd

        return pd.DataFrame(next(self.batches(max(1, len(self)))))

    def to_scipy(self) -> scipy.sparse.csr_array:
        """A sparse array of shape (n_users, n_items), float32; a rating of 0 is kept."""
        import scipy.sparse

        coordinates = (self.user_index, self.item_index)
        return scipy.sparse.csr_array(
            (self.values, coordinates), shape=(self.n_users, self.n_items)
        )


def _drop_unused(ids: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    used = occurring(index, len(ids))
    if len(used) == len(ids):
        return ids, index
    new_row = np.zeros(len(ids), np.int32)
    new_row[used] = np.arange(len(used), dtype=np.int32)
    return ids[used], take(new_row, index, out=np.empty(len(index), np.int32))


def _translate(ids: np.ndarray, index: np.ndarray, other_ids: np.ndarray) -> np.ndarray:
    if ids is other_ids:
        return index
    return take(label_arrays.find(other_ids, ids), index, out=np.empty(len(index), np.int32))


def _example(ids: np.ndarray) -> str:
    return f" (like {ids[:1].tolist()[0]!r})" if len(ids) else ""
