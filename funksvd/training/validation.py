"""Validation: the figure that decides which epoch is best, with a name and a direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from funksvd.learned import LearnedRatings
from funksvd.training.learners.base import Learner


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
    value: Callable[[Learner], float | None]
    greater_is_better: bool = False

    @classmethod
    def of_learned(
        cls,
        name: str,
        value: Callable[[LearnedRatings], float | None],
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
    return Validation(name, lambda learner: learner.held_back_error())
