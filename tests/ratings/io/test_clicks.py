"""Interactions without ratings: which sources have none, and how repeated pairs are counted."""

from __future__ import annotations

import io
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from funksvd import Interactions, Ratings, RatingsError, read_clicks, read_data, read_ratings
from funksvd.ratings.io import plain

CLICKS = "user,item\nann,7\nbob,7\nann,3\nann,7\n"
PLAYS = "user;item;plays;time\n1;9;2;100\n1;8;1,5;90\n2;9;3;80\n1;9;4;70\n"


def rows_of(found: Interactions) -> list[tuple]:
    return list(found.to_pandas().itertuples(index=False, name=None))


def test_repeated_pairs_are_counted(write):
    found = read_data(write(CLICKS))
    assert type(found) is Interactions
    assert rows_of(found) == [("ann", 7, 2.0), ("bob", 7, 1.0), ("ann", 3, 1.0)]
    report = found.report
    assert (report.kind, report.n_rows, report.n_duplicates) == ("clicks", 4, 1)
    assert report.notes == ["There are no ratings: each pair of a user and an item counts"]


def test_without_repeats_there_are_no_weights(write):
    found = read_clicks(write("user,item\nann,7\nbob,7\n"))
    assert found.columns == {}
    assert found.report.n_duplicates == 0


def test_counts_add_up_and_the_latest_time_stays(write):
    found = read_data(write(PLAYS))
    assert rows_of(found) == [(1, 9, 6.0, 100), (1, 8, 1.5, 90), (2, 9, 3.0, 80)]
    assert "columns user item plays time" in found.report.detected.replace("header, ", "")
    assert "as often as it says" in found.report.notes[0]


def test_counts_stay_where_no_pair_repeats(write):
    found = read_data(write("user,item,count\n1,2,1\n2,2,1\n"))
    assert found.weights.tolist() == [1, 1]
    assert found.weights.dtype == np.float32


@pytest.mark.parametrize(
    "name",
    ["count", "plays", "Play_Count", "n", "quantity", "weight", "listens", "clicks", "frequency",
     "qty", "views", "count:float"],
)  # fmt: skip
def test_names_of_counts(write, name):
    assert read_data(write(f"user,item,{name}\n1,2,5\n1,3,4\n")).weights.tolist() == [5, 4]


def test_random_rows_against_a_plain_count(write):
    random = np.random.default_rng(0)
    rows = [(int(u), int(i), int(n), int(t)) for u, i, n, t in random.integers(1, 9, (400, 4))]
    counts: Counter[tuple[int, int]] = Counter()
    times: dict[tuple[int, int], int] = {}
    for user, item, n, time in rows:
        counts[user, item] += n
        times[user, item] = max(time, times.get((user, item), 0))
    ref = [(*pair, float(n), times[pair]) for pair, n in counts.items()]
    text = "user,item,count,timestamp\n" + "".join(f"{u},{i},{n},{t}\n" for u, i, n, t in rows)
    assert rows_of(read_data(write(text))) == ref
    frame = pd.DataFrame(rows, columns=["user", "item", "count", "timestamp"])
    assert rows_of(read_data(frame)) == ref
    without = read_clicks(frame, count_col="none", timestamp_col="none")
    ones = Counter((u, i) for u, i, _, _ in rows)
    assert rows_of(without) == [(*pair, float(n)) for pair, n in ones.items()]


@pytest.mark.parametrize("kind", ["csv", "parquet", "feather", "pandas", "polars", "stdin"])
def test_every_source(kind, tmp_path, monkeypatch):
    frame = pd.DataFrame({"user": ["a", "b", "a"], "item": [1, 1, 1], "plays": [2, 1, 5]})
    path = str(tmp_path / f"plays.{kind}")
    source = path
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "feather":
        frame.to_feather(path)
    elif kind == "pandas":
        source = frame
    elif kind == "polars":
        source = pytest.importorskip("polars").from_pandas(frame)
    else:
        text = io.TextIOWrapper(io.BytesIO(frame.to_csv(index=False).encode()))
        monkeypatch.setattr(sys, "stdin", text)
        source = "-"
    assert rows_of(read_data(source)) == [("a", 1, 7.0), ("b", 1, 1.0)]


