"""`funksvd data`: get ratings, look at them, make other files of them."""

from __future__ import annotations

import click

from ..groups import CommandGroup

COMMANDS = {
    "fetch": "Download a data set, or list those that there are.",
    "describe": "Show what RATINGS look like, and what may be wrong with them.",
    "split": "Write a part of RATINGS to learn from, and a part to test on.",
    "convert": "Write RATINGS as CSV, Parquet or LIBMF text.",
    "sample": "Write some of RATINGS, chosen at random.",
}
"""The commands and the first lines of their help texts, as they are used, one after another."""


@click.group(
    cls=CommandGroup,
    package=__package__,
    summaries=COMMANDS,
    epilog="""\b
Examples:
  funksvd data fetch ml-1m
  funksvd data describe ratings.csv""",
)
def data() -> None:
    """Get ratings, look at them, make other files of them."""
