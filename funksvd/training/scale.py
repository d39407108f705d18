"""Size of the ratings, by which hyperparameters are turned into steps in rating units."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.hyperparameters import Hyperparameters
from funksvd.kernels import sum_squares, sum_values
from funksvd.ratings.ratings import differ
from funksvd.training.plan import Block, BlockPlan

REFERENCE_COUNT = 2000
"""Ratings of a row whose factors move by the learning rate itself."""
REG_DIGITS = 6
"""Significant digits of the regularization that is chosen by the data."""
USUAL_SHARE = 0.65
"""Share of the ratings' variance that is left unexplained where `choose_reg` is right."""
USUAL_GAIN = 0.13
"""Share that is explained after the first epoch there, at most: it learns mostly biases."""


class Scale(NamedTuple):
    """Size of the training ratings in their own units, or of their scores where those differ.

    Parameters
    ----------
    mean : float
    center : float
        mu: the mean, or 0 for a model without biases.
    spread : float
        Standard deviation.
    magnitude : float
        Root mean square of the ratings less `center`.
    low, high : float
        Smallest and largest rating.
    slope : float
        How much the loss's residual grows with an error: 1 if it is the error itself.
    """

    mean: float
    center: float
    spread: float
    magnitude: float
    low: float
    high: float
    slope: float = 1.0

    @classmethod
    def of(cls, of_each: Callable[[Callable[[np.ndarray], Any]], list[Any]], biases: bool) -> Scale:
        """Of ratings in parts, wherever they are.

        Parameters
        ----------
        of_each : callable
            Calls a function, which can be pickled, with each part, none of which is empty, and
            returns the results. Sums are in float64, and each part is one.
        biases : bool
            Whether the model has biases.
        """
        sizes, sums, lows, highs = zip(*of_each(_facts), strict=True)
        n = sum(sizes)
        mean = math.fsum(sums) / n
        spread = math.sqrt(math.fsum(of_each(partial(_deviations, mean=mean))) / n)
        center = float(np.float32(mean)) if biases else 0.0
        magnitude = spread if biases else math.sqrt(mean * mean + spread * spread)
        return cls(mean, center, spread, magnitude, min(lows), max(highs))

    def normalized(self) -> Scale:
        """Of the same ratings, less `center`, as multiples of their standard deviation."""
        mean, low, high = (
            (number - self.center) / self.spread for number in (self.mean, self.low, self.high)
        )
        return Scale(mean, 0.0, 1.0, self.magnitude / self.spread, low, high)


def _facts(part: np.ndarray) -> tuple[int, float, float, float]:
    return part.size, sum_values(part), float(part.min()), float(part.max())


def _deviations(part: np.ndarray, mean: float) -> float:
    return sum_squares(part, mean)


class Rates(NamedTuple):
    """Learning rates and regularization in the units of the ratings, as `sgd_block` takes them.

    Parameters
    ----------
    users, items : ndarray of shape (n_users,) and (n_items,), float32
        Learning rates of each row's factors, in the plan's numbering.
    biases : float32
        Learning rate of the biases.
    reg, bias_reg : float32
        lambda and lambda_b.
    """

    users: np.ndarray
    items: np.ndarray
    biases: np.float32
    reg: np.float32
    bias_reg: np.float32

    def of(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.float32, np.float32, np.float32]:
        """Those of a block's rows, in a plain tuple, as kernels take them."""
        users, items = self.users[block.users], self.items[block.items]
        return users, items, self.biases, self.reg, self.bias_reg


def row_shares(plan: BlockPlan) -> tuple[np.ndarray, np.ndarray]:
    """Learning rates of each user's and each item's factors, as multiples of the one that is given.

    (2000 / n)**(1/4) for a row with n ratings: a row that is seldom seen must go further each
    time, and one that is often seen would else jump about. Adagrad's accumulated squares come to
    n**(-1/2); the fourth root did better than that and than equal rates, in final RMSE and in half
    as many epochs, on held-out parts of MovieLens 100K and latest-small and on synthetic data of 1
    to 100 million ratings.

    Returns
    -------
    (users, items) : ndarray of shape (n_users,) and (n_items,), float64
        In the plan's numbering.

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", 2011.
    """
    users, items = (
        np.sqrt(np.sqrt(REFERENCE_COUNT / np.maximum(rows.counts[0][rows.order], 1)))
        for rows in (plan.users, plan.items)
    )
    return users, items


def factor_rate(learning_rate: float, scale: Scale) -> float:
    """The factors' learning rate in the units of the ratings; `scaled_rates` tells why."""
    return learning_rate / (scale.slope * max(scale.spread, scale.magnitude / 10))


