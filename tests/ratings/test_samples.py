"""Random samples of ratings."""

from __future__ import annotations

import numpy as np
import pytest

from funksvd import Ratings, RatingsError
from funksvd.ratings import sample as sample_of


def pairs(ratings):
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    return list(zip(users.tolist(), items.tolist(), ratings.values.tolist(), strict=True))


def test_users_keep_all_their_ratings(sample):
    some = sample_of(sample, n_users=50)
    assert some.n_users == 50
    chosen = set(some.user_ids.tolist())
    assert pairs(some) == [row for row in pairs(sample) if row[0] in chosen]
    assert len(some.item_ids) == len(set(some.item_index.tolist()))


def test_users_items_and_ratings(sample):
    of_both = sample_of(sample, n_users=50, n_items=40)
    users, items = set(of_both.user_ids.tolist()), set(of_both.item_ids.tolist())
    assert len(users) <= 50
    assert len(items) <= 40
    assert pairs(of_both) == [row for row in pairs(sample) if row[0] in users and row[1] in items]
    fewer = sample_of(sample, n_users=50, n_items=40, n_ratings=100)
    assert len(fewer) == 100
    assert set(pairs(fewer)) < set(pairs(of_both))


def test_the_seed_decides(sample):
    same = [sample_of(sample, n_ratings=500, seed=3) for _ in range(2)]
    assert same[0].fingerprint == same[1].fingerprint
    assert sample_of(sample, n_ratings=500, seed=4).fingerprint != same[0].fingerprint


def test_every_rating_has_the_same_chance(sample):
    few = sample.subset(np.arange(20))
    times = dict.fromkeys(pairs(few), 0)
    for seed in range(300):
        for row in pairs(sample_of(few, n_ratings=5, seed=seed)):
            times[row] += 1
    assert sum(times.values()) == 1500
    assert 40 < min(times.values()) <= max(times.values()) < 115  # 75 expected, deviation 7.5


def test_more_than_there_are(sample):
    assert pairs(sample_of(sample, n_users=10**6, n_ratings=10**6)) == pairs(sample)


def test_nothing_left():
    ratings = Ratings.from_arrays(range(100), range(100), range(100))
    with pytest.raises(RatingsError, match="have not rated any of the items chosen"):
        sample_of(ratings, n_users=1, n_items=1, seed=1)
    with pytest.raises(RatingsError, match="number of items in a sample must be at least 1"):
        sample_of(ratings, n_items=0)
