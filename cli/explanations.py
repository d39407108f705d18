"""Explanations of recommendations: by the ratings that speak for and against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import Output, printable
from .models import ratings_of
from .titles import Titles, named

if TYPE_CHECKING:
    import numpy as np

    from funksvd import FunkSVD
    from funksvd.learned.explain import Explanation

N_SHOWN = 3
"""Number of ratings that are shown for and against a recommendation, each."""
REMEDY = (
    "train again with `funksvd train`, or give the user's ratings with --ratings FILE, as those of "
    "a new user"
)


def ratings_of_user(model: FunkSVD, path: str, user: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the ratings of a user again that the model has learned from.

    Returns
    -------
    item_ids, values : ndarray of shape (n_rated,)

    Raises
    ------
    UnknownIdError
        If the model does not know the user.
    FunkSVDError
        If the ratings that the model was trained on cannot be read again.
    """
    training = ratings_of(model, path, REMEDY).all_but_test
    mine = training.subset(training.user_index == training.users.rows([user])[0])
    if model.seen is not None:
        mine = mine.subset(model.seen.contains(*mine.index_for(model.users, model.items)))
    return mine.item_ids[mine.item_index], mine.values


def show_explanations(
    output: Output, explanations: list[Explanation], titles: Titles | None
) -> None:
    """Print a block for each recommendation, which adds up to its prediction; or JSON."""
    if output.as_json:
        output.json([_plain(rank, e, titles) for rank, e in enumerate(explanations, start=1)])
        return
    for rank, explanation in enumerate(explanations, start=1):
        if rank > 1:
            click.echo()
        title = _printed(explanation.item, titles)
        click.echo(click.style(f"{rank}. {title}: {explanation.prediction:.3f}", bold=True))
        for amount, text in _lines(explanation, titles):
            click.echo(f"  {amount}  {text}")


def _lines(e: Explanation, titles: Titles | None) -> list[tuple[str, str]]:
    """The amounts that add up to a prediction, and what each of them is."""
    strongest = [*e.speaking_for(N_SHOWN), *e.speaking_against(N_SHOWN)[::-1]]
    lines = [(f"{e.global_mean + e.item_bias:7.3f}", "what everyone thinks of it")]
    lines += [
        (f"{e.contributions[at]:+7.3f}", f"rated {e.ratings[at]:g}: {_printed(rated, titles)}")
        for at, rated in zip(strongest, e.rated[strongest].tolist(), strict=True)
    ]
    n_others = len(e.contributions) - len(strongest)
    if n_others:
        others = e.contributions.sum() - e.contributions[strongest].sum()
        what = "the other rating" if n_others == 1 else f"{n_others:,} other ratings"
        lines.append((f"{others:+7.3f}", what))
    if e.rest:
        lines.append((f"{e.rest:+7.3f}", "what training knows of the user besides"))
    if e.limit:
        lines.append((f"{e.limit:+7.3f}", "to stay within the rating scale"))
    return lines


def _printed(item: int | str, titles: Titles | None) -> str:
    return printable(named(item, titles), keep="")


def _plain(rank: int, e: Explanation, titles: Titles | None) -> dict[str, object]:
    def item(label: int | str) -> dict[str, object]:
        return {"item": label, **({"title": titles.get(str(label), "")} if titles else {})}

    parts = zip(e.rated.tolist(), e.ratings.tolist(), e.contributions.tolist(), strict=True)
    return {
        "rank": rank,
        **item(e.item),
        "prediction": e.prediction,
        "global_mean": e.global_mean,
        "item_bias": e.item_bias,
        "contributions": [
            {**item(label), "rating": rating, "contribution": contribution}
            for label, rating, contribution in sorted(parts, key=lambda part: -part[2])
        ],
        "rest": e.rest,
        "limit": e.limit,
    }
