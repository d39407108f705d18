"""When to stop."""

from funksvd.training.stopping import EarlyStopping


def run(rmses, patience=2):
    stopping = EarlyStopping(patience)
    best = []
    for epoch, rmse in enumerate(rmses, start=1):
        best.append(stopping.is_best(epoch, rmse))
        if stopping.is_exhausted:
            break
    return best


def test_lower_is_better_and_patience_runs_out():
    assert run([1.0, 0.9, 0.95, 0.91, 0.5]) == [True, True, False, False]


def test_tiny_improvements_are_best_but_do_not_renew_patience():
    assert run([1.0, 0.99999, 0.99998, 0.5]) == [True, True, True]
    assert run([1.0, 0.99, 0.98, 0.97]) == [True] * 4


def test_without_validation_every_epoch_is_best():
    assert run([None] * 5) == [True] * 5


def test_nan_is_never_best():
    assert run([1.0, float("nan"), 0.5], patience=9) == [True, False, True]
