"""Several witnesses to one gradient, side by side at the same point.

The gradient that training uses was derived by hand. Each witness finds it in another way:

    reverse     reverse-mode differentiation of the very function that states the loss
    forward     forward-mode differentiation of it
    differences central finite differences of it
    kernel      what one step of the compiled kernel, on one rating at learning rate 1, moves
    sympy       symbolic differentiation of it, where SymPy is installed

The data repeat users and items, so that a lost contribution shows. Whoever changes an objective
or adds one registers it here (`register`) and can prove its gradient in seconds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funksvd import autodiff, objective
from funksvd.autodiff import numeric
from funksvd.errors import FunkSVDError
from funksvd.kernels import padded_rows, sgd_block
from funksvd.objective import Parameters, Regularization
from funksvd.ratings import Ratings
from funksvd.streams import Stream, generator

REGULARIZATION = Regularization(factors=0.06, biases=0.05)
TOLERANCES = {
    "reverse": 1e-10,
    "forward": 1e-10,
    "differences": 1e-6,
    "kernel": 1e-4,  # float32
    "sympy": 1e-10,
}
NEGLIGIBLE = 1e-3
"""Coordinates smaller than this share of their block's largest are compared with that share."""
N_DIRECTIONS = 8


class Problem(NamedTuple):
    """Ratings and a point at which to differentiate.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n_ratings,), int32
    values : ndarray of shape (n_ratings,), float64
    parameters : Parameters
        float64.
    """

    user_index: np.ndarray
    item_index: np.ndarray
    values: np.ndarray
    parameters: Parameters

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, Regularization]:
        """What `objective.loss` takes after the parameters."""
        return self.user_index, self.item_index, self.values, REGULARIZATION


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
        Compiled; the signature of `kernels.sgd_block`.
    blocks : tuple of str
        The parameters that are learned; the others are zero.
    """

    name: str
    title: str
    loss: Callable
    gradients: Callable
    kernel: Callable
    blocks: tuple[str, ...]


class Comparison(NamedTuple):
    """A witness's gradient of one parameter block beside the hand-derived one.

    Parameters
    ----------
    block : str
    witness : str
    max_relative_error : float
    worst : tuple of int
        The coordinate with the largest error.
    by_hand, by_witness : float
        Both values there.
    agrees : bool
        Whether the error is within the witness's tolerance.
    """

    block: str
    witness: str
    max_relative_error: float
    worst: tuple[int, ...]
    by_hand: float
    by_witness: float
    agrees: bool


class StepError(NamedTuple):
    """Relative error of finite differences at one step."""

    step: float
    forward: float
    central: float


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


def random_problem(
    checked: Objective,
    *,
    n_users: int = 6,
    n_items: int = 5,
    n_ratings: int = 16,
    n_factors: int = 3,
    seed: int = 0,
) -> Problem:
    """A random problem in which users and items repeat.

    Raises
    ------
    FunkSVDError
        If a size is less than 1, or there are more ratings than pairs.
    """
    if min(n_users, n_items, n_ratings, n_factors) < 1:
        raise FunkSVDError("users, items, ratings and factors must be at least 1 each")
    if n_ratings > n_users * n_items:
        raise FunkSVDError(
            f"{n_ratings} ratings are more than the {n_users * n_items} pairs of {n_users} users "
            f"and {n_items} items"
        )
    random = generator(seed, Stream.CHECK)
    pairs = random.choice(n_users * n_items, n_ratings, replace=False)
    user_index, item_index = np.divmod(pairs, n_items)
    values = random.integers(1, 6, n_ratings).astype(np.float64)
    ratings = Ratings(
        user_index.astype(np.int32),
        item_index.astype(np.int32),
        values,
        np.arange(n_users),
        np.arange(n_items),
    )
    return _at_random_point(checked, ratings, n_factors, random)


def sampled_problem(
    checked: Objective,
    ratings: Ratings,
    *,
    n_ratings: int = 40,
    n_factors: int = 3,
    seed: int = 0,
) -> Problem:
    """A problem made of real ratings: those of the busiest users and items, so that they repeat.

    Raises
    ------
    FunkSVDError
        If a size is less than 1.
    """
    if min(n_ratings, n_factors) < 1:
        raise FunkSVDError("ratings and factors must be at least 1 each")
    random = generator(seed, Stream.CHECK)
    activity = np.bincount(ratings.user_index)[ratings.user_index]
    popularity = np.bincount(ratings.item_index)[ratings.item_index]
    weight = activity.astype(np.float64) * popularity
    n_ratings = min(n_ratings, len(ratings))
    busy = np.argsort(-weight, kind="stable")[: 4 * n_ratings]
    sample = ratings.subset(np.sort(random.choice(busy, n_ratings, replace=False))).compact()
    return _at_random_point(checked, sample, n_factors, random)


def _at_random_point(
    checked: Objective, ratings: Ratings, n_factors: int, random: np.random.Generator
) -> Problem:
    shapes = {
        "user_biases": (ratings.n_users,),
        "item_biases": (ratings.n_items,),
        "user_factors": (ratings.n_users, n_factors),
        "item_factors": (ratings.n_items, n_factors),
    }
    values = ratings.values.astype(np.float64)
    # The point is exact in float32, so that the kernel starts from the very same one.
    arrays = {
        name: random.normal(0, 0.5, shape).astype(np.float32).astype(np.float64)
        if name in checked.blocks
        else np.zeros(shape)
        for name, shape in shapes.items()
    }
    mean = float(np.float32(values.mean())) if "user_biases" in checked.blocks else 0.0
    return Problem(ratings.user_index, ratings.item_index, values, Parameters(mean, **arrays))


def by_reverse_mode(checked: Objective, problem: Problem) -> Parameters:
    """The gradient by reverse-mode differentiation of the loss."""
    return autodiff.grad(checked.loss)(problem.parameters, *problem.data)


def by_forward_mode(checked: Objective, problem: Problem) -> Parameters:
    """The gradient by forward-mode differentiation, one direction for each coordinate."""
    gradient = autodiff.jacobian(checked.loss, mode="forward")
    return gradient(problem.parameters, *problem.data)


def by_differences(checked: Objective, problem: Problem) -> Parameters:
    """The gradient by central differences.

    The losses at hand are quadratic in one coordinate: a large step has no truncation error and
    little round-off.
    """

    def block(name: str) -> np.ndarray:
        return numeric.gradient(
            lambda array: checked.loss(problem.parameters._replace(**{name: array}), *problem.data),
            getattr(problem.parameters, name),
            step=1e-2,
        )

    return Parameters(*(block(name) for name in Parameters._fields))


def by_kernel(checked: Objective, problem: Problem) -> Parameters:
    """The gradient as what the kernel moves: one step on one rating at learning rate 1, negated.

    The steps of all ratings, each from the same point, are summed.
    """
    ones = (np.ones(len(rows), np.float32) for rows in problem.parameters[3:])
    bias_rate = np.float32("user_biases" in checked.blocks)
    rates = (*ones, bias_rate, *map(np.float32, REGULARIZATION))
    start = [array.astype(np.float32) for array in problem.parameters[1:]]
    n_factors = start[2].shape[1]
    for at in (2, 3):
        rows = padded_rows(len(start[at]), n_factors)
        rows[:, :n_factors] = start[at]
        start[at] = rows
    totals = [np.zeros(array.shape) for array in start]
    mean = np.float32(problem.parameters.global_mean)
    for at in range(len(problem.values)):
        moved = [array.copy() for array in start]
        rating = (
            problem.user_index[at : at + 1],
            problem.item_index[at : at + 1],
            problem.values[at : at + 1].astype(np.float32),
        )
        checked.kernel(*rating, mean, *moved, rates)
        for total, new, old in zip(totals, moved, start, strict=True):
            total -= new.astype(np.float64) - old
    totals[2:] = [total[:, :n_factors] for total in totals[2:]]
    return Parameters(np.nan, *totals)  # the mean is fixed: the kernel does not move it


def by_sympy(checked: Objective, problem: Problem) -> Parameters:
    """The gradient by symbolic differentiation: the loss is evaluated on symbols."""
    import sympy

    def symbols(name: str, array: np.ndarray) -> np.ndarray:
        named = [sympy.Symbol(f"{name}_{at}") for at in range(np.size(array))]
        return np.array(named, dtype=object).reshape(np.shape(array))

    symbolic = Parameters(*map(symbols, Parameters._fields, problem.parameters))
    symbolic = symbolic._replace(global_mean=symbolic.global_mean[()])
    loss = checked.loss(symbolic, *problem.data)
    everything = [symbol for block in symbolic for symbol in np.ravel(block)]
    numbers = [float(x) for block in problem.parameters for x in np.ravel(block)]
    derivatives = [sympy.diff(loss, symbol) for symbol in everything]
    values = sympy.lambdify(everything, derivatives, "math")(*numbers)
    ends = np.cumsum([np.size(block) for block in problem.parameters])[:-1]
    parts = np.split(np.array(values, dtype=np.float64), ends)
    return Parameters(
        *(part.reshape(np.shape(b)) for part, b in zip(parts, problem.parameters, strict=True))
    )


WITNESSES: dict[str, Callable[[Objective, Problem], Parameters]] = {
    "reverse": by_reverse_mode,
    "forward": by_forward_mode,
    "differences": by_differences,
    "kernel": by_kernel,
    "sympy": by_sympy,
}


def available_witnesses() -> list[str]:
    """All witnesses, but SymPy only where it is installed."""
    return [w for w in WITNESSES if w != "sympy" or importlib.util.find_spec("sympy")]


def compare(checked: Objective, problem: Problem) -> list[Comparison]:
    """Hold every witness's gradient against the hand-derived one, block by block."""
    by_hand = checked.gradients(problem.parameters, *problem.data)
    gradients = {name: WITNESSES[name](checked, problem) for name in available_witnesses()}
    return [
        _compare_block(block, name, getattr(by_hand, block), getattr(gradient, block))
        for block in checked.blocks
        for name, gradient in gradients.items()
    ]


