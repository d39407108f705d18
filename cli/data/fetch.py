"""`funksvd data fetch`: download a data set."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from types import TracebackType
from typing import Any

import click

from ..console import Output, is_terminal
from ..options import FILE, output_options

DONE = {"there": "Already there:", "downloaded": "Downloaded", "copied": "Copied to"}


@click.command(
    epilog="""\b
Examples:
  funksvd data fetch
  funksvd data fetch ml-1m
  funksvd data fetch ml-25m --from ~/Downloads/ml-25m.zip"""
)
@click.argument("name", required=False)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=FILE,
    help="The archive, downloaded by other means: check it and copy it.",
)
@click.option(
    "--dir",
    "folder",
    metavar="FOLDER",
    type=FILE,
    help="Where to keep it.  [default: $FUNKSVD_DATA, or the user's cache]",
)
@output_options
def fetch(
    name: str | None, source: str | None, folder: str | None, quiet: bool, as_json: bool
) -> None:
    """Download a data set, or list what there is.

    NAME is downloaded unless it is there already. Its archive has to have the known checksum, and
    stays packed: all commands read it as it is. --quiet prints its path only.
    """
    from funksvd import datasets

    output = Output(quiet, as_json)
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
    if as_json:
        output.json(_facts(dataset) | {"path": str(path), "how": how})
    elif quiet:
        click.echo(path)
    else:
        size = f"{os.path.getsize(path) / 1e6:,.1f} MB"
        output.note(f"{DONE[how]} {path} ({size}, checksum as published)")
        output.note(f"\nNext: {shlex.join(['funksvd', 'train', str(path)])}")


def _list(output: Output) -> None:
    from funksvd.datasets import DATASETS

    if output.as_json:
        output.json([_facts(dataset) for dataset in DATASETS.values()])
        return
    rows = [(each.name, each.ratings, each.size) for each in DATASETS.values()]
    output.table(("name", "ratings", "size"), rows, ("name", "ratings"))


def _facts(dataset: Any) -> dict[str, Any]:
    names = ("name", "title", "ratings", "checksum", "terms", "home")
    return {name: getattr(dataset, name) for name in names} | {"url": dataset.urls[0]}


class _Bar:
    """How much of an archive has arrived: what pooch wants of a bar, drawn by rich.

    Nothing is shown where the output does not want notes, or is not a terminal.
    """

    def __init__(self, output: Output, name: str) -> None:
        self._wanted = output.notes and is_terminal(sys.stderr)
        self._name = name
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Bar | None:
        return self if self._wanted else None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def total(self) -> int | None:
        """Bytes to come; None if the server does not say."""
        return self._bar.tasks[0].total if self._bar else None

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

        if self._bar is not None:  # what another address sent was of no use
            self._bar.stop()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task(self._name, total=n_bytes or None)
        self._bar.start()

    def update(self, n_bytes: int) -> None:
        """So many more have come."""
        self._bar.advance(self._task, n_bytes)

    def reset(self) -> None:
        """Begin again at nothing."""
        self._bar.update(self._task, completed=0)

    def close(self) -> None:
        """All of them have come."""
        self._bar.stop()
