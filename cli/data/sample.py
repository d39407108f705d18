"""`funksvd data sample`: some of the ratings or interactions, chosen at random."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..console import Output, counted
from ..groups import GroupedCommand, option
from ..options import FILE, output_options
from ..reading import describe_ratings, read_any, reading_options
from .files import RatingsFile, warn_of_rounding, writing_options

if TYPE_CHECKING:
    from funksvd import ReadOptions


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd data sample ml-25m.zip --users 1000 -o small.csv
  funksvd data sample ratings.csv --ratings 5000 --seed 1 -o few.parquet""",
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@option(
    "--users", "n_users", metavar="N", type=click.IntRange(min=1), help="Number of users to keep."
)
@option(
    "--items", "n_items", metavar="N", type=click.IntRange(min=1), help="Number of items to keep."
)
@option(
    "--ratings",
    "n_ratings",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of ratings, or interactions, to keep of those by these users of these items.",
)
@option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Same seed, same sample.",
)
@reading_options
@writing_options
@output_options
def sample(
    ratings: tuple[str, ...],
    *,
    n_users: int | None,
    n_items: int | None,
    n_ratings: int | None,
    seed: int,
    reading: ReadOptions,
    target: RatingsFile,
    output: Output,
) -> None:
    """Write some of RATINGS, chosen at random.

    With --users, the users that are chosen keep all their ratings, so that the sample is as dense
    as the whole; with --ratings alone it is thinner.
    """
    from funksvd.ratings import sample as sample_of

    if not (n_users or n_items or n_ratings):
        raise click.UsageError("how much? Give --users, --items or --ratings")
    target.prepare(output, ratings)
    everything = read_any(output, ratings, reading, keep_equal=True)
    warn_of_rounding(output, everything)
    found = sample_of(everything, n_users=n_users, n_items=n_items, n_ratings=n_ratings, seed=seed)
    for what, wanted, n_all in (
        ("user", n_users, everything.n_users),
        ("item", n_items, everything.n_items),
        (everything.noun.removesuffix("s"), n_ratings, len(everything)),
    ):
        if wanted is not None and wanted > n_all:
            output.note(f"There are only {counted(n_all, what)}: all of them are kept")
    output.note(describe_ratings(found))
    target.write(output, found)
    if output.as_json and not target.is_standard_output:
        counts = {f"n_{found.noun}": len(found), "n_users": found.n_users, "n_items": found.n_items}
        output.json({"output": target.path, "format": target.format, **counts})
