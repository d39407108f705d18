"""An array that is appended to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.ratings.io import builders as module
from funksvd.ratings.io.arrow import arrow_integers
from funksvd.ratings.io.builders import (
    MAX_PLAIN_ID,
    ArrayBuilder,
    EncodedColumn,
    EncodedColumnBuilder,
)


@pytest.fixture(autouse=True, scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 16)
        yield


@given(st.lists(st.lists(st.integers(0, 100), max_size=50)), st.integers(0, 100))
def test_array_builder(parts, room):
    builder = ArrayBuilder(np.int32, room)
    for part in parts:
        builder.append(np.array(part, np.int64))
    ref = [value for part in parts for value in part]
    assert builder.array.tolist() == ref
    assert len(builder) == len(ref)
    assert builder.array.dtype == np.int32


def test_a_small_id_before_a_large_one_takes_no_table_of_all_ids_up_to_it():
    parts = [[7, MAX_PLAIN_ID, 7], [2**40, 7]]
    builder = EncodedColumnBuilder()
    builder.append(EncodedColumn(np.array(parts[0], np.int32)))
    builder.append(EncodedColumn(np.arange(2, dtype=np.int32), arrow_integers(np.array(parts[1]))))
    found = builder.finish()
    assert len(found.values) == 4
    assert [found.values[code].as_py() for code in found.codes.tolist()] == parts[0] + parts[1]
