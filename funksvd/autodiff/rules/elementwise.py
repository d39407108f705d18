"""Operations that work element by element: each by its partial derivatives."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.special

from funksvd.autodiff.rules.registering import (
    elementwise,
    primitive,
    register,
    stretch,
    unbroadcast,
)
from funksvd.autodiff.tracing import COMPOSITES, NOT_DIFFERENTIABLE, RULES, Function

logistic = scipy.special.expit
"""1 / (1 + exp(-x)); it is a ufunc and needs no wrapper."""


@primitive
def relu(x: Any) -> Any:
    """max(x, 0)."""
    return np.maximum(x, 0.0)


@primitive
def direction(x: Any, length: Any) -> Any:
    """A part of a length by the length; 0, with the derivative NaN, where the length is 0."""
    shape = np.broadcast_shapes(np.shape(x), np.shape(length))
    return np.divide(x, length, out=np.zeros(shape), where=np.asarray(length) != 0)


@primitive
def polygamma(order: int, x: Any) -> Any:
    """The derivative of an order of digamma."""
    return scipy.special.polygamma(order, x)


def _power_by_base(y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, (int, float)) and b == 2:
        return 2.0 * a  # squares are common in losses: save the power
    # With the base 1 for 0**0 this and its own derivatives are 0, not 0 times infinity.
    return b * (a if np.all(b != 0) else np.where((a == 0) & (b == 0), 1.0, a)) ** (b - 1)


def _log_base(a: Any) -> Any:
    """The logarithm of a power's base; 0 for the base 0, as 0**b is 0 for every b > 0."""
    return np.log(a if np.all(a != 0) else np.where(a == 0, 1.0, a))


def _half(larger: Any, other: Any) -> Any:
    """The slope of a maximum of two numbers by the first: ½ where they are equal."""
    return np.where(larger > other, 1.0, np.where(larger == other, 0.5, 0.0))


def difference(a: Any, b: Any) -> Any:
    """The difference a - b, and 0 where both are the same infinity."""
    same = np.isinf(a) & (a == b)
    return np.where(same, 0.0, a) - np.where(same, 0.0, b) if np.any(same) else a - b


# A partial derivative is written so that it keeps its digits where it is small: 1 - tanh² and
# y (1 - y) would be 0 from |x| = 20 and x = 37 on.
# fmt: off
elementwise(np.add,       lambda y, a, b: 1.0,         lambda y, a, b: 1.0)
elementwise(np.subtract,  lambda y, a, b: 1.0,         lambda y, a, b: -1.0)
elementwise(np.multiply,  lambda y, a, b: b,           lambda y, a, b: a)
elementwise(np.divide,    lambda y, a, b: 1.0 / b,     lambda y, a, b: -y / b)
elementwise(np.remainder, lambda y, a, b: 1.0,         lambda y, a, b: -np.floor_divide(a, b))
elementwise(np.power,     _power_by_base,              lambda y, a, b: y * _log_base(a))
elementwise(np.maximum,   lambda y, a, b: _half(a, b), lambda y, a, b: _half(b, a))
elementwise(np.logaddexp, lambda y, a, b: logistic(difference(a, b)),
                          lambda y, a, b: logistic(difference(b, a)))
