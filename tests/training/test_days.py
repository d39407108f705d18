"""Biases of users on days: eqs. (13) to (17) of `objectives.plain`, against dense algebra."""

from dataclasses import replace

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings, update
from funksvd.learned import Days, LearnedRatings
from funksvd.ratings.times import days_of
from funksvd.training import Triples, plan_blocks
from funksvd.training.days import (
    ITEM_DAMPING,
    N_SWEEPS,
    USER_DAMPING,
    centered,
    day_damping,
    without_days,
)
from funksvd.training.executors import Threads
from funksvd.training.plan import DAY, VALUE

N_USERS, N_ITEMS, N_DAYS = 40, 30, 6


def make(day_spread=0.7, noise=0.5, seed=0, share_unknown=0.1):
    """Ratings with planted biases of users on days, whose times are partly missing."""
    random = np.random.default_rng(seed)
    pairs = np.sort(random.permutation(N_USERS * N_ITEMS)[:700])
    users, items = pairs // N_ITEMS, pairs % N_ITEMS
    days = random.integers(0, N_DAYS, len(users))
    planted = day_spread * random.normal(size=(N_USERS, N_DAYS))
    values = 3 + random.normal(size=N_USERS)[users] + random.normal(size=N_ITEMS)[items]
    values += planted[users, days] + noise * random.normal(size=len(users))
    times = (12_000 + days) * 86_400 + random.integers(0, 86_400, len(users))
    times[random.random(len(users)) < share_unknown] = 0
    return Ratings.from_arrays(users, items, values.astype(np.float32), times)


def plan_of(ratings, held_back=None, **options):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    shape = (ratings.n_users, ratings.n_items)
    further = {DAY: days_of(ratings.timestamps)}
    return plan_blocks(triples, shape, further=further, held_back=held_back, **options)


def found_in(plan, n_threads=1):
    with Threads(n_threads) as executor:
        return without_days(plan, executor)


def ref_damping(users, days, errors):
    """kappa_d, eqs. (16) and (17): from the sums of squares of each user's days."""
    within = between = n_within = n_between = weight = 0.0
    for user in np.unique(users):
        mine = [errors[(users == user) & (days == day)] for day in np.unique(days[users == user])]
        everything = np.concatenate(mine)
        within += sum(((part - part.mean()) ** 2).sum() for part in mine)
        n_within += len(everything) - len(mine)
        between += sum(len(p) * (p.mean() - everything.mean()) ** 2 for p in mine)
        n_between += len(mine) - 1
        weight += len(everything) - sum(len(part) ** 2 for part in mine) / len(everything)
    noise = within / n_within
    return noise / ((between - n_between * noise) / weight)


def ref_days(ratings, days, learned):
    """Biases by user and day: each user's problem is solved with its condition, by a dense system.

    Unknowns are b_u, the d_ut and the multiplier.
    """
    users, items, values = (
        each[learned] for each in (ratings.user_index, ratings.item_index, ratings.values)
    )
    days, values = days[learned], values.astype(float) - values.mean(dtype=float)
    weights = np.bincount(items, minlength=ratings.n_items) + ITEM_DAMPING
    b_i = np.bincount(items, values, ratings.n_items) / weights
    at = days >= 0
    damping = ref_damping(users[at], days[at], (values - b_i[items])[at])
    for _ in range(N_SWEEPS):
        fitted, table = np.zeros(len(values)), {}
        for user in range(ratings.n_users):
            mine = np.flatnonzero(users == user)
            known = np.unique(days[mine][days[mine] >= 0])
            design = np.hstack([np.ones((len(mine), 1)), days[mine][:, None] == known])
            n = 1 + len(known)
            system = np.zeros((n + 1, n + 1))
            system[:n, :n] = design.T @ design + np.diag([USER_DAMPING] + [damping] * len(known))
            system[n, 1:n] = system[1:n, n] = design[:, 1:].sum(axis=0)
            if not len(known):
                system[n, n] = 1
            right = np.append(design.T @ (values - b_i[items])[mine], 0)
            solution = np.linalg.solve(system, right)[:n]
            fitted[mine] = design @ solution
            table |= {(user, day): bias for day, bias in zip(known, solution[1:], strict=True)}
        b_i = np.bincount(items, values - fitted, ratings.n_items) / weights
    return table


