"""Losses: what an error costs, and how hard it pulls, eqs. (9) to (12) of `objectives.plain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.special


class Loss(NamedTuple):
    """What ratings cost by their scores, and how hard they pull.

    Parameters
    ----------
    cost : callable
        l: (values, scores), of the same shape -> ndarray of that shape.
    residual : callable
        g = -dl/ds, of the same arguments.
    """

    cost: Callable[[np.ndarray, np.ndarray], np.ndarray]
    residual: Callable[[np.ndarray, np.ndarray], np.ndarray]


SQUARED = Loss(
    cost=lambda values, scores: 0.5 * (values - scores) ** 2,
    residual=lambda values, scores: values - scores,
)
ABSOLUTE = Loss(
    cost=lambda values, scores: np.abs(values - scores),
    residual=lambda values, scores: np.sign(values - scores),
)
LOGISTIC = Loss(
    cost=lambda values, scores: np.logaddexp(0.0, scores) - values * scores,
    residual=lambda values, scores: values - scipy.special.expit(scores),
)


def huber(delta: float) -> Loss:
    """Eq. (11), for errors of which those up to delta are ordinary."""

    def cost(values: np.ndarray, scores: np.ndarray) -> np.ndarray:
        sizes = np.abs(values - scores)
        bounded = np.minimum(sizes, delta)
        return bounded * (sizes - 0.5 * bounded)

    def residual(values: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.clip(values - scores, -delta, delta)

    return Loss(cost, residual)
