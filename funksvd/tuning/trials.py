"""What trials come to."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

COMPLETE, STOPPED, DIVERGED = "complete", "stopped", "diverged"


@dataclass(frozen=True)
class Trial:
    """What hyperparameters came to.

    Parameters
    ----------
    number : int
        From 0, which is the trial of the defaults.
    state : {"complete", "stopped", "diverged"}
        A trial is stopped at an epoch at which it is worse than half of those before it.
    hyperparameters : dict
        Those that were varied.
    rmse : float or None
        Mean of `rmses`; None if the trial is not complete.
    rmses : list of float
        Validation RMSE on each validation part.
    epochs : list of int
        The best epoch on each of them; of a trial that was stopped, the last one.
    seconds : float
    """

    number: int
    state: str
    hyperparameters: dict[str, Any]
    rmse: float | None
    rmses: list[float]
    epochs: list[int]
    seconds: float

    @property
    def score(self) -> float:
        """`rmse`, or infinity for a trial that is not complete."""
        return math.inf if self.rmse is None else self.rmse


@dataclass(frozen=True)
class Tuning:
    """What a search came to.

    Parameters
    ----------
    trials : list of Trial
        In the order they were made; the first one is that of the defaults.
    n_repeats : int
        Number of validation parts.
    check : dict or None
        Mean validation RMSE of the "defaults" and of the "best" trial on as many other validation
        parts: those of the trials have chosen the best one, and flatter it. An RMSE is None where
        training diverges. None where the defaults are best, where validation ratings are given,
        and after an interrupt.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    trials: list[Trial]
    n_repeats: int
    check: dict[str, float | None] | None = None
    interrupted: bool = False

    @property
    def defaults(self) -> Trial:
        """The trial of the defaults."""
        return self.trials[0]

    @property
    def ranking(self) -> list[Trial]:
        """The trials that are complete, the best one first; of equals, the earlier one."""
        complete = [trial for trial in self.trials if trial.state == COMPLETE]
        return sorted(complete, key=lambda trial: trial.score)

    @property
    def best(self) -> Trial:
        """The trial with the lowest mean validation RMSE."""
        return self.ranking[0]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """What to give to `FunkSVD`: nothing, where the defaults are best."""
        return {} if self.best is self.defaults else self.best.hyperparameters

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "n_repeats": self.n_repeats,
            "interrupted": self.interrupted,
            "defaults": asdict(self.defaults),
            "best": asdict(self.best),
            "check": self.check,
            "trials": [asdict(trial) for trial in self.trials],
        }


class TuningMonitor:
    """Told of each trial; does nothing. Subclass it to show progress."""

    def resumed(self, trials: list[Trial]) -> None:
        """The search goes on from these, which a study file has kept."""

    def trial_started(self, number: int) -> None:
        """A trial starts; counted from 0."""

    def trial_done(self, trial: Trial) -> None:
        """A trial ended."""


def mean(values: list[float]) -> float | None:
    """Of no values, None."""
    return sum(values) / len(values) if values else None
