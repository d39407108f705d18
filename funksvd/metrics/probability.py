"""How good probabilities are: log loss, and whether they come true as often as they say."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from funksvd.parallel import PIECE

N_GROUPS = 10
"""Number of groups of like probabilities, of equal size: deciles."""
LEAST_PROBABILITY = 1e-7
"""Least probability, of being true and of not being, that the logarithm is taken of."""
MOST_PROBABILITY = 1 - LEAST_PROBABILITY


class ReliabilityGroup(NamedTuple):
    """Cases of like probability.

    Parameters
    ----------
    probability : float
        Mean of their probabilities.
    share : float
        Share of them that came true.
    n : int
        Number of cases.
    """

    probability: float
    share: float
    n: int


class Reliability(NamedTuple):
    """Quality of the probabilities of some cases.

    Parameters
    ----------
    share : float
        Share of the cases that came true.
    log_loss : float
        Mean of -log p over the cases, where p is the probability of what happened; natural
        logarithms.
    log_loss_of_share : float
        The same where the probability of each case is `share`.
    calibration_error : float
        Expected calibration error: the mean, over the cases, of the distance between the mean
        probability of their group and the share that came true in it.
    groups : tuple of ReliabilityGroup
        Cases of like probability, ascending; as many in each.
    """

    share: float
    log_loss: float
    log_loss_of_share: float
    calibration_error: float
    groups: tuple[ReliabilityGroup, ...]

    @classmethod
    def of(cls, probabilities: np.ndarray, came_true: np.ndarray) -> Reliability:
        """Quality of probabilities.

        Parameters
        ----------
        probabilities : ndarray of shape (n,), float
            n is at least 1.
        came_true : ndarray of shape (n,), bool
        """
        n = len(probabilities)
        share = float(came_true.mean())
        order = np.argsort(probabilities, kind="stable")
        groups = tuple(
            ReliabilityGroup(
                float(probabilities[part].mean(dtype=np.float64)),
                float(came_true[part].mean()),
                len(part),
            )
            for part in np.array_split(order, min(N_GROUPS, n))
        )
        distances = (abs(each.probability - each.share) * each.n for each in groups)
        return cls(
            share=share,
            log_loss=_log_loss(probabilities, came_true),
            log_loss_of_share=-sum(x * math.log(x) for x in (share, 1 - share) if x > 0),
            calibration_error=math.fsum(distances) / n,
            groups=groups,
        )


def _log_loss(probabilities: np.ndarray, came_true: np.ndarray) -> float:
    """Mean of -log p of what happened; in pieces, since there may be very many cases."""
    sums = []
    for start in range(0, len(probabilities), PIECE):
        part = slice(start, start + PIECE)
        p = np.clip(probabilities[part].astype(np.float64), LEAST_PROBABILITY, MOST_PROBABILITY)
        sums.append(float(np.log(np.where(came_true[part], p, 1 - p)).sum()))
    return -math.fsum(sums) / len(probabilities)
