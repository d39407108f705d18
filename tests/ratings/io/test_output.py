"""Tables written in batches."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from funksvd import RatingsError, WriteError
from funksvd.ratings import read_ratings, write_table

USERS = ["ann", 'b"o,b', "c\nd", "é"]
BATCHES = [
    {
        "user": np.array(USERS[:3], object),
        "item": np.array([1, -2, 2**60]),
        "rating": np.array([3.6, 1.0, 0.1], np.float32),
    },
    {
        "user": np.array(USERS[3:], object),
        "item": np.array([4]),
        "rating": np.array([2.5], np.float32),
    },
]
ITEMS = [1, -2, 2**60, 4]
RATINGS = [3.6, 1.0, 0.1, 2.5]


@pytest.fixture(params=["path", "binary", "text"])
def written(request, tmp_path):
    """Write as a format, and return the bytes."""

    def write(batches, kind):
        if request.param == "path":
            path = tmp_path / "out"
            n_rows = write_table(iter(batches), path, kind)
            assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
            return n_rows, path.read_bytes()
        if request.param == "binary" or kind == "parquet":  # Parquet is not text
            file = io.BytesIO()
            return write_table(batches, file, kind), file.getvalue()
        file = io.StringIO()
        return write_table(batches, file, kind), file.getvalue().encode()

    return write


def test_csv(written):
    n_rows, data = written(BATCHES, "csv")
    assert n_rows == 4
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert rows[0] == ["user", "item", "rating"]
    assert [row[0] for row in rows[1:]] == USERS
    assert [int(row[1]) for row in rows[1:]] == ITEMS
    assert [row[2] for row in rows[1:]] == ["3.6", "1", "0.1", "2.5"]


def test_csv_is_quoted_only_where_needed(written):
    assert written(BATCHES[1:], "csv")[1] == "user,item,rating\né,4,2.5\n".encode()


def test_parquet(written):
    n_rows, data = written(BATCHES, "parquet")
    table = pq.read_table(io.BytesIO(data))
    assert n_rows == 4
    assert table["user"].to_pylist() == USERS
    assert table["item"].to_pylist() == ITEMS
    assert table["rating"].to_pylist() == np.float32(RATINGS).tolist()


def test_libmf(written):
    batches = [
        {"user": np.array([0, 7]), "item": np.array([3, 2**31 - 1]), "rating": np.array([4.5, 2])},
        {"user": np.array([1]), "item": np.array([0]), "rating": np.array([3.6], np.float32)},
    ]
    for batch in batches:
        batch["timestamp"] = np.zeros(len(batch["user"]), int)
    assert written(batches, "libmf") == (3, b"0 3 4.5\n7 2147483647 2\n1 0 3.6\n")


@pytest.mark.parametrize("odd", [-1, 2**31, "x"])
@pytest.mark.parametrize("column", ["user", "item"])
def test_ids_that_libmf_does_not_know(tmp_path, column, odd):
    batch = {"user": np.array([1]), "item": np.array([1]), "rating": np.array([1.0])}
    batch[column] = np.array([odd])
    with pytest.raises(
        RatingsError, match=f"{column} ids have to be integers.*number them anew first"
    ):
        write_table([batch], tmp_path / "out", "libmf")
    assert list(tmp_path.iterdir()) == []


def test_json(written):
    n_rows, data = written(BATCHES, "json")
    assert n_rows == 4
    assert json.loads(data) == [
        {"user": user, "item": item, "rating": rating}
        for user, item, rating in zip(USERS, ITEMS, RATINGS, strict=True)
    ]
    assert b"3.6" in data


def test_nothing_to_write(written):
    assert json.loads(written([], "json")[1]) == []
    assert written([], "csv")[1] == b""


def test_numbers_that_are_not_finite(written):
    batch = [{"x": np.array([1.5, np.nan, np.inf]), "y": np.array([np.nan, 2, 3], np.float32)}]
    assert written(batch, "csv")[1] == b"x,y\n1.5,\n,2\n,3\n"
    assert json.loads(written(batch, "json")[1]) == [
        {"x": 1.5, "y": None},
        {"x": None, "y": 2.0},
        {"x": None, "y": 3.0},
    ]


def test_ratings_written_are_ratings_read(tmp_path):
    users = [f'u,{n}"{n}' for n in range(50)]
    batch = {
        "user": np.array(users, object),
        "item": np.arange(50),
        "rating": np.linspace(0.5, 5, 50, dtype=np.float32),
    }
    for kind in ("csv", "parquet"):
        write_table([batch], tmp_path / kind, kind)
        ratings = read_ratings(tmp_path / kind)
        assert ratings.user_ids[ratings.user_index].tolist() == users
        assert ratings.values.tolist() == batch["rating"].tolist()


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_no_half_file(tmp_path, kind):
    path = tmp_path / "out"
    path.write_text("old")

    def batches():
        yield BATCHES[0]
        raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        write_table(batches(), path, kind)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert path.read_text() == "old"


def test_errors(tmp_path):
    with pytest.raises(RatingsError, match="format must be one of"):
        write_table(BATCHES, tmp_path / "out", "xml")
    with pytest.raises(WriteError, match=r"out cannot be written: the folder .*no does not exist"):
        write_table(BATCHES, tmp_path / "no" / "out", "csv")


class Sluggish(io.RawIOBase):
    """A raw stream that takes ten bytes at a time."""

    def __init__(self):
        self.taken = b""

    def writable(self):
        return True

    def write(self, data):
        self.taken += bytes(data)[:10]
        return min(10, len(data))


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_raw_stream_gets_every_byte(kind):
    batch = {"user": np.arange(1000), "title": np.array(["x" * 30] * 1000, dtype=object)}
    whole, stream = io.BytesIO(), Sluggish()
    write_table([batch], whole, kind)
    write_table([batch], stream, kind)
    assert stream.taken == whole.getvalue()
    assert not stream.closed
