"""Quality of the best items that a model lists for each user, beside simpler recommenders."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from funksvd.errors import FunkSVDError, RatingsError, argument
from funksvd.evaluation.baselines import regularized_biases
from funksvd.hyperparameters import Hyperparameters
from funksvd.kernels import add_residuals
from funksvd.learned.scoring import best_items
from funksvd.metrics import METRICS, Interval, RankingMetrics, RankingTally, intervals_of_means
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows, Ratings, Vocabulary, as_ratings


class Ranker(Protocol):
    """A fitted model, as far as the evaluation of rankings asks it; `FunkSVD` is one."""

    @property
    def hyperparameters(self) -> Hyperparameters: ...
    @property
    def parameters(self) -> Parameters: ...
    @property
    def users(self) -> Vocabulary: ...
    @property
    def items(self) -> Vocabulary: ...
    @property
    def seen(self) -> CompressedRows | None: ...
    def thread_count(self) -> int: ...


@dataclass(frozen=True)
class RankingQuality:
    """Quality of one recommender's best items.

    Parameters
    ----------
    means : RankingMetrics
        Each user counts the same.
    intervals : dict of str to Interval
        95 % bootstrap intervals of the means; users are drawn.
    coverage : float
        Share of the catalogue, the items that were learned from, that is among the best items of
        at least one of the users.
    """

    means: RankingMetrics
    intervals: dict[str, Interval]
    coverage: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            **self.means._asdict(),
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "coverage": self.coverage,
        }


@dataclass(frozen=True)
class RankingEvaluation:
    """Quality of a model's best items, among all items that a user has not rated in training.

    A relevant item that the model does not know is missed: it counts in R (`RankingMetrics`).

    Parameters
    ----------
    n_best : int
        Number of items listed for each user.
    relevant_from : float or None
        Lowest test rating that makes its item relevant; None stands for the mean of the user's own
        training ratings.
    n_users : int
        Users that count: known to the model and with a relevant item.
    users_without_relevant : int
        Users with test ratings that the model knows, but none of them relevant; left out.
    unknown_users : int
        Users with test ratings that the model does not know; left out.
    n_items : int
        Size of the catalogue.
    n_relevant : int
        Relevant items of all users that count.
    unknown_items : float
        Share of them that the model does not know.
    model : RankingQuality
    baselines : dict of str to RankingQuality
        Those of simpler recommenders: "most_popular", by the number of training ratings, and
        "regularized_biases", by the item's bias, which is the same as by mu + b_u + b_i.
    """

    n_best: int
    relevant_from: float | None
    n_users: int
    users_without_relevant: int
    unknown_users: int
    n_items: int
    n_relevant: int
    unknown_items: float
    model: RankingQuality
    baselines: dict[str, RankingQuality] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "model"}
        if self.relevant_from is None:
            plain["relevant_from"] = "user mean"
        plain["baselines"] = {name: quality.to_dict() for name, quality in self.baselines.items()}
        return {**plain, **self.model.to_dict()}


def evaluate_ranking(
    model: Ranker,
    ratings: Any,
    *,
    training: Any = None,
    n_best: int = 10,
    relevant_from: float | None = None,
) -> RankingEvaluation:
    """Tell how well a model lists the items first that users will like.

    The best items of a user are taken from all items that the model knows and that the user has
    not rated in training; of equally good ones the one with the lower id comes first. Items
    that the user has not rated at all count as not relevant, which makes every figure too low,
    for every recommender.

    Parameters
    ----------
    model : FunkSVD
        Fitted.
    ratings : Ratings or table
        Ones the model has not learned from. Pairs that it has learned from are passed over.
    training : Ratings or table, optional
        Ratings it has learned from. By default the model's own record of the pairs; then there are
        no baselines, and `relevant_from` must be given.
    n_best : int
        Number of items to list for each user.
    relevant_from : float, optional
        Lowest rating that makes an item relevant; by default the mean of the user's own training
        ratings.

    Raises
    ------
    FunkSVDError
        If `n_best` is less than 1, or it is not known what the model has learned from.
    RatingsError
        If no user that the model knows has a relevant item.
    """
    n_best = _whole(n_best)
    n_threads = model.thread_count()
    ratings = as_ratings(ratings)
    if training is not None:
        training = as_ratings(training).over(model.users, model.items)
        seen = CompressedRows.from_pairs(
            training.user_index, training.item_index, len(model.users), n_threads=n_threads
        )
    elif model.seen is None:
        raise FunkSVDError(
            "the model was saved without the pairs it has seen, so they cannot be left out of its "
            "best items; give the ratings it was trained on"
        )
    else:
        seen = model.seen
    relevant = _relevant(model, ratings, training, seen, relevant_from)
    recommenders = {"model": model.parameters}
    if training is not None:
        recommenders |= _baselines(training, n_threads)
    tallies = {
        name: _tally(parameters, relevant, seen, n_best, n_threads)
        for name, parameters in recommenders.items()
    }
    qualities = _qualities(tallies, model.hyperparameters.seed)
    n_relevant = int(relevant.counts.sum())
    return RankingEvaluation(
        n_best=n_best,
        relevant_from=relevant_from,
        n_users=len(relevant.users),
        users_without_relevant=relevant.n_without,
        unknown_users=relevant.n_unknown,
        n_items=len(model.items),
        n_relevant=n_relevant,
        unknown_items=(n_relevant - len(relevant.items.columns)) / n_relevant,
        model=qualities.pop("model"),
        baselines=qualities,
    )


def _whole(n_best: int) -> int:
    try:
        number = operator.index(n_best)
    except TypeError:
        number = 0
    if number < 1:
        raise FunkSVDError(f"n_best must be a whole number of at least 1, not {n_best!r}")
    return number


class _Relevant(NamedTuple):
    """The items that are to be found, in the model's rows.

    Parameters
    ----------
    users : ndarray of shape (n,), int32
        Users with a relevant item, ascending.
    counts : ndarray of shape (n_users,), int64
        Number of relevant items of each user of the model, known to the model or not.
    items : CompressedRows
        Relevant items that the model knows, by user.
    n_without : int
        Known users with test ratings, none of which is relevant.
    n_unknown : int
        Users with test ratings that the model does not know.
    """

    users: np.ndarray
    counts: np.ndarray
    items: CompressedRows
    n_without: int
    n_unknown: int


def _relevant(
    model: Ranker,
    ratings: Ratings,
    training: Ratings | None,
    seen: CompressedRows,
    relevant_from: float | None,
) -> _Relevant:
    n_users = len(model.users)
    user_index, item_index = ratings.index_for(model.users, model.items)
    unknown = np.unique(ratings.user_index[user_index < 0])
    is_new = (user_index >= 0) & ~seen.contains(user_index, item_index, model.thread_count())
    users, items, values = user_index[is_new], item_index[is_new], ratings.values[is_new]
    if relevant_from is None:
        if training is None:
            raise FunkSVDError(
                "the model's training ratings are not there, and so not the users' means: say from "
                f"which rating on an item is relevant, with {argument('relevant_from')}"
            )
        is_relevant = values >= _user_means(training)[users]
    else:
        is_relevant = values >= relevant_from
    users, items = users[is_relevant], items[is_relevant]
    counts = np.bincount(users, minlength=n_users)
    n_known = np.count_nonzero(np.bincount(user_index[user_index >= 0], minlength=n_users))
    if not len(users):
        raise RatingsError(
            f"{ratings.source}: no user has a relevant item: of {n_known:,} users that the model "
            "knows, none has a new rating of "
            + ("at least their mean" if relevant_from is None else f"at least {relevant_from:g}")
        )
    return _Relevant(
        users=np.flatnonzero(counts).astype(np.int32),
        counts=counts,
        items=CompressedRows.from_pairs(users, items, n_users),
        n_without=int(n_known - np.count_nonzero(counts)),
        n_unknown=len(unknown),
    )


def _user_means(ratings: Ratings) -> np.ndarray:
    """Mean of each user's ratings; NaN, which nothing reaches, for a user without ratings."""
    sums = np.zeros(ratings.n_users)
    add_residuals(ratings.user_index, ratings.values, 0.0, sums)
    counts = np.bincount(ratings.user_index, minlength=ratings.n_users)
    return np.divide(sums, counts, out=np.full(ratings.n_users, np.nan), where=counts > 0)