def _compare_block(
    block: str, witness: str, by_hand: np.ndarray, by_witness: np.ndarray
) -> Comparison:
    size = np.maximum(np.abs(by_hand), np.abs(by_witness))
    size = np.maximum(size, max(NEGLIGIBLE * size.max(), np.finfo(np.float64).tiny))
    errors = np.abs(by_witness - by_hand) / size
    worst = np.unravel_index(np.argmax(errors), errors.shape)  # NaN counts as largest
    return Comparison(
        block,
        witness,
        float(errors[worst]),
        tuple(int(at) for at in worst),
        float(by_hand[worst]),
        float(by_witness[worst]),
        bool(errors[worst] <= TOLERANCES[witness]),
    )


def study_steps(checked: Objective, problem: Problem, seed: int = 0) -> list[StepError]:
    """How wrong finite differences are, by step: where truncation meets round-off.

    Derivatives are taken in random directions, in which the loss is not quadratic; the errors are
    root mean squares over them, relative to that of the derivatives.

    Returns
    -------
    list of StepError
        For steps from 1 down to 1e-14.
    """
    shapes = [np.shape(block) for block in problem.parameters]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    is_learned = np.concatenate(
        [np.full(np.size(b), n in checked.blocks) for n, b in problem.parameters._asdict().items()]
    )

    def loss(flat: np.ndarray) -> float:
        blocks = np.split(flat, ends)
        parameters = Parameters(*(b.reshape(s) for b, s in zip(blocks, shapes, strict=True)))
        return checked.loss(parameters, *problem.data)

    x = np.concatenate([np.ravel(block) for block in problem.parameters])
    directions = generator(seed, Stream.CHECK).normal(size=(N_DIRECTIONS, len(x))) * is_learned
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    gradient = checked.gradients(problem.parameters, *problem.data)
    exact = directions @ np.concatenate([np.ravel(block) for block in gradient])

    def error(scheme: str, step: float) -> float:
        slopes = [numeric.directional(loss, x, v, scheme, step) for v in directions]
        return float(np.linalg.norm(slopes - exact) / np.linalg.norm(exact))

    steps = [float(step) for step in 10.0 ** -np.arange(0, 14.5, 0.5)]
    return [StepError(step, error("forward", step), error("central", step)) for step in steps]
