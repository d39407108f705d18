"""Learning rates of a run: the schedule's, halved where training diverged."""

import pytest

from funksvd.hyperparameters.schedules import Constant, Cyclic, Exponential, Plateau
from funksvd.training import EpochRecord
from funksvd.training.steps import StepSizes


def records(*values):
    """Epochs with these validation values."""
    return [
        EpochRecord(epoch, 0.1, 9.0, value, 0.0, "rmse", "rmse")
        for epoch, value in enumerate(values, 1)
    ]


def rates_of(steps, history):
    """The rate in the middle of each epoch, and of the one after them."""
    return [steps.of_epoch(n + 1, history[:n])(0.5) for n in range(len(history) + 1)]


def test_the_schedule_is_asked_by_epochs_and_parts_of_one():
    steps = StepSizes(Exponential(0.5), 0.08)
    assert rates_of(steps, records(1.0, 1.0)) == [0.08, 0.04, 0.02]
    triangle = StepSizes(Cyclic(n_epochs=2, low=0.0), 0.08)
    first, second = triangle.of_epoch(1, []), triangle.of_epoch(2, records(1.0))
    assert [first(0), first(0.25), first(0.75)] == pytest.approx([0, 0.02, 0.06])
    assert [second(0), second(0.5)] == pytest.approx([0.08, 0.04])


def test_each_divergence_halves_all_rates_from_then_on():
    steps = StepSizes(Exponential(0.5), 0.08)
    steps.went_well()
    steps.halve()
    steps.halve()
    assert steps.factor == 0.25
    assert rates_of(steps, records(1.0)) == [0.02, 0.01]


def test_starting_over_is_at_half_the_last_rates_that_went_well():
    steps = StepSizes(Constant(), 0.08, factor=0.5)
    steps.halve()
    steps.went_well()  # at 0.25
    for _ in range(6):
        steps.halve()
    steps.start_over()
    assert steps.factor == 0.125
    never = StepSizes(Constant(), 0.08, factor=0.5)
    never.halve()
    never.halve()
    never.start_over()
    assert never.factor == 0.25


def test_a_factor_that_was_found_before_multiplies_all():
    assert rates_of(StepSizes(Constant(), 0.08, 0.25), records(1.0)) == [0.02, 0.02]


def test_the_schedule_goes_by_validation_and_else_by_training_errors():
    plateau = Plateau(2)
    falling, still = records(3.0, 2.0, 1.0, 0.5), records(3.0, 3.0, 3.0, 3.0)
    assert rates_of(StepSizes(plateau, 1.0), falling) == [1, 1, 1, 1, 1]
    assert rates_of(StepSizes(plateau, 1.0), still) == pytest.approx([1, 1, 1, 0.1, 0.1])
    for history, ref in ((falling, [1, 1, 1, 1, 1]), (still, [1, 1, 1, 0.1, 0.1])):
        unvalidated = [record._replace(train=record.valid, valid=None) for record in history]
        assert rates_of(StepSizes(plateau, 1.0), unvalidated) == pytest.approx(ref)


def test_it_follows_another_run_where_there_is_one():
    """Up to the epoch at hand, never further."""
    still, falling = records(3.0, 3.0, 3.0, 3.0), records(4.0, 3.0, 2.0, 1.0)
    steps = StepSizes(Plateau(2), 1.0, followed=still)
    assert rates_of(steps, falling) == pytest.approx([1, 1, 1, 0.1, 0.1])
    assert rates_of(StepSizes(Plateau(2), 1.0, followed=falling), still) == [1, 1, 1, 1, 1]


def test_a_figure_that_should_rise_is_followed_upwards():
    rising, falling = records(0.1, 0.2, 0.3, 0.4), records(0.4, 0.3, 0.2, 0.1)
    for history, ref in ((rising, [1, 1, 1, 1, 1]), (falling, [1, 1, 1, 0.1, 0.1])):
        comp = rates_of(StepSizes(Plateau(2), 1.0, greater_is_better=True), history)
        assert comp == pytest.approx(ref)
