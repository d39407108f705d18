"""The epoch loop: decay, early stopping, divergence, interruption."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np

from funksvd.errors import DivergenceError
from funksvd.kernels import sgd_block, squared_error_of_block
from funksvd.objective import Parameters
from funksvd.streams import Stream, generator
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.interrupts import Interrupts
from funksvd.training.monitor import EpochRecord, Monitor
from funksvd.training.plan import Block, BlockPlan
from funksvd.training.scale import Rates, Scale, choose_reg, scaled_rates
from funksvd.training.stopping import EarlyStopping

MAX_RESTARTS = 12
DIVERGED = 1.5
"""An epoch has diverged when its RMSE is so many times `Scale.magnitude`: worse than no model."""


class TrainingResult(NamedTuple):
    """What training came to.

    Parameters
    ----------
    parameters : Parameters
        Those of the best epoch; float32.
    history : list of EpochRecord
        All epochs, up to the last one that was completed.
    best_epoch : int
    reg : float
        Regularization of the factors that was used.
    rate_factor : float
        What the learning rates were multiplied by because of divergence; 1 where there was none.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    parameters: Parameters
    history: list[EpochRecord]
    best_epoch: int
    reg: float
    rate_factor: float
    interrupted: bool


def initial_parameters(
    plan: BlockPlan,
    hyperparameters: Hyperparameters,
    scale: Scale,
    random: np.random.Generator,
) -> Parameters:
    """Zero biases and small normal factors; without biases their products start at the mean.

    A user or an item without a rating to learn from gets zeros, so that it is predicted from what
    is known.
    """
    k = hyperparameters.n_factors
    std = hyperparameters.init_std * np.sqrt(scale.spread)
    learned = [side.counts[0] for side in (plan.users, plan.items)]
    factors = [
        random.standard_normal((len(counts), k), dtype=np.float32) * np.float32(std)
        for counts in learned
    ]
    if not hyperparameters.biases:
        level = np.sqrt(abs(scale.mean) / k)
        factors[0] += np.float32(level)
        factors[1] += np.float32(np.copysign(level, scale.mean))
    for rows, counts in zip(factors, learned, strict=True):
        rows[counts == 0] = 0
    biases = (np.zeros(len(rows), np.float32) for rows in factors)
    return Parameters(scale.center, *biases, *factors)


