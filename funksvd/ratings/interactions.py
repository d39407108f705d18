"""`Interactions`: pairs of a user and an item, each perhaps with a value, a weight and a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from funksvd.errors import RatingsError
from funksvd.parallel import chosen, in_pieces, occurring, take
from funksvd.ratings.duplicates import COUNT, resolve_duplicates
from funksvd.ratings.hashing import HASHED_AT_ONCE, RowSums
from funksvd.ratings.times import as_timestamps, in_one_unit, unit_of
from funksvd.ratings.vocabulary import Vocabulary, as_labels

if TYPE_CHECKING:
    import pandas as pd

    from funksvd.ratings.io.report import ReadReport

COLUMNS = {"values": "rating", "weights": "weight", "timestamps": "timestamp"}
"""Columns that interactions may have besides user and item, each with its name in tables."""
FINGERPRINT_VERSION = "3"


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Pairs of a user and an item, and columns beside them, each of which may be absent.

    Made by `read_clicks`, `read_interactions` and `Interactions.from_arrays`; the bare constructor
    trusts its arguments.

    Parameters
    ----------
    users, items : Vocabulary
    user_index, item_index : ndarray of shape (n,), int32
        0-based rows of `users` and `items`.
    values : ndarray of shape (n,), float32, optional
        Ratings, in rating units (stars); finite.
    weights : ndarray of shape (n,), float32, optional
        How much each interaction counts, such as how often the user has clicked; finite, not
        negative.
    timestamps : ndarray of shape (n,), int64, optional
        Since 1970, in the unit of the source: see `time_unit`.
    report : ReadReport, optional
        The source they were read from, and how that went.
    """

    users: Vocabulary
    items: Vocabulary
    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray | None = None
    weights: np.ndarray | None = None
    timestamps: np.ndarray | None = None
    report: ReadReport | None = field(default=None, repr=False)

    @classmethod
    def from_arrays(
        cls,
        users: ArrayLike,
        items: ArrayLike,
        values: ArrayLike | None = None,
        timestamps: ArrayLike | None = None,
        *,
        weights: ArrayLike | None = None,
        duplicates: str = "last",
    ) -> Self:
        """Interactions from arrays of the same length.

        Parameters
        ----------
        users, items : array-like of shape (n,)
            Raw ids, integers or text.
        values : array-like of shape (n,), optional
            Ratings; any finite numbers.
        timestamps : array-like of shape (n,), optional
            Integers, since 1970, in seconds or whole parts of them.
        weights : array-like of shape (n,), optional
            Finite numbers of at least 0.
        duplicates : {"last", "first", "mean", "error", "count"}
            What to keep of several interactions of one user with one item: one of them, or their
            number, which then are the weights.

        Raises
        ------
        RatingsError
            If the lengths differ, an id is missing, or a value or weight is not allowed; the
            message names the position.

        Examples
        --------
        >>> pairs = Interactions.from_arrays(["ann", "bob", "ann"], [10, 10, 20])
        >>> pairs.n_users, pairs.n_items, len(pairs)
        (2, 2, 3)
        """
        users, items = as_labels(users, "user ids"), as_labels(items, "item ids")
        given = {"values": values, "weights": weights}
        arrays = {name: np.asarray(each) for name, each in given.items() if each is not None}
        lengths = {"users": len(users), "items": len(items)}
        lengths |= {name: array.size for name, array in arrays.items()}
        if len(set(lengths.values())) > 1 or any(array.ndim != 1 for array in arrays.values()):
            *names, last = lengths
            *counts, last_count = (f"{n:,}" for n in lengths.values())
            raise RatingsError(
                f"{', '.join(names)} and {last} must have the same length, but have "
                f"{', '.join(counts)} and {last_count}"
            )
        columns: dict[str, Any] = {name: _finite(name, array) for name, array in arrays.items()}
        if timestamps is not None:
            columns["timestamps"] = as_timestamps(timestamps, len(users))
        user_vocabulary, user_index = Vocabulary.encode(users, "user")
        item_vocabulary, item_index = Vocabulary.encode(items, "item")
        made = cls(user_vocabulary, item_vocabulary, user_index, item_index, **columns)
        return resolve_duplicates(made, duplicates)[0]

    noun = "interactions"
    """Plural noun for its rows, in messages."""

    def __repr__(self) -> str:
        counts = f"{self.n_users:,} users, {self.n_items:,} items"
        return f"<{type(self).__name__}: {len(self):,} {self.noun}, {counts}>"

    def __len__(self) -> int:
        return self.user_index.size

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def user_ids(self) -> np.ndarray:
        """Raw ids of the users, sorted: ndarray of shape (n_users,), int64 or object (str)."""
        return self.users.ids

    @property
    def item_ids(self) -> np.ndarray:
        """Raw ids of the items, sorted: ndarray of shape (n_items,), int64 or object (str)."""
        return self.items.ids

    @property
    def source(self) -> str:
        """The file or table they were read from, for messages."""
        return self.report.source if self.report else f"the {self.noun}"

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The columns of `COLUMNS` that are present, by name."""
        named = ((name, getattr(self, name)) for name in COLUMNS)
        return {name: column for name, column in named if column is not None}

    @property
    def _weighted_columns(self) -> dict[str, np.ndarray]:
        """The same, with weights of 1 where there are none."""
        weights = np.ones(len(self), np.float32) if self.weights is None else self.weights
        return self.columns | {"weights": weights}

    @property
    def kind(self) -> str:
        """What the rows of their source were taken for: one of `ratings.io.report.KINDS`."""
        return self.report.kind if self.report else "clicks"

    @property
    def positive_from(self) -> float | None:
        """The least rating that became an interaction, if they were made of ratings so."""
        return self.report.positive_from if self.report else None

    @property
    def repeats(self) -> str:
        """Policy of `joined_with` for pairs that come again: they are counted.

        Bare pairs, and interactions that were made of the good ratings, count once each.
        """
        is_once = self.kind == "pairs" or self.positive_from is not None
        return "last" if is_once else COUNT

    def is_learnable(self, left_out: np.ndarray | None = None) -> bool:
        """Whether something can be learned from them: a single pair is enough.

        Parameters
        ----------
        left_out : ndarray of shape (n,), bool, optional
            Those that are not to be learned from.
        """
        return len(self) > (0 if left_out is None else int(np.count_nonzero(left_out)))

    @cached_property
    def time_unit(self) -> str | None:
        """What timestamps count: "seconds", "milliseconds" and so on; None without timestamps."""
        return None if self.timestamps is None else unit_of(self.timestamps)

    # -- fingerprints ----------------------------------------------------------------------------

    @cached_property
    def fingerprint(self) -> str:
        """A digest of pairs and all columns, in any order: "3:" and 32 hexadecimal digits.

        It covers everything that can influence a model. An id counts where a row has it, and ids of
        the vocabularies that no row has do not: a part of a file, over the ids of the whole, has
        the same fingerprint as a file of its own. The number before the colon is the version of the
        rule:

        3
            BLAKE2b of the number of rows, of two sums of hashes of the rows, and of the names of
            the columns that are present (`hashing.RowSums`).
        2
            BLAKE2b of the BLAKE2b digests of users, items, user_index, item_index and the columns
            of `COLUMNS` that are present, each after its name, type and length.
        1 (written without a number and a colon, by earlier programs)
            BLAKE2b of users, items, user_index, item_index and values, which are zeros if they are
            absent. It does not cover weights and timestamps.

        A fingerprint from a file may be of any version: compare it by `has_fingerprint`.
        """
        users, items, columns = self.users.hashes, self.items.hashes, self.columns
        sums: list[RowSums] = []

        def add(piece: slice) -> None:
            hashes = users[self.user_index[piece]], items[self.item_index[piece]]
            part = {name: column[piece] for name, column in columns.items()}
            sums.append(RowSums.of(*hashes, part))

        in_pieces(add, len(self), HASHED_AT_ONCE)
        return f"{FINGERPRINT_VERSION}:{sum(sums, RowSums()).digest(columns)}"

    def has_fingerprint(self, text: str) -> bool:
        """Compare with a fingerprint that was made by this or an earlier version of the rule."""
        if ":" not in text:
            return text == self._first_fingerprint
        return text == (self._second_fingerprint if text.startswith("2:") else self.fingerprint)

    @cached_property
    def _second_fingerprint(self) -> str:
        arrays = {"user_index": self.user_index, "item_index": self.item_index} | self.columns
        names = [f"{_kind(each)} {len(each)}" for each in (self.users, self.items)]
        names += [f"{name} {array.dtype} {array.size}" for name, array in arrays.items()]
        parts = [_id_bytes(self.users), _id_bytes(self.items), *map(_bytes, arrays.values())]
        whole = _blake()
        for name, part in zip(names, parts, strict=True):
            whole.update(name.encode() + b"\0" + _blake(part).digest())
        return f"2:{whole.hexdigest()}"

    @cached_property
    def _first_fingerprint(self) -> str:
        digest = _blake()
        for vocabulary in (self.users, self.items):
            digest.update(_kind(vocabulary).encode())
            digest.update(len(vocabulary).to_bytes(8, "little"))
            digest.update(_id_bytes(vocabulary))
        values = np.zeros(len(self), np.float32) if self.values is None else self.values
        for array in (self.user_index, self.item_index, values):
            digest.update(_bytes(array))
        return digest.hexdigest()

    # -- selecting, translating, joining ----------------------------------------------------------

    def subset(self, rows: np.ndarray) -> Self:
        """The interactions of some rows; vocabularies, and so indices, stay the same.

        Parameters
        ----------
        rows : ndarray of bool of shape (n,), or of int
        """
        columns = {"user_index": self.user_index, "item_index": self.item_index} | self.columns
        return self._with(dict(zip(columns, chosen(columns.values(), rows), strict=True)))

    def compact(self) -> Self:
        """The same interactions, without the ids that none of them uses."""
        users, user_index = _without_unused(self.users, self.user_index)
        items, item_index = _without_unused(self.items, self.item_index)
        return self._with({"user_index": user_index, "item_index": item_index}, users, items)

    def index_for(self, users: Vocabulary, items: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
        """Rows of their users and items in other vocabularies, -1 where an id is missing.

        Returns
        -------
        user_index, item_index : ndarray of shape (n,), int32
        """
        return (
            self.users.translate(self.user_index, users),
            self.items.translate(self.item_index, items),
        )

    def over(self, users: Vocabulary, items: Vocabulary) -> Self:
        """The interactions whose user and item other vocabularies know, in these vocabularies."""
        user_index, item_index = self.index_for(users, items)
        index = {"user_index": user_index, "item_index": item_index}
        translated = self._with(index, users, items)
        if min(user_index.min(initial=0), item_index.min(initial=0)) >= 0:
            return translated
        return translated.subset((user_index >= 0) & (item_index >= 0))

    def joined_with(self, other: Interactions, duplicates: str = "last") -> Self:
        """These interactions followed by others, over the ids of both.

        Parameters
        ----------
        other : Interactions
            A column that one of the two does not have is left out. Timestamps of different units
            become seconds.
        duplicates : {"last", "first", "mean", "error", "count"}
            What to keep of several interactions of one user with one item. With "count", where
            one of the two has no weights, each of its interactions counts 1.

        Raises
        ------
        RatingsError
            If one has integer ids where the other has text.
        """
        sources = f"{self.source} and {other.source}"
        users = self.users.joined(other.users, sources)
        items = self.items.joined(other.items, sources)
        indices = zip(self.index_for(users, items), other.index_for(users, items), strict=True)
        joined = dict(zip(("user_index", "item_index"), map(np.concatenate, indices), strict=True))
        mine, theirs = self.columns, other.columns
        if duplicates == COUNT and "weights" in mine.keys() | theirs.keys():
            mine, theirs = self._weighted_columns, other._weighted_columns
        for name in mine.keys() & theirs.keys():
            both = [mine[name], theirs[name]]
            joined[name] = np.concatenate(in_one_unit(both) if name == "timestamps" else both)
        without = dict.fromkeys(mine.keys() - theirs.keys())
        return resolve_duplicates(self._with(joined | without, users, items), duplicates)[0]

    def _with(
        self,
        columns: Mapping[str, np.ndarray | None],
        users: Vocabulary | None = None,
        items: Vocabulary | None = None,
    ) -> Self:
        return replace(
            self,
            users=self.users if users is None else users,
            items=self.items if items is None else items,
            **columns,  # type: ignore[arg-type]
        )

    # -- as tables --------------------------------------------------------------------------------

    def batches(self, n_rows: int = 1 << 17) -> Iterator[dict[str, np.ndarray]]:
        """Tables of at most `n_rows` rows: user, item, and those of `COLUMNS` that there are."""
        for start in range(0, max(1, len(self)), n_rows):
            part = slice(start, start + n_rows)
            yield {
                "user": self.users.labels(self.user_index[part]),
                "item": self.items.labels(self.item_index[part]),
                **{COLUMNS[name]: column[part] for name, column in self.columns.items()},
            }

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with the columns user, item, and those of `COLUMNS` that there are."""
        import pandas as pd

        return pd.DataFrame(next(self.batches(max(1, len(self)))))


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    """Values or weights as float32."""
    if array.dtype.kind not in "iuf":
        noun = "ratings" if name == "values" else name
        raise RatingsError(f"{name} are {array.dtype}; {noun} must be numbers")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    allowed = np.isfinite(array) if name == "values" else np.isfinite(array) & (array >= 0)
    if not allowed.all():
        at = int(np.argmin(allowed))
        what, rule = (
            ("rating", "remove ratings that are not finite numbers first")
            if name == "values"
            else ("weight", "weights must be finite numbers of at least 0")
        )
        raise RatingsError(f"the {what} at position {at} is {array[at]}; {rule}")
    return array


def _without_unused(vocabulary: Vocabulary, index: np.ndarray) -> tuple[Vocabulary, np.ndarray]:
    used = occurring(index, len(vocabulary))
    if len(used) == len(vocabulary):
        return vocabulary, index
    new_row = np.zeros(len(vocabulary), np.int32)
    new_row[used] = np.arange(len(used), dtype=np.int32)
    return vocabulary.select(used), take(new_row, index, out=np.empty(len(index), np.int32))


def _blake(data: Any = b"") -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=16)


def _kind(vocabulary: Vocabulary) -> str:
    return "int64" if vocabulary.holds_integers else "text"


def _id_bytes(vocabulary: Vocabulary) -> bytes:
    ids = vocabulary.ids
    return ids.tobytes() if vocabulary.holds_integers else "\0".join(ids.tolist()).encode()


def _bytes(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array).data