def test_repeats_over_several_files(write):
    first = write("user,item,count,time\n1,2,3,50\n2,2,1,51\n", "a.csv")
    second = write("user,item,time\n1,2,40\n1,3,60\n", "b.csv")
    found = read_data([first, second])
    assert rows_of(found) == [(1, 2, 4.0, 50), (2, 2, 1.0, 51), (1, 3, 1.0, 60)]


def test_times_of_some_files_only_are_left_out(write):
    first, second = write("user,item,time\n1,2,3\n", "a.csv"), write("user,item\n1,3\n", "b.csv")
    assert rows_of(read_data([first, second])) == [(1, 2), (1, 3)]


def test_a_folder_with_a_file_of_plays(write, tmp_path):
    write("user,item,plays\n1,2,3\n", "folder/ratings.csv")
    assert read_data(str(tmp_path / "folder")).weights.tolist() == [3]


def test_a_folder_with_clicks_only(write, tmp_path):
    write("user,item\n1,2\n", "folder/RAW_interactions.csv")
    write("a,b\n1,2\n", "folder/other.csv")
    assert rows_of(read_data(str(tmp_path / "folder"))) == [(1, 2)]
    write("user,item,rating\n1,2,5\n1,3,4\n", "folder/ratings.csv")
    assert type(read_data(str(tmp_path / "folder"))) is Ratings


@pytest.mark.parametrize("header", ["user,item\n", ""])
@pytest.mark.parametrize("mark", ["", '"'])
def test_names_with_blanks_are_not_columns(write, header, mark):
    pairs = [("ann lee", "the end"), ("bob ray", "the game"), ("ann lee", "the room")]
    text = "".join(f"{mark}{user}{mark},{mark}{item}{mark}\n" for user, item in pairs)
    assert rows_of(read_data(write(header + text))) == pairs


def test_commas_within_the_columns_of_a_table_that_blanks_separate(write):
    ratings = read_data(write("lee,ann 7 4\nray,bob 8 3\n"))
    assert ratings.user_ids.tolist() == ["lee,ann", "ray,bob"]
    assert ratings.values.tolist() == [4, 3]
    assert ratings.item_ids.tolist() == [7, 8]


@pytest.mark.parametrize("text", ["1,2\n1,3\n1,2\n", "1 2\n1 3\n1 2\n", "1\t2\n1\t3\n1\t2\n"])
def test_two_columns_without_header(write, text):
    found = read_data(write(text))
    assert rows_of(found) == [(1, 2, 2.0), (1, 3, 1.0)]
    assert "no header, columns 1 2 as user item" in found.report.detected


def test_times_in_the_place_of_ratings_are_doubted(write):
    found = read_data(write("1,2,978300760\n1,3,978300761\n"))
    assert "are they times?" in found.report.warnings[-1]
    assert not read_data(write("1,2,3,978300760\n1,3,4,978300761\n")).report.warnings


def test_the_reason_why_ids_are_text_is_told(write):
    found = read_data(write("user,item\n1,2\n2,3\n2,x4\n"))
    assert found.report.detected.endswith("; item ids are text because of 'x4'")


def test_three_columns_without_header_are_ratings(write):
    found = read_data(write("1,2,3\n1,3,4\n"))
    assert type(found) is Ratings
    assert found.report.kind == "ratings"
    assert not found.report.notes
    counted = read_data(write("1,2,3\n1,3,4\n"), count_col=3)
    assert rows_of(counted) == [(1, 2, 3.0), (1, 3, 4.0)]
    bare = read_data(write("1,2,3\n1,3,4\n"), rating_col="none")
    assert rows_of(bare) == [(1, 2), (1, 3)]


def test_a_column_of_ratings_goes_before_one_of_counts(write):
    path = write("user,item,rating,plays\n1,2,4,9\n1,3,5,9\n")
    assert type(read_data(path)) is Ratings
    assert read_data(path, count_col="plays").weights.tolist() == [9, 9]
    assert read_data(path, rating_col="none").weights.tolist() == [9, 9]
    assert read_data(path, rating_col="plays").values.tolist() == [9, 9]
    with pytest.raises(RatingsError, match=r"give rating_col= or count_col=, not both"):
        read_data(path, rating_col="rating", count_col="plays")


@pytest.mark.parametrize("value", ["1", "5", "0", "-2.5"])
def test_ratings_that_are_all_equal_are_clicks(write, value):
    path = write(f"user,item,rating,time\n1,2,{value},7\n1,3,{value},5\n1,2,{value},9\n")
    found = read_data(path)
    assert type(found) is Interactions
    assert rows_of(found) == [(1, 2, 2.0, 9), (1, 3, 1.0, 5)]
    assert found.report.kind == "rated"
    assert found.report.notes == [f"All ratings are {value}: they are taken as clicks"]
    assert type(read_data(path, rating_col="rating")) is Ratings


