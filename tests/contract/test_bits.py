"""The bits of what is learned depend on ratings, hyperparameters and seed, and on nothing else."""

import copy
import dataclasses
import sys

import numpy as np
import pytest
from contract.cases import (
    CASES,
    OneByOne,
    assert_same,
    can_go_on,
    each_case,
    has_steps,
    held_back_error,
    is_of_ratings,
    learner_classes,
    without_seconds,
)

from funksvd.hyperparameters import OPTIMIZERS
from funksvd.training import ALGORITHMS, LEARNERS, Findings
from funksvd.training.learners.base import Learner


def test_every_learner_is_here():
    assert set(LEARNERS) == set(ALGORITHMS)
    assert {case.learner for case in CASES} == learner_classes()
    chosen = [case.hyperparameters for case in CASES]
    assert {each.algorithm for each in chosen} == set(ALGORITHMS)
    assert {each.optimizer for each in chosen} >= set(OPTIMIZERS)
    assert len({case.name for case in CASES}) == len(CASES)


@each_case()
def test_threads_do_not_change_a_bit(case, sample):
    plan = case.plan(sample, np.arange(len(sample)) % 5 == 0)
    size = {"n_factors": 3 if case.by_feature else 17}
    one, *others = (case.but(**size, n_epochs=4, n_threads=n).train(plan) for n in (1, 2, 4))
    for other in others:
        assert_same(other.learned, one.learned)
        assert without_seconds(other.record.history) == without_seconds(one.record.history)
        assert other.findings.passes == one.findings.passes


class Reversed(OneByOne):
    """The last part first, one after the other; says that it has several threads."""

    n_threads = 3
    most_parts = 0

    def map(self, function, *arguments):
        parts = list(zip(*arguments, strict=True))
        self.most_parts = max(self.most_parts, len(parts))
        return [function(*part) for part in reversed(parts)][::-1]


@each_case()
def test_nor_does_another_executor(case, ratings, held_back, monkeypatch):
    monkeypatch.setattr("funksvd.training.sampling.side.RATINGS_PER_PART", 200)
    monkeypatch.setattr("funksvd.training.learners.minibatch.ROWS_PER_TASK", 16)
    plan, executor = case.plan(ratings, held_back), Reversed()
    ref, comp = case.new_learner(plan), case.new_learner(plan, executor)
    for _ in range(3):
        assert comp.run_epoch(case.progress()) == ref.run_epoch(case.progress())
        assert held_back_error(comp) == held_back_error(ref)
        assert_same(comp.learned(), ref.learned())
    assert executor.most_parts >= 3


@each_case()
def test_nor_does_the_order_of_the_ratings(case, ratings, held_back):
    order = np.random.default_rng(1).permutation(len(ratings))
    shuffled = case.plan(ratings.subset(order), held_back[order])
    comp, ref = (case.train(plan) for plan in (shuffled, case.plan(ratings, held_back)))
    assert_same(comp.learned, ref.learned)
    assert without_seconds(comp.record.history) == without_seconds(ref.record.history)


@each_case(is_of_ratings)
def test_nor_do_values_that_are_held_back(case, ratings, held_back):
    values = case.triples(ratings).values.copy()
    values[held_back] = values[held_back].max() + values[held_back].min() - values[held_back]
    changed = case.plan(ratings, held_back, values=values)
    comp, ref = (case.new_learner(plan) for plan in (changed, case.plan(ratings, held_back)))
    for _ in range(3):
        assert comp.run_epoch(case.progress()) == ref.run_epoch(case.progress())
        assert held_back_error(comp) != held_back_error(ref)
    assert_same(comp.learned(), ref.learned())
    assert (comp.reg, comp.scale) == (ref.reg, ref.scale)


@each_case()
def test_what_a_run_has_found_makes_another_the_same(case, ratings, held_back):
    plan = case.plan(ratings, held_back)
    first = case.train(plan, findings=Findings(n_epochs=4, rate_factor=0.5, reg_factor=0.7))
    assert first.findings.rate_factor == (0.5 if has_steps(case) else 1)
    assert first.findings.reg_factor == 0.7
    values = [record.valid for record in first.record.history]
    best = 4 if is_of_ratings(case) else 1 + int(np.argmax(values))
    assert first.findings.n_epochs == first.record.best_epoch == best
    has_passes = case.new_learner(plan).passes() is not None
    assert (first.findings.passes is not None) == has_passes
    again = case.train(plan, findings=first.findings)
    assert_same(again.learned, first.learned)
    assert again.findings.passes == first.findings.passes


@each_case()
def test_what_a_learner_is_given_stays_as_it_was(case, ratings, held_back):
    plan = case.plan(ratings, held_back)
    start = case.train(plan).learned if can_go_on(case) else None
    before = copy.deepcopy((plan, start and start.arrays(), case.hyperparameters.get_params()))
    learner = case.new_learner(plan, start=start)
    context = learner.context
    for _ in range(3):
        learner.run_epoch(case.progress())
        held_back_error(learner)
    learner.learned()
    after = (plan, start and start.arrays(), context.hyperparameters.get_params())
    for ref, comp in zip(arrays_in(before), arrays_in(after), strict=True):
        np.testing.assert_array_equal(comp, ref)
    assert context.plan is plan
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.plan = None


def arrays_in(nested):
    """All that is in tuples, dicts and dataclasses, flat."""
    if dataclasses.is_dataclass(nested):
        nested = tuple(getattr(nested, field.name) for field in dataclasses.fields(nested))
    if isinstance(nested, dict):
        nested = tuple(nested.values())
    if not isinstance(nested, tuple):
        return [nested]
    return [leaf for each in nested for leaf in arrays_in(each)]


@each_case()
def test_only_a_learner_itself_changes_it(case, ratings, held_back, monkeypatch):
    def by_itself(learner, name, value):
        caller = sys._getframe(1)
        assert caller.f_locals.get("self") is learner, f"{caller.f_code.co_name} sets {name}"
        object.__setattr__(learner, name, value)

    monkeypatch.setattr(Learner, "__setattr__", by_itself)
    plan = case.plan(ratings, held_back)
    options = {"learning_rate": 1000 * rate} if (rate := case.hyperparameters.learning_rate) else {}
    case.train(plan, options=options, findings=Findings(reg_factor=0.5))
    if can_go_on(case):
        case.train(plan, start=case.train(plan).learned)
