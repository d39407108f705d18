"""Every layout and every packing of a ratings file gives the same ratings."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pytest

from funksvd import RatingsError
from funksvd.ratings import Ratings, read_ids, read_pairs, read_ratings

ROWS = [(1, 10, 4.0, 100), (2, 10, 3.5, 101), (1, 30, 0.5, 102), (-3, 20, 5.0, 103)]
HEADER = ["userId", "movieId", "rating", "timestamp"]


def text(separator: str, *, header: bool = True, newline: str = "\n") -> str:
    rows = [HEADER, *ROWS] if header else ROWS
    return "".join(separator.join(map(str, row)) + newline for row in rows)


def triples(ratings: Ratings) -> list[tuple]:
    users = ratings.user_ids[ratings.user_index].tolist()
    items = ratings.item_ids[ratings.item_index].tolist()
    return list(zip(users, items, ratings.values.tolist(), strict=True))


def assert_rows(ratings: Ratings, *, stamped: bool = True) -> None:
    assert triples(ratings) == [row[:3] for row in ROWS]
    if stamped:
        assert ratings.timestamps.tolist() == [row[3] for row in ROWS]
    else:
        assert ratings.timestamps is None
    assert ratings.user_index.dtype == ratings.item_index.dtype == np.int32
    assert ratings.values.dtype == np.float32
    assert ratings.user_ids.tolist() == [-3, 1, 2]


SEPARATORS = [
    (",", "comma"),
    ("\t", "tab"),
    ("\t\t", "double-tab"),
    (";", "semicolon"),
    ("|", "pipe"),
    (" ", "space"),
    ("::", "::"),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("separator", "called"), SEPARATORS)
def test_separators(write, separator, called, header, newline):
    path = write(text(separator, header=header, newline=newline))
    ratings = read_ratings(path)
    assert_rows(ratings)
    columns = (
        "header, columns userId movieId rating timestamp"
        if header
        else "no header, columns 1 2 3 4 as user item rating timestamp"
    )
    assert ratings.report.detected == f"{path}: {called}-separated, {columns}"
    assert ratings.report.source == path
    assert ratings.report.files == [path]
    assert (ratings.report.n_rows, ratings.report.n_bad_rows) == (4, 0)


@pytest.mark.parametrize("empty", ["\t\t\t\t", "\t\t"])
def test_two_tabs_may_be_columns_without_a_value(write, empty):
    rows = [(user, item, value) for user, item, value, _ in ROWS]
    lines = "".join(f"{user}\t{item}\t{value}{empty}\n" for user, item, value in rows)
    ratings = read_ratings(write(lines), timestamp_col="none")
    assert triples(ratings) == [(int(u), int(i), float(v)) for u, i, v in rows]


@pytest.mark.parametrize("given", [",", "comma"])
def test_given_separator(write, given):
    assert_rows(read_ratings(write(text(",")), sep=given))


def test_unusual_separator_is_given(write):
    assert_rows(read_ratings(write(text("^")), sep="^"))
    assert_rows(read_ratings(write(text("##")), sep="##"))


def test_odd_blanks_between_and_around(write):
    path = write("1 10  4.0 100\n  2\t10 3.5 101  \n\n1 30 0.5 102\r\n   \n-3 20 5.0\t103")
    assert_rows(read_ratings(path))


def test_libmf_text(write):
    ratings = read_ratings(write("0 3 4.5\n7 1 2\n", "train.txt"))
    assert triples(ratings) == [(0, 3, 4.5), (7, 1, 2.0)]
    assert ratings.timestamps is None


def test_byte_order_mark_blank_lines_and_no_last_newline(write):
    body = text(",").replace("\n2,", "\n\n2,").rstrip("\n")
    assert_rows(read_ratings(write("\ufeff" + body)))
    assert_rows(read_ratings(write("\ufeff" + text("::").rstrip("\n"))))
    assert triples(read_ratings(write("\ufeff7:\n5,3,2005-09-06"))) == [(5, 7, 3.0)]


def test_blank_lines_before_the_header(write):
    assert_rows(read_ratings(write("\n \n" + text(","))))


def test_pandas_index_column(write):
    lines = text(",").splitlines()
    indexed = [f"{n - 1 if n else ''},{line}" for n, line in enumerate(lines)]
    assert_rows(read_ratings(write("\n".join(indexed))))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_quoted_fields_with_separators_inside(write, separator):
    sep = separator
    path = write(f'user{sep}item{sep}rating\n"a{sep}b"{sep}"c ""d"""{sep}"4"\n x {sep}y{sep} 3 \n')
    assert triples(read_ratings(path)) == [(f"a{sep}b", 'c "d"', 4.0), ("x", "y", 3.0)]


