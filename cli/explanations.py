"""How recommendations are explained: by the ratings that speak for and against them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .console import Output

if TYPE_CHECKING:
    import numpy as np

    from funksvd import FunkSVD
    from funksvd.learned.explain import Explanation

N_SHOWN = 3
REMEDY = "give the user's ratings with --ratings FILE, as those of someone new"


def ratings_of_user(model: FunkSVD, path: str, user: str) -> tuple[np.ndarray, np.ndarray]:
    """What the model has learned from a user: item ids and ratings, read again.

    Raises
    ------
    UnknownIdError
        If the model does not know the user.
    FunkSVDError
        If the ratings that the model was trained on cannot be read again.
    """
    from funksvd import FunkSVDError, rebuild

    if model.provenance is None:
        raise FunkSVDError(
            f"{path}: the model does not record which ratings it was trained on, so its users' "
            f"ratings are not known; train again with `funksvd train`, or {REMEDY}"
        )
    folder = os.path.dirname(os.path.realpath(path))
    training = rebuild(
        model.provenance, folder, remedy=REMEDY, with_interactions=False
    ).all_but_test
    mine = training.subset(training.user_index == training.users.rows([user])[0])
    if model.seen is not None:
        mine = mine.subset(model.seen.contains(*mine.index_for(model.users, model.items)))
    return mine.item_ids[mine.item_index], mine.values


def show_explanations(
    output: Output, explanations: list[Explanation], titles: dict[str, str] | None
) -> None:
    """A block for each recommendation, which adds up to its prediction; or all of it as JSON."""
    if output.as_json:
        output.json([_plain(rank, e, titles) for rank, e in enumerate(explanations, start=1)])
        return
    for rank, explanation in enumerate(explanations, start=1):
        if rank > 1:
            click.echo()
        click.echo(
            click.style(
                f"{rank}. {_named(explanation.item, titles)}: {explanation.prediction:.3f}",
                bold=True,
            )
        )
        for amount, text in _lines(explanation, titles):
            click.echo(f"  {amount}  {text}")


def _lines(e: Explanation, titles: dict[str, str] | None) -> list[tuple[str, str]]:
    strongest = [*e.speaking_for(N_SHOWN), *e.speaking_against(N_SHOWN)[::-1]]
    lines = [(f"{e.global_mean + e.item_bias:7.3f}", "what everyone thinks of it")]
    lines += [
        (f"{e.contributions[at]:+7.3f}", f"rated {e.ratings[at]:g}: {_named(rated, titles)}")
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


def _named(item: int | str, titles: dict[str, str] | None) -> str:
    from .console import printable

    title = (titles or {}).get(str(item))
    return printable(f"{title} ({item})" if title else str(item), keep="")


def _plain(rank: int, e: Explanation, titles: dict[str, str] | None) -> dict[str, Any]:
    def item(label: int | str) -> dict[str, Any]:
        return {"item": label} | ({"title": titles.get(str(label), "")} if titles else {})

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
