"""The epoch loop: schedule, early stopping, divergence, interruption."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from funksvd.errors import DivergenceError
from funksvd.learned.scoring import Draws
from funksvd.objectives.parameters import Parameters, side_by_side
from funksvd.rng import Stream, generator
from funksvd.training.algorithms import ALGORITHMS
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.interrupts import Interrupts
from funksvd.training.learners.base import Learner, Start
from funksvd.training.learners.registry import choose_learner
from funksvd.training.monitor import EpochRecord, Monitor
from funksvd.training.plan import BlockPlan
from funksvd.training.schedules import SCHEDULES, Schedule
from funksvd.training.stopping import EarlyStopping

MAX_RESTARTS = 12
HOPELESS = 6
"""An epoch that diverges so many times, ever more slowly, had nowhere good to start from."""
DIVERGED = 1.5
"""An epoch has diverged when its error is so many times that of no model."""


class TrainingResult(NamedTuple):
    """What training came to.

    Parameters
    ----------
    parameters : Parameters
        Those of the best epoch, or the mean of the snapshots; float32.
    history : list of EpochRecord
        All epochs, up to the last one that was completed.
    best_epoch : int
        That of the last snapshot, where there are any.
    reg : float
        Regularization of the factors that was used; of a sampler, for rows that are new.
    rate_factor : float
        What the learning rates were multiplied by because of divergence; 1 where there was none.
    reg_factor : float
        What a regularization that the data chose was multiplied by.
    passes : list of int or None
        `Learner.passes`.
    interrupted : bool
        Whether Ctrl-C ended it.
    spread : float
        Standard deviation of the ratings learned from.
    implicit_factors : ndarray of shape (n_items, n_factors), float32, or None
        The y_j of SVD++.
    draws : Draws or None
        Of a sampler: what tells how sure the predictions are.
    """

    parameters: Parameters
    history: list[EpochRecord]
    best_epoch: int
    reg: float
    rate_factor: float
    reg_factor: float
    passes: list[int] | None
    interrupted: bool
    spread: float
    implicit_factors: np.ndarray | None = None
    draws: Draws | None = None


def train(
    plan: BlockPlan,
    hyperparameters: Hyperparameters,
    *,
    n_epochs: int | None = None,
    rate_factor: float = 1.0,
    reg_factor: float = 1.0,
    followed: Sequence[EpochRecord] = (),
    passes: Sequence[int] | None = None,
    member: int = 0,
    start: Start | None = None,
    monitor: Monitor | None = None,
    interrupts: Interrupts | None = None,
) -> TrainingResult:
    """Learn parameters, epoch by epoch, by the algorithm that the hyperparameters name.

    Deterministic: the result depends on the ratings, the hyperparameters and the seed, not on
    `n_threads`.

    Parameters
    ----------
    plan : BlockPlan
        The ratings. Those that it holds back decide which epoch is best, and when to stop.
    hyperparameters : Hyperparameters
    n_epochs : int, optional
        Instead of `hyperparameters.epoch_limit()`.
    rate_factor : float
        Multiplies the learning rates (what a run on the same kind of data found necessary).
    reg_factor : float
        Likewise the regularization of the factors, if none is given.
    followed : sequence of EpochRecord
        Of a search: a schedule that goes by errors goes by these, so that the learning rates are
        those that the search has used.
    passes : sequence of int, optional
        Those that a run on the same kind of data took, where an algorithm decides about them.
    member : int
        Of an ensemble: each has random numbers of its own.
    start : Start, optional
        Go on from these parameters rather than from random ones.
    monitor : Monitor, optional
    interrupts : Interrupts, optional
        Armed once an epoch is complete: from then on, there is something to lose.

    Raises
    ------
    DivergenceError
        If the errors still grow without bound after the learning rate was halved 12 times.
    KeyboardInterrupt
        If Ctrl-C comes before the first epoch is complete. Later, it ends training with the best
        epoch so far.
    """
    hyperparameters = hyperparameters.resolved()
    monitor = monitor or Monitor()
    n_epochs = n_epochs or hyperparameters.epoch_limit()
    algorithm = ALGORITHMS[hyperparameters.algorithm]
    if not algorithm.by_feature:
        hyperparameters = replace(hyperparameters, n_epochs=n_epochs)
    first_rate = hyperparameters.learning_rate or 0.0
    interrupts = interrupts or Interrupts()
    random = generator(hyperparameters.seed, Stream.TRAINING, member)

    def ratings_done(n_ratings: int) -> None:
        monitor.ratings_done(n_ratings)
        interrupts.check()

    schedule = SCHEDULES[hyperparameters.schedule if first_rate else "constant"](hyperparameters)
    every = hyperparameters.cycle_epochs if hyperparameters.ensemble_snapshots else 0
    snapshots: list[tuple[Parameters, np.ndarray | None]] = []
    best_epoch = 0
    history: list[EpochRecord] = []
    stopping = EarlyStopping(hyperparameters.patience)
    n_restarts, n_failures, interrupted = 0, 0, False
    last_factor = rate_factor  # of the last epoch that did not diverge
    with ThreadPoolExecutor(hyperparameters.thread_count()) as pool:

        def new_learner() -> Learner:
            learner = choose_learner(hyperparameters)(plan, hyperparameters, random, pool)
            learner.planned_passes = passes
            if hyperparameters.reg is None:
                learner.reg *= reg_factor
            if start is not None:
                learner.start_from(start)
            return learner

        learner = new_learner()
        kept = [[array.copy() for array in learner.state()] for _ in range(2)]
        best = last_good = kept[0]
        try:
            while len(history) < n_epochs and not stopping.is_exhausted:
                epoch = len(history) + 1
                rates = partial(
                    _learning_rate,
                    schedule,
                    first_rate * rate_factor,
                    epoch,
                    [_error(record) for record in (followed or history)[: epoch - 1]],
                )
                learning_rate = rates(0.5)
                started = time.perf_counter()
                train_error = learner.run_epoch(rates, ratings_done)
                limit = DIVERGED * learner.error_without_model
                if not train_error < limit:  # NaN, infinity included
                    if n_restarts == MAX_RESTARTS:
                        raise DivergenceError(learner.divergence_message(learning_rate))
                    n_restarts += 1
                    n_failures += 1
                    rate_factor /= 2
                    if n_failures == HOPELESS and history:
                        # Errors are taken before each step: the epoch before had ended badly, and
                        # no rate is small enough to go on from there.
                        learner, stopping = new_learner(), EarlyStopping(hyperparameters.patience)
                        history.clear()
                        snapshots.clear()
                        best = last_good = kept[0]
                        _overwrite(best, learner.state())
                        best_epoch, n_failures, rate_factor = 0, 0, last_factor / 2
                    _overwrite(learner.state(), last_good)
                    monitor.restarted(epoch, learning_rate / 2)
                    continue
                n_failures, last_factor = 0, rate_factor
                valid_error = learner.validation_error()
                last_good = kept[1] if best is kept[0] else kept[0]
                _overwrite(last_good, learner.state())
                seconds = time.perf_counter() - started
                rate = learning_rate if first_rate else None
                history.append(EpochRecord(epoch, rate, train_error, valid_error, seconds))
                is_best = stopping.is_best(epoch, None if every else valid_error)
                is_best |= algorithm.is_sampler
                if is_best:
                    best, best_epoch = last_good, epoch
                    interrupts.armed = True
                monitor.epoch_done(history[-1], is_best and not every)
                if every and epoch % every == 0:
                    snapshots.append((learner.parameters(), learner.implicit_factors()))
                    monitor.snapshot_taken(len(snapshots), n_epochs // every)
        except KeyboardInterrupt:
            if best_epoch == 0:
                raise
            interrupted = True
        monitor.fit_done(best_epoch)
        _overwrite(learner.state(), best)
        latest = (learner.parameters(), learner.implicit_factors())
        draws = learner.draws()
    if snapshots:
        best_epoch = every * len(snapshots)
    parameters, implicit_factors = fold_together(snapshots or [latest])
    return TrainingResult(
        parameters,
        history,
        best_epoch,
        learner.reg,
        rate_factor,
        reg_factor,
        learner.passes(),
        interrupted,
        learner.scale.spread,
        implicit_factors,
        draws,
    )


def fold_together(
    members: Sequence[tuple[Parameters, np.ndarray | None]],
) -> tuple[Parameters, np.ndarray | None]:
    """Parameters, and the y_j of SVD++, of one model that predicts the mean of several."""
    parameters, implicit_factors = zip(*members, strict=True)
    without = any(factors is None for factors in implicit_factors)
    return Parameters.mean(parameters), None if without else side_by_side(implicit_factors)


def _learning_rate(
    schedule: Schedule, peak: float, epoch: int, rmses: Sequence[float], done: float
) -> float:
    """When a part of the epoch is done, from 0 to 1."""
    return peak * schedule.factor(epoch - 1 + done, rmses)


def _error(record: EpochRecord) -> float:
    return record.train_error if record.valid_error is None else record.valid_error


def _overwrite(target: list[np.ndarray], source: list[np.ndarray]) -> None:
    for target_array, source_array in zip(target, source, strict=True):
        np.copyto(target_array, source_array)
