"""Ratings read from files and written to others: what several of these commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from ..console import Output, counted, report_reading
from ..options import FILE, refuse_to_overwrite

if TYPE_CHECKING:
    from funksvd import Ratings, ReadOptions

FORMATS = ("csv", "parquet", "libmf")
BY_SUFFIX = {".csv": "csv", ".parquet": "parquet", ".libmf": "libmf", ".txt": "libmf"}


def writing_options(command: Callable) -> Callable:
    """`--output` and `--format` of a single file."""
    command = click.option(
        "file_format",
        "--format",
        type=click.Choice(FORMATS),
        help="Format of the output.  [default: by the file's suffix; csv for -]",
    )(command)
    return click.option(
        "--output",
        "-o",
        metavar="FILE",
        type=FILE,
        required=True,
        help="File to write: .csv, .parquet, or .txt for LIBMF; - for standard output.",
    )(command)


def format_of(path: str, given: str | None) -> str:
    """The format that is asked for, or else that of the suffix; CSV for standard output."""
    if path == "-" and given is None:
        return "csv"
    found = given or BY_SUFFIX.get(os.path.splitext(path)[1].lower())
    if found is None:
        raise click.UsageError(
            f"{path}: the suffix does not tell the format; use .csv, .parquet or .txt (LIBMF), or "
            "give --format"
        )
    return found


def read(output: Output, paths: Sequence[str], options: ReadOptions) -> Ratings:
    """Read ratings, and say what was found."""
    from funksvd import read_ratings

    with output.busy("Reading"):
        ratings = read_ratings(list(paths), options)
    report_reading(output, ratings.report)
    return ratings


def write(
    output: Output, ratings: Ratings, path: str, file_format: str, inputs: Iterable[str]
) -> None:
    """Write ratings to a file that is none of the inputs, or to standard output ("-")."""
    from funksvd import write_table

    to_stdout = path == "-"
    refuse_to_overwrite(None if to_stdout else path, inputs)
    batches = output.progress("Writing", ratings.batches(), len(ratings))
    write_table(batches, sys.stdout.buffer if to_stdout else path, file_format)
    if not to_stdout:
        output.note(f"Wrote {path} ({counted(len(ratings), 'rating')})")
