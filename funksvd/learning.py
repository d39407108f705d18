"""Learning a model of ratings from ratings that are prepared, wherever they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from funksvd.calibrating import RatingFacts, check_held_back, leave_one_out
from funksvd.hyperparameters import Hyperparameters
from funksvd.learned.calibration import Checked
from funksvd.learned.rating_model import RatingModel
from funksvd.learned.ratings import LearnedRatings
from funksvd.learned.weighting import rating_levels
from funksvd.model_file import rating_model
from funksvd.parallel import extremes
from funksvd.ratings import CompressedRows, Ratings, Vocabulary
from funksvd.training import (
    Beside,
    Checkpoints,
    Interrupts,
    Monitor,
    PairPlan,
    TrainingResult,
    check_learnable,
    make_plan,
    search_best,
    train_ensemble,
)

Result = TrainingResult[LearnedRatings]


@dataclass(frozen=True, eq=False)
class Known:
    """What a model knows of the ratings that it has learned from.

    Parameters
    ----------
    users, items : Vocabulary
        Those with a rating learned from.
    seen : CompressedRows
        Items of each user, with levels.
    limits : (float, float)
        Lowest and highest rating.
    facts : RatingFacts
    held_out : CompressedRows or None
        Pairs that are rated too, and were held back.
    rows : (ndarray, ndarray) or None
        Rows of the users and items among those that training had; None for all of them.
    """

    users: Vocabulary
    items: Vocabulary
    seen: CompressedRows
    limits: tuple[float, float]
    facts: RatingFacts
    held_out: CompressedRows | None = None
    rows: tuple[np.ndarray, np.ndarray] | None = None

    def own(self, result: Result) -> Result:
        """What was learned, of the users and items that are known."""
        if self.rows is None:
            return result
        return replace(result, learned=result.learned.rows(*self.rows))


class Prepared(ABC):
    """Ratings to learn from, and some that may be held back to decide when to stop.

    Attributes
    ----------
    source : str
        Where they came from, for messages.
    noun : str
        "ratings".
    """

    source: str
    noun = "ratings"

    @property
    @abstractmethod
    def n_held_back(self) -> int:
        """Number of ratings that are held back."""

    @abstractmethod
    def plan(self, chosen: Hyperparameters, monitor: Monitor) -> Any:
        """The plan that the algorithm learns from, with some ratings held back.

        Raises
        ------
        RatingsError
            If nothing can be learned from the ratings.
        """

    @abstractmethod
    def learned_limits(self) -> tuple[float, float]:
        """Lowest and highest of the ratings that are not held back."""

    @abstractmethod
    def check_held_back(self, rating: RatingModel) -> Checked:
        """Predict ratings that are held back."""

    @abstractmethod
    def check_learned(self, rating: RatingModel) -> Checked | None:
        """Predict ratings as if each had not been learned from; None if the model cannot."""

    @abstractmethod
    def learned(self) -> Known:
        """What a model knows that has learned from the ratings that are not held back."""

    @abstractmethod
    def all(self) -> Known:
        """What a model knows that has learned from all ratings."""

    def pairs(self, plan: PairPlan) -> PairPlan:
        """The pairs of all ratings, for a choice model, where these ratings are."""
        return plan


class InMemory(Prepared):
    """Ratings in memory.

    Parameters
    ----------
    ratings : Ratings
        All of their users and items have one.
    held_back : ndarray of shape (n_ratings,), bool, or None
    beside : Beside
    n_threads : int
    """

    def __init__(
        self, ratings: Ratings, held_back: np.ndarray | None, beside: Beside, n_threads: int
    ) -> None:
        self.source = ratings.source
        self._ratings, self._held_back, self._beside = ratings, held_back, beside
        self._n_threads = n_threads

    @property
    def n_held_back(self) -> int:
        """See `Prepared`."""
        return 0 if self._held_back is None else int(np.count_nonzero(self._held_back))

    @cached_property
    def _is_learned(self) -> np.ndarray | None:
        return None if self._held_back is None else ~self._held_back

    def plan(self, chosen: Hyperparameters, monitor: Monitor) -> Any:
        """See `Prepared`."""
        check_learnable(self._ratings.values, self.source, self._held_back)
        return make_plan(chosen, self._ratings, self._held_back, self._beside, monitor)

    def learned_limits(self) -> tuple[float, float]:
        """See `Prepared`."""
        return extremes(self._ratings.values, self._is_learned)

    def check_held_back(self, rating: RatingModel) -> Checked:
        """See `Prepared`."""
        assert self._held_back is not None
        return check_held_back(rating, self._ratings, self._held_back, self._n_threads)

    def check_learned(self, rating: RatingModel) -> Checked | None:
        """See `Prepared`."""
        return leave_one_out(rating, self._ratings, self._n_threads)

    def learned(self) -> Known:
        """See `Prepared`; ids that only ratings held back have are not known."""
        ratings, limits = self._ratings, self.learned_limits()
        seen, *rows = self._pairs(limits, self._held_back).without_empty(ratings.n_items)
        users, items = ratings.users.select(rows[0]), ratings.items.select(rows[1])
        assert self._held_back is not None
        held_back = ratings.subset(self._held_back).index_for(users, items)
        return Known(
            users,
            items,
            seen,
            limits,
            RatingFacts.of_all(ratings, limits, self._held_back),
            CompressedRows.from_pairs(*held_back, len(users)),
            (rows[0], rows[1]),
        )

    def all(self) -> Known:
        """See `Prepared`."""
        ratings, limits = self._ratings, extremes(self._ratings.values)
        facts = RatingFacts.of_all(ratings, limits)
        return Known(ratings.users, ratings.items, self._pairs(limits), limits, facts)

    def _pairs(
        self, limits: tuple[float, float], left_out: np.ndarray | None = None
    ) -> CompressedRows:
        ratings = self._ratings
        return CompressedRows.from_pairs(
            ratings.user_index,
            ratings.item_index,
            ratings.n_users,
            values=rating_levels(ratings.values, limits),
            n_threads=self._n_threads,
            left_out=left_out,
        )


def learn(
    prepared: Prepared,
    chosen: Hyperparameters,
    install: Callable[[Result, Known, Checked | None], None],
    monitor: Monitor,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Learn a model of ratings.

    Where ratings are held back, they decide how many epochs are best; then, with `refit`, all
    ratings are learned from for that number.

    Parameters
    ----------
    prepared : Prepared
    chosen : Hyperparameters
    install : callable
        Makes what was learned a model: with what it knows, and checked ratings.
    monitor : Monitor
    checkpoints : Checkpoints, optional

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C. Where an epoch was complete, the best one is installed.
    """
    with Interrupts() as interrupts:
        plan = prepared.plan(chosen, monitor)
        how: dict[str, Any] = {"monitor": monitor, "checkpoints": checkpoints}
        if not prepared.n_held_back:
            fit = train_ensemble(plan, chosen, "fit", interrupts=interrupts, **how)
            interrupts.requested |= fit.interrupted
            known = prepared.all()
            found = rating_model(chosen, fit.learned, fit.record, known.limits)
            install(fit, known, prepared.check_learned(found))
            return
        search = search_best(plan, chosen, interrupts=interrupts, **how)
        interrupts.requested |= search.interrupted
        if interrupts.requested:  # the last Ctrl-C may have come after the last epoch
            search = search.as_interrupted()
        limits = prepared.learned_limits()
        found = rating_model(chosen, search.learned, search.record, limits)
        checked = prepared.check_held_back(found)
        if not chosen.refit or interrupts.requested:
            _install_search(search, prepared, install, checked)
    if not chosen.refit:
        return
    is_complete = False
    try:
        plan = plan.with_all_learned(chosen.thread_count())
        refit = train_ensemble(plan, chosen, "refit", findings=search.findings, **how)
        if refit.interrupted:  # half a refit is worse than the whole search
            raise KeyboardInterrupt
        before = search.record
        record = replace(
            refit.record, history=before.history, stopped=before.stopped, refitted=True
        )
        with Interrupts(armed=True):
            install(replace(refit, record=record), prepared.all(), checked)
            is_complete = True
    except BaseException as error:
        if not is_complete:
            stopped = isinstance(error, KeyboardInterrupt)
            kept = search.as_interrupted() if stopped else search
            _install_search(kept, prepared, install, checked)
        raise


def _install_search(
    search: Result,
    prepared: Prepared,
    install: Callable[[Result, Known, Checked | None], None],
    checked: Checked,
) -> None:
    known = prepared.learned()
    install(known.own(search), known, checked)
