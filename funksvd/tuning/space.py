"""The search space: a range around each default, as it is declared with the hyperparameter."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from funksvd.hyperparameters import DECLARATIONS, Hyperparameters
from funksvd.hyperparameters.searching import Search

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

DIGITS = 3
"""Significant digits of the values that are tried: short enough to be typed again."""
SEARCHES: dict[str, Search] = {
    name: declaration.search for name, declaration in DECLARATIONS.items() if declaration.search
}
"""The range of each hyperparameter that is searched at all."""


def tunable(hyperparameters: Hyperparameters, fixed: Collection[str]) -> list[str]:
    """Names of the hyperparameters to vary.

    Parameters
    ----------
    hyperparameters : Hyperparameters
        Resolved: None stands for what the algorithm does not use.
    fixed : collection of str
        Names of those that stay as they are.
    """
    used = hyperparameters.in_use()
    return [
        name
        for name, search in SEARCHES.items()
        if name in used and name not in fixed and search.is_worthwhile(used[name])
    ]


def search_space(defaults: dict[str, Any]) -> dict[str, BaseDistribution]:
    """The range of each hyperparameter, given its default."""
    from optuna.distributions import FloatDistribution, IntDistribution

    space: dict[str, BaseDistribution] = {}
    for name, value in defaults.items():
        low, high, is_log, step = SEARCHES[name].interval(value)
        if step is None:
            space[name] = FloatDistribution(low, high, log=is_log)
        else:
            space[name] = IntDistribution(int(low), int(high), step=step)
    return space


def within(space: dict[str, BaseDistribution], defaults: dict[str, Any]) -> dict[str, Any]:
    """The point of the search space that is nearest to the defaults."""
    return {
        name: SEARCHES[name].nearest(value) for name, value in defaults.items() if name in space
    }


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are tried in place of those that were drawn."""
    return {
        name: value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
        for name, value in values.items()
    }
