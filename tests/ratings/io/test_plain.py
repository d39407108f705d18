"""Text that a kernel reads is read as Arrow's reader reads it, errors included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from funksvd import RatingsError, kernels
from funksvd.ratings import read_interactions, read_ratings
from funksvd.ratings.io import delimited, plain, segments
from funksvd.ratings.io.layout import Layout

usual_ids = st.integers(0, 40).map(str) | st.integers(0, plain.MAX_PLAIN_ID).map(str)
usual_ratings = st.integers(0, 10).map(lambda halves: str(halves / 2)) | st.integers(1, 5).map(str)
usual_times = st.integers(0, 2_000_000_000).map(str)
odd_ids = st.sampled_from(
    [
        "",
        "007",
        "-3",
        "+4",
        " 5",
        "6 ",
        "x",
        "é",
        '"8"',
        "1e3",
        "16777216",
        "123456789",
        "\x1f",
        "0",
    ]
)
odd_ratings = st.sampled_from(
    ["", ".5", "5.", "1e2", "-4", "nan", "inf", "4,5", " 3", "0.1234567890123", "1e39", '"4"', "x"]
) | st.from_regex(r"-?[0-9]{1,9}\.[0-9]{1,9}", fullmatch=True)
odd_times = st.sampled_from(
    ["", "007", "-5", "5.0", "2005-09-06", "x", "12345678901234567", "99999999999999999999"]
)
odd_lines = st.sampled_from(["", "1", "1,2", "1,2,3,4,5,6,7", " ", '"', "1,2,3,4\r", "a\rb,1,2,3"])
SEPARATORS = [",", ";", "\t", "|", "::", " ", "\t\t"]


@st.composite
def texts(draw):
    """A text whose lines are mostly as they should be."""
    separator = draw(st.sampled_from(SEPARATORS))
    oddity = draw(st.sampled_from(["none", "few", "many"]))
    columns = [usual_ids, usual_ids, usual_ratings, usual_times]
    odd = [odd_ids, odd_ids, odd_ratings, odd_times]
    chance = {"none": 0, "few": 3, "many": 30}[oddity]
    if oddity != "none":
        columns = [
            st.integers(0, 99).flatmap(lambda n, u=u, o=o: o if n < chance else u)
            for u, o in zip(columns, odd, strict=True)
        ]
    n_columns = draw(st.integers(3, 4))
    with_extra = draw(st.booleans())
    rows = draw(st.lists(st.tuples(*columns[:n_columns]), min_size=1, max_size=30))
    extra = draw(st.lists(st.sampled_from(["", "a", "5", "é b", "x'y"]), min_size=30, max_size=30))
    lines = [
        separator.join([*row[:1], *([extra[at]] if with_extra else []), *row[1:]])
        for at, row in enumerate(rows)
    ]
    if oddity == "many":
        lines += draw(st.lists(odd_lines, max_size=2))
    if draw(st.booleans()):
        names = ["user", *(["note"] if with_extra else []), "item", "rating", "timestamp"]
        lines.insert(0, separator.join(names[: n_columns + with_extra]))
    newline = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


def outcome(path, kernel_bytes, read=read_ratings, **options):
    """All that is found in a file, or the error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain, "KERNEL_BYTES", kernel_bytes)
        try:
            found = read(path, **options)
        except RatingsError as error:
            return type(error), str(error)
    index = (found.user_index.tolist(), found.item_index.tolist())
    columns = {name: (column.dtype, column.tolist()) for name, column in found.columns.items()}
    ids = [(ids.dtype, ids.tolist()) for ids in (found.user_ids, found.item_ids)]
    return ids, index, columns, found.report


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts(), st.sampled_from(["error", "skip"]), st.sampled_from([10, 60, 10_000]))
@example("1::2::3.5::4\n5::6::4::7\n", "error", 10)
@example("userId,movieId,rating,timestamp\r\n1,2,3.5,4\r\n", "error", 10_000)
@example("1,2,3,4\n1,3,4,5\n,,,\n2,2,2,2\n", "skip", 10)
@example("1,2,3\n" * 3 + "1,x,3\n", "error", 10)
def test_the_same_is_found_in_either_way(tmp_path, text, on_bad_rows, segment_bytes):
    path = tmp_path / "ratings.csv"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        for module in (segments, delimited):
            patch.setattr(module, "SEGMENT_BYTES", segment_bytes)
        patch.setattr("funksvd.ratings.io.lines.BLOCK_SIZE", max(1, segment_bytes // 2))
        for read in (read_ratings, read_interactions):
            options = {"read": read, "on_bad_rows": on_bad_rows}
            assert outcome(path, 0, **options) == outcome(path, 1 << 60, **options)


def rows_are(found, ref) -> bool:
    users, items = found.users.labels(found.user_index), found.items.labels(found.item_index)
    return list(zip(users.tolist(), items.tolist(), found.values.tolist(), strict=True)) == ref


@pytest.fixture
def refused(monkeypatch):
    """How often the kernel was asked, and how often it refused."""
    counts = {"asked": 0, "refused": 0}
    parse = plain.PlainRows.parse

    def counting(self, text):
        part = parse(self, text)
        counts["asked"] += 1
        counts["refused"] += part is None
        return part

    monkeypatch.setattr(plain, "KERNEL_BYTES", 0)
    monkeypatch.setattr(plain.PlainRows, "parse", counting)
    return counts


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
def test_usual_files_are_read_by_the_kernel(write, refused, separator, newline, header):
    rows = [["userId", "movieId", "rating", "timestamp"]] if header else []
    rows += [[u, i, (u * i % 10 + 1) / 2, 10**9 + i] for u in range(1, 30) for i in range(1, 30)]
    text = newline.join(separator.join(map(str, row)) for row in rows)
    found = read_ratings(write(text))
    assert refused == {"asked": 1, "refused": 0}
    assert len(found) == 29 * 29
    assert found.timestamps.min() == 10**9 + 1


def test_only_the_odd_part_of_a_file_is_read_by_arrow(write, refused, monkeypatch):
    for module in (segments, delimited):
        monkeypatch.setattr(module, "SEGMENT_BYTES", 100)
    monkeypatch.setattr("funksvd.ratings.io.lines.BLOCK_SIZE", 50)
    rows = [f"{n % 17},{n},3.5" for n in range(200)]
    rows[77] = "1,77,35e-1"
    found = read_ratings(write("\n".join(rows) + "\n"))
    assert refused["asked"] > 10
    assert refused["refused"] == 1
    assert (found.values == 3.5).all()


def test_short_files_do_not_need_the_compiler(write, monkeypatch):
    def parse(self, text):
        raise AssertionError("the kernel was asked")

    monkeypatch.setattr(plain.PlainRows, "parse", parse)
    path = write("1,2,3\n" * 3 + "4,5,3\n")
    assert len(read_ratings(path)) == 2
    monkeypatch.setattr(plain, "KERNEL_BYTES", 24)
    with pytest.raises(AssertionError, match="asked"):
        read_ratings(path)


def test_long_texts_of_unknown_length_need_it_too(monkeypatch, write):
    import gzip

    rows = "".join(f"{n % 17},{n},3\n" for n in range(100)).encode()
    path = write(gzip.compress(rows), "ratings.csv.gz")
    for module in (segments, delimited):
        monkeypatch.setattr(module, "SEGMENT_BYTES", 100)
    monkeypatch.setattr("funksvd.ratings.io.lines.BLOCK_SIZE", 50)
    asked = []
    parse = plain.PlainRows.parse
    monkeypatch.setattr(plain, "KERNEL_BYTES", len(rows) // 2)
    monkeypatch.setattr(
        plain.PlainRows, "parse", lambda self, text: asked.append(len(text)) or parse(self, text)
    )
    assert len(read_ratings(path)) == 100
    assert len(rows) // 3 < sum(asked) <= len(rows) // 2 + 200


@pytest.mark.parametrize("separator", ["5", ".", "a.", "-", "é", '"'])
def test_separators_that_numbers_may_hold_are_left_to_arrow(separator):
    layout = Layout(separator, 3, {"user": 0, "item": 1, "rating": 2})
    assert not plain.PlainRows(layout, {"user", "item"}).is_possible


def test_texts_that_fill_their_columns_to_the_brim(refused, write):
    """The most rows that a text of its length can hold."""
    for row, columns in (("1,2,3", (1, 2, 3)), ("1,,2,3,", (1, 3, 4)), (",,1,,2,3", (3, 5, 6))):
        names = ("user_col", "item_col", "rating_col")
        options = dict(zip(names, columns, strict=True)) | {"timestamp_col": "none"}
        found = read_ratings(write(f"{row}\n" * 500), **options)
        assert found.report.n_rows == 500
        assert rows_are(found, [(1, 2, 3.0)])
    assert refused == {"asked": 3, "refused": 0}


def test_ids_up_to_the_largest(refused, write):
    most = plain.MAX_PLAIN_ID
    found = read_ratings(write(f"{most},0,1\n0,{most},2\n"))
    assert refused["refused"] == 0
    assert found.user_ids.tolist() == [0, most]
    assert found.item_index.tolist() == [0, 1]
    assert found.user_ids.dtype == np.int64


@pytest.mark.parametrize("last", [b"1\n", b"1,2\n", b"1,2,3,4\n"])
def test_a_row_that_is_not_complete_is_not_written_behind_the_arrays(monkeypatch, last):
    parse_rows = kernels.parse_rows

    def guarded(text, separator, roles, max_id, *out):
        wider = [np.full(len(array) + 4, 77, array.dtype) for array in out]
        n_rows = parse_rows(text, separator, roles, max_id, *wider)
        for array, wide in zip(out, wider, strict=True):
            assert (wide[len(array) :] == 77).all()
        return n_rows

    monkeypatch.setattr(kernels, "parse_rows", guarded)
    layout = Layout(",", 3, {"user": 0, "item": 1, "rating": 2})
    assert plain.PlainRows(layout, ("user", "item")).parse(b"1,1,1\n" * 2 + last) is None
