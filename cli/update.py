"""`funksvd update`: new ratings, or new clicks, for a model that is there already."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING

import click

from .console import FAILED, Output, counted
from .features import FeatureFiles, later_features
from .figures import show_evaluation, warn_of_doubts
from .gate import check_judgeable, max_rmse_option, passes
from .groups import GroupedCommand, option
from .models import check_recorded, load, save, saved_as_option
from .options import FILE, OUTPUT, output_options, threads_option
from .ranking import predicts_ratings, show_ranking
from .reading import describe_ratings, reading_options, report_reading
from .training_options import names_of_errors
from .writing import check_writable

if TYPE_CHECKING:
    from funksvd import (
        Additions,
        Evaluation,
        FunkSVD,
        Holdout,
        Interactions,
        RankingEvaluation,
        ReadOptions,
    )

REMEDY = "train a new model on all ratings with `funksvd train`"
MANY_UNKNOWN = 0.5
"""Share of new items from which on it is warned that their ids may be others."""


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd update model.funksvd new.csv
  funksvd update model.funksvd tonight.csv --max-rmse 0.9
  funksvd update clicks.funksvd clicks.csv
  funksvd update model.funksvd january.csv february.csv -o march.funksvd""",
)
@click.argument("model_path", metavar="MODEL", type=FILE)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@option(
    "--n-epochs",
    metavar="N",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Passes over all ratings, or over all clicks.",
)
@threads_option
@reading_options
@option(
    "--output",
    "-o",
    "new_path",
    metavar="FILE",
    type=FILE,
    group=OUTPUT,
    help="File to save the new model to.  [default: MODEL]",
)
@saved_as_option
@later_features
@max_rmse_option
@output_options
def update(
    model_path: str,
    ratings: tuple[str, ...],
    *,
    n_epochs: int,
    threads: int | None,
    reading: ReadOptions,
    new_path: str | None,
    as_folder: bool | None,
    features: FeatureFiles,
    max_rmse: float | None,
    output: Output,
) -> int:
    """Add new RATINGS to MODEL, or new clicks, whichever it was trained on.

    They may be by new users, of new items, and new ratings of old pairs. RATINGS may also be the
    whole file that MODEL was trained on, grown since, in whatever order: what is new about it is
    found by comparison with MODEL, and the model is the same as with the new ratings alone.

    Otherwise the ratings that MODEL was trained on are read again from the recorded files. Training
    goes on from where it ended, on old and new ratings together, for a few passes with a small
    learning rate. The test part stays what it was when MODEL was trained: new ratings of its pairs
    are not learned from. Pairs without a rating that MODEL has learned from (--interactions of
    train) are read again, too, and kept.

    Clicks, plays and purchases are counted: a known pair that comes again counts more. A file of
    new ones is added once; given again, it changes nothing. Which items people come to (the choice
    model) is learned on from where it was, too.

    With --max-rmse, a model with a greater RMSE on the test part is not saved: the file stays as
    it was, and the command exits with 1.

    MODEL is one of algorithm ials, sgd with any optimizer, or svd++, ensembles included. Models of
    bayes, bayes++ and incremental cannot be trained further.
    """
    from funksvd import find_additions
    from funksvd import update as update_model
    from funksvd.learned.storage import is_model
    from funksvd.updating import check_updatable

    from .progress import TrainingProgress

    path = new_path or model_path
    model = load(output, model_path, threads)
    check_writable(path, (*ratings, *features.files), is_model, "a model")
    check_updatable(model)
    origin = check_recorded(model, model_path, REMEDY)
    if max_rmse is not None and origin.test_fingerprint is None:
        raise click.UsageError(
            f"--max-rmse looks at the test part, and {model_path} was trained without one"
        )
    if max_rmse is not None and not predicts_ratings(model):
        raise click.UsageError(
            f"--max-rmse looks at errors of predicted ratings, and {model_path} predicts none: it "
            "knows choices only"
        )
    model = features.add_to(output, model)
    folder = os.path.dirname(os.path.realpath(model_path))
    with output.busy("Reading"):
        new = origin.read(list(ratings), reading)
    report_reading(output, new.report)
    with output.busy("Reading"):
        additions = find_additions(model, new, reading, folder, remedy=REMEDY)
    holdout = additions.holdout
    check_judgeable(max_rmse, holdout)
    output.note(describe_ratings(new))
    _tell(output, model, new, additions)
    updated = copy.copy(model)
    if additions.n_to_learn:
        names = (*names_of_errors(model.fitted.hyperparameters), new.noun)
        with TrainingProgress(output, *names) as progress:
            updated = update_model(model, holdout, n_epochs=n_epochs, monitor=progress)

    def test() -> tuple[Evaluation, Evaluation] | None:
        if holdout.test is None or not predicts_ratings(model):
            return None
        with output.busy("Testing"):
            training = holdout.all_but_test
            return model.evaluate(holdout.test), updated.evaluate(holdout.test, training=training)

    tested = None if max_rmse is None else test()
    is_saved = passes(output, tested and tested[1], max_rmse, path)
    if is_saved:
        save(output, updated, path, holdout, with_seen=model.seen is not None, as_folder=as_folder)
    before, after = tested or test() or (None, None)
    lists_before = lists = None
    if holdout.test is not None and "choice" in model.rankings:
        with output.busy("Testing"):
            lists_before, lists = _lists(model, holdout), _lists(updated, holdout)
    if output.as_json:
        output.json(
            {
                "model": path,
                "grown": additions.is_whole,
                "n_new_ratings": additions.n_to_learn,
                "n_repeated": additions.n_changed,
                "n_unchanged": additions.n_same,
                "n_older": additions.n_older,
                "n_gone": additions.n_gone,
                "n_new_users": additions.n_new_users,
                "n_new_items": additions.n_new_items,
                "n_ratings": updated.n_ratings,
                "n_users": len(updated.user_ids),
                "n_items": len(updated.item_ids),
                "test_before": before.to_dict() if before else None,
                "test": after.to_dict() if after else None,
                "test_ranking_before": lists_before.to_dict() if lists_before else None,
                "test_ranking": lists.to_dict() if lists else None,
                "max_rmse": max_rmse,
                "saved": is_saved,
            }
        )
    else:
        was = []
        if before and after:
            output.note()
            show_evaluation(output, after, updated.title)
            was.append(f"its RMSE was {before.rmse:.4f}")
        if lists and after:
            output.note(f"Lists of {lists.n_best}: NDCG {lists.model.means.ndcg:.4f}")
        elif lists:
            output.note()
            show_ranking(output, lists)
        if lists_before:
            was.append(f"the NDCG of its lists was {lists_before.model.means.ndcg:.4f}")
        if was:
            output.note(f"Before the update, {', and '.join(was)}")
    if after:
        warn_of_doubts(output, after)
    return 0 if is_saved else FAILED