def scaled_rates(
    hyperparameters: Hyperparameters,
    learning_rate: float,
    reg: float,
    scale: Scale,
    row_shares: tuple[np.ndarray, np.ndarray],
) -> Rates:
    """From what a person chooses to what each row gets.

    Ratings that are c times as large have biases c times and factors sqrt(c) times as large. For
    the descent to follow the same path, the factors' learning rate must be divided by c and their
    lambda multiplied by c (put c r, c b, sqrt(c) p and sqrt(c) q into eqs. 4 to 8); the biases'
    stay as they are. A loss whose residual is h times as large for the same error needs all
    learning rates divided by h and both lambdas multiplied by it.

    The biases' learning rate keeps its ratio to the factors'.

    Without biases the factors carry the mean as well, and rows as long as that bear smaller steps
    only: c is then at least a tenth of the ratings' magnitude.

    `row_shares` are those of the function of that name.
    """
    rate = factor_rate(learning_rate, scale)
    users, items = ((rate * shares).astype(np.float32) for shares in row_shares)
    if (bias_rate := hyperparameters.bias_learning_rate) is None:
        bias_rate = learning_rate
    else:
        assert hyperparameters.learning_rate is not None
        bias_rate *= learning_rate / hyperparameters.learning_rate
    return Rates(
        users,
        items,
        np.float32(bias_rate / scale.slope if hyperparameters.biases else 0.0),
        np.float32(reg * scale.spread * scale.slope),
        np.float32(hyperparameters.bias_reg * scale.slope),
    )


def choose_reg(plan: BlockPlan) -> float:
    """Regularization of the factors for data like these: the less, the more is known of each row.

    0.18 x**(-1/5), where x is the number of ratings of the user of an average rating, and of its
    item, in geometric mean. This comes within 0.1 % of the lowest validation RMSE of any constant
    on MovieLens 100K (0.067) and latest-small (0.065), and on synthetic data of 1 to 100 million
    ratings (0.047 to 0.032).

    It is rounded: the last bit of a power depends on the C library.
    """
    counts = [rows.counts[0].astype(np.int64) for rows in (plan.users, plan.items)]
    users, items = (int(np.square(each).sum()) / int(each.sum()) for each in counts)
    return float(f"{0.18 * (users * items) ** -0.1:.{REG_DIGITS}g}")


def reg_factor(unexplained: float, gain: float) -> float:
    """Factor by which to change `choose_reg`, once it is known how clear the signal is.

    If noise has variance sigma^2, and factors have sigma_p^2, a row with n ratings is regularized
    by n lambda = sigma^2 / sigma_p^2. How lambda depends on n, `choose_reg` knows. Where noise has
    the share s of the ratings' variance, sigma^2 goes as s, and sigma_p^4, the variance of a
    product p_uf q_if, as the share that the factors explain: so lambda goes as s over the square
    root of that share. It is judged by all that is explained, 1 - s, and by the gain, since biases
    can explain much or nothing: whichever is larger, compared with what is usual.

    Nothing is changed upwards: where the signal is weak, `choose_reg` did as well in trials.

    Parameters
    ----------
    unexplained : float
        Share of the variance that is left in ratings that were not learned from.
    gain : float
        Share that was left in them after the first epoch, and is explained now.

    Returns
    -------
    float
        From 0 to 1.

    References
    ----------
    R. Salakhutdinov, A. Mnih, "Probabilistic Matrix Factorization", 2007, eq. 4: n lambda.
    """
    signal = max(1.0, (1 - unexplained) / (1 - USUAL_SHARE), gain / USUAL_GAIN)
    return min(1.0, unexplained / USUAL_SHARE / math.sqrt(signal))


def check_learnable(values: np.ndarray, source: str, held_back: np.ndarray | None = None) -> None:
    """Make sure that something can be learned from ratings.

    Parameters
    ----------
    values : ndarray of shape (n,), float32
    source : str
        Where they came from.
    held_back : ndarray of shape (n,), bool, optional
        Those that are not learned from.

    Raises
    ------
    RatingsError
        If there are none, or all have the same value.
    """
    if differ(values, held_back):
        return
    learned = values if held_back is None else values[~held_back]
    if not learned.size:
        raise RatingsError(f"{source}: there are no ratings to learn from")
    n, first = learned.size, learned[0]
    are = f"all {n:,} ratings are" if n > 1 else "the only rating to learn from is"
    raise RatingsError(
        f"{source}: {are} {first:g}, and from a constant "
        f"nothing can be learned. Is another column the rating? Name it with "
        f"{argument('rating_col')} "
        "(ratings are kept as 32-bit floats, to 7 digits)"
    )
