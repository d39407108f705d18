"""An array that is appended to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.ratings.io import growing as module
from funksvd.ratings.io.growing import Growing


@pytest.fixture(autouse=True, scope="module")
def small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", 16)
        yield


@given(st.lists(st.lists(st.integers(0, 100), max_size=50)), st.integers(0, 100))
def test_growing(parts, room):
    growing = Growing(np.int32, room)
    for part in parts:
        growing.extend(np.array(part, np.int64))
    ref = [value for part in parts for value in part]
    assert growing.array.tolist() == ref
    assert len(growing) == len(ref)
    assert growing.array.dtype == np.int32
