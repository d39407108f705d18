"""Pairs grouped by row, against sorting in Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.kernels.cpu.grouping import (
    group_by_row,
    group_with_levels,
    rows_with_repeats,
)


def naive_groups(rows, columns, n_rows):
    groups = [[] for _ in range(n_rows)]
    for r, c in zip(rows.tolist(), columns.tolist(), strict=True):
        groups[r].append(c)
    return [sorted(group) for group in groups]


def assert_grouped(rows, columns, n_rows, n_threads):
    rows, columns = np.array(rows, np.int32), np.array(columns, np.int32)
    before = rows.copy(), columns.copy()
    indptr, grouped = group_by_row(rows, columns, n_rows, n_threads)
    assert (indptr.dtype, grouped.dtype) == (np.int64, np.int32)
    assert (len(indptr), len(grouped)) == (n_rows + 1, len(rows))
    ref = naive_groups(rows, columns, n_rows)
    comp = [grouped[indptr[r] : indptr[r + 1]].tolist() for r in range(n_rows)]
    assert comp == ref
    repeats = rows_with_repeats(indptr, grouped, n_threads)
    assert repeats.tolist() == [len(set(group)) < len(group) for group in ref]
    for array, old in zip((rows, columns), before, strict=True):
        np.testing.assert_array_equal(array, old)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 200), st.booleans()), max_size=200),
    st.integers(1, 4),
)
def test_pairs_that_are_left_out(pairs, n_threads):
    rows, columns, left_out = (np.array([pair[at] for pair in pairs], np.int32) for at in range(3))
    left_out = left_out.astype(bool)
    comp = group_by_row(rows, columns, 6, n_threads, left_out)
    ref = group_by_row(rows[~left_out], columns[~left_out], 6)
    for comp_array, ref_array in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(comp_array, ref_array)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_levels_stay_with_their_pairs(n_threads):
    """Rows of each length that is sorted in a way of its own; a fifth of the pairs left out."""
    random = np.random.default_rng(0)
    lengths = [0, 1, 5, 60, 700]
    pairs = [(r, c) for r, n in enumerate(lengths) for c in random.choice(4000, n, replace=False)]
    rows, columns = np.array(pairs, np.int32)[random.permutation(len(pairs))].T.copy()
    levels = random.integers(0, 256, len(rows)).astype(np.uint8)
    left_out = random.random(len(rows)) < 0.2
    comp = group_with_levels(rows, columns, levels, len(lengths), n_threads, left_out)
    ref = group_by_row(rows, columns, len(lengths), n_threads, left_out)
    for comp_array, ref_array in zip(comp, ref, strict=False):
        np.testing.assert_array_equal(comp_array, ref_array)
    level_of = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), levels, strict=True))
    found = np.repeat(np.arange(len(lengths)), np.diff(comp[0])).tolist()
    assert comp[2].tolist() == [
        level_of[pair] for pair in zip(found, comp[1].tolist(), strict=True)
    ]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 200)), max_size=200),
    st.integers(1, 4),
)
def test_few_pairs(pairs, n_threads):
    rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
    assert_grouped(rows, columns, 6, n_threads)


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_columns", [1, 63, 64, 65, 700, 100_000])
@pytest.mark.parametrize("distinct", [True, False])
def test_rows_short_and_long(n_columns, distinct, n_threads):
    # by reading off bits, by sorting, or as they are
    generator = np.random.default_rng(n_columns)
    sizes = [0, 1, 2, n_columns // 2, n_columns, 0, 3, n_columns // 60, 24, 25, 40, 0]
    sizes = [min(size, n_columns, 3_000) for size in sizes]
    chosen = [generator.choice(n_columns, size, replace=False) for size in sizes]
    if not distinct:
        chosen = [np.append(one, one[:1]) for one in chosen]
    rows = np.repeat(np.arange(len(chosen)), [len(one) for one in chosen])
    columns = np.concatenate(chosen)
    order = generator.permutation(len(rows))
    for arranged in (order, np.lexsort((columns, rows))):
        assert_grouped(rows[arranged], columns[arranged], len(chosen), n_threads)


def test_a_row_after_one_that_repeats_is_not_confused_by_it():
    n_rows = 100  # several to a task
    columns = [[70, 3, 70, 3, 1], [9, 8, 2, 1]] * (n_rows // 2)
    rows = np.repeat(np.arange(n_rows), [len(one) for one in columns])
    assert_grouped(rows, np.concatenate(columns), n_rows, 1)


@pytest.mark.parametrize(
    ("rows", "columns"), [([0, -1], [0, 0]), ([0, 2], [0, 0]), ([0, 1], [0, -1])]
)
def test_pairs_out_of_range(rows, columns):
    with pytest.raises(ValueError, match="at least 0"):
        group_by_row(np.array(rows, np.int32), np.array(columns, np.int32), 2)


def test_no_rows():
    empty = np.empty(0, np.int32)
    indptr, grouped = group_by_row(empty, empty, 0, 2)
    assert (indptr.tolist(), grouped.tolist()) == ([0], [])
    assert rows_with_repeats(indptr, grouped, 2).tolist() == []
