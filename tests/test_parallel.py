"""Long parallel, in pieces."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd import parallel
from funksvd.parallel import (
    all_finite,
    chosen,
    count_values,
    extremes,
    in_order,
    occurring,
    take,
)


@pytest.fixture(autouse=True, scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "PIECE", 16)
        yield


@given(st.lists(st.integers(0, 9), max_size=100))
def test_take_and_occurring(index):
    table = np.arange(10, dtype=np.int32)[::-1].copy()
    index = np.array(index, np.int32)
    assert occurring(index, 10).tolist() == sorted(set(index.tolist()))
    out = np.empty(len(index), np.int32)
    assert take(table, index, out) is out
    ref = [9 - at for at in index.tolist()]
    assert out.tolist() == ref
    assert take(table, index, out=index).tolist() == ref


@given(st.lists(st.integers(0, 9), max_size=100))
def test_count_values(index):
    comp = count_values(np.array(index, np.int32), 11)
    assert comp.dtype == np.int32
    assert comp.tolist() == [index.count(value) for value in range(11)]


@given(st.lists(st.floats(width=32), max_size=100))
def test_all_finite(values):
    array = np.array(values, np.float32)
    assert all_finite(array) == all(map(math.isfinite, values))
    assert all_finite(array[None, :, None]) == all_finite(array)


@pytest.mark.parametrize("n", [3, 64, 100])
def test_chosen(n):
    columns = [np.arange(n), np.arange(n) / 2]
    mask = np.arange(n) % 3 == 0
    for rows in (mask, np.flatnonzero(mask)[::-1]):
        for comp, column in zip(chosen(columns, rows), columns, strict=True):
            np.testing.assert_array_equal(comp, column[rows])


@given(
    st.lists(st.tuples(st.floats(width=32, allow_nan=False), st.booleans()), min_size=1).filter(
        lambda pairs: any(chosen for _, chosen in pairs)
    )
)
def test_extremes(pairs):
    values, rows = np.array([value for value, _ in pairs], np.float32), [row for _, row in pairs]
    assert extremes(values) == (values.min(), values.max())
    asked = [value for value, row in pairs if row]
    assert extremes(values, np.array(rows)) == (min(asked), max(asked))


@pytest.mark.parametrize("n_threads", [1, 4])
def test_in_order(n_threads):
    taken = 0

    def arguments():
        nonlocal taken
        for number in range(1, 31):
            taken = number
            yield number

    def slow_first(number):
        time.sleep(0.02 if number % 7 == 1 else 0)
        return -number

    for n_done, result in enumerate(in_order(slow_first, arguments(), n_threads), 1):
        assert result == -n_done
        assert taken <= n_done + n_threads
    assert taken == 30


def test_in_order_passes_errors_on_and_leaves_no_thread():
    def fail_at_three(number):
        if number == 3:
            raise ValueError("three")
        return number

    n_threads = threading.active_count()
    results = in_order(fail_at_three, range(100), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert threading.active_count() == n_threads
