"""What is made of a file does not depend on how it was cut, and large ones fit into memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from funksvd import RatingsError
from funksvd.ratings import Vocabulary, duplicates, read_ids, read_pairs, read_ratings
from funksvd.ratings.io import arrow, builders, lines, tables
from funksvd.ratings.io import segments as segments_module
from funksvd.ratings.io.arrow import text_array
from funksvd.ratings.io.builders import EncodedColumn, EncodedColumnBuilder

N_ROWS = 600


@pytest.fixture(params=[0, 64])
def cut(request, monkeypatch):
    """Read text in segments of a few lines, or as it is; tables in batches of a few rows."""
    if request.param:
        monkeypatch.setattr(segments_module, "SEGMENT_BYTES", request.param)
        monkeypatch.setattr(lines, "BLOCK_SIZE", 50)
        monkeypatch.setattr(tables, "BATCH_ROWS", 7)
        monkeypatch.setattr(builders, "UNSETTLED_BYTES", 40)


def rows_of(n_rows: int = N_ROWS) -> list[list[str]]:
    generator = np.random.default_rng(3)
    pairs = generator.permutation(40 * 30)[:n_rows]
    stars = generator.integers(1, 11, n_rows) / 2
    return [
        [str(pair // 30), str(pair % 30), f"{star:g}"]
        for pair, star in zip(pairs.tolist(), stars.tolist(), strict=True)
    ]


def assert_rows(ratings, rows: list[list[str]], *, user_kind: type = int, item_kind: type = int):
    users = ratings.user_ids[ratings.user_index].tolist()
    items = ratings.item_ids[ratings.item_index].tolist()
    assert users == [user_kind(row[0].strip(' \t"')) for row in rows]
    assert items == [item_kind(row[1].strip(' \t"')) for row in rows]
    assert ratings.values.tolist() == [float(row[2].strip(' \t"')) for row in rows]
    assert ratings.user_ids.tolist() == sorted(set(users))
    assert ratings.item_ids.tolist() == sorted(set(items))


def joined(rows: list[list[str]], newline: str = "\n") -> str:
    return "".join(",".join(row) + newline for row in rows)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("header", ["", "user,item,rating"])
def test_text(write, cut, newline, header):
    rows = rows_of()
    text = (header and header + newline) + joined(rows, newline)
    for whole in (text, text.rstrip("\r\n"), text + newline):
        assert_rows(read_ratings(write(whole)), rows)


def test_newlines_in_quotes_do_not_make_up_for_it_either(write):
    # two characters for the quotes and one for the zero, as many as there are newlines
    rows = [[*row, "x"] for row in rows_of()]
    rows[200][0] = "0" + rows[200][0]
    rows[300][3] = '"a\n\n\nb"'
    assert_rows(
        read_ratings(write("user,item,rating,review\n" + joined(rows))), rows, user_kind=str
    )


def test_short_ratings_do_not_make_up_for_it_either(write):
    rows = [[*row[:2], "4.5"] for row in rows_of()]
    rows[200][0] = "00" + rows[200][0]
    rows[300][2] = "3"
    assert_rows(read_ratings(write(joined(rows))), rows, user_kind=str)


def test_negative_timestamps_do_not_make_up_for_it_either(write):
    for n_zeros in range(1, 5):
        rows = [[*row, "10"] for row in rows_of()]
        rows[200][0] = "0" * n_zeros + rows[200][0]
        for at in range(300, 304):
            rows[at][3] = "-5"
        assert_rows(read_ratings(write(joined(rows))), rows, user_kind=str)


@pytest.mark.parametrize("at", [0, 70, N_ROWS - 1])
@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ("007", str),
        ("00", str),
        ("-0", str),
        ("+8", str),
        ("0x1F", str),
        ("8.0", str),
        ("\uff11", str),
        ("u8", str),
        ("9223372036854775808", str),
        (" 77", int),
        ("77 ", int),
        ("\t77", int),
        ('"77"', int),
        ("-77", int),
        ("16777215", int),
        ("16777216", int),
        ("4294967297", int),
        ("-9223372036854775808", int),
    ],
)
def test_one_id_that_is_not_like_the_others(write, cut, odd, kind, at):
    rows = rows_of()
    rows[at][0] = odd
    assert_rows(read_ratings(write(joined(rows))), rows, user_kind=kind)
    rows = [[row[1], row[0], row[2]] for row in rows]
    assert_rows(read_ratings(write(joined(rows))), rows, item_kind=kind)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_is_not_an_integer_is_not_made_up_for_by_what_is_elsewhere(write, cut, newline):
    # Lengths alone would not tell `03` and nothing beside it from `3` and a blank line.
    rows = rows_of()
    rows[200][0] = "0" + rows[200][0]
    for n_blank_lines in range(4):
        text = joined(rows[:300], newline) + newline * n_blank_lines + joined(rows[300:])
        assert_rows(read_ratings(write(text)), rows, user_kind=str)
        assert_rows(read_ratings(write(text.rstrip())), rows, user_kind=str)
    for rating in ("04", "4.50", '"4"', " 4", "4e0"):
        rows[202][2] = rating
        assert_rows(read_ratings(write(joined(rows, newline))), rows, user_kind=str)


def test_columns_that_are_not_read(write, cut):
    rows = rows_of()
    text = "".join(f"{u},{'x' * (len(i) % 3)},{i},{r},é\n" for u, i, r in rows)
    options = {"user_col": 1, "item_col": 3, "rating_col": 4}
    assert_rows(read_ratings(write(text), **options), rows)
    odd = text.replace("\n1,", "\n01,")
    rows = [[row[0] if row[0] != "1" else "01", *row[1:]] for row in rows]
    assert_rows(read_ratings(write(odd), **options), rows, user_kind=str)
    assert read_pairs(write(text), user_col=1, item_col=3)[0].dtype == np.int64
    assert len(read_ids(write(text), user_col=1)[0]) == N_ROWS


def test_timestamps(write, cut):
    rows = rows_of()
    times = [10**at % 10**12 for at in range(N_ROWS)]
    for odd, number in (("-5", -5), ("007", 7), (" 8", 8), ("2005-09-06", 1125964800)):
        written = list(map(str, times))
        written[400], times[400] = odd, number
        text = "".join(
            ",".join([*row, time]) + "\n" for row, time in zip(rows, written, strict=True)
        )
        ratings = read_ratings(write(text))
        assert_rows(ratings, rows)
        assert ratings.timestamps.tolist() == times


@pytest.mark.parametrize("separator", ["\t", "::", " ", ";"])
def test_other_separators(write, cut, separator):
    rows = rows_of()
    assert_rows(read_ratings(write(joined(rows).replace(",", separator))), rows)


def test_text_ids(write, cut):
    rows = [["u" + row[0], "é" * int(row[1]) + "-", row[2]] for row in rows_of()]
    assert_rows(read_ratings(write(joined(rows))), rows, user_kind=str, item_kind=str)


def test_bad_rows(write, cut):
    rows = rows_of()
    for at, role, text in (
        (100, 2, "x"),
        (250, 0, ""),
        (251, 2, "nan"),
        (400, 1, " "),
        (590, 2, ""),
    ):
        rows[at][role] = text
    path = write(joined(rows))
    with pytest.raises(RatingsError) as caught:
        read_ratings(path)
    found = str(caught.value).splitlines()
    assert found[0].startswith(f"{path}: 5 of 600 rows")
    assert [line.split(": ")[0] for line in found[1:4]] == [
        "  line 101",
        "  line 251",
        "  line 252",
    ]
    ratings = read_ratings(path, on_bad_rows="skip")
    assert [row.line for row in ratings.report.bad_rows] == [101, 251, 252, 401, 591]
    assert_rows(
        ratings, [row for at, row in enumerate(rows) if at not in (100, 250, 251, 400, 590)]
    )


def test_netflix(write, cut):
    rows = rows_of()
    text = "".join(f"{row[1]}:\n{row[0]},{row[2]},2005-09-06\n" for row in rows)
    assert_rows(read_ratings(write(text)), rows)
    bad = text.replace(f"{rows[300][0]},{rows[300][2]},2005-09-06", "5,x,2005-09-06")
    n_bad = bad.count("x")
    ratings = read_ratings(write(bad), on_bad_rows="skip")
    assert (ratings.report.n_rows, ratings.report.n_bad_rows) == (N_ROWS, n_bad)
    same = [rows[300][0], rows[300][2]]
    assert_rows(ratings, [row for row in rows if [row[0], row[2]] != same])


def table_of(users, n_rows: int = 40) -> pa.Table:
    columns = {"rating": np.arange(n_rows) / 2, "item": np.arange(n_rows), "user": users}
    return pa.table(columns)


def save_parquet(table, path):
    pq.write_table(table, path, row_group_size=9)


def save_feather(table, path):
    pyarrow.feather.write_feather(table, path, chunksize=9)


@pytest.fixture(params=["memory", "parquet", "feather"])
def source_of(request, tmp_path):
    """A table as it is, or as a file in several parts."""

    def made(table: pa.Table):
        if request.param == "memory":
            return table
        path = str(tmp_path / "ratings.table")
        {"parquet": save_parquet, "feather": save_feather}[request.param](table, path)
        return path

    return made


@pytest.mark.parametrize(
    "users",
    [
        np.arange(40) % 7,
        np.arange(40) % 7 - 3,
        np.where(np.arange(40) > 20, 2**40, 0) + np.arange(40) % 5,
        np.where(np.arange(40) < 20, 2**40, 0) + np.arange(40) % 5,
        np.array([f"u{n % 11}" for n in range(40)], object),
        (np.arange(40) % 7).astype(np.uint8),
    ],
)
def test_tables(cut, source_of, users):
    ratings = read_ratings(source_of(table_of(users)))
    assert ratings.user_ids[ratings.user_index].tolist() == users.tolist()
    assert ratings.user_ids.tolist() == sorted(set(users.tolist()))
    assert ratings.item_ids[ratings.item_index].tolist() == list(range(40))
    assert ratings.values.tolist() == (np.arange(40) / 2).tolist()


def test_bad_rows_of_tables(cut, source_of):
    users = pa.array([None if n in (3, 17, 39) else n % 5 for n in range(40)], pa.int64())
    table = table_of(users).set_column(0, "rating", pa.array([*range(25), np.inf, *range(14)]))
    source = source_of(table)
    with pytest.raises(RatingsError, match="4 of 40 rows") as caught:
        read_ratings(source)
    found = str(caught.value).splitlines()[1:4]
    assert found == [
        "  row 4: user is missing: , 3, 3.0",
        "  row 18: user is missing: , 17, 17.0",
        "  row 26: rating inf cannot be used: 0, 25, inf",
    ]
    ratings = read_ratings(source, on_bad_rows="skip")
    assert ratings.item_ids.tolist() == sorted({*range(40)} - {3, 17, 25, 39})
    assert ratings.user_ids.tolist() == list(range(5))
    only_missing = table_of(pa.nulls(40, pa.int64()))
    with pytest.raises(RatingsError, match="nothing but missing values"):
        read_ratings(source_of(only_missing))


def test_empty_batches(tmp_path):
    table = table_of(np.arange(40))
    with pa.ipc.new_file(str(tmp_path / "ratings"), table.schema) as file:
        for part in (table.slice(0, 0), table.slice(0, 20), table.slice(0, 0), table.slice(20)):
            columns = [column.combine_chunks() for column in part.columns]
            file.write_batch(pa.record_batch(columns, schema=table.schema))
    assert len(read_ratings(tmp_path / "ratings")) == 40


def test_float_ids_of_tables(cut, source_of):
    users = pa.array([None if n in (3, 39) else float(n) for n in range(40)])
    with pytest.raises(RatingsError, match="because 2 are missing"):
        read_ratings(source_of(table_of(users)))


def test_columns_put_together_from_integers_and_others(monkeypatch):
    monkeypatch.setattr(builders, "UNSETTLED_BYTES", 8)
    generator = np.random.default_rng(0)
    for _ in range(50):
        builder, ref = EncodedColumnBuilder(), []
        for _ in range(generator.integers(1, 8)):
            ids = generator.integers(0, 6, generator.integers(1, 9)).astype(np.int32)
            ref += ids.tolist()
            if generator.random() < 0.5:
                builder.append(EncodedColumn(ids))
            else:
                values, codes = np.unique(ids, return_inverse=True)
                builder.append(EncodedColumn(codes.astype(np.int32), arrow.arrow_integers(values)))
        whole = builder.finish()
        comp = whole.codes if whole.values is None else arrow.view(whole.values)[whole.codes]
        assert comp.tolist() == ref


def test_repeated_texts_are_dropped_now_and_then(monkeypatch):
    monkeypatch.setattr(builders, "UNSETTLED_BYTES", 100)
    builder = EncodedColumnBuilder()
    texts = [b"ann", b"bob", b"eve"]
    for n in range(200):
        part = [texts[n % 3], texts[(n + 1) % 3]]
        builder.append(EncodedColumn(np.array([1, 0, 1], np.int32), text_array(part, pa.string())))
    whole = builder.finish()
    assert len(whole.values) < 60
    comp = whole.values.take(pa.array(whole.codes)).to_pylist()
    ref = [texts[(n + at) % 3].decode() for n in range(200) for at in (1, 0, 1)]
    assert comp == ref


@pytest.mark.parametrize("low", [-(2**63), -5, 0, 2**63 - 300])
@pytest.mark.parametrize("span", [3, 250])
def test_integers_by_table_or_not(low, span):
    generator = np.random.default_rng(span)
    for n in (1, 5, 50, 400):
        written = low + generator.integers(0, span, n)
        vocabulary, index = Vocabulary.encode(written, "user")
        ids = vocabulary.ids
        assert ids.tolist() == sorted(set(written.tolist()))
        assert ids[index].tolist() == written.tolist()
        assert (ids.dtype, index.dtype) == (np.int64, np.int32)
        extremes = np.array([-(2**63), 2**63 - 1, 0])
        asked = np.concatenate([written, low + generator.integers(0, 299, 2 * n), extremes])
        row_of = {label: row for row, label in enumerate(ids.tolist())}
        assert vocabulary.rows(asked).tolist() == [row_of.get(one, -1) for one in asked.tolist()]


@pytest.mark.parametrize("policy", ["last", "first", "mean"])
@pytest.mark.parametrize("n_repeated", [0, 1, 30])
def test_duplicates_among_few_and_many_ratings(write, monkeypatch, policy, n_repeated):
    rows = rows_of()
    generator = np.random.default_rng(n_repeated)
    for at in generator.choice(N_ROWS, n_repeated):
        rows.append([*rows[at][:2], "1"])
    path = write(joined(rows))
    ref = read_ratings(path, duplicates=policy)
    monkeypatch.setattr(duplicates, "MANY", 10)
    comp = read_ratings(path, duplicates=policy)
    assert comp.fingerprint == ref.fingerprint
    assert comp.report == ref.report
    assert comp.report.n_duplicates >= n_repeated - 5


MEASURE = """
import resource, sys
import numpy as np, pyarrow.csv, pyarrow.parquet
from funksvd.ratings import read_ratings
from funksvd.kernels.cpu.grouping import group_by_row
group_by_row(np.zeros(1, np.int32), np.zeros(1, np.int32), 1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ratings = read_ratings(sys.argv[1])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 / len(ratings))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory(tmp_path, kind):
    n_ratings, n_users = 6_000_000, 30_000
    assert n_ratings > duplicates.MANY
    at = np.random.default_rng(0).permutation(n_ratings)
    table = pa.table(
        {
            "user": at % n_users,
            "item": at // n_users,
            "rating": (at % 5 + 1).astype(np.float32),
        }
    )
    path = tmp_path / "ratings"
    {"csv": pacsv.write_csv, "parquet": pq.write_table}[kind](table, path)
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    # 12 for the columns, 4 to find what repeats, and some megabytes whatever the number
    assert float(result.stdout) < 16 + 80e6 / n_ratings