@pytest.mark.parametrize("options", [{"n_groups": 1}, {"n_groups": 3}, {"n_batches": 3}])
@pytest.mark.parametrize("some_held_back", [False, True])
def test_days_are_those_of_dense_algebra(options, some_held_back):
    ratings = make()
    days = days_of(ratings.timestamps)
    held_back = np.arange(len(ratings)) % 5 == 0 if some_held_back else None
    learned = np.ones(len(ratings), bool) if held_back is None else ~held_back
    ref = ref_days(ratings, days, learned)
    plan = plan_of(ratings, held_back, **options)
    before = plan.values.copy()
    rest, found = found_in(plan)
    found.check(N_USERS)
    keys = list(zip(found.users.tolist(), found.numbers.tolist(), strict=True))
    assert keys == sorted(ref)
    np.testing.assert_allclose(found.biases, [ref[key] for key in keys], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(plan.values, before)  # untouched: a refit needs them
    taken = {}
    for block in plan.blocks:
        users = plan.users.order[block.users][plan.user_index[block.ratings]]
        numbers = plan.columns[DAY][block.ratings]
        pairs = zip(users.tolist(), numbers.tolist(), strict=True)
        difference = plan.values[block.ratings] - rest.columns[VALUE][block.ratings]
        for pair, value in zip(pairs, difference.tolist(), strict=True):
            taken.setdefault(pair, []).append(value)
    for pair, values in taken.items():
        np.testing.assert_allclose(values, ref.get(pair, 0.0), atol=1e-5)


def test_each_users_ratings_have_a_mean_bias_of_zero():
    ratings = make()
    _, found = found_in(plan_of(ratings))
    table = dict(zip(zip(*found[:2], strict=True), found.biases, strict=True))
    days = days_of(ratings.timestamps)
    pairs = zip(ratings.user_index.tolist(), days.tolist(), strict=True)
    biases = np.array([table.get(pair, 0.0) for pair in pairs])
    assert np.abs(biases).max() > 0.5
    np.testing.assert_allclose(np.bincount(ratings.user_index, biases), 0, atol=1e-5)


@pytest.mark.parametrize("spread", [0.5, 1.0])
def test_the_damping_is_the_ratio_of_the_planted_variances(spread):
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(300), 40)
    days = random.integers(0, 8, len(users))
    errors = spread * random.normal(size=(300, 8))[users, days] + random.normal(size=300)[users]
    errors += random.normal(size=len(users))
    assert ref_damping(users, days, errors) == pytest.approx(1 / spread**2, rel=0.1)


@pytest.mark.parametrize("n_threads", [2, 5])
def test_threads_change_nothing(n_threads):
    plan = plan_of(make(), np.arange(700) % 7 == 0, n_groups=3)
    (ref_rest, ref), (rest, comp) = found_in(plan), found_in(plan, n_threads)
    np.testing.assert_array_equal(rest.values, ref_rest.values)
    for mine, theirs in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    "change",
    {
        "no effect of days": lambda ratings: make(day_spread=0.0),
        "each user has one day": lambda ratings: replace(
            ratings, timestamps=(12_000 + ratings.user_index.astype(np.int64)) * 86_400
        ),
        "each rating has its own day": lambda ratings: replace(
            ratings, timestamps=(12_000 + np.arange(len(ratings))) * 86_400
        ),
        "no time is known": lambda ratings: replace(
            ratings, timestamps=np.zeros(len(ratings), np.int64)
        ),
    }.items(),
    ids=lambda each: each[0],
)
def test_days_are_left_out_where_nothing_speaks_for_them(change):
    plan = plan_of(change[1](make()))
    assert found_in(plan) == (plan, None)


