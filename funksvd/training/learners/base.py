"""The interface between a run and an algorithm: learners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from funksvd.errors import argument
from funksvd.learned import LearnedRatings
from funksvd.rng import state_of
from funksvd.training.checkpoints import Read, Write
from funksvd.training.context import Context, LearnedT, PlanT, RatingContext
from funksvd.training.losses import TrainingLoss
from funksvd.training.plan import BlockPlan
from funksvd.training.scale import Scale, choose_reg

DIVERGED = 1.5
"""Training error from which on an epoch has diverged, as a multiple of that of no model."""


Value = TypeVar("Value")


class Progress(NamedTuple):
    """The other side of an epoch: how fast to go, and whom to tell.

    Parameters
    ----------
    learning_rate : callable
        Learning rate for ratings of unit standard deviation after a fraction of the epoch, from 0
        to less than 1.
    ratings_done : callable
        To be called now and then with the number of ratings done since the last call. It may
        raise: the epoch is then given up.
    """

    learning_rate: Callable[[float], float]
    ratings_done: Callable[[int], None]


class Learner(ABC, Generic[PlanT, LearnedT]):
    """Learns epoch by epoch; a run decides how long, and what is kept.

    Whatever it needs is in its context; nothing of it is changed from outside.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    n_factors : int
    reg : float
        Regularization of the factors: the one given, or the one chosen by the data. A sampler
        learns its own, and this is for rows that are folded in later.
    latest_is_best : bool
        Whether each epoch makes the result better, so that validation errors do not choose one.
    born : dict
        State of the random numbers before the learner drew any.
    """

    latest_is_best: ClassVar[bool] = False
    reg: float

    def __init__(self, context: Context[PlanT, LearnedT]) -> None:
        self.context = context
        self.plan = context.plan
        self.hyperparameters = context.hyperparameters
        self.n_factors = self.hyperparameters.n_factors or self.default_factors()
        self.random, self.executor = context.random, context.executor
        self.born = state_of(self.random)

    def default_factors(self) -> int:
        """Number of factors where neither a person nor the algorithm has said one."""
        raise AssertionError("an algorithm without a default has a rule of its own")

    @property
    def spread(self) -> float:
        """Standard deviation of the ratings learned from; 1 where there are none."""
        return 1.0

    @abstractmethod
    def run_epoch(self, progress: Progress) -> float:
        """One pass over the ratings to learn from.

        Returns
        -------
        float
            Training error; not finite where it went wrong.
        """

    @abstractmethod
    def has_diverged(self, train_error: float) -> bool:
        """Tell by its training error whether an epoch came to nothing."""

    @abstractmethod
    def divergence_message(self, learning_rate: float) -> str:
        """The message of the error that ends training then, with what a person can do."""

    @property
    def is_done(self) -> bool:
        """Whether further epochs would change the result by little."""
        return False

    @abstractmethod
    def snapshot(self, slot: int) -> None:
        """Remember the state, in the place of what the slot held."""

    @abstractmethod
    def restore(self, slot: int) -> None:
        """Go back to the state of the last `snapshot` of this slot."""

    def dump(self, slots: Sequence[int], write: Write) -> None:
        """Hand out what slots hold, one array at a time, for a checkpoint.

        Parameters
        ----------
        slots : sequence of int
        write : callable
            Takes the name of an array, which no other has, and the array.
        """
        raise AssertionError("algorithms that cannot do this are refused before training")

    def load(self, slots: Sequence[int], read: Read) -> None:
        """Put into slots of a new learner what those of another one held.

        Parameters
        ----------
        slots : sequence of int
            As for `dump`.
        read : callable
            Returns the array of a name that `dump` has given.
        """
        raise AssertionError("algorithms that cannot do this are refused before training")

    @abstractmethod
    def learned(self) -> LearnedT:
        """A copy of all that is known now, in the numbering of the data's own indices."""

    def passes(self) -> list[int] | None:
        """Passes over the ratings that each part of the work took; None where none is chosen."""
        return None


