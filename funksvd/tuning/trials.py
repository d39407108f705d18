"""Results of trials."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

COMPLETE, STOPPED, DIVERGED = "complete", "stopped", "diverged"


class Outcome(NamedTuple):
    """The outcome of a trial, as the study keeps it; `Trial` describes the fields."""

    state: str
    hyperparameters: dict[str, Any]
    rmses: list[float]
    epochs: list[int]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Some hyperparameters, and the errors that training with them came to.

    Parameters
    ----------
    number : int
        Counted from 0, which is the trial of the defaults.
    state : {"complete", "stopped", "diverged"}
        A trial is stopped at an epoch at which it is worse than half of those before it.
    hyperparameters : dict
        The hyperparameters that are searched, and their values.
    rmse : float or None
        Mean of `rmses`; None if the trial is not complete.
    rmses : list of float
        Validation RMSE on each validation part; for other losses, the error that they are watched
        by.
    epochs : list of int
        The best epoch on each part; of a trial that was stopped, the last one.
    seconds : float
        Time that the trial took.
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
    """The trials of a search.

    Parameters
    ----------
    trials : list of Trial
        The trials in their order; the first one is that of the defaults.
    n_repeats : int
        Number of validation parts.
    check : dict or None
        Mean validation RMSE of the "defaults" and of the "best" trial on `n_repeats` other
        validation parts: the parts of the trials chose the best one, and flatter it. An RMSE is
        None if training diverges. `check` is None if the defaults are best, if validation ratings
        are given, and after an interrupt.
    interrupted : bool
        Whether Ctrl-C ended the search.
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
        """Arguments for `FunkSVD`: those of the best trial, or none if the defaults are best."""
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
    """Is told of each trial and does nothing. Subclass it to show progress."""

    def resumed(self, trials: list[Trial]) -> None:
        """The search goes on from these trials of a study file."""

    def trial_started(self, number: int) -> None:
        """A trial starts; counted from 0."""

    def trial_done(self, trial: Trial) -> None:
        """A trial ended."""


def mean(values: list[float]) -> float | None:
    """The mean; None of no values."""
    return sum(values) / len(values) if values else None
