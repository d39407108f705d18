"""`funksvd train`: learn a model from ratings, test it, save it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .checkpoints import Checkpointing, checkpoint_options
from .console import FAILED, INTERRUPTED, Output
from .features import FeatureFiles, tell_features, training_features
from .figures import show_evaluation, warn_of_doubts
from .gate import check_judgeable, max_rmse_option, passes
from .groups import GroupedCommand, option
from .models import DEFAULT_MODEL, save, saved_as_option
from .options import FILE, OUTPUT, output_options
from .parts import Parts, parts_options
from .ranking import show_ranking
from .reading import reading_options
from .sharding import Sharding, sharding_options
from .training_options import for_data, names_of_errors, training_options
from .writing import check_writable

if TYPE_CHECKING:
    from funksvd import Evaluation, FunkSVD, Holdout, RankingEvaluation, ReadOptions
    from funksvd.hyperparameters import Hyperparameters


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd train ratings.csv
  funksvd train ml-25m.zip -k 128 -o ml-25m.funksvd
  funksvd train u1.base --test u1.test
  funksvd train clicks.csv
  funksvd train ml-25m.zip --checkpoint state --resume
  funksvd train ratings-by-day/ --shards shards
  funksvd train ml-1m.zip --item-features ml-1m.zip --user-features ml-1m.zip
  zcat ratings.gz | funksvd train - --sep ";" --on-bad-rows skip""",
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@training_options
@parts_options
@training_features
@checkpoint_options
@sharding_options
@reading_options
@option(
    "--output",
    "-o",
    "model_path",
    metavar="FILE",
    type=FILE,
    default=DEFAULT_MODEL,
    show_default=True,
    group=OUTPUT,
    help="File to save the model to.",
)
@option(
    "--no-seen",
    is_flag=True,
    group=OUTPUT,
    help="Do not save which pairs were rated (smaller file).",
)
@saved_as_option
@max_rmse_option
@output_options
def train(
    ratings: tuple[str, ...],
    *,
    hyperparameters: Hyperparameters,
    parts: Parts,
    features: FeatureFiles,
    reading: ReadOptions,
    model_path: str,
    no_seen: bool,
    as_folder: bool | None,
    max_rmse: float | None,
    checkpointing: Checkpointing,
    sharding: Sharding,
    output: Output,
) -> int:
    """Learn a recommender from RATINGS, or from clicks, and save it.

    RATINGS is a file, several of the same kind, a MovieLens folder or archive, or - for standard
    input. A tenth of the ratings is set aside first and used for nothing but the test at the end.

    From ratings, two models are learned into one file: what people think of items (--algorithm),
    and which items they come to (a choice model, where that costs little: up to 50 million ratings;
    --no-choice leaves it out). A file without ratings, such as clicks, makes a choice model alone.

    --user-features and --item-features say more of users and items. Those that have no rating are
    predicted, recommended and compared by these features alone; algorithms sgd, svd++, bayes and
    bayes++ also predict all others better.

    Ctrl-C stops training, and keeps and saves the best epoch so far.

    With --checkpoint, the state of training is kept every few minutes. After a crash, a kill or
    Ctrl-C, the same command with --resume goes on from there, and comes to the same model, byte for
    byte, as if nothing had happened. It is removed when training has come to its end. Not for
    --algorithm bayes and bayes++.

    With --shards, ratings lie on disk, and memory is needed for users and items only. With
    --cluster, the machines of a Ray cluster learn together. Both come to the same model, byte for
    byte, as training in memory, for --algorithm sgd.

    With --max-rmse, the test comes before the model is saved, and a model with a greater RMSE on
    the test part (root mean squared error of its predictions) is not: a file that is there stays
    as it was, and the command exits with 1.
    """
    from funksvd import FunkSVD
    from funksvd.learned.storage import is_model
    from funksvd.training import ALGORITHMS, check_uses_interactions

    from .progress import TrainingProgress

    check_writable(model_path, (*ratings, *parts.files, *features.files), is_model, "a model")
    if parts.interactions_file is not None:
        check_uses_interactions(hyperparameters)
    if max_rmse is not None and parts.test_file is None and parts.test_fraction == 0:
        raise click.UsageError(
            "--max-rmse looks at the test part, and --test-fraction 0 sets none aside"
        )
    checkpoints = checkpointing.open(output, hyperparameters)
    tables = features.read(output)
    if sharding.is_asked:
        sharding.check(parts, features, ratings)
        fraction = parts.test_fraction
        holdout = sharding.open(output, ratings, reading, hyperparameters, fraction)
    else:
        holdout = parts.read(output, ratings, reading, hyperparameters.seed)
        hyperparameters = for_data(output, hyperparameters, holdout.training)
    algorithm = ALGORITHMS[hyperparameters.algorithm]
    check_judgeable(max_rmse, holdout, algorithm.learns)
    model = FunkSVD.of(hyperparameters)
    interrupted = False
    try:
        names = (*names_of_errors(hyperparameters), holdout.training.noun)
        with TrainingProgress(output, *names) as progress:
            if sharding.is_asked:
                holdout.training.fit(model, monitor=progress, checkpoint=checkpoints)
            else:
                model.fit(
                    holdout.training,
                    validation=holdout.validation,
                    interactions=holdout.interactions,
                    **tables,
                    monitor=progress,
                    checkpoint=checkpoints,
                )
    except KeyboardInterrupt:
        if not model.is_fitted:
            raise
        interrupted = True
        output.warn(f"interrupted; keeping {_kept(model)}")
        if checkpoints is not None and checkpoints.found:
            output.note("The checkpoint stays: the same command with --resume goes on from it")

    tell_features(output, model)

    def test() -> Evaluation | None:
        if holdout.test is None or model.fitted.rating is None:
            return None
        with output.busy("Testing"):
            given = holdout.training
            training = given.ratings if sharding.is_asked else holdout.all_but_test
            return model.evaluate(holdout.test, training=training)

    evaluation = None if max_rmse is None else test()
    is_saved = passes(output, evaluation, max_rmse, model_path)
    is_complete = not interrupted
    if is_saved:
        interrupted |= save(
            output, model, model_path, holdout, with_seen=not no_seen, as_folder=as_folder
        )
    if checkpoints is not None and is_complete:
        checkpoints.finished()
    evaluation = evaluation or test()
    ndcg = ranking = None
    if model.fitted.choice is not None and holdout.test is not None:
        with output.busy("Testing"):
            if model.fitted.rating is None:
                ranking = _ranking(output, model, holdout)
            else:
                ndcg = _ndcg(model, holdout)
    if output.as_json:
        lists = {"test_ndcg": ndcg, "test_ranking": ranking.to_dict() if ranking else None}
        gate = {"max_rmse": max_rmse, "saved": is_saved}
        output.json(_summary(model, model_path, interrupted, evaluation) | lists | gate)
    elif evaluation:
        output.note()
        show_evaluation(output, evaluation, model.title)
        if ndcg:
            best, popular = ndcg.values()
            output.note(f"Lists of 10: NDCG {best:.4f}, of the most popular items {popular:.4f}")
    elif ranking:
        output.note()
        show_ranking(output, ranking)
    if evaluation:
        warn_of_doubts(output, evaluation, "look at the")
    if is_saved:
        output.note(f"\n{_next_step(model, model_path)}")
    if interrupted:
        return INTERRUPTED
    return 0 if is_saved else FAILED