def test_equal_ratings_without_header_keep_their_times(write):
    assert rows_of(read_data(write("1,2,1,7\n1,3,1,5\n"))) == [(1, 2, 7), (1, 3, 5)]


@pytest.mark.parametrize("values", [(0, 1), (5, 4.5)])
def test_ratings_of_two_values_are_ratings(write, values):
    found = read_data(write(f"user,item,rating\n1,2,{values[0]}\n1,3,{values[1]}\n"))
    assert type(found) is Ratings


def test_a_single_rating_is_a_rating(write):
    assert type(read_data(write("user,item,rating\n1,2,5\n"))) is Ratings


def test_the_same_as_read_ratings_where_there_are_some(write):
    path = write("user,item,rating\n1,2,5\n1,3,4\n1,2,3\n")
    assert read_data(path).fingerprint == read_ratings(path).fingerprint


@pytest.mark.parametrize(
    "text",
    [
        "user,item,points\n1,2,4\n1,3,5\n",
        "user,item,time,liking\n1,2,4,0.5\n1,3,5,\n",
        "user,item,bought\n1,2,True\n1,3,False\n",
    ],
)
def test_numbers_of_an_unknown_name_may_be_ratings(write, text):
    with pytest.raises(RatingsError, match=r"which column is the rating.*rating_col=\"none\""):
        read_data(write(text))
    frame = pd.read_csv(io.StringIO(text))
    with pytest.raises(RatingsError, match=r"which column is the rating.*rating_col=\"none\""):
        read_data(frame)
    assert type(read_data(write(text), rating_col="none")) is Interactions
    assert type(read_data(frame, rating_col="none")) is Interactions


@pytest.mark.parametrize(
    "text",
    ["user,item,event\n1,2,view\n1,3,cart\n", ",user,item\n0,1,2\n1,1,3\n",
     "timestamp,visitorid,event,itemid,transactionid\n5,1,view,2,\n6,1,buy,3,9\n",
     "user,item,title\n1,2,1984\n1,3,300\n", "user,item,session_id\n1,2,10\n1,3,11\n"],
)  # fmt: skip
def test_columns_that_are_no_ratings(write, text):
    found = read_data(write(text))
    assert [row[:2] for row in rows_of(found)] == [(1, 2), (1, 3)]
    assert type(read_data(pd.read_csv(io.StringIO(text)))) is Interactions


def test_files_with_and_without_ratings_do_not_go_together(write):
    rated = write("user,item,rating\n1,2,5\n1,4,4\n", "rated.csv")
    clicked = write("user,item\n1,3\n", "clicked.csv")
    for files in ([rated, clicked], [clicked, rated]):
        with pytest.raises(RatingsError, match=r"rated\.csv has ratings and .*clicked\.csv has no"):
            read_data(files)
    assert len(read_data([rated, clicked], rating_col="none")) == 3


@pytest.mark.parametrize(
    ("count", "says"),
    [
        ("0", "count '0' is not more than 0"),
        ("-1", "count '-1' is not more than 0"),
        ("", "count is empty"),
        ("nan", "count 'nan' is not a number"),
        ("inf", "count 'inf' is infinite"),
        ("1e60", "count '1e60' is too large for a 32-bit float"),
        ("often", "count 'often' is not a number"),
        ("3 times", "counts must be numbers: write them without units"),
        ("true", "write 1 for true"),
    ],
)
def test_a_count_that_cannot_be_used_is_named_with_its_line(write, count, says):
    path = write(f"user,item,count\n1,2,5\n1,3,{count}\n")
    with pytest.raises(RatingsError) as error:
        read_data(path)
    assert "line 3" in str(error.value)
    assert says.lower() in str(error.value).lower()
    found = read_data(path, on_bad_rows="skip")
    assert rows_of(found) == [(1, 2, 5.0)]
    assert found.report.n_bad_rows == 1
    assert len(read_data(path, count_col="none")) == 2


