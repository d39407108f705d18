"""Quality of the best items that recommenders list for each user, side by side."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.evaluation.baselines import regularized_biases
from funksvd.evaluation.relevance import Least, Relevant, Rule, least_relevant
from funksvd.hyperparameters import Hyperparameters
from funksvd.learned.scoring import Best, best_items
from funksvd.metrics import (
    METRICS,
    BestItems,
    Interval,
    RankingMetrics,
    coverage,
    exposure_gini,
    intervals_of_means,
    intra_list_similarity,
    novelty,
    tally_lists,
)
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows, Interactions, Vocabulary, as_data

OF_EACH_LIST = (*METRICS, "novelty", "intra_list_similarity")
"""Names of the figures that each user's list has."""


MOST_BEST = 2**31 - 1
"""Largest number of items to list: that of the items that a model can have."""


class Ranking(Protocol):
    """One way of a model to put items in an order."""

    def best_items(
        self,
        users: np.ndarray,
        n: int,
        *,
        exclude: tuple[CompressedRows, ...] = (),
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> Iterator[Best]: ...


class Ranker(Protocol):
    """A fitted model, as far as the evaluation of rankings asks it; `FunkSVD` is one."""

    @property
    def hyperparameters(self) -> Hyperparameters: ...
    @property
    def users(self) -> Vocabulary: ...
    @property
    def items(self) -> Vocabulary: ...
    @property
    def seen(self) -> CompressedRows | None: ...
    @property
    def rating_scale(self) -> tuple[float, float]: ...
    @property
    def rankings(self) -> tuple[str, ...]: ...
    def ranking(self, by: str | None = None) -> Ranking: ...
    def thread_count(self) -> int: ...


@dataclass(frozen=True)
class RankingQuality:
    """Quality of one recommender's best items.

    Parameters
    ----------
    means : RankingMetrics
        Each user counts the same.
    novelty : float
        Mean self-information of the listed items, in bits (`metrics.novelty`).
    intra_list_similarity : float
        Mean similarity of two items of a list: the cosine of the sets of their training users
        (`metrics.intra_list_similarity`).
    intervals : dict of str to Interval
        95 % bootstrap intervals of all these means; users are drawn.
    coverage : float
        Share of the catalogue, the items that were learned from, that is among the best items of
        at least one of the users.
    gini : float
        Gini coefficient of how often each item of the catalogue is listed
        (`metrics.exposure_gini`).
    figures : ndarray of shape (8, n_users), float64
        What the means are of, by user: a row for each of `OF_EACH_LIST`.
    """

    means: RankingMetrics
    novelty: float
    intra_list_similarity: float
    intervals: dict[str, Interval]
    coverage: float
    gini: float
    figures: np.ndarray = field(compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; without the figures by user."""
        return {
            **self.means._asdict(),
            "coverage": self.coverage,
            "novelty": self.novelty,
            "intra_list_similarity": self.intra_list_similarity,
            "gini": self.gini,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
        }


@dataclass(frozen=True)
class RankingEvaluation:
    """Quality of best items, among all items that a user does not have in training.

    A relevant item that the model does not know is missed: it counts in R (`RankingMetrics`).

    Parameters
    ----------
    n_best : int
        Number of items listed for each user.
    relevant_from : float, "user-mean" or "all"
        Lowest test rating that makes its item relevant. "user-mean" stands for the mean of the
        user's own training ratings, "all" for no condition: the item of each test pair is relevant.
    n_users : int
        Users that count: known to the model and with a relevant item.
    users_without_relevant : int
        Users with test pairs that the model knows, but none of them relevant; left out.
    unknown_users : int
        Users with test pairs that the model does not know; left out.
    n_items : int
        Size of the catalogue.
    n_relevant : int
        Relevant items of all users that count.
    unknown_items : float
        Share of them that the model does not know.
    rankings : tuple of str
        Names of the model's own rankings, best first, such as "both", "choice" and "rating".
    recommenders : dict of str to RankingQuality
        The model's rankings, then simpler recommenders: "most_popular", by the number of training
        pairs, and, where there are ratings, "regularized_biases", by the item's bias, which is the
        same as by mu + b_u + b_i.
    user_ids : ndarray of shape (n_users,)
        Ids of the users that count.
    """

    n_best: int
    relevant_from: Least
    n_users: int
    users_without_relevant: int
    unknown_users: int
    n_items: int
    n_relevant: int
    unknown_items: float
    rankings: tuple[str, ...]
    recommenders: dict[str, RankingQuality]
    user_ids: np.ndarray = field(compare=False, repr=False)

    @property
    def model(self) -> RankingQuality:
        """The quality of the model's first ranking, which it recommends by."""
        return self.recommenders[self.rankings[0]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = {name: value for name, value in vars(self).items() if name != "user_ids"}
        plain["rankings"] = list(self.rankings)
        plain["recommenders"] = {
            name: quality.to_dict() for name, quality in self.recommenders.items()
        }
        return plain

    def by_user(self) -> Iterator[dict[str, np.ndarray]]:
        """Tables of the figures of each user's lists, one table for each recommender.

        Yields
        ------
        dict of str to ndarray of shape (n_users,)
            Columns: user, recommender, and those of `OF_EACH_LIST`.
        """
        for name, quality in self.recommenders.items():
            yield {
                "user": self.user_ids,
                "recommender": np.full(self.n_users, name, dtype=object),
                **dict(zip(OF_EACH_LIST, quality.figures, strict=True)),
            }


def evaluate_ranking(
    model: Ranker,
    test: Any,
    *,
    training: Any = None,
    n_best: int = 10,
    relevant_from: float | Rule = "liked",
) -> RankingEvaluation:
    """Tell how well a model lists the items first that users will like, or will come to.

    The best items of a user are taken from all items that the model knows and that the user does
    not have in training; of equally good ones the one with the lower id comes first. Items
    that are not among the user's test pairs count as not relevant, which makes every figure too
    low, for every recommender. All recommenders have the same users and candidates, and the same
    users are drawn for their intervals.

    Parameters
    ----------
    model : FunkSVD
        Fitted.
    test : Ratings, Interactions or table
        Pairs the model has not learned from. Those that it has learned from are passed over.
    training : Ratings, Interactions or table, optional
        Pairs it has learned from. By default the model's own record of them; then the baseline
        that needs ratings is left out, and so are means of users.
    n_best : int
        Number of items to list for each user.
    relevant_from : float, "liked", "user-mean" or "all"
        Lowest test rating that makes an item relevant. "liked" is three quarters up the scale of
        the ratings learned from: 4 of 1 to 5. "user-mean" is the mean of the user's own training
        ratings. "all" makes every test pair relevant, as it is where the test has no ratings.

    Raises
    ------
    FunkSVDError
        If `n_best` is less than 1, `relevant_from` makes no sense, or it is not known what the
        model has learned from.
    RatingsError
        If no user that the model knows has a relevant item.
    """
    n_best = whole_number(n_best)
    n_threads = model.thread_count()
    test = as_data(test)
    if training is not None:
        training = as_data(training).over(model.users, model.items)
        seen = CompressedRows.from_pairs(
            training.user_index, training.item_index, len(model.users), n_threads=n_threads
        )
    else:
        seen = pairs_learned_from(model)
    relevant = Relevant.among(
        test,
        model.users,
        model.items,
        seen=(seen,),
        least=(least := least_relevant(relevant_from, test, scale_of(model, training))),
        training=training,
        n_threads=n_threads,
    )
    n_having = np.bincount(seen.columns, minlength=len(model.items))
    recommenders: dict[str, BestItems] = {by: model.ranking(by).best_items for by in model.rankings}
    recommenders["most_popular"] = _by_popularity(n_having, seen)
    if training is not None and training.values is not None:
        biases = regularized_biases(training, n_threads).item_biases
        recommenders["regularized_biases"] = _by_item(biases, seen)
    n_relevant = int(relevant.counts.sum())
    return RankingEvaluation(
        n_best=n_best,
        relevant_from=least,
        n_users=len(relevant.users),
        users_without_relevant=relevant.n_without,
        unknown_users=relevant.n_unknown,
        n_items=len(model.items),
        n_relevant=n_relevant,
        unknown_items=(n_relevant - len(relevant.items.columns)) / n_relevant,
        rankings=model.rankings,
        recommenders=_qualities(
            recommenders,
            relevant,
            seen,
            n_having,
            n_best=n_best,
            seed=model.hyperparameters.seed,
            n_threads=n_threads,
        ),
        user_ids=model.users.labels(relevant.users),
    )


def ndcg_of_lists(model: Ranker, test: Any, *, n_best: int = 10) -> dict[str, float]:
    """Mean NDCG of a model's first ranking, and of the most popular items.

    As `evaluate_ranking` finds them without the pairs learned from, and with its defaults; in much
    less time and memory than all of its figures take.

    Parameters
    ----------
    model, test, n_best
        As for `evaluate_ranking`.

    Returns
    -------
    dict of str to float
        By the names of the ranking and "most_popular".

    Raises
    ------
    FunkSVDError, RatingsError
        As `evaluate_ranking`.
    """
    n_best, n_threads = whole_number(n_best), model.thread_count()
    test, seen = as_data(test), pairs_learned_from(model)
    relevant = Relevant.among(
        test,
        model.users,
        model.items,
        seen=(seen,),
        least=least_relevant("liked", test, scale_of(model)),
        training=None,
        n_threads=n_threads,
    )
    first = model.rankings[0]
    n_having = np.bincount(seen.columns, minlength=len(model.items))
    recommenders = {
        first: model.ranking(first).best_items,
        "most_popular": _by_popularity(n_having, seen),
    }
    ndcg = {}
    for name, best in recommenders.items():
        tally = tally_lists(
            best,
            relevant.items,
            n_best=n_best,
            seen=(seen,),
            users=relevant.users,
            n_relevant=relevant.counts,
            n_threads=n_threads,
        )
        ndcg[name] = float(tally.figures[METRICS.index("ndcg")].mean())
    return ndcg


def _by_popularity(n_having: np.ndarray, seen: CompressedRows) -> BestItems:
    """The items that most users have, for every user; places hold large counts exactly."""
    return _by_item(np.unique(n_having, return_inverse=True)[1], seen)


def whole_number(n_best: int) -> int:
    """The number of items to list, checked."""
    try:
        number = operator.index(n_best)
    except TypeError:
        number = 0
    if number < 1:
        raise FunkSVDError(f"n_best must be a whole number of at least 1, not {n_best!r}")
    if number > MOST_BEST:
        raise FunkSVDError(f"n_best must be at most {MOST_BEST:,}, not {number:,}")
    return number


def pairs_learned_from(model: Ranker) -> CompressedRows:
    """The model's own record of the items that each user had in training.

    Raises
    ------
    FunkSVDError
        If it was saved without it.
    """
    if model.seen is None:
        raise FunkSVDError(
            "the model was saved without the pairs it has seen, so they cannot be left out of its "
            "best items; give the ratings it was trained on"
        )
    return model.seen


def scale_of(model: Ranker, training: Interactions | None = None) -> tuple[float, float] | None:
    """Lowest and highest rating that the model learned from; None if it learned from none."""
    if "rating" in model.rankings:
        return model.rating_scale
    if training is None or training.values is None:
        return None
    return float(training.values.min()), float(training.values.max())


def _by_item(scores: np.ndarray, seen: CompressedRows) -> BestItems:
    """Lists of the items with the highest scores, the same for every user.

    Scores that are counts are given as places among the distinct counts: single-precision floats
    hold these exactly.
    """
    parameters = Parameters(
        0.0,
        np.zeros(seen.n_rows, np.float32),
        scores.astype(np.float32),
        np.zeros((seen.n_rows, 0), np.float32),
        np.zeros((len(scores), 0), np.float32),
    )

    def best(
        users: np.ndarray, n: int, *, exclude: tuple[CompressedRows, ...], n_threads: int
    ) -> Iterator[Best]:
        return best_items(parameters, users, n, exclude=exclude, n_threads=n_threads)

    return best


def _qualities(
    recommenders: dict[str, BestItems],
    relevant: Relevant,
    seen: CompressedRows,
    n_having: np.ndarray,
    *,
    n_best: int,
    seed: int,
    n_threads: int,
) -> dict[str, RankingQuality]:
    """Quality of each recommender; the same users are drawn for the intervals of all."""
    lists, figures = {}, {}
    for name, best in recommenders.items():
        tally = tally_lists(
            best,
            relevant.items,
            n_best=n_best,
            seen=(seen,),
            users=relevant.users,
            n_relevant=relevant.counts,
            n_threads=n_threads,
        )
        lists[name] = tally.lists
        figures[name] = np.stack(
            [
                *tally.figures,
                novelty(tally.lists, n_having, seen.n_rows),
                intra_list_similarity(tally.lists, seen),
            ]
        )
    intervals = iter(intervals_of_means(np.concatenate(list(figures.values())), seed))
    qualities = {}
    for name, of_users in figures.items():
        *means, mean_novelty, mean_similarity = of_users.mean(axis=1).tolist()
        qualities[name] = RankingQuality(
            means=RankingMetrics(*means),
            novelty=mean_novelty,
            intra_list_similarity=mean_similarity,
            intervals={figure: next(intervals) for figure in OF_EACH_LIST},
            coverage=coverage(lists[name], len(n_having)),
            gini=exposure_gini(lists[name], len(n_having)),
            figures=of_users,
        )
    return qualities
