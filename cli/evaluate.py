"""`funksvd evaluate`: how good a model is on ratings it has not learned from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .console import Output, report_reading, show_evaluation, warn_of_doubts
from .options import (
    DEFAULT_MODEL,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
)

if TYPE_CHECKING:
    from funksvd import FunkSVD
    from funksvd.evaluation import Holdout


@click.command(
    epilog="""\b
Examples:
  funksvd evaluate
  funksvd evaluate ml-25m.funksvd --json
  funksvd evaluate model.funksvd new-ratings.csv"""
)
@click.argument("model_path", metavar="[MODEL]", default=DEFAULT_MODEL)
@click.argument("ratings", nargs=-1)
@threads_option
@reading_options
@output_options
def evaluate(model_path: str, ratings: tuple[str, ...], **options: Any) -> None:
    """Test a model on ratings it has not learned from.

    Without RATINGS, MODEL (model.funksvd by default) is tested on the part that was set aside when
    it was trained. The part is found again from the recorded file, seed and fingerprint; if the
    ratings have changed since, the command says so and stops. With RATINGS, the model is tested on
    all of them instead; if they are the file it was trained on, still on that part only.
    """
    from funksvd import FunkSVD, FunkSVDError, ReadOptions, read_ratings
    from funksvd.evaluation import split_again

    output = Output(options.pop("quiet"), options.pop("as_json"))
    read_options = take_read_options(options)
    if not ratings and read_options != ReadOptions():
        raise click.UsageError(
            "how to read ratings can be said of RATINGS only; the test part is read as it was "
            "for training"
        )
    model = FunkSVD.load(model_path)
    model.n_threads = options["threads"]

    training = None
    if ratings:
        with output.busy("Reading"):
            test = read_ratings(list(ratings), read_options)
        report_reading(output, test.report)
        holdout = None
        if model.provenance is not None:
            holdout = split_again(model.provenance, test)
        if holdout is not None and holdout.test is not None:
            output.note("The model was trained on this file: testing on the part set aside")
            test, training = holdout.test, holdout.all_but_test
        else:
            try:
                training = _rebuild(model, model_path).all_but_test
            except FunkSVDError:
                output.note("No baselines: the model's training ratings cannot be read again")
    else:
        with output.busy("Reading"):
            holdout = _rebuild(model, model_path)
        if holdout.test is None:
            raise FunkSVDError(
                f"{model_path}: the model was trained on all ratings and has no test part; name a "
                f"file of test ratings: funksvd evaluate {model_path} RATINGS"
            )
        test, training = holdout.test, holdout.all_but_test
        report_reading(output, test.report)
    with output.busy("Testing"):
        result = model.evaluate(test, training=training)
    if output.as_json:
        output.json({"model": model_path, **result.to_dict()})
    else:
        show_evaluation(output, result, model.n_factors)
    warn_of_doubts(output, result)


def _rebuild(model: FunkSVD, path: str) -> Holdout:
    from funksvd import FunkSVDError, rebuild

    if model.provenance is None:
        raise FunkSVDError(
            f"{path}: the model does not record which ratings it was trained on; name a file of "
            f"test ratings: funksvd evaluate {path} RATINGS"
        )
    return rebuild(model.provenance, os.path.dirname(os.path.realpath(path)))
