"""What can be learned, and how; each algorithm's own defaults."""

from __future__ import annotations

from typing import Any, NamedTuple


class Algorithm(NamedTuple):
    """A way to learn, and what it does well with.

    Parameters
    ----------
    title : str
        For people.
    defaults : dict
        Of the hyperparameters that are None unless they are given.
    tunable : tuple of str
        What is worth searching for better values: what `funksvd.tuning` varies.
    options : tuple of str
        What else it can do: hyperparameters that other algorithms leave as they are by default.
    without : tuple of str
        Hyperparameters that mean nothing to it.
    by_feature : bool
        Whether an epoch learns one feature, in passes over the ratings of its own: then
        `n_factors` limits the epochs, and `n_epochs` the passes.
    is_sampler : bool
        Whether epochs are draws from the distribution of the parameters, whose mean is the result:
        then the latest epoch is always the best, and none is taken back.
    """

    title: str
    defaults: dict[str, Any]
    tunable: tuple[str, ...] = (
        "n_factors",
        "learning_rate",
        "learning_rate_decay",
        "reg",
        "bias_reg",
    )
    options: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    by_feature: bool = False
    is_sampler: bool = False

    @property
    def epoch(self) -> str:
        """What an epoch is called."""
        return "feature" if self.by_feature else "epoch"


SAMPLING = {
    "defaults": {"n_factors": 12, "n_epochs": 540, "validation_fraction": 0.0, "patience": 100},
    "tunable": ("n_factors",),
    "without": ("learning_rate", "bias_learning_rate", "learning_rate_decay", "reg"),
    "is_sampler": True,
}


ALGORITHMS = {
    "sgd": Algorithm(
        "Funk SVD",
        {
            "optimizer": "sgd",
            "n_factors": 64,
            "n_epochs": 100,
            "learning_rate": 0.03,
            "learning_rate_decay": 0.85,
            "validation_fraction": 0.05,
            "patience": 5,
            "init_std": 0.02,
        },
        options=("loss", "nonnegative", "ensemble_snapshots"),
    ),
    "incremental": Algorithm(
        "Funk SVD, a feature at a time",
        {
            "n_factors": 64,
            "n_epochs": 100,
            "learning_rate": 0.03,
            "learning_rate_decay": 1.0,
            "patience": 5,
            "validation_fraction": 0.05,
            "init_std": 0.1,
        },
        tunable=("n_factors", "learning_rate", "reg", "bias_reg"),
        by_feature=True,
    ),
    "svd++": Algorithm(
        "SVD++",
        {
            "n_factors": 64,
            "n_epochs": 100,
            "learning_rate": 0.021,
            "learning_rate_decay": 0.85,
            "validation_fraction": 0.05,
            "patience": 5,
            "init_std": 0.02,
        },
        options=("ensemble_snapshots",),
    ),
    "bayes": Algorithm("Bayesian Funk SVD", **SAMPLING),
    "bayes++": Algorithm("Bayesian SVD++", **SAMPLING),
}
