"""A learner's state: remembered, gone back to, handed out, and started from."""

import copy

import numpy as np
import pytest
from contract.cases import (
    assert_same,
    can_go_on,
    each_case,
    goes_back,
    has_steps,
    held_back_error,
    is_of_ratings,
)

import naive
from funksvd.learned.scoring import predict_pairs

MUCH_TOO_FAST = 1e6


def seen(learner):
    """All that the outside can see of a state, copied."""
    known = (learner.learned(), held_back_error(learner), learner.passes())
    return copy.deepcopy(known)


def assert_seen(learner, ref):
    comp = seen(learner)
    assert_same(comp[0], ref[0])
    assert comp[1:] == ref[1:]


@each_case()
def test_what_was_learned_is_a_copy(case, ratings, held_back):
    learner = case.new_learner(case.plan(ratings, held_back))
    handed_out, copies = [], []
    for _ in range(4):
        learner.run_epoch(case.progress())
        learner.snapshot(0)
        handed_out.append(learner.learned())
        copies.append(copy.deepcopy(handed_out[-1]))
        assert_same(learner.learned(), copies[-1])
    learner.restore(0)
    for comp, ref in zip(handed_out, copies, strict=True):
        assert_same(comp, ref)
    assert not np.array_equal(copies[0].user_factors, copies[-1].user_factors)


@each_case(goes_back)
def test_two_states_are_gone_back_to_in_any_order(case, ratings, held_back):
    learner = case.new_learner(case.plan(ratings, held_back))
    states = []
    for slot in (0, 1):
        learner.run_epoch(case.progress())
        learner.snapshot(slot)
        states.append(seen(learner))
    for _ in range(2):
        learner.run_epoch(case.progress())
    for slot in (1, 0, 0, 1, 0):
        learner.restore(slot)
        assert_seen(learner, states[slot])
    learner.run_epoch(case.progress())
    learner.snapshot(1)
    later = seen(learner)
    learner.run_epoch(case.progress(MUCH_TOO_FAST))
    learner.restore(1)
    assert_seen(learner, later)
    learner.restore(0)
    assert_seen(learner, states[0])


@each_case(goes_back)
@pytest.mark.parametrize("n_since", [1, 3])
def test_training_goes_on_from_there_as_it_did(case, ratings, held_back, n_since):
    """Nothing but the snapshot and the random numbers decides what comes next."""
    learner = case.new_learner(case.plan(ratings, held_back))
    for _ in range(2):
        learner.run_epoch(case.progress())
    learner.snapshot(1)
    random = learner.context.random.bit_generator.state
    ref = [(learner.run_epoch(case.progress()), seen(learner)) for _ in range(2)]
    learner.restore(1)
    for at in range(n_since):
        learner.run_epoch(case.progress(MUCH_TOO_FAST if at == n_since - 1 else 1))
    learner.restore(1)
    learner.context.random.bit_generator.state = random
    for ref_error, ref_seen in ref:
        assert learner.run_epoch(case.progress()) == ref_error
        assert_seen(learner, ref_seen)


@each_case()
def test_going_back_to_where_one_is_changes_nothing(case, ratings, held_back):
    learner, untouched = (case.new_learner(case.plan(ratings, held_back)) for _ in range(2))
    for _ in range(4):
        errors = [each.run_epoch(case.progress()) for each in (learner, untouched)]
        assert errors[0] == errors[1]
        learner.snapshot(0)
        learner.restore(0)
        assert_seen(learner, seen(untouched))


@each_case()
def test_an_error_that_is_no_number_is_a_divergence(case, ratings):
    learner = case.new_learner(case.plan(ratings))
    error = learner.run_epoch(case.progress())
    assert not learner.has_diverged(error)
    assert learner.has_diverged(np.nan)
    assert learner.has_diverged(np.inf)


@each_case(has_steps)
def test_an_error_is_a_divergence_from_half_more_than_that_of_no_model(case, ratings):
    learner = case.new_learner(case.plan(ratings))
    limit = 1.5 * case.error_without_model(ratings)
    assert not learner.has_diverged(limit * (1 - 1e-5))
    assert learner.has_diverged(limit * (1 + 1e-5))


@each_case(lambda case: can_go_on(case) and is_of_ratings(case))
def test_it_goes_on_from_what_was_learned_before(case, ratings, held_back):
    """The model's mean may be another one than that of the ratings."""
    plan = case.plan(ratings, held_back)
    old = case.train(case.plan(ratings)).learned
    old = type(old)(
        **old.arrays()
        | {"global_mean": old.global_mean - 0.5, "user_biases": old.user_biases + np.float32(0.5)}
    )
    learner = case.new_learner(plan, start=old)
    comp = learner.learned()
    assert comp.global_mean == old.global_mean
    assert comp.arrays().keys() == old.arrays().keys()
    for name, ref_array in old.arrays().items():
        np.testing.assert_allclose(comp.arrays()[name], ref_array, rtol=1e-6, atol=1e-6)
    pairs = ratings.user_index, ratings.item_index
    scores = predict_pairs(old.parameters, *pairs)
    np.testing.assert_allclose(predict_pairs(comp.parameters, *pairs), scores, rtol=1e-5)
    values = case.triples(ratings).values
    given = [(r[~held_back]).astype(float) for r in (values, scores)]
    delta = case.hyperparameters.huber_delta * given[0].std()
    ref = naive.error(case.hyperparameters.loss, *(each.tolist() for each in given), delta)
    assert learner.run_epoch(case.progress(1e-10)) == pytest.approx(ref, rel=1e-4)
    for _ in range(5):
        better = learner.run_epoch(case.progress(0.3))
    assert 0.3 * ref < better < ref


@each_case(can_go_on)
def test_where_it_starts_makes_no_difference_to_its_random_choices(case, ratings):
    plan = case.plan(ratings)
    learners = [case.new_learner(plan, start=start) for start in (None, case.train(plan).learned)]
    ref, comp = (learner.context.random.bit_generator.state for learner in learners)
    assert comp == ref