def _baselines(training: Ratings, n_threads: int) -> dict[str, Parameters]:
    """Simpler recommenders, by the names that `RankingEvaluation` has for them."""
    counts = np.bincount(training.item_index, minlength=training.n_items)
    # Places among the distinct counts: single-precision floats hold them exactly.
    places = np.unique(counts, return_inverse=True)[1]
    item_biases = regularized_biases(training, n_threads).item_biases
    return {
        "most_popular": _by_item(places, training.n_users),
        "regularized_biases": _by_item(item_biases, training.n_users),
    }


def _by_item(scores: np.ndarray, n_users: int) -> Parameters:
    """A model that lists the items with the highest scores, the same for every user."""
    return Parameters(
        0.0,
        np.zeros(n_users, np.float32),
        scores.astype(np.float32),
        np.zeros((n_users, 0), np.float32),
        np.zeros((len(scores), 0), np.float32),
    )


def _tally(
    parameters: Parameters,
    relevant: _Relevant,
    seen: CompressedRows,
    n_best: int,
    n_threads: int,
) -> RankingTally:
    """Metrics of the lists that parameters make for the users with a relevant item."""
    tally = RankingTally(len(parameters.item_biases), n_best)
    for users, items, _ in best_items(
        parameters, relevant.users, n_best, exclude=(seen,), n_threads=n_threads
    ):
        owners = np.repeat(users, items.shape[1])
        hits = relevant.items.contains(owners, items.ravel(), n_threads).reshape(items.shape)
        tally.add(items, hits, relevant.counts[users])
    return tally


def _qualities(tallies: dict[str, RankingTally], seed: int) -> dict[str, RankingQuality]:
    """Means of each recommender, and intervals for which the same users are drawn for all."""
    figures = [tally.figures for tally in tallies.values()]
    intervals = intervals_of_means(np.concatenate(figures), seed)
    return {
        name: RankingQuality(
            means=RankingMetrics(*figures[at].mean(axis=1).tolist()),
            intervals=dict(zip(METRICS, intervals[at * len(METRICS) :], strict=False)),
            coverage=tally.coverage,
        )
        for at, (name, tally) in enumerate(tallies.items())
    }
