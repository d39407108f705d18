"""Optimizers, and what each does well with."""

from __future__ import annotations

from typing import Any, NamedTuple


class Optimizer(NamedTuple):
    """How rows move by their gradients.

    Parameters
    ----------
    defaults : dict
        Of hyperparameters, as far as they differ from the algorithm's. Chosen on held-out parts of
        MovieLens 100K and latest-small and of synthetic data of a million ratings.
    full_batch : dict
        What differs from them where an epoch is a single step. Without regularization, the loss
        then fell in every epoch of plain steps, on the same data.
    """

    defaults: dict[str, Any]
    full_batch: dict[str, Any]


ADAGRAD = Optimizer(
    {"batch_size": 64, "learning_rate": 0.03, "learning_rate_decay": 0.95}, {"learning_rate": 0.2}
)
NORMALIZED = Optimizer(
    {"batch_size": 64, "learning_rate": 0.004, "learning_rate_decay": 0.9}, {"learning_rate": 0.03}
)
OPTIMIZERS = {
    "sgd": Optimizer({"batch_size": 1}, {"learning_rate": 0.007}),
    "momentum": Optimizer({"batch_size": 64, "learning_rate": 0.003}, {"learning_rate": 0.001}),
    "adagrad": ADAGRAD,
    "adagrad-element": ADAGRAD,
    "rmsprop": NORMALIZED,
    "adam": NORMALIZED,
}
"""By the names that people give."""

FULL_BATCH: dict[str, Any] = {"n_epochs": 1000, "learning_rate_decay": 1.0, "patience": 50}
"""Defaults of all of them where an epoch is a single step."""
