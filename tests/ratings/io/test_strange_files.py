"""Files that people have: read right, or refused with what helps, but never read wrongly."""

from __future__ import annotations

import encodings.aliases
import io
import zipfile

import pytest

from funksvd import RatingsError
from funksvd.ratings import read_ids, read_pairs, read_ratings, read_titles
from funksvd.ratings.io.lines import MAX_LINE_BYTES

BOM = "\ufeff"
HEADER = "user,item,rating\n"
WIDE = ["1,4,5,0", "2,3,4,5", "3,0,5,4"]


def message(source, read=read_ratings, **options) -> str:
    with pytest.raises(RatingsError) as caught:
        read(source, **options)
    return str(caught.value)


def triples(ratings) -> list[tuple]:
    users = ratings.user_ids[ratings.user_index].tolist()
    items = ratings.item_ids[ratings.item_index].tolist()
    return list(zip(users, items, ratings.values.tolist(), strict=True))


def archive(content: bytes, name: str = "ratings.csv") -> bytes:
    file, info = io.BytesIO(), zipfile.ZipInfo("x")
    info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(info, content)
    return file.getvalue()


# Matrices, and columns that cannot be told


@pytest.mark.parametrize(
    "header", ["user,1,2,3", ",1,2,3", "userId,i1,i2,i3,i4,i5", "title,7,8,9", "id,1.0,2.0,3.0"]
)
@pytest.mark.parametrize("read", [read_ratings, read_pairs])
@pytest.mark.parametrize("on_bad_rows", ["error", "skip"])
def test_a_matrix_is_not_taken_for_triples(write, header, read, on_bad_rows):
    more = "," * (header.count(",") - 3)
    path = write("\n".join([header, *(row + more for row in WIDE)]))
    found = message(path, read, on_bad_rows=on_bad_rows)
    assert found.startswith(f"{path}: this looks like a matrix, with a row for each user")
    assert "melt(" in found
    assert "skip" not in found
    assert "user_col=" in found


@pytest.mark.parametrize("cells", ["4;;NaN", "4,5;0;NA", "4.0;null;nan"])
def test_a_matrix_may_have_holes(write, cells):
    for user in ("1", "ann"):
        assert "this looks like a matrix" in message(write(f"user;1;2;3\n{user};{cells}\n"))


def test_a_table_may_be_a_matrix_too():
    import pyarrow as pa

    found = message(pa.table({name: [1, 2] for name in ("user", "a", "b", "c", "d", "e")}))
    assert "melt(" in found


def test_what_looks_like_a_matrix_is_read_where_its_columns_are_named(write):
    path = write("\n".join(["user,1,2,3", *WIDE]))
    found = read_ratings(path, user_col="user", item_col=2, rating_col="3", timestamp_col="none")
    assert triples(found) == [(1, 4, 0.0), (2, 3, 5.0), (3, 0, 4.0)]


def test_a_first_line_that_may_be_a_header_is_not_to_be_skipped(write):
    path = write("wer,was,1\n1,2,3\n1,3,4\n", "x.csv")
    assert len(read_ratings(path)) == 3  # text is an id
    found = message(write(",7,8\n1,2,3\n1,3,4\n"))
    assert "line 1: user is empty" in found
    assert "skip" not in found
    assert "if line 1 is a header, say by name" in found.lower()
    assert "skip" in message(write("1,2,3\n,7,8\n1,3,4\n"))


def test_five_columns_without_header_are_a_question(write):
    path = write("0,1,10,4,99\n1,1,20,5,98\n2,2,10,3,97\n")
    for read, roles in ((read_ratings, "user, item and rating"), (read_pairs, "user and item")):
        found = message(path, read)
        assert f"5 columns and no header, so it is not clear which of them hold {roles}" in found
        assert "Column 1 seems to number the rows" in found
    ratings = read_ratings(path, user_col=2, item_col=3, rating_col=4)
    assert triples(ratings) == [(1, 10, 4.0), (1, 20, 5.0), (2, 10, 3.0)]
    assert not ratings.report.warnings


