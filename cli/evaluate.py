"""`funksvd evaluate`: how good a model is on ratings it has not learned from."""

from __future__ import annotations

import os
from typing import Any

import click

from .console import Output, report_reading, show_evaluation, warn_of_doubts
from .options import (
    DEFAULT_MODEL,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
)


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
    """Test MODEL (model.funksvd by default) on the part set aside when it was trained.

    The part is found again from the recorded file, seed and fingerprint; if the ratings have
    changed since, the command says so and stops. With RATINGS, the model is tested on all of that
    file instead.
    """
    from funksvd import FunkSVD, FunkSVDError, read_ratings, rebuild

    output = Output(options.pop("quiet"), options.pop("as_json"))
    read_options = take_read_options(options)
    model = FunkSVD.load(model_path)
    model.n_threads = options["threads"]
    folder = os.path.dirname(os.path.realpath(model_path))

    training = None
    if ratings:
        test = read_ratings(list(ratings), read_options)
        report_reading(output, test.report)
        if model.provenance is not None:
            try:
                training = rebuild(model.provenance, folder).all_but_test
            except FunkSVDError as error:
                output.note(f"No baselines beside the model: {error}")
    else:
        if model.provenance is None:
            raise FunkSVDError(
                f"{model_path}: the model does not record which ratings it was trained on; name a "
                f"file of test ratings: funksvd evaluate {model_path} RATINGS"
            )
        holdout = rebuild(model.provenance, folder)
        if holdout.test is None:
            raise FunkSVDError(
                f"{model_path}: the model was trained on all ratings and has no test part; name a "
                f"file of test ratings: funksvd evaluate {model_path} RATINGS"
            )
        test, training = holdout.test, holdout.all_but_test
        report_reading(output, test.report)
    result = model.evaluate(test, training=training)
    if output.as_json:
        output.json({"model": model_path, **result.to_dict()})
    else:
        show_evaluation(output, result, f"Funk SVD, {model.n_factors} factors")
    warn_of_doubts(output, result)
