"""Tables of the figures that `funksvd evaluate` comes to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .console import Output

if TYPE_CHECKING:
    from funksvd import CrossValidation, RankingEvaluation
    from funksvd.evaluation import FoldResult

LABELS = {
    "precision": "precision",
    "recall": "recall",
    "ndcg": "NDCG",
    "map": "MAP",
    "mrr": "MRR",
    "hit_rate": "hit rate",
    "coverage": "coverage",
}
COMPARED = {"most_popular": "most popular", "regularized_biases": "biases only"}

HEADER = ("learned from", "tested on", "RMSE", "MAE", "epochs", "training s", "testing s")
FORMATS = {
    "n_training": "{:,.0f}",
    "n_ratings": "{:,.0f}",
    "rmse": "{:.4f}",
    "mae": "{:.4f}",
    "best_epoch": "{:.0f}",
    "training_seconds": "{:.2f}",
    "test_seconds": "{:.2f}",
}
WIDTHS = (11, 12, 11, 8, 8, 6, 10, 9)


def show_fold_header() -> None:
    """The first line of the table of folds."""
    click.echo(click.style(_row("fold", HEADER), bold=True))


def show_fold(number: int, fold: FoldResult) -> None:
    """A fold's line of the table, as soon as it is known."""
    click.echo(_row(str(number + 1), _cells(fold.to_dict())))


def _row(label: str, cells: Sequence[str]) -> str:
    """A line of the table of folds, whose widths are known before its figures are."""
    padded = [cell.rjust(width) for cell, width in zip(cells, WIDTHS[1:], strict=True)]
    return "   ".join([label.ljust(WIDTHS[0]), *padded])


def _cells(figures: dict[str, Any]) -> list[str]:
    return [form.format(figures[name]) if name in figures else "" for name, form in FORMATS.items()]


def show_means(output: Output, result: CrossValidation) -> None:
    """The last lines of the table of folds, and a table of rankings where there are any."""
    mean, std = result.mean, result.std
    click.echo(_row("mean", _cells(mean)))
    click.echo(_row("std", ["", "", *_cells(std)[2:]]))
    click.echo(_row("biases only", _cells(mean["baselines"]["regularized_biases"])).rstrip())
    output.note(
        f"Unknown to the models: the user of {mean['unknown_users']:.2%} and the item of "
        f"{mean['unknown_items']:.2%} of the test ratings"
    )
    ranking = result.folds[0].ranking
    if ranking is None:
        return
    output.note()
    means, stds = mean["ranking"], std["ranking"]
    rows = [
        [label, f"{means[name]:.4f}", f"{stds[name]:.4f}"]
        + [f"{means['baselines'][other][name]:.4f}" for other in COMPARED]
        for name, label in LABELS.items()
    ]
    first = f"{ranking.n_best} best items"
    output.table((first, "mean", "std", *COMPARED.values()), rows, [first])
    users = f"On average, {means['n_users']:,.0f} users a fold count"
    _explain(output, ranking, users, means)


def show_ranking(output: Output, ranking: RankingEvaluation, title: str) -> None:
    """A table of how good the best items are, beside those of simpler recommenders."""
    output.note()
    first = f"{ranking.n_best} best items"
    model = ranking.model.to_dict()
    rows = []
    for name, label in LABELS.items():
        interval = model["intervals"].get(name)
        rows.append(
            [label, f"{model[name]:.4f}", "{:.4f} to {:.4f}".format(*interval) if interval else ""]
            + [f"{other.to_dict()[name]:.4f}" for other in ranking.baselines.values()]
        )
    header = (first, title, "95% interval")
    output.table((*header, *(COMPARED[name] for name in ranking.baselines)), rows, [first])
    users = "1 user counts" if ranking.n_users == 1 else f"{ranking.n_users:,} users count"
    _explain(output, ranking, users, ranking.to_dict())


def _explain(
    output: Output, ranking: RankingEvaluation, users: str, figures: dict[str, Any]
) -> None:
    least = "the mean of the user's training ratings"
    if ranking.relevant_from is not None:
        least = f"{ranking.relevant_from:g}"
    output.note(
        f"Best of all {figures['n_items']:,.0f} items but those that the user rated in training\n"
        f"Relevant: a test rating of at least {least}; what was not rated is not\n"
        f"{users}; left out: {figures['users_without_relevant']:,.0f} without a relevant item, "
        f"{figures['unknown_users']:,.0f} unknown to the model"
    )
