"""Whatever is read, shards know of it what `read_ratings` knows."""

import bz2
import gzip
import zipfile

import numpy as np
import pandas as pd
import pytest
from cluster.made import InMemory, check_driver, check_parts, made_up
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funksvd import Ratings, RatingsError, hold_out
from funksvd.cluster import preparing, spool
from funksvd.ratings import ReadOptions, read_ratings
from funksvd.ratings.io import builders, lines, segments, streams, tables
from funksvd.ratings.io.chunks import concatenated
from funksvd.splitting import random_split

WANTED = {"test_fraction": 0.2, "validation_fraction": 0.1, "seed": 3}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Chunks of a few lines, pieces of a few chunks, buckets of a few users."""
    monkeypatch.setattr(segments, "SEGMENT_BYTES", 200)
    monkeypatch.setattr(lines, "BLOCK_SIZE", 150)
    monkeypatch.setattr(tables, "BATCH_ROWS", 13)
    monkeypatch.setattr(builders, "UNSETTLED_BYTES", 100)
    monkeypatch.setattr("funksvd.ratings.io.distinct.UNSETTLED_BYTES", 100)
    monkeypatch.setattr(streams, "PARTITION_ROWS", 50)
    monkeypatch.setattr(spool, "PIECE_ROWS", 40)
    monkeypatch.setattr(preparing, "BUCKET_ROWS", 30)


def check(shards, paths, options=None, n_workers=2, n_groups=3, wanted=WANTED):
    """Compare shards with ratings in memory."""
    paths = list(map(str, paths))
    options = options or ReadOptions()
    ratings, workers = shards(paths, n_workers, options, n_groups=n_groups, **wanted)
    reference = InMemory.of(paths, options, wanted, n_groups)
    check_parts(workers, "search", reference.plan)
    check_parts(workers, "refit", reference.plan.with_all_learned())
    check_driver(ratings, reference)


def frame(n_rows, seed, n_users=30, n_items=20):
    random = np.random.default_rng(seed)
    pairs = random.permutation(n_users * n_items)[:n_rows]
    table = pd.DataFrame({"user": pairs // n_items, "item": pairs % n_items})
    table["rating"] = random.integers(1, 6, n_rows)
    return table


def parquet(path, table, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False, **options)
    return path


def test_groups_of_rows_are_partitions(shards, tmp_path):
    path = parquet(tmp_path / "r.parquet", frame(400, 0), row_group_size=30)
    parts = streams.partitions([str(path)], ReadOptions())
    assert [part.n_rows for part in parts] == [60] * 6 + [40]
    assert [part.first_row for part in parts] == list(range(0, 400, 60))
    check(shards, [path], n_workers=4)


@pytest.mark.parametrize("kind", ["text", "large integers", "negative", "few become large"])
def test_typed_ids(shards, tmp_path, kind):
    table = frame(400, 1)
    users = table["user"]
    table["user"] = {
        "text": users.astype(str) + "é",
        "large integers": users + 2**40,
        "negative": users - 10,
        "few become large": users.where(users < 29, 2**50),
    }[kind]
    check(shards, [parquet(tmp_path / "r.parquet", table, row_group_size=50)])


def test_a_folder_of_parts_in_folders(shards, tmp_path):
    for at, date in enumerate(["2024-01-01", "2024-01-02", "2024-02-01"]):
        parquet(tmp_path / "in" / f"date={date}" / "part-0.parquet", frame(200, at))
    (tmp_path / "in" / "_SUCCESS").touch()
    check(shards, [tmp_path / "in"])


def test_a_partition_opens_its_own_file_only(tmp_path, monkeypatch):
    for at in range(4):
        parquet(tmp_path / f"part-{at}.parquet", frame(40, at))
    parts = streams.partitions([str(tmp_path)], ReadOptions())
    for at in range(3):
        (tmp_path / f"part-{at}.parquet").unlink()
    assert parts[3].read(ReadOptions(), concatenated).n_rows == 40


def test_integers_of_one_file_are_text_where_another_has_text(shards, tmp_path):
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text(made_up(20, 10, 150, 0))
    two.write_text(made_up(20, 10, 150, 1, text=True))
    check(shards, [one, two])
    one.write_text(made_up(20, 10, 150, 0) + "007,3,5\n")
    check(shards, [one])


def test_ids_that_only_bad_rows_have_do_not_count(shards, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(made_up(20, 10, 150, 0) + "x,1,bad\n-5,2,5\n3,3,4\n")
    check(shards, [path], ReadOptions(on_bad_rows="skip"))


def test_typed_integers_and_typed_text_do_not_go_together(shards, tmp_path):
    one = parquet(tmp_path / "a.parquet", frame(50, 0))
    two = parquet(tmp_path / "b.parquet", frame(50, 0).astype({"user": str}))
    with pytest.raises(RatingsError, match="do not go together"):
        shards([one, two])


@pytest.mark.parametrize("policy", ["last", "first", "mean", "error"])
@pytest.mark.parametrize("times", [False, True])
def test_repeated_pairs(shards, tmp_path, policy, times):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for at, path in enumerate(paths):
        path.write_text(made_up(15, 10, 100, at, times=times))
    options = ReadOptions(duplicates=policy)
    if policy != "error":
        check(shards, paths, options)
        return
    with pytest.raises(RatingsError) as ref:
        read_ratings(paths, options)
    with pytest.raises(RatingsError) as comp:
        shards(paths, 2, options)
    assert str(comp.value) == str(ref.value)


def test_times_of_different_units_become_seconds(shards, tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text(made_up(15, 10, 100, 0, times=True))
    lines = made_up(15, 10, 100, 1, times=True).splitlines()
    paths[1].write_text("\n".join([lines[0], *(f"{line}123" for line in lines[1:])]) + "\n")
    check(shards, paths)
    paths[1].write_text(made_up(15, 10, 100, 0))  # without times: then there are none
    check(shards, paths)


def test_times_of_one_file_must_be_of_one_unit(shards, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("user,item,rating,timestamp\n1,1,3,1100000000\n1,2,4,1100000000000\n")
    with pytest.raises(RatingsError) as ref:
        read_ratings(path)
    with pytest.raises(RatingsError, match="different units") as comp:
        shards([path])
    assert str(comp.value) == str(ref.value)


def test_packed_files_and_archives(shards, tmp_path):
    text = made_up(20, 15, 200, 0).encode()
    paths = [tmp_path / "a.csv.gz", tmp_path / "b.csv.bz2", tmp_path / "c.zip"]
    paths[0].write_bytes(gzip.compress(text))
    paths[1].write_bytes(bz2.compress(text))
    with zipfile.ZipFile(paths[2], "w") as archive:
        archive.writestr("ml/ratings.csv", text)
        archive.writestr("ml/movies.csv", "movieId,title\n")
    check(shards, paths)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_netflix_files(shards, tmp_path, line_end):
    random = np.random.default_rng(0)
    folder = tmp_path / "training_set"
    folder.mkdir()
    for movie in range(1, 15):
        users = random.permutation(40)[: random.integers(0, 25)] + 1
        rows = [f"{u},{random.integers(1, 6)},2005-09-0{1 + u % 9}" for u in users]
        name = folder / f"mv_{movie:07}.txt"
        name.write_text(line_end.join([f"{movie}:", *rows]) + line_end, newline="")
    check(shards, [folder])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_bad_rows_are_named(shards, tmp_path, suffix):
    path = tmp_path / f"r.{suffix}"
    if suffix == "csv":
        rows = made_up(20, 15, 200, 0).splitlines()
        rows[150], rows[160] = "1,2,five", "1,,5"
        path.write_text("\n".join(rows) + "\n")
    else:
        table = frame(200, 0).astype({"rating": float})
        table.loc[[150, 170], "rating"] = np.nan
        parquet(path, table, row_group_size=40)
    with pytest.raises(RatingsError) as ref:
        read_ratings(path)
    with pytest.raises(RatingsError, match=r"15[01]: ") as comp:
        shards([path])
    assert str(comp.value) == str(ref.value)
    check(shards, [path], ReadOptions(on_bad_rows="skip"))


def test_a_source_without_ratings_is_refused(shards, tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("user,item\n1,2\n2,3\n")
    with pytest.raises(RatingsError, match="rating"):
        shards([path])


def test_standard_input_is_refused(shards, monkeypatch, tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(made_up(5, 5, 20, 0))
    with open(path) as file:
        monkeypatch.setattr("sys.stdin", file)
        with pytest.raises(RatingsError, match="can be read only once"):
            shards(["-"])


def test_addresses(shards, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for at in range(3):
        path = parquet(tmp_path / f"part-{at}.parquet", frame(150, at))
        memory.pipe(f"/lake/ratings/y={at}/part.parquet", path.read_bytes())
    memory.pipe("/lake/one.csv.gz", gzip.compress(made_up(20, 15, 200, 0).encode()))
    try:
        check(shards, ["memory://lake/ratings/"])
        check(shards, ["memory://lake/one.csv.gz"])
        check(shards, [f"file://{tmp_path}/part-1.parquet"])
        with pytest.raises(RatingsError, match="memory://lake/none: there is no such file"):
            shards(["memory://lake/none"])
        with pytest.raises(RatingsError, match="nosuch://x cannot be read"):
            shards(["nosuch://x"])
    finally:
        memory.rm("/lake", recursive=True)


@pytest.mark.parametrize("n", [2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(4))
def test_of_a_few_ratings_nothing_is_spared_that_is_needed(shards, tmp_path, n, seed):
    path = tmp_path / "r.csv"
    rows = "".join(f"{row},{row % 3},{1 + (row == seed % n)}\n" for row in range(n))
    path.write_text("user,item,rating\n" + rows)
    wanted = {"test_fraction": 0.6, "validation_fraction": 0.5, "seed": seed}
    check(shards, [path], n_groups=1, wanted=wanted)


def test_a_part_that_was_drawn_before_is_refused(shards, tmp_path):
    whole = Ratings.from_arrays(*np.divmod(np.arange(2000), 40), np.arange(2000) % 5)
    rest, part = random_split(whole, 0.3, seed=3)
    path = tmp_path / "r.csv"
    for ratings in (rest, part):
        ratings.to_pandas().to_csv(path, index=False)
        with pytest.raises(RatingsError) as ref:
            hold_out(read_ratings(path), test_fraction=0.3, seed=3)
        with pytest.raises(RatingsError, match="another seed=") as comp:
            shards([path], test_fraction=0.3, seed=3)
        assert str(comp.value) == str(ref.value)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_ratings(shards, tmp_path_factory, data):
    draw = data.draw
    folder = tmp_path_factory.mktemp("any")
    paths = [folder / f"{at}.csv" for at in range(draw(st.integers(1, 3)))]
    text, times = draw(st.booleans()), draw(st.booleans())
    for path in paths:
        shape = [draw(st.integers(2, 40)), draw(st.integers(2, 30)), draw(st.integers(20, 200))]
        path.write_text(made_up(*shape, draw(st.integers(0, 99)), text=text, times=times))
    options = ReadOptions(duplicates=draw(st.sampled_from(["last", "first", "mean"])))
    check(shards, paths, options, draw(st.integers(1, 5)), draw(st.integers(1, 6)))
