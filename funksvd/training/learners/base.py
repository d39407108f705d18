"""What the epoch loop asks of an algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, ClassVar, NamedTuple

import numpy as np

from funksvd.learned.scoring import Draws
from funksvd.objectives.parameters import Parameters
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.losses import TrainingLoss
from funksvd.training.plan import BlockPlan
from funksvd.training.scale import Scale, choose_reg


class Start(NamedTuple):
    """Parameters to go on from, in the numbering of the ratings' own indices.

    Parameters
    ----------
    parameters : Parameters
        As `Learner.parameters` returns them.
    implicit_factors : ndarray of shape (n_items, n_factors), float32, or None
    """

    parameters: Parameters
    implicit_factors: np.ndarray | None


class Learner(ABC):
    """Learns parameters epoch by epoch; the loop decides how fast, how long, and what is kept.

    Parameters
    ----------
    plan : BlockPlan
        The ratings.
    hyperparameters : Hyperparameters
    random : numpy.random.Generator
        Of all random choices.
    pool : ThreadPoolExecutor
        Its size does not change the result.

    Attributes
    ----------
    loss : TrainingLoss
    scale : Scale
        Of the ratings learned from, or of their scores.
    error_without_model : float
        Training error of the mean alone; without biases, of zero.
    reg : float
        Regularization of the factors: the one given, or the one chosen by the data. A sampler
        learns its own, and this is for rows that are new.
    planned_passes : sequence of int or None
        What `passes` of another run on the same kind of data were; None to find them.
    n_batches : int
        Of users, that the plan must have.
    uses_unrated : bool
        Whether it learns from pairs that are known without a rating.
    reg_share : float
        A `reg` that the data choose is so many times `choose_reg`.
    can_go_on : bool
        Whether it has `start_from`.
    """

    n_batches: ClassVar[int] = 1
    uses_unrated: ClassVar[bool] = False
    reg_share: ClassVar[float] = 1.0
    can_go_on: ClassVar[bool] = False

    def __init__(
        self,
        plan: BlockPlan,
        hyperparameters: Hyperparameters,
        random: np.random.Generator,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.plan, self.hyperparameters = plan, hyperparameters
        self.random, self.pool = random, pool
        parts = [plan.values[block.learned] for block in plan.blocks]
        self.loss = TrainingLoss.of(hyperparameters, Scale.of(parts, hyperparameters.biases))
        self.scale = self.loss.scale
        self.error_without_model = self.loss.error_without_model(parts)
        self.planned_passes: Sequence[int] | None = None
        self.reg = hyperparameters.reg
        if self.reg is None:
            self.reg = self.reg_share * choose_reg(plan)

    @abstractmethod
    def run_epoch(
        self, learning_rate: Callable[[float], float], on_ratings_done: Callable[[int], None]
    ) -> float:
        """One pass over the ratings to learn from.

        Parameters
        ----------
        learning_rate : callable
            By the part of the epoch that is done, from 0 to less than 1: the learning rate as a
            person chooses it, for ratings of unit standard deviation.
        on_ratings_done : callable
            Called now and then with the number of ratings done since.

        Returns
        -------
        float
            Training error; not finite where the descent diverges.
        """

    @abstractmethod
    def validation_error(self) -> float | None:
        """The loss's error on what the plan holds back; None if that is nothing."""

    @abstractmethod
    def state(self) -> list[np.ndarray]:
        """The arrays that an epoch changes."""

    @abstractmethod
    def parameters(self) -> Parameters:
        """What was learned, float32, in the numbering of the ratings' own indices."""

    def start_from(self, start: Start) -> None:
        """Take parameters that were learned before in the place of random ones."""
        raise NotImplementedError

    def implicit_factors(self) -> np.ndarray | None:
        """The y_j of SVD++, float32, in that numbering; None for learners without."""
        return None

    def draws(self) -> Draws | None:
        """What tells how sure the predictions are; None where the algorithm does not know."""
        return None

    def passes(self) -> list[int] | None:
        """How many passes over the ratings each part of the work took; None where none is chosen.

        A refit takes as many.
        """
        return None

    def divergence_message(self, learning_rate: float) -> str:
        """What a person can do about it."""
        return (
            f"training diverges, even with a learning rate of {learning_rate:.2g}. Give a smaller "
            f"--learning-rate (it is {self.hyperparameters.learning_rate:g}), or look for "
            "outliers among the ratings"
        )


def sum_in_order(tasks: Iterable[Future]) -> float:
    """Sum of the tasks' results; none of them still runs when this returns or raises."""
    return sum(in_order(tasks))


def in_order(tasks: Iterable[Future]) -> list[Any]:
    """The tasks' results; none of them still runs when this returns or raises."""
    tasks = list(tasks)
    try:
        return [task.result() for task in tasks]
    finally:
        wait(tasks)