@pytest.mark.parametrize(
    ("text", "read", "warned"),
    [
        ("0,1,10,4\n1,1,20,5\n2,2,10,3\n", read_ratings, True),
        ("1,1,10,4\n2,1,20,5\n", read_ratings, True),
        ("0,1,10,4\n1,1,20,5\n1,2,10,3\n", read_ratings, False),
        ("0,1,4\n1,1,5\n2,2,3\n", read_ratings, False),  # no column is left over
        ("0,3,1\n1,1,2\n", read_pairs, True),
        ("user,item,x\n0,3,1\n1,1,2\n", read_pairs, False),
    ],
)
def test_a_column_that_counts_rows_is_warned_of(write, text, read, warned):
    found = read(write(text))
    (report,) = [found.report] if read is read_ratings else found[2:]
    assert len(report.warnings) == warned
    assert all("column 1 counts" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"item_col": "keywordID"}, "user keywordID rating"), ({"rating_col": 2}, "user item rating")],
)
def test_columns_are_listed_as_user_item_rating(write, options, says):
    names = ("user", "rating", options.get("item_col", "item"))
    report = read_ratings(write(",".join(names) + "\n1,5,10\n"), **options).report
    assert report.detected.endswith(f"columns {says}")


# What stands above the table


@pytest.mark.parametrize(
    ("above", "separator"),
    [
        ("# exported 2021\n# by me, and you, too\n", ","),
        ("# user,item,rating\n#\n", ","),
        ("Ratings export\n\n", ","),
        ("Ratings export\nof 2021, in May\n", ","),
        ("sep=;\n", ";"),
        ('"sep=^"\n', "^"),
        ("\ufeffSEP=\t\n", "\t"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_above_the_header_are_left_out_and_named(write, above, separator, newline):
    table = "user,item,rating\n1,2,3\n4,5,x\n6,7,4.5\n".replace(",", separator)
    path = write((above + table).replace("\n", newline))
    found = read_ratings(path, on_bad_rows="skip")
    assert triples(found) == [(1, 2, 3.0), (6, 7, 4.5)]
    assert "; left out above it: " in found.report.detected
    assert found.report.bad_rows[0].line == (above + table).count("\n") - 1


def test_a_header_may_be_a_comment(write):
    found = read_ratings(write("# made by me\n#rating,item,user\n3,2,1\n4.5,7,6\n"))
    assert triples(found) == [(1, 2, 3.0), (6, 7, 4.5)]


def test_ids_that_begin_with_a_number_sign_are_no_comments(write):
    rows = [("#a", 1, 3.0), ("#b", 2, 4.0), ("c", 1, 5.0)]
    text = "".join(f"{user},{item},{value}\n" for user, item, value in rows)
    assert triples(read_ratings(write(text))) == rows
    assert triples(read_ratings(write(text.rpartition("c")[0]))) == rows[:2]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("#a~1~3\nb~2~4\n", {"sep": "~"}),
        ("###1###3\nb###2###4\n", {"sep": "###", "user_col": 1, "item_col": 2, "rating_col": 3}),
        ('#a,"1,0",3\nb,2,4\n', {}),
        ("#a;x;3,5\nb;y;4,5\n", {}),
        ("#a 1 3\nb 2 4\n", {}),
        ('#a;"two;\nlines";"3"\nb;2;4\n', {"sep": ";"}),
    ],
)
def test_a_first_row_that_begins_with_a_number_sign_is_not_lost(write, text, options):
    path = write(text)
    assert read_ratings(path, on_bad_rows="skip", **options).report.n_rows == 2


def test_a_line_above_a_table_without_known_header_is_refused(write):
    path = write("Ratings export\n\n1,2,3\n4,5,6\n7,8,9\n")
    assert f"{path}, line 1: this line is not part of the table" in message(path)
    assert len(read_ratings(write("# Ratings export\n\n1,2,3\n4,5,6\n"))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "+----+----+----+\n| user | item | rating |\n+----+----+----+\n| 1 | 2 | 3 |\n",
        " user | item | rating\n------+------+-------\n 1 | 2 | 3\n(1 row)\n",
        "user  item  rating\n----  ----  ------\n1     2     3\n",
        "| user | item | rating |\n|:----|----|---:|\n| 1 | 2 | 3 |\n",
    ],
)
def test_a_table_drawn_for_people(write, text):
    assert "this table is drawn for people" in message(write(text))


