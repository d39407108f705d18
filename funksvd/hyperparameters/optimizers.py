"""Optimizers: how rows move by their gradients, and the defaults of each.

An optimizer's step itself is in `funksvd.kernels.cpu.optimizers`, under the same name.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Optimizer(NamedTuple):
    """How rows move by their gradients.

    Parameters
    ----------
    summary : str
        A step, in a few words.
    defaults : dict
        Hyperparameters by name, as far as they differ from the algorithm's defaults. Chosen on
        held-out parts of MovieLens 100K and latest-small and of synthetic data of a million
        ratings.
    full_batch : dict
        Hyperparameters whose defaults differ again where an epoch is a single step. Without
        regularization, the loss then fell in every epoch of plain steps, on the same data.
    """

    summary: str
    defaults: dict[str, Any]
    full_batch: dict[str, Any]


_ADAGRAD = {"batch_size": 64, "learning_rate": 0.03, "learning_rate_decay": 0.95}
_NORMALIZED = {"batch_size": 64, "learning_rate": 0.004, "learning_rate_decay": 0.9}

OPTIMIZERS = {
    "sgd": Optimizer("along the gradient", {"batch_size": 1}, {"learning_rate": 0.007}),
    "momentum": Optimizer(
        "along a sum of earlier gradients, each weighing 0.9 times the next",
        {"batch_size": 64, "learning_rate": 0.003},
        {"learning_rate": 0.001},
    ),
    "adagrad": Optimizer(
        "along the gradient over the root of the row's summed mean squares",
        _ADAGRAD,
        {"learning_rate": 0.2},
    ),
    "adagrad-element": Optimizer(
        "along the gradient over the root of each number's summed squares",
        _ADAGRAD,
        {"learning_rate": 0.2},
    ),
    "rmsprop": Optimizer(
        "along the gradient over the root of each number's mean square of late",
        _NORMALIZED,
        {"learning_rate": 0.03},
    ),
    "adam": Optimizer(
        "along the mean gradient of late over the root of the mean square of late",
        _NORMALIZED,
        {"learning_rate": 0.03},
    ),
}
"""The optimizers by name."""

FULL_BATCH: dict[str, Any] = {"n_epochs": 1000, "learning_rate_decay": 1.0, "patience": 50}
"""Defaults of every optimizer where an epoch is a single step."""
