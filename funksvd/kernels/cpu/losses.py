"""What a rating costs and how hard it pulls: one scalar residual function for each loss.

A loss is a NamedTuple: its type, which is known when a kernel is compiled, chooses the functions,
its values are their parameters. The formulas are those of `objective`; here they are in float32,
of one rating, and the same bits on every processor: no function of a mathematical library, whose
last digit depends on where it runs.
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
"""The exponential of less than this is that of this: 1e-304."""


class Squared(NamedTuple):
    """1/2 e^2."""


class Absolute(NamedTuple):
    """|e|."""


class Huber(NamedTuple):
    """1/2 e^2 as far as delta, a float32, and a straight line from there."""

    delta: np.float32


class Logistic(NamedTuple):
    """log(1 + exp s) - r s, where r is 0 or 1."""


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


def _squared_residual(loss, e, r):
    return e


def _squared_cost(loss, e, r):
    return np.float64(e) * np.float64(e)


def _absolute_residual(loss, e, r):
    return np.sign(e)


def _absolute_cost(loss, e, r):
    return abs(np.float64(e))


def _huber_residual(loss, e, r):
    return min(max(e, -loss.delta), loss.delta)


def _huber_cost(loss, e, r):
    size = abs(np.float64(e))
    bounded = min(size, np.float64(loss.delta))
    return bounded * (2 * size - bounded)


def _logistic_residual(loss, e, r):
    return np.float32(r - _probability(np.float64(r - e)))


def _logistic_cost(loss, e, r):
    score = np.float64(r - e)
    return max(score, 0.0) - r * score + _log_of_one_plus(_exp_of_negative(-abs(score)))


_FUNCTIONS = {
    Squared: (_squared_residual, _squared_cost),
    Absolute: (_absolute_residual, _absolute_cost),
    Huber: (_huber_residual, _huber_cost),
    Logistic: (_logistic_residual, _logistic_cost),
}


def residual(loss: Any, e: Any, r: Any) -> Any:
    """-dl/ds: the direction in which a score should move, and how much it matters.

    Parameters
    ----------
    loss : Squared, Absolute, Huber or Logistic
    e : float32
        The rating r less the score s.
    r : float32

    Returns
    -------
    float32
    """
    return _FUNCTIONS[type(loss)][0](loss, e, r)


def cost(loss: Any, e: Any, r: Any) -> Any:
    """What is summed to tell how good a fit is: l, or 2 l where l begins as half a square.

    Of the same arguments; float64.
    """
    return _FUNCTIONS[type(loss)][1](loss, e, r)


@overload(residual)
def _residual(loss, e, r):
    return _FUNCTIONS[loss.instance_class][0]


@overload(cost)
def _cost(loss, e, r):
    return _FUNCTIONS[loss.instance_class][1]


@compiled
def turn_into_probabilities(scores):
    """Replace log-odds s, float32, by 1 / (1 + exp(-s)), in place."""
    for at in range(scores.size):
        scores[at] = _probability(np.float64(scores[at]))
