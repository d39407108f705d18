"""`funksvd evaluate`: how good a model is on ratings it has not learned from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .console import Output, describe_ratings, report_reading, show_evaluation, warn_of_doubts
from .figures import show_fold, show_fold_header, show_means, show_ranking
from .options import (
    DEFAULT_MODEL,
    FILE,
    new_model,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
    training_options,
)
from .splitting import SPLITS, split_ratings

if TYPE_CHECKING:
    from funksvd import CrossValidation, Fold, FunkSVD, Ratings, ReadOptions
    from funksvd.splitting import Holdout


@click.command(
    epilog="""\b
Examples:
  funksvd evaluate
  funksvd evaluate model.funksvd new-ratings.csv --json
  funksvd evaluate --ranking -n 10 --relevant-from 4
  funksvd evaluate ratings.csv --folds 5 -k 32
  funksvd evaluate ratings.csv --split leave-last-out --ranking
  funksvd evaluate --fold u1.base u1.test --fold u2.base u2.test"""
)
@click.argument("paths", type=FILE, nargs=-1, metavar="[MODEL] [RATINGS]...")
@click.option(
    "--folds",
    "n_folds",
    metavar="K",
    type=click.IntRange(min=1),
    help="Learn from a part of RATINGS and test on the rest, so many times.",
)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="How RATINGS are split: learn and test once, or --folds times.  [default: random]",
)
@click.option(
    "--test-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Part to test on, of a single fold and by time.",
)
@click.option(
    "--last",
    "n_last",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Ratings of each user to test on, with leave-last-out.",
)
@click.option(
    "--fold",
    "given",
    metavar="TRAIN TEST",
    type=FILE,
    nargs=2,
    multiple=True,
    help="A fold as two files; may be repeated.",
)
@click.option("--ranking", is_flag=True, help="Also: are the best items those that users like?")
@click.option(
    "n",
    "-n",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Best items of each user, for --ranking.",
)
@click.option(
    "--relevant-from",
    metavar="RATING",
    type=float,
    help="Rating from which on an item is liked.  [default: the user's mean training rating]",
)
@training_options
@threads_option
@reading_options
@output_options
def evaluate(paths: tuple[str, ...], **options: Any) -> None:
    """Test a model on ratings it has not learned from.

    Without RATINGS, MODEL (model.funksvd by default) is tested on the part that was set aside when
    it was trained. The part is found again from the recorded file, seed and fingerprint; if the
    ratings have changed since, the command says so and stops. With RATINGS, the model is tested on
    all of them instead; if they are the file it was trained on, still on that part only.

    With --folds, --split or --fold there is no MODEL: models are learned from RATINGS as `funksvd
    train` would learn them, with its options, and tested on what they have not learned from.
    Nothing is saved. In random and per-user folds, each rating is tested on once. In time,
    leave-last-out tests on each user's last ratings, and by-time on all ratings after a point in
    time; with --folds also on those before them, one part after another, and never learns from
    what comes later.

    --ranking looks at the best items of each user, of all items not rated in training, and counts
    those that the user likes by a test rating.
    """
    output = Output.of(options)
    read_options = take_read_options(options)
    _check_together(options)
    if options["n_folds"] or options["split"] or options["given"]:
        _cross_validate(output, paths, read_options, options)
    else:
        _test_model(output, paths, read_options, options)


def _check_together(options: dict[str, Any]) -> None:
    """Refuse options that would come to nothing."""
    context = click.get_current_context()
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}

    def refuse(names: set[str], why: str) -> None:
        for name in sorted(names & given):
            raise click.UsageError(f"{flags[name]} {why}")

    split = options["split"] or "random"
    single = options["n_folds"] in (None, 1)
    if not options["ranking"]:
        refuse({"n", "relevant_from"}, "goes with --ranking")
    if options["given"]:
        refuse({"n_folds", "split", "n_last", "test_fraction"}, "does not go with --fold")
    elif not (options["n_folds"] or options["split"]):
        refuse(
            {option.name for option in training_options(click.Command("")).params}
            | {"n_last", "test_fraction"},
            "goes with --folds, --split or --fold: a model that is there already has been trained",
        )
    if split != "leave-last-out":
        refuse({"n_last"}, "goes with --split leave-last-out")
    if split == "leave-last-out":
        refuse({"test_fraction"}, "does not go with leave-last-out; give --last")
    if split in ("random", "per-user") and not single:
        refuse({"test_fraction"}, "does not go with several folds, which share all ratings")


def _test_model(
    output: Output, paths: tuple[str, ...], read_options: ReadOptions, options: dict[str, Any]
) -> None:
    from funksvd import FunkSVDError, ReadOptions, evaluate_ranking, read_ratings
    from funksvd.splitting import split_again

    model_path, ratings = (paths[0] if paths else DEFAULT_MODEL), paths[1:]
    if not ratings and read_options != ReadOptions():
        raise click.UsageError(
            "how to read ratings can be said of RATINGS only; the test part is read as it was "
            "for training"
        )
    with output.busy("Loading"):
        model = _load(model_path)
    model.hyperparameters.n_threads = options["threads"]

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
    ranking = None
    with output.busy("Testing"):
        result = model.evaluate(test, training=training)
        if options["ranking"]:
            ranking = evaluate_ranking(
                model,
                test,
                training=training,
                n_best=options["n"],
                relevant_from=options["relevant_from"],
            )
    if output.as_json:
        plain = {"model": model_path, **result.to_dict()}
        output.json(plain | ({"ranking": ranking.to_dict()} if ranking else {}))
    else:
        show_evaluation(output, result, model.title)
        if ranking is not None:
            show_ranking(output, ranking, model.title)
    warn_of_doubts(output, result)


def _load(path: str) -> FunkSVD:
    from funksvd import FunkSVD, ModelFileError

    try:
        return FunkSVD.load(path)
    except ModelFileError as error:
        if not os.path.exists(path) or _is_model(path):
            raise
        raise ModelFileError(
            f"{path} is no model. To learn from it and test: funksvd evaluate {path} --folds 5. "
            f"To test a model on it: funksvd evaluate {DEFAULT_MODEL} {path}. As for a "
            f"model, {error}"
        ) from error


def _is_model(path: str) -> bool:
    from funksvd.learned.storage import is_model_file

    return os.path.isfile(path) and is_model_file(path)


def _rebuild(model: FunkSVD, path: str) -> Holdout:
    from funksvd import FunkSVDError, rebuild

    if model.provenance is None:
        raise FunkSVDError(
            f"{path}: the model does not record which ratings it was trained on; name a file of "
            f"test ratings: funksvd evaluate {path} RATINGS"
        )
    folder = os.path.dirname(os.path.realpath(path))
    return rebuild(model.provenance, folder, with_interactions=False)


def _cross_validate(
    output: Output, paths: tuple[str, ...], read_options: ReadOptions, options: dict[str, Any]
) -> None:
    from funksvd import Fold, cross_validate, read_ratings
    from funksvd.training import ALGORITHMS

    def read(source: Any) -> Ratings:
        with output.busy("Reading"):
            found = read_ratings(source, read_options)
        report_reading(output, found.report)
        return found

    model = new_model(options)
    if options["given"]:
        if paths:
            raise click.UsageError(f"--fold names its files itself: what is {paths[0]} for?")
        folds: Sequence[Fold] = [Fold(read(train), read(test)) for train, test in options["given"]]
    elif not paths:
        raise click.UsageError("RATINGS are missing, which are to be learned from and tested on")
    else:
        for path in filter(_is_model, paths):
            raise click.UsageError(
                f"{path} is a model; with --folds or --split, models are learned from RATINGS"
            )
        ratings = read(list(paths))
        output.note(describe_ratings(ratings))
        folds = split_ratings(
            ratings,
            options["split"] or "random",
            n_folds=options["n_folds"] or 1,
            fraction=options["test_fraction"],
            n_last=options["n_last"],
            seed=model.hyperparameters.seed,
        )
        for remark in folds.remarks:
            output.note(remark)
    streams = len(folds) > 1 and not output.as_json
    if streams:
        output.note()
        show_fold_header()

    result = cross_validate(
        model,
        folds,
        n_best=options["n"] if options["ranking"] else None,
        relevant_from=options["relevant_from"],
        on_fold=show_fold if streams else None,
    )
    if output.as_json:
        split = "given" if options["given"] else options["split"] or "random"
        output.json(
            {"split": split, "hyperparameters": model.get_params(), **result.to_dict()}
            | {"remarks": [] if options["given"] else list(folds.remarks)}
        )
    elif streams:
        show_means(output, result)
    else:
        (fold,) = result.folds
        output.note(
            f"Learned from {fold.n_training:,} ratings, {fold.best_epoch} "
            f"{ALGORITHMS[model.hyperparameters.algorithm].epoch}s, "
            f"in {fold.training_seconds:.1f} s\n"
        )
        show_evaluation(output, fold.evaluation, model.title)
        if fold.ranking is not None:
            show_ranking(output, fold.ranking, model.title)
    warn_of_doubts(output, _on_average(result))


def _on_average(result: CrossValidation) -> Any:
    """The folds' mean, as far as doubts are about it."""
    from funksvd.metrics import Errors

    mean = result.mean
    return replace(
        max((fold.evaluation for fold in result.folds), key=lambda fold: fold.n_users),
        rmse=mean["rmse"],
        unknown_users=mean["unknown_users"],
        unknown_items=mean["unknown_items"],
        baselines={name: Errors(**errors) for name, errors in mean["baselines"].items()},
    )
