"""scripts/make_large_data.py: exact counts, the Prize's shape, and a noise floor that is one."""

import importlib.util
import itertools
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "make_large_data.py"
spec = importlib.util.spec_from_file_location("make_large_data", SCRIPT)
large = importlib.util.module_from_spec(spec)
spec.loader.exec_module(large)


def read(path):
    assert path.read_bytes().startswith(b"user,item,rating\n")
    return np.loadtxt(path, int, delimiter=",", skiprows=1, ndmin=2).T


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file of 100,000 ratings in several parts, and the facts about it."""
    path = tmp_path_factory.mktemp("large") / "ratings.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "RATINGS_PER_PART", 15_000)
        facts = large.write_ratings(path, large.shape_for(100_000), 100_000, seed=3, n_threads=2)
    return path, facts


def test_counts_are_exact_and_pairs_distinct(made):
    path, facts = made
    users, items, stars = read(path)
    assert len(users) == 100_000
    assert len(set(zip(users.tolist(), items.tolist(), strict=True))) == 100_000
    assert set(users) == set(range(1, facts["n_users"] + 1))
    assert set(items) == set(range(1, facts["n_items"] + 1))
    assert set(stars) == {1, 2, 3, 4, 5}


def test_users_come_in_order_and_their_items_too(made):
    users, items, _ = read(made[0])
    pairs = list(zip(users.tolist(), items.tolist(), strict=True))
    assert pairs == sorted(pairs)


def test_the_facts_are_those_of_the_file(made):
    path, facts = made
    users, items, stars = read(path)
    per_user, per_item = np.bincount(users)[1:], np.bincount(items)[1:]
    assert facts["n_ratings"] == 100_000
    assert facts["bytes"] == path.stat().st_size
    assert facts["mean"] == pytest.approx(stars.mean())
    assert facts["std"] == pytest.approx(stars.std())
    assert (facts["median_of_user"], facts["most_of_user"]) == (np.median(per_user), per_user.max())
    assert (facts["median_of_item"], facts["most_of_item"]) == (np.median(per_item), per_item.max())


def ref_star_mean_and_variance(score, noise):
    """By the chance of each star, one at a time."""
    normal = statistics.NormalDist(score, noise)
    edges = [0.0, *(normal.cdf(star + 0.5) for star in range(1, 5)), 1.0]
    chances = [b - a for a, b in itertools.pairwise(edges)]
    mean = sum(star * chance for star, chance in enumerate(chances, 1))
    return mean, sum((star - mean) ** 2 * chance for star, chance in enumerate(chances, 1))


@pytest.mark.parametrize("score", [-2.0, 1.1, 2.5, 3.6, 5.4])
def test_moments_of_a_rating(score):
    comp = large.star_moments(np.array([score]), 0.8)
    assert np.ravel(comp) == pytest.approx(ref_star_mean_and_variance(score, 0.8))
    drawn = np.random.default_rng(0).normal(score, 0.8, 200_000)
    drawn = np.clip(np.round(drawn), 1, 5)
    assert comp[0] == pytest.approx(drawn.mean(), abs=0.01)
    assert comp[1] == pytest.approx(drawn.var(), abs=0.01)


def test_the_noise_floor_is_what_the_best_prediction_reaches(made):
    path, facts = made
    users, items, stars = read(path)
    world = large.make_world(facts["n_users"], facts["n_items"], 100_000, seed=3)
    u, i = users - 1, items - 1
    scores = (
        large.MEAN
        + world.user_biases[u].astype(float)
        + world.item_biases[i]
        + np.einsum("fn,fn->n", world.user_factors[:, u], world.item_factors[:, i], dtype=float)
    )
    moments = np.array([ref_star_mean_and_variance(s, large.NOISE_STD) for s in scores])
    assert facts["noise_floor"] == pytest.approx(math.sqrt(moments[:, 1].mean()), abs=1e-6)
    # and the ratings are drawn from it: what is expected of the squares is what they are
    squares = (stars - moments[:, 0]) ** 2
    error = squares.std() / math.sqrt(len(squares))
    assert squares.mean() == pytest.approx(facts["noise_floor"] ** 2, abs=4 * error)
    # nothing else explains what is left
    assert abs(np.corrcoef(stars - moments[:, 0], scores)[0, 1]) < 0.015


def test_biases_alone_are_between_the_floor_and_the_mean(made):
    path, facts = made
    users, items, stars = read(path)
    world = large.make_world(facts["n_users"], facts["n_items"], 100_000, seed=3)
    biased = large.MEAN + world.user_biases[users - 1] + world.item_biases[items - 1]
    noise = math.hypot(large.NOISE_STD, large.FACTOR_STD)
    guesses = [ref_star_mean_and_variance(float(s), noise)[0] for s in biased]
    assert facts["biases_rmse"] == pytest.approx(np.sqrt(np.mean((stars - guesses) ** 2)), abs=1e-6)
    assert facts["noise_floor"] + 0.08 < facts["biases_rmse"] < facts["std"] - 0.08


def test_factors_have_the_planted_strength():
    world = large.make_world(3_000, 2_000, 100_000, seed=0)
    products = world.user_factors.T @ world.item_factors
    assert products.std() == pytest.approx(large.FACTOR_STD, rel=0.05)
    energies = (world.user_factors**2).mean(axis=1)
    assert energies[0] > 1.2 * energies[3] > 1.4 * energies[-1]


def test_published_numbers_at_full_size():
    assert large.shape_for(100_480_507) == (480_189, 17_770)
    n = 100_480_507
    per_user = large.whole(large.spread(large.USERS, 480_189, n, 17_653), n)
    assert per_user.sum() == n
    assert per_user.min() >= 1
    assert per_user.max() == pytest.approx(17_653, rel=0.02)
    assert np.percentile(per_user, [25, 50, 75]) == pytest.approx([39, 96, 259], rel=0.02)
    per_item = large.spread(large.ITEMS, 17_770, n, 232_944)
    assert per_item.sum() == pytest.approx(n)
    assert per_item.max() == pytest.approx(232_944, rel=0.02)
    assert np.percentile(per_item, [25, 50, 75]) == pytest.approx([192, 561, 2_668], rel=0.02)


def test_most_have_few_and_few_have_most(made):
    path, _ = made
    users, items, _ = read(path)
    for ids in (users, items):
        counts = np.sort(np.bincount(ids)[1:])
        assert np.median(counts) < 0.55 * counts.mean()
        assert counts[-len(counts) // 10 :].sum() > 0.4 * counts.sum()
        # ids tell nothing
        assert abs(np.corrcoef(np.arange(len(counts)), np.bincount(ids)[1:])[0, 1]) < 0.1


def test_items_are_as_popular_as_asked():
    n_users, n_items, n = 4_000, 500, 200_000
    world = large.make_world(n_users, n_items, n, seed=1)
    _, items = large.draw_pairs(world, 0, n_users, np.random.default_rng(0))
    asked = large.spread(large.ITEMS, n_items, n, n_users * large.ITEMS.most / large.USERS.size)
    found = np.sort(np.bincount(items, minlength=n_items))
    popular = asked > 300
    assert popular.sum() > 50
    assert found[popular] == pytest.approx(asked[popular], rel=0.15)
    assert found[popular].sum() == pytest.approx(asked[popular].sum(), rel=0.04)


@pytest.mark.parametrize("n_draws", [0, 2, 12], ids=["keys", "some of both", "draws"])
def test_items_are_drawn_one_after_another_without_replacement(n_draws):
    """Two of four items, by weight: each set as often as successive draws give it."""
    weights, n_users = np.array([0.5, 0.3, 0.15, 0.05]), 40_000
    nobody = np.empty(0, int)
    world = large.World(
        activity=np.full(n_users, 2),
        n_draws=np.full(n_users, n_draws),
        weights=weights,
        first_users=nobody,
        first_items=nobody,
        user_biases=nobody,
        item_biases=nobody,
        user_factors=nobody,
        item_factors=nobody,
    )
    users, items = large.draw_pairs(world, 0, n_users, np.random.default_rng(5))
    assert (users == np.repeat(np.arange(n_users), 2)).all()
    sets, counts = np.unique(items.reshape(-1, 2), axis=0, return_counts=True)
    assert len(sets) == 6
    for (a, b), count in zip(sets, counts, strict=True):
        chance = weights[a] * weights[b] * (1 / (1 - weights[a]) + 1 / (1 - weights[b]))
        error = math.sqrt(n_users * chance * (1 - chance))
        assert count == pytest.approx(n_users * chance, abs=4 * error)


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True
    )


def test_the_command_writes_the_same_bytes_for_the_same_seed(tmp_path):
    paths = [tmp_path / f"{k}.csv" for k in range(3)]
    for path, options in zip(
        paths, (["--threads", 1], ["--threads", 3], ["--seed", 1]), strict=True
    ):
        options += ["--n-users", 300, "--n-items", 200, "--facts", path.with_suffix(".json")]
        result = run("-o", path, "--n-ratings", 10_000, *options)
        assert result.returncode == 0, result.stderr
        assert "10,000 ratings, 300 users, 200 items" in result.stdout
        facts = json.loads(path.with_suffix(".json").read_text())
        assert f"noise floor: RMSE {facts['noise_floor']:.4f}" in result.stdout
        assert (facts["n_users"], facts["n_items"], facts["n_ratings"]) == (300, 200, 10_000)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes() != paths[2].read_bytes()


def test_any_number_of_threads_makes_the_same_parts(made, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "RATINGS_PER_PART", 15_000)
    path = tmp_path / "again.csv"
    large.write_ratings(path, large.shape_for(100_000), 100_000, seed=3, n_threads=1)
    assert path.read_bytes() == made[0].read_bytes()


def test_parts_and_seeds_have_streams_of_their_own():
    world = large.make_world(40, 30, 300, seed=0)
    numbers = [number for number, _, _ in large.parts_of(np.full(3, large.RATINGS_PER_PART))]
    assert len(numbers) == 3
    streams = [0, 1, *([seed, number] for seed in (0, 1) for number in numbers)]
    assert len({np.random.default_rng(stream).random() for stream in streams}) == 8
    parts = {large.make_part(world, seed, (n, 0, 40)).text.to_pybytes() for seed, n in streams[2:]}
    assert len(parts) == 6


@pytest.mark.parametrize(
    ("n_users", "n_items", "n_ratings"),
    [(6, 4, 24), (7, 7, 7), (1, 9, 9), (9, 1, 9), (1, 1, 1), (30, 20, 599), (40, 3, 41)],
)
def test_the_fullest_and_emptiest_matrices(tmp_path, n_users, n_items, n_ratings):
    path = tmp_path / "ratings.csv"
    large.write_ratings(path, (n_users, n_items), n_ratings, seed=0, n_threads=1)
    users, items, _ = read(path)
    assert len(set(zip(users.tolist(), items.tolist(), strict=True))) == len(users) == n_ratings
    assert (len(set(users)), len(set(items))) == (n_users, n_items)


@pytest.mark.parametrize("n_ratings", [1, 2, 10, 100, 1_000])
def test_small_numbers_of_ratings_have_shapes_of_their_own(tmp_path, n_ratings):
    path = tmp_path / "ratings.csv"
    result = run("-o", path, "--n-ratings", n_ratings)
    assert result.returncode == 0, result.stderr
    assert len(read(path)[0]) == n_ratings


@pytest.mark.parametrize("n_ratings", [9, 201])
def test_impossible_sizes_are_refused(tmp_path, n_ratings):
    path = tmp_path / "ratings.csv"
    result = run("-o", path, "--n-users", 10, "--n-items", 20, "--n-ratings", n_ratings)
    assert result.returncode == 2
    assert f"from 20 ratings (one each) to 200 (all pairs), not {n_ratings}" in result.stderr
    assert not path.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    result = run("-o", tmp_path / "none" / "ratings.csv", "--n-ratings", 1_000)
    assert result.returncode == 2
    assert "none" in result.stderr
    assert "Traceback" not in result.stderr
