"""`funksvd evaluate`: how good a model is on ratings it has not learned from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .console import Output
from .figures import show_evaluation, warn_of_doubts, warn_of_few_users
from .groups import GroupedCommand
from .models import DEFAULT_MODEL, is_model, keep_ratings_of, load, ratings_of
from .options import FILE, output_options, threads_option
from .ranking import RankingOptions, predicts_ratings, ranking_options_with_file, show_ranking
from .reading import read_any, reading_options, report_reading
from .sharding import cluster_option, on_cluster

if TYPE_CHECKING:
    from funksvd import FunkSVD, Interactions, ReadOptions


class WithoutCrossValidation(GroupedCommand):
    """Tells those who give options of cross-validation which command has them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error names the other command."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            from .cross_validate import cross_validate

            known = [name for option in cross_validate.params for name in _names(option)]
            if error.option_name not in known:
                raise
            raise click.UsageError(_instead(error.option_name, given), ctx) from None


def _names(option: click.Parameter) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _instead(option: str, given: Sequence[str]) -> str:
    """The command for what was given, if that was cross-validation; else why there is none."""
    names = {word.partition("=")[0] for word in given}
    if not names & {"--folds", "--split", "--fold"}:
        return (
            f"{option} goes with funksvd train and funksvd cross-validate: a model that is there "
            "already has been trained"
        )
    words = ["funksvd", "cross-validate", *given]
    if "--split" in names and "--folds" not in names:
        words += ["--folds", "1"]
    return f"cross-validation has a command of its own: {shlex.join(words)}"


@click.command(
    cls=WithoutCrossValidation,
    epilog="""\b
Examples:
  funksvd evaluate
  funksvd evaluate model.funksvd new-ratings.csv --json
  funksvd evaluate --ranking -n 10 --relevant-from 4
  funksvd evaluate --ranking --per-user figures.csv""",
)
@click.argument("paths", type=FILE, nargs=-1, metavar="[MODEL] [RATINGS]...")
@ranking_options_with_file
@threads_option
@cluster_option
@reading_options
@output_options
def evaluate(
    paths: tuple[str, ...],
    *,
    ranking: RankingOptions,
    threads: int | None,
    cluster: str | None,
    reading: ReadOptions,
    output: Output,
) -> None:
    """Test a model on ratings it has not learned from.

    Without RATINGS, MODEL (model.funksvd by default) is tested on the part that was set aside when
    it was trained. That part is found again by the recorded files and pairs, in whatever order they
    are now; ratings that were appended since are left out, and if others have changed, the command
    says so and stops.

    With RATINGS, MODEL is tested on all of them. If they are those it was trained on, it is still
    tested on that part only. They need no ratings: then, and where the model has learned from none,
    its lists are tested as by --ranking.

    --ranking takes the best items of each user, out of all that the user does not have in
    training, and counts those that the user likes by a test rating. All rankings of the model
    stand beside the most popular items and the biases alone. funksvd compare compares two models.
    """
    from funksvd import Ratings, ReadOptions, evaluate_ranking

    model_path, ratings = (paths[0] if paths else DEFAULT_MODEL), paths[1:]
    if not ratings and reading != ReadOptions():
        raise click.UsageError(
            "how to read ratings can be said of RATINGS only; the test part is read as it was "
            "for training"
        )
    ranking.test.check_file([model_path, *ratings])
    model = on_cluster(_load(output, model_path, threads), cluster)
    keep_ratings_of(model, ranking.test.per_user, "--per-user")
    if ratings:
        test, training = _given(output, model, model_path, ratings, reading)
    else:
        test, training = _set_aside(output, model, model_path)
    evaluation = quality = None
    predicts = predicts_ratings(model) and isinstance(test, Ratings)
    asked = ranking.for_model(predicts=predicts)
    with output.busy("Testing"):
        if predicts:
            evaluation = model.evaluate(test, training=training)
        if asked is not None:
            quality = evaluate_ranking(
                model,
                test,
                training=training,
                n_best=asked.n_best,
                relevant_from=asked.relevant_from,
            )
    if output.as_json:
        plain = {"model": model_path, **(evaluation.to_dict() if evaluation else {})}
        output.json(plain | ({"ranking": quality.to_dict()} if quality else {}))
    else:
        if evaluation is not None:
            show_evaluation(output, evaluation, model.title)
        if evaluation is not None and quality is not None:
            output.note()
        if quality is not None:
            show_ranking(output, quality)
    if asked is not None and quality is not None:
        asked.write_file(output, quality)
    if evaluation is not None:
        warn_of_doubts(output, evaluation)
    elif quality is not None:
        warn_of_few_users(output, quality.n_users, test.noun)


def _given(
    output: Output, model: FunkSVD, path: str, ratings: Sequence[str], reading: ReadOptions
) -> tuple[Interactions, Interactions | None]:
    """Test ratings from files, and the ratings that the model was trained on, if they are there."""
    from funksvd import FunkSVDError
    from funksvd.splitting import split_again

    test = read_any(output, ratings, reading, keep_equal=predicts_ratings(model))
    holdout = (
        None
        if model.provenance is None
        else split_again(model.provenance, test, remedy=_remedy(path))
    )
    if holdout is not None and holdout.test is not None:
        output.note("The model was trained on this file: testing on the part set aside")
        return holdout.test, holdout.all_but_test
    try:
        return test, ratings_of(model, path, _remedy(path)).all_but_test
    except FunkSVDError:
        output.note("No baselines: the model's training ratings cannot be read again")
        return test, None


def _set_aside(output: Output, model: FunkSVD, path: str) -> tuple[Interactions, Interactions]:
    """The test part that was set aside for the model, and the ratings it was trained on."""
    from funksvd import FunkSVDError

    with output.busy("Reading"):
        holdout = ratings_of(model, path, _remedy(path))
    if holdout.test is None:
        raise FunkSVDError(
            f"{path}: the model was trained on all ratings and has no test part; {_remedy(path)}"
        )
    report_reading(output, holdout.test.report)
    return holdout.test, holdout.all_but_test


def _remedy(path: str) -> str:
    return f"name a file of test ratings: funksvd evaluate {path} RATINGS"


def _load(output: Output, path: str, threads: int | None) -> FunkSVD:
    """Load a model; if the file holds ratings instead, say which commands take them."""
    from funksvd import ModelFileError

    try:
        return load(output, path, threads)
    except ModelFileError as error:
        if not os.path.exists(path) or is_model(path):
            raise
        raise ModelFileError(
            f"{path} is no model. To learn from it and test: funksvd cross-validate {path}. "
            f"To test a model on it: funksvd evaluate {DEFAULT_MODEL} {path}. As for a "
            f"model, {error.template}"
        ) from error
