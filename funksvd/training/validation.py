"""Validation: the figure that decides which epoch is best, with a name and a direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from funksvd.learned import LearnedChoices
from funksvd.learned.scoring import best_items
from funksvd.metrics import mean_ndcg
from funksvd.training.learners.base import AnyLearner, RatingLearner
from funksvd.training.pairs import PairPlan

N_BEST = 10
"""Length of the lists whose quality decides which epoch is best."""
MOST_USERS = 5000
"""Largest number of users whose lists are looked at after an epoch."""


@dataclass(frozen=True)
class Validation:
    """A figure by which epochs are compared.

    Parameters
    ----------
    name : str
        Name of the figure, as records of epochs have it: "rmse", "ndcg@10".
    value : callable
        The figure of a learner after an epoch; None where there is nothing to validate with.
    greater_is_better : bool
    """

    name: str
    value: Callable[[AnyLearner], float | None]
    greater_is_better: bool = False

    @classmethod
    def of_learned(
        cls,
        name: str,
        value: Callable[[Any], float | None],
        *,
        greater_is_better: bool = False,
    ) -> Validation:
        """A figure of what is known after an epoch, such as that of the lists it makes.

        Parameters
        ----------
        name : str
        value : callable
            The figure of what was learned, in the numbering of the ratings' own indices.
        greater_is_better : bool
        """
        return cls(name, lambda learner: value(learner.learned()), greater_is_better)


def held_back_error(name: str) -> Validation:
    """The loss's error on the ratings that the plan holds back; `name` is that of the error."""
    return Validation(name, lambda learner: cast(RatingLearner, learner).held_back_error())


def list_quality() -> Validation:
    """NDCG@10 of the lists of users who have pairs held back; of 5,000 of them where more have."""

    def value(learner: AnyLearner) -> float | None:
        plan: PairPlan = learner.plan
        if not plan.n_held_back:
            return None
        learned: LearnedChoices = learner.learned()
        return mean_ndcg(
            partial(best_items, learned.parameters),
            plan.by_user,
            plan.held_back_items,
            n_best=N_BEST,
            most_users=MOST_USERS,
            n_threads=learner.executor.n_threads,
        )

    return Validation(f"ndcg@{N_BEST}", value, greater_is_better=True)
