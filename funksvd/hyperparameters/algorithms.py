"""Algorithms: what each one learns, what it needs and can do, and its defaults.

The class that learns is found in `funksvd.training.learners.registry`, under the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A model, and a way to learn it.

    Parameters
    ----------
    title : str
        Name for people.
    summary : str
        What is learned and how, in a sentence.
    objective : str
        Module that states what is minimized or sampled from.
    gradient_checks : tuple of str
        Names of the checks of `funksvd.gradcheck` that prove its gradients, besides those of the
        losses.
    hyperparameters : tuple of str
        Names of the hyperparameters that mean something to it.
    defaults : dict
        Its own defaults, by name, of hyperparameters that are None unless they are given.
    learns : {"rating", "choice"}
        The part of a model that it learns.
    by_feature : bool
        Whether an epoch learns one feature, in passes over the ratings of its own: then
        `n_factors` limits the epochs, and `n_epochs` the passes of each.
    is_sampler : bool
        Whether epochs are draws from the distribution of the parameters, whose mean is the result:
        then the latest epoch is always the best, and none is taken back.
    uses_unrated : bool
        Whether it learns from pairs of user and item without a rating.
    is_updatable : bool
        Whether training can go on from a model.
    knows_uncertainty : bool
        Whether its models tell the standard deviation of a prediction.
    """

    title: str
    summary: str
    objective: str
    gradient_checks: tuple[str, ...]
    hyperparameters: tuple[str, ...]
    defaults: dict[str, Any]
    learns: str = "rating"
    by_feature: bool = False
    is_sampler: bool = False
    uses_unrated: bool = False
    is_updatable: bool = False
    knows_uncertainty: bool = False

    @property
    def epoch(self) -> str:
        """Name of an epoch."""
        if self.by_feature:
            return "feature"
        return "sweep" if self.is_sampler else "epoch"


_ANY = (
    "algorithm",
    "n_factors",
    "n_epochs",
    "validation_fraction",
    "patience",
    "refit",
    "ensemble",
    "choice",
    "seed",
    "n_threads",
)
_DESCENT = (
    *_ANY,
    "biases",
    "learning_rate",
    "bias_learning_rate",
    "learning_rate_decay",
    "schedule",
    "plateau_epochs",
    "cycle_epochs",
    "init_std",
    "reg",
    "bias_reg",
    "days",
)
_SAMPLING = (*_ANY, "days")
_SAMPLING_DEFAULTS = {
    "n_epochs": 540,
    "validation_fraction": 0.0,
    "patience": 100,
    "days": True,
}

ALGORITHMS = {
    "sgd": Algorithm(
        title="Funk SVD",
        summary="Funk SVD, by stochastic gradient descent",
        objective="funksvd.objectives.plain",
        gradient_checks=("biased", "unbiased"),
        hyperparameters=(
            *_DESCENT,
            "loss",
            "huber_delta",
            "nonnegative",
            "optimizer",
            "batch_size",
            "ensemble_snapshots",
            "n_groups",
        ),
        defaults={
            "optimizer": "sgd",
            "n_factors": 64,
            "n_epochs": 100,
            "learning_rate": 0.03,
            "learning_rate_decay": 0.85,
            "validation_fraction": 0.05,
            "patience": 5,
            "init_std": 0.02,
            "days": True,
        },
        is_updatable=True,
    ),
    "incremental": Algorithm(
        title="Funk SVD, a feature at a time",
        summary="the same, one feature (factor) after the other, as Funk did it (an epoch is then "
        "a feature)",
        objective="funksvd.objectives.incremental",
        gradient_checks=("incremental",),
        hyperparameters=_DESCENT,
        defaults={
            "n_factors": 64,
            "n_epochs": 100,
            "learning_rate": 0.03,
            "learning_rate_decay": 1.0,
            "patience": 5,
            "validation_fraction": 0.05,
            "init_std": 0.1,
            "days": True,
        },
        by_feature=True,
    ),
    "svd++": Algorithm(
        title="SVD++",
        summary="Funk SVD that also uses which items a user rated, and who rated an item",
        objective="funksvd.objectives.svdpp",
        gradient_checks=("svd++",),
        hyperparameters=(*_DESCENT, "ensemble_snapshots"),
        defaults={
            "n_factors": 64,
            "n_epochs": 100,
            "learning_rate": 0.012,
            "learning_rate_decay": 0.8,
            "validation_fraction": 0.05,
            "patience": 5,
            "init_std": 0.02,
            "days": True,
        },
        uses_unrated=True,
        is_updatable=True,
    ),
    "bayes": Algorithm(
        title="Bayesian Funk SVD",
        summary="the mean of samples from the posterior distribution of Funk SVD: slower, more "
        "accurate",
        objective="funksvd.objectives.bayes",
        gradient_checks=("bayes",),
        hyperparameters=_SAMPLING,
        defaults=_SAMPLING_DEFAULTS,
        is_sampler=True,
        knows_uncertainty=True,
    ),
    "bayes++": Algorithm(
        title="Bayesian SVD++",
        summary="the same for SVD++: the most accurate",
        objective="funksvd.objectives.bayes",
        gradient_checks=("bayes",),
        hyperparameters=_SAMPLING,
        defaults=_SAMPLING_DEFAULTS,
        is_sampler=True,
        uses_unrated=True,
        knows_uncertainty=True,
    ),
    "ials": Algorithm(
        title="Choice model",
        summary="who comes to what, by weighted least squares over all pairs: for clicks and other "
        "data without ratings",
        objective="funksvd.objectives.ials",
        gradient_checks=("ials",),
        hyperparameters=(
            "algorithm",
            "n_factors",
            "unobserved_weight",
            "n_epochs",
            "reg",
            "validation_fraction",
            "patience",
            "refit",
            "seed",
            "n_threads",
        ),
        defaults={
            "n_factors": 256,
            "unobserved_weight": 0.4,
            "n_epochs": 10,
            "reg": 0.6,
            "validation_fraction": 0.0,
            "patience": 3,
        },
        learns="choice",
        is_updatable=True,
    ),
}
"""The algorithms by name."""
