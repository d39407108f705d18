"""Steps on single ratings: what an epoch does, where training ends, how fast rows move."""

import numpy as np
import pytest

import naive
from funksvd import DivergenceError
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.training import Hyperparameters, Scale, Triples, plan_blocks, train
from funksvd.training.context import Context
from funksvd.training.executors import Threads
from funksvd.training.learners.sgd import first_parameters
from funksvd.training.scale import row_shares, scaled_rates


def as_triples(ratings):
    return Triples(ratings.user_index, ratings.item_index, ratings.values)


def plan_of(ratings, held_back=None, **changed):
    triples = as_triples(ratings)._replace(**changed)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


def first_of(plan, hyperparameters, scale, n_threads=1):
    """The random parameters that training begins with, without the padding."""
    resolved = hyperparameters.resolved()
    with Threads(n_threads) as executor:
        context = Context(plan, resolved, np.random.default_rng(0), executor)
        return plan.restored(first_parameters(context, scale), resolved.n_factors)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


def test_one_epoch_equals_a_naive_pass_over_the_blocks(ratings):
    hyperparameters = Hyperparameters(n_factors=5, n_epochs=1, seed=3)
    plan = plan_of(ratings)
    comp = train(plan, hyperparameters)

    scale = Scale.of(plan.of_learned, biases=True)
    start = first_of(plan, hyperparameters, scale)
    ref = [array.astype(float).tolist() for array in start[1:]]
    rates = scaled_rates(hyperparameters, 0.03, comp.record.reg, scale, row_shares(plan))
    per_user, per_item = np.empty(60), np.empty(50)
    per_user[plan.users.order], per_item[plan.items.order] = rates[:2]
    rates = [per_user.tolist(), per_item.tolist(), *map(float, rates[2:])]
    half_squares = 0.0
    for shift in range(plan.n_groups):
        for block in plan.stratum(shift):
            block_ratings = zip(
                plan.users.order[block.users][plan.user_index[block.learned]],
                plan.items.order[block.items][plan.item_index[block.learned]],
                plan.values[block.learned].astype(float),
                strict=True,
            )
            half_squares += naive.sgd_pass(start.global_mean, *ref, block_ratings, rates)
    for comp_array, ref_array in zip(comp.learned.parameters[1:], ref, strict=True):
        np.testing.assert_allclose(comp_array, np.array(ref_array), rtol=1e-4, atol=1e-6)
    ref_rmse = np.sqrt(2 * half_squares / len(ratings))
    assert comp.record.history[0].train == pytest.approx(ref_rmse, rel=1e-5)


def test_the_loss_falls_and_ends_where_its_gradient_nearly_vanishes(ratings):
    hyperparameters = Hyperparameters(
        n_factors=3, n_epochs=600, learning_rate=0.05, learning_rate_decay=0.985, reg=0.1
    )
    plan = plan_of(ratings)
    result = train(plan, hyperparameters)
    scale = Scale.of(plan.of_learned, biases=True)
    regularization = Regularization(0.1 * scale.spread, hyperparameters.bias_reg)
    point = Parameters(
        result.learned.parameters.global_mean,
        *(a.astype(np.float64) for a in result.learned.parameters[1:]),
    )
    gradient = objective.gradients(point, *as_triples(ratings), regularization)
    start = first_of(plan, hyperparameters, scale)
    at_start = objective.gradients(start, *as_triples(ratings), regularization)
    for name in Parameters._fields[1:3]:
        assert np.linalg.norm(getattr(gradient, name)) < 0.01 * np.linalg.norm(
            getattr(at_start, name)
        )
    losses = [objective.loss(p, *as_triples(ratings), regularization) for p in (start, point)]
    assert losses[1] < 0.35 * losses[0]


def test_the_first_factors_are_small_normal_numbers_of_each_group(ratings):
    plan = plan_blocks(as_triples(ratings), (60, 50), n_groups=3)
    hyperparameters = Hyperparameters(n_factors=5, init_std=0.5, seed=4)
    scale = Scale.of(plan.of_learned, biases=True)
    start = first_of(plan, hyperparameters, scale, n_threads=2)
    for side, (rows, factors) in enumerate(
        [(plan.users, start.user_factors), (plan.items, start.item_factors)]
    ):
        for g in range(3):
            random = np.random.default_rng([4, 7, 0, side, g])
            mine = factors[rows.order[rows.group(g)]]
            ref = random.standard_normal(mine.shape).astype(np.float32)
            np.testing.assert_allclose(mine, ref * 0.5 * np.sqrt(scale.spread), rtol=1e-6)
    assert not start.user_biases.any()
    assert not start.item_biases.any()


def test_rows_without_a_rating_to_learn_from_begin_at_zero(ratings):
    plan = plan_of(ratings, held_back=(ratings.user_index == 7) | (ratings.item_index == 3))
    start = first_of(plan, Hyperparameters(biases=False), Scale.of(plan.of_learned, False))
    assert np.flatnonzero(~start.user_factors.any(axis=1)).tolist() == [7]
    assert np.flatnonzero(~start.item_factors.any(axis=1)).tolist() == [3]


@pytest.mark.parametrize("name", ["reg", "bias_reg"])
def test_divergence_by_regularization_is_told_apart(ratings, name):
    hyperparameters = Hyperparameters(n_factors=4, **{name: 1e6})
    with pytest.raises(DivergenceError, match=r"regularization is too large.*\(it is 1e\+06\)"):
        train(plan_of(ratings), hyperparameters)


@pytest.mark.parametrize("offset", [0, 200])
def test_factors_alone_learn_wherever_zero_is(ratings, offset):
    shifted = plan_of(ratings, values=ratings.values + np.float32(offset))
    alone = Hyperparameters(n_factors=6, n_epochs=100, biases=False, reg=0)
    result = train(shifted, alone)
    assert result.findings.rate_factor == 1
    assert result.record.history[-1].train < 0.9 * Scale.of(shifted.of_learned, True).spread


def test_rows_with_16_times_the_ratings_have_half_the_rate():
    users = np.repeat(np.arange(17, dtype=np.int32), 16)  # user 16 has 16 ratings, the others 1
    items = np.tile(np.arange(16, dtype=np.int32), 17)
    chosen = (users == 16) | (users == items)
    triples = Triples(users[chosen], items[chosen], np.arange(32, dtype=np.float32))
    plan = plan_blocks(triples, (17, 16))
    scale = Scale.of(plan.of_learned, biases=True)
    rates = scaled_rates(Hyperparameters(), 0.1, 0.05, scale, row_shares(plan))
    of_user = dict(zip(plan.users.order.tolist(), rates.users.tolist(), strict=True))
    assert of_user[16] == pytest.approx(of_user[0] / 2)
    assert of_user[0] == pytest.approx(0.1 / scale.spread * 2000**0.25)
    assert rates.biases == np.float32(0.1)
    assert rates.reg == pytest.approx(0.05 * scale.spread)
