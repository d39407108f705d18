"""Damaged Parquet and Feather files, and tables in memory: Arrow trusts what it reads."""

from __future__ import annotations

import io
import struct

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from funksvd import RatingsError, read_titles
from funksvd.ratings import read_ids, read_interactions, read_pairs, read_ratings

LONG = "a text too long for a view"
KINDS = {
    "text": (pa.array(["a", "b", "c"]), "<4i", (0, 1, 2, 3)),
    "large text": (pa.array(["a", "b", "c"], pa.large_string()), "<4q", (0, 1, 2, 3)),
    "category": (pa.array(["a", "b", "c"]).dictionary_encode(), "<3i4x", (0, 1, 2)),
    "view": (
        pa.array([LONG] * 3, pa.string_view()),
        "<i4s2i",
        (len(LONG), LONG[:4].encode(), 0, 0),
    ),
}
READERS = [read_ratings, read_pairs, read_ids, read_interactions]


def table_of(users: pa.Array) -> pa.Table:
    return pa.table({"user": users, "item": [7, 8, 9], "rating": [1.5, 2.5, 3.5]})


def feather(table: pa.Table, compression: str = "uncompressed") -> bytes:
    file = io.BytesIO()
    pyarrow.feather.write_feather(table, file, compression=compression)
    return file.getvalue()


def parquet(table: pa.Table, **options) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def replaced(raw: bytes, old: bytes, new: bytes) -> bytes:
    """The bytes with the last of the old ones replaced: before it may stand statistics."""
    assert old in raw
    at = raw.rindex(old)
    return raw[:at] + new + raw[at + len(old) :]


def message(source, reader=read_ratings) -> str:
    with pytest.raises(RatingsError) as caught:
        reader(source)
    return str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("kind", "damaged"),
    [
        ("text", (0, 1, 0x7FFFFFFF, 3)),
        ("text", (0, -5000, 2, 3)),
        ("text", (0, 1, 2, 3000)),
        ("large text", (0, 1, 1 << 40, 3)),
        ("category", (0, 70_000, 2)),
        ("view", (len(LONG), LONG[:4].encode(), 0, 1 << 30)),
        ("view", (len(LONG), LONG[:4].encode(), 9, 0)),
    ],
)
def test_offsets_out_of_bounds(tmp_path, kind, damaged, reader):
    users, layout, sound = KINDS[kind]
    path = tmp_path / "ratings.feather"
    raw = feather(table_of(users))
    path.write_bytes(raw)
    reader(path)
    path.write_bytes(replaced(raw, struct.pack(layout, *sound), struct.pack(layout, *damaged)))
    assert f"{path} is a damaged or incomplete Feather file" in message(path, reader)


@pytest.mark.parametrize("kind", ["text", "category", "view"])
def test_tables_in_memory_out_of_bounds(kind):
    users = {
        "text": pa.Array.from_buffers(
            pa.string(),
            3,
            [None, pa.py_buffer(struct.pack("<4i", 0, 1, 1 << 30, 3)), pa.py_buffer(b"abc")],
        ),
        "category": pa.DictionaryArray.from_arrays(pa.array([0, 9, 1]), ["a", "b"], safe=False),
        "view": pa.Array.from_buffers(
            pa.string_view(), 3, [None, pa.py_buffer(struct.pack("<i4s2i", 30, b"abcd", 0, 0) * 3)]
        ),
    }[kind]
    for reader in READERS:
        assert "the pyarrow table is damaged" in message(table_of(users), reader)


def test_views_of_missing_texts_may_point_anywhere():
    valid, views, text = pa.array([LONG, None, LONG], pa.string_view()).buffers()
    anything = bytearray(views.to_pybytes())
    anything[16:32] = struct.pack("<4i", -(1 << 31), 0, 77, 1 << 30)
    users = pa.Array.from_buffers(pa.string_view(), 3, [valid, pa.py_buffer(anything), text])
    ratings = read_ratings(table_of(users), on_bad_rows="skip")
    assert ratings.user_ids.tolist() == [LONG]
    assert ratings.values.tolist() == [1.5, 3.5]


