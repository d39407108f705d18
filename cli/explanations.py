"""Explanations of recommendations: by the items that speak for and against them.

A list by rating is explained by predictions, each as a sum. Other lists are explained by what each
of the user's items adds to the scores that they are ordered by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .console import Output, printable
from .models import ratings_of
from .titles import Titles, named

if TYPE_CHECKING:
    import numpy as np

    from funksvd import FunkSVD
    from funksvd.learned.explain import Explanation
    from funksvd.listing import Recommendation
    from funksvd.reasons import Because

N_SHOWN = 3
"""Number of items that are shown for and against a recommendation, each."""
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


def show_reasons(
    output: Output, listed: Sequence[Recommendation], because: Because, titles: Titles | None
) -> None:
    """Print a block for each recommendation, with the items that speak for it first; or JSON."""
    if output.as_json:
        output.json(
            [
                _plain_reasons(rank, each, because, parts, titles)
                for rank, (each, parts) in enumerate(
                    zip(listed, because.contributions, strict=True), start=1
                )
            ]
        )
        return
    unit = "the logarithm of the score" if because.by == "both" else "the score"
    output.note(f"What each of the user's items adds to {unit}, more than to that of all items\n")
    for rank, (each, parts) in enumerate(zip(listed, because.contributions, strict=True), start=1):
        if rank > 1:
            click.echo()
        head = f"{rank}. {_printed(each.item, titles)}: score {each.score:.3f}"
        if each.prediction is not None:
            head += f", predicted rating {each.prediction:.3f}"
        click.echo(click.style(head, bold=True))
        for amount, text in _reason_lines(because, parts, titles):
            click.echo(f"  {amount}  {text}")


def _reason_lines(
    because: Because, parts: np.ndarray, titles: Titles | None
) -> list[tuple[str, str]]:
    """The strongest reasons, those for an item first and largest first."""
    from funksvd.learned.explain import strongest_for

    strongest = [*strongest_for(parts, N_SHOWN), *strongest_for(-parts, N_SHOWN)[::-1]]
    if not strongest:
        return [(" " * 7, "nothing that speaks for it more than for other items")]
    rated = because.rated[strongest].tolist()
    texts = [f"{_dealings(because.ratings, at)}: " for at in strongest]
    return [
        (f"{parts[at]:+7.3f}", text + _printed(item, titles))
        for at, text, item in zip(strongest, texts, rated, strict=True)
    ]


def _dealings(ratings: np.ndarray | None, at: int) -> str:
    """What the user has done with an item."""
    return "dealt with" if ratings is None else f"rated {ratings[at]:g}"


def _plain_reasons(
    rank: int,
    listed: Recommendation,
    because: Because,
    parts: np.ndarray,
    titles: Titles | None,
) -> dict[str, object]:
    rated, amounts = because.rated.tolist(), parts.tolist()
    reasons = [
        _item(rated[at], titles)
        | ({} if because.ratings is None else {"rating": float(because.ratings[at])})
        | {"contribution": amounts[at]}
        for at in sorted(range(len(rated)), key=lambda at: -amounts[at])
    ]
    return {
        "rank": rank,
        **_item(listed.item, titles),
        "by": because.by,
        "score": listed.score,
        "prediction": listed.prediction,
        "because": reasons,
    }


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


def _item(label: int | str, titles: Titles | None) -> dict[str, object]:
    return {"item": label, **({"title": titles.get(str(label), "")} if titles else {})}


def _plain(rank: int, e: Explanation, titles: Titles | None) -> dict[str, object]:
    parts = zip(e.rated.tolist(), e.ratings.tolist(), e.contributions.tolist(), strict=True)
    return {
        "rank": rank,
        **_item(e.item, titles),
        "prediction": e.prediction,
        "global_mean": e.global_mean,
        "item_bias": e.item_bias,
        "contributions": [
            {**_item(label, titles), "rating": rating, "contribution": contribution}
            for label, rating, contribution in sorted(parts, key=lambda part: -part[2])
        ],
        "rest": e.rest,
        "limit": e.limit,
    }
