"""A run that is killed at a checkpoint goes on from there, and comes to the same bits."""

from dataclasses import asdict

import numpy as np
import pytest
from contract.cases import (
    CASES,
    assert_same,
    each_case,
    goes_back,
    has_steps,
    without_seconds,
)
from killing import Killed, killed_at

from funksvd import Checkpoints, DivergenceError, Monitor
from funksvd.training.run import HOPELESS, MAX_RESTARTS


class Going(Monitor):
    """Knows from where training went on, and what came then."""

    def __init__(self):
        self.resumed_after, self.epochs = [], []

    def resumed(self, epoch):
        self.resumed_after.append(epoch)

    def epoch_done(self, record, is_best):
        self.epochs.append(record.epoch)


def run(case, plan, folder, *, resume=False, monitor=None, **options):
    with Checkpoints(folder, every=0, resume=resume) as checkpoints:
        checkpoints.begin(case.hyperparameters)
        return case.train(plan, checkpoints=checkpoints, monitor=monitor, options=options)


def assert_same_result(comp, ref):
    assert_same(comp.learned, ref.learned)
    for comp_part, ref_part in ((comp.record, ref.record), (comp.findings, ref.findings)):
        plain = [asdict(each) for each in (comp_part, ref_part)]
        histories = [without_seconds(each.pop("history")) for each in plain]
        assert histories[0] == histories[1]
        assert plain[0] == plain[1]


@each_case(goes_back)
def test_a_killed_run_comes_to_the_same(case, ratings, held_back, tmp_path, monkeypatch):
    plan = case.plan(ratings, held_back)
    ref = case.train(plan)
    n_checkpoints = len(ref.record.history)
    assert n_checkpoints >= 5
    for n in (1, 2, 4, n_checkpoints):
        with pytest.raises(Killed), killed_at(monkeypatch, n) as saved:
            run(case, plan, tmp_path / str(n))
        assert saved == [False] * (n - 1) + [n == n_checkpoints]
        monitor = Going()
        comp = run(case, plan, tmp_path / str(n), resume=True, monitor=monitor)
        assert_same_result(comp, ref)
        assert monitor.resumed_after == [n]
        assert monitor.epochs == list(range(n + 1, n_checkpoints + 1))


@each_case(goes_back)
def test_a_run_is_killed_again_and_again(case, ratings, tmp_path, monkeypatch):
    """Also where a checkpoint was only half written: the one before is gone on from."""
    plan = case.plan(ratings)
    ref = case.train(plan)
    for n in range(len(ref.record.history) - 1):
        half_written = bool(n % 2)
        killed = killed_at(monkeypatch, 1 + half_written, half_written=half_written)
        with pytest.raises(Killed), killed:
            run(case, plan, tmp_path / "there", resume=True)
    assert_same_result(run(case, plan, tmp_path / "there", resume=True), ref)


class Hopeless:
    """An epoch diverges each time, after two that went well, until training has started over.

    Parameters
    ----------
    monkeypatch
    learner : class
    n_times : int
        Number of times that training starts over.
    """

    def __init__(self, monkeypatch, learner, n_times):
        self.real, self.n_calls = learner.run_epoch, 0
        monkeypatch.setattr(learner, "run_epoch", lambda *given: self.run_epoch(*given))
        self.length, self.n_times = 2 + HOPELESS, n_times

    def run_epoch(self, learner, progress):
        at, self.n_calls = self.n_calls, self.n_calls + 1
        error = self.real(learner, progress)
        return np.nan if at // self.length < self.n_times and at % self.length >= 2 else error


@pytest.mark.parametrize("n_times", [1, 2])
@each_case(has_steps)
def test_a_run_that_had_started_over_goes_on(case, n_times, ratings, tmp_path, monkeypatch):
    """Its learner has drawn other numbers than the first one, and its rates are lower."""
    plan, hopeless = case.plan(ratings), Hopeless(monkeypatch, case.learner, n_times)
    ref = case.train(plan)
    assert ref.findings.rate_factor == 0.5**n_times
    hopeless.n_calls = 0
    with pytest.raises(Killed), killed_at(monkeypatch, 2 + 2 * n_times):
        run(case, plan, tmp_path / "there")
    monitor = Going()
    comp = run(case, plan, tmp_path / "there", resume=True, monitor=monitor)
    assert monitor.resumed_after == [2]
    assert_same_result(comp, ref)


def test_divergences_before_a_kill_count(ratings, tmp_path, monkeypatch):
    case = next(case for case in CASES if case.name == "sgd")
    plan, hopeless = case.plan(ratings), Hopeless(monkeypatch, case.learner, 2)
    with pytest.raises(Killed), killed_at(monkeypatch, 6):
        run(case, plan, tmp_path / "there")
    assert 2 * HOPELESS == MAX_RESTARTS
    hopeless.n_times = 3  # the next one is one too many
    with pytest.raises(DivergenceError):
        run(case, plan, tmp_path / "there", resume=True)


@each_case(lambda case: case.name in ("sgd", "svd++"))
def test_snapshots_of_cycles_are_kept(case, ratings, tmp_path, monkeypatch):
    cycles = {"schedule": "cyclic", "cycle_epochs": 2, "ensemble": 3, "ensemble_snapshots": True}
    case = case.but(**cycles)
    plan = case.plan(ratings)
    ref = case.train(plan)
    with pytest.raises(Killed), killed_at(monkeypatch, 5):
        run(case, plan, tmp_path / "there")
    assert_same_result(run(case, plan, tmp_path / "there", resume=True), ref)
