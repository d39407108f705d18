"""`funksvd data sample`: some of the ratings."""

from __future__ import annotations

from typing import Any

import click

from ..console import Output, counted, describe_ratings
from ..options import FILE, output_options, reading_options, take_read_options
from .files import format_of, read, write, writing_options


@click.command(
    epilog="""\b
Examples:
  funksvd data sample ml-25m.zip --users 1000 -o small.csv
  funksvd data sample ratings.csv --ratings 5000 --seed 1 -o few.parquet"""
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@writing_options
@click.option("--users", type=click.IntRange(min=1), help="Keep so many users, chosen at random.")
@click.option("--items", type=click.IntRange(min=1), help="Keep so many items, likewise.")
@click.option(
    "n_ratings",
    "--ratings",
    type=click.IntRange(min=1),
    help="Keep so many of the ratings that are left, likewise.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Same seed, same sample.",
)
@reading_options
@output_options
def sample(ratings: tuple[str, ...], **options: Any) -> None:
    """Write some of RATINGS, chosen at random.

    With --users, the users that are chosen keep all their ratings, so that the sample is as dense
    as the whole; with --ratings alone it is thinner.
    """
    from funksvd.ratings import sample as sample_of

    output = Output.of(options)
    read_options = take_read_options(options)
    numbers = {
        "n_users": options["users"],
        "n_items": options["items"],
        "n_ratings": options["n_ratings"],
    }
    if not any(numbers.values()):
        raise click.UsageError("how much? Give --users, --items or --ratings")
    path = options["output"]
    file_format = format_of(path, options["file_format"])
    if path == "-":
        output.notes = False
    everything = read(output, ratings, read_options)
    found = sample_of(everything, **numbers, seed=options["seed"])
    for what, wanted, n_all in (
        ("user", options["users"], everything.n_users),
        ("item", options["items"], everything.n_items),
        ("rating", options["n_ratings"], len(everything)),
    ):
        if wanted is not None and wanted > n_all:
            output.note(f"There are only {counted(n_all, what)}: all of them are kept")
    output.note(describe_ratings(found))
    write(output, found, path, file_format, ratings)
    if output.as_json and path != "-":
        counts = {"n_ratings": len(found), "n_users": found.n_users, "n_items": found.n_items}
        output.json({"output": path, "format": file_format, **counts})
