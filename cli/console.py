"""Output for people, for scripts, on a terminal or not."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from funksvd.errors import counted as counted  # with notes and results, it is at hand

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console
    from rich.status import Status

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130
"""Exit codes."""
FIRST_OF_SIGNALS = 128
"""Exit code of a program that was ended by a signal, less the signal's number."""
GAP = "   "
"""Space between the columns of a table."""
SHORTEST_TITLE = 12
"""Columns of the terminal that a shortened title keeps."""
SOON = 1.0
"""Seconds after which the terminal shows that something is going on."""


class Output:
    """Notes for people, results for everyone, JSON for scripts, warnings on standard error.

    Parameters
    ----------
    quiet : bool
        Leave out notes.
    as_json : bool
        Leave out notes, and print the result as one JSON value.

    Attributes
    ----------
    notes : bool
        Whether notes are printed.
    live : rich.console.Console or None
        The console that draws a moving bar or spinner, as long as there is one.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.as_json = as_json
        self.notes = not (quiet or as_json)
        self.live: Console | None = None
        self._has_told = False

    def tell_of_compilation(self) -> None:
        """Say, until the command ends, when kernels are being compiled; this loads the compiler."""
        from funksvd.kernels import telling_of_compilation

        click.get_current_context().with_resource(telling_of_compilation(self._tell_once))

    def note(self, text: str = "") -> None:
        """Print a text for people, unless notes are left out."""
        if self.notes:
            click.echo(printable(text))

    def warn(self, text: str) -> None:
        """Print a text that should not be overlooked to standard error."""
        head = click.style("Warning:", fg="yellow", bold=True)
        click.echo(f"{head} {printable(text)}", err=True)

    @contextlib.contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show on a terminal what the command is doing, if that takes longer than `SOON`."""
        if not (self.notes and is_terminal(sys.stderr)):
            yield
            return
        status: Status | None = None

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

    def progress(
        self, doing: str, batches: Iterable[dict[str, np.ndarray]], n_rows: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Pass batches on, and show a bar on a terminal if that takes longer than `SOON`.

        Parameters
        ----------
        doing : str
            Text before the bar.
        batches : iterable of dict of str to ndarray
            Columns by name.
        n_rows : int
            Number of rows of all batches together.
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
        """Say why the command takes a while, when the first of its kernels is compiled."""
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

    def json(self, value: object) -> None:
        """Print a result for scripts."""
        import json

        click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))

    def table(
        self,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        text: Sequence[str] = (),
        shortened: str | None = None,
    ) -> None:
        """Print a result for people.

        Parameters
        ----------
        header : sequence of str
            Names of the columns.
        rows : iterable of sequence of str
            Cells, as many in each row as there are columns.
        text : sequence of str
            Names of the columns that are aligned left; the others hold numbers, aligned right.
        shortened : str, optional
            Name of the column that is shortened on a narrow terminal; on a very narrow one, columns
            are closer together, too.
        """
        import shutil

        from rich.cells import cell_len, set_cell_size

        lines = [[printable(cell, keep="") for cell in row] for row in (header, *rows)]
        left = [name in text for name in header]
        widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
        gap = GAP
        if shortened is not None and shortened in header and sys.stdout.isatty():
            at = list(header).index(shortened)
            columns = shutil.get_terminal_size().columns
            others = sum(widths) - widths[at]
            if others + len(GAP) * (len(widths) - 1) + SHORTEST_TITLE > columns:
                gap = " "
            left_over = columns - others - len(gap) * (len(widths) - 1)
            widths[at] = min(widths[at], max(SHORTEST_TITLE, left_over))
        for number, line in enumerate(lines):
            cells = []
            for cell, width, is_left in zip(line, widths, left, strict=True):
                if cell_len(cell) > width:
                    cell = set_cell_size(cell, width - 1).rstrip() + "…"
                space = " " * (width - cell_len(cell))
                cells.append(cell + space if is_left else space + cell)
            text_line = gap.join(cells).rstrip()
            click.echo(text_line if number else click.style(text_line, bold=True))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a stream, by default standard output, is a terminal that knows control codes."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def printable(text: str, keep: str = "\n") -> str:
    """A text whose control characters, but for those to keep, are blanks: a terminal obeys none."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)
