"""Files of ratings that the commands of `funksvd data` write."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ..console import Output, counted
from ..groups import option, packed
from ..options import FILE, OUTPUT
from ..streams import strict_output
from ..writing import check_output

if TYPE_CHECKING:
    from funksvd import Interactions, Ratings

FORMATS = ("csv", "parquet", "libmf")
FORMAT_OF_SUFFIX = {".csv": "csv", ".parquet": "parquet", ".libmf": "libmf", ".txt": "libmf"}


class RatingsFile:
    """A file to write ratings to.

    Parameters
    ----------
    path : str
        "-" for standard output.
    file_format : str or None
        One of `FORMATS`; by default that of the suffix, or CSV for standard output.

    Raises
    ------
    click.UsageError
        If the format is not clear.
    """

    def __init__(self, path: str, file_format: str | None = None) -> None:
        self.path = path
        self.is_standard_output = path == "-"
        if file_format is None:
            suffix = ".csv" if self.is_standard_output else os.path.splitext(path)[1].lower()
            file_format = FORMAT_OF_SUFFIX.get(suffix)
        if file_format is None:
            raise click.UsageError(
                f"{path}: the suffix does not tell the format; use .csv, .parquet or .txt (LIBMF), "
                "or give --format"
            )
        self.format = file_format

    def prepare(self, output: Output, inputs: Iterable[str]) -> None:
        """Find out before ratings are read whether they can be written, and not over an input.

        Notes are left out where they would be in the middle of the ratings.
        """
        if self.is_standard_output:
            output.notes = False
        else:
            check_output(self.path, inputs, device=True)

    def write(self, output: Output, ratings: Ratings | Interactions) -> None:
        """Write ratings or interactions."""
        from funksvd import write_table

        batches = output.progress("Writing", ratings.batches(), len(ratings))
        if self.is_standard_output:
            with strict_output():
                write_table(batches, sys.stdout.buffer, self.format)
        else:
            write_table(batches, self.path, self.format)
            noun = ratings.noun.removesuffix("s")
            output.note(f"Wrote {self.path} ({counted(len(ratings), noun)})")


def warn_of_rounding(output: Output, ratings: Ratings | Interactions) -> None:
    """Warn if ratings are written with fewer digits than their source has."""
    if ratings.report is not None and ratings.report.rounded:
        output.warn(
            "ratings are 32-bit floats, and some of these have more digits than such numbers hold: "
            f"{ratings.report.rounded}"
        )


writing_options = packed(
    "target",
    RatingsFile,
    option(
        "--output",
        "-o",
        "path",
        metavar="FILE",
        type=FILE,
        required=True,
        group=OUTPUT,
        help="File to write: .csv, .parquet, or .txt for LIBMF; - for standard output.",
    ),
    option(
        "--format",
        "file_format",
        type=click.Choice(FORMATS),
        group=OUTPUT,
        help="Format of the output.  [default: by the file's suffix; csv for -]",
    ),
)
"""`--output` and `--format` of a single file, as `target: RatingsFile`."""
