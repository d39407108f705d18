"""Folders of parts, as other programs write tables, and files at addresses."""

import gzip
import io

import numpy as np
import pandas as pd
import pytest

from funksvd import RatingsError, read_ratings
from funksvd.ratings import read_titles
from funksvd.ratings.io import addresses


def part(at, n=5):
    return pd.DataFrame({"user": [f"u{at}"] * n, "item": range(n), "rating": [1 + at] * n})


def users(ratings):
    return list(dict.fromkeys(ratings.user_ids[ratings.user_index].tolist()))


@pytest.fixture
def folder(tmp_path):
    """Three parts, in an order that is not that of their making."""
    for at, name in enumerate(["y=2024/m=02/part-0", "y=2023/m=12/part-1", "y=2024/m=01/a"]):
        path = tmp_path / "in" / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        part(at).to_parquet(path)
    return tmp_path / "in"


def test_parts_in_folders_of_any_depth_are_read_by_name(folder):
    ratings = read_ratings(folder)
    assert users(ratings) == ["u1", "u2", "u0"]
    assert ratings.report.files == [str(folder)]
    assert len(ratings) == 15


def test_marks_and_hidden_files_are_no_parts(folder):
    (folder / "_SUCCESS").touch()
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "part-9.parquet").write_text("half")
    (folder / "y=2024" / ".part-0.parquet.crc").write_text("x")
    assert users(read_ratings(folder)) == ["u1", "u2", "u0"]


def test_parts_of_different_kinds_are_refused(folder):
    (folder / "notes.csv").write_text("user,item,rating\n1,1,1\n")
    with pytest.raises(RatingsError, match="nothing in this folder looks like ratings"):
        read_ratings(folder)


@pytest.mark.parametrize("packed", [False, True])
def test_parts_of_text_have_numbers(tmp_path, packed):
    for at in range(3):
        text = part(at).to_csv(index=False).encode()
        name = tmp_path / f"part-{at}.csv{'.gz' * packed}"
        name.write_bytes(gzip.compress(text) if packed else text)
    assert users(read_ratings(tmp_path)) == ["u0", "u1", "u2"]
    (tmp_path / f"links.csv{'.gz' * packed}").write_text("a,b\n1,2\n")
    with pytest.raises(RatingsError, match="nothing in this folder looks like ratings"):
        read_ratings(tmp_path)


def test_a_data_set_as_published_comes_before_parts(folder):
    (folder / "ratings.csv").write_text("user,item,rating\nann,1,1\n")
    assert users(read_ratings(folder)) == ["ann"]


def test_titles_are_not_looked_for_in_parts(folder):
    with pytest.raises(RatingsError, match="looks like titles"):
        read_titles(folder)


@pytest.fixture
def memory():
    """fsspec's memory, with the files that are put there."""
    system = pytest.importorskip("fsspec").filesystem("memory")
    system.pipe("/lake/p=1/part-0.parquet", part(0).to_parquet())
    system.pipe("/lake/p=0/part-0.parquet", part(1).to_parquet())
    system.pipe("/ml/ratings.csv", part(2).to_csv(index=False).encode())
    system.pipe("/ml/movies.csv", b"movieId,title\n1,One\n")
    yield system
    system.rm("/", recursive=True)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("memory://lake", ["u1", "u0"]),
        ("memory://lake/p=1/", ["u0"]),
        ("memory://lake/p=1/part-0.parquet", ["u0"]),
        ("memory://ml", ["u2"]),
    ],
)
def test_addresses(memory, address, found):
    ratings = read_ratings(address)
    assert users(ratings) == found
    assert ratings.report.files == [address]
    assert ratings.report.source.startswith(address.rstrip("/"))


def test_only_what_is_needed_of_a_parquet_file_is_read_from_afar(memory, monkeypatch):
    n = 200_000
    wide = pd.DataFrame({"user": np.arange(n), "item": np.arange(n) % 7, "rating": 3.0})
    wide["text"] = [str(number) * 5 for number in np.random.default_rng(0).random(n)]
    content = wide.to_parquet(index=False)
    memory.pipe("/lake/wide.parquet", content)
    n_bytes = []

    def read(file, n=-1):
        n_bytes.append(len(data := io.BytesIO.read(file, n)))
        return data

    kind = type(memory.open("/lake/wide.parquet"))
    monkeypatch.setattr(kind, "read", read, raising=False)
    assert len(read_ratings("memory://lake/wide.parquet")) == n
    assert 10**6 < sum(n_bytes) < len(content) / 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("memory://nowhere", "memory://nowhere: there is no such file"),
        ("nosuch://lake", "nosuch://lake cannot be read"),
    ],
)
def test_addresses_of_nothing(memory, address, message):
    with pytest.raises(RatingsError, match=message):
        read_ratings(address)


def test_fsspec_that_is_missing_is_asked_for(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(RatingsError, match=r"fsspec, which is not installed.*\[cluster\]"):
        read_ratings("s3://bucket/ratings")


@pytest.mark.parametrize("path", ["C:\\x.csv", "a/b.csv", "-", "x:y.csv", "://x"])
def test_paths_are_no_addresses(path):
    assert not addresses.is_address(path)
