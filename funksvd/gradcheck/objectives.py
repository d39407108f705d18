"""The objectives that are checked, and how one step of each one's kernel is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from funksvd.kernels import (
    Absolute,
    Huber,
    Logistic,
    add_rows,
    draw_rows,
    feature_block,
    hand_back,
    sgd_block,
    svdpp_block,
)
from funksvd.learned.fold_in import RatingsByRow
from funksvd.objectives import bayes, incremental, svdpp
from funksvd.objectives import plain as objective
from funksvd.objectives.losses import ABSOLUTE, LOGISTIC, Loss, huber
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.training.learners.bayes import features_of

if TYPE_CHECKING:
    from funksvd.gradcheck.problems import Problem

REGULARIZATION = Regularization(factors=0.06, biases=0.05)
DELTA = 1.0
"""Of the Huber loss that is checked."""


def descend_plain(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """One step of a kernel with the signature of `sgd_block`."""
    checked.kernel(*_rating(problem, at), *arrays, _rates(checked, arrays))


def descend_svdpp(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """One step of SVD++: the user's sum is formed, moved, and handed back."""
    *biases, p, q, y = arrays
    user = problem.user_index[at]
    of_user = problem.user_index == user
    pairs = (problem.user_index[of_user], problem.item_index[of_user])
    weight = np.float32(1 / np.sqrt(of_user.sum()))
    sums = np.zeros_like(p)
    add_rows(*pairs, y, sums)
    sums *= weight
    descents = -sums
    checked.kernel(*_rating(problem, at), *biases, p, q, sums, _rates(checked, arrays))
    descents = (descents + sums) * weight
    regs = np.full(len(p), checked.regularization.implicit / of_user.sum(), np.float32)
    hand_back(*pairs, descents, regs, np.ones(len(y), np.float32), y)


def energy(parameters: Parameters, *data: Any) -> float:
    """`bayes.energy_loss` with some noise and some priors."""
    return bayes.energy_loss(parameters, *data[:3], _given(parameters))


def energy_gradients(parameters: Parameters, *data: Any) -> Parameters:
    """`bayes.energy_gradients`, likewise."""
    return bayes.energy_gradients(parameters, *data[:3], _given(parameters))


def _given(parameters: Parameters) -> bayes.Given:
    """Another number for each row and each column."""
    n_users, n_factors = np.shape(parameters.user_factors)
    n_items, k = len(parameters.item_biases), n_factors + 1
    noise = np.linspace(0.5, 2, n_users), np.linspace(3, 1, n_items)
    means = (np.linspace(-1, 1, n * k).reshape(n, k) for n in (n_users, n_items))
    return bayes.Given(*noise, *means, np.linspace(1, 5, k), np.linspace(3, 2, k))


def sample_rows(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """What draws tell of the gradient, of all ratings at once.

    With zeros for random numbers the kernel's draw is the mean m of a row's distribution, with the
    f-th unit vector a step d_f from it, and A = (sum of d_f d_f^T)^-1 is the precision. The energy
    is quadratic in the row w: its gradient is A (w - m).
    """
    if at:
        return
    mean, *biases = problem.parameters[:3]
    rows = [np.column_stack(pair) for pair in zip(problem.parameters[3:], biases, strict=True)]
    given = _given(problem.parameters)
    values = (problem.values - mean).astype(np.float32)
    index = problem.user_index, problem.item_index
    k = rows[0].shape[1]
    for mine, other in ((0, 1), (1, 0)):
        n = len(rows[mine])
        ratings = tuple(RatingsByRow.of(index[mine], index[other], values, n))
        scales = np.sqrt(given[other]).astype(np.float32)
        prior = (given[4 + mine], given[2 + mine])
        draws = []
        for normals in np.vstack([np.zeros(k), np.eye(k)]):
            drawn = np.empty((n, k))
            known = (features_of(rows[other], scales), scales, given[mine], prior)
            checked.kernel((0, n), ratings, *known, np.tile(normals, (n, 1)), drawn, np.empty(n))
            draws.append(drawn)
        steps = np.stack(draws[1:], axis=-1) - draws[0][..., None]
        precisions = np.linalg.inv(steps @ steps.transpose(0, 2, 1))
        gradient = (precisions @ (rows[mine] - draws[0])[..., None])[..., 0]
        arrays[2 + mine][:, : k - 1] -= gradient[:, :-1]
        arrays[mine] -= gradient[:, -1]


def descend_features(
    checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]
) -> None:
    """One step of biases and of every feature, all from the same point."""
    *index, values, _ = _rating(problem, at)
    weights = [
        incremental.row_weights(np.bincount(rows, minlength=len(array))).astype(np.float32)
        for rows, array in zip(problem[:2], arrays[:2], strict=True)
    ]
    regs = tuple(map(np.float32, checked.regularization))
    last = problem.parameters.user_factors.shape[1] - 1
    for f in range(last + 1):
        residuals = incremental.residuals_without(problem.parameters, f, *index, values)
        feature = [factors[:, f].copy() for factors in arrays[2:]]
        rates = (np.float32(1), np.float32(f == last), *regs, *weights)
        checked.kernel(*index, residuals.astype(np.float32), *arrays[:2], *feature, rates)
        for factors, moved in zip(arrays[2:], feature, strict=True):
            factors[:, f] = moved


