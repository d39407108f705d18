"""`Hyperparameters`: each one is declared here, once."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from funksvd.errors import FunkSVDError
from funksvd.hyperparameters.algorithms import ALGORITHMS
from funksvd.hyperparameters.declaring import Declaration, check_names, declarations_of, declared
from funksvd.hyperparameters.optimizers import FULL_BATCH, OPTIMIZERS
from funksvd.hyperparameters.ranges import Choice, Flag, Fraction, Real, Whole, WholeOr
from funksvd.hyperparameters.rules import meaningful, violations
from funksvd.hyperparameters.schedules import SCHEDULES
from funksvd.hyperparameters.searching import DecayAround, LogAround, Multiples
from funksvd.objectives.losses import LOSSES

MODEL = "What is learned"
STEPS = "How steps are made"
REGULARIZATION = "Regularization"
STOPPING = "When to stop"
ENSEMBLES = "Ensembles"
REPRODUCIBILITY = "Reproducibility"


@dataclass(eq=False, kw_only=True)
class Hyperparameters:
    """Hyperparameters of a model.

    `learning_rate` and `reg` are stated for ratings of unit standard deviation and are converted
    to the ratings at hand, so that the same values serve stars and percentages. Where None is the
    default, the algorithm or the optimizer has one of its own (`resolved`), or the description
    says what it means.

    The parameters are described from their declarations, when this module is imported.
    """

    algorithm: str = declared(
        Choice(ALGORITHMS),
        "sgd",
        group=MODEL,
        help="What is learned, and how.",
        short="svd++ also uses who rated which items; bayes and bayes++ average posterior "
        "samples: slower, more accurate; incremental learns one factor after the other.",
    )
    n_factors: int | None = declared(
        Whole(1),
        None,
        group=MODEL,
        letter="-k",
        help="Length of the factor vectors. With algorithm `incremental`, the largest number of "
        "features. With `bayes` and `bayes++`, by default 14 for up to 50,000 ratings, 22 for up "
        "to 5 million and 30 for more.",
        short="Length of the factor vectors.",
        otherwise="chosen by the data",
        search=Multiples(16, up_to=128),
    )
    biases: bool = declared(
        Flag(),
        True,
        group=MODEL,
        help="Whether users and items have biases. Without them the mean is left out too: Funk's "
        "original SVD.",
        short="Learn biases, or leave out mean and biases: Funk's original.",
    )
    nonnegative: bool = declared(
        Flag(),
        False,
        group=MODEL,
        help="Whether factors are held at 0 or above by projected steps, so that each adds to a "
        "prediction. Biases may be negative; without them, this is non-negative matrix "
        "factorization. With biases, an `init_std` of 0.1 does a little better than the default.",
        short="Keep all factors at 0 or above.",
    )
    choice: bool = declared(
        Flag(),
        True,
        group=MODEL,
        help="Whether a choice model is learned from the ratings too, where that costs little "
        "beside the rest: it makes better lists (`recommend`), and changes no prediction.",
        short="Learn a choice model too, for better lists, where that costs little.",
    )
    days: bool | None = declared(
        Flag(),
        None,
        group=MODEL,
        help="Whether each user has a bias on each day (UTC) of which there are ratings, where "
        "ratings have timestamps. It counts in predictions for a time on such a day.",
        short="Learn a bias of each user on each day with ratings, where there are timestamps.",
    )
    unobserved_weight: float | None = declared(
        Real(above=0),
        None,
        group=MODEL,
        help="Weight of each pair of a user and an item as an argument that the user does not come "
        "to it, beside 1 for a pair that was observed.",
        short="Weight of a pair that was not observed, beside 1 for one that was.",
        search=LogAround(4),
    )
    loss: str = declared(
        Choice(LOSSES),
        "squared",
        group=MODEL,
        help="Cost of an error.",
        short="Cost of an error; absolute and huber are for ratings of which some are far off, "
        "logistic is for ratings 0 and 1.",
    )
    huber_delta: float = declared(
        Real(above=0),
        1.0,
        group=MODEL,
        help="Size of error up to which the Huber loss is squared, in standard deviations of the "
        "ratings.",
    )
    optimizer: str | None = declared(
        Choice(OPTIMIZERS),
        None,
        group=STEPS,
        help="How rows move by their gradients. Each optimizer has its own defaults.",
        short="How rows move by their gradients.",
    )
    batch_size: int | str | None = declared(
        WholeOr(1, "full"),
        None,
        group=STEPS,
        help="Number of ratings whose gradients are added up for one step, or `full` for all of "
        "them.",
        short="Ratings whose gradients are added up for one step.",
    )
    learning_rate: float | None = declared(
        Real(above=0),
        None,
        group=STEPS,
        help="Step size in the first epoch. With plain steps and momentum it is that of the "
        "factors of a row with 2,000 ratings; a row with n ratings takes (2000 / n)^(1/4) times "
        "as large steps.",
        short="Step size in the first epoch.",
        search=LogAround(4),
    )
    bias_learning_rate: float | None = declared(
        Real(above=0),
        None,
        group=STEPS,
        help="Step size of the biases in the first epoch.",
        otherwise="that of the factors",
    )
    learning_rate_decay: float | None = declared(
        Real(above=0),
        None,
        group=STEPS,
        help="Factor of the step size after the first epoch, and with schedule `exponential` "
        "after each.",
        short="Factor of the step size after an epoch.",
        search=DecayAround(),
    )
    schedule: str = declared(
        Choice(SCHEDULES),
        "exponential",
        group=STEPS,
        help="How the step size changes.",
    )
    plateau_epochs: int = declared(
        Whole(1),
        2,
        group=STEPS,
        help="Number of epochs without a notably lower error after which schedule `plateau` takes "
        "a tenth of the step size.",
        short="Epochs without a lower error before schedule plateau lowers the step size.",
    )
    cycle_epochs: int = declared(
        Whole(1),
        4,
        group=STEPS,
        help="Length of a cycle of a cyclic schedule, in epochs.",
    )
    init_std: float | None = declared(
        Real(at_least=0),
        None,
        group=STEPS,
        help="Standard deviation of the initial factors, for ratings of unit standard deviation.",
        short="Standard deviation of the initial factors.",
    )
    reg: float | None = declared(
        Real(at_least=0),
        None,
        group=REGULARIZATION,
        help="L2 regularization of the factors, lambda of eq. (3). By default it depends on the "
        "number of ratings of users and items: about 0.07 for a hundred thousand ratings and 0.03 "
        "for a hundred million. It is less where validation shows that the ratings have little "
        "noise. With algorithm `ials`, a multiple of the noise level of the pairs.",
        short="L2 regularization of the factors.",
        otherwise="chosen by the data",
        search=LogAround(4),
    )
    bias_reg: float = declared(
        Real(at_least=0),
        0.05,
        group=REGULARIZATION,
        help="L2 regularization of the biases, lambda_b of eq. (3).",
        short="L2 regularization of the biases.",
        search=LogAround(8),
    )
    n_epochs: int | None = declared(
        Whole(1),
        None,
        group=STOPPING,
        help="Largest number of passes over the training ratings. With algorithm `incremental`, "
        "for each feature.",
        short="Largest number of passes over the ratings.",
    )
    validation_fraction: float | None = declared(
        Fraction(),
        None,
        group=STOPPING,
        option="--valid-fraction",
        help="Share of the ratings that is held out to decide when to stop, unless `fit` is given "
        "a validation part. With 0, all `n_epochs` epochs are run.",
        short="Share of ratings held out for early stopping and for choosing --reg; with 0, all "
        "epochs are run.",
    )
    patience: int | None = declared(
        Whole(1),
        None,
        group=STOPPING,
        help="Number of epochs without a notably lower validation error (by 0.01 %) after which "
        "training stops.",
        short="Epochs without a lower validation error after which training stops.",
    )
    refit: bool = declared(
        Flag(),
        True,
        group=STOPPING,
        help="Whether to train once more, on training and validation ratings together, for the "
        "best number of epochs.",
        short="Train once more with the validation ratings, for the best number of epochs.",
    )
    ensemble: int = declared(
        Whole(1),
        1,
        group=ENSEMBLES,
        help="Number of models, from as many seeds, whose mean is the model: one with `ensemble` "
        "times `n_factors` factors.",
        short="Models whose mean is the model: slower, more accurate.",
    )
    ensemble_snapshots: bool = declared(
        Flag(),
        False,
        group=ENSEMBLES,
        help="Whether the models of the ensemble are instead the parameters of one run at the end "
        "of each of `ensemble` cycles of a cyclic schedule. It runs for `ensemble` times "
        "`cycle_epochs` epochs, and nothing stops it earlier.",
        short="Take the models of the ensemble from the ends of one run's cycles: much faster.",
    )
    seed: int = declared(
        Whole(0),
        0,
        group=REPRODUCIBILITY,
        help="Seed of every random choice. The same ratings, hyperparameters and seed give the "
        "same bits.",
        short="Seed of every random choice: the same seed gives the same model, bit for bit.",
    )
    n_groups: int | None = declared(
        Whole(1),
        None,
        group=REPRODUCIBILITY,
        help="Number of groups B that users, and items, are dealt to: B blocks of ratings are "
        "learned from at the same time. Another number gives another model, as good; the same "
        "number gives the same model on one machine and on several.",
        short="Groups of users and of items, whose blocks are learned from at the same time.",
        otherwise="4 to 64, by the number of ratings",
    )
    n_threads: int | None = declared(
        Whole(1),
        None,
        group=REPRODUCIBILITY,
        option="--threads",
        help="Number of threads. It does not change the result.",
        otherwise="all processors",
    )

    if not TYPE_CHECKING:

        def __new__(cls, **given: Any) -> Hyperparameters:
            """Suggest the right name for one that is unknown."""
            check_names(given, DECLARATIONS)
            return super().__new__(cls)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Hyperparameters:
        """Hyperparameters by name; those that are missing have their defaults.

        Raises
        ------
        UnknownHyperparameterError
            If a name is not that of a hyperparameter.
        """
        check_names(plain, DECLARATIONS)
        return Hyperparameters(**plain)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Hyperparameters by name, as scikit-learn asks for them."""
        return {name: getattr(self, name) for name in DECLARATIONS}

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name.

        Raises
        ------
        UnknownHyperparameterError
            If a name is not that of a hyperparameter.
        """
        check_names(params, DECLARATIONS)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def check(self, spell: Callable[[str], str] = str) -> None:
        """Make sure that each hyperparameter is in its range, and that all go together.

        Parameters
        ----------
        spell : callable
            How a message spells the name of a hyperparameter.

        Raises
        ------
        FunkSVDError
            For the first one that is not, or does not.
        """
        for name, declaration in DECLARATIONS.items():
            if problem := declaration.problem(getattr(self, name)):
                raise FunkSVDError(f"{spell(name)} {problem}")
        for violation in violations(self, DECLARATIONS, spell):
            raise FunkSVDError(violation)

    def resolved(self) -> ResolvedHyperparameters:
        """The same, with the defaults of algorithm and optimizer in place of None."""
        defaults = dict(ALGORITHMS[self.algorithm].defaults)
        if optimizer := self.optimizer or defaults.get("optimizer"):
            defaults |= OPTIMIZERS[optimizer].defaults
            if self.batch_size == "full":
                defaults |= FULL_BATCH | OPTIMIZERS[optimizer].full_batch
        chosen = self.get_params()
        for name, value in chosen.items():
            chosen[name] = defaults.get(name) if value is None else _plain(value)
        if self.ensemble_snapshots:
            chosen["n_epochs"] = self.ensemble * self.cycle_epochs
        return ResolvedHyperparameters(**chosen)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            """Suggest the right name for one that is unknown."""
            check_names([name], DECLARATIONS)
            super().__setattr__(name, value)

    def in_use(self, validated: bool = True) -> dict[str, Any]:
        """The hyperparameters that make a difference to the model, resolved.

        Parameters
        ----------
        validated : bool
            Whether there was a validation part.

        Returns
        -------
        dict
            By name. Only `reg`, `n_groups`, and `n_factors` of a sampler, can be None: chosen by
            the data.
        """
        chosen = self.resolved()
        names = meaningful(chosen, validated)
        return {name: value for name, value in chosen.get_params().items() if name in names}

    def epoch_limit(self) -> int:
        """Largest number of epochs."""
        chosen = self.resolved()
        return chosen.n_factors if ALGORITHMS[self.algorithm].by_feature else chosen.n_epochs

    def thread_count(self) -> int:
        """Number of threads to use."""
        from funksvd.parallel import available_processors

        return self.n_threads or available_processors()


def _plain(value: Any) -> Any:
    """A number of whatever library as Python's own, so that it can be compared and written."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    return value.item() if hasattr(value, "item") else value


class ResolvedHyperparameters(Hyperparameters):
    """Hyperparameters with the defaults of algorithm and optimizer in place of None.

    None are left only those that mean nothing to the algorithm, and those that mean something else
    by None.
    """

    if TYPE_CHECKING:  # defaults that every algorithm has
        n_factors: int
        n_epochs: int
        validation_fraction: float
        patience: int


DECLARATIONS: dict[str, Declaration] = declarations_of(Hyperparameters)
"""The hyperparameters by name, in the order of their groups."""