@pytest.mark.parametrize("count", [0.0, -1.0, np.nan, np.inf, None])
def test_a_count_of_a_table_that_cannot_be_used(count):
    frame = pd.DataFrame({"user": [1, 1], "item": [2, 3], "count": [5.0, count]})
    with pytest.raises(RatingsError, match=r"row 2: count .*(cannot be used|is missing)"):
        read_data(frame)
    assert rows_of(read_data(frame, on_bad_rows="skip")) == [(1, 2, 5.0)]


def test_counts_of_a_table_that_are_text():
    frame = pd.DataFrame({"user": [1], "item": [2], "count": ["x"]})
    with pytest.raises(RatingsError, match="counts must be numbers"):
        read_data(frame)


def test_counts_that_are_too_large_together(write):
    with pytest.raises(RatingsError, match="user 1 and item 2 are too large together"):
        read_data(write("user,item,count\n1,2,3e38\n1,2,3e38\n"))


@pytest.mark.parametrize("text", ["clicks\n1\n2\n", "1\n2\n3\n", "ann\nbob\n"])
def test_a_single_column_is_too_few(write, text):
    with pytest.raises(RatingsError, match=r"too few columns.*at least 2 columns \(user, item\)"):
        read_data(write(text))


def test_without_users_and_items_the_message_is_that_of_ratings(write):
    path = write("who,what,rating\na,b,5\n")
    with pytest.raises(RatingsError, match="which column is the user and which the item"):
        read_data(path)


def test_pairs_that_must_not_repeat(write):
    with pytest.raises(RatingsError, match=r"1 interactions repeat a .*user 'ann', item 7"):
        read_data(write(CLICKS), duplicates="error")


def test_a_matrix_market_pattern(write):
    text = "%%MatrixMarket matrix coordinate pattern general\n2 3 2\n1 3\n2 1\n"
    assert rows_of(read_data(write(text))) == [(1, 3), (2, 1)]
    text = "%%MatrixMarket matrix coordinate integer general\n2 3 2\n1 3 4\n2 1 5\n"
    assert type(read_data(write(text))) is Ratings
    assert read_data(write(text), count_col=3).weights.tolist() == [4, 5]


def test_netflix_files_without_their_ratings(write):
    path = write("1:\n7,3,2005-09-06\n8,4,2005-09-07\n2:\n7,1,2005-09-08\n")
    found = read_clicks(path)
    assert [row[:2] for row in rows_of(found)] == [(7, 1), (8, 1), (7, 2)]
    assert found.timestamps is not None


def test_both_parsers_read_counts_alike(write, monkeypatch):
    text = "user,item,count,time\n1,2,5,10\n2,3,1.5,20\n1,2,1,30\n"
    ref = rows_of(read_data(write(text)))
    monkeypatch.setattr(plain, "KERNEL_BYTES", 0)
    assert rows_of(read_data(write(text))) == ref
    with pytest.raises(RatingsError, match="line 3: count '0' is not more than 0"):
        read_data(write("user,item,count\n1,2,5\n2,3,0\n"))


def test_only_ratings_from_some_value_on(write):
    path = write("user,item,rating,time\n1,2,5,1\n1,3,3,2\n2,2,4,3\n3,9,1,4\n1,2,3.5,9\n")
    found = read_data(path, positive_from=3.5)
    assert rows_of(found) == [(2, 2, 3), (1, 2, 9)]
    assert found.weights is None
    assert (found.n_users, found.n_items) == (2, 1)
    assert (found.report.kind, found.report.positive_from) == ("rated", 3.5)
    assert found.report.notes == [
        "2 ratings below 3.5 left out: each of the other 2 counts as an interaction"
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"positive_from": 6}, r"none of 2 ratings is at least 6 .*they are from 3 to 5"),
        ({"positive_from": float("nan")}, "must be finite, not nan"),
        ({"positive_from": 4, "rating_col": "none"}, "says that there are none"),
        ({"positive_from": 4, "count_col": 3}, "says that there are none"),
    ],
)
def test_wrong_ways_to_choose_ratings(write, options, says):
    with pytest.raises(RatingsError, match=says):
        read_data(write("user,item,rating\n1,2,5\n1,3,3\n"), **options)


def test_there_must_be_ratings_to_choose_among(write):
    with pytest.raises(RatingsError, match=r"positive_from= needs ratings to choose among"):
        read_data(write(CLICKS), positive_from=4)


def test_ratings_are_needed_where_they_are_read(write):
    path = write("user,item,rating\n1,2,5\n")
    with pytest.raises(RatingsError, match="says that there are no ratings, but they are needed"):
        read_ratings(path, rating_col="none")
