"""Raw ids ("labels") of users and items, and the rows they stand for.

An id array is sorted, has no repeats and is of one of two kinds: int64, or an object array of
`str`. Integers stay integers and anything else stays text, so `7` and `"007"` never meet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from funksvd.errors import RatingsError
from funksvd.parallel import in_pieces, occurring, take

SPAN_PER_LABEL = 4
"""For integers that lie as close as this, a table of all of them is small and fast."""
CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
"""Text that stands for an integer and for nothing else: `7`, but not `007`, `+7` or `7.0`."""


def is_integer_ids(ids: np.ndarray) -> bool:
    """Whether an id array holds integers (otherwise it holds text)."""
    return ids.dtype.kind == "i"


def as_labels(labels: Any, what: str = "ids") -> np.ndarray:
    """Turn a caller's ids into an int64 array or an object array of `str`.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Integers or strings, not mixed.
    what : str
        What they are, for the message ("user ids").

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
    if not all(array):
        raise RatingsError(f"{what} hold an empty text at position {list(array).index('')}")
    try:
        "".join(array).encode()
    except UnicodeEncodeError as error:
        raise RatingsError(f"{what} hold text that is not valid Unicode: {error}") from error
    return array


def encode(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids, and for each label its row among them.

    Parameters
    ----------
    labels : ndarray of shape (n,), int64 or object
        As `as_labels` returns them.

    Returns
    -------
    ids : ndarray of shape (n_ids,), int64 or object
    index : ndarray of shape (n,), int32
    """
    if is_integer_ids(labels) and len(labels):
        low, span = int(labels.min()), int(labels.max()) - int(labels.min()) + 1
        if span <= min(SPAN_PER_LABEL * len(labels), np.iinfo(np.int32).max):
            return _encode_by_table(labels, low, span)
    ids, index = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "O":
        ids = ids.astype(object)
    return ids, index.astype(np.int32)


def _encode_by_table(labels: np.ndarray, low: int, span: int) -> tuple[np.ndarray, np.ndarray]:
    index = np.empty(len(labels), np.int32)
    in_pieces(
        lambda piece: np.subtract(labels[piece], low, out=index[piece], casting="unsafe"),
        len(labels),
    )
    used = occurring(index, span)
    row_of = np.zeros(span, np.int32)
    row_of[used] = np.arange(len(used), dtype=np.int32)
    return used + low, take(row_of, index, out=index)


def find(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows of labels in an id array, -1 for those it does not hold.

    An integer and the text that stands for it (`7` and `"7"`, but not `"007"`) are the same
    label here: which kind a column of a file has depends on all of its ids.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,), int64 or object
        Sorted, distinct.
    labels : ndarray of shape (n,), int64 or object

    Returns
    -------
    ndarray of shape (n,), int32
    """
    if ids.size == 0 or labels.size == 0:
        return np.full(len(labels), -1, dtype=np.int32)
    if not is_integer_ids(ids):
        texts = list(map(str, labels.tolist()))
        if len(texts) < len(ids) // 16:  # a table of all ids would take longer
            return _bisect(ids, np.array(texts, dtype=object))
        row_of = {label: row for row, label in enumerate(ids.tolist())}
        return np.fromiter((row_of.get(text, -1) for text in texts), np.int32, len(texts))
    if not is_integer_ids(labels):
        integers = np.fromiter(map(is_integer, labels), bool, len(labels))
        rows = np.full(len(labels), -1, dtype=np.int32)
        rows[integers] = find(ids, labels[integers].astype(np.int64))
        return rows
    if int(ids[-1]) - int(ids[0]) < SPAN_PER_LABEL * len(labels):
        return _look_up(ids, labels)
    return _bisect(ids, labels)


def first_few(labels: Sequence | np.ndarray) -> str:
    """The first three labels, for a message; "…" stands for the rest."""
    return ", ".join(map(str, labels[:3])) + (", …" if len(labels) > 3 else "")


def _bisect(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    rows = np.searchsorted(ids, labels)
    rows[rows == ids.size] = 0
    return np.where(ids[rows] == labels, rows, -1).astype(np.int32)


def _look_up(ids: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The same as `_bisect`, by a table of all integers between the ids."""
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


def is_integer(text: str) -> bool:
    """Whether a text stands for an integer of 64 bits and for nothing else."""
    return bool(re.fullmatch(CANONICAL_INTEGER, text)) and -(2**63) <= int(text) < 2**63
