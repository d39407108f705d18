"""What ratings look like, against counting by hand."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from funksvd import Ratings, RatingsError, read_ratings
from funksvd.ratings import describe


def rated(*values, users=None):
    """Ratings of one item each; by as many users, or those given."""
    return Ratings.from_arrays(users or range(len(values)), range(len(values)), values)


def test_by_hand(write):
    path = write(
        "user,item,rating,timestamp\n"
        "a,1,3.6,1000000000\n"
        "a,2,1,1000086400\n"
        "b,1,1,1086400000\n"
        "b,1,5,1086400001\n"
        "c,,5,1\n"
        "d,3,x,1\n"
    )
    found = describe(read_ratings(path, on_bad_rows="skip"))
    assert (found.n_ratings, found.n_users, found.n_items) == (3, 2, 2)
    assert (found.n_rows, found.n_bad_rows, found.n_duplicates) == (6, 2, 1)
    assert found.density == 3 / 4
    assert found.mean == pytest.approx(3.2, abs=1e-6)
    assert found.std == pytest.approx(np.std([3.6, 1, 5]), abs=1e-6)
    assert found.histogram == [(1, 1, 1), (3.6, 3.6, 1), (5, 5, 1)]
    assert found.activity.mean == 1.5
    assert found.activity.n_single == 1
    assert found.period == ("2001-09-09", "2004-06-05")
    assert found.bad_rows == [
        f"{path}, line 6: item is empty: c,,5,1",
        f"{path}, line 7: rating 'x' is not a number: d,3,x,1",
    ]
    assert found.doubts == []
    assert json.loads(json.dumps(found.to_dict()))["histogram"][1] == {
        "low": 3.6, "high": 3.6, "n_ratings": 1,
    }  # fmt: skip


def test_counts_of_the_sample_data(sample):
    found = describe(sample)
    ref_levels = Counter(sample.values.tolist())
    assert {bar.low: bar.n_ratings for bar in found.histogram} == ref_levels
    for spread, index in (
        (found.activity, sample.user_index),
        (found.popularity, sample.item_index),
    ):
        ref_counts = sorted(Counter(index.tolist()).values())
        assert spread.mean == len(sample) / len(ref_counts)
        assert spread.n_single == ref_counts.count(1)
        least, most = spread.quantiles["least"], spread.quantiles["most"]
        assert (least, most) == (ref_counts[0], ref_counts[-1])
        for name in ("5%", "25%", "75%", "95%"):
            at_most = sum(count <= spread.quantiles[name] for count in ref_counts)
            less = sum(count < spread.quantiles[name] for count in ref_counts)
            share = int(name[:-1]) / 100
            assert less / len(ref_counts) < share <= at_most / len(ref_counts)
    assert found.doubts == []


def test_many_distinct_ratings_are_counted_in_ranges():
    values = np.random.default_rng(0).uniform(-10, 10, 2000).astype(np.float32)
    values[:2] = -10, 10
    bars = describe(rated(*values)).histogram
    assert len(bars) == 20
    assert sum(bar.n_ratings for bar in bars) == 2000
    for bar in bars:
        is_last = bar is bars[-1]
        inside = (values >= bar.low) & ((values <= bar.high) if is_last else (values < bar.high))
        assert abs(bar.n_ratings - np.count_nonzero(inside)) <= 1  # bounds may be rounded


def test_ids_that_no_rating_uses_do_not_count():
    whole = Ratings.from_arrays([1, 2, 3], [1, 2, 3], [1, 2, 3])
    found = describe(whole.subset(np.array([0, 1])))
    assert (found.n_users, found.n_items, found.density) == (2, 2, 0.5)
    assert found.activity.quantiles["least"] == 1


@pytest.mark.parametrize("code", [99, -99])
def test_a_code_for_no_rating(code):
    (doubt,) = describe(rated(1, 2, 3, 4, 5, code, code)).doubts
    assert doubt.startswith(f"2 of 7 ratings (28.6%) say {code}, and all others are from 1 to 5")


@pytest.mark.parametrize(
    ("values", "is_doubtful"),
    [
        ([0, 0, 1, 2, 3, 4, 5], True),
        ([0, *range(1, 6), *range(1, 6), *range(1, 6)], False),  # a rating among others
        ([-1, 1, 2, 3, 4, 5], True),
        ([0.5, 1, 2, 3, 4, 5], False),
        ([-2, -1, 0, 1, 2], False),
        ([1, 5], False),
        ([1, 2, 10], False),
        ([-10, 0.5, 9, 2, 3, 99], True),
    ],
)
def test_values_that_do_not_go_with_the_others(values, is_doubtful):
    assert bool(describe(rated(*values)).doubts) is is_doubtful


def test_nothing_to_learn():
    assert describe(rated(1, 1)).doubts == [
        "all ratings are 1: there is nothing to learn from them"
    ]


def test_users_who_say_the_same_of_everything():
    users = [7] * 25 + [8] * 21 + [9] * 19 + [10] * 30
    values = [5] * 25 + [1] * 21 + [2] * 19 + [3] * 29 + [4]
    (doubt,) = describe(rated(*values, users=users)).doubts
    assert doubt == ("2 users have 20 ratings or more, all of them the same; user 7 has 25 of 5")


def at(*times):
    n = range(len(times))
    return describe(Ratings.from_arrays(n, n, [1 + i % 5 for i in n], times))


def test_times():
    assert at(10**9, 2 * 10**9).period == ("2001-09-09", "2033-05-18")
    assert at(10**9, 2 * 10**9).doubts == []
    for unit in (10**3, 10**6, 10**9):
        assert at(10**9 * unit, 2 * 10**9 * unit).period == ("2001-09-09", "2033-05-18")
    assert at(10**13, 2 * 10**13).period is None
    assert at(1, 2).period is None
    assert at(1, 2).doubts == []
    assert at(5, 5).doubts == ["all timestamps are 5: they tell nothing"]
    assert at(0, 10**9).doubts == ["1 timestamp is 0: the time may be missing there"]
    assert describe(rated(1, 2)).period is None


def test_ids_that_look_the_same():
    users = ["ann", "Ann", "bob  x", "bob x", "c"]
    (doubt,) = describe(Ratings.from_arrays(users, range(5), range(1, 6))).doubts
    assert doubt.startswith("2 user ids differ from another in capitals or blanks only")
    assert "'Ann' and 'ann'" in doubt
    (doubt,) = describe(
        Ratings.from_arrays(range(5), ["ß", "SS", "a", "b", "c"], range(1, 6))
    ).doubts
    assert doubt.startswith("1 item id differs")


def test_nothing_to_describe():
    with pytest.raises(RatingsError, match="no ratings to describe"):
        describe(Ratings.from_arrays([], [], []))
