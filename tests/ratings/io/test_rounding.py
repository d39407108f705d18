"""Ratings with more digits than 32 bits hold: which, and what becomes of them, is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd import read_ratings
from funksvd.ratings.io import plain
from funksvd.ratings.io.arrow import PIECE, first_rounded

KEPT = [0.0, 3.6, -0.1, 4.5, 1e-3, 16777216.0, 12.34567, 1e30, np.inf, np.nan, 1e300]
CHANGED = {
    16777217.0: "16777217 becomes 16777216",
    0.1234567891: "0.1234567891 becomes 0.12345679",
    -1.00000001: "-1.00000001 becomes -1",
}


def test_numbers():
    assert first_rounded(np.array([])) is None
    assert first_rounded(np.array(KEPT)) is None
    for value, says in CHANGED.items():
        assert first_rounded(np.array([*KEPT, value, 0.123456789123])) == says
        assert first_rounded(np.append(np.arange(2 * PIECE) / 1e5, value)) == says


@given(st.lists(st.floats(width=64) | st.decimals(-99, 99, places=3).map(float), max_size=9))
def test_against_what_is_written(values):
    with np.errstate(over="ignore"):
        narrow = np.array(values, np.float64).astype(np.float32)
    finite = [(old, new) for old, new in zip(values, narrow, strict=True) if np.isfinite(new)]
    changed = [old for old, new in finite if old not in (float(new), float(str(new)))]
    found = first_rounded(np.array(values, np.float64))
    assert (found is None) == (not changed)
    assert found is None or float(found.split()[0]) in changed


@pytest.mark.parametrize("kind", ["csv", "parquet", "kernel"])
@pytest.mark.parametrize("value", [None, *list(CHANGED)])
def test_sources(tmp_path, monkeypatch, kind, value):
    if kind == "kernel":
        monkeypatch.setattr(plain, "KERNEL_BYTES", 0)
    n = range(4)
    frame = pd.DataFrame({"user": n, "item": n, "rating": [3.5, 3.6, 4.0, value or 1.0]})
    path = tmp_path / "ratings"
    frame.to_parquet(path) if kind == "parquet" else frame.to_csv(path, index=False)
    report = read_ratings([path, path]).report
    assert report.rounded == CHANGED.get(value)
