"""The objectives that are checked, and one step of the kernel that descends each of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.hyperparameters import ALGORITHMS
from funksvd.kernels import (
    SCALAR_LOSSES,
    add_rows,
    diagonalize,
    draw_days,
    draw_rows,
    feature_block,
    hand_back,
    padded_rows,
    sgd_block,
    start_row,
    svdpp_block,
)
from funksvd.objectives import bayes, ials, incremental, plain, svdpp
from funksvd.objectives.losses import LOSSES, SQUARED, Loss
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.ratings import CompressedRows
from funksvd.training.sampling.side import Features, features_of

if TYPE_CHECKING:
    from funksvd.gradcheck.problems import Problem

AnyParameters = Any
"""A named tuple of the global mean and of arrays: `Parameters`, or what a model has instead."""

N_DAYS = N_FEATURES = 2
"""Days of each user, and features of the users, in objectives that have some."""
REGULARIZATION = Regularization(factors=0.06, biases=0.05)


def descend_plain(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """Make one step of a kernel with the signature of `sgd_block`."""
    checked.kernel(*_rating(problem, at), *arrays, _rates(checked, arrays))


def descend_svdpp(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """Make one step of SVD++: form the sums of user and item, move them, hand their descents back.

    They are handed back to the y_j of the user's items and to the x_v of the item's users.
    """
    *biases, p, q, y, x = arrays
    users, items = problem.user_index, problem.item_index
    sets = []
    for rows, others, members, factors in ((users, items, y, p), (items, users, x, q)):
        chosen = rows == rows[at]
        sums = np.zeros_like(factors)
        add_rows(rows[chosen], others[chosen], members, sums)
        sums *= np.float32(1 / np.sqrt(chosen.sum()))
        sets.append((rows[chosen], others[chosen], members, sums, sums.copy()))
    moving = [sums for *_, sums, _ in sets]
    checked.kernel(*_rating(problem, at), *biases, p, q, *moving, _rates(checked, arrays))
    for (rows, others, members, sums, before), reg in zip(
        sets, checked.regularization[2:], strict=True
    ):
        descents = (sums - before) * np.float32(1 / np.sqrt(len(rows)))
        regs = np.full(len(sums), reg / len(rows), np.float32)
        hand_back(rows, others, descents, regs, np.ones(len(members), np.float32), members)


def descend_features(
    checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]
) -> None:
    """Make one step of the biases and of every feature, all from the same point."""
    user_index, item_index, values, _ = _rating(problem, at)
    weights = [
        incremental.row_weights(np.bincount(rows, minlength=len(array))).astype(np.float32)
        for rows, array in zip(problem[:2], arrays[:2], strict=True)
    ]
    regs = tuple(map(np.float32, checked.regularization))
    last = problem.parameters.user_factors.shape[1] - 1
    for f in range(last + 1):
        residuals = incremental.residuals_without(
            problem.parameters, f, user_index, item_index, values
        ).astype(np.float32)
        feature = [factors[:, f].copy() for factors in arrays[2:]]
        rates = (np.float32(1), np.float32(f == last), *regs, *weights)
        checked.kernel(user_index, item_index, residuals, *arrays[:2], *feature, rates)
        for factors, moved in zip(arrays[2:], feature, strict=True):
            factors[:, f] = moved


def energy(
    parameters: bayes.BayesParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    _: Any,
) -> float:
    """`bayes.energy_loss` with the noise, the priors, features and days of `_given`."""
    given = _given(parameters, item_index)
    return bayes.energy_loss(parameters, user_index, item_index, values, given)


def energy_gradients(
    parameters: bayes.BayesParameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    _: Any,
) -> bayes.BayesParameters:
    """`bayes.energy_gradients` with the noise, the priors, features and days of `_given`."""
    given = _given(parameters, item_index)
    return bayes.energy_gradients(parameters, user_index, item_index, values, given)


def _given(parameters: bayes.BayesParameters, item_index: np.ndarray) -> bayes.Given:
    """Noise and priors that differ for each row and each column; ratings of two days."""
    n_users, n_factors = np.shape(parameters.user_factors)
    n_items, k = len(parameters.item_biases), n_factors + 1
    n_features, n_days = len(parameters.weight_biases), np.shape(parameters.user_days)[1]
    return bayes.Given(
        user_noise=np.linspace(0.5, 2, n_users),
        item_noise=np.linspace(3, 1, n_items),
        user_means=np.linspace(-1, 1, n_users * k).reshape(n_users, k),
        item_means=np.linspace(-1, 1, n_items * k).reshape(n_items, k),
        user_precisions=np.linspace(1, 5, k),
        item_precisions=np.linspace(3, 2, k),
        # exact in float32, as the kernels have them
        user_features=(np.arange(n_users * n_features).reshape(n_users, n_features) % 5 - 1) / 2,
        weight_precisions=np.linspace(2, 4, k),
        days=item_index % n_days,
        day_precision=1.5,
    )


def sample_all(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """Move everything by the gradient that the sampler's draws imply; only for rating number 0.

    With zeros for random numbers the kernel's draw is the mean m of a row's distribution, with the
    f-th unit vector a step d_f from it, and A = (sum of d_f d_f^T)^-1 is the precision. The energy
    is quadratic in the row w: its gradient is A (w - m). Days and weights move by the
    gradients that follow from their own means and precisions.
    """
    if at:
        return
    parameters = problem.parameters
    given = _given(parameters, problem.item_index)
    rows = [np.column_stack(pair) for pair in zip(parameters[3:5], parameters[1:3], strict=True)]
    of_days = parameters.user_days[problem.user_index, given.days]
    values = problem.values - parameters.global_mean
    index = problem.user_index, problem.item_index
    k = rows[0].shape[1]
    prior_means = (given.means_of_users(parameters), given.item_means)
    for mine, other in ((0, 1), (1, 0)):
        n = len(rows[mine])
        less_days = (values - of_days).astype(np.float32)
        ratings = tuple(CompressedRows.from_pairs(index[mine], index[other], n, less_days))
        features = features_of(rows[other], np.sqrt(given[other]).astype(np.float32))
        prior = (given[4 + mine], prior_means[mine])
        draws = []
        for normals in np.vstack([np.zeros(k), np.eye(k)]):
            drawn = np.empty((n, k))
            repeated = np.tile(normals.astype(np.float32), (n, 1))
            written = (drawn, np.empty((n, k), np.float32), np.empty(n))
            checked.kernel((0, n), ratings, features, given[mine], prior, repeated, *written)
            draws.append(drawn)
        steps = np.stack(draws[1:], axis=-1) - draws[0][..., None]
        precisions = np.linalg.inv(steps @ steps.transpose(0, 2, 1))
        gradient = (precisions @ (rows[mine] - draws[0])[..., None])[..., 0]
        arrays[2 + mine][:, : k - 1] -= gradient[:, :-1]
        arrays[mine] -= gradient[:, -1]
    arrays[4][:, :N_DAYS] -= _gradient_of_days(problem, given, rows, values)
    weights = _gradient_of_weights(parameters, given, rows[0])
    arrays[5] -= weights[:, -1]
    arrays[6][:, : k - 1] -= weights[:, :-1]


def _gradient_of_days(
    problem: Problem, given: bayes.Given, rows: list[np.ndarray], values: np.ndarray
) -> np.ndarray:
    """By the biases of users on days, from the kernel's draws of them."""
    n_users = len(rows[0])
    by_user, days = (
        CompressedRows.from_pairs(problem.user_index, problem.item_index, n_users, each)
        for each in (values.astype(np.float32), given.days.astype(np.int32))
    )
    starts = N_DAYS * np.arange(n_users + 1)
    features = features_of(rows[1], np.sqrt(given.item_noise).astype(np.float32))
    draws = []
    for normal in (0, 1):
        biases = (np.empty(starts[-1], np.float32), np.empty(starts[-1], np.float32))
        draw_days(
            (0, n_users),
            tuple(by_user),
            (starts, days.values),
            features,
            given.user_noise,
            rows[0],
            given.day_precision,
            np.full(starts[-1], normal, np.float32),
            biases,
            np.empty_like(by_user.values),
        )
        draws.append(biases[0].astype(np.float64).reshape(n_users, N_DAYS))
    gradient: np.ndarray = (problem.parameters.user_days - draws[0]) / (draws[1] - draws[0]) ** 2
    return gradient