def _lists(model: FunkSVD, holdout: Holdout) -> RankingEvaluation | None:
    """Quality of the lists of the users of the test part; None if it has no relevant item."""
    from funksvd import RatingsError, evaluate_ranking

    try:
        return evaluate_ranking(model, holdout.test, training=holdout.all_but_test)
    except RatingsError:
        return None


def _warn_of_scale(output: Output, model: FunkSVD, new: Interactions) -> None:
    """Warn of ratings outside the scale of those that the model has learned from."""
    if new.values is None or not predicts_ratings(model):
        return
    low, high = model.rating_scale
    outside = new.values[(new.values < low) | (new.values > high)]
    if len(outside):
        verb = "is" if len(outside) == 1 else "are"
        output.warn(
            f"{len(outside):,} of {counted(len(new), 'rating')} {verb} outside the model's scale, "
            f"{low:g} to {high:g} (like {outside[0]:g}): is it another scale?"
        )


def _tell(output: Output, model: FunkSVD, new: Interactions, additions: Additions) -> None:
    """Say what is new about the ratings or interactions, and warn of what is odd."""
    _warn_of_scale(output, model, new)
    noun = new.noun.removesuffix("s")
    old_unit, new_unit = additions.holdout.training.time_unit, new.time_unit
    if old_unit and new_unit and old_unit != new_unit:
        output.note(
            f"The model's {new.noun} have timestamps in {old_unit}, and {new.source} has them in "
            f"{new_unit}: they are compared in seconds"
        )
    if additions.is_whole:
        output.note(
            "This is the file that the model has learned from, grown: only what is new counts"
        )
    output.note(
        f"New: {counted(additions.n_new, noun)}, {counted(additions.n_new_users, 'user')}, "
        f"{counted(additions.n_new_items, 'item')}"
    )
    if not additions.is_whole:
        _tell_of_repeats(output, additions, noun)
    elif additions.n_changed or additions.n_gone:
        _warn_of_changes(output, model, new, additions)
    if not additions.n_to_learn:
        output.note("There is nothing to learn: the model stays as it is")
    unknown = additions.n_new_items / max(1, new.n_items)
    if unknown >= MANY_UNKNOWN:
        output.warn(
            f"the model does not know {unknown:.0%} of these items; are the item ids the same as "
            "in its training data?"
        )


def _tell_of_repeats(output: Output, additions: Additions, noun: str) -> None:
    """Say what became of ratings or interactions of pairs that the model knows."""
    changed = ("takes the place of an older one", "take the place of older ones")
    if noun != "rating":
        changed = (
            "is of a known pair, which counts more now",
            "are of known pairs, which count more now",
        )
    for n, one, several in (
        (additions.n_changed, *changed),
        (additions.n_same, "is known already", "are known already"),
        (
            additions.n_older,
            "is older than the model's own and is left out",
            "are older than the model's own and are left out",
        ),
        (
            additions.n_in_test,
            "is of a pair of the test part, and left out",
            "are of pairs of the test part, and left out",
        ),
    ):
        if n:
            output.note(f"{counted(n, noun)} {one if n == 1 else several}")


def _warn_of_changes(
    output: Output, model: FunkSVD, new: Interactions, additions: Additions
) -> None:
    """Warn that old ratings have changed or are gone, and say what to do about it.

    Of interactions it is no wonder that counts have grown; and those that are gone are forgotten.
    """
    parts = []
    n_changed, n_gone = additions.n_changed, additions.n_gone
    noun, rates = new.noun.removesuffix("s"), predicts_ratings(model)
    if noun != "rating" and n_changed:
        output.note(f"{counted(n_changed, noun)} of known pairs: these count more now")
    if noun == "rating" and n_changed:
        verb = "has" if n_changed == 1 else "have"
        parts.append(f"{n_changed:,} {verb} another value now, which takes the old one's place")
    if n_gone:
        verb, them = ("is", "it") if n_gone == 1 else ("are", "them")
        stays = rates or not additions.n_to_learn
        fate = f"but what was learned from {them} stays" if stays else "and forgotten"
        parts.append(f"{n_gone:,} {verb} gone, {fate}")
    if not parts:
        return
    advice = (
        ". To learn from this file alone, train a new model on it with `funksvd train`"
        if rates
        else ""
    )
    output.warn(
        f"{new.source}: of the {counted(model.n_ratings, noun)} that the model has learned "
        f"from, {'; '.join(parts)}{advice}"
    )
