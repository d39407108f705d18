"""`funksvd data convert`: the same ratings or interactions in another format."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ..console import Output, counted
from ..groups import GroupedCommand, option
from ..options import FILE, output_options
from ..reading import read_any, reading_options
from ..writing import check_output
from .files import RatingsFile, warn_of_rounding, writing_options

if TYPE_CHECKING:
    import numpy as np

    from funksvd import ReadOptions


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd data convert ml-25m.zip -o ml-25m.parquet
  funksvd data convert ratings.dat --on-bad-rows skip -o ratings.csv
  funksvd data convert ratings.csv --renumber -o libmf.txt""",
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@option(
    "--renumber",
    is_flag=True,
    help="Number users and items from 0, and write the ids beside: FILE.users.csv, FILE.items.csv.",
)
@reading_options
@writing_options
@output_options
def convert(
    ratings: tuple[str, ...],
    *,
    renumber: bool,
    reading: ReadOptions,
    target: RatingsFile,
    output: Output,
) -> None:
    """Write RATINGS as CSV, Parquet or LIBMF text.

    RATINGS is anything that can be read. Columns are called user, item, rating and, where it is
    known, timestamp; rows keep their order. LIBMF text has neither names nor timestamps, and its
    ids are integers from 0 to 2147483647.

    Interactions without ratings have no column of ratings, and one called weight where pairs
    repeat or there are counts; LIBMF text has it, or 1, in the place of ratings.
    """
    if renumber and target.is_standard_output:
        raise click.UsageError("--renumber writes files of ids beside the output: name it with -o")
    from funksvd import RatingsError

    target.prepare(output, ratings)
    beside = {what: f"{target.path}.{what}s.csv" for what in ("user", "item")}
    if renumber:
        for path in beside.values():
            check_output(path, ratings)
    found = read_any(output, ratings, reading, keep_equal=True)
    warn_of_rounding(output, found)
    if renumber:
        users, items = (
            replace(each, ids=_numbers(output, each.what, each.ids, beside[each.what]))
            for each in (found.users, found.items)
        )
        found = replace(found, users=users, items=items)
    try:
        target.write(output, found)
    except RatingsError as error:
        if target.format != "libmf" or renumber:
            raise
        raise RatingsError(f"{error.template}, with --renumber") from None
    if output.as_json and not target.is_standard_output:
        output.json({"output": target.path, "format": target.format, f"n_{found.noun}": len(found)})


def _numbers(output: Output, what: str, ids: np.ndarray, beside: str) -> np.ndarray:
    """Numbers for ids, after writing both to a file beside the output."""
    import numpy as np

    from funksvd import write_table

    numbers = np.arange(len(ids))
    write_table([{"number": numbers, what: ids}], beside)
    output.note(f"Wrote {beside} ({counted(len(ids), what)})")
    return numbers
