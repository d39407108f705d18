"""Content of a report, as plain data: all facts, and the reasons for which some are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from funksvd.evaluation import RankingEvaluation
from funksvd.hyperparameters import ALGORITHMS, Algorithm
from funksvd.learned.features import FeatureFacts
from funksvd.model import FunkSVD
from funksvd.objectives.losses import Loss
from funksvd.ratings import Ratings
from funksvd.report.data import Data, counts_of, look_at_data, noun_of
from funksvd.report.factors import Factors, look_at_factors
from funksvd.report.labels import Labels
from funksvd.report.lists import Neighbours, facts_of_choice, look_at_lists, look_at_similar
from funksvd.report.people import Person, choose_people
from funksvd.report.testing import TestResults, look_at_test
from funksvd.splitting import Holdout
from funksvd.training import Stopped, TrainingRecord


@dataclass(frozen=True)
class Content:
    """All that a report tells.

    Parameters
    ----------
    name : str
        Name of the model's file, or another name.
    title : str
        Name of the kind of model.
    rankings : tuple of str
        Names of the orders in which the model lists items, the best first.
    rating_scale : (float, float) or None
        Lowest and highest rating; None for a model of choices only.
    algorithm : Algorithm
    loss : Loss or None
        None for a model of choices only.
    n_users, n_items, n_ratings : int
        Numbers of users, of items, and of ratings or pairs that the model has learned from.
    data : Data
    epoch : str
        Word for an epoch of the algorithm.
    record : TrainingRecord
        Epochs of training, and the one that was kept.
    training : dict of str to str
        Rows of a table about training: name and value.
    hyperparameters : dict of str to str
        Hyperparameters that make a difference to the model, and their values.
    test : TestResults or None
        Errors of predicted ratings.
    lists : RankingEvaluation or None
        Quality of the model's lists, beside simpler ones.
    without_test, without_lists : str
        Reasons for which there are no test results, and no figures about lists.
    choice : dict of str to str
        Rows of a table about the choice model: name and value; empty where there is none.
    factors : Factors or None
        Those of the model of ratings.
    similar : list of Neighbours
        Well-known items and those that are most like them.
    people : list of Person
        Users as examples.
    without_ratings : str
        Reason for which the examples' own ratings, or pairs, are not known.
    is_calibrated : bool
        Whether probabilities were calibrated on ratings that were not learned from.
    knows_seen : bool
        Whether items that were learned from are left out of recommendations.
    n_titled : int
        Number of items with a title.
    features : dict of str to list of FeatureFacts
        What the features of "user" and "item" are worth.
    n_alone : dict of str to int
        Numbers of users and items that are known by features alone.
    command : str or None
        Commands that make the same model, one a line.
    remarks : tuple of str
        Sentences about the command: what else it depends on.
    version : str
        Version of funksvd.
    """

    name: str
    title: str
    rankings: tuple[str, ...]
    rating_scale: tuple[float, float] | None
    algorithm: Algorithm
    loss: Loss | None
    n_users: int
    n_items: int
    n_ratings: int
    data: Data
    epoch: str
    record: TrainingRecord
    training: dict[str, str]
    hyperparameters: dict[str, str]
    test: TestResults | None
    lists: RankingEvaluation | None
    without_test: str
    without_lists: str
    choice: dict[str, str]
    factors: Factors | None
    similar: list[Neighbours]
    people: list[Person]
    without_ratings: str
    is_calibrated: bool
    knows_seen: bool
    n_titled: int
    features: dict[str, list[FeatureFacts]] = field(default_factory=dict)
    n_alone: dict[str, int] = field(default_factory=dict)
    command: str | None = None
    remarks: tuple[str, ...] = ()
    version: str = ""

    @property
    def keeps_lowest(self) -> bool:
        """Whether the epoch that was kept is that of the lowest validation error."""
        if self.algorithm.is_sampler:
            return False
        found = [epoch.valid for epoch in self.record.history if epoch.valid is not None]
        return bool(found) and self.record.best.valid == min(found)


def gather(
    model: FunkSVD,
    *,
    holdout: Holdout | None = None,
    missing: str | None = None,
    titles: Mapping[int, str] | Mapping[str, str] | None = None,
    name: str = "model",
    command: tuple[str | None, tuple[str, ...]] = (None, ()),
    version: str = "",
) -> Content:
    """Collect the content of a report about a model.

    Parameters
    ----------
    model : FunkSVD
        Fitted.
    holdout : Holdout, optional
        The ratings it learned from and was tested on; `rebuild(model.provenance)` finds them.
    missing : str, optional
        Reason for which they are not given; a sentence for the reader.
    titles : mapping of id to str, optional
        Titles of items, as `read_titles` returns them.
    name : str
        Name of the model's file, or another name.
    command : (str or None, tuple of str)
        The command that makes the same model, and remarks on it.
    version : str
        Version of funksvd.

    Returns
    -------
    Content
    """
    labels = Labels(model.item_ids, titles)
    training, test = (holdout.all_but_test, holdout.test) if holdout else (None, None)
    counts = user_counts, item_counts = counts_of(model, training)
    without_ratings = "" if holdout else missing or f"The training {noun_of(model)} were not given."
    without_test = without_ratings
    if training is not None and not test:
        without_test = f"The model was trained on all {noun_of(model)}: no test part was set aside."
    predicts = model.fitted.rating is not None
    errors, lists, without_lists = None, None, without_test
    if training is not None and test:
        lists, without_lists = look_at_lists(model, training, test)
        if predicts and isinstance(training, Ratings) and isinstance(test, Ratings):
            errors = look_at_test(model, training, test)
    return Content(
        name=name,
        title=model.title,
        rankings=model.rankings,
        rating_scale=model.rating_scale if predicts else None,
        algorithm=_algorithm(model),
        loss=model.fitted.rating_model.loss if predicts else None,
        n_users=len(model.users),
        n_items=len(model.items),
        n_ratings=model.n_ratings,
        data=look_at_data(model, training, test, counts),
        epoch=_algorithm(model).epoch,
        record=model.training,
        training=_training_facts(model),
        hyperparameters=_hyperparameters(model),
        test=errors,
        lists=lists,
        without_test=without_test,
        without_lists=without_lists,
        choice=facts_of_choice(model),
        factors=look_at_factors(model, labels, item_counts) if predicts else None,
        similar=look_at_similar(model, labels, item_counts),
        people=choose_people(model, labels, user_counts, training, test),
        without_ratings=without_ratings,
        is_calibrated=model.fitted.is_calibrated,
        knows_seen=model.seen is not None,
        n_titled=labels.n_titled,
        features=model.fitted.feature_facts,
        n_alone={what: len(known.alone) for what, known in model.fitted.features.items()},
        command=command[0],
        remarks=command[1],
        version=version,
    )


def _algorithm(model: FunkSVD) -> Algorithm:
    return ALGORITHMS[model.hyperparameters.algorithm]


def _metric_title(model: FunkSVD) -> str:
    """Name of the figure of the validation part, for people."""
    rating = model.fitted.rating
    return model.training.best.valid_metric.upper() if rating is None else rating.loss.metric_title


def _training_facts(model: FunkSVD) -> dict[str, str]:
    algorithm, record = _algorithm(model), model.training
    is_sampler, epoch = algorithm.is_sampler, algorithm.epoch
    facts = {
        f"{epoch}s watched": f"{len(record.history):,} of at most "
        f"{model.hyperparameters.epoch_limit():,}"
    }
    if ended := _why_stopped(model):
        facts["training ended"] = ended
    if record.best.valid is not None:
        error = f"validation {_metric_title(model)}"
        if is_sampler:
            facts[f"{error} in the end"] = f"{record.best.valid:.4f}"
        else:
            facts[f"{epoch} kept"] = f"{record.best_epoch:,}, {error} {record.best.valid:.4f}"
    n_updates = len(model.provenance.updates) if model.provenance else 0
    if n_updates:
        facts["updated"] = (
            f"{n_updates:,} times since, with new {noun_of(model)}; the curves end before that"
        )
    elif record.refitted:
        facts["trained again"] = (
            f"with the validation {noun_of(model)} too, for "
            f"{_counted(record.best_epoch, epoch)}; that is the model"
        )
    if is_sampler:
        facts["draws kept"] = (
            f"{model.n_members:,}; they tell how sure predictions are, the mean of all draws"
        )
    elif model.hyperparameters.ensemble > 1:
        facts["models"] = (
            f"{model.n_members:,}, folded into one by taking the mean of their predictions"
        )
    if is_sampler:
        n_rows = len(model.users) + len(model.items)
        facts["numbers in each draw"] = f"{n_rows * (1 + model.learned.n_factors_of_draw):,}"
    elif (rating := model.fitted.rating) is None:
        learned = model.fitted.choice_model.learned
        facts["numbers learned"] = f"{learned.user_factors.size + learned.item_factors.size:,}"
    else:
        floats = sum(array.size for array in rating.learned.parameters[1:])
        facts["numbers learned"] = f"{floats:,}"
    if model.fitted.rating is not None and (days := model.learned.days) is not None:
        facts["days of users"] = (
            f"{len(days.biases):,}, whose biases have a standard deviation of {days.spread:.2f}"
        )
    seconds = sum(each.seconds for each in record.history)
    facts["seconds"] = "not kept in model files, so that the same training gives the same file"
    if np.isfinite(seconds):
        facts["seconds"] = f"{seconds:.2f} in the {epoch}s watched"
    return facts


def _why_stopped(model: FunkSVD) -> str:
    """The reason for which the epochs that are shown ended; "" where it was not recorded."""
    epoch, stopped = _algorithm(model).epoch, model.training.stopped
    if stopped is None:
        return ""
    better = "lower" if model.fitted.rating is not None else "higher"
    waited = _counted(model.hyperparameters.resolved().patience, epoch)
    return {
        Stopped.LIMIT: f"with the last {epoch} that was allowed",
        Stopped.PATIENCE: f"after {waited} without a notably {better} validation "
        f"{_metric_title(model)}",
        Stopped.CONVERGED: f"after {epoch}, when more would have changed their mean by little",
        Stopped.INTERRUPT: "by Ctrl-C",
    }[stopped]


def _counted(n: int, what: str) -> str:
    """A number and a noun, "1 epoch" or "5 epochs"."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _hyperparameters(model: FunkSVD) -> dict[str, str]:
    chosen_by_data = f"{model.reg_used:.4g} (chosen by the data)"
    return {
        name: chosen_by_data if value is None else _text(value)
        for name, value in model.hyperparameters.in_use(model.was_validated).items()
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
