"""Schedules: known values, and what they do to training."""

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError
from funksvd.hyperparameters.schedules import (
    SCHEDULES,
    Constant,
    Cyclic,
    Exponential,
    InverseTime,
    Plateau,
)
from funksvd.training import Hyperparameters, Monitor, Triples, Validation, plan_blocks, train
from funksvd.training.learners.sgd import SGDLearner


def factors(schedule, *progress):
    return [schedule.factor(at, []) for at in progress]


def test_constant():
    assert factors(Constant(), 0, 0.5, 99) == [1, 1, 1]


def test_exponential_is_a_power_of_the_decay_and_does_not_change_within_an_epoch():
    assert factors(Exponential(0.5), 0, 0.9, 1, 3.5) == [1, 1, 0.5, 0.125]


def test_inverse_time():
    # 1 / (1 + t) when half is left after the first epoch
    halves = factors(InverseTime(0.5), 0, 1, 1.5, 3, 9)
    assert halves == pytest.approx([1, 1 / 2, 1 / 2, 1 / 4, 1 / 10])
    assert InverseTime(0.8).factor(1, []) == pytest.approx(0.8)


def test_plateau_falls_after_so_many_epochs_without_a_notable_improvement():
    schedule = Plateau(patience=2, tolerance=0.01)
    rmses = [1.0, 0.9, 0.895, 0.893, 0.89, 0.889, 0.888, 0.8, 0.7]
    #  notable: yes  yes   no     no→10  yes   no    no→10  yes  yes   (0.89 < 0.9 * 0.99 = 0.891)
    ref = [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    comp = [schedule.factor(n, rmses[:n]) for n in range(len(rmses) + 1)]
    assert comp == pytest.approx(ref)


def test_plateau_waits_again_after_each_fall():
    comp = [Plateau(3).factor(n, [1.0] * n) for n in range(11)]
    assert comp == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001])


def test_cyclic_is_a_triangle():
    triangle = Cyclic(n_epochs=4, low=0.2)
    ref = [0.2, 0.6, 1.0, 0.6, 0.2, 1.0, 0.2]
    assert factors(triangle, 0, 1, 2, 3, 4, 6, 8) == pytest.approx(ref)
    assert triangle.factor(0.25, []) == pytest.approx(0.3)


def test_annealed_cycles_are_half_as_high_each():
    triangle = Cyclic(n_epochs=2, annealed=True, low=0.2)
    assert factors(triangle, 1, 3, 5) == pytest.approx([1.0, 0.6, 0.4])
    assert factors(triangle, 0, 2, 4) == pytest.approx([0.2, 0.2, 0.2])


def plan_of(ratings, held_back=None):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def asked(monkeypatch):
    """The learning rates of factors and biases that each epoch is run with, stratum by stratum."""
    asked = []
    rates = SGDLearner._rates
    epoch = SGDLearner.run_epoch

    def spy(learner, learning_rate):
        found = rates(learner, learning_rate)
        asked[-1].append((learning_rate, float(found.biases)))
        return found

    monkeypatch.setattr(SGDLearner, "_rates", spy)
    monkeypatch.setattr(
        SGDLearner, "run_epoch", lambda *arguments: asked.append([]) or epoch(*arguments)
    )
    return asked


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_learns(ratings, name):
    hyperparameters = Hyperparameters(n_factors=4, n_epochs=12, schedule=name)
    history = train(plan_of(ratings), hyperparameters).record.history
    assert history[-1].train_rmse < 0.9 * history[0].train_rmse


def test_cyclic_rates_change_within_the_epoch(sample, asked):
    hyperparameters = Hyperparameters(
        n_factors=2, n_epochs=2, learning_rate=0.04, schedule="cyclic", cycle_epochs=2
    )
    result = train(plan_of(sample), hyperparameters)
    assert [len(epoch) for epoch in asked] == [2, 2]  # strata, of nearly as many ratings
    comp = [rate for epoch in asked for rate, _ in epoch]
    assert comp == pytest.approx([0.004, 0.022, 0.04, 0.022], rel=0.01)
    middles = [record.learning_rate for record in result.record.history]
    assert middles == pytest.approx([0.022, 0.022])


def test_biases_have_a_rate_of_their_own(ratings, asked):
    own = Hyperparameters(
        n_factors=2, n_epochs=2, learning_rate=0.04, bias_learning_rate=0.01,
        learning_rate_decay=0.5,
    )  # fmt: skip
    train(plan_of(ratings), own)
    assert [epoch[0] for epoch in asked] == [
        pytest.approx((0.04, 0.01)),
        pytest.approx((0.02, 0.005)),
    ]


