"""Learning rates of a run: a schedule, from a first rate, halved where training diverged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from funksvd.hyperparameters import Schedule
from funksvd.training.monitor import EpochRecord


class StepSizes:
    """Learning rates of a run.

    Parameters
    ----------
    schedule : Schedule
    first_rate : float
        Learning rate of the first epoch.
    factor : float
        Multiplies all learning rates.
    followed : sequence of EpochRecord
        The schedule goes by the errors of these epochs; by those of the run itself where there
        are none.
    greater_is_better : bool
        Whether what validation watches should rise: the schedule then follows its negative.

    Attributes
    ----------
    factor : float
        As given, and halved at each divergence.
    """

    def __init__(
        self,
        schedule: Schedule,
        first_rate: float,
        factor: float = 1.0,
        followed: Sequence[EpochRecord] = (),
        greater_is_better: bool = False,
    ) -> None:
        self._schedule, self._first_rate, self._followed = schedule, first_rate, followed
        self._sign = -1.0 if greater_is_better else 1.0
        self.factor = self._last_good_factor = factor

    def of_epoch(self, epoch: int, history: Sequence[EpochRecord]) -> Callable[[float], float]:
        """The learning rate by the fraction of the epoch that is done, from 0 to less than 1.

        Parameters
        ----------
        epoch : int
            Counted from 1.
        history : sequence of EpochRecord
            The epochs before.
        """
        errors = [self._watched(record) for record in (self._followed or history)[: epoch - 1]]
        peak = self._first_rate * self.factor

        def rate(done: float) -> float:
            return peak * self._schedule.factor(epoch - 1 + done, errors)

        return rate

    def went_well(self) -> None:
        """Take note of an epoch that did not diverge."""
        self._last_good_factor = self.factor

    def halve(self) -> None:
        """Halve the learning rates, for an epoch that did."""
        self.factor /= 2

    def start_over(self) -> None:
        """Begin again with half the rates of the last epoch that did not diverge."""
        self.factor = self._last_good_factor / 2

    def _watched(self, record: EpochRecord) -> float:
        """The figure that a schedule goes by and that should fall; of validation if it is there."""
        return record.train if record.valid is None else self._sign * record.valid
