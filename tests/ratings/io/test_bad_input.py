"""What people are told when their files are not what they should be."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import zipfile

import pytest

from funksvd import RatingsError
from funksvd.ratings import read_ids, read_pairs, read_ratings

HEADER = "userId,movieId,rating\n"
SKIP = 'drop such rows with on_bad_rows="skip"'


def message(source, read=read_ratings, **options) -> str:
    with pytest.raises(RatingsError) as caught:
        read(source, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "reason", "remedy"),
    [
        ("1,3,abc", "rating 'abc' is not a number", "Correct them"),
        ("1,3,", "rating is empty", "Correct them"),
        ("1,3,nan", "rating 'nan' is not a number", "Correct them"),
        ("1,3,inf", "rating 'inf' is infinite", "Correct them"),
        ("1,3,-Infinity", "rating '-Infinity' is infinite", "Correct them"),
        ("1,3,1e999", "rating '1e999' is too large", "Correct them"),
        ("1,3,1e39", "rating '1e39' is too large", "Correct them"),
        ("1,3,0x10", "rating '0x10' is not a number", "Correct them"),
        ("1,3,1_000", "rating '1_000' is not a number", "Correct them"),
        ('1,3,"4,5"', "rating '4,5' has a decimal comma", 'decimal=","'),
        (",3,4", "user is empty", "Correct them"),
        ("1,  ,4", "item is empty", "Correct them"),
        ("1,3", "2 columns instead of 3", "Correct them"),
        ("1,3,4,5", "4 columns instead of 3", "Correct them"),
        ('1,"3,4', "a quote is opened and not closed", "Correct them"),
    ],
)
def test_bad_row(write, row, reason, remedy):
    path = write(f"{HEADER}1,2,3\n\n{row}\n7,8,5\n")
    found = message(path)
    assert found.startswith(f"{path}: 1 of 3 rows cannot be used:\n  line 4: {reason}")
    assert found.splitlines()[1].endswith(f": {row}")
    assert remedy in found.splitlines()[2]
    assert SKIP in found
    ratings = read_ratings(path, on_bad_rows="skip")
    assert ratings.values.tolist() == [3.0, 5.0]
    assert ratings.user_ids.tolist() == [1, 7]
    report = ratings.report
    assert (report.n_rows, report.n_bad_rows) == (3, 1)
    assert report.bad_rows[0][:3] == (path, 4, row)
    assert report.bad_rows[0].reason.startswith(reason)
    assert str(report.bad_rows[0]).startswith(f"{path}, line 4: {reason}")


@pytest.mark.parametrize(
    "time", ["x", "", "12:30", "2005-13-01", "2005-02-30", "2005-9-6", "1.5.", "2005-02-30T10:00Z"]
)
def test_bad_timestamp(write, time):
    path = write(f"userId,movieId,rating,timestamp\n1,2,3,1\n1,3,4,{time}\n")
    found = message(path)
    assert "1 of 2 rows" in found
    assert "\n  line 3: timestamp" in found
    assert 'timestamp_col="none"' in found
    assert SKIP in found
    assert len(read_ratings(path, timestamp_col="none")) == 2
    assert read_ratings(path, on_bad_rows="skip").timestamps.tolist() == [1]


def test_timestamps(write):
    times = {
        "2005-09-06": 1125964800,
        "2005-09-06 12:30:00": 1126009800,
        "2005-09-06T12:30": 1126009800,
        "2005-09-06T12:30:00Z": 1126009800,
        "2005-09-06 12:30:00.75 UTC": 1126009800,
        "2005-09-06T12:30:00+02:00": 1126002600,
        "1969-12-31T23:59:59.5": -1,
        "1260759144.0": 1260759144,
        " 17 ": 17,
        "-5": -5,
    }
    rows = "".join(f"1,{n},3,{time}\n" for n, time in enumerate(times))
    for text in (rows, *(f"1,1,3,{time}\n" for time in times)):
        ratings = read_ratings(write("user,item,rating,date\n" + text))
        expected = [times[line.split(",")[3]] for line in text.splitlines()]
        assert ratings.timestamps.tolist() == expected


def test_timestamps_that_stop_being_integers_late(write):
    rows = [f"{n},1,3,{n}\n" for n in range(5000)]
    path = write("".join([*rows, "5000,1,3,2005-09-06\n"]))
    assert read_ratings(path).timestamps[-1] == 1125964800
    path = write("".join([*rows, "5000,1,3,late\n"]))
    assert "line 5001: timestamp 'late'" in message(path)


def test_first_three_of_many(write):
    path = write(HEADER + "1,2,3\n" + "".join(f"1,{n},x{n}\n" for n in range(10)))
    lines = message(path).splitlines()
    assert lines[0] == f"{path}: 10 of 11 rows cannot be used; the first 3 are:"
    assert [line.split(":")[0] for line in lines[1:4]] == ["  line 3", "  line 4", "  line 5"]
    report = read_ratings(path, on_bad_rows="skip").report
    assert report.n_bad_rows == 10
    assert [row.line for row in report.bad_rows] == [3, 4, 5, 6, 7]


def test_bad_rows_of_all_sorts_far_into_a_large_file(write):
    rows = [f"{n},{n % 7},{n % 5}" for n in range(500_000)]
    rows[400_000] = "a stray line"
    rows[400_002] = "5,6,seven"
    rows[450_000] = "5,6,7,8"
    path = write("\r\n".join([*rows, ""]))
    lines = message(path).splitlines()
    assert lines[0].startswith(f"{path}: 3 of 500,000 rows")
    assert lines[1] == "  line 400001: 1 column instead of 3: a stray line"
    assert lines[2] == "  line 400003: rating 'seven' is not a number: 5,6,seven"
    assert lines[3] == "  line 450001: 4 columns instead of 3: 5,6,7,8"
    assert len(read_ratings(path, on_bad_rows="skip")) == 499_997


def test_every_row_bad_is_an_error_even_when_skipping(write):
    path = write(HEADER + "1,2,a\n1,2,b\n")
    found = message(path, on_bad_rows="skip")
    assert found.startswith(f"{path}: none of its 2 rows can be used")
    assert "line 2: rating 'a'" in found
    assert "rating_col=" in found or "sep=" in found


def test_long_rows_are_shortened(write):
    found = message(write(HEADER + f"1,{'9' * 500},x\n1,2,3\n"))
    assert max(map(len, found.splitlines())) < 160
    assert "…" in found


@pytest.mark.parametrize("separator", ["::", " ", "\t"])
def test_bad_rows_with_other_separators(write, separator):
    rows = ["1,2,3", "1,3", "1,4,x", "1,5,4"]
    path = write("\n".join(row.replace(",", separator) for row in rows))
    found = message(path)
    assert "\n  line 2: 2 columns instead of 3" in found
    assert "\n  line 3: rating 'x' is not a number" in found
    assert read_ratings(path, on_bad_rows="skip").item_ids.tolist() == [2, 5]


def test_line_of_blanks_is_no_row(write):
    assert len(read_ratings(write(HEADER + "1,2,3\n \t \n1,3,4\n"))) == 2


def test_netflix_bad_rows(write):
    first = write("1:\n5,3,2005-09-06\n6,x,2005-09-07\n2:\n5,1\n", "mv_1.txt")
    second = write("3:\n5,3,2005-09-06\nx\n8,2,2005-01-01\n", "mv_2.txt")
    found = message([first, second])
    assert found.startswith(f"{first} and 1 more file: 3 of 6 rows cannot be used")
    assert f"{first}, line 3: rating 'x'" in found
    assert f"{first}, line 5: 2 columns instead of 3: 5,1" in found
    assert f"{second}, line 3: 1 column instead of 3: x" in found
    ratings = read_ratings([first, second], on_bad_rows="skip")
    assert ratings.item_ids[ratings.item_index].tolist() == [1, 3, 3]
    assert ratings.user_ids[ratings.user_index].tolist() == [5, 5, 8]


def test_netflix_columns_are_fixed(write):
    assert "fixed" in message(write("1:\n5,3,2005-09-06\n", "mv_1.txt"), user_col=2)


@pytest.mark.parametrize("content", ["", "\n\n", " \n"])
def test_empty_file(write, content):
    path = write(content)
    assert message(path) == f"{path}: this file is empty"


@pytest.mark.parametrize("content", [HEADER, HEADER.strip(), HEADER + "\n\n"])
def test_header_only(write, content):
    path = write(content)
    assert message(path) == f"{path}: there is a header but no row below it"


def test_missing_file(write, tmp_path):
    write("", "ratings.csv")
    found = message(str(tmp_path / "rating.csv"))
    assert "no such file" in found
    assert str(tmp_path) in found
    assert f"Did you mean {tmp_path / 'ratings.csv'}?" in found
    assert "ratings.csv" in message(str(tmp_path / "RATINGS.CSV"))
    assert "its folder" in message(str(tmp_path / "nowhere" / "ratings.csv"))


def test_folder_and_archive_with_nothing_usable(write, tmp_path):
    write("hello", "here/notes.txt")
    found = message(str(tmp_path / "here"))
    assert "nothing in this folder looks like ratings" in found
    assert "notes.txt" in found
    (tmp_path / "empty").mkdir()
    assert "it is empty" in message(str(tmp_path / "empty"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "x")
        archive.writestr("b.txt", "x")
    found = message(write(file.getvalue(), "x.zip"))
    assert "nothing in this archive looks like ratings" in found
    assert "a.txt, b.txt" in found


def test_wrong_separator(write):
    path = write(HEADER + "1,2,3\n")
    found = message(path, sep=";")
    assert found.startswith(f"{path}: read as semicolon-separated (sep=), it has a single column")
    assert "userId,movieId,rating" in found
    assert "it looks comma-separated: leave sep= out" in found


def test_too_few_columns(write):
    path = write("1,2\n3,4\n")
    found = message(path)
    assert found.startswith(f"{path}: too few columns")
    assert "sep=" in found
    assert "1,2" in found


def test_columns_not_understood(write):
    path = write("reader,thing,points\n1,2,3\n")
    found = message(path)
    assert found.startswith(path)
    assert "reader, thing, points" in found
    assert "item_col=" in found
    assert "rating_col=" in found
    assert "user_col=" not in found  # a reader is a user
    assert len(read_ratings(path, item_col="thing", rating_col=3)) == 1


def test_given_columns_that_are_not_there(write):
    path = write(HEADER + "1,2,3\n")
    assert "user_col=" in message(path, user_col="who")
    assert "userId, movieId, rating" in message(path, user_col="who")
    assert "there are 3 columns" in message(path, rating_col=4)
    assert "there are 3 columns" in message(path, rating_col=0)
    assert "both" in message(path, user_col=2, item_col=2)
    assert "no header" in message(write("1,2,3\n"), user_col="who")
    twice = write("user,item,rating,rating\n1,2,3,4\n")
    assert "rating_col=3" in message(twice)
    assert read_ratings(twice, rating_col=4).values.tolist() == [4.0]


def test_invalid_utf8_in_a_used_column(write):
    path = write(b"user,item,rating,title\nann,1,3,x\nren\xe9,2,4,x\n")
    found = message(path)
    assert "\n  line 3: user is not UTF-8 text" in found
    assert 'encoding="cp1252"' in found
    assert read_ratings(path, encoding="latin-1").user_ids.tolist() == ["ann", "rené"]
    assert read_ratings(path, on_bad_rows="skip").user_ids.tolist() == ["ann"]


def test_invalid_utf8_elsewhere_does_not_matter(write):
    assert len(read_ratings(write(b"user,item,rating,title\nann,1,3,ren\xe9\n"))) == 1
    path = write(b"user,item,rating\nann,1,3\nren\xe9,2\n")  # but the row is bad for its columns
    assert "line 3: 2 columns" in message(path)


def test_encodings(write):
    rows = HEADER + "ä,2,3\n"
    path = write(rows.encode("utf-16"))
    assert 'encoding="utf-16"' in message(path)
    assert read_ratings(path, encoding="utf-16").user_ids.tolist() == ["ä"]
    assert "no encoding called" in message(path, encoding="utf-99")
    undefined = write(rows.encode("cp1252").replace(b"\xe4", b"\x81"))
    for path, encoding in ((undefined, "cp1252"), (write(rows, "x.csv"), "ascii")):
        found = message(path, encoding=encoding)
        assert f"{path}, line 2 or near it: this is not {encoding} text" in found
        assert "encoding=" in found


def test_binary_and_foreign_files(write):
    assert "binary" in message(write(b"\x00\x01\x02" * 100))
    assert "JSON" in message(write('[{"user": 1}]'))
    assert "HTML" in message(write("<!DOCTYPE html><html>"))
    assert "longer than" in message(write("x" * 100_000))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "x")
    assert "save the sheet as CSV" in message(write(file.getvalue(), "ratings.xlsx"))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_truncated_archives(write, pack):
    rows = "".join(f"{n},{n * 7919 % 10007},3\n" for n in range(300_000))
    packed = pack((HEADER + rows).encode())
    path = write(packed[:-100])
    found = message(path)
    assert found.startswith(f"{path} is damaged or incomplete")
    assert "again" in found


def test_corrupt_archives(write):
    rows = "".join(f"{n},{n * 7919 % 10007},3\n" for n in range(300_000)).encode()
    packed = bytearray(gzip.compress(rows))
    packed[len(packed) // 2] ^= 0xFF
    assert "damaged" in message(write(bytes(packed)))
    assert "damaged" in message(write(b"PK\x03\x04" + os.urandom(300), "x.zip"))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("ratings.csv", HEADER + "1,2,3\n" * 10)
    broken = file.getvalue().replace(b"1,2,3", b"1,2,4", 1)
    assert "damaged" in message(write(broken, "x.zip"))
    assert "damaged" in message(write(b"\x28\xb5\x2f\xfd" + b"x" * 50))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("coordinate real", "coordinate pattern", "pattern"),
        ("coordinate real", "array real", "dense"),
        ("coordinate real", "coordinate complex", "complex"),
        ("general", "symmetric", "symmetric"),
        ("3 4 2", "3 4 3", "incomplete"),
        ("3 4 2", "3 4", "line 2"),
        ("1 2 3.5", "1 2 nan", "line 3: rating 'nan'"),
    ],
)
def test_matrix_market(write, old, new, says):
    text = "%%MatrixMarket matrix coordinate real general\n3 4 2\n1 2 3.5\n3 4 1\n"
    path = write(text.replace(old, new), "a.mtx")
    found = message(path)
    assert found.startswith(path)
    assert says in found


def test_not_a_source():
    for source in (42, None, {1: 2}, b"x"):
        assert "cannot be read from" in message(source)
    assert "empty" in message([])


def test_options():
    assert "duplicates must be" in message("x", duplicates="all")
    assert "on_bad_rows must be" in message("x", on_bad_rows="ignore")
    assert "there is no argument separator=" in message("x", separator=",")


def test_pairs_and_ids(write):
    found = message(write("1,2\n,4\n1,2,3\n"), read_pairs)
    assert "line 2: user is empty" in found
    assert "line 3: 3 columns instead of 2" in found
    assert "too few columns" in message(write("1\n2\n"), read_pairs)
    assert "empty" in message(write("\n"), read_ids)
    assert "not UTF-8" in message(write(b"a\n\xe9\n"), read_ids)


def test_ids_of_different_kinds(write, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"user": ["7"], "item": [1], "rating": [3.0]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = message([str(tmp_path / "a.parquet"), write("7,2,3\n")])
    assert "user ids" in found


def test_a_column_too_many_in_one_line_is_that_lines_fault(write):
    rows = "".join(f"{at},7,3,1000000{at}\n" for at in range(9))
    path = write(f"{rows}1,2,3,1000000,9\n")
    assert "line 10: 5 columns instead of 4" in message(path)
