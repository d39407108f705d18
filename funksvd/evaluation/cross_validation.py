"""Cross-validation: a model learned anew for each fold, and tested on what it has not learned."""

from __future__ import annotations

import math
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from funksvd.errors import FunkSVDError, RatingsError
from funksvd.evaluation.errors import Evaluation
from funksvd.evaluation.ranking import (
    Ranker,
    RankingEvaluation,
    evaluate_ranking,
)
from funksvd.evaluation.relevance import Rule
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.ratings import Ratings, read_features
from funksvd.splitting.folds import Fold, Folds
from funksvd.splitting.holdout import check_disjoint
from funksvd.training import Monitor

DEFAULT_N_BEST = 10
"""Number of best items that are judged for each user of a model that only makes lists."""
BYTES_PER_RATING = 60
"""Most bytes that training and testing a fold take for each rating; measured."""
USUAL_FACTORS = 32
"""Factors where their number is chosen by the data."""
COPIES_OF_PARAMETERS = 6
"""Arrays of the size of the factors that training a fold holds, at most."""
MEMORY_SHARE = 0.5
"""Share of the memory that folds may take which run at the same time."""
UNTOLD_MEMORY = 8 << 30
"""Bytes of memory that are assumed where the system does not tell how many there are."""


class Learning(Ranker, Protocol):
    """A model, as far as cross-validation asks it; `FunkSVD` is one."""

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> Self: ...
    @property
    def best_epoch(self) -> int: ...
    def fit(
        self,
        ratings: Any,
        *,
        monitor: Monitor,
        user_features: Any = None,
        item_features: Any = None,
    ) -> object: ...
    def evaluate(self, ratings: Ratings, *, training: Ratings) -> Evaluation: ...


