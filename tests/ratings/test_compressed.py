"""`CompressedRows`: against a dictionary of lists."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.ratings import CompressedRows

N_ROWS, N_COLUMNS = 5, 7
pair_lists = st.lists(
    st.tuples(st.integers(-1, N_ROWS - 1), st.integers(-1, N_COLUMNS - 1)), max_size=40
)


def index_of(pairs):
    array = np.array(pairs, np.int32).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()


@settings(deadline=None)  # the first example may compile
@given(pair_lists, st.booleans(), st.integers(1, 3))
def test_against_lists(pairs, with_values, n_threads):
    ref = defaultdict(list)
    for at, (row, column) in enumerate(pairs):
        if row >= 0 and column >= 0:
            ref[row].append((column, float(at)))
    values = np.arange(len(pairs), dtype=np.float32) if with_values else None
    comp = CompressedRows.from_pairs(*index_of(pairs), N_ROWS, values, n_threads)
    assert (comp.indptr.dtype, comp.columns.dtype) == (np.int64, np.int32)
    assert comp.n_rows == N_ROWS
    for row in range(N_ROWS):
        mine = slice(*comp.indptr[row : row + 2])
        expected = sorted(ref[row])  # equal pairs keep their order: the values count upwards
        assert comp.columns[mine].tolist() == [column for column, _ in expected]
        if with_values:
            assert comp.values.dtype == np.float32
            assert comp.values[mine].tolist() == [value for _, value in expected]
    if not with_values:
        assert comp.values is None
    flat = sorted((row, column) for row in ref for column, _ in ref[row])
    assert list(zip(*map(np.ndarray.tolist, comp.pairs), strict=True)) == flat


@settings(deadline=None)  # the first example may compile
@given(pair_lists, st.booleans(), st.integers(1, 3), st.data())
def test_pairs_that_are_left_out(pairs, with_values, n_threads, data):
    left_out = np.array([data.draw(st.booleans()) for _ in pairs], bool)
    values = np.arange(len(pairs), dtype=np.float32)
    comp = CompressedRows.from_pairs(
        *index_of(pairs), N_ROWS, values if with_values else None, n_threads, left_out
    )
    kept = [index[~left_out] for index in (*index_of(pairs), values)]
    ref = CompressedRows.from_pairs(*kept[:2], N_ROWS, kept[2] if with_values else None)
    for comp_array, ref_array in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(comp_array, ref_array)


@settings(deadline=None)  # the first example may compile
@given(pair_lists)
def test_without_empty(pairs):
    pairs = [pair for pair in pairs if min(pair) >= 0]
    comp, rows, columns = CompressedRows.from_pairs(*index_of(pairs), N_ROWS).without_empty(
        N_COLUMNS
    )
    assert rows.tolist() == sorted({row for row, _ in pairs})
    assert columns.tolist() == sorted({column for _, column in pairs})
    assert comp.n_rows == len(rows)
    comp_rows, comp_columns = comp.pairs
    old = zip(rows[comp_rows].tolist(), columns[comp_columns].tolist(), strict=True)
    assert list(old) == sorted(pairs)


@settings(deadline=None)  # the first example may compile
@given(pair_lists, pair_lists)
def test_contains(pairs, asked):
    comp = CompressedRows.from_pairs(*index_of(pairs), N_ROWS)
    expected = [pair in pairs and min(pair) >= 0 for pair in asked]
    assert comp.contains(*index_of(asked)).tolist() == expected


@pytest.mark.parametrize("n_threads", [1, 3])
def test_contains_of_many(n_threads, monkeypatch):
    monkeypatch.setattr("funksvd.ratings.compressed.PIECE", 100)
    random = np.random.default_rng(0)
    rows, columns = random.integers(-1, 30, (2, 1000)).astype(np.int32)
    comp = CompressedRows.from_pairs(rows[:300], columns[:300], 30)
    known = set(zip(rows[:300].tolist(), columns[:300].tolist(), strict=True))
    expected = [
        (u, i) in known and min(u, i) >= 0
        for u, i in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    assert comp.contains(rows, columns, n_threads).tolist() == expected


def test_the_rows_of_some_pairs():
    random = np.random.default_rng(0)
    rows = np.sort(random.integers(0, 20, 100)).astype(np.int32)
    pairs = CompressedRows.from_pairs(rows, np.arange(100, dtype=np.int32), 25)
    for start in range(0, 100, 7):
        for stop in (start, start + 1, min(start + 40, 100), 100):
            np.testing.assert_array_equal(pairs.rows_of(slice(start, stop)), rows[start:stop])
