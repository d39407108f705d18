"""Biases of users on days: their place in predictions, and among chosen or more users."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from funksvd.hyperparameters import LOSSES
from funksvd.learned import LearnedRatings
from funksvd.learned.rating_model import FoldInTerms, RatingModel
from funksvd.objectives.parameters import Regularization

N_USERS, N_ITEMS = 5, 3
LIMITS = (-1.0, 1.5)


def learned_with(table, seed=0):
    """A model of `N_USERS` users whose biases on days are those of a table by user and day."""
    random = np.random.default_rng(seed)
    shapes = ((N_USERS,), (N_ITEMS,), (N_USERS, 2), (N_ITEMS, 2))
    arrays = (random.normal(size=shape).astype(np.float32) for shape in shapes)
    keys = sorted(table)
    return LearnedRatings(
        0.25,
        *arrays,
        day_users=np.array([user for user, _ in keys], np.int32),
        day_numbers=np.array([day for _, day in keys], np.int32),
        day_biases=np.array([table[key] for key in keys], np.float32),
    )


def table_of(learned):
    users, numbers, biases = (column.tolist() for column in learned.days)
    return dict(zip(zip(users, numbers, strict=True), biases, strict=True))


def model_of(learned, loss="squared"):
    terms = FoldInTerms(Regularization(0.1, 0.1), 0.0, has_biases=True)
    return RatingModel(learned, LIMITS, 1, LOSSES[loss], terms)


tables = st.dictionaries(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, 9)),
    st.floats(-3, 3, width=32),
    max_size=20,
)


@settings(deadline=None)
@given(tables, st.integers(0, 2**32 - 1))
def test_a_prediction_is_higher_by_the_bias_of_that_user_on_that_day(table, seed):
    learned = learned_with(table)
    random = np.random.default_rng(seed)
    users, items, days = (
        random.integers(-1, n, 40).astype(np.int32) for n in (N_USERS, N_ITEMS, 10)
    )
    comp = model_of(learned).predict(users, items, days)
    for at, (u, i, day) in enumerate(
        zip(users.tolist(), items.tolist(), days.tolist(), strict=True)
    ):
        b_u, p = (learned.user_biases[u], learned.user_factors[u]) if u >= 0 else (0.0, [0.0, 0.0])
        b_i, q = (learned.item_biases[i], learned.item_factors[i]) if i >= 0 else (0.0, [0.0, 0.0])
        score = naive.predict(learned.global_mean, b_u, b_i, p, q) + table.get((u, day), 0.0)
        ref = min(max(score, LIMITS[0]), LIMITS[1])
        assert comp[at] == pytest.approx(ref, abs=1e-5)
    unknown = np.full(40, -1, np.int32)
    plain = model_of(learned).predict(users, items)
    np.testing.assert_array_equal(model_of(learned).predict(users, items, unknown), plain)
    without = replace(learned, day_users=None, day_numbers=None, day_biases=None)
    np.testing.assert_array_equal(model_of(without).predict(users, items, days), plain)


def test_log_odds_are_higher_not_probabilities():
    learned = learned_with({(1, 7): 0.5})
    at = np.array([1], np.int32)
    p, q = learned.user_factors[1], learned.item_factors[1]
    score = naive.predict(0.25, learned.user_biases[1], learned.item_biases[1], p, q)
    comp = model_of(learned, "logistic").predict(at, at, np.array([7], np.int32))
    assert comp[0] == pytest.approx(1 / (1 + math.exp(-score - 0.5)), rel=1e-6)


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr("funksvd.learned.scoring.PAIRS_PER_TASK", 7)
    random = np.random.default_rng(1)
    table = {(u, d): random.normal() for u in range(N_USERS) for d in range(0, 9, 2)}
    model = model_of(learned_with(table))
    pairs = [random.integers(-1, n, 100).astype(np.int32) for n in (N_USERS, N_ITEMS, 9)]
    ref = model.predict(*pairs)
    np.testing.assert_array_equal(model.predict(*pairs, n_threads=3), ref)
    one_by_one = [model.predict(*(each[at : at + 1] for each in pairs))[0] for at in range(100)]
    np.testing.assert_array_equal(one_by_one, ref)


@settings(deadline=None)
@given(tables, st.lists(st.integers(0, N_USERS - 1), max_size=7))
def test_users_take_their_days_along(table, users):
    learned = learned_with(table)
    comp = learned.rows(np.array(users, np.int64), np.arange(N_ITEMS))
    comp.days.check(len(users))
    assert [column.dtype for column in comp.days] == [np.int32, np.int32, np.float32]
    ref = {
        (row, day): bias
        for row, user in enumerate(users)
        for (owner, day), bias in table.items()
        if owner == user
    }
    assert table_of(comp) == ref


@settings(deadline=None)
@given(tables, st.permutations(range(8)))
def test_days_among_more_users(table, places):
    learned = learned_with(table)
    at = np.array(places[:N_USERS])
    comp = learned.spread_out(at, np.arange(N_ITEMS), (8, N_ITEMS))
    comp.days.check(8)
    assert [column.dtype for column in comp.days] == [np.int32, np.int32, np.float32]
    assert table_of(comp) == {(at[user], day): bias for (user, day), bias in table.items()}
    assert table_of(comp.rows(at, np.arange(N_ITEMS))) == table


def test_the_mean_has_the_mean_biases_of_the_same_days():
    keys = [(0, 3), (0, 5), (4, 3)]
    members = [
        learned_with(dict(zip(keys, biases, strict=True)), seed)
        for seed, biases in enumerate([(1, 2, 3), (3, 2, -1), (5, 2, 1)])
    ]
    mean = LearnedRatings.mean(members)
    assert table_of(mean) == dict(zip(keys, (3, 2, 1), strict=True))
    assert [column.dtype for column in mean.days] == [np.int32, np.int32, np.float32]
    assert [table_of(member) for member in mean.members(3)] == [table_of(mean)] * 3


def changed(name, values):
    tensors = learned_with({(0, 3): 1, (0, 5): 2, (4, 3): 3}).tensors()
    if values is None:
        del tensors[name]
    else:
        tensors[name] = np.array(values, tensors[name].dtype)
    return tensors


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("day_biases", None, "day_biases is missing, where other arrays of days are there"),
        ("day_users", None, "day_users is missing, where other arrays of days are there"),
        ("day_numbers", [3, 5], r"day_numbers has the shape \(2,\), not \(3,\)"),
        ("day_biases", [1, 2, np.nan], "day_biases holds values that are not finite"),
        ("day_users", [-1, 0, 4], "day_users holds rows that are not those of 5 users"),
        ("day_users", [0, 0, 5], "day_users holds rows that are not those of 5 users"),
        ("day_users", [4, 0, 0], "day_users and day_numbers are not in ascending order"),
        ("day_numbers", [5, 3, 3], "day_users and day_numbers are not in ascending order"),
        ("day_numbers", [5, 5, 3], "day_users and day_numbers are not in ascending order"),
    ],
)
def test_days_that_a_file_may_not_hold(name, values, message):
    with pytest.raises(ValueError, match=message):
        LearnedRatings.from_tensors(changed(name, values), N_USERS, N_ITEMS)


def test_biases_that_together_are_too_large():
    tensors = changed("day_biases", [1, 2, 2e38])
    LearnedRatings.from_tensors(tensors, N_USERS, N_ITEMS)
    tensors["user_biases"] = np.full(N_USERS, 2e38, np.float32)
    with pytest.raises(ValueError, match=r"predictions of up to 4e\+38 do not fit 32-bit floats"):
        LearnedRatings.from_tensors(tensors, N_USERS, N_ITEMS)
