"""A run of each learner: which epoch is kept, when it ends, what happens when one goes wrong."""

import numpy as np
import pytest
from contract.cases import (
    N_EPOCHS,
    Following,
    assert_same,
    each_case,
    has_steps,
    without_seconds,
)

from funksvd import DivergenceError
from funksvd.learned.scoring import predict_pairs
from funksvd.training import Findings, Monitor, Stopped, Validation


def follow(case, plan, options=None, **when):
    followed = Following(**when)
    result = case.train(plan, options=options, validation=followed.validation, monitor=followed)
    return result, followed


def best_of(case, errors):
    """The epoch that is kept: that with the lowest error; a sampler's latest."""
    return len(errors) if case.learner.latest_is_best else int(np.argmin(errors)) + 1


@each_case()
def test_the_best_epoch_is_kept(case, ratings, held_back):
    plan, figures = case.plan(ratings, held_back), [0.1, 0.4, 0.3, 0.6, 0.2, 0.5]
    for values in (None, figures):  # the error on what is held back; or a figure that should rise
        result, followed = follow(case, plan, {"patience": 9}, values=values)
        found = [record.valid for record in result.record.history]
        errors = found if values is None else [-value for value in found]
        assert values is None or found == values
        assert result.record.best_epoch == best_of(case, errors)
        assert result.record.stopped is Stopped.LIMIT
        assert not result.interrupted
        assert_same(result.learned, followed.learned[result.record.best_epoch - 1])
        assert followed.best == [best_of(case, errors[:n]) == n for n in range(1, N_EPOCHS + 1)]


@each_case()
@pytest.mark.parametrize("held_back_too", [False, True])
def test_monitors_are_told_of_every_rating_once_an_epoch(case, ratings, held_back, held_back_too):
    plan = case.plan(ratings, held_back if held_back_too else None)
    followed = Following()
    result = case.train(plan, monitor=followed)
    assert followed.done_by_epoch == [n * plan.n_learned for n in range(1, N_EPOCHS + 1)]
    assert followed.records == result.record.history
    assert [record.epoch for record in followed.records] == list(range(1, N_EPOCHS + 1))
    assert followed.restarts == []


# -- Ctrl-C ----------------------------------------------------------------------------------


@each_case()
def test_an_interrupt_before_the_first_epoch_is_passed_on(case, ratings):
    plan = case.plan(ratings)
    for when in ({"within": 1}, {"after_ratings": plan.n_learned}):
        with pytest.raises(KeyboardInterrupt):
            case.train(plan, monitor=Following(**when))


@each_case()
def test_an_interrupt_later_keeps_the_best_epoch(case, ratings):
    plan, values = case.plan(ratings), [0.1, 0.5, 0.4, 0.3, 0.9, 0.2]
    whole, followed = follow(case, plan, values=values)
    result, _ = follow(case, plan, values=values, after_epoch=4)
    assert result.record.stopped is Stopped.INTERRUPT
    assert result.interrupted
    assert without_seconds(result.record.history) == without_seconds(whole.record.history)[:4]
    assert result.record.best_epoch == (4 if case.learner.latest_is_best else 2)
    assert_same(result.learned, followed.learned[result.record.best_epoch - 1])


@each_case()
@pytest.mark.parametrize("when", [{"within": 3}, {"after_ratings": 3 * 1500}], ids=str)
def test_an_interrupt_within_an_epoch_goes_back_to_where_it_began(case, ratings, when):
    plan = case.plan(ratings)
    whole, followed = follow(case, plan)
    result, _ = follow(case, plan, **when)
    assert result.record.stopped is Stopped.INTERRUPT
    assert without_seconds(result.record.history) == without_seconds(whole.record.history)[:2]
    assert result.record.best_epoch == 2
    assert_same(result.learned, followed.learned[1])


# -- divergence ------------------------------------------------------------------------------


@each_case(has_steps)
def test_rates_that_are_much_too_large_are_halved_until_they_are_not(case, ratings):
    options = {"learning_rate": 1000 * case.hyperparameters.learning_rate}
    options |= {} if case.by_feature else {"n_epochs": 30}
    result, followed = follow(case, case.plan(ratings), options)
    assert followed.restarts[0] == (1, options["learning_rate"] / 2)
    assert result.findings.rate_factor == 0.5 ** len(followed.restarts)
    history = result.record.history
    assert [record.epoch for record in history] == list(range(1, len(history) + 1))
    assert result.record.stopped is Stopped.LIMIT
    for array in result.learned.arrays().values():
        assert np.isfinite(array).all()
    errors = [record.train for record in history]
    assert np.isfinite(errors).all()
    assert errors[-1] < case.error_without_model(ratings)


