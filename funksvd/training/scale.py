"""How large the ratings are, so that the hyperparameters need not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from funksvd.training.hyperparameters import Hyperparameters

Rates = tuple[np.float32, np.float32, np.float32, np.float32]


class Scale(NamedTuple):
    """How large the training ratings are, in their own units.

    Parameters
    ----------
    mean : float
    center : float
        mu: the mean, or 0 for a model without biases.
    spread : float
        Standard deviation.
    magnitude : float
        Root mean square of the ratings less `center`.
    low, high : float
        Smallest and largest rating.
    """

    mean: float
    center: float
    spread: float
    magnitude: float
    low: float
    high: float

    @classmethod
    def of(cls, parts: Sequence[np.ndarray], biases: bool) -> Scale:
        """Of ratings in parts, float32; sums are in float64, part by part."""
        parts = [part for part in parts if part.size]
        n = sum(part.size for part in parts)
        mean = sum(float(np.sum(part, dtype=np.float64)) for part in parts) / n
        squares = sum(float(np.square(part - np.float64(mean)).sum()) for part in parts)
        spread = float(np.sqrt(squares / n))
        center = float(np.float32(mean)) if biases else 0.0
        magnitude = spread if biases else float(np.hypot(mean, spread))
        low = min(float(part.min()) for part in parts)
        high = max(float(part.max()) for part in parts)
        return cls(mean, center, spread, magnitude, low, high)


def scaled_rates(hyperparameters: Hyperparameters, learning_rate: float, scale: Scale) -> Rates:
    """Learning rates and regularization in the units of the ratings, as `sgd_block` takes them.

    Ratings that are c times as large have biases c times and factors sqrt(c) times as large. For
    the descent to follow the same path, the factors' learning rate must be divided by c and their
    lambda multiplied by c (put c r, c b, sqrt(c) p and sqrt(c) q into eqs. 4 to 8); the biases'
    stay as they are.

    Without biases the factors carry the mean as well, and rows as long as that bear smaller steps
    only: c is then at least a tenth of the ratings' magnitude.

    Returns
    -------
    rates : tuple of four float32
        Learning rate of the factors, of the biases, lambda and lambda_b.
    """
    return (
        np.float32(learning_rate / max(scale.spread, scale.magnitude / 10)),
        np.float32(learning_rate if hyperparameters.biases else 0.0),
        np.float32(hyperparameters.reg * scale.spread),
        np.float32(hyperparameters.bias_reg),
    )
