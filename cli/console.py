"""How output looks: for people, for scripts, on a terminal or not."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from funksvd.evaluation import Evaluation
    from funksvd.ratings import Ratings, ReadReport

GAP = "   "
SHORTEST_TITLE = 12
FEW_USERS = 20
SOON = 1.0
"""Seconds after which it is shown that something is going on."""


class Output:
    """Notes for people, results for everyone, JSON for scripts, warnings on standard error.

    Parameters
    ----------
    quiet : bool
        No notes.
    as_json : bool
        No notes either, and results as one JSON value.

    Attributes
    ----------
    live : rich.console.Console or None
        Where something is moving on the terminal, as long as it does.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.as_json = as_json
        self.notes = not (quiet or as_json)
        self.live: Any = None
        self._has_told = False

    @classmethod
    def of(cls, options: dict[str, Any]) -> Output:
        """As a command's options say, which are taken out; tells of kernels being compiled."""
        from funksvd.kernels import telling_of_compilation

        output = cls(options.pop("quiet"), options.pop("as_json"))
        to_standard_output = options.get("output", "a file") in (None, "-")
        if to_standard_output and options.get("file_format") not in (None, "table"):
            output.notes = False  # they would be in the middle of the file
        click.get_current_context().with_resource(telling_of_compilation(output._tell_once))
        return output

    def note(self, text: str = "") -> None:
        """Something a person may want to know."""
        if self.notes:
            click.echo(printable(text))

    def warn(self, text: str) -> None:
        """Something that should not be overlooked."""
        head = click.style("Warning:", fg="yellow", bold=True)
        click.echo(f"{head} {printable(text)}", err=True)

    @contextlib.contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Say, on a terminal, what takes its time, if it takes long."""
        if not (self.notes and is_terminal(sys.stderr)):
            yield
            return
        status = None

        def show() -> None:
            from rich.console import Console

            nonlocal status
            self.live = Console(stderr=True, highlight=False)
            status = self.live.status(f"{doing} …")
            status.start()

        timer = threading.Timer(SOON, show)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            if status is not None:
                status.stop()
            self.live = None

    def progress(self, doing: str, batches: Iterable[dict], n_rows: int) -> Iterator[dict]:
        """Pass batches on; show, on a terminal and if it takes long, how much of it is done.

        Parameters
        ----------
        doing : str
        batches : iterable of dict of str to ndarray
        n_rows : int
            Of all batches together.
        """
        if not (self.notes and is_terminal(sys.stderr)):
            yield from batches
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(stderr=True, highlight=False),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        task = bar.add_task(doing, total=n_rows)
        started = time.perf_counter()
        try:
            for batch in batches:
                yield batch
                bar.advance(task, len(next(iter(batch.values()))))
                if self.live is None and time.perf_counter() - started > SOON:
                    self.live = bar.console
                    bar.start()
        finally:
            bar.stop()
            self.live = None

    def _tell_once(self, kernel: str) -> None:
        """Say, the first time that something is compiled, why it takes a while."""
        if not self.notes or self._has_told:
            return
        self._has_told = True
        from funksvd.kernels import cache_folder

        folder = cache_folder()
        text = "Compiling the kernels that this command needs"
        if folder:
            text += f" (once; kept in {folder}); `funksvd warmup` compiles all of them at once"
        else:
            text += " (they cannot be kept: no folder can be written to)"
        if self.live is not None and sys.stderr.isatty():
            self.live.print(text, markup=False)  # above what is moving
        else:
            click.echo(text, err=True)

    def json(self, value: Any) -> None:
        """The result, for a script."""
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        text: Iterable[str] = (),
        shortened: str | None = None,
    ) -> None:
        """The result, for a person.

        Parameters
        ----------
        header : sequence of str
        rows : iterable of sequence of str
        text : iterable of str
            Names of the columns that are set to the left; numbers go to the right.
        shortened : str, optional
            The column that gives way where the terminal is too narrow.
        """
        from rich.cells import cell_len, set_cell_size

        rows = [[printable(cell, keep="") for cell in row] for row in (header, *rows)]
        left = [name in text for name in header]
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        if shortened in header and sys.stdout.isatty():
            at = list(header).index(shortened)
            excess = sum(widths) + len(GAP) * (len(widths) - 1) - shutil.get_terminal_size().columns
            widths[at] = min(widths[at], max(SHORTEST_TITLE, widths[at] - excess))
        for number, row in enumerate(rows):
            cells = []
            for cell, width, is_left in zip(row, widths, left, strict=True):
                if cell_len(cell) > width:
                    cell = set_cell_size(cell, width - 1).rstrip() + "…"
                space = " " * (width - cell_len(cell))
                cells.append(cell + space if is_left else space + cell)
            line = GAP.join(cells).rstrip()
            click.echo(line if number else click.style(line, bold=True))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a stream, by default standard output, understands a terminal's control codes."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def counted(n: int, noun: str) -> str:
    """So many of them: "1 user", "2,000 users"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def printable(text: str, keep: str = "\n") -> str:
    """Text from a file, without what would steer the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def report_reading(output: Output, report: ReadReport | None) -> None:
    """What was detected, skipped and merged while a source was read."""
    if report is None:
        return
    output.note(f"Read {report.detected}")
    if report.n_bad_rows:
        lines = "\n".join(f"  {row}" for row in report.bad_rows)
        were = "was" if report.n_bad_rows == 1 else "were"
        rows = counted(report.n_rows, "row")
        output.warn(f"{report.n_bad_rows:,} of {rows} {were} skipped:\n{lines}")
    if report.n_duplicates:
        output.note(
            f"{counted(report.n_duplicates, 'rating')} repeated a (user, item) pair: dropped, or "
            "merged as --duplicates says"
        )


def describe_ratings(ratings: Ratings) -> str:
    """Counts and range in one line."""
    share = len(ratings) / max(1, ratings.n_users * ratings.n_items)
    low, high = ratings.values.min(), ratings.values.max()
    return (
        f"{counted(len(ratings), 'rating')} from {low:g} to {high:g}; "
        f"{counted(ratings.n_users, 'user')}, {counted(ratings.n_items, 'item')}, "
        f"{share:.2%} of the matrix known"
    )


BASELINE_NAMES = {"global_mean": "mean of all ratings", "regularized_biases": "biases only"}


def show_evaluation(output: Output, evaluation: Evaluation, title: str) -> None:
    """A table of errors, and how much of it the model had to guess."""
    rows = [
        (
            title,
            f"{evaluation.rmse:.4f}",
            "{:.4f} to {:.4f}".format(*evaluation.rmse_interval),
            f"{evaluation.mae:.4f}",
            "{:.4f} to {:.4f}".format(*evaluation.mae_interval),
        )
    ]
    rows += [
        (BASELINE_NAMES[baseline], f"{errors.rmse:.4f}", "", f"{errors.mae:.4f}", "")
        for baseline, errors in reversed(evaluation.baselines.items())
    ]
    first = f"{evaluation.n_ratings:,} test ratings"
    output.table((first, "RMSE", "95% interval", "MAE", "95% interval"), rows, [first])
    output.note(
        f"Unknown to the model: the user of {evaluation.unknown_users:.2%} and the item of "
        f"{evaluation.unknown_items:.2%} of them"
    )


def warn_of_doubts(output: Output, evaluation: Evaluation) -> None:
    """Say aloud what makes the figures worth little."""
    for what, share in (("user", evaluation.unknown_users), ("item", evaluation.unknown_items)):
        if share == 1:
            output.warn(
                f"the model knows none of the {what}s in these ratings: are the {what} ids the "
                "same as in its training data? (`funksvd info` shows some of them)"
            )
        elif share >= 0.5:
            output.warn(f"the model does not know the {what} of {share:.0%} of these ratings")
    biases_only = evaluation.baselines.get("regularized_biases")
    if biases_only and evaluation.rmse >= biases_only.rmse:
        output.warn(
            "the model is no better than biases alone: look at the hyperparameters (--reg, "
            "--learning-rate), or there may be too few ratings to learn factors from"
        )
    if evaluation.n_users < FEW_USERS:
        users = "one user" if evaluation.n_users == 1 else f"{evaluation.n_users} users"
        output.warn(f"these are ratings by {users} only: the intervals are too narrow")
    if evaluation.already_learned:
        output.warn(
            f"the model was trained on {evaluation.already_learned:.1%} of these ratings; errors "
            "on what was learned are too small. `funksvd evaluate` without a file uses the test "
            "part that was set aside"
        )
