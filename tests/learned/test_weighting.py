"""How much pairs count, by rating or count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.learned.weighting import Weighting, rating_levels

floats = st.floats(2.0**-100, 2.0**100, width=32)


def test_weights_of_ratings_are_on_a_line_from_a_quarter_to_seven():
    values = np.array([0.5, 1.0, 3.0, 5.0, 6.0], np.float32)
    weighting = Weighting.of("rating", values[1:4])
    assert weighting == Weighting("rating", 1.0, 5.0)
    assert weighting.levels(values, 5).tolist() == [0, 0, 128, 255, 255]
    np.testing.assert_allclose(weighting.weights(values, 5), [0.25, 0.25, 1, 1.75, 1.75], atol=0.01)
    assert weighting.table.dtype == np.float32
    np.testing.assert_allclose(weighting.table, 0.25 + 1.5 * np.arange(256) / 255, rtol=1e-6)


@given(st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=1, max_size=9))
def test_levels_of_ratings_are_the_nearest_of_256_between_the_extremes(ratings):
    values = np.array(ratings, np.float32)
    low, high = float(values.min()), float(values.max())
    comp = rating_levels(values, (low, high))
    for level, value in zip(comp.tolist(), values.tolist(), strict=True):
        ref = 255 * (value - low) / max(high - low, 1e-30)
        assert abs(level - min(ref, 255)) <= 0.5 + 1e-6


def test_weights_of_counts_are_on_a_line_by_their_logarithm():
    weighting = Weighting("count", 1.0, 64.0)
    counts = np.array([0.5, 1, 2, 4, 16, 32, 64, 1e30], np.float32)
    ref = [0.5, 0.5, 0.5 + 1 / 6, 0.5 + 2 / 6, 0.5 + 4 / 6, 0.5 + 5 / 6, 1.5, 1.5]
    np.testing.assert_allclose(weighting.weights(counts, 8), ref, atol=0.5 / 255 + 1e-6)
    assert weighting.levels(counts, 8).tolist() == [0, 0, 42, 85, 170, 212, 255, 255]


@given(floats, floats, st.lists(floats, min_size=1, max_size=20))
def test_levels_of_counts_rise_with_the_counts(a, b, counts):
    low, high = sorted((a, b))
    weighting = Weighting("count", low, high)
    values = np.sort(np.array(counts, np.float32))
    levels = weighting.levels(values, len(values)).astype(int)
    assert (np.diff(levels) >= 0).all()
    if high > low * 1.001:
        for level, count in zip(levels.tolist(), values.tolist(), strict=True):
            share = math.log(count / low) / math.log(high / low)
            assert abs(level - 255 * min(max(share, 0.0), 1.0)) < 0.5 + 1e-3
    ends = weighting.levels(np.array([low / 10, high * 10], np.float64), 2)
    assert ends.tolist() == [0, 255]


def test_the_scale_of_counts_leaves_out_a_hundredth_at_each_end():
    counts = np.arange(1, 1002, dtype=np.float32)
    assert Weighting.of("count", np.random.default_rng(0).permutation(counts)) == Weighting(
        "count", 11.0, 991.0
    )
    assert Weighting.of("count", np.array([3.0], np.float32)) == Weighting("none")
    assert Weighting.of("count", np.full(9, 7.0, np.float32)) == Weighting("none")


def test_pairs_of_which_nothing_is_known_weigh_1():
    for weighting in (Weighting("none"), Weighting("rating", 1, 5), Weighting("count", 1, 9)):
        assert weighting.weights(None, 3).tolist() == [1, 1, 1]
        assert weighting.weights(None, 3).dtype == np.float32
        assert weighting.levels(None, 3).tolist() == [0, 0, 0]
    assert Weighting.of("count", None) == Weighting("none")
    assert Weighting("none").weights(np.array([9.0, 1.0], np.float32), 2).tolist() == [1, 1]


@pytest.mark.parametrize(
    "weighting",
    [Weighting("none"), Weighting("rating", -1.5, 3.25), Weighting("count", 0.1, 1e30)],
)
def test_a_rule_comes_back_from_plain_data(weighting):
    assert Weighting.from_dict(weighting.to_dict()) == weighting


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"kind": "stars", "low": 1, "high": 5}, "weights are by 'stars'"),
        ({"kind": "rating", "low": 5, "high": 1}, "weights are for 5.0 to 1.0"),
        ({"kind": "rating", "low": float("nan"), "high": 1}, "weights are for nan to 1.0"),
        ({"kind": "rating", "low": 1, "high": float("inf")}, "weights are for 1.0 to inf"),
        ({"kind": "count", "low": 0, "high": 5}, "weights are for 0.0 to 5.0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(plain, message):
    with pytest.raises(ValueError, match=message):
        Weighting.from_dict(plain)


@pytest.mark.parametrize(
    "weighting",
    [Weighting("rating", 0.5, 5.0), Weighting("rating", -10.0, 10.0), Weighting("count", 1.0, 3e4)],
    ids=str,
)
def test_values_of_levels_have_these_levels(weighting):
    levels = np.arange(256, dtype=np.uint8)
    values = weighting.values(levels)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(weighting.levels(values, 256), levels)
    assert (values[0], values[-1]) == pytest.approx((weighting.low, weighting.high))


def test_levels_have_no_values_where_nothing_is_known():
    assert Weighting("none").values(np.zeros(3, np.uint8)) is None
