"""The epoch loop: what is kept, when it stops, what happens when it goes wrong."""

import numpy as np
import pytest

from funksvd import DivergenceError, Monitor
from funksvd.hyperparameters.schedules import Constant
from funksvd.learned import LearnedRatings
from funksvd.training import (
    Hyperparameters,
    Interrupts,
    Stopped,
    Triples,
    Validation,
    plan_blocks,
    train,
)
from funksvd.training.learners.base import Learner
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.run import HOPELESS, MAX_RESTARTS, Limits, Run
from funksvd.training.steps import StepSizes

DIVERGED = 99.0


def as_triples(ratings):
    return Triples(ratings.user_index, ratings.item_index, ratings.values)


def plan_of(ratings, held_back=None, **changed):
    triples = as_triples(ratings)._replace(**changed)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def held_back(ratings):
    return np.random.default_rng(5).random(len(ratings)) < 0.2


class Recorder(Monitor):
    """Remembers all it is told."""

    def __init__(self):
        self.records, self.best, self.restarts, self.n_done = [], [], [], 0

    def ratings_done(self, n_ratings):
        self.n_done += n_ratings

    def epoch_done(self, record, is_best):
        self.records.append(record)
        self.best.append(is_best)

    def restarted(self, epoch, learning_rate):
        self.restarts.append((epoch, learning_rate))


class Scripted(Learner):
    """What it has learned is how many epochs led there, whatever came of them.

    Parameters
    ----------
    script : iterator of float
        Training error of each epoch, shared by all learners of a run; `DIVERGED` is one.
    """

    reg = 0.0

    def __init__(self, script):
        self.script, self.n_epochs, self.slots, self.rates = script, 0, {}, []

    def run_epoch(self, progress):
        self.n_epochs += 1
        self.rates.append(progress.learning_rate(0.5))
        progress.ratings_done(10)
        return next(self.script)

    def held_back_error(self):
        return None

    def has_diverged(self, train_error):
        return train_error == DIVERGED

    def divergence_message(self, learning_rate):
        return f"hopeless at {learning_rate:g}"

    def snapshot(self, slot):
        self.slots[slot] = self.n_epochs

    def restore(self, slot):
        self.n_epochs = self.slots[slot]

    def learned(self):
        rows, factors = np.zeros(1, np.float32), np.zeros((1, 1), np.float32)
        return LearnedRatings(float(self.n_epochs), rows, rows, factors, factors)


class ScriptedRun(Run):
    """A run of it, and all that it has made and told."""

    def __init__(self, script, limits, values=(), monitor=None, interrupts=None, rate=1.0):
        self.made, script, values = [], iter(script), iter(values)

        def make():
            self.made.append(Scripted(script))
            return self.made[-1]

        self.recorder = monitor or Recorder()
        super().__init__(
            make,
            limits,
            Validation("figure", lambda learner: next(values, None)),
            "rmse",
            rate and StepSizes(Constant(), rate),
            self.recorder,
            interrupts or Interrupts(),
        )
        self.until_done()

    @property
    def came_to(self):
        return self.learned().global_mean


def test_the_state_of_the_best_epoch_is_what_was_learned():
    run = ScriptedRun([1.0] * 5, Limits(5, patience=9), values=[4, 1, 3, 2, 5])
    assert (run.best_epoch, run.came_to, run.stopped) == (2, 2, Stopped.LIMIT)
    assert run.recorder.best == [True, True, False, False, False]


def test_after_a_divergence_it_goes_on_from_the_last_epoch_not_from_the_best():
    script = [1.0, 1.0, 1.0, DIVERGED, DIVERGED, 1.0]
    run = ScriptedRun(script, Limits(4, patience=9), values=[4, 1, 2, 3])
    assert run.learner.n_epochs == 4
    assert (run.best_epoch, run.came_to) == (2, 2)
    assert run.learner.rates == [1, 1, 1, 1, 0.5, 0.25]
    assert run.recorder.restarts == [(4, 0.5), (4, 0.25)]
    assert [record.learning_rate for record in run.history] == [1, 1, 1, 0.25]
    assert [record.epoch for record in run.history] == [1, 2, 3, 4]
    assert run.recorder.n_done == 60


def test_a_better_epoch_after_a_divergence_replaces_the_best():
    script = [1.0, 1.0, DIVERGED, 1.0, DIVERGED, 1.0]
    run = ScriptedRun(script, Limits(4, patience=9), values=[2, 3, 1, 4])
    assert (run.best_epoch, run.came_to) == (3, 3)


def test_where_an_epoch_is_hopeless_training_starts_over_more_slowly():
    script = [1.0, 1.0] + [DIVERGED] * HOPELESS + [1.0] * 4
    run = ScriptedRun(script, Limits(4, patience=9), values=[9, 8, 7, 6, 5, 4])
    assert len(run.made) == 2
    assert run.made[1].rates == [0.5] * 4  # the last rate that was good was 1
    assert [record.epoch for record in run.history] == [1, 2, 3, 4]
    assert [record.valid for record in run.history] == [7, 6, 5, 4]
    assert (run.best_epoch, run.came_to) == (4, 4)


