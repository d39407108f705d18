"""All that a report tells, as plain data: what there is, and why something is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from funksvd.model import FunkSVD
from funksvd.ratings import Ratings
from funksvd.report.factors import Factors, look_at_factors
from funksvd.report.labels import Labels
from funksvd.report.people import Person, choose_people
from funksvd.report.testing import TestResults, look_at_test
from funksvd.splitting import Holdout
from funksvd.training import ALGORITHMS, LOSSES, EpochRecord

MAX_BARS = 20
"""So many different ratings each have a bar of their own; more of them share `N_BARS`."""
N_BARS = 30
QUANTILES = {"least": 0.0, "a quarter have at most": 0.25, "half at most": 0.5, "most": 1.0}


class RatingBars(NamedTuple):
    """How often each rating, or each range of ratings, occurs.

    Parameters
    ----------
    edges : ndarray of shape (n + 1,)
    counts : ndarray of shape (n,)
    values : ndarray of shape (n,) or None
        The ratings themselves, where each has a bar of its own.
    """

    edges: np.ndarray
    counts: np.ndarray
    values: np.ndarray | None


@dataclass(frozen=True)
class Data:
    """What the model was learned from.

    Parameters
    ----------
    facts : dict of str to str
        For people.
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
        The model file's, or another.
    title : str
        What the model is.
    rating_scale : (float, float)
    error_name : str
        Of the errors that were watched in training: "RMSE".
    unit : str
        What the factors add up to: rating units or log-odds.
    n_users, n_items, n_ratings : int
    data : Data
    is_sampler : bool
        Whether the model is the mean of draws, rather than what the best epoch came to.
    epoch : str
        What an epoch is called.
    history : list of EpochRecord
    best_epoch : int
    training : dict of str to str
        How training went.
    hyperparameters : dict of str to str
    test : TestResults or None
    without_test : str
        Why there are no test results.
    factors : Factors
    people : list of Person
    without_ratings : str
        Why the examples' own ratings are not known.
    knows_seen : bool
        Whether rated items are left out of recommendations.
    n_titled : int
        Number of items with a title.
    command : str or None
        What gives the same model.
    remarks : tuple of str
        What must be known about the command.
    version : str
        Of funksvd.
    """

    name: str
    title: str
    rating_scale: tuple[float, float]
    error_name: str
    unit: str
    n_users: int
    n_items: int
    n_ratings: int
    data: Data
    is_sampler: bool
    epoch: str
    history: list[EpochRecord]
    best_epoch: int
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
        if self.is_sampler:
            return False
        found = [record.valid for record in self.history if record.valid is not None]
        return bool(found) and found[self.best_epoch - 1] == min(found)


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
    """Collect what there is to tell about a model.

    Parameters
    ----------
    model : FunkSVD
        Fitted.
    holdout : Holdout, optional
        The ratings it learned from and was tested on; `rebuild(model.provenance)` finds them.
    missing : str, optional
        Why they are not given, for the reader.
    titles : mapping of id to str, optional
        As `read_titles` returns them.
    name : str
    command : (str or None, tuple of str)
        The command that gives the same model, and remarks on it.
    version : str
        Of funksvd.

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
        error_name=LOSSES[model.loss].metric_title,
        unit=LOSSES[model.loss].score_unit,
        n_users=len(model.user_ids),
        n_items=len(model.item_ids),
        n_ratings=model.n_ratings,
        data=Data(
            facts=_data_facts(model, training, test),
            bars=_bars(training, test) if training is not None else None,
            user_counts=_quantiles(user_counts),
            item_counts=_quantiles(item_counts),
        ),
        is_sampler=ALGORITHMS[model.hyperparameters.algorithm].is_sampler,
        epoch=_epoch(model),
        history=model.history,
        best_epoch=model.best_epoch,
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


def _counts(
    model: FunkSVD, training: Ratings | None
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Ratings learned from, of each user and each item; from whichever source there is."""
    if model.seen is not None:
        return np.diff(model.seen.indptr), np.bincount(
            model.seen.columns, minlength=len(model.item_ids)
        )
    if training is None:
        return None, None
    users, items = training.index_for(model.users, model.items)
    both = (users >= 0) & (items >= 0)
    return (
        np.bincount(users[both], minlength=len(model.user_ids)),
        np.bincount(items[both], minlength=len(model.item_ids)),
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
    n_users, n_items = len(model.user_ids), len(model.item_ids)
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
    """What the model's mu is."""
    if ALGORITHMS[model.hyperparameters.algorithm].is_sampler:
        return "level of all predictions (μ), mean of the draws"
    return "mean rating" if LOSSES[model.loss].is_linear else "log-odds of a 1"


def _epoch(model: FunkSVD) -> str:
    algorithm = ALGORITHMS[model.hyperparameters.algorithm]
    return "sweep" if algorithm.is_sampler else algorithm.epoch


def _times(ratings: Ratings) -> dict[str, str]:
    """From when to when, where timestamps are there and are seconds since 1970."""
    if ratings.timestamps is None or not len(ratings):
        return {}
    low, high = int(ratings.timestamps.min()), int(ratings.timestamps.max())
    try:
        first, last = (np.datetime64(t, "s").item().date() for t in (low, high))
    except (AttributeError, ValueError, OverflowError):
        return {}
    if not 1990 <= first.year <= last.year <= 2100:
        return {}
    return {"rated": f"{first} to {last}"}


def _training_facts(model: FunkSVD) -> dict[str, str]:
    is_sampler, epoch = ALGORITHMS[model.hyperparameters.algorithm].is_sampler, _epoch(model)
    limit = model.hyperparameters.epoch_limit()
    facts = {f"{epoch}s watched": f"{len(model.history):,} of at most {limit:,}"}
    record = model.history[model.best_epoch - 1]
    n_updates = len(model.provenance.updates) if model.provenance else 0
    if record.valid is not None:
        error = f"validation {LOSSES[model.loss].metric_title}"
        if is_sampler:
            facts[f"{error} in the end"] = f"{record.valid:.4f}"
        else:
            facts[f"{epoch} kept"] = f"{model.best_epoch:,}, {error} {record.valid:.4f}"
    if n_updates:
        facts["updated"] = (
            f"{n_updates:,} times since, with new ratings; the curves end before that"
        )
    elif model.refitted:
        facts["trained again"] = (
            f"with the validation ratings too, for {model.best_epoch:,} {epoch}s; that is the model"
        )
    if is_sampler:
        facts["draws kept"] = f"{model.n_members:,}; the model predicts the mean of theirs"
    elif model.hyperparameters.ensemble > 1:
        facts["models"] = (
            f"{model.n_members:,}, folded into one by taking the mean of their predictions"
        )
    if is_sampler:
        n_rows = len(model.user_ids) + len(model.item_ids)
        facts["numbers in each draw"] = (
            f"{n_rows * (1 + model.hyperparameters.resolved().n_factors):,}"
        )
    else:
        floats = sum(array.size for array in model.parameters[1:])
        facts["numbers learned"] = f"{floats:,}"
    seconds = sum(record.seconds for record in model.history)
    facts["seconds"] = "not kept in model files, so that the same training gives the same file"
    if np.isfinite(seconds):
        facts["seconds"] = f"{seconds:.2f} in the {epoch}s watched"
    return facts


def _hyperparameters(model: FunkSVD) -> dict[str, str]:
    chosen_by_data = f"{model.reg_used:.4g} (chosen by the data)"
    return {
        name: chosen_by_data if value is None else _text(value)
        for name, value in model.hyperparameters.in_use(model.was_validated).items()
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
