"""Checked columns of one or several sources, and the ids that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.errors import RatingsError
from funksvd.ratings import checks
from funksvd.ratings.coded import arrow_integers, numbers
from funksvd.ratings.report import BadRow


@dataclass(frozen=True)
class IdColumn:
    """The users or the items of a source, good rows only.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int32
        Positions in `values`.
    values : pyarrow.StringArray or ndarray of int64
        They may repeat, and some may not be used.
    typed : bool
        Whether the source says that text is meant; in a text file, `7` may be an integer.
    """

    codes: np.ndarray
    values: pa.Array | np.ndarray
    typed: bool = False


@dataclass(frozen=True)
class Columns:
    """One source's good rows, and a few of its bad ones.

    Parameters
    ----------
    ids : dict of str to IdColumn
        By role, "user" and "item".
    values : ndarray of shape (n_rows,), float32, optional
    timestamps : ndarray of shape (n_rows,), int64, optional
    n_rows, n_bad : int
        Of the source, bad ones included; and the bad ones among them.
    bad_rows : list of BadRow
    description : str
        What was detected, without the source's name.
    """

    ids: dict[str, IdColumn]
    values: np.ndarray | None
    timestamps: np.ndarray | None
    n_rows: int
    n_bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    description: str = ""


def joined_ids(parts: Sequence[IdColumn], role: str, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct ids of several columns, one after the other, and each row's index.

    Returns
    -------
    ids : ndarray of shape (n_ids,), int64 or object (str)
    index : ndarray of shape (n_rows,), int32

    Raises
    ------
    RatingsError
        If some are integers and some are text.
    """
    parts = [_without_unused(part) for part in parts]
    codes, start = [], 0
    for part in parts:
        codes.append(part.codes + np.int32(start) if start else part.codes)
        start += len(part.values)
    ids, ranks = _ranked([part.values for part in parts], [p.typed for p in parts], role, source)
    joined = codes[0] if len(codes) == 1 else np.concatenate(codes)
    return ids, ranks[joined]


def _ranked(
    values: list[pa.Array | np.ndarray], typed: list[bool], role: str, source: str
) -> tuple[np.ndarray, np.ndarray]:
    texts = [part for part in values if not isinstance(part, np.ndarray)]
    loose = [part for part, fixed in zip(values, typed, strict=True) if not fixed]
    loose = [part for part in loose if not isinstance(part, np.ndarray)]
    fixed_text = len(loose) < len(texts)
    as_integers = checks.as_integers(pa.concat_arrays(loose)) if loose else None
    some_integers = len(texts) < len(values) or (as_integers is not None and fixed_text)
    if some_integers and (fixed_text or (loose and as_integers is None)):
        raise RatingsError(
            f"{source}: the {role} ids of one are integers and those of another are text; "
            "they do not go together"
        )
    if not texts or as_integers is not None:
        numeric = [
            part if isinstance(part, np.ndarray) else checks.as_integers(part) for part in values
        ]
        ids, ranks = np.unique(np.concatenate(numeric), return_inverse=True)
        return ids, ranks.astype(np.int32)
    encoded = pa.concat_arrays(texts).dictionary_encode()
    order = numbers([pc.sort_indices(encoded.dictionary)], np.int64)
    rank_of = np.empty(len(order), np.int32)
    rank_of[order] = np.arange(len(order), dtype=np.int32)
    ids = np.empty(len(order), object)
    ids[:] = encoded.dictionary.take(arrow_integers(order)).to_pylist()
    return ids, rank_of[numbers([encoded.indices], np.int32)]


def _without_unused(part: IdColumn) -> IdColumn:
    """Ids that only bad rows have would otherwise count, and might turn integers into text."""
    used = np.zeros(len(part.values), bool)
    used[part.codes] = True
    if used.all():
        return part
    new_code = (np.cumsum(used) - 1).astype(np.int32)
    where = np.flatnonzero(used)
    values = part.values
    values = values[where] if isinstance(values, np.ndarray) else values.take(arrow_integers(where))
    return IdColumn(new_code[part.codes], values, part.typed)
