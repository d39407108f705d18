"""`funksvd data convert`: the same ratings in another format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..console import Output, counted
from ..options import FILE, output_options, reading_options, take_read_options
from .files import format_of, read, write, writing_options

if TYPE_CHECKING:
    from funksvd import Ratings


@click.command(
    epilog="""\b
Examples:
  funksvd data convert ml-25m.zip -o ml-25m.parquet
  funksvd data convert ratings.dat --on-bad-rows skip -o ratings.csv
  funksvd data convert ratings.csv --renumber -o libmf.txt"""
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@writing_options
@click.option(
    "--renumber",
    is_flag=True,
    help="Number users and items from 0, and write the ids beside: FILE.users.csv, FILE.items.csv.",
)
@reading_options
@output_options
def convert(ratings: tuple[str, ...], **options: Any) -> None:
    """Write RATINGS as CSV, Parquet or LIBMF text.

    RATINGS is anything that can be read. Columns are called user, item, rating and, where it is
    known, timestamp; rows keep their order. LIBMF text has neither names nor timestamps, and its
    ids are integers from 0 to 2147483647.
    """
    output = Output.of(options)
    read_options = take_read_options(options)
    path, renumber = options["output"], options["renumber"]
    file_format = format_of(path, options["file_format"])
    if renumber and path == "-":
        raise click.UsageError("--renumber writes files of ids beside the output: name it with -o")
    if path == "-":
        output.notes = False
    found = read(output, ratings, read_options)
    if renumber:
        found = _numbered(output, found, path, ratings)
    write(output, found, path, file_format, ratings)
    if output.as_json and path != "-":
        output.json({"output": path, "format": file_format, "n_ratings": len(found)})


def _numbered(output: Output, ratings: Ratings, path: str, inputs: tuple[str, ...]) -> Ratings:
    """The ratings with numbers for ids, which are written to files of their own."""
    import numpy as np

    from funksvd import write_table

    from ..options import refuse_to_overwrite

    numbered = []
    for vocabulary in (ratings.users, ratings.items):
        what, numbers = vocabulary.what, np.arange(len(vocabulary))
        beside = f"{path}.{what}s.csv"
        refuse_to_overwrite(beside, inputs)
        write_table([{"number": numbers, what: vocabulary.ids}], beside)
        output.note(f"Wrote {beside} ({counted(len(numbers), what)})")
        numbered.append(replace(vocabulary, ids=numbers))
    users, items = numbered
    return replace(ratings, users=users, items=items)
