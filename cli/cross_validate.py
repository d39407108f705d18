"""`funksvd cross-validate`: the errors that training comes to, on parts of the ratings in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import GAP, Output
from .features import FeatureFiles, training_features
from .figures import show_evaluation, warn_of_doubts
from .groups import GroupedCommand, option, packed
from .models import is_model
from .options import FILE, output_options
from .ranking import RankingOptions, ranking_options, show_mean_ranking, show_ranking
from .reading import describe_ratings, read_any, reading_options
from .splitting import IN_TIME, SPLIT, Split, split_options
from .training_options import for_data, training_options

if TYPE_CHECKING:
    from funksvd import (
        CrossValidation,
        Evaluation,
        Fold,
        FunkSVD,
        Interactions,
        Ratings,
        ReadOptions,
    )
    from funksvd.evaluation import FoldResult
    from funksvd.hyperparameters import Hyperparameters

N_FOLDS = 5
"""Number of folds by default, where the split is not in time."""
WIDTHS = (11, 12, 11, 8, 8, 6, 10, 9)
"""Columns of the terminal for each column of the table of folds."""
COLUMNS = {
    "n_training": ("learned from", "{:,.0f}"),
    "n_ratings": ("tested on", "{:,.0f}"),
    "rmse": ("RMSE", "{:.4f}"),
    "mae": ("MAE", "{:.4f}"),
    "best_epoch": ("epochs", "{:.0f}"),
    "training_seconds": ("training s", "{:.2f}"),
    "test_seconds": ("testing s", "{:.2f}"),
}
"""Labels and formats of the columns after the first, by the names of figures in the library."""
OF_LISTS = {"rmse": ("ndcg", "NDCG"), "mae": ("hit_rate", "hit rate")}
"""Figures, and their labels, in the place of errors, for models that predict no ratings."""


class FoldFiles(NamedTuple):
    """Folds that are files.

    Parameters
    ----------
    pairs : tuple of (str, str)
        Of each fold, the file to learn from and the file to test on.
    """

    pairs: tuple[tuple[str, str], ...]


def _folds(
    given: tuple[tuple[str, str], ...],
    kind: str | None,
    n_folds: int | None,
    test_fraction: float | None,
    n_last: int | None,
) -> Split | FoldFiles:
    if not given:
        kind = kind or "random"
        n_folds = n_folds or (1 if kind in IN_TIME else N_FOLDS)
        return Split.from_options(kind, n_folds, test_fraction, n_last)
    others = {
        "--split": kind,
        "--folds": n_folds,
        "--test-fraction": test_fraction,
        "--last": n_last,
    }
    for name, value in others.items():
        if value is not None:
            raise click.UsageError(f"{name} does not go with --fold")
    return FoldFiles(given)


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd cross-validate ratings.csv
  funksvd cross-validate ratings.csv --folds 10 -k 32
  funksvd cross-validate ratings.csv --split leave-last-out --ranking
  funksvd cross-validate --fold u1.base u1.test --fold u2.base u2.test""",
)
@click.argument("ratings", type=FILE, nargs=-1, metavar="[RATINGS]...")
@packed(
    "folds",
    _folds,
    *split_options(f"Number of folds.  [default: {N_FOLDS}, or 1 for a split in time]"),
    option(
        "--fold",
        "given",
        metavar="TRAIN TEST",
        type=FILE,
        nargs=2,
        multiple=True,
        group=SPLIT,
        help="A fold as two files, instead of RATINGS; may be given several times.",
    ),
)
@ranking_options
@training_options
@training_features
@reading_options
@output_options
def cross_validate(
    ratings: tuple[str, ...],
    *,
    folds: Split | FoldFiles,
    ranking: RankingOptions,
    hyperparameters: Hyperparameters,
    features: FeatureFiles,
    reading: ReadOptions,
    output: Output,
) -> None:
    """Train on parts of RATINGS, and test on the rest of them.

    Each fold is a part to test on. Its model is trained on other ratings as `funksvd train` would,
    with the same options, and nothing is saved.

    Folds that are random or per user test on each rating once. Splits in time never learn from
    what comes after the test part: leave-last-out tests on each user's last ratings, and by-time on
    all ratings after a point in time. With several folds, the test part of each comes before that
    of the next.

    --ranking takes the best items of each user, out of all that the user does not have in
    training, and counts those that the user likes by a test rating. Models of RATINGS without
    ratings, such as clicks, are always tested so.
    """
    from funksvd import FunkSVD
    from funksvd import cross_validate as run

    remarks: list[str] = []
    tables = features.read(output)
    if isinstance(folds, FoldFiles):
        cut = _read_pairs(output, folds, reading, ratings)
        data = cut[0].training
    else:
        data = _read(output, reading, ratings)
        cut, remarks = _split(output, folds, data, hyperparameters.seed)
    model = FunkSVD.of(for_data(output, hyperparameters, data))
    in_table = len(cut) > 1 and not output.as_json
    if in_table:
        output.note()
    result = run(
        model,
        cut,
        n_best=ranking.test.n_best if ranking.asked else None,
        relevant_from=ranking.test.relevant_from,
        on_fold=_show_fold if in_table else None,
        **tables,
    )
    if output.as_json:
        split = "given" if isinstance(folds, FoldFiles) else folds.kind
        output.json(
            {"split": split, "hyperparameters": model.get_params(), **result.to_dict()}
            | {"remarks": remarks}
        )
    elif in_table:
        _show_means(output, result)
    else:
        _show_single(output, result.folds[0], model)
    average = _average(result)
    if average is not None:
        warn_of_doubts(output, average, "look at the")


