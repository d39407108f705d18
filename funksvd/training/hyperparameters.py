"""What a person can choose about training, with the defaults and their limits."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.parallel import available_processors
from funksvd.training.algorithms import ALGORITHMS
from funksvd.training.optimizers import FULL_BATCH, OPTIMIZERS
from funksvd.training.schedules import SCHEDULES

LOSSES = {"squared": "RMSE", "absolute": "MAE", "huber": "Huber", "logistic": "log loss"}
"""The losses, and what the errors are called that are watched with them."""


@dataclass(eq=False)
class Hyperparameters:
    """Hyperparameters of a Funk SVD model.

    `learning_rate` and `reg` are stated for ratings of unit standard deviation and are converted
    to the ratings at hand (`scaled_rates`), so the same values serve stars and percentages. Where
    the default is None, the algorithm has one of its own (`ALGORITHMS`, `resolved`), unless it says
    otherwise.

    Parameters
    ----------
    algorithm : {"sgd", "incremental", "svd++", "bayes", "bayes++"}
        What is learned, and how: Funk's SVD by stochastic gradient descent; the same in Funk's own
        way, one feature (factor) after the other: then an epoch is a feature; SVD++, in which the
        items that a user has dealt with speak for the user too; or Funk's SVD or SVD++ by sampling
        from the distribution of the parameters given the ratings.
    loss : {"squared", "absolute", "huber", "logistic"}
        What an error costs, eqs. (9) to (12). The absolute and the Huber loss are for ratings of
        which some are far off; the logistic one is for ratings that are 0 or 1: what is predicted
        is then the probability of 1.
    huber_delta : float
        Up to which size errors are squared by the Huber loss, for ratings of unit standard
        deviation.
    nonnegative : bool
        Whether factors are held at 0 or above by projected steps, so that each adds to what is
        predicted. Biases may be negative; without them, this is non-negative matrix factorization.
        With biases, an `init_std` of 0.1 does a little better than the default.
    n_factors : int, optional
        Length k of the factor vectors p_u and q_i. With "incremental", the largest number of
        features.
    n_epochs : int, optional
        Largest number of passes over the training ratings. With "incremental", for each feature.
    optimizer : {"sgd", "momentum", "adagrad", "adagrad-element", "rmsprop", "adam"}, optional
        How rows move by their gradients: along them; with momentum 0.9; or with a step length that
        goes by earlier gradients of a row ("adagrad") or of each of its numbers. Each has its own
        default of learning rate, decay and batch size.
    batch_size : int or "full", optional
        Ratings whose gradients are added up for one step: at most so many, or all.
    learning_rate : float, optional
        Step size of the first epoch. With plain steps and momentum it is that of the factors of a
        row with 2,000 ratings; a row with n has (2000 / n)**(1/4) times as much.
    bias_learning_rate : float, optional
        Step size of the biases; by default the same as `learning_rate`.
    learning_rate_decay : float, optional
        What the step sizes are multiplied by after the first epoch, for the schedules
        "exponential" (after each) and "inverse-time" (ever less: 1/t).
    schedule : {"exponential", "constant", "inverse-time", "plateau", "cyclic", "cyclic-annealed"}
        How the step sizes change: by `learning_rate_decay`; not at all; to a tenth after
        `plateau_epochs` without a notably lower error; or in cycles, from a tenth up to the whole
        and down again within `cycle_epochs`, where "cyclic-annealed" halves the height of each.
    plateau_epochs : int
        For the schedule "plateau".
    cycle_epochs : int
        Length of a cycle, for the schedules "cyclic" and "cyclic-annealed".
    reg : float, optional
        lambda of eq. (3): L2 regularization of the factors. By default it is chosen by the number
        of ratings of users and items, about 0.07 for a hundred thousand ratings and 0.03 for a
        hundred million; less where validation shows that the signal is clear (`search_best`).
    bias_reg : float
        lambda_b of eq. (3): L2 regularization of the biases.
    biases : bool
        Whether to learn biases. Without them mu is 0 too: the original Funk SVD.
    init_std : float, optional
        Standard deviation of the initial factors, for ratings of unit standard deviation.
    validation_fraction : float, optional
        Part of the ratings given to `fit` that is set aside to decide when to stop, unless `fit`
        is given a validation part; 0 trains for all `n_epochs`.
    patience : int, optional
        Epochs without a notably lower validation error (by 0.01 %) after which training stops.
        It is the RMSE for the squared loss; the mean absolute error for the absolute one; for the
        Huber loss the root of twice the mean cost, which is the RMSE if no error is larger than
        delta; the mean cost for the logistic one.
    refit : bool
        Whether to train once more, on training and validation ratings together, for the number
        of epochs that did best.
    ensemble : int
        Number of models, from as many seeds, whose mean is the model: one with `ensemble` times
        `n_factors` factors.
    ensemble_snapshots : bool
        Whether the models of the ensemble are instead those that one run has come to at the end of
        each of so many cycles of a cyclic schedule. It then runs for `ensemble` times
        `cycle_epochs` epochs, and nothing stops it earlier.
    seed : int
        Of every random choice. The same ratings, hyperparameters and seed give the same bits.
    n_threads : int, optional
        Threads to use; by default all processors this process may run on. Does not change the
        result.
    """

    algorithm: str = "sgd"
    loss: str = "squared"
    huber_delta: float = 1.0
    nonnegative: bool = False
    n_factors: int | None = None
    n_epochs: int | None = None
    optimizer: str | None = None
    batch_size: int | str | None = None
    learning_rate: float | None = None
    bias_learning_rate: float | None = None
    learning_rate_decay: float | None = None
    schedule: str = "exponential"
    plateau_epochs: int = 2
    cycle_epochs: int = 4
    reg: float | None = None
    bias_reg: float = 0.05
    biases: bool = True
    init_std: float | None = None
    validation_fraction: float | None = None
    patience: int | None = None
    refit: bool = True
    ensemble: int = 1
    ensemble_snapshots: bool = False
    seed: int = 0
    n_threads: int | None = None

    @classmethod
    def names(cls) -> list[str]:
        """Names of all hyperparameters."""
        return [field.name for field in fields(Hyperparameters)]

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Hyperparameters:
        """Hyperparameters by name; raises `FunkSVDError` for a name that is none."""
        return Hyperparameters().set_params(**plain)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Hyperparameters by name, as scikit-learn asks for them."""
        return {field.name: getattr(self, field.name) for field in fields(Hyperparameters)}

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name.

        Raises
        ------
        FunkSVDError
            If a name is not one of a hyperparameter.
        """
        unknown = params.keys() - self.get_params().keys()
        if unknown:
            raise FunkSVDError(
                f"{type(self).__name__} has no hyperparameter {min(unknown)!r}; it has "
                f"{', '.join(self.get_params())}"
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def check(self) -> None:
        """Raise `FunkSVDError`, naming the first hyperparameter that is out of its range."""
        _check_choice("algorithm", self.algorithm, ALGORITHMS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        _check_choice("loss", self.loss, LOSSES)
        limits = {
            "n_factors": 1,
            "n_epochs": 1,
            "plateau_epochs": 1,
            "cycle_epochs": 1,
            "patience": 1,
            "ensemble": 1,
            "seed": 0,
            "n_threads": 1,
        }
        for name, low in limits.items():
            value = getattr(self, name)
            if value is None and name in MAY_BE_NONE:
                continue
            if not _is_whole(value) or value < low:
                raise FunkSVDError(f"{name} must be a whole number of at least {low}, not {value}")
        for name in ("learning_rate", "bias_learning_rate", "learning_rate_decay", "huber_delta"):
            value = getattr(self, name)
            if value is None:
                continue
            if not (_is_finite(value) and value > 0):
                raise FunkSVDError(f"{name} must be a number greater than 0, not {value!r}")
        for name in ("reg", "bias_reg", "init_std"):
            value = getattr(self, name)
            if value is None and name in MAY_BE_NONE:
                continue
            if not (_is_finite(value) and value >= 0):
                raise FunkSVDError(f"{name} must be a number of at least 0, not {value!r}")
        for name in ("biases", "refit", "ensemble_snapshots", "nonnegative"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise FunkSVDError(f"{name} must be True or False, not {getattr(self, name)!r}")
        self._check_options()
        fraction = self.validation_fraction
        if fraction is not None and not (_is_finite(fraction) and 0 <= fraction < 1):
            raise FunkSVDError(
                f"validation_fraction must be at least 0 and less than 1, not {fraction!r}"
            )
        self._check_sampling()
        self._check_optimizer()
        self._check_schedule()

    def _check_sampling(self) -> None:
        """Raise `FunkSVDError` where something is given that means nothing to a sampler."""
        without = ALGORITHMS[self.algorithm].without
        for name in without:
            if getattr(self, name) is not None:
                raise FunkSVDError(f"algorithm {self.algorithm!r} has no {name}; leave it out")
        if without and self.schedule != "exponential":
            raise FunkSVDError(f"algorithm {self.algorithm!r} has no schedule; leave it out")
        if without and not self.biases:
            raise FunkSVDError(f"algorithm {self.algorithm!r} always learns biases")

    def _check_optimizer(self) -> None:
        """Raise `FunkSVDError` if optimizer or batch size are unknown, or of no use."""
        if self.optimizer is not None:
            _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        size = self.batch_size
        if not (size is None or size == "full" or (_is_whole(size) and size >= 1)):
            raise FunkSVDError(
                f"batch_size must be a whole number of at least 1, or 'full', not {size!r}"
            )
        for name in ("optimizer", "batch_size"):
            if getattr(self, name) is not None and self.algorithm != "sgd":
                raise FunkSVDError(
                    f"{name} is for algorithm 'sgd' only, not for {self.algorithm!r}"
                )

    def _check_schedule(self) -> None:
        """Raise `FunkSVDError` where the schedule and other hyperparameters do not go together."""
        if self.schedule == "inverse-time" and (self.learning_rate_decay or 0) > 1:
            raise FunkSVDError(
                "with schedule 'inverse-time', learning_rate_decay must be at most 1, not "
                f"{self.learning_rate_decay!r}"
            )
        patience = self.resolved().patience
        if self.schedule == "plateau" and self.plateau_epochs >= patience:
            raise FunkSVDError(
                f"plateau_epochs ({self.plateau_epochs}) must be less than patience "
                f"({patience}), or training stops before the learning rate falls"
            )
        is_cyclic = self.schedule.startswith("cyclic")
        if self.ensemble_snapshots:
            if not is_cyclic:
                raise FunkSVDError(
                    "ensemble_snapshots are taken at the ends of cycles: choose schedule 'cyclic' "
                    f"or 'cyclic-annealed', not {self.schedule!r}"
                )
            n_epochs = self.ensemble * self.cycle_epochs
            if self.n_epochs not in (None, n_epochs):
                raise FunkSVDError(
                    f"with ensemble_snapshots, n_epochs is ensemble x cycle_epochs = {n_epochs}, "
                    f"not {self.n_epochs}; leave it out"
                )
        elif is_cyclic and self.cycle_epochs > patience:
            raise FunkSVDError(
                f"patience ({patience}) must be at least cycle_epochs ({self.cycle_epochs}): "
                "the error rises within a cycle, and training would stop there"
            )

    def _check_options(self) -> None:
        """Raise `FunkSVDError` if the algorithm cannot do what was chosen."""
        for algorithm in ALGORITHMS.values():
            for name in set(algorithm.options) - set(ALGORITHMS[self.algorithm].options):
                chosen = getattr(self, name)
                if chosen != getattr(Hyperparameters, name):
                    raise FunkSVDError(
                        f"{name} {chosen} is for the algorithm {algorithm.title}, not for "
                        f"{ALGORITHMS[self.algorithm].title}"
                    )
        plain = (self.optimizer in (None, "sgd"), self.batch_size in (None, 1))
        for name in ("loss", "nonnegative"):
            if getattr(self, name) != getattr(Hyperparameters, name) and not all(plain):
                raise FunkSVDError(
                    f"{name} {getattr(self, name)} is for steps of single ratings: leave optimizer "
                    "and batch_size out"
                )

    def resolved(self) -> Hyperparameters:
        """The same, with the algorithm's own defaults in the place of what was not given."""
        defaults = dict(ALGORITHMS[self.algorithm].defaults)
        if optimizer := self.optimizer or defaults.get("optimizer"):
            defaults |= OPTIMIZERS[optimizer].defaults
            if self.batch_size == "full":
                defaults |= FULL_BATCH | OPTIMIZERS[optimizer].full_batch
        chosen = {field.name: getattr(self, field.name) for field in fields(Hyperparameters)}
        for name, value in chosen.items():
            chosen[name] = defaults.get(name) if value is None else value
        if self.ensemble_snapshots:
            chosen["n_epochs"] = self.ensemble * self.cycle_epochs
        return Hyperparameters(**chosen)

    def in_use(self, validated: bool = True) -> dict[str, Any]:
        """What the model was trained with, for people: without what makes no difference to it.

        Parameters
        ----------
        validated : bool
            Whether there was a validation part.

        Returns
        -------
        dict
            By name, as `resolved` has them. Only `reg` can be None: chosen by the data.
        """
        chosen = self.resolved()
        algorithm = ALGORITHMS[chosen.algorithm]
        others = {name for each in ALGORITHMS.values() for name in each.options}
        is_cyclic = chosen.schedule.startswith("cyclic")
        matters = {
            "n_threads": False,  # does not change the result
            "huber_delta": chosen.loss == "huber",
            "optimizer": chosen.algorithm == "sgd",
            "batch_size": chosen.algorithm == "sgd",
            "bias_learning_rate": chosen.biases and chosen.bias_learning_rate is not None,
            "learning_rate_decay": chosen.schedule in ("exponential", "inverse-time"),
            "schedule": not algorithm.is_sampler,
            "plateau_epochs": chosen.schedule == "plateau",
            "cycle_epochs": is_cyclic,
            "biases": not algorithm.is_sampler,  # always learned there
            "bias_reg": chosen.biases and not algorithm.is_sampler,
            "init_std": not algorithm.is_sampler,
            "patience": validated and not chosen.ensemble_snapshots,
            "refit": validated,
            "ensemble_snapshots": is_cyclic,
        }
        unused = {name for name, does in matters.items() if not does}
        unused |= {*algorithm.without, *others.difference(algorithm.options)}
        return {name: value for name, value in chosen.get_params().items() if name not in unused}

    def epoch_limit(self) -> int:
        """How many epochs there are at most."""
        chosen = self.resolved()
        return chosen.n_factors if ALGORITHMS[self.algorithm].by_feature else chosen.n_epochs

    def thread_count(self) -> int:
        """Number of threads to use."""
        return self.n_threads or available_processors()


MAY_BE_NONE = {field.name for field in fields(Hyperparameters) if field.default is None}


def _check_choice(name: str, value: object, choices: Collection[str]) -> None:
    if value not in choices:
        raise FunkSVDError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral)


def _is_finite(value: object) -> bool:
    return isinstance(value, numbers.Real) and math.isfinite(value)