def train(
    plan: BlockPlan,
    hyperparameters: Hyperparameters,
    *,
    n_epochs: int | None = None,
    rate_factor: float = 1.0,
    monitor: Monitor | None = None,
    interrupts: Interrupts | None = None,
) -> TrainingResult:
    """Learn parameters by stochastic gradient descent on the objective, eqs. (3) and (8).

    Deterministic: the result depends on the ratings, the hyperparameters and the seed, not on
    `n_threads`.

    Parameters
    ----------
    plan : BlockPlan
        The ratings. Those that it holds back decide which epoch is best, and when to stop.
    hyperparameters : Hyperparameters
    n_epochs : int, optional
        Instead of `hyperparameters.n_epochs`.
    rate_factor : float
        Multiplies the learning rates (what a run on the same kind of data found necessary).
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
    monitor = monitor or Monitor()
    n_epochs = n_epochs or hyperparameters.n_epochs
    interrupts = interrupts or Interrupts()
    random = generator(hyperparameters.seed, Stream.TRAINING)
    parts = [plan.values[block.learned] for block in plan.blocks]
    scale = Scale.of(parts, hyperparameters.biases)
    reg = choose_reg(plan) if hyperparameters.reg is None else hyperparameters.reg
    parameters = plan.arranged(initial_parameters(plan, hyperparameters, scale, random))

    def ratings_done(n_ratings: int) -> None:
        monitor.ratings_done(n_ratings)
        interrupts.check()

    kept = (_copy(parameters), _copy(parameters))
    best = last_good = kept[0]
    best_epoch = 0
    history: list[EpochRecord] = []
    stopping = EarlyStopping(hyperparameters.patience)
    n_restarts, interrupted = 0, False
    with ThreadPoolExecutor(hyperparameters.thread_count()) as pool:
        try:
            while len(history) < n_epochs and not stopping.is_exhausted:
                epoch = len(history) + 1
                decay = hyperparameters.learning_rate_decay ** (epoch - 1)
                learning_rate = hyperparameters.learning_rate * rate_factor * decay
                rates = scaled_rates(hyperparameters, learning_rate, reg, scale, plan)
                strata = random.permutation(plan.n_groups)
                started = time.perf_counter()
                train_rmse = run_epoch(parameters, plan, strata, rates, pool, ratings_done)
                if not train_rmse < DIVERGED * scale.magnitude:  # NaN and infinity included
                    if n_restarts == MAX_RESTARTS:
                        raise DivergenceError(_divergence_message(hyperparameters, reg, rates))
                    n_restarts += 1
                    rate_factor /= 2
                    _overwrite(parameters, last_good)
                    monitor.restarted(epoch, learning_rate / 2)
                    continue
                valid_rmse = validation_rmse(parameters, plan, scale, pool)
                last_good = kept[1] if best is kept[0] else kept[0]
                _overwrite(last_good, parameters)
                seconds = time.perf_counter() - started
                history.append(EpochRecord(epoch, learning_rate, train_rmse, valid_rmse, seconds))
                is_best = stopping.is_best(epoch, valid_rmse)
                if is_best:
                    best, best_epoch = last_good, epoch
                    interrupts.armed = True
                monitor.epoch_done(history[-1], is_best)
        except KeyboardInterrupt:
            if best_epoch == 0:
                raise
            interrupted = True
    monitor.fit_done(best_epoch)
    best = plan.restored(best, hyperparameters.n_factors)
    return TrainingResult(best, history, best_epoch, reg, rate_factor, interrupted)


def run_epoch(
    parameters: Parameters,
    plan: BlockPlan,
    strata: np.ndarray,
    rates: Rates,
    pool: ThreadPoolExecutor,
    on_ratings_done: Callable[[int], None],
) -> float:
    """One pass over the ratings, stratum by stratum, the blocks of a stratum in parallel.

    Parameters
    ----------
    parameters : Parameters
        float32, arranged by the plan; changed in place.
    plan : BlockPlan
    strata : ndarray of shape (n_groups,), int
        The order in which the strata are run.
    rates : Rates
    pool : ThreadPoolExecutor
    on_ratings_done : callable
        Called with the number of ratings of each stratum when it is done.

    Returns
    -------
    float
        Training RMSE, each error as it was before its own step.
    """
    squared_error, n_done = 0.0, 0
    for shift in strata:
        blocks = plan.stratum(int(shift))
        tasks = [
            pool.submit(
                sgd_block,
                *_operands(parameters, plan, block, block.learned),
                tuple(rates.of(block)),
            )
            for block in blocks
        ]
        squared_error += _sum_in_order(tasks)
        n_ratings = sum(block.learned.stop - block.learned.start for block in blocks)
        on_ratings_done(n_ratings)
        n_done += n_ratings
    return float(np.sqrt(squared_error / n_done))


def validation_rmse(
    parameters: Parameters, plan: BlockPlan, scale: Scale, pool: ThreadPoolExecutor
) -> float | None:
    """Root mean squared error on what the plan holds back, predictions held within limits.

    Parameters
    ----------
    parameters : Parameters
        float32, arranged by the plan.
    plan : BlockPlan
    scale : Scale
    pool : ThreadPoolExecutor

    Returns
    -------
    float or None
        The same for any number of threads; None where nothing is held back.
    """
    if not plan.n_held_back:
        return None
    limits = (np.float32(scale.low), np.float32(scale.high))
    tasks = [
        pool.submit(
            squared_error_of_block,
            *_operands(parameters, plan, block, block.held_back),
            limits,
        )
        for block in plan.blocks
    ]
    return float(np.sqrt(_sum_in_order(tasks) / plan.n_held_back))


def _operands(parameters: Parameters, plan: BlockPlan, block: Block, ratings: slice) -> tuple:
    """A block's ratings, and the rows that they are of: what kernels take first."""
    return (
        plan.user_index[ratings],
        plan.item_index[ratings],
        plan.values[ratings],
        np.float32(parameters.global_mean),
        parameters.user_biases[block.users],
        parameters.item_biases[block.items],
        parameters.user_factors[block.users],
        parameters.item_factors[block.items],
    )


def _sum_in_order(tasks: list) -> float:
    """Sum of the tasks' results; none of them still runs when this returns or raises."""
    try:
        return sum(task.result() for task in tasks)
    finally:
        wait(tasks)


def _copy(parameters: Parameters) -> Parameters:
    return Parameters(parameters.global_mean, *(array.copy() for array in parameters[1:]))


def _overwrite(target: Parameters, source: Parameters) -> None:
    for target_array, source_array in zip(target[1:], source[1:], strict=True):
        np.copyto(target_array, source_array)


def _divergence_message(hyperparameters: Hyperparameters, reg: float, rates: Rates) -> str:
    fastest = max(float(rates.users.max()), float(rates.items.max()))
    bias_shrinkage = float(rates.biases) * float(rates.bias_reg)
    too_strong = max(fastest * float(rates.reg), bias_shrinkage) > 1
    if max(float(rates.reg), float(rates.bias_reg)) > 1 and too_strong:
        # each step turns the sign of a row around, and makes it longer
        return (
            "training diverges: the regularization is too large. Give a smaller --reg (it is "
            f"{reg:g}) or --bias-reg (it is {hyperparameters.bias_reg:g})"
        )
    return (
        f"training diverges, even with a learning rate of {float(rates.biases) or fastest:.2g}. "
        f"Give a smaller --learning-rate (it is {hyperparameters.learning_rate:g}), or look for "
        "outliers among the ratings"
    )