def _gradient_of_weights(
    parameters: bayes.BayesParameters, given: bayes.Given, rows: np.ndarray
) -> np.ndarray:
    """By the weights of features, from the distribution that they are drawn from."""
    n, k = rows.shape
    features = Features(given.user_features.astype(np.float32), k, np.ones(n, bool))
    residuals = padded_rows(n, k)
    residuals[:, :k] = rows - given.user_means
    means, precisions = features.posterior(
        given.user_precisions, given.weight_precisions, residuals
    )
    basis = features.basis[:, : features.n_features].astype(np.float64)
    gradient: np.ndarray = basis.T @ (precisions * (basis @ parameters.weights - means))
    return gradient


def choice_loss(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    terms: ials.ChoiceTerms,
) -> float:
    """`ials.loss` with weights by rating."""
    return ials.loss(parameters, user_index, item_index, 0.25 + 0.375 * (values - 1), terms)


def choice_gradients(
    parameters: Parameters,
    user_index: np.ndarray,
    item_index: np.ndarray,
    values: np.ndarray,
    terms: ials.ChoiceTerms,
) -> Parameters:
    """`ials.gradients` with weights by rating."""
    return ials.gradients(parameters, user_index, item_index, 0.25 + 0.375 * (values - 1), terms)


def start_choices(checked: Objective, problem: Problem, at: int, arrays: list[np.ndarray]) -> None:
    """Move all rows by the residual with which the solver starts; only for rating number 0.

    The solver works in the eigenbasis of the other side's Gram matrix: rows are rotated into it,
    and residuals back.
    """
    if at:
        return
    terms: ials.ChoiceTerms = problem.regularization
    a0 = terms.unobserved_weight
    index = problem.user_index, problem.item_index
    rows = [array.astype(np.float64) for array in arrays[2:]]
    weights, levels = np.unique(0.25 + 0.375 * (problem.values - 1), return_inverse=True)
    table = weights.astype(np.float32)
    for mine, other in ((0, 1), (1, 0)):
        n, k = rows[mine].shape
        share, fixed = terms.of_rows(len(rows[other]))
        gram, basis = rows[other].T @ rows[other], np.empty((k, k))
        diagonalize(gram, fixed / a0, 1e-12, 30, basis)
        pairs = CompressedRows.from_pairs(index[mine], index[other], n, levels.astype(np.uint8))
        turned = (rows[other] @ basis.T).astype(np.float32)
        for row in range(n):
            first, stop = pairs.indptr[row : row + 2]
            ridge = (a0 * np.diag(gram) + share * (stop - first) + fixed).astype(np.float32)
            x = (basis @ rows[mine][row]).astype(np.float32)
            residual, curvature = np.empty_like(x), np.empty_like(x)
            given = (pairs[1:], table, turned, ridge, x)
            checked.kernel(first, stop, *given, residual, curvature)
            arrays[2 + mine][row] += residual @ basis