def test_recbole(write):
    text = "user_id:token\titem_id:token\trating:float\ttimestamp:float\nA\tB\t4.0\t1600000001\n"
    found = read_ratings(write(text, "my.inter"))
    assert triples(found) == [("A", "B", 4.0)]
    assert found.timestamps.tolist() == [1600000001]
    assert triples(read_ratings(write(text), item_col="item_id")) == [("A", "B", 4.0)]


# Numbers


@pytest.mark.parametrize(
    ("text", "options", "values"),
    [
        ("user;item;rating\n1;2;4,5\n1;3;4\n", {}, [4.5, 4.0]),
        ("user;item;rating\n1;2;4,125\n1;3;4,5\n", {}, [4.125, 4.5]),
        ("user;item;rating\n1;2;4,125\n", {"decimal": ","}, [4.125]),
        ('user,item,rating\n1,2,"-,5"\n1,3,"1,5e1"\n', {"decimal": ","}, [-0.5, 15.0]),
        ("1 2 4,5\n1 3 +4\n", {}, [4.5, 4.0]),
    ],
)
def test_decimal_commas(write, text, options, values):
    found = read_ratings(write(BOM + text), **options)
    assert found.values.tolist() == values
    assert "decimal comma" in found.report.detected


@pytest.mark.parametrize(
    ("rating", "options", "says"),
    [
        ("12,000", {}, ["may be 12000 or 12.000", "decimal="]),
        ("1,234,567", {}, ["may be 1234567", "write thousands without commas"]),
        ("1,234,567", {"decimal": ","}, ["may be 1234567", "write thousands without commas"]),
        ("4,5", {"decimal": "."}, ["has a decimal comma", 'decimal=","']),
        ("4.5", {"decimal": ","}, ["has a decimal point"]),
        ("4 stars", {}, ["ratings must be numbers: write them without units"]),
        ("80%", {}, ["ratings must be numbers: write them without units"]),
        ("True", {}, ["ratings must be numbers: write 1 for true"]),
    ],
)
def test_ratings_that_are_no_numbers(write, rating, options, says):
    path = write(f'user;item;rating\n1;2;{rating}\n1;3;3\n1;4;4\n1;5;"1.5"\n')
    found = message(path, **options).lower()
    assert all(text.lower() in found for text in says)
    assert "line 2: rating" in found


def test_a_plus_before_a_number(write):
    found = read_ratings(write("user,item,rating,timestamp\n1,2,+3,+5\n1,3,4,7\n"))
    assert (found.values.tolist(), found.timestamps.tolist()) == ([3.0, 4.0], [5, 7])


# Ids that other programs have changed


@pytest.mark.parametrize("kind", ["text", "table"])
@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["1", "1.0", "2", "2.0", "3"], "users '1' and '1.0', and 1 more such pairs differ only"),
        (["1.0", "2.0"], "user ids look like floating point ('1.0')"),
        (["9.78014E+11", "9.78014E+10"], "user ids like '9.78014E+10' look as if a spreadsheet"),
        ([*map(str, range(20_000, 25_000)), "22000.0"], "users '22000' and '22000.0' differ only"),
        (["1", "a"], None),
        (["1", "2.5"], None),
    ],
)
def test_damaged_ids_are_warned_of(write, kind, ids, says):
    import pyarrow as pa

    source = write(HEADER + "".join(f"{user},1,3\n" for user in ids))
    if kind == "table":
        source = pa.table({"user": ids, "item": [1] * len(ids), "rating": [3.0] * len(ids)})
    warnings = read_ratings(source).report.warnings
    assert len(warnings) == (says is not None)
    assert says is None or says in warnings[0]


