"""Raw ids ("labels") of users and items, and the rows they stand for.

An id array is sorted, has no repeats and is of one of two kinds: int64, or an object array of
`str`. Integers stay integers and anything else stays text, so `7` and `"007"` never meet.
"""

import re

import numpy as np

from funksvd.errors import RatingsError

CANONICAL_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
"""Text that stands for an integer and for nothing else: `7`, but not `007`, `+7` or `7.0`."""


def is_integer_ids(ids):
    """Whether an id array holds integers (otherwise it holds text)."""
    return ids.dtype.kind == "i"


def as_labels(labels, what="ids"):
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
        return array.astype(np.int64)
    if not all(issubclass(kind, str) for kind in kinds):
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise RatingsError(
            f"{what} hold values of the types {names}; they must be all integers or all text. "
            "Convert them first, for instance with .astype(str)"
        )
    if not all(array):
        raise RatingsError(f"{what} hold an empty text at position {list(array).index('')}")
    return array


def encode(labels):
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
    ids, index = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "O":
        ids = ids.astype(object)
    return ids, index.astype(np.int32)


def find(ids, labels):
    """Rows of labels in an id array, -1 for those it does not hold.

    Labels of the other kind (text against integers) are simply not found: whoever calls this
    with a file's ids should tell the person when nothing at all is.

    Parameters
    ----------
    ids : ndarray of shape (n_ids,), int64 or object
        Sorted, distinct.
    labels : ndarray of shape (n,), int64 or object

    Returns
    -------
    ndarray of shape (n,), int32
    """
    if ids.size == 0 or labels.size == 0 or is_integer_ids(ids) != is_integer_ids(labels):
        return np.full(len(labels), -1, dtype=np.int32)
    if not is_integer_ids(ids):
        row_of = {label: row for row, label in enumerate(ids.tolist())}
        return np.fromiter((row_of.get(label, -1) for label in labels), np.int32, len(labels))
    rows = np.searchsorted(ids, labels)
    rows[rows == ids.size] = 0
    return np.where(ids[rows] == labels, rows, -1).astype(np.int32)


def parse_label(text, ids):
    """An id typed by a person, as the kind that `ids` has.

    Parameters
    ----------
    text : str or int
    ids : ndarray, int64 or object

    Returns
    -------
    int or str
        `text` as an integer where the ids are integers and it is one; otherwise as it is.
    """
    if is_integer_ids(ids) and re.match(CANONICAL_INTEGER, str(text)):
        return int(text)
    return text if is_integer_ids(ids) else str(text)
