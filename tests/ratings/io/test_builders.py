"""An array that is appended to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.ratings.io import builders as module
from funksvd.ratings.io.builders import ArrayBuilder


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