def _rating(problem: Problem, at: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.float32]:
    """One rating as kernels take it: user, item, value, and the global mean."""
    return (
        problem.user_index[at : at + 1],
        problem.item_index[at : at + 1],
        problem.values[at : at + 1].astype(np.float32),
        np.float32(problem.parameters.global_mean),
    )


def _rates(checked: Objective, arrays: list[np.ndarray]) -> tuple[Any, ...]:
    """Learning rates of 1, and the regularization."""
    ones = (np.ones(len(rows), np.float32) for rows in arrays[:2])
    bias_rate = np.float32("user_biases" in checked.blocks)
    return (*ones, bias_rate, *map(np.float32, checked.regularization[:2]))


class Objective(NamedTuple):
    """A loss, its hand-derived gradient and the kernel that descends it.

    Parameters
    ----------
    name, title : str
        The objective's name for programs and for people.
    loss : callable
        (parameters, user_index, item_index, values, regularization) -> float.
    gradients : callable
        The hand-derived gradient: the same arguments -> named tuple like `parameters`.
    kernel : callable
        The compiled function that descends the loss.
    blocks : tuple of str
        Names of the parameters that are learned; the others are zero.
    regularization : tuple
        Last argument of `loss`.
    descend : callable
        (objective, problem, at, arrays) -> None: has the kernel make one step on rating number
        `at` of the problem, at learning rate 1. It changes `arrays`, the parameters without the
        mean, in float32, factors as `padded_rows`.
    parameters : type
        The type of named tuple that `loss` takes first.
    kinks : tuple of float
        Errors e_ui, in rating units, at which the loss or its derivative has a kink.
    is_binary : bool
        Whether ratings must be 0 or 1.
    """

    name: str
    title: str
    loss: Callable[..., float]
    gradients: Callable[..., AnyParameters]
    kernel: Callable[..., Any]
    blocks: tuple[str, ...]
    regularization: Any = REGULARIZATION
    descend: Callable[[Any, Problem, int, list[np.ndarray]], None] = descend_plain
    parameters: Any = Parameters
    kinks: tuple[float, ...] = ()
    is_binary: bool = False


