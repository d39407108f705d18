"""Bootstrap intervals of means, against the definition."""

import numpy as np

from funksvd.metrics import bootstrap, intervals_of_means
from funksvd.rng import Stream


def test_intervals_of_means_equal_the_definition():
    figures = np.random.default_rng(2).exponential(1, (3, 40))
    random = np.random.default_rng([7, Stream.BOOTSTRAP])
    means = [figures[:, random.integers(0, 40, 40)].mean(axis=1) for _ in range(1000)]
    ref = np.percentile(means, [2.5, 97.5], axis=0).T
    np.testing.assert_allclose(intervals_of_means(figures, seed=7), ref, rtol=1e-12)


def test_the_seed_decides():
    figures = np.random.default_rng(2).exponential(1, (1, 40))
    assert intervals_of_means(figures, seed=1) == intervals_of_means(figures, seed=1)
    assert intervals_of_means(figures, seed=1) != intervals_of_means(figures, seed=2)


def test_the_same_units_are_drawn_for_all_rows():
    figures = np.random.default_rng(3).exponential(1, (1, 60))
    one, twin = intervals_of_means(np.concatenate([figures, figures]))
    assert one == twin == intervals_of_means(figures)[0]


def test_more_than_10_000_units_are_grouped_and_leave_the_width_as_it_is(monkeypatch):
    figures = np.random.default_rng(1).exponential(1, (2, 20_500))
    grouped = np.array(intervals_of_means(figures, seed=1))
    monkeypatch.setattr(bootstrap, "MAX_UNITS", 10**9)
    separate = np.array(intervals_of_means(figures, seed=1))
    assert (grouped != separate).any()
    np.testing.assert_allclose(np.diff(grouped), np.diff(separate), rtol=0.1)
    np.testing.assert_allclose(grouped.mean(axis=1), figures.mean(axis=1), rtol=0.003)
