"""`Interactions`: pairs whose columns may be there or not, and are treated alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from funksvd import Interactions, Ratings, RatingsError, read_interactions
from funksvd.ratings import as_interactions
from funksvd.ratings.data import as_data

USERS, ITEMS = ["b", "a", "b", "b"], [20, 10, 10, 20]
COLUMNS = {
    "values": [4.0, 3.5, 0.5, 1.0],
    "weights": [1.0, 2.0, 0.0, 4.0],
    "timestamps": [9, 8, 7, 5],
}


def names_of(interactions: Interactions) -> list[str]:
    return list(interactions.columns)


def rows_of(interactions: Interactions) -> list[tuple]:
    (table,) = interactions.batches(100)
    return list(zip(*(column.tolist() for column in table.values()), strict=True))


@pytest.mark.parametrize("name", [None, *COLUMNS])
def test_each_column_may_be_absent(name):
    given = {each: column for each, column in COLUMNS.items() if each != name}
    made = Interactions.from_arrays(USERS, ITEMS, **given)
    assert names_of(made) == list(given)
    assert getattr(made, name or "report") is None
    # The pair (b, 20) is there twice; with times, the first row is the last one.
    kept = slice(0, 3) if "timestamps" in given else slice(1, 4)
    ref = list(zip(*(c[kept] for c in (USERS, ITEMS, *given.values())), strict=True))
    assert rows_of(made) == ref
    assert rows_of(made.subset(np.array([2, 0]))) == [ref[2], ref[0]]
    assert rows_of(made.subset(made.user_index == 0).compact()) == [r for r in ref if r[0] == "a"]
    assert rows_of(made.joined_with(made)) == ref
    assert list(made.to_pandas().columns) == list(next(made.batches()))


def test_without_any_column():
    pairs = Interactions.from_arrays(USERS, ITEMS)
    assert (len(pairs), pairs.n_users, pairs.n_items) == (3, 2, 2)
    assert not pairs.columns
    assert repr(pairs) == "<Interactions: 3 interactions, 2 users, 2 items>"
    assert pairs.source == "the interactions"
    assert list(next(pairs.batches())) == ["user", "item"]


def test_types_of_columns():
    made = Interactions.from_arrays([1], [2], [3], [4], weights=[5])
    assert {name: column.dtype for name, column in made.columns.items()} == {
        "values": np.float32,
        "weights": np.float32,
        "timestamps": np.int64,
    }


def test_the_mean_of_repeated_pairs():
    made = Interactions.from_arrays(USERS, ITEMS, **COLUMNS, duplicates="mean")
    assert rows_of(made) == [("b", 20, 2.5, 2.5, 9), ("a", 10, 3.5, 2.0, 8), ("b", 10, 0.5, 0.0, 7)]
    assert len(Interactions.from_arrays(USERS, ITEMS, duplicates="mean")) == 3


def test_a_column_that_one_of_two_lacks_is_left_out():
    whole = Interactions.from_arrays(USERS, ITEMS, **COLUMNS)
    other = Interactions.from_arrays(["c"], [10], values=[2], weights=[3])
    joined = whole.joined_with(other)
    assert names_of(joined) == ["values", "weights"]
    assert rows_of(joined)[-1] == ("c", 10, 2.0, 3.0)
    assert names_of(other.joined_with(Interactions.from_arrays(["d"], [10]))) == []


def test_ratings_are_interactions_that_have_values():
    ratings = Ratings.from_arrays(USERS, ITEMS, **COLUMNS)
    assert isinstance(ratings, Interactions)
    assert type(ratings.subset(np.array([0]))) is Ratings
    pairs = Interactions.from_arrays(USERS, ITEMS)
    with pytest.raises(RatingsError, match="ratings must have values"):
        ratings.joined_with(pairs)
    with pytest.raises(RatingsError, match="ratings must have values"):
        Ratings(pairs.users, pairs.items, pairs.user_index, pairs.item_index, None)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"values": [1, 2]}, "users, items and values must have the same.*4, 4 and 2"),
        ({"weights": [1]}, "users, items and weights must have"),
        ({"weights": [[1, 1, 1, 1]]}, "must have the same length"),
        ({"weights": [1, 1, -1, 1]}, r"the weight at position 2 is -1.0; weights must be finite"),
        ({"weights": [1, float("nan"), 1, 1]}, "the weight at position 1 is nan"),
        ({"weights": list("abcd")}, "weights are <U1; weights must be numbers"),
        ({"values": [1, 2, 3, float("inf")]}, "the rating at position 3 is inf; remove"),
        ({"timestamps": [1.5] * 4}, "timestamps must be integers, .* not float64"),
        ({"timestamps": [1, 2]}, "timestamps must be 4 integers"),
    ],
)
def test_columns_that_are_wrong(columns, says):
    with pytest.raises(RatingsError, match=says):
        Interactions.from_arrays(USERS, ITEMS, **columns)


def test_as_interactions():
    pairs = Interactions.from_arrays(USERS, ITEMS)
    ratings = Ratings.from_arrays(USERS, ITEMS, COLUMNS["values"])
    assert as_interactions(pairs) is pairs
    assert as_interactions(ratings) is ratings
    found = as_interactions(pd.DataFrame({"item": ITEMS, "user": USERS}))
    assert type(found) is Interactions
    assert found.fingerprint == pairs.fingerprint
    with pytest.raises(RatingsError, match="shape"):
        as_interactions(np.zeros((2, 3)))


def test_read_interactions(write):
    found = read_interactions(write("user,item,rating,timestamp\nb,20,x,1\na,10,,2\nb,20,3,3\n"))
    assert type(found) is Interactions
    assert rows_of(found) == [("a", 10), ("b", 20)]
    assert (found.report.n_rows, found.report.n_duplicates) == (3, 1)


def test_repeats_are_counted_where_that_is_asked_for():
    made = Interactions.from_arrays(USERS, ITEMS, None, [9, 8, 7, 5], duplicates="count")
    assert rows_of(made) == [("b", 20, 2.0, 9), ("a", 10, 1.0, 8), ("b", 10, 1.0, 7)]
    weighted = Interactions.from_arrays(USERS, ITEMS, weights=[1, 2, 3, 4], duplicates="count")
    assert rows_of(weighted) == [("b", 20, 5.0), ("a", 10, 2.0), ("b", 10, 3.0)]


def test_counts_of_two_sources_add_up():
    plain = Interactions.from_arrays(["a", "b"], [10, 20])
    counted = Interactions.from_arrays(["b", "c"], [20, 20], weights=[4, 2])
    ref = [("a", 10, 1.0), ("b", 20, 5.0), ("c", 20, 2.0)]
    assert rows_of(plain.joined_with(counted, "count")) == ref
    assert sorted(rows_of(counted.joined_with(plain, "count"))) == ref


def test_ratings_become_interactions():
    ratings = Ratings.from_arrays(["a", "b", "a"], [10, 10, 20], [4, 2, 5], [3, 1, 2])
    assert rows_of(ratings.to_interactions()) == [("a", 10, 3), ("b", 10, 1), ("a", 20, 2)]
    liked = ratings.to_interactions(positive_from=4)
    assert type(liked) is Interactions
    assert rows_of(liked) == [("a", 10, 3), ("a", 20, 2)]
    assert liked.user_ids.tolist() == ["a"]
    with pytest.raises(RatingsError, match=r"the ratings: none of 3 ratings is at least 6"):
        ratings.to_interactions(positive_from=6)


def test_as_data_takes_whatever_there_is():
    pairs = Interactions.from_arrays(USERS, ITEMS)
    assert as_data(pairs) is pairs
    rated = pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [4, 5]})
    assert type(as_data(rated)) is Ratings
    assert type(as_data([(1, 2), (3, 4)], [4, 5])) is Ratings
    ref = [("a", 10, 1.0), ("b", 10, 1.0), ("b", 20, 2.0)]
    for rows in (
        pd.DataFrame({"item": ITEMS, "user": USERS}),
        np.array(list(zip(USERS, ITEMS, strict=True)), object),
        list(zip(USERS, ITEMS, strict=True)),
        pd.DataFrame(list(zip(USERS, ITEMS, strict=True))),
    ):
        found = as_data(rows)
        assert type(found) is Interactions
        assert sorted((user, int(item), n) for user, item, n in rows_of(found)) == ref
    with pytest.raises(RatingsError, match=r"shape \(n, 2\)"):
        as_data(np.zeros((2, 3)))
    with pytest.raises(RatingsError, match="rename the columns"):
        as_data(pd.DataFrame({"who": [1], "what": [2]}))
