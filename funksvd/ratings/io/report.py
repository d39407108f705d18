"""Reports about sources that were read: format, numbers of rows, bad rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

KINDS = ("ratings", "clicks", "rated", "pairs")
"""What rows were taken for: ratings; interactions, by their users and items; interactions made of
ratings, whose values do not count; or bare pairs, without counts and times."""


class BadRow(NamedTuple):
    """A row that cannot be used.

    Parameters
    ----------
    file : str
    line : int
        1-based line of the (decompressed) text, or 1-based row of a table.
    text : str
        The row as it stands there.
    reason : str
    place : str
        Unit of `line`: "line", or "row" in a table.
    """

    file: str
    line: int
    text: str
    reason: str
    place: str = "line"

    def __str__(self) -> str:
        return f"{self.file}, {self.place} {self.line}: {self.reason}: {self.text}"


@dataclass(frozen=True)
class ReadReport:
    """The source of ratings, the detected format, and counts of its rows.

    Parameters
    ----------
    source : str
        The file or files, for messages.
    detected : str
        Format, separator and columns, as they were detected or given; one line.
    n_rows : int
        Rows in the source, bad ones included.
    n_bad_rows : int
        Rows dropped by `on_bad_rows="skip"`.
    bad_rows : list of BadRow
        The first few of them.
    n_duplicates : int
        Ratings dropped or merged because their (user, item) pair repeats.
    files : list of str
        The paths as they were given; empty for tables in memory and for standard input.
    names_users : bool
        False if there was no user column, so that all rows are of one user, whose id is 0.
    warnings : list of str
        Sentences about what may be misunderstood: ids that look damaged, a column that counts.
    rounded : str, optional
        A rating that the source has with more digits than 32 bits hold: "16777217 becomes
        16777216".
    kind : str
        One of `KINDS`.
    positive_from : float, optional
        Ratings below this were left out, and the others became interactions.
    notes : list of str
        Sentences about what the rows were taken for, where that is not ratings.
    """

    source: str
    detected: str
    n_rows: int = 0
    n_bad_rows: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    n_duplicates: int = 0
    files: list[str] = field(default_factory=list)
    names_users: bool = True
    warnings: list[str] = field(default_factory=list)
    rounded: str | None = None
    kind: str = "ratings"
    positive_from: float | None = None
    notes: list[str] = field(default_factory=list)
