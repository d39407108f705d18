"""Ratings of someone new: from a small file, or from the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from .console import Output, printable, report_reading
from .options import FILE

if TYPE_CHECKING:
    from funksvd import FunkSVD, Ratings, ReadOptions

MANY_UNKNOWN = 0.5


def newcomer_options(command: Callable) -> Callable:
    """`--ratings` and `--rate`."""
    command = click.option(
        "--rate",
        "rates",
        metavar="ITEM=RATING",
        multiple=True,
        help='A rating by someone new: an id, or with --items a title, as in "toy story=4.5"; '
        "may be repeated.",
    )(command)
    return click.option(
        "--ratings",
        "ratings_file",
        metavar="FILE",
        type=FILE,
        help="Ratings by someone new, or by several: columns item and rating, or user, too.",
    )(command)


def read_newcomers(
    output: Output,
    model: FunkSVD,
    path: str | None,
    rates: Sequence[str],
    read_options: ReadOptions,
    titles: dict[str, str] | None,
) -> Ratings:
    """The ratings of `--ratings` and `--rate`, of items that the model knows.

    Parameters
    ----------
    output : Output
        Told which titles were taken, and warned of what is odd.
    model : FunkSVD
    path : str or None
    rates : sequence of str
    read_options : ReadOptions
        How the file is to be read.
    titles : dict of str to str, or None
        Title by item.

    Raises
    ------
    RatingsError
        If a file cannot be read, or the model knows none of the items, or it is not clear which
        item is meant.
    """
    from funksvd import read_own_ratings

    ratings = None
    if path is not None:
        ratings = read_own_ratings(path, read_options)
        report_reading(output, ratings.report)
    if rates:
        ratings = _with_rates(output, model, ratings, rates, titles)
    known = _known(output, model, ratings)
    low, high = model.rating_scale
    odd = known.values[(known.values < low) | (known.values > high)]
    if len(odd):
        output.warn(
            f"{len(odd):,} of {len(known):,} ratings are outside of the scale that the model has "
            f"learned, {low:g} to {high:g}, for instance {odd[0]:g}"
        )
    return known


def _with_rates(
    output: Output,
    model: FunkSVD,
    ratings: Ratings | None,
    rates: Sequence[str],
    titles: dict[str, str] | None,
) -> Ratings:
    from funksvd import Ratings

    items, values = zip(*(_parsed(rate) for rate in rates), strict=True)
    names, items = items, [find_item(model, item, titles, "--rate: ") for item in items]
    _refuse_repeats(names, items, titles)
    for name, item, value in zip(names, items, values, strict=True):
        tell_item(output, f"Rated {value:g}", name, item, titles)
    if ratings is None:
        return Ratings.from_arrays([0] * len(items), items, values)
    if ratings.n_users > 1:
        raise click.UsageError(
            "--rate adds to the ratings of one person, but --ratings has several"
        )
    user = ratings.user_ids.tolist() * (len(ratings) + len(items))
    rated = [str(item) for item in (*ratings.item_ids[ratings.item_index].tolist(), *items)]
    return Ratings.from_arrays(user, rated, [*ratings.values.tolist(), *values])


def _refuse_repeats(
    names: Sequence[str], items: Sequence[int | str], titles: dict[str, str] | None
) -> None:
    """An item is rated once, whatever it is called."""
    first: dict[int | str, str] = {}
    for name, item in zip(names, items, strict=True):
        if item in first:
            title = (titles or {}).get(str(item))
            what = f"{title} ({item})" if title else f"item {item}"
            called = f", as {first[item]!r} and as {name!r}" if name != first[item] else ""
            raise click.BadParameter(f"{what} is rated twice{called}", param_hint="--rate")
        first[item] = name


def _parsed(rate: str) -> tuple[str, float]:
    item, equals, value = rate.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not equals or not item.strip() or not math.isfinite(number):
        raise click.BadParameter(
            f"{rate!r} is not an item and a rating, such as 318=4.5", param_hint="--rate"
        )
    return item.strip(), number


def find_item(
    model: FunkSVD, text: str, titles: dict[str, str] | None, asked_by: str = ""
) -> int | str:
    """The id, as the model has it, of an item that is named by id or by title.

    Parameters
    ----------
    model : FunkSVD
    text : str
    titles : dict of str to str, or None
        Title by item.
    asked_by : str
        What messages begin with.

    Raises
    ------
    RatingsError
        If the model knows no such item, or it is not clear which one is meant.
    """
    from funksvd import RatingsError
    from funksvd.ratings import TitleSearch

    row = model.items.rows([text])[0]
    if row < 0 and titles is None:
        raise RatingsError(
            f"{asked_by}the model knows no item with the id {text!r}; it knows "
            f"{len(model.items):,}, for instance {model.items.examples}; to find items by title, "
            "give --items FILE"
        )
    if row < 0:
        known = {
            str(item): titles[str(item)] for item in model.item_ids.tolist() if str(item) in titles
        }
        try:
            found = TitleSearch(known).find(text)
        except RatingsError as error:
            raise RatingsError(f"{asked_by}{error}") from None
        row = model.items.row(found)
    return model.items.label(row)


def tell_item(
    output: Output, what: str, name: str, item: int | str, titles: dict[str, str] | None
) -> None:
    """Say which item was taken; where that is a guess from a part of a title, in any case."""
    title = (titles or {}).get(str(item))
    text = f"{what}: {title} ({item})" if title else f"{what}: {item}"
    if output.notes:
        output.note(text)
    elif name != str(item) and name.casefold() != (title or "").casefold():
        click.echo(printable(text), err=True)


def _known(output: Output, model: FunkSVD, ratings: Ratings) -> Ratings:
    """The ratings of items that the model knows; loud about the others."""
    from funksvd import RatingsError

    is_known = ratings.items.translate(ratings.item_index, model.items) >= 0
    unknown = 1 - is_known.mean()
    examples = model.items.examples
    if model.items.holds_integers and not ratings.items.holds_integers:
        examples += (
            '; a file needs ids: titles are taken by --rate "TITLE=RATING" with --items FILE'
        )
    if unknown == 1:
        raise RatingsError(
            f"{ratings.source}: the model knows none of these {ratings.n_items:,} items "
            f"({ratings.items.examples}); are the item ids the same as in its training data? "
            f"The ids it knows look like {examples}"
        )
    others = ratings.subset(~is_known).compact().items
    text = (
        f"the model does not know the items of {unknown:.0%} of these ratings "
        f"({others.examples}); they are left out"
    )
    if unknown >= MANY_UNKNOWN:
        output.warn(
            f"{text}. Are the item ids the same as in its training data? It knows {examples}"
        )
    elif unknown:
        output.note(f"{text[:1].upper()}{text[1:]}")
    nobody = ratings.n_users - ratings.subset(is_known).compact().n_users
    if nobody:
        output.warn(
            f"of {nobody:,} of {ratings.n_users:,} users the model knows no rated item; what is "
            "recommended to them is what everyone likes"
        )
    return ratings.subset(is_known)
