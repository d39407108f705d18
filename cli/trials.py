"""Progress and results of a search for hyperparameters, as a person sees them."""

from __future__ import annotations

import contextlib
import shlex

import click

from funksvd import Trial, Tuning, TuningMonitor
from funksvd.tuning import Metric

from .console import Output

N_BEST = 5
LABELS = {
    "n_factors": "factors",
    "learning_rate": "rate",
    "learning_rate_decay": "decay",
    "unobserved_weight": "unobserved",
}
VALUE_WIDTHS = {"decay": 5}


class TuningProgress(TuningMonitor):
    """Prints a line for each trial when it has ended.

    Parameters
    ----------
    output : Output
    n_trials : int
    metric : Metric
        What the trials are judged by.
    """

    def __init__(self, output: Output, n_trials: int, metric: Metric) -> None:
        self.output, self.n_trials, self.metric = output, n_trials, metric
        self.best: float | None = None
        self.widths: list[int] = []
        self.value_width = 0
        self.busy = contextlib.ExitStack()

    def __enter__(self) -> TuningProgress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.busy.close()

    def resumed(self, trials: list[Trial]) -> None:
        """Say how many trials the study file has."""
        for trial in trials:
            self._is_best(trial)
        self.output.note(f"Going on from {len(trials)} trials, the best of them {self.best:.4f}")

    def trial_started(self, number: int) -> None:
        """Show on a terminal that a trial is running."""
        self.busy.enter_context(self.output.busy(f"Trial {number} of {self.n_trials - 1}"))

    def trial_done(self, trial: Trial) -> None:
        """Add a line to the table; a star marks the best trial so far."""
        self.busy.close()
        if not self.widths:
            self.output.note("Trial 0 is that of the defaults; * the best one so far\n")
            labels = _labels(trial)
            self.widths = [max(len(label), VALUE_WIDTHS.get(label, 7)) for label in labels]
            label = f"valid {self.metric.title}"
            self.value_width = max(10, len(label))
            self.output.note(self._row("trial", label, labels, "epochs", "seconds"))
        is_best = self._is_best(trial)
        row = self._row(
            str(trial.number),
            trial.state if trial.value is None else f"{trial.value:.4f}",
            _values(trial),
            _epochs(trial),
            f"{trial.seconds:.2f}",
        )
        self.output.note(row + (" *" if is_best else ""))

    def _is_best(self, trial: Trial) -> bool:
        """Whether a trial is better than all before it; it is remembered then."""
        value = trial.value
        if value is None:
            return False
        is_best = self.best is None or self.metric.is_better(value, self.best)
        self.best = value if is_best else self.best
        return is_best

    def _row(self, number: str, value: str, values: list[str], epochs: str, seconds: str) -> str:
        cells = [value.rjust(width) for value, width in zip(values, self.widths, strict=True)]
        cells = [number.rjust(5), value.rjust(self.value_width), *cells]
        return "  ".join([*cells, epochs.rjust(6), seconds.rjust(7)])


def show_tuning(output: Output, tuning: Tuning, command: list[str]) -> None:
    """The best trials and that of the defaults, and how to train with the best one."""
    defaults, best = tuning.defaults, tuning.best
    shown = tuning.ranking[:N_BEST]
    shown += [defaults] if defaults not in shown else []
    rows = [
        (
            "default" if trial is defaults else str(trial.number),
            f"{trial.value:.4f}",
            _change(trial.value, defaults.value),
            *_values(trial),
        )
        for trial in shown
    ]
    names = _labels(defaults)
    output.note()
    output.table(("trial", f"valid {tuning.metric.title}", "change", *names), rows)
    output.note(f"Of {len(tuning.trials):,} trials, on {_parts(tuning.n_repeats, 'validation')}\n")
    if best is defaults:
        output.note("The defaults are best")
    if tuning.check is not None:
        _show_check(output, tuning.metric, tuning.check, _parts(tuning.n_repeats, "other"))
    click.echo(shlex.join(command))


def _show_check(output: Output, metric: Metric, check: dict[str, float | None], parts: str) -> None:
    """How good the best trial is on parts that did not choose it."""
    of_defaults, of_best = check["defaults"], check["best"]
    if of_best is None:
        output.warn(f"on {parts}, which did not choose it, the best trial diverges")
        return
    change = (
        "diverge" if of_defaults is None else f"{of_defaults:.4f} ({_change(of_best, of_defaults)})"
    )
    output.note(f"On {parts}, which did not choose it: {of_best:.4f}, the defaults {change}")
    if of_defaults is not None and not metric.is_better(of_best, of_defaults):
        output.warn("the gain over the defaults is chance: it does not show on other parts")


def _change(value: float | None, before: float | None) -> str:
    """How much greater one is than the other, in percent."""
    return f"{value / before - 1:+.2%}" if value is not None and before else "-"


def _parts(n: int, kind: str) -> str:
    return f"{n} {kind} part" if n == 1 else f"{n} {kind} parts"


def _labels(trial: Trial) -> list[str]:
    return [LABELS.get(name, name.replace("_", " ")) for name in trial.hyperparameters]


def _values(trial: Trial) -> list[str]:
    return [f"{value:.3g}" for value in trial.hyperparameters.values()]


def _epochs(trial: Trial) -> str:
    """Their number; of several parts, the smallest and the largest one."""
    low, high = min(trial.epochs), max(trial.epochs)
    return str(low) if low == high else f"{low}-{high}"
