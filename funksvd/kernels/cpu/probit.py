"""The normal distribution function, and the probit regression that calibrates probabilities.

Everything is in float64 and in a fixed order, without a library: the same bits on every processor.
"""

import numpy as np

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.losses import _exp_of_negative

MOST_STEPS = 50
"""Largest number of Newton steps of a fit; ten are usual."""
FURTHEST = 30.0
"""Arguments of the normal distribution further from 0 are taken for this in a fit."""
_ROOT_HALF = 0.7071067811865476
_ROOT_TWO_PI = 2.5066282746310002
_OF_ERFC = (
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418,
    0.37409196, 1.00002368, -1.26551223,
)  # fmt: skip


@compiled
def _normal_probability(x):
    """The standard normal distribution function, to a relative error of 2e-7.

    By the approximation of erfc of W. Press et al., "Numerical Recipes", section 6.2.
    """
    z = abs(x) * _ROOT_HALF
    t = 1 / (1 + z / 2)
    total = 0.0
    for c in _OF_ERFC:
        total = total * t + c
    tail = 0.5 * t * _exp_of_negative(min(total - z * z, 0.0))
    return tail if x < 0 else 1 - tail


@compiled
def find_probabilities(predictions, threshold, spread, probabilities):
    """Probabilities that normal numbers with these means are above a threshold.

    Parameters
    ----------
    predictions : ndarray of shape (n,), float32
        The means.
    threshold, spread : float64
        `spread` is the standard deviation of all of them.
    probabilities : ndarray of shape (n,), float32
        Written.
    """
    for at in range(predictions.size):
        z = (np.float64(predictions[at]) - threshold) / spread
        probabilities[at] = np.float32(_normal_probability(z))


@compiled
def fit_probit(predictions, values, threshold, spread, least, prior):
    """The numbers a and b with which Phi(a + b z) is the likeliest for ratings of at least `least`.

    They maximize the sum of log Phi(s (a + b z)) less prior/2 (a^2 + (b - 1)^2), where s is 1 for a
    rating of at least `least` and -1 for another one, and z is its prediction less `threshold`,
    divided by `spread`. By Newton's method: the sum is concave.

    Parameters
    ----------
    predictions, values : ndarray of shape (n,), float32
    threshold, spread : float64
    least : float32
    prior : float64
        Above 0: how strongly a is held at 0, and b at 1.

    Returns
    -------
    (a, b) : float64
    """
    a, b = 0.0, 1.0
    for _ in range(MOST_STEPS):
        of_a, of_b = -prior * a, -prior * (b - 1)
        of_aa, of_ab, of_bb = prior, 0.0, prior
        for at in range(predictions.size):
            z = (np.float64(predictions[at]) - threshold) / spread
            sign = 1.0 if values[at] >= least else -1.0
            x = min(max(sign * (a + b * z), -FURTHEST), FURTHEST)
            ratio = _exp_of_negative(-0.5 * x * x) / _ROOT_TWO_PI / _normal_probability(x)
            slope, curvature = sign * ratio, ratio * (ratio + x)
            of_a += slope
            of_b += slope * z
            of_aa += curvature
            of_ab += curvature * z
            of_bb += curvature * z * z
        determinant = of_aa * of_bb - of_ab * of_ab
        # A step of more than 1 would come from where the sum is nearly flat.
        by_a = min(max((of_bb * of_a - of_ab * of_b) / determinant, -1.0), 1.0)
        by_b = min(max((of_aa * of_b - of_ab * of_a) / determinant, -1.0), 1.0)
        a += by_a
        b += by_b
        if abs(by_a) + abs(by_b) < 1e-8:
            break
    return a, b


@compiled
def distinct_values(values, most):
    """The different values of an array, ascending; the first `most` + 1 found, if there are more.

    Parameters
    ----------
    values : ndarray of shape (n,), float32
    most : int

    Returns
    -------
    ndarray of shape (n_distinct,), float32
    """
    found = np.empty(most + 1, np.float32)
    n = 0
    for value in values:
        at = np.searchsorted(found[:n], value)
        if at < n and found[at] == value:
            continue
        for move in range(n, at, -1):
            found[move] = found[move - 1]
        found[at] = value
        n += 1
        if n > most:
            break
    return found[:n]