elementwise(np.hypot,     lambda y, a, b: direction(a, y), lambda y, a, b: direction(b, y))
elementwise(np.arctan2,   lambda y, a, b: b / (a * a + b * b), lambda y, a, b: -a / (a * a + b * b))
elementwise(direction,    lambda y, x, length: 1.0 / length, lambda y, x, length: -y / length)
elementwise(np.negative, lambda y, x: -1.0)
elementwise(np.absolute, lambda y, x: np.sign(x))
elementwise(np.sqrt,     lambda y, x: 0.5 / y)
elementwise(np.exp,      lambda y, x: y)
elementwise(np.exp2,     lambda y, x: y * math.log(2))
elementwise(np.expm1,    lambda y, x: np.exp(x))
elementwise(np.log,      lambda y, x: 1.0 / x)
elementwise(np.log2,     lambda y, x: 1.0 / (x * math.log(2)))
elementwise(np.log10,    lambda y, x: 1.0 / (x * math.log(10)))
elementwise(np.log1p,    lambda y, x: 1.0 / (1.0 + x))
elementwise(np.sin,      lambda y, x: np.cos(x))
elementwise(np.cos,      lambda y, x: -np.sin(x))
elementwise(np.tan,      lambda y, x: 1.0 + y * y)
elementwise(np.arcsin,   lambda y, x: 1.0 / np.sqrt((1.0 - x) * (1.0 + x)))
elementwise(np.arccos,   lambda y, x: -1.0 / np.sqrt((1.0 - x) * (1.0 + x)))
elementwise(np.arctan,   lambda y, x: 1.0 / (1.0 + x * x))
elementwise(np.sinh,     lambda y, x: np.cosh(x))
elementwise(np.cosh,     lambda y, x: np.sinh(x))
elementwise(np.tanh,     lambda y, x: 4.0 * logistic(2.0 * x) * logistic(-2.0 * x))
elementwise(np.arcsinh,  lambda y, x: 1.0 / np.hypot(1.0, x))
elementwise(np.arccosh,  lambda y, x: 1.0 / np.sqrt((x - 1.0) * (x + 1.0)))
elementwise(np.arctanh,  lambda y, x: 1.0 / ((1.0 - x) * (1.0 + x)))
elementwise(np.deg2rad,  lambda y, x: math.pi / 180)
elementwise(np.rad2deg,  lambda y, x: 180 / math.pi)
elementwise(logistic,    lambda y, x: y * logistic(-x))
elementwise(scipy.special.logit,   lambda y, x: 1.0 / (x * (1.0 - x)))
elementwise(scipy.special.erf,     lambda y, x: 2.0 / math.sqrt(math.pi) * np.exp(-x * x))
elementwise(scipy.special.erfc,    lambda y, x: -2.0 / math.sqrt(math.pi) * np.exp(-x * x))
elementwise(scipy.special.gammaln, lambda y, x: scipy.special.digamma(x))
elementwise(scipy.special.digamma, lambda y, x: polygamma(1, x))
elementwise(relu,        lambda y, x: (x > 0) * 1.0)

register(polygamma, [None, lambda t, y, order, x: t * polygamma(order + 1, x)],
                    [None, lambda g, y, order, x: g * polygamma(order + 1, x)])
register(np.where,  [None, lambda t, y, c, a, b: stretch(np.where(c, t, 0.0), np.shape(y)),
                           lambda t, y, c, a, b: stretch(np.where(c, 0.0, t), np.shape(y))],
                    [None, lambda g, y, c, a, b: unbroadcast(np.where(c, g, 0.0), np.shape(a)),
                           lambda g, y, c, a, b: unbroadcast(np.where(c, 0.0, g), np.shape(b))])
# fmt: on

# The operator ** computes the square of an array as a product; the ufunc np.power calls pow.
RULES[np.power] = RULES[np.power]._replace(function=operator.pow)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = a_min if min is None else min, a_max if max is None else max
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _of_numbers(function: Function, a: Any, b: Any) -> Any:
    """The value of a function of two numbers; where one of them is NaN, the other one."""
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, function(a, b)))


def _select(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0.0) -> Any:
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        default = np.where(condition, choice, default)
    return default


COMPOSITES.update({
    np.positive: lambda x: x,
    np.copy: lambda x: x,
    np.square: lambda x: x * x,
    np.reciprocal: lambda x: 1.0 / x,
    np.fabs: lambda x: np.absolute(x),
    np.degrees: lambda x: np.rad2deg(x),
    np.radians: lambda x: np.deg2rad(x),
    np.minimum: lambda a, b: -np.maximum(-a, -b),
    np.logaddexp2: lambda a, b: np.logaddexp(a * math.log(2), b * math.log(2)) / math.log(2),
    np.fmax: lambda a, b: _of_numbers(np.maximum, a, b),
    np.fmin: lambda a, b: _of_numbers(np.minimum, a, b),
    np.clip: _clip,
    np.select: _select,
})  # fmt: skip

NOT_DIFFERENTIABLE.update({
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal, np.sign,
    np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.around, np.floor_divide,
    np.isnan, np.isinf, np.isfinite, np.logical_not, np.logical_and, np.logical_or, np.any, np.all,
    np.argmax, np.argmin, np.argsort, np.argpartition, np.searchsorted, np.count_nonzero,
    np.nonzero, np.array_equal, np.allclose, np.isclose, np.shape, np.ndim, np.size,
    np.zeros_like, np.ones_like, np.empty_like, np.signbit, np.heaviside,
})  # fmt: skip
