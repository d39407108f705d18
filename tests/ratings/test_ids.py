"""Ids keep their kind, and survive whatever they are made of."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funksvd.ratings import read_ratings


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["7", "10", "-2", "0"], [-2, 0, 7, 10]),
        (["7", "007"], ["007", "7"]),
        (["7", "+8"], ["+8", "7"]),
        (["7", "-0"], ["-0", "7"]),
        (["7", "8.0"], ["7", "8.0"]),
        (["9223372036854775807", "1"], [1, 9223372036854775807]),
        (["9223372036854775808", "1"], ["1", "9223372036854775808"]),
        (["12345678901234567890", "1"], ["1", "12345678901234567890"]),
        (["7", "\uff11"], ["7", "\uff11"]),
        (["b", "a", "Z", "é", "z"], ["Z", "a", "b", "z", "é"]),
        (["nan", "None", "NULL", "NA"], ["NA", "NULL", "None", "nan"]),
        (["  7 ", "8\t", "\u00a09\u3000"], [7, 8, 9]),
        (["true", "1e3"], ["1e3", "true"]),
    ],
)
def test_kinds(write, written, read):
    ratings = read_ratings(write("user,item,rating\n" + "".join(f"{u},1,3\n" for u in written)))
    assert ratings.user_ids.tolist() == read
    assert ratings.user_ids.dtype == (np.int64 if isinstance(read[0], int) else object)
    stripped = [u.strip() for u in written]
    assert list(map(str, ratings.user_ids[ratings.user_index])) == stripped


def test_what_made_integers_text_is_said(write):
    report = read_ratings(write("1,5,3\n2,x5,3\n3,7,4\n")).report
    assert report.detected.endswith("; item ids are text because of 'x5'")
    assert "ids are text" not in read_ratings(write("a,5,3\nb,5,3\n")).report.detected


def test_blanks_around_do_not_make_two_ids(write):
    ratings = read_ratings(write("a ,1,3\n a,2,3\n\ta,3,3\n"))
    assert ratings.user_ids.tolist() == ["a"]


def test_ids_of_skipped_rows_do_not_count(write):
    ratings = read_ratings(write("1,2,3\nTotal,,1\n"), on_bad_rows="skip")
    assert ratings.user_ids.tolist() == [1]
    assert ratings.item_ids.tolist() == [2]


# surrogates are not text; control characters include newlines; blanks around are trimmed
label_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;|"\t:'), min_size=1
).filter(lambda text: text.strip() == text)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            label_texts | st.integers(-(2**70), 2**70).map(str),
            st.integers(-(2**63), 2**63 - 1),
            st.floats(width=32, allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=20,
        unique_by=lambda row: row[:2],
    ),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_round_trip_through_the_csv_module(tmp_path, rows, separator, newline):
    file = io.StringIO()
    writer = csv.writer(
        file, delimiter=separator, lineterminator=newline, quoting=csv.QUOTE_NONNUMERIC
    )
    writer.writerow(["user", "item", "rating"])
    writer.writerows(rows)
    path = tmp_path / "ratings.csv"
    path.write_bytes(file.getvalue().encode())
    ratings = read_ratings(path, sep=separator)
    users = list(map(str, ratings.user_ids[ratings.user_index]))
    items = ratings.item_ids[ratings.item_index].tolist()
    assert list(zip(users, items, ratings.values.tolist(), strict=True)) == rows
    assert ratings.user_ids.tolist() == sorted(ratings.user_ids.tolist())
    canonical = all(
        str(int(user)) == user and -(2**63) <= int(user) < 2**63
        if user.removeprefix("-").isascii() and user.removeprefix("-").isdecimal()
        else False
        for user in users
    )
    assert (ratings.user_ids.dtype == np.int64) == canonical
