"""Gradients side by side, and how wrong finite differences are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from funksvd.autodiff import numeric
from funksvd.gradcheck.objectives import Objective
from funksvd.gradcheck.problems import Problem
from funksvd.gradcheck.witnesses import TOLERANCES, WITNESSES, available_witnesses
from funksvd.rng import Stream, generator

NEGLIGIBLE = 1e-3
"""Coordinates smaller than this share of their block's largest are compared with that share."""
N_DIRECTIONS = 8


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
