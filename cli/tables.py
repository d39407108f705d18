"""Tables of results: on the screen, as a file, as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import click

from .console import Output, counted
from .options import FILE, refuse_to_overwrite

TABLE_FORMATS = ("table", "csv", "parquet", "json")
BY_SUFFIX = {".csv": "csv", ".parquet": "parquet", ".json": "json"}
MANY_UNTITLED = 0.5
TEXT_COLUMNS = ("user", "item", "title")


def table_options(command: Callable) -> Callable:
    """`--output` and `--format`, for `emit_table`."""
    command = click.option(
        "file_format",
        "--format",
        type=click.Choice(TABLE_FORMATS),
        help="Format of the output.  [default: by the file's suffix, or table]",
    )(command)
    return click.option(
        "--output", "-o", metavar="FILE", type=FILE, help="File to write: .csv, .parquet or .json."
    )(command)


def items_option(command: Callable) -> Callable:
    """`--items`."""
    return click.option(
        "--items",
        "items_file",
        metavar="FILE",
        type=FILE,
        help="A file of items, to show their titles.",
    )(command)


def emit_table(
    output: Output,
    batches: Iterable[dict],
    path: str | None,
    file_format: str | None,
    inputs: Iterable[str | None] = (),
    n_rows: int = 0,
) -> None:
    """Write batches of columns to a file or to standard output, as they come.

    Parameters
    ----------
    output : Output
    batches : iterable of dict of str to ndarray
        Columns by name; the same names and kinds in each batch.
    path : str or None
        File to write; by default, and for "-", standard output.
    file_format : str or None
        One of `TABLE_FORMATS`; by default that of the path's suffix, or a table.
    inputs : iterable of (str or None)
        Files that the command reads, and that must not be overwritten.
    n_rows : int
        About how many rows there will be, for the progress bar.
    """
    from funksvd import write_table

    path = None if path == "-" else path
    refuse_to_overwrite(path, inputs)
    file_format = file_format or ("json" if output.as_json else None)
    if file_format is None and path is not None:
        file_format = BY_SUFFIX.get(os.path.splitext(path)[1].lower())
        if file_format is None:
            raise click.UsageError(
                f"{path}: the suffix does not tell the format; use .csv, .parquet or .json, or "
                "give --format"
            )
    if file_format in (None, "table"):
        if path is not None:
            raise click.UsageError("a table is for reading; for a file give --format csv")
        _show(output, batches)
        return
    if path is None and file_format == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is binary; give a file with -o")
    # Look at the first batch before any output is begun, so that errors come first.
    batches = iter(batches)
    batches = chain([next(batches)], batches)
    if path is not None or not sys.stdout.isatty():
        batches = output.progress("Writing", batches, n_rows)
    n_rows = write_table(batches, sys.stdout.buffer if path is None else path, file_format)
    if path is not None:
        output.note(f"Wrote {path} ({counted(n_rows, 'row')})")


def titles_of(output: Output, path: str | None, item_ids: Any) -> dict[str, str] | None:
    """Titles by the ids of items as text.

    Parameters
    ----------
    output : Output
        Warned if the file has a title for none of `item_ids`, or for half of them at most.
    path : str or None
        The file of titles; without one, there are none.
    item_ids : ndarray
        All items the model knows.
    """
    from funksvd import read_titles
    from funksvd.ratings import first_few

    if path is None:
        return None
    titles = {str(label): title for label, title in read_titles(path).items()}
    n_found = sum(str(label) in titles for label in item_ids.tolist())
    if not n_found:
        output.warn(
            f"{path}: the model knows none of these items; it knows, for instance, "
            f"{first_few(item_ids)}, and the file has {first_few(list(titles))}"
        )
    elif n_found <= MANY_UNTITLED * len(item_ids):
        output.warn(
            f"{path} has titles for {n_found:,} of the {counted(len(item_ids), 'item')} that the "
            "model knows"
        )
    return titles


def with_titles(batch: dict, titles: dict[str, str]) -> dict:
    """A batch with a title column beside the items."""
    import numpy as np

    columns = {}
    for name, column in batch.items():
        columns[name] = column
        if name == "item":
            found = [titles.get(str(label), "") for label in column.tolist()]
            columns["title"] = np.array(found, dtype=object)
    return columns


def _show(output: Output, batches: Iterable[dict]) -> None:
    for batch in batches:
        rows = zip(*(column.tolist() for column in batch.values()), strict=True)
        cells = [
            [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row]
            for row in rows
        ]
        output.table(list(batch), cells, TEXT_COLUMNS, "title")
