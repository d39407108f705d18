"""Hyperparameters and the choices among them, declared once.

Checks, options of the command line, the search space of `tune` and reference documentation follow
from these declarations. Importing them loads neither NumPy nor anything else that is slow, so that
`--help` is quick.
"""

from textwrap import indent

from funksvd.hyperparameters.algorithms import ALGORITHMS, Algorithm
from funksvd.hyperparameters.declaring import Declaration
from funksvd.hyperparameters.describing import parameters_section, stated_default
from funksvd.hyperparameters.hyperparameters import (
    DECLARATIONS,
    Hyperparameters,
    ResolvedHyperparameters,
)
from funksvd.hyperparameters.optimizers import FULL_BATCH, OPTIMIZERS
from funksvd.hyperparameters.schedules import NOTABLE_IMPROVEMENT, SCHEDULES, Schedule
from funksvd.objectives.losses import LOSSES

__all__ = [
    "ALGORITHMS",
    "DECLARATIONS",
    "FULL_BATCH",
    "LOSSES",
    "NOTABLE_IMPROVEMENT",
    "OPTIMIZERS",
    "SCHEDULES",
    "Algorithm",
    "Declaration",
    "Hyperparameters",
    "ResolvedHyperparameters",
    "Schedule",
    "stated_default",
]

Hyperparameters.__doc__ = f"{Hyperparameters.__doc__}\n{indent(parameters_section(), '    ')}\n"
