"""What a caller in Python may give for ratings and pairs, and what is said about anything else."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from funksvd import (
    FunkSVD,
    Ratings,
    RatingsError,
    by_time,
    cross_validate,
    hold_out,
    leave_last_out,
    per_user_folds,
    random_folds,
    random_split,
    read_ratings,
    read_titles,
)
from funksvd.ratings import as_interactions, as_pairs, as_ratings, describe, sample

COLUMNS = {"item": [7, 8, 9, 7], "user": ["a", "b", "a", "b"]}
VALUES = [1.0, 2.0, 3.0, 4.0]
TABLE = pd.DataFrame({**COLUMNS, "rating": VALUES, "timestamp": [1, 2, 3, 4]})
MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table, "dict": dict}


def message(call, *arguments, **options) -> str:
    with pytest.raises(RatingsError) as caught:
        call(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("more", [{}, {"rating": VALUES}])
def test_columns_of_tables_are_known_by_their_names(make, more):
    users, items = as_pairs(make(COLUMNS | more))
    assert (users.tolist(), items.tolist()) == (COLUMNS["user"], COLUMNS["item"])
    assert as_interactions(make(COLUMNS)).user_ids.tolist() == ["a", "b"]
    ratings = as_ratings(make(COLUMNS), VALUES)
    assert ratings.item_ids.tolist() == [7, 8, 9]
    assert ratings.values.tolist() == VALUES


def test_columns_without_names_are_known_by_position():
    pairs = np.array([[1, 7], [2, 8]])
    for given in (pairs, pairs.tolist(), pd.DataFrame(pairs)):
        users, items = as_pairs(given)
        assert (users.tolist(), items.tolist()) == ([1, 2], [7, 8])
    assert [len(each) for each in as_pairs(TABLE[["user", "item"]][:0])] == [0, 0]
    assert "shape (n, 2)" in message(as_pairs, pd.DataFrame(np.zeros((3, 3))))
    assert "shape (n, 2)" in message(as_pairs, [1, 2])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (pd.DataFrame({"who": [1], "item": [2]}), r"which column is the user: .*who, item.*rename"),
        (pl.DataFrame({"user": [1], "x": [2]}), "which column is the item"),
        (pl.LazyFrame(COLUMNS), r"LazyFrame .* \.collect\(\)"),
        (pd.DataFrame({"user": [1.0, None], "item": [1, 2]}), "because 1 is missing"),
        (pd.Series([1, 2]), "a Series is a single column"),
    ],
)
def test_tables_without_pairs(given, says):
    with pytest.raises(RatingsError, match=says):
        as_pairs(given)


def test_models_know_columns_by_their_names():
    ratings = Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], VALUES).to_pandas()
    model = FunkSVD(n_epochs=2, validation_fraction=0, n_factors=2)
    pairs, swapped = ratings[["user", "item"]], ratings[["item", "user"]]
    ref = model.fit(pairs.to_numpy(), VALUES).predict(pairs.to_numpy())
    comp = model.fit(swapped, VALUES).predict(swapped)
    assert comp.tolist() == ref.tolist()
    assert model.score(swapped, VALUES) == model.score(ratings)


@pytest.mark.parametrize(
    "call",
    [
        lambda ratings: random_split(ratings, 0.3, seed=0)[0],
        lambda ratings: random_folds(ratings, 2)[0].training,
        lambda ratings: per_user_folds(ratings, 2)[0].training,
        lambda ratings: leave_last_out(ratings)[0].training,
        lambda ratings: by_time(ratings, 0.3)[0].training,
        lambda ratings: hold_out(ratings, test_fraction=0.3).training,
        lambda ratings: sample(ratings, n_ratings=2),
    ],
)
def test_tables_are_taken_for_ratings(call):
    assert call(TABLE).fingerprint == call(read_ratings(TABLE)).fingerprint
    assert describe(TABLE) == describe(read_ratings(TABLE))


SERIES = TABLE.set_index(["user", "item"])["rating"]
DATES = [datetime.datetime(2020, 1, day) for day in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("call", "given", "says"),
    [
        (read_ratings, [(1, 2, 3)], "Ratings.from_arrays(*zip(*rows))"),
        (read_ratings, ["a.csv", 3], "objects of type int in it"),
        (FunkSVD().fit, [1, 2, 3], "a list holds paths"),
        (FunkSVD().fit, np.zeros((3, 3)), "For arrays there is Ratings.from_arrays"),
        (FunkSVD().fit, TABLE.rename(columns={"item": "x"}), "Or rename the columns"),
        (FunkSVD().fit, TABLE[["user", "item"]], 'from interactions with algorithm="ials"'),
        (random_split, 3, "an object of type int"),
        (Ratings.from_scipy, np.zeros((2, 2)), "scipy.sparse.coo_array(matrix)"),
        (Ratings.from_scipy, TABLE, "an object of type DataFrame"),
        (read_ratings, SERIES, 'rename_axis(["user", "item"]).rename("rating").reset_index()'),
        (read_ratings, pl.LazyFrame(COLUMNS), ".collect()"),
        (read_titles, TABLE, "from a file"),
    ],
)
def test_what_is_said_about_anything_else(call, given, says):
    options = {"fraction": 0.1, "seed": 0} if call is random_split else {}
    assert says in message(call, given, **options)


def test_what_messages_say_works():
    rows = [("a", 7, 1.0), ("b", 8, 2.0)]
    assert len(Ratings.from_arrays(*zip(*rows, strict=True))) == 2
    named = SERIES.rename_axis(["user", "item"]).rename("rating").reset_index()
    assert read_ratings(named).values.tolist() == VALUES
    assert len(Ratings.from_scipy(scipy.sparse.coo_array(np.eye(2)))) == 2
    for dates in (DATES, pd.Series(DATES), pd.DatetimeIndex(DATES), list(map(str, DATES))):
        seconds = np.asarray(dates, "datetime64[s]").astype("int64")
        assert seconds.tolist() == [1577836800 + day * 86400 for day in range(4)]


@pytest.mark.parametrize(
    ("timestamps", "kind", "call"),
    [
        (DATES, "datetime", 'numpy.asarray(timestamps, "datetime64[s]").astype("int64")'),
        (pd.Series(DATES), "datetime64[us]", "numpy.asarray(timestamps"),
        ([1.0, 2.0, 3.0, 4.0], "float64", '.astype("int64") converts them'),
    ],
)
def test_timestamps_that_are_no_integers(timestamps, kind, call):
    pairs = (COLUMNS["user"], COLUMNS["item"], VALUES)
    found = message(Ratings.from_arrays, *pairs, timestamps)
    assert f"not {kind}; {call}" in found


def test_arguments_that_do_not_exist():
    found = message(read_ratings, TABLE, ratingcol="x")
    assert found.startswith("there is no argument ratingcol=; did you mean rating_col=? The ones")
    assert "did you mean" not in message(read_ratings, TABLE, colour=1)


def test_folds_are_not_ratings():
    assert "random_folds(ratings)" in message(cross_validate, FunkSVD(), TABLE)
