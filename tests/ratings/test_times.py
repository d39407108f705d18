"""Units of timestamps: told by their size, and the same on both sides of every comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd import FunkSVD, Ratings, RatingsError, find_additions, hold_out, read_ratings
from funksvd.ratings.times import (
    LARGEST,
    UNITS,
    USUAL,
    TimeTally,
    check_one_unit,
    days_of,
    in_one_unit,
    in_seconds,
    unit_of,
)

SECONDS = np.array([0, 1_600_000_001, 1_700_000_000, 1_650_000_000])
FACTORS = {name: n for name, n in UNITS.items() if n > 1}


@pytest.mark.parametrize(("unit", "n"), UNITS.items())
def test_units(unit, n):
    times = SECONDS * n + (n - 1)
    assert unit_of(times) == unit
    assert in_seconds(times).tolist() == SECONDS.tolist()
    assert in_one_unit([times, times])[0] is times
    comp = in_one_unit([times, SECONDS, np.zeros(2, np.int64)])
    assert [column.tolist() for column in comp] == [SECONDS.tolist()] * 2 + [[0, 0]]
    check_one_unit(SECONDS * n, "")
    check_one_unit(np.append(SECONDS * n, [-1, 5, SECONDS[1]]), "")
    assert unit_of(-SECONDS * n) == unit


@pytest.mark.parametrize("n", UNITS.values())
def test_days(n):
    dates = ["2005-09-05T23:59:59", "2005-09-06", "2005-09-06T23:59:59", "2031-01-01", "1969-12-31"]
    times = np.array(dates, "datetime64[s]").astype(np.int64) * n
    days = np.array(dates[:4], "datetime64[D]").astype(np.int64).tolist()
    comp = days_of(np.append(times, 0))
    assert comp.tolist() == [*days, -1, -1]
    assert comp.dtype == np.int32
    assert days_of(times[1:2]).tolist() == days[1:2]  # the size of a single one tells its unit


def test_days_that_are_too_far_are_not_known():
    far = np.array([2**62, 86400 * (2**31 - 1), 86400 * (2**31 - 2), *[1] * 4], np.int64)
    assert days_of(far).tolist() == [-1, -1, 2**31 - 2, *[0] * 4]


def test_times_that_are_no_dates():
    for times in ([], [0, 0], [1, 2, 3], [-(2**63), 2**63 - 1, 5], list(range(0, 10**12, 10**10))):
        check_one_unit(np.array(times, np.int64), "")
    assert [unit_of(np.array(times, np.int64)) for times in ([], [0], [1])] == ["seconds"] * 3
    assert unit_of(np.array([2**63 - 1])) == "nanoseconds"
    many = np.full(100_000, 1_600_000_000_000)
    many[5] = 7
    assert unit_of(many) == "milliseconds"


def table(times: np.ndarray) -> pd.DataFrame:
    n = np.arange(len(times))
    return pd.DataFrame({"user": n, "item": n, "rating": 1.0 + n % 5, "timestamp": times})


def save(kind: str, frame: pd.DataFrame, path) -> str:
    path = f"{path}.{kind}"
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path)
    return path


def test_missing_times_do_not_tell_a_unit():
    times = np.array([0] * 9 + [1_700_000_000_000])
    tally = TimeTally()
    tally.add(times)
    assert unit_of(times) == tally.unit == "milliseconds"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_source_keeps_its_unit_and_says_so(tmp_path, kind):
    for unit, n in FACTORS.items():
        path = save(kind, table(SECONDS * n + 7), tmp_path / unit)
        ratings = read_ratings(path)
        assert ratings.time_unit == unit
        assert ratings.timestamps.tolist() == (SECONDS * n + 7).tolist()
        assert ratings.report.detected.endswith(
            f"columns user item rating timestamp, timestamps in {unit}"
        )
        other = save(kind, table(SECONDS).assign(user=9), tmp_path / "seconds")
        both = read_ratings([path, other])
        assert both.timestamps.tolist() == [*SECONDS.tolist(), *SECONDS.tolist()]
        assert (
            both.timestamps.tolist() == ratings.joined_with(read_ratings(other)).timestamps.tolist()
        )
    assert "timestamps in" not in read_ratings(other).report.detected


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_units_in_one_source(tmp_path, kind):
    mixed = np.array([1_600_000_000, 1_700_000_000_000, 1_600_000_001])
    path = save(kind, table(mixed), tmp_path / "mixed")
    says = (
        r"timestamps are in different units: 2 count seconds \(like 1600000000\) and 1 count "
        r'milliseconds \(like 1700000000000\).* timestamp_col="none"'
    )
    with pytest.raises(RatingsError, match=f"^{path}: {says}"):
        read_ratings(path)
    assert read_ratings(path, timestamp_col="none").timestamps is None
    with pytest.raises(RatingsError, match=r"^the timestamps: "):
        Ratings.from_arrays([1, 2, 3], [1, 2, 3], [1, 2, 3], mixed)


def test_an_update_in_another_unit(tmp_path):
    """A model of ratings in milliseconds gets newer and older ones in seconds."""
    path, newer, older = (tmp_path / f"{name}.parquet" for name in ("old", "newer", "older"))
    frame = table(np.arange(1_600_000_000, 1_600_000_040) * 1000).assign(user=lambda t: t.user % 8)
    frame.to_parquet(path)
    old = read_ratings(path)
    model = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0).fit(old)
    model.remember_origin(hold_out(old, test_fraction=0))
    again = frame[:1].assign(rating=5.0)
    again.assign(timestamp=1_700_000_000).to_parquet(newer)
    again.assign(timestamp=1_500_000_000).to_parquet(older)
    additions = find_additions(model, read_ratings(newer))
    assert (additions.n_changed, additions.n_older) == (1, 0)
    learned = additions.holdout.all_but_test
    assert learned.values[learned.item_index == 0].tolist() == [5.0]
    assert learned.time_unit == "seconds"
    additions = find_additions(model, read_ratings(older))
    assert (additions.n_changed, additions.n_older) == (0, 1)
    assert old.has_fingerprint(model.provenance.ratings.fingerprint)


TIMES = st.one_of(
    st.just(0),
    *(st.integers(LARGEST * n // 100, LARGEST * n - 1) for n in UNITS.values()),
    *(st.integers(USUAL[0] * n - 2, USUAL[0] * n + 2) for n in UNITS.values()),
    st.integers(-(10**12), 10**12),
)


@given(st.lists(TIMES, min_size=1, max_size=30), st.integers(1, 7))
def test_what_parts_of_a_column_tell_is_what_all_of_it_tells(times, n_at_once):
    times = np.array(times)
    tally = TimeTally()
    for start in range(0, len(times), n_at_once):
        tally.add(times[start : start + n_at_once])
    assert tally.has_times == times.any()
    known = np.sort(np.abs(times[times != 0]))
    if len(known):  # the upper one of two in the middle
        assert tally.unit == unit_of(known[len(known) // 2 :][:1])
    found = []
    for check in (lambda: check_one_unit(times, "x"), lambda: tally.check("x")):
        try:
            check()
            found.append(None)
        except RatingsError as error:
            found.append(str(error))
    assert found[0] == found[1]