# Blanks and marks


def test_no_break_spaces_are_blanks(write):
    nbsp = "\u00a0"
    rows = [(1, 2, 3.0), (4, 5, 6.0)]
    assert triples(read_ratings(write(f"1{nbsp}2{nbsp}3\n4 {nbsp}5{nbsp} 6{nbsp}\n"))) == rows
    assert triples(read_ratings(write(f"1{nbsp},2,{nbsp}3\n4,{nbsp}5,6\n"))) == rows


def test_blanks_that_are_not_seen_are_shown(write):
    found = message(write(f"{HEADER}1,2,3\n1,2{BOM}\u200b,x\n"))
    assert r"1,2\ufeff\u200b,x" in found


@pytest.mark.parametrize("separator", [",", "::", " "])
@pytest.mark.parametrize("user", ["7", "ann"])
def test_byte_order_marks_of_files_put_one_after_another(write, separator, user):
    lines = f"1,2,3\n4,5,6\n{BOM}{user},8,9\n{BOM}{BOM}{user},9,9\n".replace(",", separator)
    found = read_ratings(write(BOM + lines))
    users = [1, 4, 7] if user == "7" else ["1", "4", "ann"]
    assert found.user_ids.tolist() == users
    bad = write(BOM + lines + separator.join(("1", "2")))
    assert read_ratings(bad, on_bad_rows="skip").user_ids.tolist() == users
    assert read_ids(write(f"{BOM}1\n{BOM}2\n"))[0].tolist() == [1, 2]
    assert read_titles(write(f"{BOM}1,a\n{BOM}2,b\n")) == {1: "a", 2: "b"}
    movies = write(f"{BOM}1:\n5,3,2005-09-06\n{BOM}2:\n5,3,2005-09-06\n")
    assert read_ratings(movies).item_ids.tolist() == [1, 2]
    twice = lines.encode("utf-16") * 2
    assert read_ratings(write(twice), encoding="utf-16").user_ids.tolist() == users


# Quotes


def stray(at: int) -> list[str]:
    """100 rows, every tenth of which has a quote before one of its fields."""
    rows = [[str(n), str(n % 7), str(n % 5 + 1)] for n in range(100)]
    for row in rows[5::10]:
        row[at] = '"' + row[at]
    return [",".join(row) for row in rows]


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("header", ["", HEADER])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_stray_quote_spoils_its_own_line(write, at, header, end):
    path = write(header + "\n".join(stray(at)) + end)
    found = read_ratings(path, on_bad_rows="skip")
    assert [user for user, _, _ in triples(found)] == [n for n in range(100) if n % 10 != 5]
    assert (found.report.n_rows, found.report.n_bad_rows) == (100, 10)
    lines = [row.line for row in found.report.bad_rows]
    assert lines == [n + 1 + bool(header) for n in (5, 15, 25, 35, 45)]
    assert "a quote is opened and not closed" in message(path)


@pytest.mark.parametrize(
    ("text", "rows", "n_bad"),
    [
        # closed lines later, where a field may end
        ('1,"2,3\n1,4,4\n1,5",5\n1,6,6\n', [(1, 4, 4), (1, '5"', 5), (1, 6, 6)], 1),
        ('1,"2,3\n1,5",5\n1,6,6\n', [(1, '5"', 5), (1, 6, 6)], 1),
        ('1,2,3\n1,3,"4\n', [(1, 2, 3)], 1),
        # properly closed
        ('1,"a\nb",3\n1,"c\n\nd",4\n', [(1, "a b", 3), (1, "c  d", 4)], 0),
        ('"a,\nb",2,3\n1,5",4\n', [("a, b", 2, 3), ("1", '5"', 4)], 0),
        ('1,"a\n""b""",3\n1,"c",4\n', [(1, 'a "b"', 3), (1, "c", 4)], 0),
    ],
)
def test_quoted_fields_over_lines(write, text, rows, n_bad):
    found = read_ratings(write(HEADER + text), on_bad_rows="skip")
    ref = [tuple(map(str, row[:2])) for row in rows]
    assert [tuple(map(str, row[:2])) for row in triples(found)] == ref
    assert found.values.tolist() == [value for _, _, value in rows]
    assert (found.report.n_rows, found.report.n_bad_rows) == (len(rows) + n_bad, n_bad)