def test_days_without_any_noise():
    assert day_damping(0.0, 5, 3.0, 4, 9.0) == 0
    ratings = make(noise=0.0, share_unknown=0)
    ratings = replace(ratings, values=(1 + ratings.timestamps // 86_400 % 5).astype(np.float32))
    _, found = found_in(plan_of(ratings, np.arange(len(ratings)) % 3 == 0))
    assert np.isfinite(found.biases).all()


@pytest.mark.parametrize(("some_held_back", "has_draws"), [(False, True), (True, False)])
def test_drawn_days_are_centered_without_changing_predictions(some_held_back, has_draws):
    ratings = make()
    held_back = np.arange(len(ratings)) % 4 == 0 if some_held_back else np.zeros(700, bool)
    days = days_of(ratings.timestamps)
    mine = ratings.user_index[~held_back], days[~held_back]
    keys = sorted({key for key in zip(*map(np.ndarray.tolist, mine), strict=True) if key[1] >= 0})
    random = np.random.default_rng(0)
    arrays = (random.normal(size=n).astype(np.float32) for n in (N_USERS, N_ITEMS))
    factors = (np.zeros((n, 1), np.float32) for n in (N_USERS, N_ITEMS))
    users, numbers = np.array(keys, np.int32).T
    drawn = LearnedRatings(3.0, *arrays, *factors).with_days(
        Days(users, numbers, random.normal(size=len(keys)).astype(np.float32))
    )
    if has_draws:
        drawn = replace(drawn, draw_user_biases=np.arange(N_USERS * 3, dtype="f4").reshape(-1, 3))
    comp = centered(drawn, plan_of(ratings, held_back, n_groups=3))
    ref_sums, comp_sums = (each.user_biases[users] + each.day_biases for each in (drawn, comp))
    np.testing.assert_allclose(comp_sums, ref_sums, atol=1e-5)
    table = dict(zip(keys, comp.day_biases.tolist(), strict=True))
    of_ratings = [table.get(key, 0.0) for key in zip(*map(np.ndarray.tolist, mine), strict=True)]
    np.testing.assert_allclose(np.bincount(mine[0], of_ratings), 0, atol=1e-4)
    levels = comp.user_biases - drawn.user_biases
    assert np.abs(levels).max() > 0.1
    if has_draws:
        moved = comp.draw_user_biases - drawn.draw_user_biases
        np.testing.assert_allclose(moved, np.column_stack(3 * [levels]), atol=1e-5)


# -- models ----------------------------------------------------------------------------------

QUICK = {"n_factors": 2, "n_epochs": 40, "choice": False}


@pytest.mark.parametrize(
    "chosen",
    [{}, {"algorithm": "svd++"}, {"algorithm": "incremental"}, {"optimizer": "adam"}],
    ids=lambda chosen: "-".join(chosen.values()) or "sgd",
)
def test_models_predict_ratings_of_a_day_by_others_of_that_day(chosen):
    ratings = make()
    is_test = np.arange(len(ratings)) % 6 == 0
    training, test = ratings.subset(~is_test), ratings.subset(is_test)
    model = FunkSVD(**QUICK, **chosen).fit(training)
    without = FunkSVD(**QUICK, **chosen, days=False).fit(training)
    assert model.learned.days is not None
    assert without.learned.days is None
    assert model.evaluate(test).rmse < 0.96 * without.evaluate(test).rmse


def test_an_update_finds_the_days_of_all_ratings():
    ratings = make()
    model = FunkSVD(**QUICK, validation_fraction=0).fit(ratings.subset(np.arange(600)))
    later = update(model, ratings)
    _, found = found_in(plan_of(ratings))
    for comp, ref in zip(later.learned.days, found, strict=True):
        np.testing.assert_array_equal(comp, ref)
    assert len(found.users) > len(model.learned.days.users)


def test_a_sampler_without_any_time():
    ratings = make()
    ratings = replace(ratings, timestamps=np.zeros(len(ratings), np.int64))
    model = FunkSVD(algorithm="bayes", n_factors=2, n_epochs=3, choice=False).fit(ratings)
    assert model.learned.days is None


@pytest.mark.parametrize("chosen", [{"biases": False}, {"loss": "huber"}, {"days": False}])
def test_models_without_days(chosen):
    ratings = make()
    model = FunkSVD(**QUICK, **chosen).fit(ratings)
    plain = FunkSVD(**QUICK, **chosen).fit(replace(ratings, timestamps=None))
    assert model.learned.days is None
    assert "days" not in model.hyperparameters.in_use() or chosen == {"days": False}
    np.testing.assert_array_equal(model.user_factors, plain.user_factors)
