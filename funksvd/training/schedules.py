"""Schedules: how the learning rate changes as training goes on."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from funksvd.training.stopping import NOTABLE_IMPROVEMENT, is_notable

if TYPE_CHECKING:
    from funksvd.training.hyperparameters import Hyperparameters


class Schedule(ABC):
    """What the learning rates, of factors and of biases, are multiplied by.

    A function of its arguments alone: an epoch that is repeated is repeated exactly.
    """

    @abstractmethod
    def factor(self, progress: float, rmses: Sequence[float]) -> float:
        """What to multiply by at a point of training.

        Parameters
        ----------
        progress : float
            In epochs: 2.25 is a quarter into the third.
        rmses : sequence of float
            One for each whole epoch that is done: of validation, or of training where nothing is
            held back.

        Returns
        -------
        float
            At least 0; 1 at the start of training for all but `Cyclic`.
        """


@dataclass(frozen=True)
class Constant(Schedule):
    """Always the same."""

    def factor(self, progress: float, rmses: Sequence[float]) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class Exponential(Schedule):
    """Changes by the same factor from each epoch to the next.

    Parameters
    ----------
    decay : float
    """

    decay: float

    def factor(self, progress: float, rmses: Sequence[float]) -> float:
        """`decay` to the power of the epochs done."""
        return self.decay ** int(progress)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """Falls as 1 / t: fast at first, and then ever more slowly.

    The rates have an infinite sum and finite squares, as Robbins and Monro (1951) ask for.

    Parameters
    ----------
    decay : float
        What remains after the first epoch; less than 1.
    """

    decay: float

    def factor(self, progress: float, rmses: Sequence[float]) -> float:
        """1 / (1 + (1 / decay - 1) epochs done)."""
        return 1 / (1 + (1 / self.decay - 1) * int(progress))


@dataclass(frozen=True)
class Plateau(Schedule):
    """Falls to a tenth whenever the error has stopped falling.

    Parameters
    ----------
    patience : int
        Epochs without a notable improvement that it waits for, after the last one with it and
        again after each fall.
    tolerance : float
        An improvement is notable when the error is lower by more than this share.
    """

    patience: int
    tolerance: float = NOTABLE_IMPROVEMENT

    def factor(self, progress: float, rmses: Sequence[float]) -> float:
        """A tenth for each time that it had to wait as long as that."""
        lowest, n_waited, n_falls = math.inf, 0, 0
        for rmse in rmses:
            if is_notable(rmse, lowest, self.tolerance):
                lowest, n_waited = rmse, 0
            else:
                n_waited += 1
            if n_waited == self.patience:
                n_waited, n_falls = 0, n_falls + 1
        return 0.1**n_falls


@dataclass(frozen=True)
class Cyclic(Schedule):
    """Rises and falls again in straight lines, within epochs too.

    Parameters
    ----------
    n_epochs : int
        Length of a cycle.
    annealed : bool
        Whether each cycle's peak is half as far above `low` as the one before.
    low : float
        Where cycles begin and end; the first one's peak is 1.

    References
    ----------
    L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017: policies
    "triangular" and "triangular2".
    """

    n_epochs: int
    annealed: bool = False
    low: float = 0.1

    def factor(self, progress: float, rmses: Sequence[float]) -> float:
        """Between `low` and 1."""
        cycle, within = divmod(progress / self.n_epochs, 1)
        height = 0.5**cycle if self.annealed else 1.0
        return self.low + (1 - self.low) * height * (1 - abs(2 * within - 1))


SCHEDULES: dict[str, Callable[[Hyperparameters], Schedule]] = {
    "exponential": lambda chosen: Exponential(chosen.learning_rate_decay),
    "constant": lambda chosen: Constant(),
    "inverse-time": lambda chosen: InverseTime(chosen.learning_rate_decay),
    "plateau": lambda chosen: Plateau(chosen.plateau_epochs),
    "cyclic": lambda chosen: Cyclic(chosen.cycle_epochs),
    "cyclic-annealed": lambda chosen: Cyclic(chosen.cycle_epochs, annealed=True),
}
"""By the names that people give."""
