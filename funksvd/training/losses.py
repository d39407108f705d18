"""The loss that was chosen, in the units of the ratings at hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import RatingsError, argument, counted
from funksvd.hyperparameters import LOSSES, Hyperparameters
from funksvd.kernels import SCALAR_LOSSES
from funksvd.objectives.losses import Loss
from funksvd.training.scale import Scale

SHOWN_VALUES = 5
"""Number of distinct ratings that a message shows of those that should be 0 or 1."""


class TrainingLoss(NamedTuple):
    """A loss as training uses it.

    Parameters
    ----------
    for_kernels : NamedTuple
        Entry of `SCALAR_LOSSES`, with its parameters.
    formula : Loss
        The same, in rating units.
    scale : Scale
        How large scores are.
    """

    for_kernels: Any
    formula: Loss
    scale: Scale

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, ratings: Scale) -> TrainingLoss:
        """The loss that was chosen, for ratings of this scale."""
        loss = LOSSES[hyperparameters.loss].with_parameters(hyperparameters)
        scale = ratings if loss.is_linear else _of_log_odds(ratings.mean, hyperparameters.biases)
        formula = loss.scaled(scale.spread)
        parameters = (np.float32(parameter) for parameter in formula.parameters)
        return cls(
            SCALAR_LOSSES[loss.name](*parameters),
            formula,
            scale._replace(slope=loss.slope(scale.spread)),
        )

    def error(self, total: float, n_ratings: int) -> float:
        """The watched error, from the sum of what kernels call costs."""
        mean = total / n_ratings
        return math.sqrt(mean) if self.formula.is_half_square else mean

    def error_without_model(
        self, of_each: Callable[[Callable[[np.ndarray], Any]], list[Any]]
    ) -> float:
        """The watched error of a model without biases and factors, for ratings in parts.

        `of_each` is that of `Scale.of`.
        """
        if self.formula.is_rms:
            return self.scale.magnitude
        costs = partial(_cost_without_model, formula=self.formula, center=self.scale.center)
        sizes, totals = zip(*of_each(costs), strict=True)
        n_ratings, total = sum(sizes), math.fsum(totals)
        return self.error(2 * total if self.formula.is_half_square else total, n_ratings)


def _cost_without_model(part: np.ndarray, formula: Loss, center: float) -> tuple[int, float]:
    return part.size, float(formula.cost(part, np.array(center)).sum())


def _of_log_odds(share: float, biases: bool) -> Scale:
    """Scale of scores whose unit is that of log-odds, where this share of the ratings is 1."""
    mean = float(np.float32(math.log(share / (1 - share))))  # the same for every C library
    center = mean if biases else 0.0
    magnitude = math.sqrt((mean - center) ** 2 + 1.0)
    return Scale(mean, center, 1.0, magnitude, -math.inf, math.inf)


def check_ratings(hyperparameters: Hyperparameters, values: np.ndarray, source: str) -> None:
    """Make sure that ratings can be learned from with the hyperparameters.

    Raises
    ------
    RatingsError
        If the loss is for ratings 0 and 1 and there are others, or factors that are not negative
        would have to explain negative ratings.
    """
    loss = LOSSES[hyperparameters.loss]
    if loss.is_binary and not ((values == 0) | (values == 1)).all():
        found = np.unique(values)
        some = ", ".join(f"{value:g}" for value in found[:SHOWN_VALUES])
        some += ", …" * (len(found) > SHOWN_VALUES)
        raise RatingsError(
            f"{source}: the {loss.title} loss is for ratings that are 0 or 1, but these are of "
            f"{counted(len(found), 'value')}: {some}. Make them 0 and 1, or choose another "
            f"{argument('loss')}"
        )
    lowest = values.min(initial=0) if loss.is_linear else -math.inf
    if hyperparameters.nonnegative and not hyperparameters.biases and lowest < 0:
        known = (
            f"the lowest rating is {lowest:g}" if loss.is_linear else f"{loss.score_unit} can be"
        )
        raise RatingsError(
            f"{source}: the product of non-negative factors is never below 0, but {known}. Leave "
            f"out {argument('biases')} or {argument('nonnegative')}"
        )
