"""Content of a report, as plain data: all facts, and the reasons for which some are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from funksvd.hyperparameters import ALGORITHMS, LOSSES, Algorithm
from funksvd.model import FunkSVD
from funksvd.objectives.losses import Loss
from funksvd.ratings import Ratings
from funksvd.ratings.times import in_seconds
from funksvd.report.factors import Factors, look_at_factors
from funksvd.report.labels import Labels
from funksvd.report.people import Person, choose_people
from funksvd.report.testing import TestResults, look_at_test
from funksvd.splitting import Holdout
from funksvd.training import Stopped, TrainingRecord

MAX_BARS = 20
"""Largest number of different ratings that each have a bar of their own; more share `N_BARS`."""
N_BARS = 30
"""Number of bars, each for a range of ratings."""
QUANTILES = {"least": 0.0, "a quarter have at most": 0.25, "half at most": 0.5, "most": 1.0}
"""Shares of users, or of items, by the words for the number of ratings that they have at most."""


class RatingBars(NamedTuple):
    """Number of ratings of each value, or in each range of values.

    Parameters
    ----------
    edges : ndarray of shape (n + 1,), float64
        Ends of the ranges, in rating units.
    counts : ndarray of shape (n,), int
        Number of ratings in each range.
    values : ndarray of shape (n,) or None
        The ratings themselves, where each has a bar of its own.
    """

    edges: np.ndarray
    counts: np.ndarray
    values: np.ndarray | None


@dataclass(frozen=True)
class Data:
    """Facts about the ratings.

    Parameters
    ----------
    facts : dict of str to str
        Rows of a table: name and value.
    bars : RatingBars or None
        All ratings, those of the test part too; None where they cannot be read again.
    user_counts, item_counts : dict of str to int, or None
        Quantiles of the number of ratings learned from; None where the model does not know.
    """

    facts: dict[str, str]
    bars: RatingBars | None
    user_counts: dict[str, int] | None
    item_counts: dict[str, int] | None


@dataclass(frozen=True)
class Content:
    """All that a report tells.

    Parameters
    ----------
    name : str
        Name of the model's file, or another name.
    title : str
        Name of the kind of model.
    rating_scale : (float, float)
        Lowest and highest rating.
    algorithm : Algorithm
    loss : Loss
    n_users, n_items, n_ratings : int
        Numbers of users, of items and of ratings that the model has learned from.
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
    without_test : str
        Reason for which there are no test results.
    factors : Factors
    people : list of Person
        Users as examples.
    without_ratings : str
        Reason for which the examples' own ratings are not known.
    knows_seen : bool
        Whether rated items are left out of recommendations.
    n_titled : int
        Number of items with a title.
    command : str or None
        Commands that make the same model, one a line.
    remarks : tuple of str
        Sentences about the command: what else it depends on.
    version : str
        Version of funksvd.
    """

    name: str
    title: str
    rating_scale: tuple[float, float]
    algorithm: Algorithm
    loss: Loss
    n_users: int
    n_items: int
    n_ratings: int
    data: Data
    epoch: str
    record: TrainingRecord
    training: dict[str, str]
    hyperparameters: dict[str, str]
    test: TestResults | None
    without_test: str
    factors: Factors
    people: list[Person]
    without_ratings: str
    knows_seen: bool
    n_titled: int
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
    user_counts, item_counts = _counts(model, training)
    without_ratings = "" if holdout else missing or "The training ratings were not given."
    without_test = without_ratings
    if training is not None and not test:
        without_test = "The model was trained on all ratings: no test part was set aside."
    return Content(
        name=name,
        title=model.title,
        rating_scale=model.rating_scale,
        algorithm=_algorithm(model),
        loss=_loss(model),
        n_users=len(model.users),
        n_items=len(model.items),
        n_ratings=model.n_ratings,
        data=Data(
            facts=_data_facts(model, training, test),
            bars=_bars(training, test) if training is not None else None,
            user_counts=_quantiles(user_counts),
            item_counts=_quantiles(item_counts),
        ),
        epoch=_epoch(model),
        record=model.training,
        training=_training_facts(model),
        hyperparameters=_hyperparameters(model),
        test=look_at_test(model, training, test) if training and test else None,
        without_test=without_test,
        factors=look_at_factors(model, labels, item_counts),
        people=choose_people(model, labels, user_counts, training, test),
        without_ratings=without_ratings,
        knows_seen=model.seen is not None,
        n_titled=labels.n_titled,
        command=command[0],
        remarks=command[1],
        version=version,
    )


def _algorithm(model: FunkSVD) -> Algorithm:
    return ALGORITHMS[model.hyperparameters.algorithm]


def _loss(model: FunkSVD) -> Loss:
    return LOSSES[model.hyperparameters.loss]


def _epoch(model: FunkSVD) -> str:
    """Word for an epoch."""
    return "sweep" if _algorithm(model).is_sampler else _algorithm(model).epoch


def _counts(
    model: FunkSVD, training: Ratings | None
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Numbers of ratings learned from, of each user and each item; None where they are unknown."""
    if model.seen is not None:
        return np.diff(model.seen.indptr), np.bincount(
            model.seen.columns, minlength=len(model.items)
        )
    if training is None:
        return None, None
    users, items = training.index_for(model.users, model.items)
    both = (users >= 0) & (items >= 0)
    return (
        np.bincount(users[both], minlength=len(model.users)),
        np.bincount(items[both], minlength=len(model.items)),
    )


