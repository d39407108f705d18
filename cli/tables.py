"""Tables of results: on the screen, as a file, as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import click

from .console import Output, counted
from .groups import option, packed
from .options import FILE, OUTPUT
from .streams import strict_output
from .writing import check_output

if TYPE_CHECKING:
    import numpy as np

TABLE_FORMATS = ("table", "csv", "parquet", "json")
FORMAT_OF_SUFFIX = {".csv": "csv", ".parquet": "parquet", ".json": "json"}
TEXT_COLUMNS = ("user", "item", "title")
"""Columns that are aligned left."""


class Destination(NamedTuple):
    """The place that a table is written to.

    Parameters
    ----------
    path : str or None
        File to write; None or "-" for standard output.
    file_format : str or None
        One of `TABLE_FORMATS`; None for that of the path's suffix, or a table.
    """

    path: str | None
    file_format: str | None

    def prepare(self, output: Output, inputs: Iterable[str | None]) -> None:
        """Find out before the work is done whether the table can be written.

        Notes are left out where they would be in the middle of a file on standard output.

        Parameters
        ----------
        output : Output
        inputs : iterable of (str or None)
            Files that the command reads, and that must not be overwritten.
        """
        if self.path in (None, "-") and self.file_format not in (None, "table"):
            output.notes = False
        path = None if self.path == "-" else self.path
        self._format(output, path)
        check_output(path, inputs, device=True)

    def write(
        self, output: Output, batches: Iterable[dict[str, np.ndarray]], n_rows: int = 0
    ) -> None:
        """Write batches of columns as they come.

        Parameters
        ----------
        output : Output
        batches : iterable of dict of str to ndarray
            Columns by name; the same names and kinds in each batch.
        n_rows : int
            Approximate number of rows of all batches, for the progress bar.
        """
        from funksvd import write_table

        path = None if self.path == "-" else self.path
        file_format = self._format(output, path)
        if file_format == "table":
            with strict_output():
                _show(output, batches)
            return
        batches = _begun(batches)
        if path is not None or not sys.stdout.isatty():
            batches = output.progress("Writing", batches, n_rows)
        if path is None:
            with strict_output():
                write_table(batches, sys.stdout.buffer, file_format)
        else:
            n_written = write_table(batches, path, file_format)
            output.note(f"Wrote {path} ({counted(n_written, 'row')})")

    def _format(self, output: Output, path: str | None) -> str:
        file_format = self.file_format or ("json" if output.as_json else None)
        if file_format is None and path is not None:
            file_format = FORMAT_OF_SUFFIX.get(os.path.splitext(path)[1].lower())
            if file_format is None:
                raise click.UsageError(
                    f"{path}: the suffix does not tell the format; use .csv, .parquet or .json, or "
                    "give --format"
                )
        file_format = file_format or "table"
        if file_format == "table" and path is not None:
            raise click.UsageError("a table is for reading; for a file give --format csv")
        if file_format == "parquet" and path is None and sys.stdout.isatty():
            raise click.UsageError("Parquet is binary; give a file with -o")
        return file_format


table_options = packed(
    "destination",
    Destination,
    option(
        "--output",
        "-o",
        "path",
        metavar="FILE",
        type=FILE,
        group=OUTPUT,
        help="File to write: .csv, .parquet or .json.  [default: standard output]",
    ),
    option(
        "--format",
        "file_format",
        type=click.Choice(TABLE_FORMATS),
        group=OUTPUT,
        help="Format of the output.  [default: by the file's suffix, or table]",
    ),
)
"""`--output` and `--format`, as `destination: Destination`."""


def _begun(batches: Iterable[dict[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    """Make the first batch now, so that errors come before any output is begun."""
    rest = iter(batches)
    return chain([next(rest)], rest)


def _show(output: Output, batches: Iterable[dict[str, np.ndarray]]) -> None:
    for batch in batches:
        rows = zip(*(column.tolist() for column in batch.values()), strict=True)
        cells = [
            [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
            for row in rows
        ]
        output.table(list(batch), cells, TEXT_COLUMNS, "title")
