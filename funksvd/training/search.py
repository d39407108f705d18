"""The search, on the ratings that are held back: how many epochs, and how much regularization."""

from __future__ import annotations

from typing import Any

from funksvd.errors import DivergenceError
from funksvd.hyperparameters import ALGORITHMS, LOSSES, Hyperparameters
from funksvd.training.checkpoints import Checkpoints
from funksvd.training.context import Findings, PlanT
from funksvd.training.ensemble import train_ensemble
from funksvd.training.interrupts import Interrupts
from funksvd.training.learners.base import decided
from funksvd.training.monitor import Monitor
from funksvd.training.record import TrainingRecord
from funksvd.training.scale import reg_factor
from funksvd.training.trainer import TrainingResult

MAX_SEARCHES = 6
"""Largest number of searches, the first one included."""
ENOUGH_HELD_BACK = 50
"""Fewest held-back ratings that tell how clear the signal is."""
WORTH_TRYING = 0.85
"""Largest ratio of the new `reg` to the last one at which another search is worth running."""
MUCH_BETTER = 0.99
"""Largest ratio of an error to the one before that counts as much better."""
STILL_LESS = 0.4
"""Largest ratio of the next `reg` to one that has made the error much better."""


def search_best(
    plan: PlanT,
    hyperparameters: Hyperparameters,
    *,
    monitor: Monitor,
    interrupts: Interrupts,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[Any]:
    """Train on the ratings to learn from; those held back decide which epoch is best.

    How much regularization is right depends on how clear the signal is, and that is known only
    once something has been learned. Where it has turned out to be clear, and no regularization was
    given, training is therefore repeated with less, for as long as this does better. For the
    squared loss only: errors of the others are no shares of a variance.

    Parameters
    ----------
    plan : BlockPlan or PairPlan
        It holds back some ratings.
    hyperparameters : Hyperparameters
    monitor : Monitor
    interrupts : Interrupts
    checkpoints : Checkpoints, optional

    Returns
    -------
    TrainingResult
        The best one's.

    Raises
    ------
    DivergenceError, KeyboardInterrupt
        As `train` does; but not once there is a result.
    """
    chosen = hyperparameters.resolved()

    def search(factor: float) -> TrainingResult[Any]:
        findings = Findings(reg_factor=factor)
        return train_ensemble(
            plan,
            chosen,
            "search",
            findings=findings,
            monitor=monitor,
            interrupts=interrupts,
            checkpoints=checkpoints,
        )

    best = search(1.0)
    algorithm = ALGORITHMS[chosen.algorithm]
    is_given = chosen.reg is not None or "reg" not in algorithm.hyperparameters
    if algorithm.learns == "choice":
        return best
    if is_given or not LOSSES[chosen.loss].is_rms or plan.n_held_back < ENOUGH_HELD_BACK:
        return best
    at_most = 1.0  # times what the best one had
    for _ in range(1, MAX_SEARCHES):
        first, unexplained = _shares_left(best.record)
        tried = best.findings.reg_factor
        if best.interrupted or not unexplained > 0:  # nothing can be better
            break
        factor = min(reg_factor(unexplained, first - unexplained), at_most * tried)
        if factor > WORTH_TRYING * tried:
            break
        reg = best.record.reg
        monitor.reg_lowered(reg, factor / tried * reg, unexplained)
        try:
            found = search(factor)
        except DivergenceError:
            monitor.reg_kept(reg)
            break
        except KeyboardInterrupt:
            return best.as_interrupted()
        error, lowest = _valid_error(found.record), _valid_error(best.record)
        of_all = found.learned.user_factors.shape == best.learned.user_factors.shape
        if not (error < lowest and of_all):  # Ctrl-C may have cost an ensemble some members
            monitor.reg_kept(reg)
            return best.as_interrupted() if found.interrupted else best
        best, at_most = found, STILL_LESS if error < MUCH_BETTER * lowest else 1.0
    return best


def _shares_left(record: TrainingRecord) -> tuple[float, float]:
    """Shares of the variance of ratings held back that the first epoch and the best one leave."""
    first, best = (
        (decided(epoch.valid) / record.spread) ** 2 for epoch in (record.history[0], record.best)
    )
    return first, best


def _valid_error(record: TrainingRecord) -> float:
    return decided(record.best.valid)
