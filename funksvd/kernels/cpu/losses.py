"""Cost and residual of one rating, compiled: an entry for each loss of `objectives.losses`.

A loss is a NamedTuple: its type, which is known when a kernel is compiled, chooses the functions,
its values are their parameters. The formulas are those of `funksvd.objectives.losses`; here they
are in float32, of one rating, and the same bits on every processor: no function of a mathematical
library, whose last digit depends on where it runs.

The arguments of both functions are e, the rating r less the score s, and r; float32. `cost` is what
is summed to tell how good a fit is: l, or 2 l where l begins as half a square; float64. `residual`
is -dl/ds, the direction in which a score should move and how hard; float32.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload, register_jitable

from funksvd.kernels.compiling import compiled

_LOG2_E = 1 / math.log(2)
_LOG_2 = math.log(2)
_OF_EXP = tuple(1 / math.factorial(n) for n in range(11))
_OF_ARTANH = tuple(1 / (2 * n + 1) for n in range(10))
_LOWEST = -700.0
"""Smallest x whose exponential is computed, about 1e-304; below, it is taken for this."""


@register_jitable
def _exp_of_negative(x):
    """Exp x for x <= 0, to 3e-12; float64.

    x = n log 2 + t with |t| <= log(2) / 2, and the exponential of t by Taylor's series: its even
    and its odd terms, which do not wait for each other.
    """
    if x < _LOWEST:  # not NaN: that stays visible
        x = _LOWEST
    n = np.int64(x * _LOG2_E - 0.5)
    t = x - n * _LOG_2
    t2 = t * t
    c = _OF_EXP
    even = c[0] + t2 * (c[2] + t2 * (c[4] + t2 * (c[6] + t2 * (c[8] + t2 * c[10]))))
    odd = c[1] + t2 * (c[3] + t2 * (c[5] + t2 * (c[7] + t2 * c[9])))
    power = np.int64((n + 1023) << 52).view(np.float64)  # 2**n, by its bits
    return (even + t * odd) * power


@register_jitable
def _log_of_one_plus(x):
    """log(1 + x) for 0 <= x <= 1, to 2e-11; float64.

    2 artanh z, where z = x / (2 + x) <= 1/3, by its series.
    """
    z = x / (2 + x)
    z2 = z * z
    z4 = z2 * z2
    c = _OF_ARTANH
    even = c[0] + z4 * (c[2] + z4 * (c[4] + z4 * (c[6] + z4 * c[8])))
    odd = c[1] + z4 * (c[3] + z4 * (c[5] + z4 * (c[7] + z4 * c[9])))
    return 2 * z * (even + z2 * odd)


@register_jitable
def _probability(score):
    """1 / (1 + exp(-s)); float64."""
    small = _exp_of_negative(-abs(score))
    return (small if score < 0 else 1.0) / (1 + small)


class Squared(NamedTuple):
    """1/2 e^2."""

    def cost(self, e, r):
        return np.float64(e) * np.float64(e)

    def residual(self, e, r):
        return e


class Absolute(NamedTuple):
    """|e|."""

    def cost(self, e, r):
        return abs(np.float64(e))

    def residual(self, e, r):
        return np.sign(e)


class Huber(NamedTuple):
    """1/2 e^2 up to delta, a float32, and a straight line from there."""

    delta: np.float32

    def cost(self, e, r):
        size = abs(np.float64(e))
        bounded = min(size, np.float64(self.delta))
        return bounded * (2 * size - bounded)

    def residual(self, e, r):
        return min(max(e, -self.delta), self.delta)


class Logistic(NamedTuple):
    """log(1 + exp s) - r s, where r is 0 or 1."""

    def cost(self, e, r):
        score = np.float64(r - e)
        return max(score, 0.0) - r * score + _log_of_one_plus(_exp_of_negative(-abs(score)))

    def residual(self, e, r):
        return np.float32(r - _probability(np.float64(r - e)))


SCALAR_LOSSES = {
    "squared": Squared,
    "absolute": Absolute,
    "huber": Huber,
    "logistic": Logistic,
}
"""The losses by the names they have in `objectives.losses`; fields are their parameters."""


def cost(self: Any, e: Any, r: Any) -> Any:
    """The cost of a rating by the loss `self`, in kernels and outside."""
    return self.cost(e, r)


def residual(self: Any, e: Any, r: Any) -> Any:
    """The residual of a rating by the loss `self`, in kernels and outside."""
    return self.residual(e, r)


@overload(cost)
def _cost(self, e, r):
    return self.instance_class.cost


@overload(residual)
def _residual(self, e, r):
    return self.instance_class.residual


@compiled
def turn_into_probabilities(scores):
    """Replace log-odds s, float32, by 1 / (1 + exp(-s)), in place."""
    for at in range(scores.size):
        scores[at] = _probability(np.float64(scores[at]))
