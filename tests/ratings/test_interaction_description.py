"""What interactions look like, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from funksvd import Interactions, RatingsError
from funksvd.ratings.interaction_description import describe_interactions


def test_by_hand():
    made = Interactions.from_arrays(
        ["a", "a", "b", "B"], [1, 2, 1, 1], None, [7, 9, 8, 8], weights=[1.1, 3, 1, 1]
    )
    found = describe_interactions(made)
    assert (found.n_interactions, found.n_users, found.n_items) == (4, 3, 2)
    assert found.density == pytest.approx(4 / 6)
    assert found.counts.total == pytest.approx(6.1)
    assert found.counts.n_above_one == 2
    assert [found.counts.quantiles[name] for name in ("least", "median", "most")] == [1, 1, 3]
    assert found.counts.quantiles["75%"] == 1.1
    assert found.activity.quantiles["most"] == 2
    assert found.popularity.n_single == 1
    assert (found.first_time, found.last_time, found.period) == (7, 9, None)
    assert (found.n_rows, found.n_duplicates, found.bad_rows, found.notes) == (4, 0, [], [])
    assert "1 user id differs from another in capitals" in found.doubts[0]


def test_pairs_that_count_once_have_no_counts():
    found = describe_interactions(Interactions.from_arrays([1, 2], [1, 1]))
    assert found.counts is None
    assert found.first_time is None


def test_a_user_with_a_large_share_is_doubted():
    users = np.r_[np.zeros(50, int), np.arange(1, 101)]
    items = np.r_[np.arange(50), np.zeros(100, int)]
    (doubt,) = describe_interactions(Interactions.from_arrays(users, items)).doubts
    assert doubt.startswith("user 0 has 50 of 150 interactions (33.3%)")
    few = describe_interactions(Interactions.from_arrays(users[:60], items[:60]))
    assert not few.doubts


def test_nothing_to_describe():
    with pytest.raises(RatingsError, match="there are no interactions to describe"):
        describe_interactions(Interactions.from_arrays([], []))
