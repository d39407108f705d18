"""Ids keep their kind, and survive whatever they are made of."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funksvd import RatingsError
from funksvd.ratings import labels, read_ratings


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
        (["  7 ", "8\t"], [7, 8]),
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


# surrogates are not text; control characters include newlines and the blanks that are trimmed
label_texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;|"\t:'), min_size=1
).filter(lambda text: text.strip(" \t\r\n\v\f") == text)


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


def test_as_labels():
    assert labels.as_labels([1, 2]).dtype == np.int64
    assert labels.as_labels(np.array(["a", "b"])).tolist() == ["a", "b"]
    assert labels.as_labels(np.array([3], np.uint8)).dtype == np.int64
    for wrong in ([1, "a"], [1.5], [True], [None], ["a", ""], [[1]], np.array([2**64 - 1])):
        with pytest.raises(RatingsError, match="ids"):
            labels.as_labels(wrong)


def test_find_and_encode():
    ids, index = labels.encode(np.array(["b", "a", "b"], object))
    assert (ids.tolist(), index.tolist()) == (["a", "b"], [1, 0, 1])
    assert labels.find(ids, np.array(["b", "c"], object)).tolist() == [1, -1]
    assert labels.find(np.array([3, 7]), np.array([7, 8, 2, 3])).tolist() == [1, -1, -1, 0]
    assert labels.find(np.array([3, 7]), np.array(["7", "007"], object)).tolist() == [1, -1]
    assert labels.find(np.array(["007", "7"], object), np.array([7, 8])).tolist() == [1, -1]
    assert labels.find(np.empty(0, np.int64), np.array([1])).tolist() == [-1]


def test_is_integer():
    assert all(map(labels.is_integer, ["0", "7", "-7", str(2**63 - 1), str(-(2**63))]))
    assert not any(map(labels.is_integer, ["", "007", "+7", "7.0", "7\n", "-0", str(2**63), "x"]))