def test_stray_quotes_among_pairs_and_users(write):
    text = 'user,item\na,b\na,"c\na,d\na,e"\na,f\n'
    users, items, report = read_pairs(write(text), on_bad_rows="skip")
    assert (items.tolist(), report.n_bad_rows) == (["b", "d", 'e"', "f"], 1)
    users, report = read_ids(write('a\n"b\nc\n"New\nYork"\n'), on_bad_rows="skip")
    assert (users.tolist(), report.n_bad_rows) == (["a", "c", "New York"], 1)


def test_quotes_are_joined_before_separators_are_judged(write):
    path = write('user,item,rating,time\n u 1 ,i1,4,1\n u 2 ,"i\n3",5,2\n u 3 ,"i\n3",4,3\n')
    users, items, _ = read_pairs(path, on_bad_rows="skip")
    assert list(zip(users, items, strict=True)) == [("u 1", "i1"), ("u 2", "i 3"), ("u 3", "i 3")]


# Lines


@pytest.mark.parametrize(
    ("start", "read"),
    [
        (HEADER + "1,2,3\n", read_ratings),
        ("1 2 3\n", read_ratings),
        ("1:\n5,3,2005-09-06\n", read_ratings),
        ("1,2\n", read_pairs),
        ("1\n", read_ids),
        ("item,title\n1,a\n", read_titles),
    ],
)
def test_a_line_without_end_is_refused_before_memory_is_full(write, start, read):
    packed = archive(start.encode() + b"9" * 40 * MAX_LINE_BYTES)
    path = write(packed, "ratings.zip")
    found = message(path, read)
    line = start.count("\n") + 1
    assert found.startswith(f"{path}:ratings.csv, line {line}: this line is longer than 1,048,576")
    if read is read_ratings:
        assert message(path, on_bad_rows="skip") == found


@pytest.mark.parametrize(
    "content",
    [
        "1:\n1,2,2005-01-01\n" + ":" * 900_000 + "\n",  # every colon might name a movie
        "1" * 60_000 + "x,2,3\n1,2,3\n",  # digits that may be a whole and decimals
        "1,2,3\n" * 60 + "1,2," + "1" * 900_000 + "x\n",
        HEADER + "1,2,3\n" + '1,2,"' * 100_000 + "\n",
        HEADER + "-" * 60_000 + "x\n1,2,3\n",
    ],
)
def test_long_lines_take_no_quadratic_time(write, content):
    report = read_ratings(write(content), on_bad_rows="skip", timestamp_col="none").report
    assert len(report.detected) < 300
    assert report.n_rows - report.n_bad_rows > 0


@pytest.mark.parametrize("newline", ["\r", "\r\n"])
def test_netflix_lines_may_end_in_carriage_returns(write, newline, monkeypatch):
    text = "1:\n5,3,2005-09-06\n6,x,2005-09-06\n2:\n5,1,2005-09-06\n".replace("\n", newline)
    for block_size in (1, 7, 1 << 20):
        monkeypatch.setattr("funksvd.ratings.io.lines.BLOCK_SIZE", block_size)
        found = read_ratings(write(text), on_bad_rows="skip")
        assert triples(found) == [(5, 1, 3.0), (5, 2, 1.0)]
        assert found.report.bad_rows[0].line == 3


# Encodings and separators


