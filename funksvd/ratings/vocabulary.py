"""`Vocabulary`: the ids of users or of items, and the row that each of them stands for.

Ids are of one of two kinds, int64 or text. Integers stay integers and anything else stays text, so
`7` and `"007"` never meet. Questions are taken more generously: a vocabulary of integers that is
asked for `"7"` finds `7`, and one of text that is asked for `7` finds `"7"`, since the kind of a
file's column depends on all of its ids.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from funksvd.errors import RatingsError, UnknownIdError
from funksvd.parallel import in_pieces, occurring, take
from funksvd.ratings.hashing import id_hashes

SPAN_PER_LABEL = 4
"""Largest span of integer ids, per id or label, at which a table of all integers is made."""
IDS_PER_LOOKUP = 16
"""Text ids in a vocabulary, per label looked up, above which bisection beats a dictionary."""
N_EXAMPLES = 3
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
"""Text that stands for an integer and for nothing else: `7`, but not `007`, `+7` or `7.0`."""


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """Ids of users or of items, and the rows they stand for.

    Make one with `Vocabulary.encode`; the bare constructor trusts its arguments. Two vocabularies
    are equal if their ids are.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,), int64 or object (str)
        Sorted and distinct; the position of an id is its row.
    what : {"user", "item"}
        Whose ids these are, for messages.

    Examples
    --------
    >>> users, index = Vocabulary.encode(["bob", "ann", "bob"], "user")
    >>> len(users), index.tolist(), users.rows(["ann", "eve"]).tolist()
    (2, [1, 0, 1], [0, -1])
    """

    ids: np.ndarray
    what: str

    @classmethod
    def encode(cls, labels: ArrayLike, what: str) -> tuple[Vocabulary, np.ndarray]:
        """The vocabulary of some labels, and the row of each label.

        Parameters
        ----------
        labels : array-like of shape (n,)
            Integers or text, not mixed; they may repeat.
        what : {"user", "item"}

        Returns
        -------
        vocabulary : Vocabulary
        index : ndarray of shape (n,), int32

        Raises
        ------
        RatingsError
            As `as_labels`.
        """
        ids, index = _encoded(as_labels(labels, f"{what} ids"))
        return cls(ids, what), index

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Vocabulary: {len(self):,} {self.what}s>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.ids is other.ids or (
            self.holds_integers == other.holds_integers and np.array_equal(self.ids, other.ids)
        )

    def __hash__(self) -> int:
        return hash((len(self), self.holds_integers))

    @cached_property
    def holds_integers(self) -> bool:
        """True if the ids are integers; otherwise they are text."""
        return self.ids.dtype.kind == "i"

    @cached_property
    def hashes(self) -> np.ndarray:
        """A hash of each id, by `hashing.id_hashes`: ndarray of shape (n_ids,), uint64."""
        return id_hashes(self.ids)

    @property
    def examples(self) -> str:
        """The first three ids, for a message; "…" stands for the rest."""
        return first_few(self.ids)

    def rows(self, labels: ArrayLike) -> np.ndarray:
        """The row of each label, -1 for a label that is not an id of this vocabulary.

        Parameters
        ----------
        labels : array-like of shape (n,)
            An integer and the text that stands for it (`7` and `"7"`, but not `"007"`) are the same
            label here.

        Returns
        -------
        ndarray of shape (n,), int32

        Raises
        ------
        RatingsError
            As `as_labels`.
        """
        return _rows(self.ids, as_labels(labels, f"{self.what} ids"))

    def known_rows(self, labels: ArrayLike) -> np.ndarray:
        """The row of each label, all of which must be ids of this vocabulary.

        Parameters
        ----------
        labels : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (n,), int32

        Raises
        ------
        UnknownIdError
            If one is not; the message names the first such label, and gives examples of ids.
        """
        labels = as_labels(labels, f"{self.what} ids")
        rows = _rows(self.ids, labels)
        if (rows < 0).any():
            unknown = quoted(labels[np.argmax(rows < 0)])
            raise UnknownIdError(
                f"the model does not know {self.what} {unknown}; it knows {len(self):,} "
                f"{self.what}s, for instance {self.examples}"
            )
        return rows

    def row(self, label: int | str) -> int:
        """The row of one label; otherwise as `known_rows`."""
        return int(self.known_rows([label])[0])

    def require_some(
        self, rows: np.ndarray, labels: Sequence[Any] | np.ndarray, source: str = ""
    ) -> None:
        """Make sure that at least one label is an id of this vocabulary.

        Parameters
        ----------
        rows : ndarray of int
            Rows of the labels as `rows` gives them, in any order, repeated or not.
        labels : sequence of shape (n,)
            The distinct labels that were asked for.
        source : str
            Name of their file, with which the message then begins.

        Raises
        ------
        UnknownIdError
            If all rows are -1, or there are none.
        """
        if not (rows >= 0).any():
            which = f"none of these {len(labels):,} {self.what}s ({first_few(labels)})"
            if len(labels) == 1:
                which = f"no {self.what} {quoted(labels[0])}"
            raise UnknownIdError(
                f"{source}: " * bool(source)
                + f"the model knows {which}; the ids it knows look like {self.examples}"
            )

    def labels(self, rows: np.ndarray | slice) -> np.ndarray:
        """The ids of some rows, int64 or object (str)."""
        return self.ids[rows]

    def label(self, row: int) -> int | str:
        """The id of one row, as Python's own type."""
        label: int | str = self.ids[row : row + 1].tolist()[0]
        return label

    def select(self, rows: np.ndarray) -> Vocabulary:
        """The vocabulary of some rows' ids.

        Parameters
        ----------
        rows : ndarray of shape (n,), int
            Ascending, none twice.
        """
        if len(rows) == len(self):
            return self
        selected = Vocabulary(self.ids[rows], self.what)
        if "hashes" in vars(self):  # of long text, they take a while
            vars(selected)["hashes"] = self.hashes[rows]
        return selected

    def joined(self, other: Vocabulary, sources: str = "these ids and those") -> Vocabulary:
        """The ids of both vocabularies.

        Parameters
        ----------
        other : Vocabulary
        sources : str
            Names of the two vocabularies' owners, for the message ("a.csv and b.csv").

        Raises
        ------
        RatingsError
            If one holds integers and the other text.
        """
        if self == other:
            return self
        if self.holds_integers != other.holds_integers:
            integers, texts = (self, other) if self.holds_integers else (other, self)
            raise RatingsError(
                f"{sources} do not go together: the {self.what} ids of one are integers"
                f"{integers._example} and those of the other are text{texts._example}"
            )
        return Vocabulary(_encoded(np.concatenate([self.ids, other.ids]))[0], self.what)

    def positions_in(self, other: Vocabulary) -> np.ndarray:
        """The row that each of these ids has in another vocabulary, -1 where it has none.

        Returns
        -------
        ndarray of shape (n_ids,), int32
        """
        if self == other:
            return np.arange(len(self), dtype=np.int32)
        return _rows(other.ids, self.ids)

    def translate(self, index: np.ndarray, other: Vocabulary) -> np.ndarray:
        """Rows of this vocabulary as rows of another, -1 where it has no such id.

        Parameters
        ----------
        index : ndarray of shape (n,), int32
            Rows of this vocabulary.
        other : Vocabulary

        Returns
        -------
        ndarray of shape (n,), int32
            `index` itself where the vocabularies are equal.
        """
        if self == other:
            return index
        return take(self.positions_in(other), index, out=np.empty(len(index), np.int32))

    @property
    def _example(self) -> str:
        return f" (like {self.label(0)!r})" if len(self) else ""


