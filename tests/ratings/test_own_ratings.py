"""Small files of ratings by one person: without users, if need be."""

import io

import pandas as pd
import pytest

from funksvd import RatingsError, read_own_ratings


@pytest.mark.parametrize(
    "content",
    [
        "item,rating\n7,5\n3,1.5\n",
        "7,5\n3,1.5\n",
        "7\t5\n3\t1.5\n",
        "rating;movieId\n5;7\n1.5;3\n",
        "movieId,title,rating\n7,Seven,5\n3,Three,1.5\n",
        "item,rating,timestamp\n7,5,100\n3,1.5,200\n",
        "user,item,rating\n0,7,5\n0,3,1.5\n",
    ],
)
def test_one_person(write, content):
    ratings = read_own_ratings(write(content))
    assert ratings.user_ids.tolist() == [0]
    assert ratings.item_ids[ratings.item_index].tolist() == [7, 3]
    assert ratings.values.tolist() == [5, 1.5]


@pytest.mark.parametrize("content", ["7,5\n3,1.5\n", "user,item,rating\n0,7,5\n0,3,1.5\n"])
def test_what_can_be_read_only_once(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    ratings = read_own_ratings("-")
    assert ratings.user_ids.tolist() == [0]
    assert ratings.item_ids[ratings.item_index].tolist() == [7, 3]


def test_a_single_rating(write):
    assert len(read_own_ratings(write("tt0111161,5\n"))) == 1


def test_several_people(write):
    ratings = read_own_ratings(write("user,item,rating\nann,7,5\nbob,7,3\n"))
    assert ratings.user_ids.tolist() == ["ann", "bob"]
    plain = read_own_ratings(write("1,7,5\n2,7,3\n"))  # three columns mean the same as everywhere
    assert plain.user_ids.tolist() == [1, 2]


def test_columns_by_name(write):
    ratings = read_own_ratings(
        write("what,when,much\n7,x,5\n"), item_col="what", rating_col="much", timestamp_col="none"
    )
    assert ratings.item_ids.tolist() == [7]


def test_the_last_of_several_ratings_counts(write):
    ratings = read_own_ratings(write("item,rating\n7,5\n7,1\n"))
    assert ratings.values.tolist() == [1]
    assert ratings.report.n_duplicates == 1


def test_a_table_in_memory():
    ratings = read_own_ratings(pd.DataFrame({"item": [7, 3], "rating": [5.0, 1.5]}))
    assert ratings.user_ids.tolist() == [0]
    assert ratings.values.tolist() == [5, 1.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this file is empty"),
        ("item,rating\n", "there is a header but no row below it"),
        ("item,rating\n7,good\n", "line 2"),
        ("tt1,nan\ntt2,5\n", "line 1"),  # not a header
        ("7\n3\n", "too few columns"),
        ("what,much\n7,5\n", "item_col="),
        ("user,item,rating\n1,7,good\n", "line 2"),  # never read as item, rating, timestamp
    ],
)
def test_what_cannot_be_read(write, content, message):
    with pytest.raises(RatingsError, match=message):
        read_own_ratings(write(content))


def test_a_user_column_that_was_asked_for_must_be_there(write):
    with pytest.raises(RatingsError, match="user, item, rating"):
        read_own_ratings(write("item,rating\n7,5\n"), user_col="who")
