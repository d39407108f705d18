"""`funksvd update`: new ratings for a model that is there already."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .console import (
    Output,
    counted,
    describe_ratings,
    report_reading,
    show_evaluation,
    warn_of_doubts,
)
from .options import (
    FILE,
    check_writable,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
)

if TYPE_CHECKING:
    from funksvd import FunkSVD, Ratings
    from funksvd.splitting import Holdout

REMEDY = "train a new model on all ratings with `funksvd train`"
MANY_UNKNOWN = 0.5


@click.command(
    epilog="""\b
Examples:
  funksvd update model.funksvd new.csv
  funksvd update model.funksvd january.csv february.csv -o march.funksvd"""
)
@click.argument("model_path", metavar="MODEL", type=FILE)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=FILE,
    help="Where to save the new model.  [default: MODEL]",
)
@click.option(
    "--n-epochs",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Passes over all ratings.",
)
@threads_option
@reading_options
@output_options
def update(model_path: str, ratings: tuple[str, ...], **options: Any) -> None:
    """Add new RATINGS to MODEL.

    They may be by new users, of new items, and new ratings of old pairs.

    The ratings that MODEL was trained on are read again from the recorded files, and training goes
    on from where it ended, on old and new ratings together, for a few passes with a small learning
    rate. The test part stays what it was when MODEL was trained: pairs of it that come again are
    not learned from.

    MODEL is one of algorithm sgd, with any optimizer, or svd++, ensembles included. Models of
    bayes, bayes++ and incremental cannot be trained further.
    """
    from funksvd import FunkSVD, FunkSVDError, read_ratings, rebuild
    from funksvd import update as update_model
    from funksvd.learned.storage import is_model_file
    from funksvd.training import Interrupts
    from funksvd.updating import check_updatable

    from .progress import TrainingProgress

    output = Output.of(options)
    read_options = take_read_options(options)
    path = options["output"] or model_path
    check_writable(path, ratings, is_model_file, "a model")
    with output.busy("Loading"):
        model = FunkSVD.load(model_path)
    model.hyperparameters.n_threads = options["threads"]
    check_updatable(model)
    if model.provenance is None:
        raise FunkSVDError(
            f"{model_path}: the model does not record which ratings it was trained on; {REMEDY}"
        )
    with output.busy("Reading"):
        new = read_ratings(list(ratings), read_options)
        report_reading(output, new.report)
        folder = os.path.dirname(os.path.realpath(model_path))
        old = rebuild(model.provenance, folder, remedy=REMEDY)
        holdout = old.with_added(new, read_options)
    output.note(describe_ratings(new))
    counts = _count(model, old, holdout)
    _tell(output, model, new, counts)
    with TrainingProgress(output) as progress:
        updated = update_model(
            model, holdout.all_but_test, n_epochs=options["n_epochs"], monitor=progress
        )
    with Interrupts(armed=True) as interrupts:  # Ctrl-C now would lose what was learned
        updated.remember_origin(holdout)
        updated.save(path, with_seen=model.seen is not None)
        interrupts.requested = False
    output.note(f"Saved {path} ({os.path.getsize(path) / 1e6:,.1f} MB)")

    before = after = None
    if holdout.test is not None:
        with output.busy("Testing"):
            before = model.evaluate(holdout.test)
            after = updated.evaluate(holdout.test, training=holdout.all_but_test)
    if output.as_json:
        output.json(
            {
                "model": path,
                **counts,
                "n_ratings": updated.n_ratings,
                "n_users": len(updated.user_ids),
                "n_items": len(updated.item_ids),
                "test_before": before.to_dict() if before else None,
                "test": after.to_dict() if after else None,
            }
        )
    elif after:
        output.note()
        show_evaluation(output, after, updated.title)
        output.note(f"Before the update, its RMSE was {before.rmse:.4f}")
    if after:
        warn_of_doubts(output, after)


def _count(model: FunkSVD, old: Holdout, new: Holdout) -> dict[str, int]:
    """What is new about the new ratings."""
    from funksvd.splitting import is_in

    added = new.added[-1].compact()
    return {
        "n_new_ratings": len(added),
        "n_repeated": int(is_in(added, old.all_but_test).sum()),
        "n_new_users": int((added.users.positions_in(model.users) < 0).sum()),
        "n_new_items": int((added.items.positions_in(model.items) < 0).sum()),
    }


def _tell(output: Output, model: FunkSVD, new: Ratings, counts: dict[str, int]) -> None:
    low, high = model.rating_scale
    n_outside = int(((new.values < low) | (new.values > high)).sum())
    if n_outside:
        output.warn(
            f"{n_outside:,} of {counted(len(new), 'new rating')} are outside the model's scale, "
            f"{low:g} to {high:g}: are they on another one?"
        )
    n_kept, n_left_out = counts["n_new_ratings"], len(new) - counts["n_new_ratings"]
    output.note(
        f"New: {counted(n_kept - counts['n_repeated'], 'rating')}, "
        f"{counted(counts['n_new_users'], 'user')}, {counted(counts['n_new_items'], 'item')}"
    )
    if counts["n_repeated"]:
        verb = "takes" if counts["n_repeated"] == 1 else "take"
        output.note(f"{counted(counts['n_repeated'], 'rating')} {verb} the place of older ones")
    if n_left_out:
        are = "is of a pair" if n_left_out == 1 else "are of pairs"
        output.note(f"{counted(n_left_out, 'rating')} {are} of the test part, and left out")
    unknown = counts["n_new_items"] / max(1, new.n_items)
    if unknown >= MANY_UNKNOWN:
        output.warn(
            f"the model does not know {unknown:.0%} of these items; are the item ids the same as "
            "in its training data?"
        )