def as_labels(labels: ArrayLike, what: str = "ids") -> np.ndarray:
    """Turn a caller's ids into an int64 array or an object array of `str`.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Integers or strings, not mixed. Blanks around text do not count, as in files.
    what : str
        Plural noun for them in messages ("user ids").

    Returns
    -------
    ndarray of shape (n,), int64 or object

    Raises
    ------
    RatingsError
        If they are neither integers nor text, or a mixture, or one is empty or missing.
    """
    array = labels if isinstance(labels, np.ndarray) else np.asarray(labels)
    if not isinstance(labels, np.ndarray) and array.dtype.kind in "US":
        # np.asarray([1, "a"]) turns 1 into "1" without a word; look at the originals instead
        array = np.asarray(labels, dtype=object)
    if array.ndim != 1:
        raise RatingsError(
            f"{what} must be a one-dimensional array, but have the shape {array.shape}"
        )
    if array.dtype.kind in "iu":
        if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
            raise RatingsError(
                f"{what} hold {array.max()}, which does not fit 64 bits with a sign; "
                "pass such ids as text"
            )
        return array.astype(np.int64, copy=False)
    if array.size == 0:
        return array.astype(object)
    if array.dtype.kind in "UT":
        array = array.astype(object)
    if array.dtype.kind != "O":
        raise RatingsError(
            f"{what} are {array.dtype}; they must be integers or text. "
            "Convert them first, for instance with .astype(int) or .astype(str)"
        )
    kinds = {type(label) for label in array.tolist()}
    if all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds):
        try:
            return array.astype(np.int64)
        except OverflowError as error:
            raise RatingsError(
                f"{what} hold integers that do not fit 64 bits with a sign; pass them as text"
            ) from error
    if not all(issubclass(kind, str) for kind in kinds):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise RatingsError(
            f"{what} hold values of the types {names}; they must be all integers or all text. "
            "Convert them first, for instance with .astype(str)"
        )
    texts = [label.strip() for label in array.tolist()]
    if not all(texts):
        raise RatingsError(f"{what} hold an empty text at position {texts.index('')}")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise RatingsError(f"{what} hold text that is not valid Unicode: {error}") from error
    stripped = np.empty(len(texts), object)
    stripped[:] = texts
    return stripped


