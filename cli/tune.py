"""`funksvd tune`: search for better hyperparameters than the defaults."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from funksvd.hyperparameters import DECLARATIONS

from .console import Output
from .features import FeatureFiles, training_features
from .groups import GroupedCommand, option
from .options import FILE, output_options
from .parts import Parts, parts_options
from .reading import reading_options
from .training_options import (
    for_data,
    given_hyperparameters,
    option_words,
    training_options,
)
from .writing import check_output

if TYPE_CHECKING:
    from funksvd import ReadOptions, Tuning
    from funksvd.hyperparameters import Hyperparameters

INTERRUPTED = 130
SEARCH = "Search"
"""Heading of the options of the search itself."""
OWN_OPTIONS = {"ratings", "n_trials", "timeout", "n_repeats", "study", "quiet", "as_json"}
"""Parameters that `funksvd train` does not have, or is not to be given."""


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd tune ratings.csv
  funksvd tune ratings.csv --trials 100 --study ratings.journal
  funksvd tune ratings.csv -k 32 --reg 0.05
  funksvd tune u1.base --test u1.test --timeout 600
  funksvd tune clicks.csv
  funksvd tune ratings.csv --algorithm ials""",
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@option(
    "--trials",
    "n_trials",
    metavar="N",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    group=SEARCH,
    help="Number of trials; with --study, those in the file included.",
)
@option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    group=SEARCH,
    help="Time after which no more trial is started.",
)
@option(
    "--repeats",
    "n_repeats",
    metavar="N",
    type=click.IntRange(min=1),
    group=SEARCH,
    help="Number of validation parts that judge each trial.  [default: 3, or 1 if that has 50,000 "
    "ratings]",
)
@option(
    "--study",
    metavar="FILE",
    type=FILE,
    group=SEARCH,
    help="File that keeps the trials; the search goes on from those that are in it.",
)
@training_options
@parts_options
@training_features
@reading_options
@output_options
def tune(
    ratings: tuple[str, ...],
    *,
    n_trials: int,
    timeout: float | None,
    n_repeats: int | None,
    study: str | None,
    hyperparameters: Hyperparameters,
    parts: Parts,
    features: FeatureFiles,
    reading: ReadOptions,
    output: Output,
) -> int:
    """Search for better hyperparameters than the defaults.

    RATINGS are read and the test part is set aside just as `funksvd train` does; the test part is
    not used. Each trial learns from the rest without a validation part, and is judged by the error
    on that part; small parts are several, in turn. The first trial is that of the defaults.
    Hyperparameters that are given stay as they are, the others are searched.

    A choice model, from clicks or by --algorithm ials, is judged by NDCG@10 instead: how high the
    items of the validation part stand in the lists of their users. More is better.

    The last line is the command that trains with the best hyperparameters.

    Ctrl-C ends the search and shows the best so far. With --study, the same command goes on from
    there, and finds what it would have found without the break.
    """
    from funksvd import FunkSVD
    from funksvd import tune as search
    from funksvd.tuning import Metric, require_optuna

    from .trials import TuningProgress, show_tuning

    require_optuna()  # before anything takes its time
    command = _train_command(ratings)
    _check_study(study, (*ratings, *parts.files, *features.files))

    _check_judged(hyperparameters, parts.valid_file)
    tables = features.read(output)
    holdout = parts.read(output, ratings, reading, hyperparameters.seed)
    given = given_hyperparameters()
    hyperparameters = for_data(output, hyperparameters, holdout.training)
    if "algorithm" not in given and hyperparameters.algorithm != DECLARATIONS["algorithm"].default:
        command += option_words("algorithm", hyperparameters.algorithm)
    with TuningProgress(output, n_trials, Metric.of(hyperparameters)) as progress:
        tuning = search(
            FunkSVD.of(hyperparameters),
            holdout.training,
            n_trials=n_trials,
            fixed=given,
            n_repeats=n_repeats,
            validation=holdout.validation,
            interactions=holdout.interactions,
            **tables,
            timeout=timeout,
            study=study,
            monitor=progress,
        )
    for name, value in tuning.hyperparameters.items():
        command += option_words(name, value)
    if output.as_json:
        output.json({**tuning.to_dict(), "command": shlex.join(command)})
    else:
        show_tuning(output, tuning, command)
    if tuning.interrupted:
        output.warn(_how_to_go_on(tuning, study))
    return INTERRUPTED if tuning.interrupted else 0


def _check_judged(hyperparameters: Hyperparameters, validation_file: str | None) -> None:
    """Say before the ratings are read that there is nothing to judge trials by."""
    from funksvd.hyperparameters import ALGORITHMS

    if validation_file is not None or hyperparameters.resolved().validation_fraction:
        return
    learns_choices = ALGORITHMS[hyperparameters.algorithm].learns == "choice"
    if learns_choices and hyperparameters.validation_fraction is None:  # the search has its own
        return
    what = "there are no validation ratings, by which trials are judged"
    if ALGORITHMS[name := hyperparameters.algorithm].is_sampler:
        what = (
            f"{name} is a sampler, which has nothing to tune but its number of factors: train it, "
            f"with funksvd train RATINGS --algorithm {name}. To search the number of factors"
        )
    else:
        what += ". To have some"
    raise click.UsageError(f"{what}, give --valid-fraction 0.05 or --valid FILE")


def _check_study(path: str | None, inputs: tuple[str | None, ...]) -> None:
    """Find out before the ratings are read that the study cannot be kept there."""
    if path is None:
        return
    check_output(path, inputs, "--study")
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise click.BadParameter(f"{path} cannot be written to", param_hint="--study")


def _train_command(ratings: tuple[str, ...]) -> list[str]:
    """`funksvd train` with what was given to this command, as far as it is for both."""
    context = click.get_current_context()
    words = ["funksvd", "train", *ratings]
    for parameter in context.command.params:
        name = parameter.name
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not given or name in OWN_OPTIONS:
            continue
        value = context.params[name]
        if name in DECLARATIONS:
            words += option_words(name, value)
        else:
            words += [parameter.opts[0], str(value)]
    return words


def _how_to_go_on(tuning: Tuning, study: str | None) -> str:
    n_trials = "1 trial" if len(tuning.trials) == 1 else f"{len(tuning.trials)} trials"
    if study is None:
        return f"interrupted after {n_trials}; with --study FILE the search could be resumed"
    return f"interrupted after {n_trials}; the same command resumes the search"
