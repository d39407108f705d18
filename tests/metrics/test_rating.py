"""Errors and their intervals, against loops and against simulation."""

import math

import numpy as np
import pytest

import naive
from funksvd.metrics import Errors, bootstrap_intervals
from funksvd.rng import Stream


def random_case(n, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.integers(1, 6, n).astype(np.float32)
    return values, (values + generator.normal(0, 0.9, n)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 1001])
def test_errors_equal_a_plain_loop(n):
    values, predictions = random_case(n)
    ref_rmse = naive.rmse(values.tolist(), predictions.tolist())
    pairs = zip(values.tolist(), predictions.tolist(), strict=True)
    ref_mae = math.fsum(abs(r - s) for r, s in pairs) / n
    comp = Errors.of(values, predictions)
    assert comp.rmse == pytest.approx(ref_rmse, rel=1e-12)
    assert comp.mae == pytest.approx(ref_mae, rel=1e-12)


def test_errors_by_hand():
    values, predictions = np.array([1, 2, 3, 4], np.float32), np.array([1, 2, 5, 2], np.float32)
    assert Errors.of(values, predictions) == (math.sqrt(2), 1.0)


def test_errors_are_summed_in_float64():
    values = np.full(3_000_000, 5, np.float32)
    comp = Errors.of(values, np.full_like(values, 4.9))
    assert comp.mae == pytest.approx(5 - float(np.float32(4.9)), rel=1e-9)


def test_figures_do_not_depend_on_the_pieces(monkeypatch):
    values, predictions = random_case(1001)
    clusters = np.random.default_rng(1).integers(0, 40, 1001)
    ref = Errors.of(values, predictions), bootstrap_intervals(values, predictions, clusters)
    monkeypatch.setattr("funksvd.metrics.rating.PIECE", 100)
    comp = Errors.of(values, predictions), bootstrap_intervals(values, predictions, clusters)
    np.testing.assert_allclose(comp[0], ref[0], rtol=1e-12)
    np.testing.assert_allclose(comp[1], ref[1], rtol=1e-12)


def ref_intervals(errors, clusters, n_resamples, seed):
    """Draw clusters with replacement and compute both figures of the members: the definition."""
    generator = np.random.default_rng([seed, Stream.BOOTSTRAP])
    members = {}
    for error, cluster in zip(errors, clusters, strict=True):
        members.setdefault(cluster, []).append(error)
    members = list(members.values())
    figures = []
    for _ in range(n_resamples):
        drawn = [e for c in generator.integers(0, len(members), len(members)) for e in members[c]]
        squares = sum(e * e for e in drawn)
        figures.append((math.sqrt(squares / len(drawn)), sum(map(abs, drawn)) / len(drawn)))
    return np.percentile(figures, [2.5, 97.5], axis=0).T


def test_intervals_equal_the_definition():
    values, predictions = random_case(120)
    clusters = np.sort(np.random.default_rng(1).integers(0, 25, 120))  # sorted: numbered in order
    errors = (values.astype(float) - predictions).tolist()
    ref = ref_intervals(errors, clusters.tolist(), 1000, seed=3)
    comp = bootstrap_intervals(values, predictions, clusters, seed=3)
    np.testing.assert_allclose(comp, ref, rtol=1e-9)


def test_the_names_of_the_clusters_do_not_matter():
    values, predictions = random_case(300)
    clusters = np.random.default_rng(1).integers(0, 40, 300)
    ref = bootstrap_intervals(values, predictions, clusters)
    assert bootstrap_intervals(values, predictions, 7 + 1000 * clusters) == ref


def test_the_seed_decides():
    values, predictions = random_case(300)
    clusters = np.arange(300) // 5
    ref = bootstrap_intervals(values, predictions, clusters, seed=1)
    assert bootstrap_intervals(values, predictions, clusters, seed=1) == ref
    assert bootstrap_intervals(values, predictions, clusters, seed=2) != ref


def draw_users(generator, n_users, per_user):
    """Errors of users who differ in how predictable they are; the true RMSE is sqrt(1.25)."""
    spread = np.repeat(np.where(generator.random(n_users) < 0.5, 0.5, 1.5), per_user)
    return generator.normal(0, spread), np.repeat(np.arange(n_users), per_user)


def test_intervals_cover_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(5)
    n_runs, n_covered, n_covered_by_ratings = 200, 0, 0
    for _ in range(n_runs):
        errors, users = draw_users(generator, 80, 20)
        zeros = np.zeros(errors.size)
        for clusters in (users, np.arange(errors.size)):
            (low, high), _ = bootstrap_intervals(errors, zeros, clusters, seed=1)
            covered = low <= math.sqrt(1.25) <= high
            if clusters is users:
                n_covered += covered
            else:
                n_covered_by_ratings += covered
    assert 0.90 <= n_covered / n_runs <= 0.99
    # Drawing single ratings would promise too much: that is why users are drawn.
    assert n_covered_by_ratings / n_runs < 0.75


def test_more_than_10_000_clusters_are_grouped_and_leave_the_width_as_it_is(monkeypatch):
    errors, users = draw_users(np.random.default_rng(6), 12_500, 2)
    zeros = np.zeros(errors.size)
    grouped = bootstrap_intervals(errors, zeros, users)
    monkeypatch.setattr("funksvd.metrics.bootstrap.MAX_UNITS", 10**9)
    separate = bootstrap_intervals(errors, zeros, users)
    assert grouped != separate
    for (low, high), (ref_low, ref_high) in zip(grouped, separate, strict=True):
        assert high - low == pytest.approx(ref_high - ref_low, rel=0.1)
        assert low < ref_high
        assert high > ref_low


def test_of_a_single_cluster_the_members_are_drawn():
    values, predictions = random_case(50)
    rmse, mae = bootstrap_intervals(values, predictions, np.full(50, 3))
    errors = Errors.of(values, predictions)
    assert rmse.low < errors.rmse < rmse.high
    assert mae.low < errors.mae < mae.high


def test_a_single_rating_has_an_interval_without_width():
    one = np.array([4.0])
    rmse, mae = bootstrap_intervals(one, one - 0.5, np.array([0]))
    assert rmse == mae == (0.5, 0.5)
