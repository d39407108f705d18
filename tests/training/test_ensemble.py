"""Snapshots of a cyclic schedule, folded into one model. Ensembles of seeds: tests/test_model.py"""

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError, Monitor
from funksvd.learned.scoring import predict_pairs
from funksvd.training import LEARNERS, Hyperparameters, Triples, plan_blocks, train

CYCLES = {"n_factors": 5, "schedule": "cyclic", "cycle_epochs": 3}
SNAPSHOTS = CYCLES | {"ensemble": 4, "ensemble_snapshots": True}


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


def plan_of(ratings, n_batches=1):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), n_batches=n_batches)


@pytest.fixture
def plan(ratings):
    return plan_of(ratings)


class Recorder(Monitor):
    def __init__(self, interrupt_at=None):
        self.interrupt_at = interrupt_at
        self.epochs, self.snapshots, self.members = [[]], [], []

    def fit_started(self, purpose, n_ratings, n_validation, n_epochs):
        self.epochs.append([])

    def member_started(self, member, n_members):
        self.members.append(member)

    def epoch_done(self, record, is_best):
        self.epochs[-1].append(record)
        if record.epoch == self.interrupt_at:
            raise KeyboardInterrupt

    def snapshot_taken(self, snapshot, n_snapshots):
        self.snapshots.append((snapshot, n_snapshots, len(self.epochs[-1])))


@pytest.mark.parametrize("schedule", ["cyclic", "cyclic-annealed"])
@pytest.mark.parametrize("chosen", [{}, {"optimizer": "adam"}, {"algorithm": "svd++"}], ids=str)
def test_predictions_are_the_mean_of_those_at_the_ends_of_the_cycles(ratings, schedule, chosen):
    plan = plan_of(ratings, LEARNERS[chosen.get("algorithm", "sgd")].n_batches)
    chosen = chosen | {"schedule": schedule}
    result = train(plan, Hyperparameters(**SNAPSHOTS | chosen))
    comp = result.learned.parameters
    members = [
        train(plan, Hyperparameters(**CYCLES | chosen, n_epochs=n_epochs))
        for n_epochs in (3, 6, 9, 12)
    ]
    pairs = ratings.user_index, ratings.item_index
    predictions = [predict_pairs(member.learned.parameters, *pairs) for member in members]
    assert np.abs(predictions[2] - predictions[3]).max() > 0.01
    comp_predictions = predict_pairs(comp, *pairs)
    np.testing.assert_allclose(comp_predictions, np.mean(predictions, axis=0), rtol=3e-7, atol=2e-6)
    assert comp.user_factors.shape == (60, 20)
    assert comp.user_factors.dtype == np.float32
    if "algorithm" in chosen:
        y = np.concatenate([member.learned.implicit_factors for member in members], axis=1)
        np.testing.assert_allclose(result.learned.implicit_factors, y / 2, rtol=1e-6)


def test_all_cycles_are_run_and_told_of(ratings):
    recorder = Recorder()
    chosen = {"validation_fraction": 0.2, "reg": 0, "choice": False}
    model = FunkSVD(**SNAPSHOTS, **chosen).fit(ratings, monitor=recorder)
    assert [len(epochs) for epochs in recorder.epochs] == [0, 12, 12]  # search and refit
    told = [(1, 4, 3), (2, 4, 6), (3, 4, 9), (4, 4, 12)]
    assert recorder.snapshots == told * 2
    assert recorder.members == []
    assert recorder.epochs[1][0].valid_rmse is not None
    assert (model.best_epoch, model.user_factors.shape[1]) == (12, 20)


def test_it_is_saved_and_loaded(ratings, tmp_path):
    model = FunkSVD(**SNAPSHOTS).fit(ratings)
    model.save(tmp_path / "m")
    loaded = FunkSVD.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.user_factors, model.user_factors)
    assert loaded.ensemble_snapshots is True


@pytest.mark.parametrize(("interrupt_at", "kept"), [(2, 2), (8, 6), (11, 9)])
def test_an_interrupt_keeps_the_snapshots_that_are_taken(plan, ratings, interrupt_at, kept):
    result = train(plan, Hyperparameters(**SNAPSHOTS), monitor=Recorder(interrupt_at))
    assert result.interrupted
    assert result.record.best_epoch == kept
    n_members = max(kept // 3, 1)
    shorter = SNAPSHOTS | {"ensemble": n_members} if kept >= 3 else CYCLES | {"n_epochs": 2}
    ref = train(plan, Hyperparameters(**shorter))
    np.testing.assert_array_equal(
        result.learned.parameters.item_factors, ref.learned.parameters.item_factors
    )


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"schedule": "exponential"}, "choose schedule 'cyclic' or 'cyclic-annealed', not 'expo"),
        ({"n_epochs": 100}, "n_epochs is ensemble x cycle_epochs = 12, not 100; leave it out"),
    ],
)
def test_what_does_not_go_together(chosen, message):
    with pytest.raises(FunkSVDError, match=message):
        Hyperparameters(**SNAPSHOTS | chosen).check()


def test_cycles_may_be_longer_than_the_patience():
    Hyperparameters(**SNAPSHOTS | {"cycle_epochs": 50}).check()
