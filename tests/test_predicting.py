"""Predictions for a time: what `predict` takes, and the times of test ratings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import naive
from funksvd import FunkSVD, FunkSVDError, Ratings, RatingsError, compare_models
from funksvd.evaluation import evaluate
from funksvd.report.testing import look_at_test
from funksvd.training import Monitor
from funksvd.training.plan import DAY, VALUE
from funksvd.training.preparing import Beside, make_plan

DAY_1, DAY_2, DAY_3 = 12_000, 12_005, 13_000
BIASES = {("ann", DAY_1): 0.75, ("ann", DAY_2): -0.5, ("bob", DAY_1): 0.25}


def seconds(day, hour=12):
    return day * 86_400 + hour * 3_600


@pytest.fixture(scope="module")
def plain(with_days):
    users, items = ["ann", "ann", "bob", "bob", "cat"], [1, 2, 1, 3, 2]
    training = Ratings.from_arrays(users, items, [5, 3, 4, 2, 1])
    model = FunkSVD(n_factors=2, validation_fraction=0, choice=False, n_epochs=3).fit(training)
    return with_days(model, {})


@pytest.fixture(scope="module")
def model(plain, with_days):
    return with_days(plain, BIASES)


@pytest.fixture(scope="module")
def test_part():
    """Ratings on days that are known, on others, by others, and at times that are missing."""
    return Ratings.from_arrays(
        ["ann", "ann", "ann", "bob", "bob", "cat", "eve"],
        [1, 2, 3, 1, 2, 1, 1],
        [4, 3, 5, 1, 2, 3, 4],
        [*map(seconds, (DAY_1, DAY_2, DAY_3, DAY_1, DAY_2, DAY_1)), 0],
    )


@pytest.fixture(scope="module")
def expected(plain, test_part):
    """Predictions of the test part, each at its own time."""
    users, items = test_part.users.labels(test_part.user_index), test_part.item_index + 1
    days = test_part.timestamps // 86_400
    pairs = zip(users.tolist(), days.tolist(), strict=True)
    return plain.predict(users, items) + np.array([BIASES.get(pair, 0.0) for pair in pairs])


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_times_in_any_unit(model, test_part, expected, per_second):
    users, items = test_part.users.labels(test_part.user_index), test_part.item_index + 1
    times = test_part.timestamps * per_second
    np.testing.assert_allclose(model.predict(users, items, times), expected, atol=1e-6)
    one = model.predict("ann", 1, int(times[0]))
    assert isinstance(one, float)
    assert one == pytest.approx(expected[0], abs=1e-6)
    ref = model.predict(users, items, times)
    table = pd.DataFrame({"item": items, "user": users})
    np.testing.assert_array_equal(model.predict(table, timestamps=times), ref)
    np.testing.assert_array_equal(model.predict(table.assign(time=times)), ref)
    for unknown in (table, table.assign(time=-times)):
        np.testing.assert_array_equal(model.predict(unknown), model.predict(users, items))


def test_one_time_goes_with_all_pairs(model):
    users = ["ann", "bob", "cat"]
    comp = model.predict(users, 2, seconds(DAY_1))
    np.testing.assert_array_equal(comp, model.predict(users, 2, [seconds(DAY_1)] * 3))
    np.testing.assert_allclose(comp - model.predict(users, 2), [0.75, 0.25, 0], atol=1e-6)
    assert model.predict([], [], []).tolist() == []


def test_a_day_is_that_of_utc(model):
    before = model.predict("ann", 1, seconds(DAY_1, 0) - 1)
    first, last = (model.predict("ann", 1, seconds(DAY_1, hour)) for hour in (0, 23))
    assert before == model.predict("ann", 1)
    assert first == last == pytest.approx(before + 0.75)


def test_without_days_times_make_no_difference(plain):
    assert plain.predict("ann", 1, seconds(DAY_1)) == plain.predict("ann", 1)
    without = FunkSVD.of(plain.hyperparameters)
    learned = replace(plain.learned, day_users=None, day_numbers=None, day_biases=None)
    rating = replace(plain.fitted.rating_model, learned=learned)
    without._fitted = replace(plain.fitted, rating=rating)
    assert without.predict("ann", 1, seconds(DAY_1)) == plain.predict("ann", 1)


@pytest.mark.parametrize(
    ("timestamps", "message"),
    [
        ("2005-09-06", "timestamps must be integers, such as seconds since 1970, not <U10"),
        (1.5, r"not float64; \.astype\(\"int64\"\) converts them"),
        (np.datetime64("2005-09-06"), "converts dates"),
        ([seconds(DAY_1)] * 2, r"timestamps must be 3 integers, but are of shape \(2,\)"),
        ([seconds(DAY_1), 0, -5], "the timestamp at position 2 is -5; give seconds since 1970"),
        ([seconds(DAY_1)] * 2 + [seconds(DAY_1) * 1000], "timestamps are in different units"),
        (
            DAY_1,
            "are of 1970-01-01 or before .like 12000., but the model's days begin on 2002-11-09",
        ),
        (
            20021109,
            "are of 1970-08-20 or before .like 20021109., but the model's days begin on 2002-11-09",
        ),
    ],
)
def test_times_that_are_none(model, timestamps, message):
    with pytest.raises(RatingsError, match=message):
        model.predict(["ann", "bob", "cat"], [1, 2, 3], timestamps)


def test_test_ratings_are_predicted_for_their_own_times(model, plain, test_part, expected):
    ref = naive.rmse(test_part.values, expected)
    assert abs(ref - plain.evaluate(test_part).rmse) > 0.01
    assert model.evaluate(test_part).rmse == pytest.approx(ref, rel=1e-6)
    assert evaluate(model, test_part).rmse == pytest.approx(ref, rel=1e-6)
    assert model.score(test_part) == pytest.approx(-ref, rel=1e-6)
    errors = compare_models(plain, model, test_part).errors["rmse"]
    left = ~plain.seen.contains(*test_part.index_for(plain.users, plain.items))
    ref = naive.rmse(test_part.values[left], expected[left])
    assert errors.b == pytest.approx(ref, rel=1e-6)
    assert look_at_test(model, test_part, test_part).residual_mean == pytest.approx(
        np.mean(test_part.values - expected), abs=1e-6
    )


def test_predictions_with_days_survive_the_file(model, tmp_path):
    model.save(tmp_path / "model")
    again = FunkSVD.load(tmp_path / "model")
    times = [seconds(day) for _, day in BIASES]
    users = [user for user, _ in BIASES]
    np.testing.assert_array_equal(again.predict(users, 1, times), model.predict(users, 1, times))


@pytest.mark.parametrize(
    ("chosen", "has_days"),
    [
        ({"algorithm": "bayes"}, True),
        ({"algorithm": "bayes++"}, True),
        ({"algorithm": "bayes", "days": False}, False),
        ({}, True),
        ({"loss": "huber"}, False),
        ({"biases": False}, False),
    ],
)
def test_a_plan_has_the_days_of_ratings_for_those_who_learn_from_them(chosen, has_days):
    random = np.random.default_rng(0)
    pairs = random.permutation(200)[:120]
    times = np.array([seconds(day) for day in random.integers(12_000, 12_050, 120)]) * 1000
    times[:3] = 0
    ratings = Ratings.from_arrays(pairs // 10, pairs % 10, pairs / 7, times)
    held_back = np.arange(120) % 4 == 0
    hyperparameters = FunkSVD(**chosen).hyperparameters
    plan = make_plan(hyperparameters, ratings, held_back, Beside(), Monitor())
    assert (DAY in plan.columns) == has_days
    without = replace(ratings, timestamps=None)
    assert DAY not in make_plan(hyperparameters, without, held_back, Beside(), Monitor()).columns
    if has_days:
        ref = dict(
            zip(ratings.values.tolist(), np.where(times, times // 86_400_000, -1), strict=True)
        )
        for each in (plan, plan.with_all_learned()):
            comp = dict(zip(each.columns[VALUE].tolist(), each.columns[DAY].tolist(), strict=True))
            assert comp == ref


def test_days_are_for_those_who_learn_them():
    with pytest.raises(FunkSVDError, match="algorithm 'ials' has no days; leave it out"):
        FunkSVD(algorithm="ials", days=True).fit(Ratings.from_arrays([1], [1], [1]))
