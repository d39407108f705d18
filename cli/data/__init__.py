"""`funksvd data`: get ratings, look at them, make other files of them."""

from __future__ import annotations

import click

from ..groups import InOrder
from .convert import convert
from .describe import describe
from .fetch import fetch
from .sample import sample
from .split import split


@click.group(
    cls=InOrder,
    epilog="""\b
Examples:
  funksvd data fetch ml-1m
  funksvd data describe ratings.csv""",
)
def data() -> None:
    """Get ratings, look at them, make other files of them."""


for command in (fetch, describe, split, convert, sample):
    data.add_command(command)
