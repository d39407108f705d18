"""`funksvd train`: learn a model from ratings, test it, save it."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from .console import Output, show_evaluation, warn_of_doubts
from .options import (
    DEFAULT_MODEL,
    FILE,
    check_writable,
    new_model,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
    training_options,
)
from .parts import given_files, parts_options, read_parts

if TYPE_CHECKING:
    from funksvd import FunkSVD

INTERRUPTED = 130


@click.command(
    epilog="""\b
Examples:
  funksvd train ratings.csv
  funksvd train ml-25m.zip -k 128 -o ml-25m.funksvd
  funksvd train u1.base --test u1.test
  zcat ratings.gz | funksvd train - --sep ";" --on-bad-rows skip"""
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=FILE,
    default=DEFAULT_MODEL,
    show_default=True,
    help="Where to save the model.",
)
@training_options
@parts_options
@click.option("--no-seen", is_flag=True, help="Do not save which pairs were rated (smaller file).")
@threads_option
@reading_options
@output_options
def train(ratings: tuple[str, ...], **options: Any) -> int:
    """Learn a recommender from RATINGS and save it.

    RATINGS is a file, several of the same kind, a MovieLens folder or archive, or - for standard
    input. A tenth of the ratings is set aside first and used for nothing but the test at the end.

    Ctrl-C stops training, and keeps and saves the best epoch so far.
    """
    from funksvd.learned.storage import is_model_file
    from funksvd.training import ALGORITHMS, LOSSES, Interrupts

    from .progress import TrainingProgress

    output = Output.of(options)
    read_options = take_read_options(options)
    model_path, with_seen = options.pop("output"), not options.pop("no_seen")
    check_writable(model_path, (*ratings, *given_files(options)), is_model_file, "a model")

    model = new_model(options)
    holdout, interactions = read_parts(
        output, ratings, options, read_options, model.hyperparameters.seed
    )

    interrupted = False
    epoch = ALGORITHMS[model.hyperparameters.algorithm].epoch
    try:
        with TrainingProgress(output, LOSSES[model.hyperparameters.loss], epoch) as progress:
            model.fit(
                holdout.training,
                validation=holdout.validation,
                interactions=interactions,
                monitor=progress,
            )
    except KeyboardInterrupt:
        if not model.is_fitted:
            raise
        interrupted = True
        output.warn(f"interrupted; keeping {epoch} {model.best_epoch}, the best so far")
    with Interrupts(armed=True) as interrupts:  # Ctrl-C now would lose what was learned
        model.remember_origin(holdout)
        model.save(model_path, with_seen=with_seen)
        interrupted |= interrupts.requested
        interrupts.requested = False
    output.note(f"Saved {model_path} ({os.path.getsize(model_path) / 1e6:,.1f} MB)")

    evaluation = None
    if holdout.test is not None:
        with output.busy("Testing"):
            evaluation = model.evaluate(holdout.test, training=holdout.all_but_test)
    if output.as_json:
        output.json(_summary(model, model_path, interrupted, evaluation))
    elif evaluation:
        output.note()
        show_evaluation(output, evaluation, model.title)
    if evaluation:
        warn_of_doubts(output, evaluation)
    output.note(f"\n{_next_step(model, model_path)}")
    return INTERRUPTED if interrupted else 0


def _summary(model: FunkSVD, path: str, interrupted: bool, evaluation: Any) -> dict[str, Any]:
    return {
        "model": path,
        "n_ratings": model.n_ratings,
        "n_users": len(model.user_ids),
        "n_items": len(model.item_ids),
        "hyperparameters": asdict(model.hyperparameters.resolved()),
        "best_epoch": model.best_epoch,
        "refitted": model.refitted,
        "reg_used": model.reg_used,
        "interrupted": interrupted,
        "history": [record.to_dict(model.hyperparameters.loss) for record in model.history],
        "test": evaluation.to_dict() if evaluation else None,
    }


def _next_step(model: FunkSVD, path: str) -> str:
    command = ["funksvd", "recommend", "--user", str(model.user_ids[0])]
    if path != DEFAULT_MODEL:
        command += ["--model", path]
    return f"Next: {shlex.join(command)}"
