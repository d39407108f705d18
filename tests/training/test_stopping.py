"""When to stop."""

import math

import pytest

from funksvd.training.stopping import EarlyStopping, is_notable


def run(values, patience=2, greater_is_better=False):
    """Whether each is the best so far, until patience runs out."""
    stopping = EarlyStopping(patience, greater_is_better)
    best = []
    for epoch, value in enumerate(values, start=1):
        best.append(stopping.is_best(epoch, value))
        if stopping.is_exhausted:
            break
    return best


def test_lower_is_better_and_patience_runs_out():
    assert run([1.0, 0.9, 0.95, 0.91, 0.5]) == [True, True, False, False]


def test_or_greater_is():
    assert run([0.1, 0.2, 0.15, 0.19, 0.5], greater_is_better=True) == [True, True, False, False]
    assert run([-3.0, -2.0, -1.0, 0.0, 1.0], greater_is_better=True) == [True] * 5


def test_tiny_improvements_are_best_but_do_not_renew_patience():
    assert run([1.0, 0.99999, 0.99998, 0.5]) == [True, True, True]
    assert run([1.0, 0.99, 0.98, 0.97]) == [True] * 4
    assert run([0.5, 0.50001, 0.50002, 0.9], greater_is_better=True) == [True] * 3


def test_an_equal_value_is_not_better():
    assert run([1.0, 1.0, 0.5]) == [True, False, True]
    assert run([0.0, 0.0, 0.0]) == [True, False, False]


def test_without_validation_every_epoch_is_best():
    assert run([None] * 5) == [True] * 5


def test_nan_is_never_best():
    assert run([1.0, float("nan"), 0.5], patience=9) == [True, False, True]
    assert run([float("nan")] * 3) == [False, False]
    assert run([0.5, float("nan"), 0.6], patience=9, greater_is_better=True) == [True, False, True]


def test_patience_may_be_left_and_is_then_whole_again():
    assert run([1.0, 1.1, 0.9, 1.0, 0.8, 0.9, 0.9, 0.1]) == [True, False] * 3 + [False]


@pytest.mark.parametrize("best", [2.0, -2.0])
def test_a_notable_improvement_is_a_share_of_the_size(best):
    assert is_notable(best - 2.1e-4, best)
    assert not is_notable(best - 1.9e-4, best)
    assert is_notable(best - 0.21, best, 0.1)
    assert not is_notable(best - 0.19, best, 0.1)


def test_what_is_notable_at_the_limits():
    assert is_notable(5.0, math.inf)
    assert not is_notable(math.inf, math.inf)
    assert not is_notable(math.nan, math.inf)
    assert not is_notable(0.0, 0.0)
    assert is_notable(-1e-9, 0.0)
