"""Distinct ids of ratings that come in chunks, and the rows that ids of chunks stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.parallel import occurring, take
from funksvd.ratings.io import checks
from funksvd.ratings.io.arrow import arrow_integers, mask, numbers, text_bytes, view
from funksvd.ratings.io.builders import MAX_PLAIN_ID, UNSETTLED_BYTES, EncodedColumn
from funksvd.ratings.io.columns import ranked
from funksvd.ratings.vocabulary import Vocabulary

NONE_HELD_BACK = np.empty(0, bool)


class Distinct(NamedTuple):
    """Distinct ids of some columns that are alike.

    Parameters
    ----------
    values : ndarray of int64, or pyarrow.StringArray
    counts : ndarray of shape (n_values,), int64
        Number of rows that have each.
    typed : bool
        As for `IdColumn`.
    """

    values: np.ndarray | pa.Array
    counts: np.ndarray
    typed: bool


class DistinctIds:
    """Distinct ids of columns that are added one after the other, and how many rows have each."""

    def __init__(self) -> None:
        self._plain: dict[bool, np.ndarray] = {}
        self._others: dict[tuple[bool, bool], list[Distinct]] = {}
        self._n_bytes: dict[tuple[bool, bool], int] = {}
        self._n_settled: dict[tuple[bool, bool], int] = {}

    def add(self, column: EncodedColumn, typed: bool) -> EncodedColumn:
        """Take note of a column, and give it without values that none of its rows has."""
        from funksvd.kernels import count_rows

        codes, values = column.codes, column.values
        if values is None:
            counts = self._room(typed, int(codes.max(initial=-1)) + 1)
            count_rows(codes, NONE_HELD_BACK, counts)
            return column
        of_values = np.zeros((2, len(values)), np.int64)
        count_rows(codes, NONE_HELD_BACK, of_values)
        counts = of_values[0]
        if not counts.all():
            used = counts > 0
            place = np.cumsum(used, dtype=np.int32) - np.int32(1)
            values, counts = values.filter(mask(used)), counts[used]
            column = EncodedColumn(place[codes], values)
        found = view(values).copy() if pa.types.is_integer(values.type) else values
        self._append(Distinct(found, counts, typed))
        return column

    def add_all(self, other: DistinctIds) -> None:
        """Take note of all that another one knows."""
        for typed, counts in other._plain.items():
            self._room(typed, counts.shape[1])[:, : counts.shape[1]] += counts
        for parts in other._others.values():
            for part in parts:
                self._append(part)

    def found(self) -> list[Distinct]:
        """All of them: at most one each for integers and text, typed and not."""
        for typed, counts in self._plain.items():
            ids = np.flatnonzero(counts[0])
            self._append(Distinct(ids, counts[0][ids], typed))
        self._plain.clear()
        for key in self._others:
            self._settle(key)
        return [parts[0] for _, parts in sorted(self._others.items())]

    def _room(self, typed: bool, n: int) -> np.ndarray:
        """Counts of integers that are their own codes, with room for those below n."""
        counts = self._plain.get(typed)
        if counts is None or counts.shape[1] < n:
            larger = np.zeros((2, 1 << max(n - 1, 1).bit_length()), np.int64)
            if counts is not None:
                larger[:, : counts.shape[1]] = counts
            self._plain[typed] = counts = larger
        return counts

    def _append(self, part: Distinct) -> None:
        key = (not isinstance(part.values, np.ndarray), part.typed)
        self._others.setdefault(key, []).append(part)
        n_bytes = self._n_bytes.get(key, 0) + part.values.nbytes + part.counts.nbytes
        self._n_bytes[key] = n_bytes
        if n_bytes > 2 * self._n_settled.get(key, 0) + UNSETTLED_BYTES:
            self._settle(key)

    def _settle(self, key: tuple[bool, bool]) -> None:
        parts = self._others[key]
        if len(parts) < 2:
            return
        counts = np.concatenate([part.counts for part in parts])
        values: np.ndarray | pa.Array
        if key[0]:
            texts = pa.concat_arrays([part.values for part in parts]).dictionary_encode()
            values, codes = texts.dictionary, view(texts.indices)
        else:
            values, codes = np.unique(
                np.concatenate([part.values for part in parts]), return_inverse=True
            )
        summed = np.zeros(len(values), np.int64)
        np.add.at(summed, codes, counts)
        self._others[key] = [Distinct(values, summed, key[1])]
        self._n_bytes[key] = self._n_settled[key] = values.nbytes + summed.nbytes


def joined_distinct(
    parts: Sequence[Distinct], role: str, source: str
) -> tuple[Vocabulary, np.ndarray]:
    """The vocabulary of several collections of ids, and how many rows have each id.

    Returns
    -------
    vocabulary : Vocabulary
    counts : ndarray of shape (n_ids,), int64

    Raises
    ------
    RatingsError
        If some sources say that ids are integers, and others that they are text.
    """
    ids, ranks = ranked([part.values for part in parts], [p.typed for p in parts], role, source)
    counts = np.zeros(len(ids), np.int64)
    np.add.at(counts, ranks, np.concatenate([part.counts for part in parts]))
    return Vocabulary(ids, role), counts


class IdLookup:
    """The rows of a vocabulary that ids of chunks stand for.

    Parameters
    ----------
    vocabulary : Vocabulary
        It has all of the ids that are looked up.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._integers: np.ndarray | None = None
        if vocabulary.holds_integers:
            self._integers = vocabulary.ids
            plain = self._integers[(self._integers >= 0) & (self._integers <= MAX_PLAIN_ID)]
            first = int(np.searchsorted(self._integers, 0))
            self._table = np.zeros(int(plain.max(initial=0)) + 1, np.int32)
            self._table[plain] = np.arange(first, first + len(plain), dtype=np.int32)
        else:
            self._texts = pa.array(vocabulary.ids, pa.string())

    def rows(self, columns: Sequence[EncodedColumn]) -> np.ndarray:
        """Rows of several columns' ids, one column after the other.

        Returns
        -------
        ndarray of shape (n,), int32
        """
        out = np.empty(sum(len(column.codes) for column in columns), np.int32)
        waiting: list[tuple[np.ndarray, pa.Array, np.ndarray]] = []
        start = 0
        for column in columns:
            codes, values = column.codes, column.values
            part = out[start : start + len(codes)]
            start += len(codes)
            if values is None and self._integers is not None:
                take(self._table, codes, out=part)
            elif values is None:
                ids = occurring(codes, int(codes.max(initial=-1)) + 1)
                waiting.append((np.searchsorted(ids, codes), arrow_integers(ids), part))
            else:
                waiting.append((codes, values, part))
        for kind in {values.type for _, values, _ in waiting}:
            alike = [each for each in waiting if each[1].type == kind]
            places = self._places(pa.concat_arrays([values for _, values, _ in alike]))
            n_before = 0
            for codes, values, part in alike:
                take(places[n_before : n_before + len(values)], codes, out=part)
                n_before += len(values)
        return out

    def _places(self, values: pa.Array) -> np.ndarray:
        are_text = pa.types.is_string(values.type)
        if self._integers is None:
            texts = values if are_text else pc.cast(values, pa.string())
            return numbers([pc.index_in(texts, value_set=self._texts)], np.int32)
        integers = checks.as_integers(values) if are_text else view(values)
        assert integers is not None, "text among ids that are integers"
        return np.searchsorted(self._integers, integers).astype(np.int32)


def as_arrays(column: EncodedColumn) -> list[np.ndarray]:
    """A column of ids as plain arrays, to be written to a file."""
    if column.values is None:
        return [column.codes]
    if pa.types.is_integer(column.values.type):
        return [column.codes, view(column.values)]
    lengths = numbers([pc.binary_length(column.values)], np.int32)
    return [column.codes, lengths, text_bytes(column.values)]


def from_arrays(arrays: Sequence[np.ndarray]) -> EncodedColumn:
    """The opposite of `as_arrays`."""
    codes, *values = arrays
    if not values:
        return EncodedColumn(codes)
    if len(values) == 1:
        return EncodedColumn(codes, arrow_integers(values[0]))
    lengths, text = values
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    return EncodedColumn(codes, pa.Array.from_buffers(pa.string(), len(lengths), buffers))