def test_divergences_of_different_epochs_make_none_hopeless():
    half = [DIVERGED] * (HOPELESS // 2)
    run = ScriptedRun([1.0, *half, 1.0, *half, 1.0], Limits(3, patience=9))
    assert len(run.made) == 1
    assert [epoch for epoch, _ in run.recorder.restarts] == [2] * 3 + [3] * 3


def test_the_first_epoch_has_nothing_to_start_over_from():
    run = ScriptedRun([DIVERGED] * MAX_RESTARTS + [1.0], Limits(1, patience=9))
    assert len(run.made) == 1
    assert run.learner.rates[-1] == 0.5**MAX_RESTARTS
    with pytest.raises(DivergenceError, match=r"hopeless at 0\.000244141"):
        ScriptedRun([DIVERGED] * (MAX_RESTARTS + 1), Limits(1, patience=9))


def test_divergences_of_all_epochs_count():
    script = [1.0, DIVERGED, DIVERGED] * 7
    with pytest.raises(DivergenceError, match="hopeless"):
        ScriptedRun(script, Limits(99, patience=99))


def test_without_learning_rates_there_is_nothing_to_halve(monkeypatch):
    monkeypatch.setattr(Scripted, "run_epoch", lambda learner, progress: DIVERGED)
    with pytest.raises(DivergenceError, match="hopeless at 0"):
        ScriptedRun([], Limits(3, patience=9), rate=None)


@pytest.mark.parametrize(("n_epochs", "members"), [(6, (2, 4, 6)), (5, (2, 4))])
def test_snapshots_are_averaged_and_patience_waits(n_epochs, members):
    limits = Limits(n_epochs, patience=1, snapshot_every=2)
    run = ScriptedRun([1.0] * n_epochs, limits, values=[1, 2, 3, 4, 5, 6])
    assert len(run.history) == n_epochs
    assert run.came_to == np.mean(members)
    assert run.best_epoch == members[-1]
    assert not any(run.recorder.best)


def test_interrupts_are_armed_once_there_is_something_to_lose():
    armed, interrupts = [], Interrupts()

    class Looking(Recorder):
        def ratings_done(self, n_ratings):
            armed.append(interrupts.armed)

    ScriptedRun(
        [1.0, DIVERGED, 1.0],
        Limits(2, patience=9),
        monitor=Looking(),
        interrupts=interrupts,
    )
    assert armed == [False, True, True]


def test_an_interrupt_that_was_asked_for_comes_between_ratings():
    interrupts = Interrupts()

    class Asking(Recorder):
        def epoch_done(self, record, is_best):
            super().epoch_done(record, is_best)
            interrupts.requested = record.epoch == 2

    run = ScriptedRun([1.0] * 9, Limits(9, patience=9), monitor=Asking(), interrupts=interrupts)
    assert (run.stopped, run.best_epoch, run.came_to) == (Stopped.INTERRUPT, 2, 2)
    assert run.learner.n_epochs == 2  # it had begun the third


# -- with a learner that learns --------------------------------------------------------------


def test_the_best_epoch_is_kept_and_patience_ends_training(held_back, ratings):
    # no regularization and too many factors: validation gets worse after a while
    hyperparameters = Hyperparameters(
        n_factors=30, reg=0, bias_reg=0, learning_rate=0.1, learning_rate_decay=1, patience=4
    )
    recorder = Recorder()
    result = train(plan_of(ratings, held_back), hyperparameters, monitor=recorder)
    rmses = [record.valid_rmse for record in result.record.history]
    assert result.record.best_epoch == np.argmin(rmses) + 1
    assert len(rmses) < hyperparameters.resolved().n_epochs
    assert result.record.best_epoch < len(rmses) <= result.record.best_epoch + 4
    assert recorder.records == result.record.history
    assert recorder.best == [
        rmse < min(rmses[:at], default=np.inf) for at, rmse in enumerate(rmses)
    ]
    assert result.record.stopped is Stopped.PATIENCE


def test_without_validation_all_epochs_run_and_the_last_is_kept(ratings):
    result = train(plan_of(ratings), Hyperparameters(n_factors=4, n_epochs=7))
    assert len(result.record.history) == result.record.best_epoch == 7
    assert result.record.history[3].valid_rmse is None
    assert result.record.history[3].learning_rate == pytest.approx(0.03 * 0.85**3)


def test_an_epoch_that_ended_badly_is_not_where_training_goes_on_from(ratings, monkeypatch):
    """Errors are taken before each step, so that an explosion may show in the next epoch only."""
    run_epoch = SGDLearner.run_epoch
    n_calls = 0

    def explode_at_the_end_of_the_second(learner, *arguments):
        nonlocal n_calls
        n_calls += 1
        error = run_epoch(learner, *arguments)
        if n_calls == 2:
            learner.arranged.user_factors[:] = 1e20
        return error

    monkeypatch.setattr(SGDLearner, "run_epoch", explode_at_the_end_of_the_second)
    recorder = Recorder()
    result = train(plan_of(ratings), Hyperparameters(n_factors=4, n_epochs=5), monitor=recorder)
    assert [epoch for epoch, _ in recorder.restarts] == [3] * 6
    assert [record.epoch for record in recorder.records] == [1, 2, 1, 2, 3, 4, 5]
    assert [record.epoch for record in result.record.history] == [1, 2, 3, 4, 5]
    assert result.findings.rate_factor == 0.5
    assert np.isfinite(result.learned.parameters.user_factors).all()
    assert result.record.history[-1].train_rmse < result.record.history[0].train_rmse
