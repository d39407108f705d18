"""The epoch loop: decay, early stopping, divergence, interruption."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np

from funksvd.errors import DivergenceError
from funksvd.kernels import sgd_block
from funksvd.objective import Parameters
from funksvd.scoring import predict_pairs
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.monitor import EpochRecord, Monitor
from funksvd.training.plan import BlockPlan, plan_blocks

MAX_RESTARTS = 12
NOTABLE_IMPROVEMENT = 1e-4
"""An epoch whose validation RMSE is not lower by this share counts against the patience."""


class Triples(NamedTuple):
    """Ratings in index form.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray


class Scale(NamedTuple):
    """How large the ratings are, in their own units.

    Parameters
    ----------
    center : float
        mu: the mean, or 0 for a model without biases.
    spread : float
        Standard deviation.
    magnitude : float
        Root mean square of the ratings less `center`.
    low, high : float
        Smallest and largest rating.
    """

    center: float
    spread: float
    magnitude: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray, biases: bool) -> Scale:
        mean = float(np.mean(values, dtype=np.float64))
        spread = float(np.std(values, dtype=np.float64))
        center = float(np.float32(mean)) if biases else 0.0
        magnitude = spread if biases else float(np.hypot(mean, spread))
        return cls(center, spread, magnitude, float(values.min()), float(values.max()))


class TrainingResult(NamedTuple):
    """What training came to.

    Parameters
    ----------
    parameters : Parameters
        Those of the best epoch; float32.
    history : list of EpochRecord
        All epochs, up to the last one that was completed.
    best_epoch : int
    rate_factor : float
        What the learning rates were multiplied by because of divergence; 1 where there was none.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    parameters: Parameters
    history: list[EpochRecord]
    best_epoch: int
    rate_factor: float
    interrupted: bool


def initial_parameters(
    triples: Triples,
    shape: tuple[int, int],
    hyperparameters: Hyperparameters,
    scale: Scale,
    generator: np.random.Generator,
) -> Parameters:
    """Zero biases and small normal factors; without biases their products start at the mean.

    A user or an item without a training rating gets zeros, so that it is predicted from what is
    known.
    """
    n_users, n_items = shape
    k = hyperparameters.n_factors
    std = hyperparameters.init_std * np.sqrt(scale.spread)
    factors = [
        generator.standard_normal((n, k), dtype=np.float32) * np.float32(std)
        for n in (n_users, n_items)
    ]
    if not hyperparameters.biases:
        mean = float(np.mean(triples.values, dtype=np.float64))
        level = np.sqrt(abs(mean) / k)
        factors[0] += np.float32(level)
        factors[1] += np.float32(np.copysign(level, mean))
    for rows, index in zip(factors, triples[:2], strict=True):
        rows[np.bincount(index, minlength=len(rows)) == 0] = 0
    biases = (np.zeros(n_users, np.float32), np.zeros(n_items, np.float32))
    return Parameters(scale.center, *biases, *factors)


def train(
    triples: Triples,
    shape: tuple[int, int],
    hyperparameters: Hyperparameters,
    *,
    validation: Triples | None = None,
    n_epochs: int | None = None,
    rate_factor: float = 1.0,
    monitor: Monitor | None = None,
) -> TrainingResult:
    """Learn parameters by stochastic gradient descent on the objective, eqs. (3) and (8).

    Deterministic: the result depends on the ratings, the hyperparameters and the seed, not on
    `n_threads`.

    Parameters
    ----------
    triples : Triples
        Training ratings; no pair repeats.
    shape : (n_users, n_items)
    hyperparameters : Hyperparameters
    validation : Triples, optional
        Decides which epoch is best and when to stop; an index of -1 stands for an unknown user
        or item.
    n_epochs : int, optional
        Instead of `hyperparameters.n_epochs`.
    rate_factor : float
        Multiplies the learning rates (what a run on the same kind of data found necessary).
    monitor : Monitor, optional

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
    generator = np.random.default_rng(hyperparameters.seed)
    scale = Scale.of(triples.values, hyperparameters.biases)
    parameters = initial_parameters(triples, shape, hyperparameters, scale, generator)
    plan = plan_blocks(*triples, shape)
    n_threads = hyperparameters.thread_count()
    limits = (scale.low, scale.high)

    last_good, best = _copy(parameters), _copy(parameters)
    history: list[EpochRecord] = []
    best_epoch, n_restarts, interrupted = 0, 0, False
    notable_epoch, notable_rmse = 0, np.inf
    with ThreadPoolExecutor(n_threads) as pool:
        try:
            while len(history) < n_epochs:
                epoch = len(history) + 1
                decay = hyperparameters.learning_rate_decay ** (epoch - 1)
                learning_rate = hyperparameters.learning_rate * rate_factor * decay
                rates = scaled_rates(hyperparameters, learning_rate, scale)
                strata = generator.permutation(plan.n_groups)
                started = time.perf_counter()
                train_rmse = run_epoch(parameters, plan, strata, rates, pool, monitor.ratings_done)
                if not train_rmse < 2 * scale.magnitude:  # NaN and infinity included
                    n_restarts += 1
                    if n_restarts > MAX_RESTARTS:
                        raise DivergenceError(_divergence_message(hyperparameters, n_restarts))
                    rate_factor /= 2
                    _copy(last_good, into=parameters)
                    monitor.restarted(epoch, learning_rate / 2)
                    continue
                valid_rmse = None
                if validation is not None:
                    valid_rmse = _rmse(parameters, validation, limits, n_threads)
                seconds = time.perf_counter() - started
                record = EpochRecord(epoch, learning_rate, train_rmse, valid_rmse, seconds)
                is_best = valid_rmse is None or best_epoch == 0
                is_best = is_best or valid_rmse < history[best_epoch - 1].valid_rmse
                _copy(parameters, into=last_good)
                if is_best:
                    _copy(parameters, into=best)
                    best_epoch = epoch
                history.append(record)
                monitor.epoch_done(record, is_best)
                if valid_rmse is None:
                    continue
                if valid_rmse < notable_rmse * (1 - NOTABLE_IMPROVEMENT):
                    notable_epoch, notable_rmse = epoch, valid_rmse
                if epoch - notable_epoch >= hyperparameters.patience:
                    break
        except KeyboardInterrupt:
            if best_epoch == 0:
                raise
            interrupted = True
    monitor.fit_done(best_epoch)
    return TrainingResult(best, history, best_epoch, rate_factor, interrupted)


