"""The progress of training, on the screen."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from funksvd import EpochRecord, Monitor

from .console import Output, is_terminal
from .wording import message_of

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from funksvd import WriteError

MANY_EPOCHS = 200
"""Number of epochs above which only every tenth has a line."""
TITLES = {
    "search": "learning",
    "refit": "refit",
    "fit": "learning",
    "update": "learning",
    "choice": "learning choices",
}
"""Texts before the bar, by the purpose of the training."""


class TrainingProgress(Monitor):
    """A line an epoch and, on a terminal, a bar with speed and time left.

    Parameters
    ----------
    output : Output
        Nothing is shown if it leaves out notes.
    error_name, valid_name : str
        Names of the training error, and of the figure of the validation part.
    epoch : str
        Name of an epoch.
    noun : str
        Name, in the plural, of what is learned from.
    """

    def __init__(
        self,
        output: Output,
        error_name: str = "RMSE",
        valid_name: str = "RMSE",
        epoch: str = "epoch",
        noun: str = "ratings",
    ) -> None:
        self.output, self.epoch, self.noun = output, epoch, noun
        self.columns = [f"train {error_name}".rjust(10), f"valid {valid_name}".rjust(10)]
        self.bar: Progress | None = None
        self.task: TaskID | None = None

    def __enter__(self) -> TrainingProgress:
        if self.output.notes and is_terminal():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(compact=True),
                TextColumn("left at most"),
                console=Console(file=sys.stdout, highlight=False),
                transient=True,
                redirect_stderr=False,
            )
            self.bar.start()
            self.output.live = self.bar.console
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.output.live = None

    def planning_started(self, n_ratings: int) -> None:
        """Show that something is going on."""
        if self.bar is not None:
            self.task = self.bar.add_task("sorting", total=None, speed="")

    def member_started(self, member: int, n_members: int) -> None:
        """Say which member of the ensemble it is."""
        self._print(f"\nMember {member} of {n_members}")

    def fit_started(self, purpose: str, n_ratings: int, n_validation: int, n_epochs: int) -> None:
        """Open a table (the search) or announce the refit in a line."""
        self.purpose, self.n_ratings, self.n_epochs = purpose, n_ratings, n_epochs
        self.lines_apart = 1 if n_epochs <= MANY_EPOCHS else 10
        self.started = time.perf_counter()
        self.n_done = 0
        if purpose == "choice":
            self._print(f"Learning which items people come to, from the same {n_ratings:,} pairs")
        elif purpose == "refit":
            epochs = f"1 {self.epoch}" if n_epochs == 1 else f"{n_epochs} {self.epoch}s"
            self._print(f"Training again on all {n_ratings:,} {self.noun} for {epochs}")
        else:
            stopping = f", {n_validation:,} to decide when to stop" if n_validation else ""
            self._print(f"Learning from {n_ratings:,} {self.noun}{stopping}\n")
            best = "   * best so far" if n_validation else ""
            errors = "   ".join(self.columns)
            self._print(f"{self.epoch}   {errors}   learning rate   seconds{best}")
        if self.bar is not None:
            if self.task is not None:
                self.bar.remove_task(self.task)
            self.task = self.bar.add_task(TITLES[purpose], total=n_ratings * n_epochs, speed="")

    def ratings_done(self, n_ratings: int) -> None:
        """Move the bar."""
        if self.bar is not None and self.task is not None:
            self.n_done += n_ratings
            speed = self.n_done / (time.perf_counter() - self.started) / 1e6
            self.bar.update(self.task, advance=n_ratings, speed=f"{speed:.1f} M {self.noun}/s")

    def epoch_done(self, record: EpochRecord, is_best: bool) -> None:
        """Add a line to the table; a star marks the best epoch so far."""
        if self.purpose in ("refit", "choice"):
            return
        if record.epoch % self.lines_apart:
            return
        errors = (record.train, record.valid)
        texts = ("-" if error is None else f"{error:.4f}" for error in errors)
        cells = "   ".join(t.rjust(len(c)) for t, c in zip(texts, self.columns, strict=True))
        rate = "-" if record.learning_rate is None else f"{record.learning_rate:.5f}"
        star = " *" if is_best and record.valid is not None else ""
        number = f"{record.epoch:{len(self.epoch)}d}"
        self._print(f"{number}   {cells}   {rate:>13}   {record.seconds:7.2f}{star}")

    def snapshot_taken(self, snapshot: int, n_snapshots: int) -> None:
        """Say which snapshot it is."""
        if self.purpose != "refit":
            self._print(f"Snapshot {snapshot} of {n_snapshots}")

    def resumed(self, epoch: int) -> None:
        """Say from where training goes on; the bar counts, and its speed is that, from there."""
        self._print(f"Going on after {self.epoch} {epoch}, from the checkpoint")
        if self.bar is not None and self.task is not None:
            self.bar.reset(
                self.task,
                total=self.n_ratings * self.n_epochs,
                completed=self.n_ratings * epoch,
                speed="",
            )

    def checkpoint_failed(self, error: WriteError) -> None:
        """Say that there is no newer checkpoint."""
        self._warn(f"{message_of(error)}; training goes on, and the checkpoint before is kept")

    def restarted(self, epoch: int, learning_rate: float) -> None:
        """Say that an epoch diverged; its part of the bar is taken back."""
        text = (
            f"{self.epoch} {epoch} diverged; starting it again with a learning rate of "
            f"{learning_rate:.3g}"
        )
        self._warn(text)
        if self.bar is not None and self.task is not None:
            self.n_done -= self.n_ratings
            self.bar.update(self.task, advance=-self.n_ratings)

    def reg_lowered(self, tried: float, reg: float, unexplained: float) -> None:
        """Say why the search is repeated."""
        self._print(
            f"Only {unexplained:.0%} of the variance is left: again with regularization "
            f"{reg:.2g}, not {tried:.2g}\n"
        )

    def reg_kept(self, reg: float) -> None:
        """Say that the last table is not that of the model."""
        self._print(f"That did no better: regularization {reg:.2g} is kept")

    def fit_done(self, best_epoch: int) -> None:
        """Say which epoch was best."""
        seconds = time.perf_counter() - self.started
        if self.purpose == "search":
            best = "Best epoch" if self.epoch == "epoch" else f"Best number of {self.epoch}s"
            self._print(f"\n{best}: {best_epoch} ({seconds:.1f} s)")

    def _warn(self, text: str) -> None:
        if self.bar is not None and sys.stderr.isatty():
            from rich.markup import escape

            self.bar.console.print(f"[bold yellow]Warning:[/] {escape(text)}")  # above the bar
        else:
            self.output.warn(text)

    def _print(self, line: str) -> None:
        if self.bar is not None:
            self.bar.console.print(line, markup=False)
        else:
            self.output.note(line)
