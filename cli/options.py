"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from funksvd import ReadOptions

DEFAULT_MODEL = "model.funksvd"

READING = (
    click.option("--sep", help='Column separator, such as ";", "::" or "tab".  [detected]'),
    click.option(
        "--user-col", metavar="NAME", help="User column, by name or by number from 1.  [detected]"
    ),
    click.option("--item-col", metavar="NAME", help="Item column.  [detected]"),
    click.option("--rating-col", metavar="NAME", help="Rating column.  [detected]"),
    click.option(
        "--timestamp-col",
        metavar="NAME",
        help='Timestamp column; "none" to ignore it.  [detected]',
    ),
    click.option(
        "--encoding",
        metavar="NAME",
        default="utf-8",
        show_default=True,
        help="Encoding of text files.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice(["last", "first", "mean", "error"]),
        default="last",
        show_default=True,
        help="What to keep of several ratings of one item by one user.",
    ),
    click.option(
        "--on-bad-rows",
        type=click.Choice(["error", "skip"]),
        default="error",
        show_default=True,
        help="Stop at rows that cannot be read, or drop and count them.",
    ),
)
READING_NAMES = (
    "sep",
    "user_col",
    "item_col",
    "rating_col",
    "timestamp_col",
    "encoding",
    "duplicates",
    "on_bad_rows",
)


def reading_options(command: Callable) -> Callable:
    """How ratings files are read."""
    for option in reversed(READING):
        command = option(command)
    return command


def output_options(command: Callable) -> Callable:
    """`--json` and `--quiet`."""
    command = click.option("--quiet", "-q", is_flag=True, help="Print results and errors only.")(
        command
    )
    return click.option("as_json", "--json", is_flag=True, help="Print one JSON value.")(command)


def model_option(command: Callable) -> Callable:
    """`--model`."""
    return click.option(
        "--model",
        "-m",
        "model_path",
        metavar="FILE",
        default=DEFAULT_MODEL,
        show_default=True,
        help="Model file.",
    )(command)


def threads_option(command: Callable) -> Callable:
    """`--threads`."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads to use; does not change the result.  [default: all processors]",
    )(command)


def take_read_options(options: dict[str, Any]) -> ReadOptions:
    """Take the reading options out of a command's options."""
    from funksvd import ReadOptions

    return ReadOptions(**{name: options.pop(name) for name in READING_NAMES})


def refuse_to_overwrite(path: str | None, inputs: Iterable[str | None]) -> None:
    """Refuse an output file that is one of the command's inputs."""
    for name in inputs:
        there = path and name and os.path.exists(path) and os.path.exists(name)
        if there and os.path.samefile(path, name):
            raise click.BadParameter(f"{path} is read by this command too", param_hint="-o")