@dataclass(frozen=True)
class FoldResult:
    """Figures of one fold.

    Parameters
    ----------
    n_training : int
        Number of ratings learned from.
    best_epoch : int
        Epoch whose parameters were kept; counted from 1.
    training_seconds, test_seconds : float
        Elapsed time; folds that run at the same time slow each other down.
    n_test : int
        Number of ratings, or pairs, tested on.
    evaluation : Evaluation or None
        Errors on the fold's test part; None where the model predicts no ratings.
    ranking : RankingEvaluation or None
        Quality of the lists of best items; None where it was not asked for.
    """

    n_training: int
    best_epoch: int
    training_seconds: float
    test_seconds: float
    n_test: int
    evaluation: Evaluation | None = None
    ranking: RankingEvaluation | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON: the figures of the evaluation beside the others."""
        plain = {name: getattr(self, name) for name in _PLAIN} | {"n_ratings": self.n_test}
        plain |= self.evaluation.to_dict() if self.evaluation else {}
        return plain | ({"ranking": self.ranking.to_dict()} if self.ranking else {})


_PLAIN = ("n_training", "best_epoch", "training_seconds", "test_seconds")


@dataclass(frozen=True)
class CrossValidation:
    """Figures of all folds, their means and their spread.

    Parameters
    ----------
    folds : list of FoldResult
    """

    folds: list[FoldResult]

    @property
    def mean(self) -> dict[str, Any]:
        """Mean over folds of each number in `FoldResult.to_dict`, under the same names."""
        return _combined([fold.to_dict() for fold in self.folds], statistics.fmean)

    @property
    def std(self) -> dict[str, Any]:
        """Standard deviation over folds of each number, of a sample: divided by n - 1.

        Empty for a single fold. It tells how much folds differ. It is not the uncertainty of the
        mean, since folds learn from mostly the same ratings.
        """
        if len(self.folds) == 1:
            return {}
        return _combined([fold.to_dict() for fold in self.folds], statistics.stdev)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        folds = [fold.to_dict() for fold in self.folds]
        return {"folds": folds, "mean": self.mean, "std": self.std}


def cross_validate(
    model: Learning,
    folds: Sequence[Fold[Any]],
    *,
    n_best: int | None = None,
    relevant_from: float | Rule = "liked",
    n_jobs: int | None = None,
    on_fold: Callable[[int, FoldResult], None] | None = None,
    user_features: Any = None,
    item_features: Any = None,
) -> CrossValidation:
    """Learn from each fold's training part and test on the other.

    Parameters
    ----------
    model : FunkSVD
        Models with its hyperparameters learn from the folds; it is left as it is.
    folds : sequence of Fold
        From `random_folds`, `per_user_folds`, `leave_last_out` or `by_time`, or made of given
        parts.
    n_best : int, optional
        Number of best items of each user that `evaluate_ranking` judges. By default 10 for models
        that predict no ratings, and it is not called for others.
    relevant_from : float, "liked", "user-mean" or "all"
        Lowest rating that makes an item relevant, as `evaluate_ranking` takes it.
    n_jobs : int, optional
        Folds to run at the same time, in threads; they share the model's `n_threads`. By default
        as many as there are threads, and memory. Does not change the result.
    on_fold : callable, optional
        Called with the number of the fold, from 0, and its result, in their order.
    user_features, item_features : path or table, optional
        As for `FunkSVD.fit`.

    Raises
    ------
    FunkSVDError
        If a hyperparameter is out of range, or a fold cannot be learned from or tested on; the
        message names the fold.

    Examples
    --------
    >>> from funksvd import FunkSVD, cross_validate, random_folds, read_ratings
    >>> folds = random_folds(read_ratings("data/ratings.csv"), 5)  # doctest: +SKIP
    >>> cross_validate(FunkSVD(n_factors=16), folds).mean["rmse"]  # doctest: +SKIP
    """
    if not isinstance(folds, Sequence):
        raise RatingsError(
            f"cross_validate takes folds, not an object of type {type(folds).__name__}; "
            "random_folds(ratings) makes some"
        )
    if not len(folds):
        raise RatingsError("there are no folds")
    n_threads = model.thread_count()
    n_jobs = min(n_jobs or min(n_threads, _fitting_in_memory(model, folds)), len(folds))
    chosen = replace(model.hyperparameters, n_threads=math.ceil(n_threads / n_jobs))
    if n_best is None and ALGORITHMS[chosen.algorithm].learns != "choice":
        chosen.choice = False  # it would be learned in vain
    stopping = threading.Event()

    given = {"user": user_features, "item": item_features}
    features = {
        f"{what}_features": read_features(source, what)
        for what, source in given.items()
        if source is not None
    }

    def run(number: int) -> FoldResult:
        try:
            new = type(model).of(chosen)
            return _run(new, folds, number, n_best, relevant_from, features, stopping)
        except FunkSVDError as error:
            if len(folds) == 1:
                raise
            raise type(error)(f"fold {number + 1} of {len(folds)}: {error.template}") from error

    results: list[FoldResult] = []
    with ThreadPoolExecutor(n_jobs) as pool:
        futures = [pool.submit(run, number) for number in range(len(folds))]
        try:
            for number, future in enumerate(futures):
                results.append(future.result())
                if on_fold is not None:
                    on_fold(number, results[-1])
        except BaseException:  # Ctrl-C too: nobody waits for the other folds
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return CrossValidation(results)


class _Stoppable(Monitor):
    """Ends training when another fold has failed."""

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping

    def ratings_done(self, n_ratings: int) -> None:
        if self.stopping.is_set():
            raise CancelledError


def _run(
    model: Learning,
    folds: Sequence[Fold[Any]],
    number: int,
    n_best: int | None,
    relevant_from: float | Rule,
    features: dict[str, Any],
    stopping: threading.Event,
) -> FoldResult:
    training, test = folds[number]
    if not isinstance(folds, Folds):
        check_disjoint("test", test, training)
    started = time.perf_counter()
    model.fit(training, **features, monitor=_Stoppable(stopping))
    learned = time.perf_counter()
    evaluation = ranking = None
    if "rating" in model.rankings:
        evaluation = model.evaluate(test, training=training)
    else:
        n_best = n_best or DEFAULT_N_BEST
    if n_best is not None:
        ranking = evaluate_ranking(
            model, test, training=training, n_best=n_best, relevant_from=relevant_from
        )
    return FoldResult(
        n_training=len(training),
        best_epoch=model.best_epoch,
        training_seconds=learned - started,
        test_seconds=time.perf_counter() - learned,
        n_test=len(test),
        evaluation=evaluation,
        ranking=ranking,
    )


def _fitting_in_memory(model: Learning, folds: Sequence[Fold[Any]]) -> int:
    """Number of folds that can run at the same time."""
    whole = folds.ratings if isinstance(folds, Folds) else folds[0].training
    n_factors = model.hyperparameters.resolved().n_factors or USUAL_FACTORS
    n_parameters = (whole.n_users + whole.n_items) * n_factors
    needed = BYTES_PER_RATING * len(whole) + 4 * COPIES_OF_PARAMETERS * n_parameters
    return max(1, int(MEMORY_SHARE * _memory() / max(needed, 1)))


def _memory() -> int:
    """Bytes of memory that the process may use, as far as the system tells."""
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        memory = UNTOLD_MEMORY
    try:
        return min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # not Linux, or not limited
        return memory


def _combined(
    plain: list[dict[str, Any]], function: Callable[[list[float]], float]
) -> dict[str, Any]:
    """Apply a function to the numbers of the same name; leave out everything but numbers."""
    combined: dict[str, Any] = {}
    for name in plain[0]:
        values = [each.get(name) for each in plain]
        tables = [value for value in values if isinstance(value, dict)]
        numbers = [value for value in values if isinstance(value, int | float)]
        if len(tables) == len(values):
            combined[name] = _combined(tables, function)
        elif len(numbers) == len(values):
            combined[name] = float(function(numbers))
    return combined
