"""Checked columns of one or several sources, and the distinct ids of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.errors import RatingsError
from funksvd.parallel import in_pieces, occurring, take
from funksvd.ratings.io import checks
from funksvd.ratings.io.arrow import arrow_integers, numbers
from funksvd.ratings.io.report import BadRow


@dataclass(frozen=True)
class IdColumn:
    """The users or the items of a source, good rows only.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int32
        Positions in `values`.
    values : pyarrow.StringArray or ndarray of int64, optional
        They may repeat, and some may not be used. Without them, the codes are the ids themselves.
    typed : bool
        Whether the source says what is text and what is an integer; in a text file, `7` may turn
        out to be either.
    """

    codes: np.ndarray
    values: pa.Array | np.ndarray | None = None
    typed: bool = False

    def n_values(self) -> int:
        """Upper limit of the codes: each is less than this."""
        return int(self.codes.max(initial=-1)) + 1 if self.values is None else len(self.values)

    def values_of(self, codes: np.ndarray) -> pa.Array | np.ndarray:
        if self.values is None:
            return codes
        if isinstance(self.values, np.ndarray):
            return self.values[codes]
        return self.values.take(arrow_integers(codes))


@dataclass(frozen=True)
class Columns:
    """One source's good rows, and a few of its bad ones.

    Parameters
    ----------
    ids : dict of str to IdColumn
        By role, "user" and "item".
    values : ndarray of shape (n_rows,), float32, optional
    timestamps : ndarray of shape (n_rows,), int64, optional
    counts : ndarray of shape (n_rows,), float32, optional
        How often each user has dealt with the item; finite and more than 0.
    n_rows, n_bad : int
        Of the source, bad ones included; and the bad ones among them.
    bad_rows : list of BadRow
    description : str
        Detected format, separator and columns, without the source's name.
    warnings : list of str
        Sentences about what may be misunderstood.
    rounded : str, optional
        A rating that 32 bits change, as `first_rounded` tells of it.
    """

    ids: dict[str, IdColumn]
    values: np.ndarray | None
    timestamps: np.ndarray | None
    n_rows: int
    n_bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    description: str = ""
    warnings: list[str] = field(default_factory=list)
    rounded: str | None = None
    counts: np.ndarray | None = None


def joined_ids(parts: Sequence[IdColumn], role: str, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids of several columns, one after the other, and each row's index.

    The only column's codes are overwritten.

    Returns
    -------
    ids : ndarray of shape (n_ids,), int64 or object (str)
    index : ndarray of shape (n_rows,), int32

    Raises
    ------
    RatingsError
        If some are integers and some are text.
    """
    # Ids that only bad rows have would otherwise count, and might turn integers into text.
    sizes = [part.n_values() for part in parts]
    used = [occurring(part.codes, size) for part, size in zip(parts, sizes, strict=True)]
    values = [part.values_of(codes) for part, codes in zip(parts, used, strict=True)]
    ids, ranks = ranked(values, [part.typed for part in parts], role, source)
    index = parts[0].codes
    if len(parts) > 1:
        index = np.empty(sum(len(part.codes) for part in parts), np.int32)
    row = value = 0
    for part, size, codes in zip(parts, sizes, used, strict=True):
        _look_up(codes, ranks[value : value + len(codes)], size, part.codes, index[row:])
        row += len(part.codes)
        value += len(codes)
    return ids, index


def _look_up(
    keys: np.ndarray, ranks: np.ndarray, n_keys: int, codes: np.ndarray, out: np.ndarray
) -> None:
    """The rank of each code, written into `out`, which may be the codes themselves.

    Parameters
    ----------
    keys : ndarray of shape (n,), int64
        The codes that occur, ascending; less than `n_keys`.
    ranks : ndarray of shape (n,), int32
        Theirs.
    """
    out = out[: len(codes)]
    shifts = ranks - keys
    if len(keys) and shifts.min() == shifts.max():  # ids without gaps: subtracting is faster
        shift = np.int32(shifts[0])
        in_pieces(lambda piece: np.add(codes[piece], shift, out=out[piece]), len(codes))
        return
    rank_of = np.zeros(n_keys, np.int32)
    rank_of[keys] = ranks
    take(rank_of, codes, out=out)


def ranked(
    values: list[pa.Array | np.ndarray], typed: list[bool], role: str, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids of several columns, and for each value, one after the other, its rank."""
    integers = [part if isinstance(part, np.ndarray) else None for part in values]
    loose = [at for at, fixed in enumerate(typed) if not fixed]
    for at in loose:
        if integers[at] is None:
            integers[at] = checks.as_integers(values[at])
    if any(integers[at] is None for at in loose):  # then all of them are text
        for at in loose:
            integers[at] = None
    are_text = [part is None for part in integers]
    if any(are_text) and not all(are_text):
        raise RatingsError(
            f"{source}: the {role} ids of one are integers and those of another are text; "
            "they do not go together"
        )
    if not any(are_text):
        every = np.concatenate([part for part in integers if part is not None])
        ids, ranks = np.unique(every, return_inverse=True)
        return ids, ranks.astype(np.int32)
    texts = [
        pc.cast(arrow_integers(part), pa.string()) if isinstance(part, np.ndarray) else part
        for part in values
    ]
    encoded = pa.concat_arrays(texts).dictionary_encode()
    order = numbers([pc.sort_indices(encoded.dictionary)], np.int64)
    rank_of = np.empty(len(order), np.int32)
    rank_of[order] = np.arange(len(order), dtype=np.int32)
    ids = np.empty(len(order), object)
    ids[:] = encoded.dictionary.take(arrow_integers(order)).to_pylist()
    return ids, rank_of[numbers([encoded.indices], np.int32)]
