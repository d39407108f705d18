"""`funksvd data describe`: counts and distributions of ratings or interactions, and mistakes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..console import Output
from ..groups import GroupedCommand
from ..options import FILE, output_options
from ..reading import layout_options

if TYPE_CHECKING:
    from funksvd import Interactions, ReadOptions
    from funksvd.ratings import Bar, Description
    from funksvd.ratings.interaction_description import InteractionDescription

BAR_WIDTH = 40
"""Columns of the longest bar of the histogram."""


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd data describe ratings.csv
  funksvd data describe ml-25m.zip --json""",
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@layout_options
@output_options
def describe(ratings: tuple[str, ...], *, reading: ReadOptions, output: Output) -> None:
    """Show what RATINGS look like, and what may be wrong with them.

    For interactions without ratings, it is how often users dealt with items instead.

    Shown are counts, density, the distribution of the ratings, how many of them users and items
    have, rows that cannot be used, ratings that repeat a pair of user and item, and what else looks
    like a mistake: a code for no rating among the ratings, users who rate everything the same, ids
    that differ in capitals only.
    """
    from funksvd import Ratings, read_data
    from funksvd.ratings import describe as description_of

    with output.busy("Reading"):
        found = read_data(list(ratings), reading)
    if found.report is not None:
        output.note(f"Read {found.report.detected}\n")
    if not isinstance(found, Ratings):
        _describe_interactions(output, found)
        return
    with output.busy("Counting"):
        description = description_of(found)
    if output.as_json:
        output.json(description.to_dict())
        return
    output.table(("ratings", f"{description.n_ratings:,}"), _facts(description), ("ratings",))
    click.echo()
    _show_histogram(output, description.histogram)
    _show_the_rest(output, description, "ratings")


def _describe_interactions(output: Output, found: Interactions) -> None:
    from funksvd.ratings.interaction_description import describe_interactions

    with output.busy("Counting"):
        description = describe_interactions(found)
    if output.as_json:
        output.json(description.to_dict())
        return
    for note in description.notes:
        output.note(f"{note}.")
    output.note("`funksvd train` learns from them which items users choose, not how they rate.\n")
    counts = description.counts
    facts = [
        ("users", f"{description.n_users:,}"),
        ("items", f"{description.n_items:,}"),
        ("share of all pairs", f"{description.density:.3%}"),
    ]
    if counts is not None:
        facts.append(("sum of the counts", f"{counts.total:,.10g}"))
        facts.append(("pairs that count more than once", f"{counts.n_above_one:,}"))
    facts += _facts_of_rows(description, "dealt with")
    output.table(("interactions", f"{description.n_interactions:,}"), facts, ("interactions",))
    if counts is not None:
        click.echo()
        header = ("count", *counts.quantiles, "mean")
        row = ("of a pair", *(f"{n:,g}" for n in counts.quantiles.values()), f"{counts.mean:,.1f}")
        output.table(header, [row], ("count",))
    _show_the_rest(output, description, "interactions")


def _show_the_rest(
    output: Output, description: Description | InteractionDescription, noun: str
) -> None:
    """The distributions over users and items, bad rows and doubts."""
    click.echo()
    spreads = {"of a user": description.activity, "of an item": description.popularity}
    header = (noun, *description.activity.quantiles, "mean", "with one only")
    rows = [
        (name, *(f"{n:,}" for n in spread.quantiles.values()), f"{spread.mean:,.1f}",
         f"{spread.n_single:,}")
        for name, spread in spreads.items()
    ]  # fmt: skip
    output.table(header, rows, (noun,))
    for row in description.bad_rows:
        output.warn(f"{row}")
    if description.n_bad_rows > len(description.bad_rows):
        n_more = description.n_bad_rows - len(description.bad_rows)
        output.warn(f"{n_more:,} more rows cannot be used")
    for doubt in description.doubts:
        output.warn(doubt)


def _facts(description: Description) -> list[tuple[str, str]]:
    facts = [
        ("users", f"{description.n_users:,}"),
        ("items", f"{description.n_items:,}"),
        ("known share of the matrix", f"{description.density:.3%}"),
        ("mean rating", f"{description.mean:.4f}"),
        ("standard deviation", f"{description.std:.4f}"),
    ]
    return facts + _facts_of_rows(description, "rated")


def _facts_of_rows(
    description: Description | InteractionDescription, verb: str
) -> list[tuple[str, str]]:
    """Their period, and numbers of rows that were left out or repeat a pair."""
    facts = []
    if description.period:
        facts.append((verb, " to ".join(description.period)))
    elif description.first_time is not None:
        facts.append(("timestamps", f"{description.first_time} to {description.last_time}"))
    facts.append(("rows that cannot be used", f"{description.n_bad_rows:,}"))
    facts.append(("repeats of a (user, item) pair", f"{description.n_duplicates:,}"))
    return facts


def _show_histogram(output: Output, bars: list[Bar]) -> None:
    n_all = sum(bar.n_ratings for bar in bars)
    most = max(bar.n_ratings for bar in bars)
    block = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    rows = []
    for bar in bars:
        value = f"{bar.low:g}" if bar.low == bar.high else f"{bar.low:g} to {bar.high:g}"
        length = round(BAR_WIDTH * bar.n_ratings / most)
        share = f"{bar.n_ratings / n_all:.1%}"
        rows.append((value, f"{bar.n_ratings:,}", share, block * length))
    output.table(("rating", "number", "share", ""), rows, ("",))