def _read_pairs(
    output: Output, folds: FoldFiles, reading: ReadOptions, ratings: tuple[str, ...]
) -> Sequence[Fold[Any]]:
    from funksvd import Fold, Ratings

    if ratings:
        raise click.UsageError(f"--fold names its files itself: what is {ratings[0]} for?")

    def read_pair(training_file: str, test_file: str) -> Fold[Any]:
        training = read_any(output, [training_file], reading)
        keep_equal = isinstance(training, Ratings)
        return Fold(training, read_any(output, [test_file], reading, keep_equal=keep_equal))

    return [read_pair(*pair) for pair in folds.pairs]


def _read(output: Output, reading: ReadOptions, paths: tuple[str, ...]) -> Ratings | Interactions:
    """Read what is to be split."""
    if not paths:
        raise click.UsageError("RATINGS are missing, which are to be learned from and tested on")
    for path in filter(is_model, paths):
        raise click.UsageError(f"{path} is a model; cross-validation trains models, on RATINGS")
    data = read_any(output, paths, reading)
    output.note(describe_ratings(data))
    return data


def _split(
    output: Output, split: Split, data: Ratings | Interactions, seed: int
) -> tuple[Sequence[Fold[Any]], list[str]]:
    """The folds; also what a person should know about the split."""
    folds = split.folds(data, seed)
    for remark in folds.remarks:
        output.note(remark)
    return folds, list(folds.remarks)


def _show_fold(number: int, fold: FoldResult) -> None:
    """Print the line of a fold as soon as it is known; before the first, the header."""
    figures = fold.to_dict()
    if number == 0:
        labels = {name: label for name, (label, _) in COLUMNS.items()}
        if fold.evaluation is None:
            labels |= {name: label for name, (_, label) in OF_LISTS.items()}
        click.echo(click.style(_row(["fold", *labels.values()]), bold=True))
    click.echo(_row([str(number + 1), *_cells(figures)]))


def _show_means(output: Output, result: CrossValidation) -> None:
    """Print the last lines of the table of folds, and the table of rankings if there are any."""
    mean, std = result.mean, result.std
    click.echo(_row(["mean", *_cells(mean)]))
    click.echo(_row(["std", "", "", *_cells(std)[2:]]))
    if "baselines" in mean:
        biases_only = mean["baselines"]["regularized_biases"]
        click.echo(_row(["biases only", *_cells(biases_only)]).rstrip())
        output.note(
            f"Unknown to the models: the user of {mean['unknown_users']:.2%} and the item of "
            f"{mean['unknown_items']:.2%} of the test ratings"
        )
    ranking = result.folds[0].ranking
    if ranking is not None:
        output.note()
        show_mean_ranking(output, result, ranking)


def _row(cells: Sequence[str]) -> str:
    """A line of the table of folds; its widths are fixed, as its figures come one by one."""
    padded = [cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True)]
    return GAP.join([cells[0].ljust(WIDTHS[0]), *padded[1:]])


def _cells(figures: Mapping[str, Any]) -> list[str]:
    """Cells of the columns after the first one; empty for a figure that is not there."""
    if "ranking" in figures and "rmse" not in figures:
        first = next(iter(figures["ranking"]["recommenders"].values()))
        figures = {**figures, **{name: first[other] for name, (other, _) in OF_LISTS.items()}}
    return [
        form.format(figures[name]) if name in figures else "" for name, (_, form) in COLUMNS.items()
    ]


def _show_single(output: Output, fold: FoldResult, model: FunkSVD) -> None:
    """Print a single fold as `funksvd train` prints its test."""
    from funksvd.training import ALGORITHMS

    noun = "pairs" if fold.evaluation is None else "ratings"
    output.note(
        f"Learned from {fold.n_training:,} {noun}, {fold.best_epoch} "
        f"{ALGORITHMS[model.hyperparameters.algorithm].epoch}s, in {fold.training_seconds:.1f} s\n"
    )
    if fold.evaluation is not None:
        show_evaluation(output, fold.evaluation, model.title)
    if fold.evaluation is not None and fold.ranking is not None:
        output.note()
    if fold.ranking is not None:
        show_ranking(output, fold.ranking)


def _average(result: CrossValidation) -> Evaluation | None:
    """The mean of the folds, as far as `warn_of_doubts` looks at it; None without errors."""
    from funksvd.metrics import Errors

    mean = result.mean
    evaluations = [fold.evaluation for fold in result.folds if fold.evaluation is not None]
    if not evaluations:
        return None
    return replace(
        max(evaluations, key=lambda evaluation: evaluation.n_users),
        rmse=mean["rmse"],
        unknown_users=mean["unknown_users"],
        unknown_items=mean["unknown_items"],
        baselines={name: Errors(**errors) for name, errors in mean["baselines"].items()},
    )
