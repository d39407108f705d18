"""Tables of results: on the screen, as a file, as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

import click

from .console import Output, new_table

TABLE_FORMATS = ("table", "csv", "parquet", "json")
BY_SUFFIX = {".csv": "csv", ".parquet": "parquet", ".json": "json"}
TEXT_COLUMNS = ("user", "item", "title")


def emit_table(
    output: Output, batches: Iterable[dict], path: str | None, file_format: str | None
) -> None:
    """Write batches of columns to a file or to standard output, as they come.

    Parameters
    ----------
    output : Output
    batches : iterable of dict of str to ndarray
        Columns by name; the same names and kinds in each batch.
    path : str or None
        File to write; by default standard output.
    file_format : str or None
        One of `TABLE_FORMATS`; by default that of the path's suffix, or a table.
    """
    from funksvd import write_table

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
    first = next(batches, None)
    if first is None:
        return
    n_rows = write_table(
        chain([first], batches), sys.stdout.buffer if path is None else path, file_format
    )
    if path is not None:
        output.note(f"Wrote {path} ({n_rows:,} rows)")


def add_titles(batches: Iterable[dict], titles: dict | None) -> Iterator[dict]:
    """Put a title column beside the items; empty where there is no title."""
    import numpy as np

    for batch in batches:
        if titles is None:
            yield batch
            continue
        labels = batch["item"].tolist()
        found = [titles.get(label, titles.get(str(label), "")) for label in labels]
        yield {
            name: column
            for key in batch
            for name, column in (
                [(key, batch[key]), ("title", np.array(found, dtype=object))]
                if key == "item"
                else [(key, batch[key])]
            )
        }


def _show(output: Output, batches: Iterable[dict]) -> None:
    for batch in batches:
        table = new_table()
        for name in batch:
            table.add_column(name, justify="left" if name in TEXT_COLUMNS else "right")
        for row in zip(*(column.tolist() for column in batch.values()), strict=True):
            table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
        output.console.print(table, markup=False)
