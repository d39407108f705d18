"""Rankings: the options that ask for their quality, and the tables that show it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from funksvd.rankings import TITLES

from .console import Output
from .groups import option, packed
from .options import FILE
from .tables import FORMAT_OF_SUFFIX, Destination
from .writing import check_output

if TYPE_CHECKING:
    from funksvd import CrossValidation, FunkSVD, RankingEvaluation
    from funksvd.evaluation.relevance import Least, Rule

RANKING = "Ranking"
"""Heading of these options."""
_option = partial(option, group=RANKING)
DEFAULT_N_BEST = 10
RELEVANT_BY_DEFAULT: Rule = "liked"
RULES = {
    "liked": "three quarters up the scale, 4 of 1 to 5",
    "user-mean": "the mean of the user's training ratings",
    "all": "any test pair",
}
"""Words that `--relevant-from` takes besides a rating, and what they mean."""
ACCURACY = {
    "ndcg": "NDCG",
    "precision": "precision",
    "recall": "recall",
    "map": "MAP",
    "mrr": "MRR",
    "hit_rate": "hit rate",
}
"""Labels of the columns of the first table, by the names of the metrics in the library."""
BEYOND_ACCURACY = {
    "coverage": "coverage",
    "gini": "Gini",
    "novelty": "novelty",
    "intra_list_similarity": "similarity",
}
"""Labels of the columns of the second table."""
LEGEND = (
    "Coverage: share of all items that is in a list. Gini: 0 if all are listed equally often, 1 if "
    "one\nhas all places. Novelty: bits, 10 for items that 1 user in 1,024 has. Similarity: cosine "
    "of the sets\nof users who have the items of a list"
)
"""What the second table shows, for people."""


class _RelevantFrom(click.ParamType[object]):
    """A rating, or one of some words."""

    name = "relevant"

    def __init__(self, rules: Sequence[str]) -> None:
        self.rules = rules

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """The number, or the word."""
        if value in self.rules:
            return value
        try:
            return float(value)
        except ValueError:
            *words, last = self.rules
            self.fail(f"{value!r} is neither a rating nor {', '.join(words)} or {last}", param, ctx)


class RankingTest(NamedTuple):
    """A test of how good the best items of users are.

    Parameters
    ----------
    n_best : int
        Number of best items of each user.
    relevant_from : float, "liked", "user-mean" or "all"
        Lowest test rating that makes an item relevant, as `evaluate_ranking` takes it.
    per_user : str or None
        File for the figures of each user.
    """

    n_best: int = DEFAULT_N_BEST
    relevant_from: float | Rule = RELEVANT_BY_DEFAULT
    per_user: str | None = None

    def check_file(self, inputs: Sequence[str | None]) -> None:
        """Find out before the work is done whether the file for each user can be written."""
        if self.per_user is None:
            return
        if os.path.splitext(self.per_user)[1].lower() not in FORMAT_OF_SUFFIX:
            *suffixes, last = FORMAT_OF_SUFFIX
            raise click.BadParameter(
                f"the name of the file tells its format: {self.per_user} must end in "
                f"{', '.join(suffixes)} or {last}",
                param_hint="--per-user",
            )
        check_output(self.per_user, inputs, "--per-user")

    def write_file(self, output: Output, quality: RankingEvaluation) -> None:
        """Write the figures of each user, if that was asked for."""
        if self.per_user is None:
            return
        file_format = FORMAT_OF_SUFFIX[os.path.splitext(self.per_user)[1].lower()]
        n_rows = quality.n_users * len(quality.recommenders)
        Destination(self.per_user, file_format).write(output, quality.by_user(), n_rows)


class RankingOptions(NamedTuple):
    """What was said about the test of rankings, whether there is one or not.

    Parameters
    ----------
    asked : bool
        Whether there is to be one for a model that predicts ratings.
    test : RankingTest
    """

    asked: bool
    test: RankingTest

    def for_model(self, *, predicts: bool) -> RankingTest | None:
        """The test; None for a model that predicts ratings, if it was not asked for."""
        return self.test if self.asked or not predicts else None


def _ranking(
    ranking: bool,
    n_best: int | None,
    relevant_from: float | Rule | None,
    per_user: str | None = None,
) -> RankingOptions:
    given = {"-n": n_best, "--relevant-from": relevant_from, "--per-user": per_user}
    test = RankingTest(
        n_best or DEFAULT_N_BEST,
        RELEVANT_BY_DEFAULT if relevant_from is None else relevant_from,
        per_user,
    )
    return RankingOptions(ranking or any(value is not None for value in given.values()), test)


n_best_option = _option(
    "-n",
    "n_best",
    metavar="N",
    type=click.IntRange(min=1),
    help=f"Number of best items of each user.  [default: {DEFAULT_N_BEST}]",
)
"""`-n`, as `n_best: int | None`."""


def relevant_from_option(rules: Sequence[str]) -> Callable[[Any], Any]:
    """`--relevant-from`, as `relevant_from: float | Rule | None`, with some of `RULES`."""
    words = "; ".join(f"{name}: {RULES[name]}" for name in rules)
    return _option(
        "--relevant-from",
        metavar="RATING",
        type=_RelevantFrom(rules),
        help=f"Lowest test rating that makes an item relevant. {words}.  "
        f"[default: {RELEVANT_BY_DEFAULT}]",
    )


_OPTIONS = (
    _option(
        "--ranking",
        is_flag=True,
        help="Test, too, whether the best items of users are those that they like. A model that "
        "has learned from no ratings is always tested so.",
    ),
    n_best_option,
    relevant_from_option(tuple(RULES)),
)
ranking_options = packed("ranking", _ranking, *_OPTIONS)
"""`--ranking`, `-n` and `--relevant-from`, as `ranking: RankingOptions`; any of them asks."""
ranking_options_with_file = packed(
    "ranking",
    _ranking,
    *_OPTIONS,
    _option(
        "--per-user",
        metavar="FILE",
        type=FILE,
        help="File for the figures of each user: .csv, .parquet or .json.",
    ),
)
"""The same with `--per-user`."""


def predicts_ratings(model: FunkSVD) -> bool:
    """Whether a model has learned from ratings; otherwise it only makes lists."""
    return "rating" in model.rankings


def show_ranking(output: Output, ranking: RankingEvaluation) -> None:
    """Print how good the best items are, by the rankings of a model and by simpler recommenders."""
    figures = {name: quality.to_dict() for name, quality in ranking.recommenders.items()}
    spread = {
        name: "{:.4f} to {:.4f}".format(*each["intervals"]["ndcg"])
        for name, each in figures.items()
    }
    users = "1 user counts" if ranking.n_users == 1 else f"{ranking.n_users:,} users count"
    _show(output, ranking, figures, ("95% interval", spread), users, ranking.to_dict())


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
    spread = {name: f"{each['ndcg']:.4f}" for name, each in std["recommenders"].items()}
    users = f"On average, {mean['n_users']:,.0f} users a fold count"
    _show(output, ranking, mean["recommenders"], ("std", spread), users, mean)


def _show(
    output: Output,
    ranking: RankingEvaluation,
    figures: Mapping[str, Mapping[str, float]],
    spread: tuple[str, Mapping[str, str]],
    users: str,
    counts: Mapping[str, Any],
) -> None:
    """Print both tables; `spread` is a column of the first one: its label, and cells by name."""
    first = f"{ranking.n_best} best items"
    accuracy, (label, of_ndcg) = list(ACCURACY.values()), spread
    rows = [
        [TITLES[name], *(f"{each[metric]:.4f}" for metric in ACCURACY)]
        for name, each in figures.items()
    ]
    for row, name in zip(rows, figures, strict=True):
        row.insert(2, of_ndcg[name])
    output.table((first, accuracy[0], label, *accuracy[1:]), rows, [first])
    click.echo()
    rows = [
        [TITLES[name], *(f"{each[metric]:.4f}" for metric in BEYOND_ACCURACY)]
        for name, each in figures.items()
    ]
    output.table(("beyond accuracy", *BEYOND_ACCURACY.values()), rows, ["beyond accuracy"])
    output.note(LEGEND)
    output.note(
        f"Best of all {counts['n_items']:,.0f} items but those that the user has in training\n"
        f"Relevant: {describe_relevant(ranking.relevant_from)}\n"
        f"{users}; left out: {counts['users_without_relevant']:,.0f} without a relevant item, "
        f"{counts['unknown_users']:,.0f} unknown to the model"
    )


def describe_relevant(least: Least) -> str:
    """Which items are relevant, for people."""
    if least == "all":
        return "the item of each test pair; what is not in the test is not"
    value = "the mean of the user's training ratings" if least == "user-mean" else f"{least:g}"
    return f"a test rating of at least {value}; what was not rated is not"
