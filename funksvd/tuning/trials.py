"""Results of trials."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from funksvd.hyperparameters import ALGORITHMS, LOSSES, Hyperparameters
from funksvd.training.validation import N_BEST

COMPLETE, STOPPED, DIVERGED = "complete", "stopped", "diverged"


@dataclass(frozen=True)
class Metric:
    """The figure of a validation part that trials are judged by.

    Parameters
    ----------
    name : str
        As records of epochs have it: "rmse", "ndcg@10".
    title : str
        The same for people: "RMSE", "NDCG@10".
    greater_is_better : bool
    """

    name: str
    title: str
    greater_is_better: bool = False

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> Self:
        """The metric that decides in training: the loss's error, or the quality of lists."""
        if ALGORITHMS[hyperparameters.algorithm].learns == "choice":
            return cls(f"ndcg@{N_BEST}", f"NDCG@{N_BEST}", greater_is_better=True)
        loss = LOSSES[hyperparameters.loss]
        return cls(loss.metric, loss.metric_title)

    def is_better(self, value: float, other: float) -> bool:
        """Whether a value is better than another one, and not only as good."""
        return value > other if self.greater_is_better else value < other


class Outcome(NamedTuple):
    """The outcome of a trial, as the study keeps it; `Trial` describes the fields."""

    state: str
    hyperparameters: dict[str, Any]
    values: list[float]
    epochs: list[int]
    seconds: float


@dataclass(frozen=True)
class Trial:
    """Some hyperparameters, and how good training with them was.

    Parameters
    ----------
    number : int
        Counted from 0, which is the trial of the defaults.
    state : {"complete", "stopped", "diverged"}
        A trial is stopped at an epoch at which it is worse than half of those before it.
    hyperparameters : dict
        The hyperparameters that are searched, and their values.
    value : float or None
        Mean of `values`; None if the trial is not complete.
    values : list of float
        The metric of the search on each validation part, such as the RMSE.
    epochs : list of int
        The epoch of these values on each part: the best one, or the last one where training
        would not stop early. Of a trial that was stopped, the last one.
    seconds : float
        Time that the trial took.
    """

    number: int
    state: str
    hyperparameters: dict[str, Any]
    value: float | None
    values: list[float]
    epochs: list[int]
    seconds: float


@dataclass(frozen=True)
class Tuning:
    """The trials of a search.

    Parameters
    ----------
    trials : list of Trial
        The trials in their order; the first one is that of the defaults.
    n_repeats : int
        Number of validation parts.
    metric : Metric
        What trials are judged by.
    check : dict or None
        Mean of the metric for the "defaults" and for the "best" trial on `n_repeats` other
        validation parts: the parts of the trials chose the best one, and flatter it. A figure is
        None if training diverges. `check` is None if the defaults are best, if validation ratings
        are given, and after an interrupt.
    interrupted : bool
        Whether Ctrl-C ended the search.
    """

    trials: list[Trial]
    n_repeats: int
    metric: Metric
    check: dict[str, float | None] | None = None
    interrupted: bool = False

    @property
    def defaults(self) -> Trial:
        """The trial of the defaults."""
        return self.trials[0]

    @property
    def ranking(self) -> list[Trial]:
        """The trials that are complete, the best one first; of equals, the earlier one."""
        sign = -1 if self.metric.greater_is_better else 1
        complete = [(sign * trial.value, trial) for trial in self.trials if trial.value is not None]
        return [trial for _, trial in sorted(complete, key=lambda each: each[0])]

    @property
    def best(self) -> Trial:
        """The trial with the best mean."""
        return self.ranking[0]

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Arguments for `FunkSVD`: those of the best trial, or none if the defaults are best."""
        return {} if self.best is self.defaults else self.best.hyperparameters

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "metric": self.metric.name,
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
