"""Tables that have types: pandas, polars and Arrow in memory, Parquet and Feather files."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from funksvd import RatingsError
from funksvd.ratings import read_ids, read_pairs, read_ratings

COLUMNS = {
    "userId": ["b", "a", "b"],
    "movieId": [20, 10, 10],
    "rating": [4.0, 3.5, 0.5],
    "timestamp": [7, 8, 9],
}

MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


def message(source, **options) -> str:
    with pytest.raises(RatingsError) as caught:
        read_ratings(source, **options)
    return str(caught.value)


def assert_read(ratings) -> None:
    assert ratings.user_ids[ratings.user_index].tolist() == COLUMNS["userId"]
    assert ratings.item_ids[ratings.item_index].tolist() == COLUMNS["movieId"]
    assert ratings.item_ids.dtype == np.int64
    assert ratings.values.tolist() == COLUMNS["rating"]
    assert ratings.values.dtype == np.float32
    assert ratings.timestamps.tolist() == COLUMNS["timestamp"]


@pytest.fixture(params=list(MAKERS))
def make(request):
    return MAKERS[request.param]


def test_tables_in_memory(make):
    ratings = read_ratings(make(COLUMNS))
    assert_read(ratings)
    assert ratings.report.source == f"the {make.__module__.partition('.')[0]} table"
    assert "columns userId movieId rating timestamp" in ratings.report.detected
    assert ratings.report.files == []


def test_other_arrow_sources():
    batch = pa.record_batch(COLUMNS)
    assert_read(read_ratings(batch))
    assert_read(read_ratings(pa.RecordBatchReader.from_batches(batch.schema, [batch])))
    assert_read(
        read_ratings(pa.concat_tables([pa.table(batch.slice(0, 1)), pa.table(batch.slice(1))]))
    )


@pytest.mark.parametrize(
    ("save", "kind"),
    [
        (pq.write_table, "Parquet"),
        (pyarrow.feather.write_feather, "Feather"),
        (lambda table, path: table.to_pandas().to_feather(path), "Feather"),
        (lambda table, path: table.to_pandas().to_parquet(path), "Parquet"),
    ],
)
def test_files(tmp_path, save, kind):
    path = tmp_path / "ratings.what"
    save(pa.table({**COLUMNS, "extra": [[1], [], [2]]}), str(path))
    ratings = read_ratings(path)
    assert_read(ratings)
    assert ratings.report.detected == f"{path}: {kind}, columns userId movieId rating timestamp"
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path} is a damaged or incomplete {kind} file" in message(path)


def test_categories(make):
    frame = {
        "pandas": lambda: pd.DataFrame(COLUMNS).astype(
            {"userId": "category", "movieId": "category"}
        ),
        "polars": lambda: pl.DataFrame(COLUMNS).with_columns(pl.col("userId").cast(pl.Categorical)),
        "pyarrow": lambda: pa.table(
            {**COLUMNS, "userId": pa.array(COLUMNS["userId"]).dictionary_encode()}
        ),
    }[make.__module__.partition(".")[0]]
    assert_read(read_ratings(frame()))


def test_text_ids_stay_text_whatever_they_look_like(make):
    ratings = read_ratings(make({"user": ["7", "8"], "item": [1, 2], "rating": [1, 2]}))
    assert ratings.user_ids.tolist() == ["7", "8"]


def test_blanks_around_ids_do_not_count(make):
    ratings = read_ratings(make({"user": [" a", "a\u00a0"], "item": [1, 2], "rating": [1, 2]}))
    assert ratings.user_ids.tolist() == ["a"]
    assert ratings.user_index.tolist() == [0, 0]
    found = message(make({"user": ["a", " \t"], "item": [1, 2], "rating": [1, 2]}))
    assert "row 2: user is missing" in found


def test_index_of_a_data_frame_can_be_a_column():
    assert_read(read_ratings(pd.DataFrame(COLUMNS).set_index("userId")))


def test_kinds_of_ratings():
    base = pa.table({"user": [1, 2], "item": [1, 2]})
    for column in (
        pa.array([3, 4], pa.int8()),
        pa.array([3, 4], pa.float32()),
        pa.array([decimal.Decimal("3.0"), decimal.Decimal("4.0")]),
        pa.array([3, 4], pa.uint64()),
    ):
        assert read_ratings(base.append_column("rating", column)).values.tolist() == [3.0, 4.0]
    for column in (pa.array(["3", "4"]), pa.array([True, False])):
        assert "ratings must be numbers" in message(base.append_column("rating", column))


def test_kinds_of_timestamps():
    base = pa.table({"user": [1, 2], "item": [1, 2], "rating": [3, 4]})
    day = datetime.date(2005, 9, 6)
    midnight = datetime.datetime(2005, 9, 6)
    seconds = 1125964800
    for column in (
        pa.array([seconds] * 2, pa.int32()),
        pa.array([float(seconds), seconds + 0.9]),
        pa.array([day] * 2),
        pa.array([midnight] * 2, pa.timestamp("ns")),
        pa.array([midnight] * 2, pa.timestamp("us", "Europe/Vienna")),
        pa.array(["2005-09-06"] * 2),
    ):
        table = base.append_column("timestamp", column)
        assert read_ratings(table).timestamps.tolist() == [seconds] * 2, column.type
    before = pa.array([-1, -1999]).cast(pa.int64()).view(pa.timestamp("ms"))
    assert read_ratings(base.append_column("timestamp", before)).timestamps.tolist() == [-1, -2]
    for column in (pa.array([[1], [2]]), pa.array([True, False])):
        assert 'timestamp_col="none"' in message(base.append_column("timestamp", column))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("rating", None, "rating is missing"),
        ("rating", float("inf"), "rating inf cannot be used"),
        ("rating", 1e39, "rating 1e+39 cannot be used"),
        ("userId", None, "user is missing"),
        ("userId", "", "user is missing"),
        ("timestamp", None, "timestamp is missing"),
    ],
)
def test_bad_rows(make, column, value, reason):
    table = make({**COLUMNS, column: [COLUMNS[column][0], value, COLUMNS[column][2]]})
    found = message(table)
    assert "1 of 3 rows cannot be used:\n  row 2: " + reason in found
    assert 'on_bad_rows="skip"' in found
    ratings = read_ratings(table, on_bad_rows="skip")
    assert ratings.item_ids[ratings.item_index].tolist() == [20, 10]
    assert ratings.report.n_bad_rows == 1
    assert ", row 2: " in str(ratings.report.bad_rows[0])


def test_nan_is_a_bad_rating():
    assert "row 2" in message(pl.DataFrame({**COLUMNS, "rating": [1.0, float("nan"), 2.0]}))


@pytest.mark.parametrize(
    "bits",
    [
        np.array([0x7FF0000000000001, 0x4008000000000000], np.uint64).view(np.float64),
        np.array([0x7F800001, 0x40400000], np.uint32).view(np.float32),
    ],
)
def test_a_nan_that_processors_signal_is_a_bad_rating_without_a_warning(bits):
    table = pa.table({"user": [1, 2], "item": [1, 2], "rating": bits})
    assert read_ratings(table, on_bad_rows="skip").values.tolist() == [3]


def test_float_ids():
    found = message(pd.DataFrame({**COLUMNS, "movieId": [20, None, 10]}))
    assert "'movieId'" in found
    assert "because 1 is missing: drop those rows and convert it, .astype('int64')" in found
    found = message(pd.DataFrame({**COLUMNS, "movieId": [20.0, 1.0, 10.0]}))
    assert ".astype('int64')" in found
    assert "missing" not in found
    assert "text" in message(pd.DataFrame({**COLUMNS, "movieId": [20.5, 1.0, 10.0]}))
    small = pa.table({**COLUMNS, "movieId": pa.array([20, 1, 10], pa.float32())})
    assert ".astype('int64')" in message(small)


def test_other_ids_that_cannot_be(make):
    assert "integers or text" in message(pa.table({**COLUMNS, "movieId": [True, False, True]}))
    huge = pa.table({**COLUMNS, "movieId": pa.array([2**63, 1, 2], pa.uint64())})
    assert "64 bits" in message(huge)
    mixed = pd.DataFrame({**COLUMNS, "userId": ["a", 1, "b"]})
    assert "single type" in message(mixed)


def test_columns_of_tables():
    table = pa.table({"who": [1], "what": [2], "rating": [3.0]})
    found = message(table)
    assert "who, what, rating" in found
    assert "user_col=" in found
    ratings = read_ratings(table, user_col="who", item_col=2)
    assert (ratings.user_ids.tolist(), ratings.item_ids.tolist()) == ([1], [2])
    assert "no rows" in message(pa.table(COLUMNS).slice(0, 0))


def test_pairs_and_ids(make):
    table = make({"item": [5, 6], "user": ["x", "y"]})
    users, items, _ = read_pairs(table)
    assert (users.tolist(), items.tolist()) == (["x", "y"], [5, 6])
    assert read_ids(table)[0].tolist() == ["x", "y"]


def test_lazy_frames_and_series_are_no_tables():
    for source in (pl.LazyFrame(COLUMNS), pl.Series([1, 2]), np.zeros((3, 3))):
        assert "table" in message(source)
