"""Where to search: around the defaults, which are stated for ratings of any scale."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from funksvd.training import ALGORITHMS, Hyperparameters

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

FACTORS_STEP = 16
"""Rows are padded to so many numbers anyway."""
MOST_FACTORS = 128
DIGITS = 3
"""Values are rounded to so many before they are tried: short enough to be typed again."""


def tunable(hyperparameters: Hyperparameters, fixed: Collection[str]) -> list[str]:
    """Names of the hyperparameters to vary.

    Parameters
    ----------
    hyperparameters : Hyperparameters
        Resolved: what the algorithm does not use is None.
    fixed : collection of str
        Names of those that stay as they are.
    """
    unused = {"bias_reg"} if not hyperparameters.biases else set()
    falls = hyperparameters.schedule in ("exponential", "inverse-time")
    if not falls or hyperparameters.learning_rate_decay == 1:
        unused.add("learning_rate_decay")
    return [
        name
        for name in ALGORITHMS[hyperparameters.algorithm].tunable
        if name not in unused and name not in fixed
    ]


def search_space(defaults: dict[str, Any]) -> dict[str, BaseDistribution]:
    """The range of each hyperparameter, given its default.

    Rates and regularization may be up to 4 times as large or as small, that of the biases 8
    times, on a logarithmic scale; regularization that is 0 may be up to 0.2. What is lost of the
    learning rate in an epoch may be a quarter to twice as much. The number of factors is a
    multiple of 16 up to 128.
    """
    from optuna.distributions import FloatDistribution, IntDistribution

    space: dict[str, BaseDistribution] = {}
    for name, value in defaults.items():
        if name == "n_factors":
            most = max(MOST_FACTORS, _nearest_n_factors(value))
            space[name] = IntDistribution(FACTORS_STEP, most, step=FACTORS_STEP)
        elif name == "learning_rate_decay":
            lost = 1 - value if value < 1 else 0.05
            space[name] = FloatDistribution(1 - 2 * lost, max(1 - lost / 4, value))
        elif value == 0:
            space[name] = FloatDistribution(0.0, 0.2)
        else:
            reach = 8 if name == "bias_reg" else 4
            space[name] = FloatDistribution(value / reach, value * reach, log=True)
    return space


def within(space: dict[str, BaseDistribution], defaults: dict[str, Any]) -> dict[str, Any]:
    """The point of the search space that is next to the defaults."""
    return {
        name: _nearest_n_factors(value) if name == "n_factors" else value
        for name, value in defaults.items()
        if name in space
    }


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """What is tried instead of what was drawn."""
    return {
        name: value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
        for name, value in values.items()
    }


def _nearest_n_factors(n_factors: int) -> int:
    return max(1, round(n_factors / FACTORS_STEP)) * FACTORS_STEP
