"""Files of ratings: the options that say how they are read, and what was found in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from .console import Output, counted
from .groups import option, packed

if TYPE_CHECKING:
    from funksvd import Interactions, Ratings, ReadOptions
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
"""How files of ratings or interactions are read, as `reading: ReadOptions`."""
layout_options = packed("reading", partial(_reading, on_bad_rows="skip"), *LAYOUT_OPTIONS)
"""The same for a command that counts the rows that cannot be read: they never stop it."""


def read(output: Output, paths: Sequence[str], reading: ReadOptions) -> Ratings:
    """Read ratings from files, and say what was found in them."""
    from funksvd import read_ratings

    with output.busy("Reading"):
        ratings = read_ratings(list(paths), reading)
    report_reading(output, ratings.report)
    return ratings


def read_any(
    output: Output,
    paths: Sequence[str],
    reading: ReadOptions,
    positive_from: float | None = None,
    *,
    keep_equal: bool = False,
) -> Ratings | Interactions:
    """Read ratings, or interactions where there are no ratings, and say what was found.

    Parameters
    ----------
    output : Output
    paths : sequence of str
    reading : ReadOptions
    positive_from : float, optional
        Make interactions of the ratings from this value on.
    keep_equal : bool
        Whether ratings that are all equal stay ratings, rather than being taken as clicks.
    """
    from funksvd import read_data

    with output.busy("Reading"):
        found = read_data(list(paths), reading, positive_from=positive_from, keep_equal=keep_equal)
    report_reading(output, found.report)
    return found


def report_reading(output: Output, report: ReadReport | None) -> None:
    """Say what was detected, skipped and merged while a source was read."""
    if report is None:
        return
    output.note(f"Read {report.detected}")
    for note in report.notes:
        output.note(note)
    for warning in report.warnings:
        output.warn(warning)
    if report.n_bad_rows:
        lines = "\n".join(f"  {row}" for row in report.bad_rows)
        were = "was" if report.n_bad_rows == 1 else "were"
        rows = counted(report.n_rows, "row")
        output.warn(f"{report.n_bad_rows:,} of {rows} {were} skipped:\n{lines}")
    if report.n_duplicates and is_counted(report):
        output.note(f"{counted(report.n_duplicates, 'row')} repeated a (user, item) pair: counted")
    elif report.n_duplicates:
        output.note(
            f"{counted(report.n_duplicates, 'rating')} repeated a (user, item) pair: dropped, or "
            "merged as --duplicates says"
        )


def is_counted(report: ReadReport) -> bool:
    """Whether repeats of a pair were counted: they are interactions, not made of good ratings."""
    return report.kind in ("clicks", "rated") and report.positive_from is None


def describe_ratings(found: Ratings | Interactions) -> str:
    """Counts and range of ratings, or of interactions, in one line."""
    from funksvd import Ratings

    share = len(found) / max(1, found.n_users * found.n_items)
    n_users, n_items = counted(found.n_users, "user"), counted(found.n_items, "item")
    if isinstance(found, Ratings):
        low, high = found.values.min(), found.values.max()
        return (
            f"{counted(len(found), 'rating')} from {low:g} to {high:g}; {n_users}, {n_items}, "
            f"{share:.2%} of the matrix known"
        )
    counts = ""
    if found.weights is not None:
        counts = f" with counts from {found.weights.min():g} to {found.weights.max():g}"
    return (
        f"{counted(len(found), 'interaction')}{counts}; {n_users}, {n_items}, "
        f"{share:.2%} of all pairs"
    )
