"""`funksvd data fetch`: download a data set."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from types import TracebackType
from typing import TYPE_CHECKING

import click

from ..console import Output, is_terminal
from ..groups import GroupedCommand, option
from ..options import FILE, light_output_options

if TYPE_CHECKING:
    from rich.progress import Progress

    from funksvd.datasets import Dataset

DONE = {"there": "Already there:", "downloaded": "Downloaded", "copied": "Copied to"}


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd data fetch
  funksvd data fetch ml-1m
  funksvd data fetch ml-25m --from ~/Downloads/ml-25m.zip""",
)
@click.argument("name", required=False)
@option(
    "--from",
    "source",
    metavar="FILE",
    type=FILE,
    help="Archive that was downloaded by other means, to be checked and copied.",
)
@option(
    "--dir",
    "folder",
    metavar="FOLDER",
    type=FILE,
    help="Folder to keep the archive in.  [default: $FUNKSVD_DATA, or the user's cache]",
)
@light_output_options
def fetch(name: str | None, *, source: str | None, folder: str | None, output: Output) -> None:
    """Download a data set, or list those that there are.

    NAME is downloaded unless it is there already. Its archive must have the known checksum, and
    stays packed: all commands read it as it is. --quiet prints its path only.
    """
    from funksvd import datasets

    if name is None:
        if source or folder:
            raise click.UsageError("which data set? NAME is missing")
        _list(output)
        return
    dataset = datasets.find(name)
    output.note(f"{dataset.title}: {dataset.ratings}")
    terms = f"Terms: {dataset.terms}. More: {dataset.home}"
    output.note(textwrap.fill(terms, 80, subsequent_indent=" " * 7, break_on_hyphens=False))
    with _Bar(output, dataset.file_name) as progress:
        path, how = datasets.fetch(dataset.name, folder, source=source, progress=progress)
    if output.as_json:
        output.json(_facts(dataset) | {"path": str(path), "how": how})
    elif not output.notes:
        click.echo(path)
    else:
        size = f"{os.path.getsize(path) / 1e6:,.1f} MB"
        output.note(f"{DONE[how]} {path} ({size}, checksum as published)")
        if dataset.features:
            more = [word for what in dataset.features for word in (f"--{what}-features", str(path))]
            whom = " and ".join(f"{what}s" for what in dataset.features)
            output.note(f"It tells more of its {whom}, for training: {shlex.join(more)}")
        output.note(f"\nNext: {shlex.join(['funksvd', 'train', str(path)])}")


def _list(output: Output) -> None:
    from funksvd.datasets import DATASETS

    if output.as_json:
        output.json([_facts(dataset) for dataset in DATASETS.values()])
        return
    rows = [
        (each.name, each.ratings, each.size, ", ".join(f"{what}s" for what in each.features))
        for each in DATASETS.values()
    ]
    output.table(
        ("name", "ratings", "size", "features of"), rows, ("name", "ratings", "features of")
    )


def _facts(dataset: Dataset) -> dict[str, object]:
    names = ("name", "title", "ratings", "checksum", "terms", "home", "features")
    return {name: getattr(dataset, name) for name in names} | {"url": dataset.urls[0]}


class _Bar:
    """A bar of how much of an archive has arrived: the interface is pooch's, the drawing rich's.

    Nothing is shown if notes are left out, or standard error is not a terminal.
    """

    def __init__(self, output: Output, name: str) -> None:
        self._wanted = output.notes and is_terminal(sys.stderr)
        self._name = name
        self._bar: Progress | None = None

    def __enter__(self) -> _Bar | None:
        return self if self._wanted else None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def total(self) -> int | None:
        """Number of bytes to come; None if the server does not say."""
        total = self._bar.tasks[0].total if self._bar else None
        return None if total is None else int(total)

    @total.setter
    def total(self, n_bytes: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self.close()  # another address has sent an archive that was of no use
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._bar.add_task(self._name, total=n_bytes or None)
        self._bar.start()

    def update(self, n_bytes: int) -> None:
        """Move the bar by this number of bytes."""
        if self._bar is not None:
            self._bar.advance(self._bar.tasks[0].id, n_bytes)

    def reset(self) -> None:
        """Move the bar back to its beginning."""
        if self._bar is not None:
            self._bar.update(self._bar.tasks[0].id, completed=0)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
