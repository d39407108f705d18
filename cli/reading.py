"""Files of ratings: the options that say how they are read, and what was found in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .console import Output, counted
from .groups import option, packed

if TYPE_CHECKING:
    from funksvd import Ratings, ReadOptions
    from funksvd.ratings import ReadReport

READING = "Reading files"
"""Heading of these options."""
_option = partial(option, group=READING)
ON_BAD_ROWS = _option(
    "--on-bad-rows",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="Stop at a row that cannot be read (error), or drop and count such rows (skip).",
)
LAYOUT_OPTIONS = (
    _option(
        "--sep",
        help='Column separator, such as ";", "::" or "tab".  [default: detected]',
    ),
    _option(
        "--user-col",
        metavar="NAME",
        help="User column: its name, or its number counted from 1.  [default: detected]",
    ),
    _option("--item-col", metavar="NAME", help="Item column.  [default: detected]"),
    _option(
        "--rating-col",
        metavar="NAME",
        help='Rating column; "none" ignores ratings.  [default: detected]',
    ),
    _option(
        "--timestamp-col",
        metavar="NAME",
        help='Timestamp column; "none" ignores timestamps.  [default: detected]',
    ),
    _option(
        "--count-col",
        metavar="NAME",
        help="Column of how often a user dealt with an item, where there are no ratings.  "
        "[default: detected]",
    ),
    _option(
        "--encoding",
        metavar="NAME",
        default="utf-8",
        show_default=True,
        help="Encoding of text files.",
    ),
    _option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="Character before the decimals of ratings in text files.  [default: detected]",
    ),
    _option(
        "--duplicates",
        type=click.Choice(["last", "first", "mean", "error"]),
        default="last",
        show_default=True,
        help="Rating to keep where a user has rated an item several times.",
    ),
)


def _reading(**values: Any) -> ReadOptions:
    from funksvd import ReadOptions

    return ReadOptions(**values)


reading_options = packed("reading", _reading, *LAYOUT_OPTIONS, ON_BAD_ROWS)
"""How files of ratings are read, as `reading: ReadOptions`."""
layout_options = packed("reading", partial(_reading, on_bad_rows="skip"), *LAYOUT_OPTIONS)
"""The same for a command that counts the rows that cannot be read: they never stop it."""


def read(output: Output, paths: Sequence[str], reading: ReadOptions) -> Ratings:
    """Read ratings from files, and say what was found in them."""
    from funksvd import read_ratings

    with output.busy("Reading"):
        ratings = read_ratings(list(paths), reading)
    report_reading(output, ratings.report)
    return ratings


def report_reading(output: Output, report: ReadReport | None) -> None:
    """Say what was detected, skipped and merged while a source was read."""
    if report is None:
        return
    output.note(f"Read {report.detected}")
    for warning in report.warnings:
        output.warn(warning)
    if report.n_bad_rows:
        lines = "\n".join(f"  {row}" for row in report.bad_rows)
        were = "was" if report.n_bad_rows == 1 else "were"
        rows = counted(report.n_rows, "row")
        output.warn(f"{report.n_bad_rows:,} of {rows} {were} skipped:\n{lines}")
    if report.n_duplicates:
        output.note(
            f"{counted(report.n_duplicates, 'rating')} repeated a (user, item) pair: dropped, or "
            "merged as --duplicates says"
        )


def describe_ratings(ratings: Ratings) -> str:
    """Counts and range of ratings in one line."""
    share = len(ratings) / max(1, ratings.n_users * ratings.n_items)
    low, high = ratings.values.min(), ratings.values.max()
    return (
        f"{counted(len(ratings), 'rating')} from {low:g} to {high:g}; "
        f"{counted(ratings.n_users, 'user')}, {counted(ratings.n_items, 'item')}, "
        f"{share:.2%} of the matrix known"
    )
