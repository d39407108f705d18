"""`funksvd tune`: search for better hyperparameters than the defaults."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .console import Output
from .options import FILE, new_model, output_options, threads_option, training_options
from .parts import Parts, parts_options
from .reading import reading_options
from .writing import refuse_to_overwrite

if TYPE_CHECKING:
    from funksvd import FunkSVD, ReadOptions, Tuning

INTERRUPTED = 130
OWN_OPTIONS = {"ratings", "n_trials", "timeout", "n_repeats", "study", "quiet", "as_json"}
"""What `funksvd train` does not have, or is not to be given."""


@click.command(
    epilog="""\b
Examples:
  funksvd tune ratings.csv
  funksvd tune ratings.csv --trials 100 --study ratings.journal
  funksvd tune ratings.csv -k 32 --reg 0.05
  funksvd tune u1.base --test u1.test --timeout 600"""
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@click.option(
    "--trials",
    "n_trials",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Trials in all; with a study file, those in it included.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Start no more trials after that.",
)
@click.option(
    "--repeats",
    "n_repeats",
    type=click.IntRange(min=1),
    help="Validation parts, on each of which a trial is judged.  [default: 3, or 1 if large]",
)
@click.option(
    "--study", metavar="FILE", type=FILE, help="Keep trials here; go on, if there are some."
)
@training_options
@parts_options
@threads_option
@reading_options
@output_options
def tune(
    ratings: tuple[str, ...],
    parts: Parts,
    reading: ReadOptions,
    output: Output,
    **options: Any,
) -> int:
    """Search for better hyperparameters than the defaults.

    RATINGS are read and the test part is set aside just as `funksvd train` does; the test part is
    not looked at. Each trial learns from the rest without a validation part, and is judged by the
    error on it; on several parts in turn where they are small. The first trial is that of the
    defaults. Hyperparameters that are given stay as they are, the others are searched.

    The last line is the command that trains with the best ones.

    Ctrl-C ends the search and shows the best so far. With --study, the same command goes on from
    there, and finds what it would have found without the break.
    """
    from funksvd import tune as search
    from funksvd.training import LOSSES
    from funksvd.tuning import require_optuna

    from .trials import TuningProgress, show_tuning

    require_optuna()  # before anything takes its time
    command = _train_command(ratings)
    _check_study(options["study"], (*ratings, *parts.files))

    model = new_model(options)
    _check_judged(model, parts.valid_file)
    holdout, interactions = parts.read(output, ratings, reading, model.seed)
    error_name = LOSSES[model.loss].metric_title
    with TuningProgress(output, options["n_trials"], error_name) as progress:
        tuning = search(
            model,
            holdout.training,
            n_trials=options["n_trials"],
            fixed=[name for name in model.get_params() if options.get(name) is not None],
            n_repeats=options["n_repeats"],
            validation=holdout.validation,
            interactions=interactions,
            timeout=options["timeout"],
            study=options["study"],
            monitor=progress,
        )
    for name, value in tuning.hyperparameters.items():
        command += [f"--{name.replace('_', '-')}", f"{value:g}"]
    if output.as_json:
        output.json({**tuning.to_dict(), "command": shlex.join(command)})
    else:
        show_tuning(output, tuning, command, error_name)
    if tuning.interrupted:
        output.warn(_how_to_go_on(tuning, options["study"]))
    return INTERRUPTED if tuning.interrupted else 0


def _check_judged(model: FunkSVD, validation_file: str | None) -> None:
    """Say before the ratings are read that there is nothing to judge trials by."""
    from funksvd.training import ALGORITHMS

    if validation_file is not None or model.hyperparameters.resolved().validation_fraction:
        return
    what = "there are no validation ratings, by which trials are judged"
    algorithm = model.hyperparameters.algorithm
    if ALGORITHMS[algorithm].is_sampler:
        what = (
            f"{algorithm} is a sampler, which has nothing to tune but its number of "
            f"factors: train it, with funksvd train RATINGS --algorithm {algorithm}. To "
            "search the number of factors"
        )
    else:
        what += ". To have some"
    raise click.UsageError(f"{what}, give --valid-fraction 0.05 or --valid FILE")


def _check_study(path: str | None, inputs: tuple[str | None, ...]) -> None:
    """Find out before the ratings are read that the study cannot be kept there."""
    if path is None:
        return
    refuse_to_overwrite(path, inputs, "--study")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise click.BadParameter(f"the folder {folder} does not exist", param_hint="--study")
    if os.path.exists(path) and not os.path.isfile(path):
        raise click.BadParameter(f"{path} is not a regular file", param_hint="--study")
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        raise click.BadParameter(f"{path} cannot be written to", param_hint="--study")


def _train_command(ratings: tuple[str, ...]) -> list[str]:
    """`funksvd train` with what was given to this command, as far as it is for both."""
    context = click.get_current_context()
    words = ["funksvd", "train", *ratings]
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if not given or parameter.name in OWN_OPTIONS:
            continue
        value = context.params[parameter.name]
        if parameter.is_flag:
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            words += [parameter.opts[0], str(value)]
    return words


def _how_to_go_on(tuning: Tuning, study: str | None) -> str:
    n_trials = "1 trial" if len(tuning.trials) == 1 else f"{len(tuning.trials)} trials"
    if study is None:
        return f"interrupted after {n_trials}; with --study FILE they could be gone on from"
    return f"interrupted after {n_trials}; the same command goes on from them"
