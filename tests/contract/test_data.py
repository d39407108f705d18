"""What is learned follows the ratings: their unit, where zero is, who has rated nothing."""

import math

import numpy as np
import pytest
from contract.cases import (
    N_EPOCHS,
    each_case,
    has_unit,
    held_back_error,
    is_of_ratings,
    pair_plan,
)

import naive
from funksvd.learned import Axis
from funksvd.learned.scoring import predict_pairs
from funksvd.training import Findings, Triples, plan_blocks


def predicted(learned, ratings):
    return predict_pairs(learned.parameters, ratings.user_index, ratings.item_index)


@each_case(has_unit)
@pytest.mark.parametrize(("factor", "offset"), [(0.01, 0), (1000, 0), (1, 7)])
def test_ratings_of_another_unit_or_level_have_such_predictions(
    case, ratings, held_back, factor, offset
):
    values = ratings.values * np.float32(factor) + np.float32(offset)
    ref = case.train(case.plan(ratings, held_back))
    comp = case.train(case.plan(ratings, held_back, values=values))
    spread = float(ratings.values.std())
    np.testing.assert_allclose(
        (predicted(comp.learned, ratings) - offset) / factor,
        predicted(ref.learned, ratings),
        rtol=0,
        atol=2e-5 * spread,
    )
    for comp_record, ref_record in zip(comp.record.history, ref.record.history, strict=True):
        for name in ("train", "valid"):
            ref_error = factor * getattr(ref_record, name)
            assert getattr(comp_record, name) == pytest.approx(ref_error, rel=2e-5)


@each_case()
def test_who_has_nothing_to_learn_from_is_predicted_from_what_is_known(case, ratings):
    """Users and items without ratings, or with none but those that are held back."""
    n_users, n_items = ratings.n_users, ratings.n_items
    held_back = (ratings.user_index == 3) | (ratings.item_index == 5)
    plan = case.plan(ratings, held_back, shape=(n_users + 2, n_items + 1))
    learned = case.train(plan, findings=Findings(n_epochs=4)).learned
    unknown = {Axis.USER: [3, n_users, n_users + 1], Axis.ITEM: [5, n_items]}
    for name, array in learned.arrays().items():
        axis = next(iter(learned.declared()[name].axes), None)
        if axis in unknown and not name.endswith("_noise"):  # that has a prior of its own
            assert not array[unknown[axis]].any(), name
            assert array.any(), name
    mean, user_biases, item_biases, *_ = learned.parameters
    everyone, everything = np.arange(n_users + 2), np.arange(n_items + 1)
    for user in unknown[Axis.USER]:
        comp = predict_pairs(learned.parameters, np.full(n_items + 1, user), everything)
        np.testing.assert_array_equal(comp, np.float32(mean) + item_biases)
    for item in unknown[Axis.ITEM]:
        comp = predict_pairs(learned.parameters, everyone, np.full(n_users + 2, item))
        np.testing.assert_array_equal(comp, np.float32(mean) + user_biases)


@each_case(is_of_ratings)
def test_the_error_on_what_is_held_back_is_that_of_the_predictions(case, ratings, held_back):
    values = case.triples(ratings).values
    if not case.is_binary:
        values = np.minimum(values, 1.5)  # so that some predictions are beyond
    learner = case.new_learner(case.plan(ratings, held_back, values=values))
    users, items, values = ratings.user_index.tolist(), ratings.item_index.tolist(), values.tolist()
    learned_from = [r for r, back in zip(values, held_back, strict=True) if not back]
    low, high = min(learned_from), max(learned_from)
    mean = math.fsum(learned_from) / len(learned_from)
    spread = math.sqrt(math.fsum((r - mean) ** 2 for r in learned_from) / len(learned_from))
    n_beyond = 0
    for _ in range(N_EPOCHS):
        learner.run_epoch(case.progress(1.8))
        comp = held_back_error(learner)
        known = learner.learned()
        mu, *arrays = (np.asarray(array, float).tolist() for array in known.parameters)
        user_biases, item_biases, p, q = arrays
        ref_values, scores = [], []
        for at in np.flatnonzero(held_back).tolist():
            u, i = users[at], items[at]
            score = naive.predict(mu, user_biases[u], item_biases[i], p[u], q[i])
            if not case.is_binary:
                n_beyond += not low < score < high
                score = min(max(score, low), high)
            ref_values.append(values[at])
            scores.append(score)
        loss, delta = case.hyperparameters.loss, case.hyperparameters.huber_delta * spread
        ref = naive.error(loss, ref_values, scores, delta)
        assert comp == pytest.approx(ref, rel=1e-5)
    assert n_beyond > 20 or case.is_binary


@each_case()
def test_where_nothing_is_held_back_there_is_no_such_error(case, ratings):
    learner = case.new_learner(case.plan(ratings))
    learner.run_epoch(case.progress())
    assert held_back_error(learner) is None


@each_case(lambda case: case.hyperparameters.reg is None and case.allows(reg=0.5))
def test_regularization_is_the_one_given_or_goes_by_how_much_is_known(case, ratings):
    plan = case.plan(ratings)
    users, items = (
        sum(n * n for n in counts) / len(ratings)
        for counts in (np.bincount(ratings.user_index), np.bincount(ratings.item_index))
    )
    ref = case.learner.reg_share * 0.18 / (users * items) ** 0.1
    one = Findings(n_epochs=1)
    assert case.train(plan, findings=one).record.reg == pytest.approx(ref, rel=1e-5)
    less = case.train(plan, findings=Findings(n_epochs=1, reg_factor=0.25))
    assert less.record.reg == pytest.approx(0.25 * ref, rel=1e-5)
    given = case.train(plan, options={"reg": 0.5}, findings=Findings(n_epochs=1, reg_factor=0.25))
    assert given.record.reg == 0.5


@each_case(lambda case: case.allows(biases=False))
def test_without_biases_there_is_no_mean_either(case, ratings):
    learned = case.train(case.plan(ratings), options={"biases": False}).learned
    assert learned.global_mean == 0
    assert not learned.user_biases.any()
    assert not learned.item_biases.any()
    assert learned.user_factors.any()


@each_case()
def test_few_ratings_are_enough(case):
    values = np.array([0, 1, 1] if case.is_binary else [1, 5, 3], np.float32)
    triples = Triples(np.array([0, 0, 1], np.int32), np.array([0, 1, 0], np.int32), values)
    if is_of_ratings(case):
        plan = plan_blocks(triples, (2, 2), n_batches=case.learner.n_batches)
    else:
        plan = pair_plan(triples, (2, 2), None)
    learned = case.train(plan, options={"n_epochs": 50}).learned
    for array in learned.arrays().values():
        assert np.isfinite(array).all()


@each_case()
def test_learning_rates_are_asked_for_by_the_share_of_the_epoch_that_is_done(case, ratings):
    asked, n_done = [], []
    progress = case.progress()

    def rate(done):
        asked.append(done)
        return progress.learning_rate(done)

    learner = case.new_learner(case.plan(ratings))
    learner.run_epoch(progress._replace(learning_rate=rate, ratings_done=n_done.append))
    assert sum(n_done) == len(ratings)
    if case.hyperparameters.learning_rate is None:
        assert asked == []
    else:
        assert asked[0] == 0
        assert all(0 <= done < 1 for done in asked)
