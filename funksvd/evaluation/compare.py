"""Two models on the same test pairs: paired differences, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from funksvd.errors import FunkSVDError, RatingsError
from funksvd.evaluation.ranking import (
    Ranker,
    Ranking,
    scale_of,
    whole_number,
)
from funksvd.evaluation.relevance import Least, Relevant, Rule, least_relevant
from funksvd.metrics import (
    METRICS,
    Errors,
    Interval,
    intervals_of_means,
    paired_intervals,
    tally_lists,
)
from funksvd.ratings import (
    CompressedRows,
    Interactions,
    Ratings,
    Vocabulary,
    as_data,
)

Verdict: TypeAlias = Literal["better", "worse", "undecided"]


class Comparable(Ranker, Protocol):
    """A fitted model, as far as a comparison asks it; `FunkSVD` is one."""

    def predict_index(
        self, user_index: np.ndarray, item_index: np.ndarray, timestamps: np.ndarray | None = None
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class Difference:
    """A figure of two models, A and B, and how sure the difference is.

    Parameters
    ----------
    a, b : float
        The figure of each model.
    interval : Interval
        95 % bootstrap interval of b - a; the same users are drawn for both models.
    greater_is_better : bool
        Whether a greater figure is better, as it is not for an error.
    """

    a: float
    b: float
    interval: Interval
    greater_is_better: bool

    @property
    def difference(self) -> float:
        """The figure of B less that of A."""
        return self.b - self.a

    @property
    def verdict(self) -> Verdict:
        """What B is, if the interval is all on one side of zero; else "undecided".

        Of twenty figures of equally good models, one is expected to be decided by chance.
        """
        low, high = self.interval
        if low <= 0 <= high:
            return "undecided"
        return "better" if (low > 0) == self.greater_is_better else "worse"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.difference,
            "interval": list(self.interval),
            "b_is": self.verdict,
        }


@dataclass(frozen=True)
class RankingComparison:
    """Differences of the lists of two models, with the same users and candidates.

    Parameters
    ----------
    by : tuple of (str, str)
        Names of the rankings of A and of B that are compared.
    n_best : int
        Number of items listed for each user.
    relevant_from : float or "all"
        Lowest test rating that makes its item relevant; "all": that of each test pair is.
    n_users : int
        Users that count: known to both models and with a relevant item.
    n_items : int
        Items that both models know. The candidates of a user are those of them that neither model
        has learned from for this user.
    metrics : dict of str to Difference
        One of each of `metrics.METRICS`.
    """

    by: tuple[str, str]
    n_best: int
    relevant_from: Least
    n_users: int
    n_items: int
    metrics: dict[str, Difference]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        differences = {name: each.to_dict() for name, each in self.metrics.items()}
        return {**vars(self), "by": list(self.by), "metrics": differences}


@dataclass(frozen=True)
class Comparison:
    """Differences of two models, A and B, on the same test pairs.

    Parameters
    ----------
    n_pairs : int
        Test pairs that neither model has learned from.
    n_learned : int
        Test pairs that one of the models has learned from; left out.
    n_users : int
        Number of different users of the pairs that are left.
    errors : dict of str to Difference
        "rmse" and "mae", in rating units; empty where a model predicts no ratings, or the test has
        none.
    ranking : RankingComparison or None
        None where the models' errors can be compared, but no user has a relevant item.
    """

    n_pairs: int
    n_learned: int
    n_users: int
    errors: dict[str, Difference] = field(default_factory=dict)
    ranking: RankingComparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {
            "n_pairs": self.n_pairs,
            "n_learned": self.n_learned,
            "n_users": self.n_users,
            "errors": {name: each.to_dict() for name, each in self.errors.items()},
            "ranking": self.ranking.to_dict() if self.ranking else None,
        }


def compare_models(
    a: Comparable,
    b: Comparable,
    test: Any,
    *,
    by: str | None = None,
    n_best: int = 10,
    relevant_from: float | Rule = "liked",
    seed: int = 0,
) -> Comparison:
    """Tell which of two models is better, and whether the difference could be chance.

    Both are tested on the same pairs, those that neither has learned from, and each draw of the
    bootstrap takes the same users for both. What makes some users harder to foretell than others
    cancels out, so that smaller differences can be told from chance than by the intervals of each
    model.

    Parameters
    ----------
    a, b : FunkSVD
        Fitted.
    test : Ratings, Interactions or table
    by : str, optional
        Name of the rankings to compare, such as "choice"; by default each model's first.
    n_best : int
        Number of items to list for each user.
    relevant_from : float, "liked" or "all"
        Lowest test rating that makes an item relevant, as `evaluate_ranking` takes it. "liked" goes
        by the scale of the ratings that both models have learned from, together.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    FunkSVDError
        If a model was saved without the pairs it has learned from, or an argument makes no sense.
    RatingsError
        If no pair is left to compare on, or nothing can be compared.
    """
    n_best = whole_number(n_best)
    test = as_data(test)
    if relevant_from == "user-mean":
        raise FunkSVDError("a comparison knows no training ratings, and so no users' means")
    is_learned = _learned_by(a, test) | _learned_by(b, test)
    left = test.subset(~is_learned)
    if not len(left):
        raise RatingsError(
            f"{test.source}: there is nothing to compare on: the models have learned from all of "
            f"its {len(test):,} pairs"
        )
    errors = _errors(a, b, left, seed)
    try:
        ranking = _rankings(
            a, b, left, by=by, n_best=n_best, relevant_from=relevant_from, seed=seed
        )
    except RatingsError:
        if not errors:
            raise
        ranking = None
    return Comparison(
        n_pairs=len(left),
        n_learned=len(test) - len(left),
        n_users=int(np.count_nonzero(np.bincount(left.user_index))),
        errors=errors,
        ranking=ranking,
    )


def _seen(model: Ranker) -> CompressedRows:
    if model.seen is None:
        raise FunkSVDError(
            "one of the models was saved without the pairs it has learned from, so they cannot be "
            "left out; train it again, and save it with them"
        )
    return model.seen


def _learned_by(model: Ranker, test: Interactions) -> np.ndarray:
    """Which test pairs a model has learned from: ndarray of shape (n_pairs,), bool."""
    return _seen(model).contains(*test.index_for(model.users, model.items), model.thread_count())


def _errors(a: Comparable, b: Comparable, test: Interactions, seed: int) -> dict[str, Difference]:
    predict = all("rating" in model.rankings for model in (a, b))
    if not (predict and isinstance(test, Ratings)):
        return {}
    guesses_a, guesses_b = (
        model.predict_index(*test.index_for(model.users, model.items), test.timestamps)
        for model in (a, b)
    )
    intervals = paired_intervals(test.values, guesses_a, guesses_b, test.user_index, seed)
    of_a, of_b = (Errors.of(test.values, guesses) for guesses in (guesses_a, guesses_b))
    return _differences(Errors._fields, of_a, of_b, intervals, greater_is_better=False)


def _differences(
    names: Sequence[str],
    of_a: Sequence[float],
    of_b: Sequence[float],
    intervals: Sequence[Interval],
    *,
    greater_is_better: bool,
) -> dict[str, Difference]:
    return {
        name: Difference(of_a[at], of_b[at], intervals[at], greater_is_better)
        for at, name in enumerate(names)
    }


def _rankings(
    a: Comparable,
    b: Comparable,
    test: Interactions,
    *,
    by: str | None,
    n_best: int,
    relevant_from: float | Rule,
    seed: int,
) -> RankingComparison:
    users, items = (
        mine.select(np.flatnonzero(mine.positions_in(other) >= 0))
        for mine, other in ((a.users, b.users), (a.items, b.items))
    )
    scales = [scale for scale in (scale_of(a), scale_of(b)) if scale is not None]
    lows_and_highs = tuple(zip(*scales, strict=True))
    scale = (min(lows_and_highs[0]), max(lows_and_highs[1])) if scales else None
    least = least_relevant(relevant_from, test, scale)
    relevant = Relevant.among(test, users, items, least=least)
    figures = []
    for model, other in ((a, b), (b, a)):
        tally = tally_lists(
            _InCommon(model, other, by, users, items),
            relevant.items,
            n_best=n_best,
            users=relevant.users,
            n_relevant=relevant.counts,
            n_threads=model.thread_count(),
        )
        figures.append(tally.figures)
    of_a, of_b = figures
    return RankingComparison(
        by=(by or a.rankings[0], by or b.rankings[0]),
        n_best=n_best,
        relevant_from=least,
        n_users=len(relevant.users),
        n_items=len(items),
        metrics=_differences(
            METRICS,
            of_a.mean(axis=1).tolist(),
            of_b.mean(axis=1).tolist(),
            intervals_of_means(of_b - of_a, seed),
            greater_is_better=True,
        ),
    )


class _InCommon:
    """The lists of a model, in rows of the users and items that two models know.

    Parameters
    ----------
    model, other : Ranker
        The candidates are items that both know and that neither has learned from for the user.
    by : str or None
        Name of the model's ranking; None for its first.
    users, items : Vocabulary
        Those that both models know.
    """

    def __init__(
        self,
        model: Ranker,
        other: Ranker,
        by: str | None,
        users: Vocabulary,
        items: Vocabulary,
    ) -> None:
        self.ranking: Ranking = model.ranking(by)
        self.users = users.positions_in(model.users)
        rows = items.positions_in(model.items)
        self.allowed = np.zeros(len(model.items), dtype=bool)
        self.allowed[rows] = True
        self.common = np.full(len(model.items) + 1, -1, dtype=np.int32)  # the last stands for none
        self.common[rows] = np.arange(len(items), dtype=np.int32)
        their_users, their_items = _seen(other).pairs
        theirs = CompressedRows.from_pairs(
            other.users.translate(their_users, model.users),
            other.items.translate(their_items, model.items),
            len(model.users),
        )
        self.exclude = (_seen(model), theirs)

    def __call__(
        self, users: np.ndarray, n: int, *, exclude: tuple[CompressedRows, ...], n_threads: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The best items, as a ranking's `best_items` gives them."""
        found = self.ranking.best_items(
            self.users[users],
            n,
            exclude=(*exclude, *self.exclude),
            allowed=self.allowed,
            n_threads=n_threads,
        )
        start = 0
        for own, items, scores in found:
            yield users[start : start + len(own)], self.common[items], scores
            start += len(own)