def _kept(model: FunkSVD) -> str:
    """What is kept of an interrupted training."""
    from funksvd.training import ALGORITHMS, Stopped

    algorithm = ALGORITHMS[model.hyperparameters.algorithm]
    if model.training.stopped is not Stopped.INTERRUPT:
        return "the model of ratings, whose lists are by rating alone"
    if algorithm.is_sampler:
        return f"the mean of what {model.best_epoch} sweeps have drawn"
    return f"{algorithm.epoch} {model.best_epoch}, the best so far"


def _ranking(output: Output, model: FunkSVD, holdout: Holdout) -> RankingEvaluation | None:
    """Quality of the lists that a model without ratings makes; None if nobody can be tested."""
    from funksvd import RatingsError, evaluate_ranking

    try:
        return evaluate_ranking(model, holdout.test)
    except RatingsError as error:
        output.warn(f"the model was not tested: {error}")
        return None


def _ndcg(model: FunkSVD, holdout: Holdout) -> dict[str, float] | None:
    """NDCG of lists of ten, and of the most popular items; None if the test has no liked item."""
    from funksvd import RatingsError
    from funksvd.evaluation.ranking import ndcg_of_lists

    try:
        return ndcg_of_lists(model, holdout.test)
    except RatingsError:
        return None


def _summary(
    model: FunkSVD,
    path: str,
    interrupted: bool,
    evaluation: Evaluation | None,
) -> dict[str, object]:
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
        "history": [record.to_dict() for record in model.history],
        "rankings": list(model.rankings),
        "test": evaluation.to_dict() if evaluation else None,
    }


def _next_step(model: FunkSVD, path: str) -> str:
    command = ["funksvd", "recommend", "--user", str(model.user_ids[0])]
    if path != DEFAULT_MODEL:
        command += ["--model", path]
    return f"Next: {shlex.join(command)}"
