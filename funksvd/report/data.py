"""Facts about what a model has learned from: ratings, counts or pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from funksvd.hyperparameters import ALGORITHMS
from funksvd.model import FunkSVD
from funksvd.ratings import Interactions
from funksvd.ratings.times import in_seconds

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
    noun : str
        Plural noun for what was learned from: "ratings" or "pairs".
    user_counts, item_counts : dict of str to int, or None
        Quantiles of the number of ratings or pairs learned from; None where the model does not
        know.
    activity : dict of str to ndarray of shape (n,), int
        These numbers themselves: of "users" and of "items". Empty where the model does not know.
    """

    facts: dict[str, str]
    bars: RatingBars | None
    noun: str
    user_counts: dict[str, int] | None
    item_counts: dict[str, int] | None
    activity: dict[str, np.ndarray]


def counts_of(
    model: FunkSVD, training: Interactions | None
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Numbers of ratings or pairs learned from, of each user and each item.

    Parameters
    ----------
    model : FunkSVD
    training : Ratings, Interactions or None
        What it has learned from, if the model does not know it itself.

    Returns
    -------
    of_users, of_items : ndarray of shape (n,), int; or None
        None where they are not known.
    """
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


def noun_of(model: FunkSVD) -> str:
    """Plural noun for what a model has learned from: "ratings" or "pairs"."""
    choice = model.fitted.choice
    is_of_ratings = choice is None or choice.weighting.kind == "rating"
    return "ratings" if model.fitted.rating is not None or is_of_ratings else "pairs"


def look_at_data(
    model: FunkSVD,
    training: Interactions | None,
    test: Interactions | None,
    counts: tuple[np.ndarray, np.ndarray] | tuple[None, None],
) -> Data:
    """Gather facts about what a model has learned from.

    Parameters
    ----------
    model : FunkSVD
    training, test : Ratings, Interactions or None
        What it has learned from and is tested on, as far as that is known.
    counts : tuple
        As `counts_of` finds them.
    """
    of_users, of_items = counts
    return Data(
        facts=_data_facts(model, training, test),
        bars=_bars(training, test),
        noun=noun_of(model),
        user_counts=_quantiles(of_users),
        item_counts=_quantiles(of_items),
        activity={}
        if of_users is None or of_items is None
        else {"users": of_users, "items": of_items},
    )


def _bars(training: Interactions | None, test: Interactions | None) -> RatingBars | None:
    parts = [part.values for part in (training, test) if part is not None]
    given = [values for values in parts if values is not None]
    if training is None or training.values is None:
        return None
    values = np.concatenate(given)
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


def _data_facts(
    model: FunkSVD, training: Interactions | None, test: Interactions | None
) -> dict[str, str]:
    n_users, n_items, noun = len(model.users), len(model.items), noun_of(model)
    facts = {
        f"{noun} learned from": f"{model.n_ratings:,}",
        "users": f"{n_users:,}",
        "items": f"{n_items:,}",
        "of the matrix known": f"{model.n_ratings / (n_users * n_items):.2%}",
    }
    if model.fitted.rating is not None:
        low, high = model.rating_scale
        facts["rating scale"] = f"{low:g} to {high:g}"
        facts[_constant(model)] = (
            f"{model.global_mean:.3f}" if model.hyperparameters.biases else "not part of the model"
        )
    if training is not None and training.weights is not None and len(training):
        least, middle, most = np.quantile(training.weights, [0, 0.5, 1], method="lower")
        facts["counts of a pair"] = f"{least:g} to {most:g}; half of them at most {middle:g}"
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
        facts[f"test {noun}"] = f"{len(test):,}"
    return facts | (_times(training) if training is not None else {})


def _constant(model: FunkSVD) -> str:
    """Name of the model's mu."""
    if ALGORITHMS[model.hyperparameters.algorithm].is_sampler:
        return "level of all predictions (μ), mean of the draws"
    return "mean rating" if model.fitted.rating_model.loss.is_linear else "log-odds of a 1"


def _times(ratings: Interactions) -> dict[str, str]:
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
    return {"rated" if ratings.values is not None else "from": f"{first} to {last}"}
