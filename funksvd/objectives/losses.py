"""Losses, eqs. (9) to (12) of `objectives.plain`: each is one entry, its cost above its residual.

The same formulas for one rating, compiled, are in `funksvd.kernels.cpu.losses`, under the same
names. NumPy is loaded when a formula is first used, since names and titles are also needed to print
the help of a command.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Loss(ABC):
    """The cost of a rating by its score, and how hard the rating pulls on the score.

    The fields of a subclass are its parameters: in multiples of the ratings' standard deviation,
    or, once `scaled`, in rating units.

    Attributes
    ----------
    name : str
        Name that is given to choose it.
    title : str
        Name for people, before the word "loss".
    summary : str
        What it is good for, in a few words.
    metric : str
        Name of the watched error, for programs: "rmse".
    metric_title : str
        The same, for people.
    equation : int
        Number of its formulas in `funksvd.objectives.plain`.
    hyperparameters : tuple of str
        Names of the hyperparameters that only this loss has: one for each field, in their order.
    is_half_square : bool
        Whether its cost begins as half a square. The watched error is then the root of twice the
        mean cost, otherwise the mean cost.
    is_rms : bool
        Whether the watched error is the root mean square of the errors, in rating units.
    is_binary : bool
        Whether ratings must be 0 or 1.
    is_linear : bool
        Whether scores are predicted ratings; otherwise they are log-odds of a 1.
    score_unit : str
        Unit of scores, for people.
    has_closed_form : bool
        Whether new users and items are folded in, and explained, by the ridge problem of the
        squared loss.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    metric: ClassVar[str]
    metric_title: ClassVar[str]
    equation: ClassVar[int]
    hyperparameters: ClassVar[tuple[str, ...]] = ()
    is_half_square: ClassVar[bool] = False
    is_rms: ClassVar[bool] = False
    is_binary: ClassVar[bool] = False
    is_linear: ClassVar[bool] = True
    score_unit: ClassVar[str] = "rating units"
    has_closed_form: ClassVar[bool] = True

    @abstractmethod
    def cost(self, values: Array, scores: Array) -> Array:
        """The cost l.

        Parameters
        ----------
        values, scores : ndarray of the same shape
            Ratings r, and what the model makes of them, s.

        Returns
        -------
        ndarray of that shape
        """

    @abstractmethod
    def residual(self, values: Array, scores: Array) -> Array:
        """The residual g = -dl/ds, of the same arguments."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Errors at which the cost or its derivative has a kink."""
        return ()

    @property
    def parameters(self) -> tuple[float, ...]:
        """Values of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def with_parameters(self, chosen: Any) -> Self:
        """The loss with the parameters that hyperparameters give to it."""
        return type(self)(*(getattr(chosen, name) for name in self.hyperparameters))

    def scaled(self, spread: float) -> Self:
        """The loss in rating units, for ratings of this standard deviation."""
        return self

    def slope(self, spread: float) -> float:
        """How much the residual grows with an error, for ratings of this standard deviation.

        1 if the residual is the error itself. Learning rates and regularization are multiplied
        accordingly.
        """
        return 1.0

    def predictions(self, scores: Array) -> Array:
        """Predicted ratings, from scores.

        Parameters
        ----------
        scores : ndarray, float32
            Overwritten.

        Returns
        -------
        ndarray
            The same array.
        """
        return scores


class Squared(Loss):
    """Eq. (9)."""

    name = "squared"
    title = "squared"
    summary = "half the square of the error"
    metric = "rmse"
    metric_title = "RMSE"
    equation = 9
    is_half_square = True
    is_rms = True

    def cost(self, values: Array, scores: Array) -> Array:
        """1/2 e^2."""
        return 0.5 * (values - scores) ** 2

    def residual(self, values: Array, scores: Array) -> Array:
        """The error e = r - s."""
        return values - scores


class Absolute(Loss):
    """Eq. (10)."""

    name = "absolute"
    title = "absolute"
    summary = "the size of the error, for ratings of which some are far off"
    metric = "mae"
    metric_title = "MAE"
    equation = 10

    def cost(self, values: Array, scores: Array) -> Array:
        """|e|."""
        import numpy as np

        return np.abs(values - scores)

    def residual(self, values: Array, scores: Array) -> Array:
        """Sign of e."""
        import numpy as np

        return np.sign(values - scores)

    @property
    def kinks(self) -> tuple[float, ...]:
        """At the error 0."""
        return (0.0,)

    def slope(self, spread: float) -> float:
        """The residual is 1 for an error of any size, also for one as large as the spread."""
        return 1 / spread


@dataclass(frozen=True)
class Huber(Loss):
    """Eq. (11).

    Parameters
    ----------
    delta : float
        Size of error up to which the cost is half its square.
    """

    delta: float = 1.0

    name = "huber"
    title = "Huber"
    summary = (
        "squared for errors up to `huber_delta`, absolute beyond, for ratings of which some "
        "are far off"
    )
    metric = "huber"
    metric_title = "Huber"
    equation = 11
    hyperparameters = ("huber_delta",)
    is_half_square = True

    def cost(self, values: Array, scores: Array) -> Array:
        """1/2 e^2 up to delta, a straight line from there."""
        import numpy as np

        sizes = np.abs(values - scores)
        bounded = np.minimum(sizes, self.delta)
        return bounded * (sizes - 0.5 * bounded)

    def residual(self, values: Array, scores: Array) -> Array:
        """The error e, held within -delta and delta."""
        import numpy as np

        return np.clip(values - scores, -self.delta, self.delta)

    @property
    def kinks(self) -> tuple[float, ...]:
        """At delta."""
        return (-self.delta, self.delta)

    def scaled(self, spread: float) -> Huber:
        """Delta in rating units, rounded to the float32 that kernels use."""
        import numpy as np

        return Huber(float(np.float32(self.delta * spread)))

    def slope(self, spread: float) -> float:
        """1 for a large delta, as with squares; delta for a small one, as with sizes."""
        return math.tanh(self.delta)


class Logistic(Loss):
    """Eq. (12)."""

    name = "logistic"
    title = "logistic"
    summary = "for ratings that are 0 or 1: what is predicted is the probability of 1"
    metric = "log_loss"
    metric_title = "log loss"
    equation = 12
    is_binary = True
    is_linear = False
    score_unit = "log-odds"
    has_closed_form = False

    def cost(self, values: Array, scores: Array) -> Array:
        """log(1 + exp s) - r s."""
        import numpy as np

        return np.logaddexp(0.0, scores) - values * scores

    def residual(self, values: Array, scores: Array) -> Array:
        """R - 1 / (1 + exp(-s))."""
        import numpy as np

        return values - np.exp(-np.logaddexp(0.0, -scores))

    def slope(self, spread: float) -> float:
        """0.4, of scores whose unit is that of log-odds.

        It comes within about 1 % of the lowest validation log loss of any on MovieLens 100K and
        latest-small, with ratings of at least 1.5, 4 or 5 as ones.
        """
        return 0.4

    def predictions(self, scores: Array) -> Array:
        """Probabilities of 1."""
        from funksvd.kernels import turn_into_probabilities

        turn_into_probabilities(scores)
        return scores


SQUARED = Squared()
"""The loss by default."""
LOSSES: dict[str, Loss] = {loss.name: loss for loss in (SQUARED, Absolute(), Huber(), Logistic())}
"""The losses by name."""