def test_by_default_biases_have_that_of_the_factors(ratings, asked):
    train(plan_of(ratings), Hyperparameters(n_factors=2, n_epochs=1, learning_rate=0.04))
    assert asked == [[pytest.approx((0.04, 0.04))]]


def test_plateau_goes_by_the_validation_error(ratings):
    held_back = np.random.default_rng(5).random(len(ratings)) < 0.2
    hyperparameters = Hyperparameters(
        n_factors=30, reg=0, bias_reg=0, learning_rate=0.1, schedule="plateau", plateau_epochs=3,
        patience=7,
    )  # fmt: skip
    history = train(plan_of(ratings, held_back), hyperparameters).record.history
    rates = np.array([record.learning_rate for record in history])
    rmses = [record.valid_rmse for record in history]
    schedule = Plateau(3)
    np.testing.assert_allclose(
        rates, [0.1 * schedule.factor(n, rmses[:n]) for n in range(len(history))]
    )
    assert rates[-1] < 0.02  # it has fallen
    assert [r.train_rmse for r in history] == sorted((r.train_rmse for r in history), reverse=True)


def test_plateau_goes_by_a_figure_that_should_rise(ratings):
    values = [0.1, 0.2, 0.3, 0.3, 0.3, 0.2]
    figures = iter(values)
    validation = Validation("figure", lambda learner: next(figures), greater_is_better=True)
    hyperparameters = Hyperparameters(
        n_factors=3, n_epochs=6, learning_rate=0.1, schedule="plateau", plateau_epochs=2
    )
    history = train(plan_of(ratings), hyperparameters, validation=validation).record.history
    assert [record.valid for record in history] == values
    rates = [record.learning_rate for record in history]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.1, 0.01])


def test_a_refit_has_the_rates_of_its_search(ratings):
    class Rates(Monitor):
        def __init__(self):
            self.of = {}

        def fit_started(self, purpose, *numbers):
            self.now = self.of[purpose] = []

        def epoch_done(self, record, is_best):
            self.now.append(record.learning_rate)

    rates = Rates()
    model = FunkSVD(
        n_factors=30, reg=0, learning_rate=0.1, schedule="plateau", validation_fraction=0.2
    )
    model.fit(ratings, monitor=rates)
    assert rates.of["refit"] == rates.of["search"][: model.best_epoch]
    assert len(set(rates.of["refit"])) > 1


@pytest.mark.parametrize("name", ["plateau", "cyclic", "inverse-time"])
def test_divergence_halves_all_that_a_schedule_does(ratings, name):
    fast = {"n_factors": 8, "n_epochs": 8, "learning_rate": 3, "schedule": name}
    result = train(plan_of(ratings), Hyperparameters(**fast))
    assert result.findings.rate_factor < 1
    schedule = SCHEDULES[name].make(Hyperparameters(**fast).resolved())
    rmses = [record.train_rmse for record in result.record.history]
    ref = [3 * result.findings.rate_factor * schedule.factor(n + 0.5, rmses[:n]) for n in range(8)]
    assert [record.learning_rate for record in result.record.history][-3:] == pytest.approx(
        ref[-3:]
    )
    assert np.isfinite(rmses).all()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"schedule": "linear"}, "schedule must be one of exponential, constant, .*, not 'linear'"),
        ({"plateau_epochs": 0}, "plateau_epochs must be a whole number of at least 1, not 0"),
        ({"cycle_epochs": 1.5}, "cycle_epochs must be a whole number of at least 1, not 1.5"),
        ({"bias_learning_rate": 0}, "bias_learning_rate must be a number greater than 0, not 0"),
        (
            {"schedule": "inverse-time", "learning_rate_decay": 1.1},
            "with schedule 'inverse-time', learning_rate_decay must be at most 1, not 1.1",
        ),
        (
            {"schedule": "plateau", "plateau_epochs": 5},
            r"plateau_epochs \(5\) must be less than patience \(5\), or training stops before",
        ),
        (
            {"schedule": "cyclic-annealed", "cycle_epochs": 6},
            r"patience \(5\) must be at least cycle_epochs \(6\)",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value),
)
def test_what_does_not_go_together(chosen, message):
    with pytest.raises(FunkSVDError, match=message):
        Hyperparameters(**chosen).check()
