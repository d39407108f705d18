"""Sorting orders against NumPy's lexsort."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd import sorting
from funksvd.sorting import is_ascending, stable_order


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2)), max_size=30))
def test_equals_lexsort(rows):
    keys = np.array(rows, dtype=np.int32).reshape(-1, 3).T
    np.testing.assert_array_equal(stable_order(*keys), np.lexsort(keys[::-1]))


@pytest.mark.parametrize("widths", [(5, 5), (30, 30), (31, 31, 31), (62,), (62, 62), (31, 40, 1)])
def test_keys_that_do_and_do_not_fit_one_integer(widths):
    generator = np.random.default_rng(0)
    keys = [generator.integers(0, 1 << width, 500) for width in widths]
    keys = [np.concatenate([key, key[:100]]) for key in keys]  # with equals
    np.testing.assert_array_equal(stable_order(*keys), np.lexsort(keys[::-1]))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=8), st.booleans())
def test_is_ascending(rows, in_order):
    rows = sorted(rows) if in_order else rows
    keys = np.array(rows, dtype=np.int32).reshape(-1, 2).T
    assert is_ascending(*keys) == all(one < other for one, other in pairwise(rows))


@pytest.mark.parametrize("at", range(9))
def test_is_ascending_looks_at_all_pieces(at, monkeypatch):
    monkeypatch.setattr(sorting, "PIECE", 3)
    users, items = np.repeat(np.arange(2), 5), np.arange(10)
    assert is_ascending(users, items)
    items[at + 1] = items[at]
    assert is_ascending(users, items) == bool(users[at + 1] > users[at])