@each_case(has_steps)
def test_an_epoch_that_diverges_is_repeated_from_where_it_began(case, ratings, monkeypatch):
    """Learning rates that grow fourfold an epoch: good epochs first, then one that diverges."""
    run_epoch, starts = case.learner.run_epoch, []

    def spy(learner, progress):
        starts.append(learner.learned())
        return run_epoch(learner, progress)

    monkeypatch.setattr(case.learner, "run_epoch", spy)
    growing = {"learning_rate": case.hyperparameters.learning_rate / 4, "learning_rate_decay": 4}
    plan = case.plan(ratings)
    result, followed = follow(case, plan, growing)
    first_bad = followed.restarts[0][0]
    assert first_bad > 1
    for start in starts[first_bad - 1 : first_bad + 1]:
        assert_same(start, followed.learned[first_bad - 2])
    assert len(starts) == N_EPOCHS + len(followed.restarts)
    before = case.train(plan, options=growing, findings=Findings(n_epochs=first_bad - 1))
    assert_same(followed.learned[first_bad - 2], before.learned)
    history = without_seconds(result.record.history)
    assert history[: first_bad - 1] == without_seconds(before.record.history)
    assert [epoch for epoch, *_ in history] == list(range(1, N_EPOCHS + 1))


@each_case(has_steps)
def test_hopeless_divergence_is_an_error_that_says_what_to_do(case, ratings):
    with pytest.raises(DivergenceError, match=r"Give a smaller learning_rate= \(it is 1e\+09\)"):
        case.train(case.plan(ratings), options={"learning_rate": 1e9})


@each_case(lambda case: not has_steps(case))
def test_without_steps_there_is_nothing_to_halve(case, ratings, monkeypatch):
    monkeypatch.setattr(case.learner, "run_epoch", lambda learner, progress: np.nan)
    with pytest.raises(DivergenceError, match=r"numbers that are not finite[;:] (look|give)"):
        case.train(case.plan(ratings))


# -- what decides ----------------------------------------------------------------------------


def concordance(learned, ratings):
    """Of all pairs of ratings, the share that is predicted in the right order."""
    scores = predict_pairs(learned.parameters, ratings.user_index, ratings.item_index)
    values = ratings.values
    differ = values[:, None] > values
    return float((scores[:, None] > scores)[differ].mean())


@each_case()
def test_a_figure_that_should_rise_decides(case, ratings, held_back):
    watched, found = ratings.subset(held_back), []

    def value(learned):
        found.append((concordance(learned, watched), learned))
        return found[-1][0]

    validation = Validation.of_learned("concordance", value, greater_is_better=True)
    result = case.train(case.plan(ratings, held_back), validation=validation)
    values = [figure for figure, _ in found]
    assert [record.valid for record in result.record.history] == values
    assert result.record.best_epoch == best_of(case, [-figure for figure in values])
    assert_same(result.learned, found[result.record.best_epoch - 1][1])
    assert values[-1] > values[0]


@each_case()
def test_patience_ends_it_once_the_figure_no_longer_rises(case, ratings):
    values = [0.1, 0.5, 0.4, 0.50001, 0.3, 0.9]
    result, followed = follow(case, case.plan(ratings), {"patience": 3}, values=values)
    assert [record.valid for record in result.record.history] == values[:5]
    assert result.record.stopped is Stopped.PATIENCE
    assert not result.interrupted
    assert result.record.best_epoch == (5 if case.learner.latest_is_best else 4)
    assert_same(result.learned, followed.learned[result.record.best_epoch - 1])
    patient, _ = follow(case, case.plan(ratings), {"patience": 4}, values=values)
    assert patient.record.stopped is Stopped.LIMIT
    assert patient.record.best_epoch == 6


@each_case()
def test_the_end_of_the_epochs_is_no_matter_of_patience(case, ratings):
    followed = Following(values=[0.1, 0.5, 0.4])
    result = case.train(
        case.plan(ratings),
        options={"patience": 1},
        findings=Findings(n_epochs=3),
        validation=followed.validation,
        monitor=Monitor(),
    )
    assert result.record.stopped is Stopped.LIMIT
    assert result.findings.n_epochs == result.record.best_epoch
    assert result.record.best_epoch == (3 if case.learner.latest_is_best else 2)
