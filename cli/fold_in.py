"""Ratings of users whom the model has not learned from, to fold them in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click

from .console import Output, counted
from .groups import option, packed
from .options import FILE
from .reading import report_reading
from .titles import Finder, Titles, named, tell_item

if TYPE_CHECKING:
    from funksvd import FunkSVD, Ratings, ReadOptions

FOLD_IN = "New users"
"""Heading of these options."""
_option = partial(option, group=FOLD_IN)
MANY_UNKNOWN = 0.5
"""Share of the ratings from which on it is warned that the model does not know their items."""


class NewRatings(NamedTuple):
    """Ratings of new users, as they were given.

    Parameters
    ----------
    ratings_file : str or None
        File of ratings of one user or of several.
    rates : tuple of str
        Ratings of one user, such as "318=4.5" or "toy story=4.5"; for a model of choices only,
        items that they have come to, such as "318".
    """

    ratings_file: str | None
    rates: tuple[str, ...]

    @property
    def are_given(self) -> bool:
        """Whether there are any."""
        return bool(self.ratings_file or self.rates)

    def read(
        self, output: Output, model: FunkSVD, reading: ReadOptions, titles: Titles | None
    ) -> Ratings:
        """Read the ratings of items that the model knows.

        For a model of choices only, an item without a rating counts as one that was liked.

        Parameters
        ----------
        output : Output
            Told which titles were found, and warned of what is odd.
        model : FunkSVD
        reading : ReadOptions
            How the file is read.
        titles : dict of str to str, or None
            Title by id.

        Raises
        ------
        RatingsError
            If a file cannot be read, or the model knows none of the items, or it is not clear
            which item is meant.
        """
        from funksvd import read_own_ratings

        ratings = None
        liked = None if "rating" in model.rankings else _value_of_liking(model)
        if self.ratings_file is not None:
            if liked is None or _has_learned_from_ratings(model):
                ratings = read_own_ratings(self.ratings_file, reading)
            else:
                ratings = _read_choices(self.ratings_file, reading, liked)
            report_reading(output, ratings.report)
            _warn_of_known_users(output, model, ratings)
            if titles is not None:
                ratings = _with_ids(output, model, ratings, titles)
        if self.rates:
            ratings = _with_rates(output, model, ratings, self.rates, titles, liked)
        if ratings is None:
            raise ValueError("no ratings were given")
        known = _known(output, model, ratings)
        if liked is not None:
            return known
        low, high = model.rating_scale
        outside = known.values[(known.values < low) | (known.values > high)]
        if len(outside):
            output.warn(
                f"{len(outside):,} of {len(known):,} ratings are outside of the scale that the "
                f"model has learned, {low:g} to {high:g}, for instance {outside[0]:g}"
            )
        return known


fold_in_options = packed(
    "new_ratings",
    NewRatings,
    _option(
        "--ratings",
        "ratings_file",
        metavar="FILE",
        type=FILE,
        help="Ratings of a new user, in columns item and rating; with a user column, of several. "
        "With --items, titles may stand for items. For a model of choices, items are enough.",
    ),
    _option(
        "--rate",
        "rates",
        metavar="ITEM=RATING",
        multiple=True,
        help='A rating of a new user. ITEM is an id, or with --items a title: "toy story=4.5"; '
        "may be given several times. For a model of choices, ITEM is enough.",
    ),
)
"""`--ratings` and `--rate`, as `new_ratings: NewRatings`."""


def _has_learned_from_ratings(model: FunkSVD) -> bool:
    """Whether the weights of a model of choices are by rating."""
    return model.fitted.choice_model.weighting.kind == "rating"


def _value_of_liking(model: FunkSVD) -> float:
    """The rating, or the count, of a thing that is liked, for a model of choices only."""
    weighting = model.fitted.choice_model.weighting
    return weighting.high if weighting.kind == "rating" else max(weighting.low, 1.0)


def _read_choices(path: str, reading: ReadOptions, liked: float) -> Ratings:
    """Items that users have come to: in columns user and item, perhaps a count; or one a line."""
    import numpy as np

    from funksvd import Ratings, RatingsError, read_clicks, read_ids

    try:
        clicks = read_clicks(path, reading)
    except RatingsError:
        items, report = read_ids(path, reading)
        ratings = Ratings.from_arrays([0] * len(items), items, [liked] * len(items))
        return replace(ratings, report=replace(report, names_users=False))
    counts = clicks.weights if clicks.weights is not None else np.full(len(clicks), liked)
    users, items = clicks.user_ids[clicks.user_index], clicks.item_ids[clicks.item_index]
    return replace(Ratings.from_arrays(users, items, counts), report=clicks.report)


def _warn_of_known_users(output: Output, model: FunkSVD, ratings: Ratings) -> None:
    """Warn that users are taken for new ones of whom the model knows some by their id."""
    from funksvd.ratings import first_few

    if ratings.report is not None and not ratings.report.names_users:
        return
    known = ratings.user_ids[model.users.rows(ratings.user_ids) >= 0]
    if len(known):
        whom = f"user {first_few(known)}"
        if len(known) > 1:
            whom = f"{len(known):,} of these users ({first_few(known)})"
        output.warn(
            f"{ratings.source}: the model knows {whom}, taken for new here: only these ratings "
            "count, and items that were rated elsewhere may be recommended. To ask for users as "
            "the model knows them, give --user or --users"
        )


def _with_ids(output: Output, model: FunkSVD, ratings: Ratings, titles: Titles) -> Ratings:
    """The ratings of a file with ids in the place of titles; what is no title stays."""
    import numpy as np

    from funksvd import Ratings, RatingsError

    if ratings.items.holds_integers:
        return ratings
    labels = ratings.item_ids.tolist()
    finder = Finder(model, titles)
    problems = []
    for at in np.flatnonzero(model.items.rows(labels) < 0).tolist():
        if labels[at] in titles:  # an id that the model does not know
            continue
        try:
            item = finder.find(labels[at])
        except RatingsError as error:
            problems.append(str(error))
            continue
        tell_item(output, "Rated", labels[at], item, titles)
        labels[at] = str(item)
    if problems:
        n_titles = counted(len(problems), "item")
        output.warn(f"{ratings.source}: {n_titles} could not be found; {problems[0]}")
    items = np.array(labels, dtype=object)[ratings.item_index]
    users = ratings.user_ids[ratings.user_index]
    found = Ratings.from_arrays(users, items, ratings.values, ratings.timestamps)
    return replace(found, report=ratings.report)


def _with_rates(
    output: Output,
    model: FunkSVD,
    ratings: Ratings | None,
    rates: Sequence[str],
    titles: Titles | None,
    liked: float | None,
) -> Ratings:
    """Add the ratings of `--rate` to those of a file, if there is one.

    Where the value of a thing that is liked is given, a rating may be missing.
    """
    from funksvd import Ratings

    texts, values = zip(*(_parsed(rate, liked) for rate in rates), strict=True)
    finder = Finder(model, titles)
    items = [finder.find(text, "--rate: ") for text in texts]
    _refuse_repeats(texts, items, titles)
    for text, item, value in zip(texts, items, values, strict=True):
        tell_item(output, f"Rated {value:g}" if liked is None else "Liked", text, item, titles)
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
    texts: Sequence[str], items: Sequence[int | str], titles: Titles | None
) -> None:
    """Refuse two ratings of one item, whatever it is called."""
    from funksvd.ratings import quoted

    first: dict[int | str, str] = {}
    for text, item in zip(texts, items, strict=True):
        if item in first:
            what = named(item, titles)
            if what == str(item):
                what = f"item {quoted(item)}"
            called = f", as {first[item]!r} and as {text!r}" if text != first[item] else ""
            raise click.BadParameter(f"{what} is rated twice{called}", param_hint="--rate")
        first[item] = text


def _parsed(rate: str, liked: float | None) -> tuple[str, float]:
    item, equals, value = rate.rpartition("=")
    if liked is not None and not equals and rate.strip():
        return rate.strip(), liked
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not equals or not item.strip() or not math.isfinite(number):
        raise click.BadParameter(
            f"{rate!r} is not an item and a rating, such as 318=4.5", param_hint="--rate"
        )
    return item.strip(), number


def _known(output: Output, model: FunkSVD, ratings: Ratings) -> Ratings:
    """The ratings of items that the model knows; warns of the others."""
    from funksvd import RatingsError

    is_known = ratings.items.translate(ratings.item_index, model.items) >= 0
    unknown = 1 - is_known.mean()
    examples = model.items.examples
    if model.items.holds_integers and not ratings.items.holds_integers:
        examples += "; titles are looked up where --items FILE gives those of the model's items"
    if unknown == 1:
        raise RatingsError(
            f"{ratings.source}: of {counted(ratings.n_items, 'item')}, the model knows none "
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
    n_without = ratings.n_users - ratings.subset(is_known).compact().n_users
    if n_without:
        output.warn(
            f"{n_without:,} of {ratings.n_users:,} users rated no item that the model knows; they "
            "are recommended what everyone likes"
        )
    return ratings.subset(is_known)
