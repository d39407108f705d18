"""Everything that a learner is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from funksvd.hyperparameters import ResolvedHyperparameters
from funksvd.learned import Learned, LearnedRatings
from funksvd.training.executors import Executor
from funksvd.training.monitor import EpochRecord
from funksvd.training.pairs import PairPlan
from funksvd.training.plan import BlockPlan

Plan = BlockPlan | PairPlan
PlanT = TypeVar("PlanT", bound=Plan)
LearnedT = TypeVar("LearnedT", bound=Learned)


@dataclass(frozen=True, eq=False)
class Findings:
    """Results of one run that another run on the same kind of data starts from.

    Parameters
    ----------
    n_epochs : int or None
        Epochs to run; None for as many as the hyperparameters allow.
    rate_factor : float
        Multiplies the learning rates: less than 1 where larger ones diverged.
    reg_factor : float
        Multiplies the regularization of the factors, where the data choose it.
    history : sequence of EpochRecord
        A schedule that goes by errors goes by these, so that both runs have the same learning
        rates; by the run's own where there are none.
    passes : sequence of int or None
        `Learner.passes` of that run; None to find them.
    """

    n_epochs: int | None = None
    rate_factor: float = 1.0
    reg_factor: float = 1.0
    history: Sequence[EpochRecord] = field(default=())
    passes: Sequence[int] | None = None


@dataclass(frozen=True, eq=False)
class Context(Generic[PlanT, LearnedT]):
    """Everything that a learner is given.

    Parameters
    ----------
    plan : BlockPlan or PairPlan
        The ratings, in blocks; or the observed pairs.
    hyperparameters : ResolvedHyperparameters
    random : numpy.random.Generator
        The source of all random choices.
    executor : Executor
        Runs kernels over blocks; never a reason for another result.
    start : Learned or None
        Parameters to go on from, in the numbering of the data's own indices; None for random
        ones.
    findings : Findings
    member : int
        Number of the model within an ensemble.
    """

    plan: PlanT
    hyperparameters: ResolvedHyperparameters
    random: np.random.Generator
    executor: Executor
    start: LearnedT | None = None
    findings: Findings = field(default_factory=Findings)
    member: int = 0


RatingContext = Context[BlockPlan, LearnedRatings]