def test_quoted_field_over_lines(write):
    path = write('user,item,rating,review\n1,2,3,"good\nand, long\n\n"\n4,5,6,"short"\n')
    assert triples(read_ratings(path)) == [(1, 2, 3.0), (4, 5, 6.0)]


def test_a_separator_that_is_given_counts_in_records_not_in_lines(write):
    path = write('"two&\nlines"&1&2&3\n"two&\nlines"&4&5&1\n')
    found = read_ratings(path, sep="&", user_col=2, item_col=3, rating_col=4)
    assert triples(found) == [(1, 2, 3.0), (4, 5, 1.0)]


def test_a_line_that_ends_one_quoted_field_and_begins_another(write):
    rows = 'x;1;2;3;y;\n"two;\nlines";4;5;1;"two;\nlines";\n'
    found = read_ratings(write(f"note;user;item;rating;more;last\n{rows}"))
    assert triples(found) == [(1, 2, 3.0), (4, 5, 1.0)]


def test_many_quoted_fields_over_lines(write):
    # more than one of Arrow's blocks, one of which ends inside a quote
    review = '"' + "line\n" * 20 + '"'
    n_rows = 120_000
    path = write(
        "user,item,rating,review\n" + "".join(f"{n},1,3,{review}\n" for n in range(n_rows))
    )
    assert read_ratings(path).user_ids.tolist() == list(range(n_rows))


@pytest.mark.parametrize(
    "header",
    ["User_ID,Movie-ID,Rating,Time Stamp", "uid,iid,stars,date", "reviewerID,asin,overall,time"],
)
def test_names_are_recognised(write, header):
    assert_rows(read_ratings(write(text(",").replace(",".join(HEADER), header))))


def test_best_name_wins(write):
    ratings = read_ratings(write("username,userId,movie,item,score\na,1,x,9,4\n"))
    assert triples(ratings) == [(1, 9, 4.0)]


def test_columns_by_name_and_position(write):
    path = write("a,b,c,d\n4.0,10,100,1\n3.5,10,101,2\n0.5,30,102,1\n5,20,103,-3\n")
    by_name = {"user_col": "d", "item_col": "B", "rating_col": "a", "timestamp_col": "c"}
    by_position = {"user_col": 4, "item_col": "2", "rating_col": 1, "timestamp_col": 3}
    assert_rows(read_ratings(path, **by_name))
    assert_rows(read_ratings(path, **by_position))


def test_columns_by_position_without_header(write):
    path = write("4.0,10,1,x\n3.5,10,2,x\n0.5,30,1,x\n5,20,-3,x\n")
    found = read_ratings(path, user_col=3, rating_col=1, item_col=2, timestamp_col="none")
    assert_rows(found, stamped=False)


def test_timestamps_ignored(write):
    path = write(text(",").replace("103", "yesterday"))
    assert_rows(read_ratings(path, timestamp_col="none"), stamped=False)


def test_column_name_of_digits_beats_position(write):
    path = write("2,1,rating\n10,7,3\n")
    assert triples(read_ratings(path, user_col="2", item_col="1")) == [(10, 7, 3.0)]


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACKINGS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("separator", [",", "::"])
@pytest.mark.parametrize("kind", list(PACKINGS))
def test_packed_whatever_the_suffix(write, kind, separator):
    packed = PACKINGS[kind](text(separator).encode())
    ratings = read_ratings(write(packed, "ratings.csv"))
    assert_rows(ratings)
    assert f": {kind}, " in ratings.report.detected


@pytest.mark.parametrize("kind", list(PACKINGS))
def test_packed_in_two_parts(write, kind):
    half = len(text(",")) // 2
    data, pack = text(",").encode(), PACKINGS[kind]
    assert_rows(read_ratings(write(pack(data[:half]) + pack(data[half:]))))