def scaled_rates(
    hyperparameters: Hyperparameters, learning_rate: float, scale: Scale
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Learning rates and regularization in the units of the ratings, as `sgd_block` takes them.

    Ratings that are c times as large have biases c times and factors sqrt(c) times as large. For
    the descent to follow the same path, the factors' learning rate must be divided by c and their
    lambda multiplied by c (put c r, c b, sqrt(c) p and sqrt(c) q into eqs. 4 to 8); the biases'
    stay as they are.

    Without biases the factors carry the mean as well, and rows as long as that bear smaller steps
    only: c is then at least a tenth of the ratings' magnitude.
    """
    return (
        np.float32(learning_rate / max(scale.spread, scale.magnitude / 10)),
        np.float32(learning_rate if hyperparameters.biases else 0.0),
        np.float32(hyperparameters.reg * scale.spread),
        np.float32(hyperparameters.bias_reg),
    )


def run_epoch(
    parameters: Parameters,
    plan: BlockPlan,
    strata: np.ndarray,
    rates: tuple[np.float32, np.float32, np.float32, np.float32],
    pool: ThreadPoolExecutor,
    on_ratings_done: Callable[[int], None],
) -> float:
    """One pass over all ratings, stratum by stratum, the blocks of a stratum in parallel.

    Parameters
    ----------
    parameters : Parameters
        float32; changed in place.
    plan : BlockPlan
    strata : ndarray of shape (n_groups,), int
        The order in which the strata are run.
    rates : tuple
        From `scaled_rates`.
    pool : ThreadPoolExecutor
    on_ratings_done : callable
        Called with the number of ratings of each stratum when it is done.

    Returns
    -------
    float
        Training RMSE, each error as it was before its own step.
    """
    squared_error = 0.0
    arguments = (np.float32(parameters.global_mean), *parameters[1:], rates)
    for shift in strata:
        blocks = plan.stratum(int(shift))
        tasks = [
            pool.submit(
                sgd_block,
                plan.user_index[block],
                plan.item_index[block],
                plan.values[block],
                *arguments,
            )
            for block in blocks
        ]
        squared_error += _sum_in_order(tasks)
        on_ratings_done(sum(block.stop - block.start for block in blocks))
    return float(np.sqrt(squared_error / plan.values.size))


def _rmse(
    parameters: Parameters, triples: Triples, limits: tuple[float, float], n_threads: int
) -> float:
    """Root mean squared error of the predictions, held within the limits."""
    predictions = predict_pairs(parameters, *triples[:2], limits=limits, n_threads=n_threads)
    errors = triples.values - predictions
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64))))


def _sum_in_order(tasks: list) -> float:
    """Sum of the tasks' results; none of them still runs when this returns or raises."""
    try:
        return sum(task.result() for task in tasks)
    finally:
        wait(tasks)


def _copy(source: Parameters, into: Parameters | None = None) -> Parameters:
    if into is None:
        return source._replace(**{n: a.copy() for n, a in source._asdict().items() if n[0] != "g"})
    for target, array in zip(into[1:], source[1:], strict=True):
        np.copyto(target, array)
    return into


def _divergence_message(hyperparameters: Hyperparameters, n_restarts: int) -> str:
    tried = hyperparameters.learning_rate / 2 ** (n_restarts - 1)
    return (
        f"training diverges even with a learning rate of {tried:.2g}: "
        "look for outliers among the ratings, or give a larger regularization (--reg)"
    )