def _bars(training: Ratings, test: Ratings | None) -> RatingBars:
    values = np.concatenate([part.values for part in (training, test) if part is not None])
    different, counts = np.unique(values, return_counts=True)
    if len(different) > MAX_BARS:
        counts, edges = np.histogram(values, N_BARS)
        return RatingBars(edges.astype(np.float64), counts, None)
    different = different.astype(np.float64)
    half = np.diff(different).min() / 2 if len(different) > 1 else 0.5
    return RatingBars(np.append(different - half, different[-1] + half), counts, different)


def _quantiles(counts: np.ndarray | None) -> dict[str, int] | None:
    if counts is None:
        return None
    found = np.quantile(counts, list(QUANTILES.values()), method="higher")
    return dict(zip(QUANTILES, map(int, found), strict=True))


def _data_facts(model: FunkSVD, training: Ratings | None, test: Ratings | None) -> dict[str, str]:
    n_users, n_items = len(model.users), len(model.items)
    low, high = model.rating_scale
    facts = {
        "ratings learned from": f"{model.n_ratings:,}",
        "users": f"{n_users:,}",
        "items": f"{n_items:,}",
        "of the matrix known": f"{model.n_ratings / (n_users * n_items):.2%}",
        "rating scale": f"{low:g} to {high:g}",
        _constant(model): f"{model.global_mean:.3f}"
        if model.hyperparameters.biases
        else "not part of the model",
    }
    origin = model.provenance
    if origin is not None:
        facts["read from"] = ", ".join(origin.ratings.files) or "no file (standard input or memory)"
        if origin.validation is not None:
            facts["validation part"] = ", ".join(origin.validation.files) or "given"
        facts["test part"] = f"{origin.test_fraction:.0%} of them, at random, set aside first"
        if origin.updates:
            files = [name for update in origin.updates for name in update.ratings.files or ["-"]]
            facts["added later"] = ", ".join(files)
        if origin.test is not None:
            facts["test part"] = ", ".join(origin.test.files) or "given"
        elif not origin.test_fraction:
            facts["test part"] = "none"
    if test is not None:
        facts["test ratings"] = f"{len(test):,}"
    return facts | (_times(training) if training is not None else {})


def _constant(model: FunkSVD) -> str:
    """Name of the model's mu."""
    if _algorithm(model).is_sampler:
        return "level of all predictions (μ), mean of the draws"
    return "mean rating" if _loss(model).is_linear else "log-odds of a 1"


def _times(ratings: Ratings) -> dict[str, str]:
    """First and last day of the ratings, if timestamps are times of our days."""
    if ratings.timestamps is None or not len(ratings):
        return {}
    times = in_seconds(ratings.timestamps)
    low, high = int(times.min()), int(times.max())
    try:
        first, last = (np.datetime64(t, "s").item().date() for t in (low, high))
    except (AttributeError, ValueError, OverflowError):
        return {}
    if not 1990 <= first.year <= last.year <= 2100:
        return {}
    return {"rated": f"{first} to {last}"}


def _training_facts(model: FunkSVD) -> dict[str, str]:
    is_sampler, epoch, record = _algorithm(model).is_sampler, _epoch(model), model.training
    facts = {
        f"{epoch}s watched": f"{len(record.history):,} of at most "
        f"{model.hyperparameters.epoch_limit():,}"
    }
    if ended := _why_stopped(model):
        facts["training ended"] = ended
    if record.best.valid is not None:
        error = f"validation {_loss(model).metric_title}"
        if is_sampler:
            facts[f"{error} in the end"] = f"{record.best.valid:.4f}"
        else:
            facts[f"{epoch} kept"] = f"{record.best_epoch:,}, {error} {record.best.valid:.4f}"
    n_updates = len(model.provenance.updates) if model.provenance else 0
    if n_updates:
        facts["updated"] = (
            f"{n_updates:,} times since, with new ratings; the curves end before that"
        )
    elif record.refitted:
        facts["trained again"] = (
            f"with the validation ratings too, for {_counted(record.best_epoch, epoch)}; that is "
            "the model"
        )
    if is_sampler:
        facts["draws kept"] = f"{model.n_members:,}; the model predicts the mean of theirs"
    elif model.hyperparameters.ensemble > 1:
        facts["models"] = (
            f"{model.n_members:,}, folded into one by taking the mean of their predictions"
        )
    if is_sampler:
        n_rows = len(model.users) + len(model.items)
        facts["numbers in each draw"] = (
            f"{n_rows * (1 + model.hyperparameters.resolved().n_factors):,}"
        )
    else:
        floats = sum(array.size for array in model.parameters[1:])
        facts["numbers learned"] = f"{floats:,}"
    seconds = sum(each.seconds for each in record.history)
    facts["seconds"] = "not kept in model files, so that the same training gives the same file"
    if np.isfinite(seconds):
        facts["seconds"] = f"{seconds:.2f} in the {epoch}s watched"
    return facts


def _why_stopped(model: FunkSVD) -> str:
    """The reason for which the epochs that are shown ended; "" where it was not recorded."""
    epoch, stopped = _epoch(model), model.training.stopped
    if stopped is None:
        return ""
    waited = _counted(model.hyperparameters.resolved().patience, epoch)
    return {
        Stopped.LIMIT: f"with the last {epoch} that was allowed",
        Stopped.PATIENCE: f"after {waited} without a notably lower validation "
        f"{_loss(model).metric_title}",
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
