"""Rankings: the options that ask for their quality, and the tables that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import Output
from .groups import option, packed

if TYPE_CHECKING:
    from funksvd import CrossValidation, RankingEvaluation

RANKING = "Ranking"
"""Heading of these options."""
_option = partial(option, group=RANKING)
DEFAULT_N_BEST = 10
METRICS = {
    "precision": "precision",
    "recall": "recall",
    "ndcg": "NDCG",
    "map": "MAP",
    "mrr": "MRR",
    "hit_rate": "hit rate",
    "coverage": "coverage",
}
"""Labels of the rows, by the names of the metrics in the library."""
BASELINES = {"most_popular": "most popular", "regularized_biases": "biases only"}
"""Labels of the columns, by the names of the baselines in the library."""


class RankingTest(NamedTuple):
    """A test of how good the best items of users are.

    Parameters
    ----------
    n_best : int
        Number of best items of each user.
    relevant_from : float or None
        Rating from which on a user likes an item; None for the user's mean training rating.
    """

    n_best: int
    relevant_from: float | None


def _ranking(ranking: bool, n_best: int | None, relevant_from: float | None) -> RankingTest | None:
    if ranking:
        return RankingTest(n_best or DEFAULT_N_BEST, relevant_from)
    for name, value in (("-n", n_best), ("--relevant-from", relevant_from)):
        if value is not None:
            raise click.UsageError(f"{name} goes with --ranking")
    return None


ranking_options = packed(
    "ranking",
    _ranking,
    _option(
        "--ranking",
        is_flag=True,
        help="Test, too, whether the best items of users are those that they like.",
    ),
    _option(
        "-n",
        "n_best",
        metavar="N",
        type=click.IntRange(min=1),
        help=f"Number of best items of each user.  [default: {DEFAULT_N_BEST}]",
    ),
    _option(
        "--relevant-from",
        metavar="RATING",
        type=float,
        help="Rating from which on a user likes an item.  [default: the user's mean training "
        "rating]",
    ),
)
"""`--ranking`, `-n` and `--relevant-from`, as `ranking: RankingTest | None`."""


def show_ranking(output: Output, ranking: RankingEvaluation, title: str) -> None:
    """Print how good the best items of a model are, beside those of simpler recommenders."""
    model = ranking.model.to_dict()
    rows = []
    for metric, label in METRICS.items():
        interval = model["intervals"].get(metric)
        rows.append(
            [
                label,
                f"{model[metric]:.4f}",
                "{:.4f} to {:.4f}".format(*interval) if interval else "",
            ]
            + [f"{other.to_dict()[metric]:.4f}" for other in ranking.baselines.values()]
        )
    columns = (title, "95% interval", *(BASELINES[name] for name in ranking.baselines))
    users = "1 user counts" if ranking.n_users == 1 else f"{ranking.n_users:,} users count"
    _show(output, ranking, columns, rows, users, ranking.to_dict())


def show_mean_ranking(output: Output, result: CrossValidation, ranking: RankingEvaluation) -> None:
    """Print how good the best items of the models of all folds are, on average.

    Parameters
    ----------
    output : Output
    result : CrossValidation
    ranking : RankingEvaluation
        That of one of the folds, for what was asked.
    """
    mean, std = result.mean["ranking"], result.std["ranking"]
    rows = [
        [label, f"{mean[metric]:.4f}", f"{std[metric]:.4f}"]
        + [f"{mean['baselines'][name][metric]:.4f}" for name in BASELINES]
        for metric, label in METRICS.items()
    ]
    users = f"On average, {mean['n_users']:,.0f} users a fold count"
    _show(output, ranking, ("mean", "std", *BASELINES.values()), rows, users, mean)


def _show(
    output: Output,
    ranking: RankingEvaluation,
    columns: Sequence[str],
    rows: list[list[str]],
    users: str,
    counts: Mapping[str, Any],
) -> None:
    output.note()
    first = f"{ranking.n_best} best items"
    output.table((first, *columns), rows, [first])
    least = "the mean of the user's training ratings"
    if ranking.relevant_from is not None:
        least = f"{ranking.relevant_from:g}"
    output.note(
        f"Best of all {counts['n_items']:,.0f} items but those that the user rated in training\n"
        f"Relevant: a test rating of at least {least}; what was not rated is not\n"
        f"{users}; left out: {counts['users_without_relevant']:,.0f} without a relevant item, "
        f"{counts['unknown_users']:,.0f} unknown to the model"
    )