OBJECTIVES: dict[str, Objective] = {}
"""The objectives that are checked, by name, in the order of their registration."""


def register(checked: Objective) -> None:
    """Have an objective checked by `funksvd gradcheck` and by the tests."""
    OBJECTIVES[checked.name] = checked


def find(name: str) -> Objective:
    """The objective of a name, in upper or lower case.

    Raises
    ------
    FunkSVDError
        If no objective has the name; the message lists the names and suggests the nearest one.
    """
    for spelling in (name, name.lower()):
        if spelling in OBJECTIVES:
            return OBJECTIVES[spelling]
    if name.lower() in ALGORITHMS:
        near = list(ALGORITHMS[name.lower()].gradient_checks)
    else:
        near = difflib.get_close_matches(name.lower(), OBJECTIVES, n=1, cutoff=0.5)
    suggestion = f" Did you mean {' or '.join(near)}?" if near else ""
    raise FunkSVDError(
        f"there is no objective called {name!r}, only {', '.join(OBJECTIVES)}.{suggestion}"
    )


def of_loss(loss: Loss) -> Objective:
    """The objective of the plain model with a loss; each loss is checked as one of its own."""
    for_kernels = SCALAR_LOSSES[loss.name](*map(np.float32, loss.parameters))
    return Objective(
        loss.name,
        f"Funk SVD, {loss.title} loss",
        partial(plain.loss, rating_loss=loss),
        partial(plain.gradients, rating_loss=loss),
        partial(sgd_block, loss=for_kernels),
        Parameters._fields[1:],
        kinks=loss.kinks,
        is_binary=loss.is_binary,
    )


register(
    Objective(
        "biased",
        "Funk SVD with biases",
        plain.loss,
        plain.gradients,
        sgd_block,
        Parameters._fields[1:],
    )
)
register(
    Objective(
        "unbiased",
        "Funk SVD without biases",
        plain.loss,
        plain.gradients,
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
        svdpp.SVDPPRegularization(0.06, 0.05, implicit=0.3, user_implicit=0.12),
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
for _loss in LOSSES.values():
    if _loss != SQUARED:  # checked as "biased" and "unbiased"
        register(of_loss(_loss))
register(
    Objective(
        "bayes",
        "Bayesian Funk SVD: energy of rows, features' weights and days",
        energy,
        energy_gradients,
        draw_rows,
        bayes.BayesParameters._fields[1:],
        descend=sample_all,
        parameters=bayes.BayesParameters,
    )
)
register(
    Objective(
        "ials",
        "Choice model",
        choice_loss,
        choice_gradients,
        start_row,
        ("user_factors", "item_factors"),
        ials.ChoiceTerms(unobserved_weight=0.3, strength=0.1),
        start_choices,
    )
)