@pytest.mark.parametrize("write", [feather, parquet])
def test_name_of_a_column_that_is_not_text(tmp_path, write):
    path = tmp_path / "ratings"
    raw = write(pa.table({"user": [1], "item": [2], "rating": [3.0], "when!": [4]}))
    path.write_bytes(raw.replace(b"when!", b"when\xff"))
    found = message(path)
    assert str(path) in found
    assert r"the name of a column is not UTF-8 text, but b'when\xff'" in found


def test_length_of_a_compressed_column_that_no_memory_holds(tmp_path):
    path = tmp_path / "ratings.feather"
    raw = feather(table_of(pa.array(["abc" * 500] * 3)), "lz4")
    sound = struct.pack("<q", 4500)
    path.write_bytes(replaced(raw, sound, struct.pack("<q", 1 << 60)))
    assert f"{path} is a damaged or incomplete Feather file" in message(path)


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    path = tmp_path / "ratings.feather"
    path.write_bytes(feather(table_of(pa.array([1, 2, 3]))))

    def fail(*arguments, **options):
        raise pa.ArrowMemoryError("malloc of size 2000 failed")

    monkeypatch.setattr(pa.ipc, "open_file", fail)
    with pytest.raises(MemoryError, match=r"ratings\.feather: malloc of size 2000 failed"):
        read_ratings(path)


def test_checksums_of_parquet_pages(tmp_path):
    path = tmp_path / "ratings.parquet"
    raw = parquet(
        table_of(pa.array(["abc", "def", "ghi"])),
        compression="none", use_dictionary=False, write_statistics=False, write_page_checksum=True,
    )  # fmt: skip
    path.write_bytes(raw)
    read_ratings(path)
    path.write_bytes(replaced(raw, b"def", b"deg"))
    assert f"{path} is a damaged or incomplete Parquet file" in message(path)


def test_a_time_zone_that_is_not_text_and_a_table_without_columns(tmp_path):
    path = tmp_path / "ratings.feather"
    times = pa.array([1, 2, 3]).view(pa.timestamp("s", "Europe/Vienna"))
    raw = feather(table_of(pa.array([1, 2, 3])).append_column("time", times))
    path.write_bytes(raw.replace(b"Europe/Vienna", b"Europe/Vienn\xff"))
    assert read_ratings(path).timestamps.tolist() == [1, 2, 3]
    assert "there are no columns" in message(pa.table({}), read_ids)


def test_tables_that_are_not_read_are_named(tmp_path):
    """Of Feather's first version, Arrow reads damaged files out of bounds."""
    path, new, table = tmp_path / "ratings", tmp_path / "new", table_of(pa.array([1, 2, 3]))
    path.write_bytes(b"FEA1" + bytes(100) + b"FEA1")
    assert "first version, which cannot be read safely" in message(path)
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)
    assert "write_feather(pyarrow.ipc.open_stream(old).read_all(), new)" in message(path)
    pyarrow.feather.write_feather(pa.ipc.open_stream(str(path)).read_all(), str(new))
    assert len(read_ratings(new)) == 3
    assert "titles are read from text" in message(new, read_titles)


def test_cells_that_python_has_no_value_for():
    times = pa.array([1 << 60] * 3).view(pa.timestamp("s"))
    table = table_of(pa.array([1, None, 3])).append_column("time", times)
    assert f"row 2: user is missing: , 8, 2.5, {1 << 60}" in message(table)


def test_two_columns_of_a_name(tmp_path):
    table = pa.table([[1], [2], [3.0], [4.0]], names=["user", "item", "rating", "rating"])
    parquet_path, feather_path = tmp_path / "a.parquet", tmp_path / "a.feather"
    pq.write_table(table, parquet_path)
    with pa.ipc.new_file(str(feather_path), table.schema) as file:
        file.write_table(table)
    for source in (table, parquet_path, feather_path):
        assert "columns 3 and 4 are both called 'rating'" in message(source)
        for column in (3, 4):
            ratings = read_ratings(source, rating_col=column)
            assert (ratings.user_ids[0], ratings.values.tolist()) == (1, [float(column)])
    frame = pd.DataFrame([[1, 2, 3.0, 4.0]], columns=["user", "item", "rating", "rating"])
    assert "several columns are called 'rating'; rename or drop" in message(frame)
