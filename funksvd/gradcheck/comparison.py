"""Gradients side by side, and how wrong finite differences are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.autodiff import AutodiffError, numeric
from funksvd.gradcheck.objectives import Objective
from funksvd.gradcheck.problems import Problem
from funksvd.gradcheck.witnesses import WITNESSES, available_witnesses
from funksvd.rng import Stream, generator

NEGLIGIBLE = 1e-3
"""Least size by which an error is divided, as a share of the largest coordinate of its block."""
N_DIRECTIONS = 8
"""Number of random directions in the study of steps."""


class Comparison(NamedTuple):
    """A witness's gradient by one block of parameters beside the hand-derived one.

    Parameters
    ----------
    block : str
        Name of the parameters, such as "user_factors".
    witness : str
        Name of the witness.
    max_relative_error : float
        Largest relative error of a coordinate.
    worst : tuple of int
        Position of the coordinate with the largest error.
    by_hand, by_witness : float
        Both values of the derivative by that coordinate.
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


class Verdict(NamedTuple):
    """The findings of all witnesses on one objective.

    Parameters
    ----------
    comparisons : list of Comparison
        One for each block and each witness that can differentiate the loss.
    cannot : dict of str to str
        For each other witness, the reason why it cannot.
    problems : dict of str to Problem
        The problem that each witness was given.
    """

    comparisons: list[Comparison]
    cannot: dict[str, str]
    problems: dict[str, Problem]

    @property
    def agrees(self) -> bool:
        """Whether there is a witness that can differentiate the loss, and all of them agree."""
        return bool(self.comparisons) and all(c.agrees for c in self.comparisons)


class StepError(NamedTuple):
    """Relative errors of forward and central differences at one step."""

    step: float
    forward: float
    central: float


def judge(checked: Objective, problem: Problem) -> Verdict:
    """Compare each witness's gradient with the hand-derived one, block by block."""
    problems = {name: WITNESSES[name].problem(problem) for name in available_witnesses()}
    gradients, cannot = {}, {}
    for name, given in problems.items():
        try:
            gradients[name] = WITNESSES[name].gradient(checked, given)
        except AutodiffError as error:
            cannot[name] = str(error)
    by_hand = {
        name: checked.gradients(given.parameters, *given.data) for name, given in problems.items()
    }
    comparisons = [
        _compare_block(block, name, getattr(by_hand[name], block), getattr(gradient, block))
        for block in checked.blocks
        for name, gradient in gradients.items()
    ]
    return Verdict(comparisons, cannot, problems)


def compare(checked: Objective, problem: Problem) -> list[Comparison]:
    """The comparisons of `judge`, without the witnesses that cannot differentiate the loss."""
    return judge(checked, problem).comparisons


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
        bool(errors[worst] <= WITNESSES[witness].tolerance),
    )


def study_steps(checked: Objective, problem: Problem, seed: int = 0) -> list[StepError]:
    """The error of finite differences by step: truncation at large steps, round-off at small ones.

    Derivatives are taken in `N_DIRECTIONS` random directions, in which the loss is not quadratic.
    An error is the root mean square over the directions, relative to that of the derivatives.

    Returns
    -------
    list of StepError
        One for each step from 1 down to 1e-14, two to a power of ten.
    """
    shapes = [np.shape(block) for block in problem.parameters]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    is_learned = np.concatenate(
        [np.full(np.size(b), n in checked.blocks) for n, b in problem.parameters._asdict().items()]
    )

    def loss(flat: np.ndarray) -> float:
        blocks = np.split(flat, ends)
        parameters = checked.parameters(
            *(b.reshape(s) for b, s in zip(blocks, shapes, strict=True))
        )
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