def zipped(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_zip_of_one_file(write):
    members = {"what.ever": text(","), "__MACOSX/._what.ever": "junk"}
    assert_rows(read_ratings(write(zipped(members), "a.zip")))


@pytest.mark.parametrize(
    ("name", "separator", "header"),
    [("u.data", "\t", False), ("ratings.dat", "::", False), ("ratings.csv", ",", True)],
)
def test_movielens_as_published(write, tmp_path, name, separator, header):
    body = text(separator, header=header)
    members = {"ml/README": "hello", "ml/movies.csv": "movieId,title\n1,x\n", f"ml/{name}": body}
    ratings = read_ratings(write(zipped(members), "ml.zip"))
    assert_rows(ratings)
    assert f"ml/{name}" in ratings.report.detected
    for member, content in members.items():
        write(content, f"folder/{member}")
    assert_rows(read_ratings(tmp_path / "folder"))  # one folder down
    assert_rows(read_ratings(tmp_path / "folder" / "ml"))


NETFLIX = {
    "mv_0000010.txt": "10:\n1,4.0,2005-09-06\n2,3.5,2005-09-07\n",
    "mv_0000030.txt": "30:\r\n1,0.5,2005-09-06\r\n",
    "mv_0000020.txt": "20:\n\n-3,5,2005-12-31",
}


def test_netflix(write, tmp_path):
    for name, content in NETFLIX.items():
        write(content, f"training_set/{name}")
    expected = [(1, 10, 4.0), (2, 10, 3.5), (-3, 20, 5.0), (1, 30, 0.5)]
    for source in (tmp_path, tmp_path / "training_set", [*(tmp_path / "training_set").iterdir()]):
        ratings = read_ratings(source)
        assert sorted(triples(ratings)) == sorted(expected)
        assert "Netflix Prize layout, columns customer rating date" in ratings.report.detected
    assert triples(read_ratings(tmp_path)) == expected
    assert read_ratings(tmp_path).timestamps.tolist() == [
        1125964800, 1126051200, 1135987200, 1125964800,
    ]  # fmt: skip
    combined = write("\n".join(NETFLIX.values()), "combined_data_1.txt")
    assert sorted(triples(read_ratings(combined))) == sorted(expected)
    archive = write(zipped(NETFLIX), "netflix.zip")
    assert triples(read_ratings(archive)) == expected


@pytest.mark.parametrize("blank", ["\n", "\r\n", " \n", "\t\r\n", "\n\n"])
def test_netflix_blank_lines_anywhere(write, blank):
    lines = ["1:\n", "5,3,2005-09-06\n", "6,4,2005-09-06\n", "2:\n", "5,1,2005-09-06\n"]
    for at in range(len(lines) + 1):
        path = write("".join([*lines[:at], blank, *lines[at:]]))
        assert triples(read_ratings(path)) == [(5, 1, 3.0), (6, 1, 4.0), (5, 2, 1.0)]


def test_netflix_pairs_to_predict(write):
    users, items, _ = read_pairs(write("1:\n5\n6\n3:\n5\n", "probe.txt"))
    assert (users.tolist(), items.tolist()) == ([5, 6, 5], [1, 1, 3])
    users, items, _ = read_pairs(write("1:\n5,2005-01-01\n3:\n5,2005-01-01\n", "qualifying.txt"))
    assert (users.tolist(), items.tolist()) == ([5, 5], [1, 3])


MATRIX = "%%MatrixMarket matrix coordinate real general\n% films\n3 4 2\n1 2 3.5\n3 4 1e0\n"


def test_matrix_market(write):
    expected = [(1, 2, 3.5), (3, 4, 1.0)]
    assert triples(read_ratings(write(MATRIX, "a.mtx"))) == expected
    assert triples(read_ratings(write(gzip.compress(MATRIX.encode()), "a.mtx.gz"))) == expected


def test_matrix_market_written_by_scipy(tmp_path):
    import scipy.io
    import scipy.sparse

    matrix = scipy.sparse.coo_array(([1.5, 2.5], ([0, 3], [2, 0])), shape=(4, 3))
    scipy.io.mmwrite(tmp_path / "m.mtx", matrix)
    assert triples(read_ratings(tmp_path / "m.mtx")) == [(1, 3, 1.5), (4, 1, 2.5)]


def test_matrix_market_pattern_gives_pairs(write):
    path = write(MATRIX.replace("real", "pattern").replace(" 3.5", "").replace(" 1e0", ""))
    users, items, _ = read_pairs(path)
    assert (users.tolist(), items.tolist()) == ([1, 3], [2, 4])


def test_several_files_in_order(write):
    lines = text(",").splitlines(keepends=True)
    first = write("".join(lines[:3]), "a.csv")
    second = write(gzip.compress("".join([lines[0], *lines[3:]]).encode()), "b.csv")
    ratings = read_ratings([first, second])
    assert_rows(ratings)
    assert ratings.report.files == [first, second]
    assert ratings.report.n_rows == 4


def test_several_files_agree_on_the_kind_of_ids(write):
    first, second = write("1,7,3\n", "a.csv"), write("2,007,4\n", "b.csv")
    ratings = read_ratings([first, second])
    assert ratings.user_ids.tolist() == [1, 2]
    assert ratings.item_ids.tolist() == ["007", "7"]


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(packed):
    data = gzip.compress(text(",").encode()) if packed else text(",").encode()
    code = (
        "from funksvd.ratings import read_ratings; r = read_ratings('-'); "
        "print(len(r), r.report.source, r.report.files, r.report.detected)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, check=True, env=environment()
    )
    packing = "gzip, " if packed else ""
    assert found.stdout.decode().strip() == (
        f"4 standard input [] standard input: {packing}comma-separated, header, columns "
        "userId movieId rating timestamp"
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_reading_text_imports_no_pandas_and_importing_no_pyarrow(write):
    sources = [write(text(sep), f"r{n}.csv") for n, (sep, _) in enumerate(SEPARATORS)]
    sources.append(write("user,item,rating,date\na,b,3,2005-01-01\nc,d,3.5,2005-01-02\n", "d.csv"))
    sources.append(write("1:\n5,3,2005-09-06\n", "mv_1.txt"))
    sources.append(write("1,2,3\n1,x,4\n1,3,y\n", "bad.csv"))
    code = f"""
import sys
import funksvd.ratings as fr
assert "pyarrow" not in sys.modules and "scipy" not in sys.modules
for source in {sources!r}:
    fr.read_ratings(source, on_bad_rows="skip")
fr.read_pairs({sources[0]!r}), fr.read_ids({sources[0]!r})
import io, numpy as np
batch = {{"user": np.array([1]), "item": np.array(["a"], object), "x": np.float32([1.5])}}
for kind in ("csv", "json", "parquet"):
    fr.write_table([batch], io.BytesIO(), kind)
assert "pyarrow" in sys.modules
assert "pandas" not in sys.modules, "pandas was imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=environment())


def test_pairs_and_ids(write):
    path = write("b,10\na,20\nb,10\n")
    users, items, report = read_pairs(path)
    assert users.tolist() == ["b", "a", "b"]
    assert items.tolist() == [10, 20, 10]
    assert items.dtype == np.int64
    assert report.n_rows == 3
    users, items, _ = read_pairs(write("movieId;userId\n1;x y\n2;z\n"))
    assert (users.tolist(), items.tolist()) == (["x y", "z"], [1, 2])
    users, _, _ = read_pairs(write(text("::")))  # the rating is not looked at
    assert users.tolist() == [1, 2, 1, -3]


def test_ids(write):
    assert read_ids(write("5\n3\n\n5\n  \n"))[0].tolist() == [5, 3, 5]
    assert read_ids(write("userId\n5\n3\n"))[0].tolist() == [5, 3]
    assert read_ids(write("someone\n5\n3\n"))[0].tolist() == [5, 3]
    assert read_ids(write("Ann Lee\nBob Ray\n"))[0].tolist() == ["Ann Lee", "Bob Ray"]
    assert read_ids(write(text(",")))[0].tolist() == [1, 2, 1, -3]


def test_real_files(movielens):
    for folder, n_fields in (("ml-100k", 4), ("ml-latest-small", 4)):
        if not (movielens / folder).is_dir():
            pytest.skip(f"no {folder} in {movielens}")
        ratings = read_ratings(movielens / folder)
        path = ratings.report.detected.partition(": ")[0]
        with open(path) as file:
            rows = [line.replace("\t", ",").strip().split(",") for line in file]
        rows = [row for row in rows if row[0].isdecimal()]
        assert all(len(row) == n_fields for row in rows)
        expected = [(int(user), int(item), float(rating)) for user, item, rating, _ in rows]
        assert triples(ratings) == expected
        assert ratings.timestamps.tolist() == [int(row[3]) for row in rows]


def test_a_folder_of_several_data_sets_is_a_question(tmp_path):
    for name, file in (("one", "ratings.csv"), ("two", "u.data")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("1\t2\t3\n")
    with pytest.raises(RatingsError, match=r"several folders hold ratings .*: one, two\. Name one"):
        read_ratings(tmp_path)