CODECS = {*encodings.aliases.aliases.values(), "idna", "punycode", "undefined", "unicode_escape"}


@pytest.mark.parametrize("read", [read_ratings, read_titles])
def test_every_codec_of_python_works_or_is_refused(write, read):
    text = "item,title,user,rating\n1,a b,7,3\n2,c,8,4.5\n"
    refused = set()
    for codec in sorted(CODECS):
        try:
            raw = text.encode(codec)
        except (LookupError, UnicodeError, TypeError):
            raw = text.encode()
        path = write(raw)
        try:
            found = read(path, encoding=codec)
        except RatingsError as error:
            assert "encoding=" in str(error), codec  # noqa: PT017 (most do not raise)
            refused.add(codec)
        else:
            assert len(found) == 2, codec
    assert {"base64_codec", "hex_codec", "rot_13", "idna", "punycode", "undefined"} <= refused
    assert not refused & {"utf_8", "utf_7", "utf_16", "latin_1", "cp1252", "cp037", "iso2022_jp"}


@pytest.mark.parametrize("read", [read_ratings, read_pairs, read_ids, read_titles])
def test_halves_of_surrogate_pairs_are_no_text(write, read):
    path = write(b"user,item,rating,title\n1,2,3,a\nx+2AA-,3,4,+2AA-\n")
    assert "line 3 or near it: this is not utf-7 text" in message(path, read, encoding="utf-7")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark(write, codec):
    path = write((HEADER + "1,2,3\n").encode(codec))
    assert f'encoding="{codec}"' in message(path, encoding=codec[:6])
    assert len(read_ratings(path, encoding=codec)) == 1
    assert 'encoding="utf-16-' in message(path)
    plain = message(write(HEADER + "1,2,3\n"), encoding=codec[:6])
    assert "this is not utf-" in plain
    assert "encoding=" in plain


@pytest.mark.parametrize(
    ("raw", "encoding"), [(b"Jos\xe9", "cp1252"), (b"D\x92Arcy", "cp1252"), (b"\x81", "latin-1")]
)
def test_the_encoding_that_helps_is_named(write, raw, encoding):
    path = write(HEADER.encode() + raw + b",1,3\nAna,2,4\n")
    assert f'encoding="{encoding}"' in message(path)
    assert len(read_ratings(path, encoding=encoding)) == 2


@pytest.mark.parametrize(
    "sep",
    ["§", "→→", "¦", "😀", "\u00a0", "-", "+", "#", "'", "\\", "\x1f", "\v", "  ", ", ", "tab"],
)
def test_separators_that_work(write, sep):
    separator = {"tab": "\t"}.get(sep, sep)
    rows = [("user", "item", "rating"), ("7", "x", "3"), ("8", "y y", "4.5")]
    path = write("".join(separator.join(row) + "\n" for row in rows))
    assert triples(read_ratings(path, sep=sep)) == [(7, "x", 3.0), (8, "y y", 4.5)]
    rows[1:1] = [("9", "z"), ("9", "z", "bad")]
    path = write("".join(separator.join(row) + "\n" for row in rows))
    found = read_ratings(path, sep=sep, on_bad_rows="skip")
    assert triples(found) == [(7, "x", 3.0), (8, "y y", 4.5)]
    assert [row.line for row in found.report.bad_rows] == [2, 3]


@pytest.mark.parametrize("sep", ["", '"', '","', "\n", "a\r", "1", "\0", "\udcff"])
def test_separators_that_are_refused(sep):
    assert "a separator of columns (sep=)" in message("nowhere.csv", sep=sep)


def test_a_member_of_an_archive_without_a_name(write):
    assert len(read_ratings(write(archive(b"1,2,3\n", ""), "ratings.zip"))) == 1


def test_a_name_in_an_archive_that_is_no_text(write):
    packed = archive(b"1,2,3\n", "é.csv").replace("é".encode(), b"\xff\xff")
    assert "damaged or incomplete" in message(write(packed, "ratings.zip"))
