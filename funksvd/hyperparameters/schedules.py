"""Schedules: how the learning rate changes as training goes on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from funksvd.hyperparameters.hyperparameters import Hyperparameters

NOTABLE_IMPROVEMENT = 1e-4
"""Share by which an error must be lower than the lowest one before, to be notably lower."""


def is_notable(value: float, best: float, share: float = NOTABLE_IMPROVEMENT) -> bool:
    """Tell whether a value is lower than the best one so far by more than a share of its size.

    NaN never is.
    """
    return value < (best * (1 - share) if best > 0 else best * (1 + share))


class Schedule(ABC):
    """The factor by which the learning rates, of factors and of biases, are multiplied.

    A function of its arguments alone: an epoch that is repeated is repeated exactly.
    """

    @abstractmethod
    def factor(self, progress: float, errors: Sequence[float]) -> float:
        """The factor at a point of training.

        Parameters
        ----------
        progress : float
            Epochs done: 2.25 is a quarter into the third.
        errors : sequence of float
            The watched error of each whole epoch that is done: of validation, or of training where
            nothing is held back.

        Returns
        -------
        float
            At least 0; 1 at the start of training for all but `Cyclic`.
        """


class Constant(Schedule):
    """Keeps the learning rates."""

    def factor(self, progress: float, errors: Sequence[float]) -> float:
        """1."""
        return 1.0


class Exponential(Schedule):
    """Changes by the same factor from each epoch to the next.

    Parameters
    ----------
    decay : float
        The factor.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def factor(self, progress: float, errors: Sequence[float]) -> float:
        """`decay` to the power of the epochs done."""
        return _power(self.decay, int(progress))


class InverseTime(Schedule):
    """Falls as 1 / t: fast at first, and then ever more slowly.

    The rates have an infinite sum and finite squares, as Robbins and Monro (1951) ask for.

    Parameters
    ----------
    decay : float
        Factor after the first epoch; at most 1.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def factor(self, progress: float, errors: Sequence[float]) -> float:
        """1 / (1 + (1 / decay - 1) epochs done)."""
        return 1 / (1 + (1 / self.decay - 1) * int(progress))


class Plateau(Schedule):
    """Falls to a tenth whenever the error has stopped falling.

    Parameters
    ----------
    patience : int
        Epochs without a notable improvement after which the factor falls, counted from the last
        epoch with one, and anew from each fall.
    tolerance : float
        Share by which the error must be lower for a notable improvement.
    """

    def __init__(self, patience: int, tolerance: float = NOTABLE_IMPROVEMENT) -> None:
        self.patience, self.tolerance = patience, tolerance

    def factor(self, progress: float, errors: Sequence[float]) -> float:
        """0.1 to the power of the number of falls."""
        lowest, n_waited, n_falls = math.inf, 0, 0
        for error in errors:
            if is_notable(error, lowest, self.tolerance):
                lowest, n_waited = error, 0
            else:
                n_waited += 1
            if n_waited == self.patience:
                n_waited, n_falls = 0, n_falls + 1
        return _power(0.1, n_falls)


class Cyclic(Schedule):
    """Rises and falls again in straight lines, within epochs too.

    Parameters
    ----------
    n_epochs : int
        Length of a cycle.
    annealed : bool
        Whether the peak of a cycle is half as far above `low` as that of the cycle before.
    low : float
        Factor at which cycles begin and end; the peak of the first one is 1.

    References
    ----------
    L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017: policies
    "triangular" and "triangular2".
    """

    def __init__(self, n_epochs: int, annealed: bool = False, low: float = 0.1) -> None:
        self.n_epochs, self.annealed, self.low = n_epochs, annealed, low

    def factor(self, progress: float, errors: Sequence[float]) -> float:
        """Between `low` and 1."""
        cycle, within = divmod(progress / self.n_epochs, 1)
        height = 0.5**cycle if self.annealed else 1.0
        return self.low + (1 - self.low) * height * (1 - abs(2 * within - 1))


class ScheduleKind(NamedTuple):
    """A schedule that a person can choose.

    Parameters
    ----------
    summary : str
        How the learning rate changes, in a few words.
    make : callable
        The schedule, from resolved hyperparameters.
    hyperparameters : tuple of str
        Names of the hyperparameters that mean something with this schedule, and not with all.
    is_cyclic : bool
        Whether the learning rate, and so the error, rises again within cycles.
    """

    summary: str
    make: Callable[[Hyperparameters], Schedule]
    hyperparameters: tuple[str, ...] = ()
    is_cyclic: bool = False


_CYCLES = ("cycle_epochs", "ensemble_snapshots")

SCHEDULES = {
    "exponential": ScheduleKind(
        "multiplied by `learning_rate_decay` after each epoch",
        lambda chosen: Exponential(_given(chosen.learning_rate_decay)),
        ("learning_rate_decay",),
    ),
    "constant": ScheduleKind("the same in all epochs", lambda chosen: Constant()),
    "inverse-time": ScheduleKind(
        "falling as 1/t, multiplied by `learning_rate_decay` after the first epoch",
        lambda chosen: InverseTime(_given(chosen.learning_rate_decay)),
        ("learning_rate_decay",),
    ),
    "plateau": ScheduleKind(
        "a tenth after `plateau_epochs` epochs without a notably lower error",
        lambda chosen: Plateau(chosen.plateau_epochs),
        ("plateau_epochs",),
    ),
    "cyclic": ScheduleKind(
        "rising from a tenth to the whole and falling again within `cycle_epochs` epochs",
        lambda chosen: Cyclic(chosen.cycle_epochs),
        _CYCLES,
        is_cyclic=True,
    ),
    "cyclic-annealed": ScheduleKind(
        "the same, each peak half as high above the tenth as the one before",
        lambda chosen: Cyclic(chosen.cycle_epochs, annealed=True),
        _CYCLES,
        is_cyclic=True,
    ),
}
"""The schedules by name."""


def _power(base: float, exponent: int) -> float:
    """A whole power, as products: the last bit of `base**exponent` depends on the C library."""
    power = 1.0
    for _ in range(exponent):
        power *= base
    return power


def _given(value: float | None) -> float:
    """A hyperparameter that is not None, once the defaults are resolved."""
    if value is None:
        raise TypeError("the hyperparameters of a schedule are not resolved")
    return value
