"""`funksvd compare`: which of two models is better, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from funksvd.rankings import RANKINGS, TITLES

from .console import Output, counted
from .groups import GroupedCommand, option, packed
from .models import check_recorded, load, ratings_of
from .options import FILE, output_options, threads_option
from .ranking import (
    ACCURACY,
    DEFAULT_N_BEST,
    RANKING,
    RELEVANT_BY_DEFAULT,
    RankingTest,
    describe_relevant,
    n_best_option,
    predicts_ratings,
    relevant_from_option,
)
from .reading import read_any, reading_options, report_reading

if TYPE_CHECKING:
    from funksvd import FunkSVD, Interactions, ReadOptions
    from funksvd.evaluation import Comparison, Difference
    from funksvd.evaluation.relevance import Rule
    from funksvd.splitting import Provenance

ERRORS = {"rmse": "RMSE", "mae": "MAE"}
VERDICTS = {
    "better": "B is better",
    "worse": "B is worse",
    "undecided": "no difference that could not be chance",
}
"""Words for the verdicts of the library."""
COLUMNS = ("A", "B", "B - A", "95% interval", "verdict")


def _lists(n_best: int | None, relevant_from: float | Rule | None) -> RankingTest:
    return RankingTest(
        n_best or DEFAULT_N_BEST, RELEVANT_BY_DEFAULT if relevant_from is None else relevant_from
    )


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd compare old.funksvd new.funksvd
  funksvd compare a.funksvd b.funksvd test.csv --by choice
  funksvd compare a.funksvd b.funksvd test.csv --relevant-from 4 --json""",
)
@click.argument("path_a", metavar="MODEL_A", type=FILE)
@click.argument("path_b", metavar="MODEL_B", type=FILE)
@click.argument("ratings", metavar="[RATINGS]...", type=FILE, nargs=-1)
@option(
    "--by",
    type=click.Choice(RANKINGS),
    group=RANKING,
    help="Rankings to compare.  [default: the one that each model recommends by]",
)
@packed("lists", _lists, n_best_option, relevant_from_option(("liked", "all")))
@option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the bootstrap.",
)
@threads_option
@reading_options
@output_options
def compare(
    path_a: str,
    path_b: str,
    ratings: tuple[str, ...],
    *,
    by: str | None,
    lists: RankingTest,
    seed: int,
    threads: int | None,
    reading: ReadOptions,
    output: Output,
) -> None:
    """Tell which of two models is better, or that it could be chance.

    Without RATINGS, both are tested on the test part that was set aside for them, if that is the
    same. With RATINGS, they are tested on these. Pairs that one of the models has learned from are
    left out. Where a model has learned from no ratings, or RATINGS has none, lists alone are
    compared.

    Errors are compared on the same ratings. Lists are compared for the same users, with the same
    candidates: the items that both models know, but those that either has learned from for the
    user. If the interval of a difference is all on one side of zero, one model is better. It is a
    paired bootstrap interval: each draw takes the same users for both models.
    """
    from funksvd import ReadOptions
    from funksvd.evaluation import compare_models

    if not ratings and reading != ReadOptions():
        raise click.UsageError(
            "how to read ratings can be said of RATINGS only; the test part is read as it was "
            "for training"
        )
    a, b = (_load(output, path, threads) for path in (path_a, path_b))
    test: Interactions
    if ratings:
        keep_equal = predicts_ratings(a) or predicts_ratings(b)
        test = read_any(output, ratings, reading, keep_equal=keep_equal)
    else:
        test = _common_test(output, (a, path_a), (b, path_b))
    with output.busy("Comparing"):
        found = compare_models(
            a,
            b,
            test,
            by=by,
            n_best=lists.n_best,
            relevant_from=lists.relevant_from,
            seed=seed,
        )
    if output.as_json:
        models = {
            name: {"path": path, "title": model.title}
            for name, path, model in (("a", path_a, a), ("b", path_b, b))
        }
        output.json({**models, **found.to_dict()})
        return
    output.note(f"A: {path_a} ({a.title})\nB: {path_b} ({b.title})\n")
    _show(output, found)


def _load(output: Output, path: str, threads: int | None) -> FunkSVD:
    from funksvd import FunkSVDError

    model = load(output, path, threads)
    if model.seen is None:
        raise FunkSVDError(
            f"{path}: the model was saved without the pairs that it has learned from, so they "
            "cannot be left out of the comparison; train it again, without --no-seen"
        )
    return model


def _common_test(
    output: Output, one: tuple[FunkSVD, str], other: tuple[FunkSVD, str]
) -> Interactions:
    """The test part that was set aside for both models.

    Raises
    ------
    FunkSVDError
        If one has none, or they are not the same, or it cannot be read again.
    """
    from funksvd import FunkSVDError

    remedy = f"name a file of test ratings: funksvd compare {one[1]} {other[1]} RATINGS"
    for model, path in (one, other):
        if check_recorded(model, path, remedy).test_fingerprint is None:
            raise FunkSVDError(
                f"{path}: the model was trained on all ratings and has no test part; {remedy}"
            )
    with output.busy("Reading"):
        test = ratings_of(*one, remedy).test
    model, path = other
    if test is None or not _is_test_part(test, check_recorded(model, path, remedy)):
        raise FunkSVDError(
            f"{one[1]} and {path} were trained with different test parts: one may have learned "
            f"what the other is tested on; {remedy}"
        )
    report_reading(output, test.report)
    return test


def _is_test_part(test: Interactions, provenance: Provenance) -> bool:
    """Whether these are the test ratings of a model, or at least their pairs."""
    import numpy as np

    from funksvd.splitting.pairs import pair_hashes

    if provenance.test_fingerprint is not None and test.has_fingerprint(
        provenance.test_fingerprint
    ):
        return True
    hashes = provenance.test_pairs
    return hashes is not None and np.array_equal(np.sort(pair_hashes(test)), hashes)


def _show(output: Output, found: Comparison) -> None:
    """Print the differences of errors and of lists."""
    if found.n_learned:
        output.note(
            f"Left out: {counted(found.n_learned, 'test pair')} that a model has learned from\n"
        )
    if found.errors:
        first = f"{found.n_pairs:,} test ratings"
        rows = [[ERRORS[name], *_cells(each)] for name, each in found.errors.items()]
        output.table((first, *COLUMNS), rows, [first, "verdict"])
    ranking = found.ranking
    if ranking is None:
        output.note("\nLists are not compared: no user has a relevant item")
        return
    if found.errors:
        click.echo()
    first = f"{ranking.n_best} best items"
    rows = [[label, *_cells(ranking.metrics[name])] for name, label in ACCURACY.items()]
    output.table((first, *COLUMNS), rows, [first, "verdict"])
    by = " and ".join(dict.fromkeys(TITLES[name] for name in ranking.by))
    output.note(
        f"Lists {by}; best of {ranking.n_items:,} items that both models know, but those that "
        f"either\nhas learned from for the user; {counted(ranking.n_users, 'user')} "
        f"{'counts' if ranking.n_users == 1 else 'count'}\n"
        f"Relevant: {describe_relevant(ranking.relevant_from)}\n"
        "Of 20 verdicts on equally good models, one is expected to be better or worse by chance"
    )


def _cells(each: Difference) -> Sequence[str]:
    return (
        f"{each.a:.4f}",
        f"{each.b:.4f}",
        f"{each.difference:+.4f}",
        "{:+.4f} to {:+.4f}".format(*each.interval),
        VERDICTS[each.verdict],
    )
