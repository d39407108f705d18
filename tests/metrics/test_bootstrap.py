"""Bootstrap intervals of means, against the definition."""

import numpy as np
import pytest

from funksvd.metrics import bootstrap, intervals_of_means, paired_intervals
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


@pytest.mark.parametrize("n_users", [30, 1])
def test_paired_intervals_equal_the_definition(n_users):
    random = np.random.default_rng(3)
    values = random.normal(3, 1, 400).astype(np.float32)
    one, other = (values + random.normal(0, size, 400).astype(np.float32) for size in (0.5, 0.6))
    clusters = random.integers(0, n_users, 400) * 3 + 1  # not all numbers occur
    drawing = np.random.default_rng([7, Stream.BOOTSTRAP])
    groups = [np.flatnonzero(clusters == cluster) for cluster in np.unique(clusters)]
    if n_users == 1:
        groups = [[row] for row in range(400)]
    differences = []
    for _ in range(1000):
        drawn = drawing.integers(0, len(groups), len(groups))
        rows = np.concatenate([groups[at] for at in drawn])
        errors = [values[rows].astype(float) - guesses[rows] for guesses in (one, other)]
        rmse = [np.sqrt(np.mean(each**2)) for each in errors]
        mae = [np.mean(np.abs(each)) for each in errors]
        differences.append((rmse[1] - rmse[0], mae[1] - mae[0]))
    ref = np.percentile(differences, [2.5, 97.5], axis=0).T
    comp = paired_intervals(values, one, other, clusters, seed=7)
    np.testing.assert_allclose(comp, ref, rtol=1e-9)


def test_the_difference_of_equal_predictions_is_nothing_however_bad_they_are():
    values = np.random.default_rng(3).normal(3, 1, 100).astype(np.float32)
    clusters = np.arange(100) % 30
    guesses = np.zeros(100, np.float32)
    assert paired_intervals(values, guesses, guesses, clusters) == ((0, 0), (0, 0))