def first_few(labels: Sequence[Any] | np.ndarray) -> str:
    """The first three labels, for a message; "…" stands for the rest."""
    shown = ", ".join(map(quoted, labels[:N_EXAMPLES]))
    return shown + (", …" if len(labels) > N_EXAMPLES else "")


def quoted(label: Any) -> str:
    """A label for a message: text in quotes, unless it stands for an integer."""
    text = str(label)
    return text if re.fullmatch(CANONICAL_INTEGER, text) else repr(text)


def _encoded(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids, and for each label its row among them, int32."""
    if labels.dtype.kind == "i" and len(labels):
        low, span = int(labels.min()), int(labels.max()) - int(labels.min()) + 1
        if span <= min(SPAN_PER_LABEL * len(labels), np.iinfo(np.int32).max):
            return _encoded_by_table(labels, low, span)
    ids, index = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "O":
        ids = ids.astype(object)
    return ids, index.astype(np.int32)


def _encoded_by_table(labels: np.ndarray, low: int, span: int) -> tuple[np.ndarray, np.ndarray]:
    """The same as `_encoded`, by a table of all integers from `low` to below `low + span`."""
    index = np.empty(len(labels), np.int32)
    in_pieces(
        lambda piece: np.subtract(labels[piece], low, out=index[piece], casting="unsafe"),
        len(labels),
    )
    used = occurring(index, span)
    row_of = np.zeros(span, np.int32)
    row_of[used] = np.arange(len(used), dtype=np.int32)
    return used + low, take(row_of, index, out=index)


def _rows(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows of labels among sorted distinct ids, int32; -1 for those that are not there."""
    if ids.size == 0 or labels.size == 0:
        return np.full(len(labels), -1, dtype=np.int32)
    if ids.dtype.kind != "i":
        texts = list(map(str, labels.tolist()))
        if len(texts) < len(ids) // IDS_PER_LOOKUP:
            return _rows_by_bisection(ids, np.array(texts, dtype=object))
        row_of = {label: row for row, label in enumerate(ids.tolist())}
        return np.fromiter((row_of.get(text, -1) for text in texts), np.int32, len(texts))
    if labels.dtype.kind != "i":
        integers = np.fromiter(map(_is_integer, labels), bool, len(labels))
        rows = np.full(len(labels), -1, dtype=np.int32)
        rows[integers] = _rows(ids, labels[integers].astype(np.int64))
        return rows
    if int(ids[-1]) - int(ids[0]) < SPAN_PER_LABEL * len(labels):
        return _rows_by_table(ids, labels)
    return _rows_by_bisection(ids, labels)


def _rows_by_bisection(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows = np.searchsorted(ids, labels)
    rows[rows == ids.size] = 0
    return np.where(ids[rows] == labels, rows, -1).astype(np.int32)


def _rows_by_table(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same as `_rows_by_bisection`, by a table of all integers between the ids."""
    low, high = int(ids[0]), int(ids[-1])
    nowhere = high - low + 1
    row_of = np.full(nowhere + 1, -1, np.int32)
    row_of[ids - low] = np.arange(len(ids), dtype=np.int32)
    rows = np.empty(len(labels), np.int32)

    def look_up(piece: slice) -> None:
        part = labels[piece]
        rows[piece] = row_of[np.where((part >= low) & (part <= high), part - low, nowhere)]

    in_pieces(look_up, len(labels))
    return rows


def _is_integer(text: str) -> bool:
    """True if a text stands for an integer of 64 bits and for nothing else."""
    return bool(re.fullmatch(CANONICAL_INTEGER, text)) and -(2**63) <= int(text) < 2**63
