"""The search, on the ratings that are held back: how many epochs, and how much regularization."""

from __future__ import annotations

from funksvd.errors import DivergenceError
from funksvd.training.algorithms import ALGORITHMS
from funksvd.training.ensemble import train_ensemble
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.interrupts import Interrupts
from funksvd.training.loop import TrainingResult
from funksvd.training.monitor import Monitor
from funksvd.training.plan import BlockPlan
from funksvd.training.scale import reg_factor

MAX_SEARCHES = 6
"""The first one included."""
ENOUGH_HELD_BACK = 50
"""From fewer ratings it cannot be told how clear the signal is."""
WORTH_TRYING = 0.85
"""Less regularization is tried where it is at most so many times what was tried last."""
MUCH_BETTER = 0.99
"""Where it has made the error at most so many times what it was, still less is tried:"""
STILL_LESS = 0.4
"""at most so many times that."""


def search_best(
    plan: BlockPlan,
    hyperparameters: Hyperparameters,
    *,
    monitor: Monitor,
    interrupts: Interrupts,
) -> TrainingResult:
    """Train on the ratings to learn from; those held back decide which epoch is best.

    How much regularization is right depends on how clear the signal is, and that is known only
    once something has been learned. Where it has turned out to be clear, and no regularization was
    given, training is therefore repeated with less, for as long as this does better. For the
    squared loss only: errors of the others are no shares of a variance.

    Parameters
    ----------
    plan : BlockPlan
        It holds back some ratings.
    hyperparameters : Hyperparameters
    monitor : Monitor
    interrupts : Interrupts

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

    def search(factor: float) -> TrainingResult:
        return train_ensemble(
            plan, chosen, "search", reg_factor=factor, monitor=monitor, interrupts=interrupts
        )

    best = search(1.0)
    algorithm = ALGORITHMS[chosen.algorithm]
    is_given = chosen.reg is not None or "reg" in algorithm.without
    if is_given or chosen.loss != "squared" or plan.n_held_back < ENOUGH_HELD_BACK:
        return best
    at_most = 1.0  # times what the best one had
    for _ in range(1, MAX_SEARCHES):
        first, unexplained = _shares_left(best)
        if best.interrupted or not unexplained > 0:  # nothing can be better
            break
        factor = min(reg_factor(unexplained, first - unexplained), at_most * best.reg_factor)
        if factor > WORTH_TRYING * best.reg_factor:
            break
        monitor.reg_lowered(best.reg, factor / best.reg_factor * best.reg, unexplained)
        try:
            found = search(factor)
        except DivergenceError:
            monitor.reg_kept(best.reg)
            break
        except KeyboardInterrupt:
            return best._replace(interrupted=True)
        error, lowest = _valid_error(found), _valid_error(best)
        of_all = found.parameters.user_factors.shape == best.parameters.user_factors.shape
        if not (error < lowest and of_all):  # Ctrl-C may have cost an ensemble some members
            monitor.reg_kept(best.reg)
            best = best._replace(interrupted=found.interrupted)
            break
        best, at_most = found, STILL_LESS if error < MUCH_BETTER * lowest else 1.0
    return best


def _shares_left(result: TrainingResult) -> tuple[float, float]:
    """Of the ratings' variance, in those held back: after the first epoch, and after the best."""
    errors = (result.history[0].valid_error, _valid_error(result))
    first, best = ((error / result.spread) ** 2 for error in errors)
    return first, best


def _valid_error(result: TrainingResult) -> float:
    return result.history[result.best_epoch - 1].valid_error