class RatingLearner(Learner[BlockPlan, LearnedRatings]):
    """A learner of a model of ratings.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    scale : Scale
        How large the ratings learned from are.
    n_batches : int
        Batches of users that its plan must have.
    n_item_batches : int
        Batches of items that it makes of its plan, exchanged.
    reg_share : float
        A `reg` that the data choose, as a multiple of `choose_reg`.
    """

    n_batches: ClassVar[int] = 1
    n_item_batches: ClassVar[int] = 1
    reg_share: ClassVar[float] = 1.0

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        of_each = partial(self.plan.of_learned, n_threads=self.hyperparameters.thread_count())
        self.scale = Scale.of(of_each, self.hyperparameters.biases)
        if self.hyperparameters.reg is None:
            chosen = self.reg_share * choose_reg(self.plan)
            self.reg = chosen * context.findings.reg_factor
        else:
            self.reg = self.hyperparameters.reg

    @property
    def spread(self) -> float:
        """Standard deviation of the ratings learned from."""
        return self.scale.spread

    @abstractmethod
    def held_back_error(self) -> float | None:
        """The loss's error on the ratings that the plan holds back; None if there are none."""


class Descent(RatingLearner):
    """A learner that follows gradients with a step size, and may therefore diverge.

    Attributes
    ----------
    loss : TrainingLoss
    scale : Scale
        How large scores are.
    """

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        self.loss = TrainingLoss.of(self.hyperparameters, self.scale)
        self.scale: Scale = self.loss.scale
        error_without_model = self.loss.error_without_model(self.plan.of_learned)
        self._error_limit = DIVERGED * error_without_model
        self._slots: dict[int, list[np.ndarray]] = {}

    @abstractmethod
    def state(self) -> list[np.ndarray]:
        """The arrays that an epoch changes."""

    def snapshot(self, slot: int) -> None:
        """Remember the state, in the place of what the slot held."""
        if slot in self._slots:
            _overwrite(self._slots[slot], self.state())
        else:
            self._slots[slot] = [array.copy() for array in self.state()]

    def restore(self, slot: int) -> None:
        """Go back to the state of the last `snapshot` of this slot."""
        _overwrite(self.state(), self._slots[slot])

    def dump(self, slots: Sequence[int], write: Write) -> None:
        """Hand out what slots hold, one array at a time, for a checkpoint."""
        for slot in slots:
            for number, array in enumerate(self._slots[slot]):
                write(f"slot {slot}/{number}", array)

    def load(self, slots: Sequence[int], read: Read) -> None:
        """Put into slots of a new learner what those of another one held."""
        for slot in slots:
            n_arrays = len(self.state())
            self._slots[slot] = [read(f"slot {slot}/{number}") for number in range(n_arrays)]

    def has_diverged(self, train_error: float) -> bool:
        """Tell whether the error is far above that of no model, or not finite."""
        return not train_error < self._error_limit

    def divergence_message(self, learning_rate: float) -> str:
        """The message of the error that ends training, with what a person can do."""
        return (
            f"training diverges, even with a learning rate of {learning_rate:.2g}. Give a smaller "
            f"{argument('learning_rate')} (it is {self.hyperparameters.learning_rate:g}), or look "
            "for outliers among the ratings"
        )


class Sampler(RatingLearner):
    """A learner whose epochs are draws from a distribution: the result is their mean.

    Each further draw makes it better, and no epoch is taken back.
    """

    latest_is_best: ClassVar[bool] = True

    def has_diverged(self, train_error: float) -> bool:
        """Tell whether a draw is not finite."""
        return not np.isfinite(train_error)

    def divergence_message(self, learning_rate: float) -> str:
        """The message of the error that ends training, with what a person can do."""
        return "sampling came to numbers that are not finite; look for outliers among the ratings"

    def snapshot(self, slot: int) -> None:
        """Nothing: no epoch is taken back."""

    def restore(self, slot: int) -> None:
        """Nothing: there is no state to go back to."""


def decided(value: Value | None) -> Value:
    """A value that cannot be None here, whatever its type says."""
    assert value is not None
    return value


AnyLearner = Learner[Any, Any]


def _overwrite(target: list[np.ndarray], source: list[np.ndarray]) -> None:
    for target_array, source_array in zip(target, source, strict=True):
        np.copyto(target_array, source_array)
