"""`funksvd update`: new ratings for a model that is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from .console import Output, counted
from .figures import show_evaluation, warn_of_doubts
from .groups import GroupedCommand, option
from .models import check_recorded, load, ratings_of, save
from .options import FILE, OUTPUT, output_options, threads_option
from .reading import describe_ratings, read, reading_options
from .writing import check_writable

if TYPE_CHECKING:
    from funksvd import FunkSVD, Ratings, ReadOptions
    from funksvd.splitting import Holdout

REMEDY = "train a new model on all ratings with `funksvd train`"
MANY_UNKNOWN = 0.5
"""Share of new items from which on it is warned that their ids may be others."""


class Counts(NamedTuple):
    """Numbers of what is new about new ratings.

    Parameters
    ----------
    n_new_ratings : int
        Ratings that are learned from: all but those of pairs of the test part.
    n_repeated : int
        Those of them that take the place of older ones.
    n_new_users, n_new_items : int
        Users and items that the model does not know.
    """

    n_new_ratings: int
    n_repeated: int
    n_new_users: int
    n_new_items: int


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd update model.funksvd new.csv
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
    help="Passes over all ratings.",
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
@output_options
def update(
    model_path: str,
    ratings: tuple[str, ...],
    *,
    n_epochs: int,
    threads: int | None,
    reading: ReadOptions,
    new_path: str | None,
    output: Output,
) -> None:
    """Add new RATINGS to MODEL.

    They may be by new users, of new items, and new ratings of old pairs.

    The ratings that MODEL was trained on are read again from the recorded files, and training goes
    on from where it ended, on old and new ratings together, for a few passes with a small learning
    rate. The test part stays what it was when MODEL was trained: new ratings of its pairs are not
    learned from. Pairs without a rating that MODEL has learned from (--interactions of train) are
    read again, too, and kept.

    MODEL is one of algorithm sgd, with any optimizer, or svd++, ensembles included. Models of
    bayes, bayes++ and incremental cannot be trained further.
    """
    from funksvd import update as update_model
    from funksvd.learned.storage import is_model_file
    from funksvd.updating import check_updatable

    from .progress import TrainingProgress

    path = new_path or model_path
    model = load(output, model_path, threads)
    check_writable(path, ratings, is_model_file, "a model")
    check_updatable(model)
    check_recorded(model, model_path, REMEDY)
    new = read(output, ratings, reading)
    with output.busy("Reading"):
        old = ratings_of(model, model_path, REMEDY, with_interactions=True)
        holdout = old.with_added(new, reading)
    output.note(describe_ratings(new))
    counts = _count(model, old, holdout)
    _tell(output, model, new, counts)
    with TrainingProgress(output) as progress:
        updated = update_model(
            model,
            holdout.all_but_test,
            interactions=holdout.interactions,
            n_epochs=n_epochs,
            monitor=progress,
        )
    save(output, updated, path, holdout, with_seen=model.seen is not None)
    before = after = None
    if holdout.test is not None:
        with output.busy("Testing"):
            before = model.evaluate(holdout.test)
            after = updated.evaluate(holdout.test, training=holdout.all_but_test)
    if output.as_json:
        output.json(
            {
                "model": path,
                **counts._asdict(),
                "n_ratings": updated.n_ratings,
                "n_users": len(updated.user_ids),
                "n_items": len(updated.item_ids),
                "test_before": before.to_dict() if before else None,
                "test": after.to_dict() if after else None,
            }
        )
    elif before and after:
        output.note()
        show_evaluation(output, after, updated.title)
        output.note(f"Before the update, its RMSE was {before.rmse:.4f}")
    if after:
        warn_of_doubts(output, after)


def _count(model: FunkSVD, old: Holdout, new: Holdout) -> Counts:
    from funksvd.splitting import is_in

    added = new.added[-1].compact()
    return Counts(
        n_new_ratings=len(added),
        n_repeated=int(is_in(added, old.all_but_test).sum()),
        n_new_users=int((model.users.rows(added.user_ids) < 0).sum()),
        n_new_items=int((model.items.rows(added.item_ids) < 0).sum()),
    )


def _tell(output: Output, model: FunkSVD, new: Ratings, counts: Counts) -> None:
    low, high = model.rating_scale
    n_outside = int(((new.values < low) | (new.values > high)).sum())
    if n_outside:
        output.warn(
            f"{n_outside:,} of {counted(len(new), 'new rating')} are outside the model's scale, "
            f"{low:g} to {high:g}: are they on another one?"
        )
    output.note(
        f"New: {counted(counts.n_new_ratings - counts.n_repeated, 'rating')}, "
        f"{counted(counts.n_new_users, 'user')}, {counted(counts.n_new_items, 'item')}"
    )
    if counts.n_repeated:
        verb = "takes" if counts.n_repeated == 1 else "take"
        output.note(f"{counted(counts.n_repeated, 'rating')} {verb} the place of older ones")
    n_left_out = len(new) - counts.n_new_ratings
    if n_left_out:
        are = "is of a pair" if n_left_out == 1 else "are of pairs"
        output.note(f"{counted(n_left_out, 'rating')} {are} of the test part, and left out")
    unknown = counts.n_new_items / max(1, new.n_items)
    if unknown >= MANY_UNKNOWN:
        output.warn(
            f"the model does not know {unknown:.0%} of these items; are the item ids the same as "
            "in its training data?"
        )