def _rating(problem: Problem, at: int) -> tuple:
    return (
        problem.user_index[at : at + 1],
        problem.item_index[at : at + 1],
        problem.values[at : at + 1].astype(np.float32),
        np.float32(problem.parameters.global_mean),
    )


def _rates(checked: Objective, arrays: list[np.ndarray]) -> tuple:
    """Learning rates of 1, and the regularization."""
    ones = (np.ones(len(rows), np.float32) for rows in arrays[:2])
    bias_rate = np.float32("user_biases" in checked.blocks)
    return (*ones, bias_rate, *map(np.float32, checked.regularization[:2]))


class Objective(NamedTuple):
    """A loss, its hand-derived gradient and the kernel that descends it.

    Parameters
    ----------
    name, title : str
        For programs and for people.
    loss : callable
        Parameters, user_index, item_index, values, regularization -> float.
    gradients : callable
        Of the same arguments -> Parameters.
    kernel : callable
        Compiled; what descends.
    blocks : tuple of str
        The parameters that are learned; the others are zero.
    regularization : tuple
        What `loss` takes last.
    descend : callable
        Has the kernel make one step on one rating of a problem, at learning rate 1: objective,
        problem, number of the rating, and the arrays of the parameters but for the mean, float32,
        factors as `padded_rows`, which it changes.
    parameters : type
        The named tuple that `loss` takes first.
    kinks : tuple of float
        Errors e_ui at which the loss, or its derivative, has a kink.
    is_binary : bool
        Whether ratings must be 0 or 1.
    """

    name: str
    title: str
    loss: Callable
    gradients: Callable
    kernel: Callable
    blocks: tuple[str, ...]
    regularization: tuple = REGULARIZATION
    descend: Callable = descend_plain
    parameters: type = Parameters
    kinks: tuple[float, ...] = ()
    is_binary: bool = False


OBJECTIVES: dict[str, Objective] = {}


def register(objective: Objective) -> None:
    """Have an objective checked by `funksvd gradcheck` and by the tests."""
    OBJECTIVES[objective.name] = objective


register(
    Objective(
        "biased",
        "Funk SVD with biases",
        objective.loss,
        objective.gradients,
        sgd_block,
        ("user_biases", "item_biases", "user_factors", "item_factors"),
    )
)
register(
    Objective(
        "unbiased",
        "Funk SVD without biases",
        objective.loss,
        objective.gradients,
        sgd_block,
        ("user_factors", "item_factors"),
    )
)
register(
    Objective(
        "svd++",
        "SVD++",
        svdpp.loss,
        svdpp.gradients,
        svdpp_block,
        svdpp.SVDPPParameters._fields[1:],
        svdpp.SVDPPRegularization(factors=0.06, biases=0.05, implicit=0.3),
        descend_svdpp,
        svdpp.SVDPPParameters,
    )
)
register(
    Objective(
        "incremental",
        "Funk SVD, a feature at a time",
        incremental.loss,
        incremental.gradients,
        feature_block,
        Parameters._fields[1:],
        descend=descend_features,
    )
)


def _register_loss(title: str, loss: Loss, for_kernel: NamedTuple, **facts: Any) -> None:
    register(
        Objective(
            title,
            f"Funk SVD, {title} loss",
            partial(objective.loss, rating_loss=loss),
            partial(objective.gradients, rating_loss=loss),
            partial(sgd_block, loss=for_kernel),
            Parameters._fields[1:],
            **facts,
        )
    )


_register_loss("absolute", ABSOLUTE, Absolute(), kinks=(0.0,))
_register_loss("Huber", huber(DELTA), Huber(np.float32(DELTA)), kinks=(-DELTA, DELTA))
_register_loss("logistic", LOGISTIC, Logistic(), is_binary=True)
register(
    Objective(
        "bayes",
        "Bayesian Funk SVD: energy of the rows",
        energy,
        energy_gradients,
        draw_rows,
        Parameters._fields[1:],
        descend=sample_rows,
    )
)
