"""Ways to find a gradient other than deriving it by hand."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funksvd import autodiff
from funksvd.autodiff import numeric, symbolic
from funksvd.gradcheck.objectives import Objective
from funksvd.gradcheck.problems import Problem
from funksvd.kernels import padded_rows

TOLERANCES = {
    "reverse": 1e-10,
    "forward": 1e-10,
    "differences": 1e-6,
    "kernel": 1e-4,  # float32
    "sympy": 1e-10,
}


def by_reverse_mode(checked: Objective, problem: Problem) -> NamedTuple:
    """The gradient by reverse-mode differentiation of the loss."""
    return autodiff.grad(checked.loss)(problem.parameters, *problem.data)


def by_forward_mode(checked: Objective, problem: Problem) -> NamedTuple:
    """The gradient by forward-mode differentiation, one direction for each coordinate."""
    gradient = autodiff.jacobian(checked.loss, mode="forward")
    return gradient(problem.parameters, *problem.data)


def by_differences(checked: Objective, problem: Problem) -> NamedTuple:
    """The gradient by central differences.

    Between their kinks, all losses at hand but the logistic one are at most quadratic in one
    coordinate: a step as large as this has no truncation error and little round-off.
    """

    def block(name: str) -> np.ndarray:
        return numeric.gradient(
            lambda array: checked.loss(problem.parameters._replace(**{name: array}), *problem.data),
            getattr(problem.parameters, name),
            step=1e-4,
        )

    return checked.parameters(*(block(name) for name in checked.parameters._fields))


def by_kernel(checked: Objective, problem: Problem) -> NamedTuple:
    """The gradient as what the kernel moves: one step on one rating at learning rate 1, negated.

    The steps of all ratings, each from the same point, are summed.
    """
    fields = problem.parameters._fields[1:]
    start = [getattr(problem.parameters, name).astype(np.float32) for name in fields]
    widths = [array.shape[1] if array.ndim == 2 else None for array in start]
    for at, width in enumerate(widths):
        if width is not None:
            rows = padded_rows(len(start[at]), width)
            rows[:, :width] = start[at]
            start[at] = rows
    totals = [np.zeros(array.shape) for array in start]
    for at in range(len(problem.values)):
        moved = [array.copy() for array in start]
        checked.descend(checked, problem, at, moved)
        for total, new, old in zip(totals, moved, start, strict=True):
            total -= new.astype(np.float64) - old
    totals = [
        total if width is None else total[:, :width]
        for total, width in zip(totals, widths, strict=True)
    ]
    return checked.parameters(np.nan, *totals)  # the mean is fixed: the kernel does not move it


def by_sympy(checked: Objective, problem: Problem) -> NamedTuple:
    """The gradient by symbolic differentiation of the loss."""
    return checked.parameters(*symbolic.gradient(checked.loss, problem.parameters, *problem.data))


WITNESSES: dict[str, Callable[[Objective, Problem], NamedTuple]] = {
    "reverse": by_reverse_mode,
    "forward": by_forward_mode,
    "differences": by_differences,
    "kernel": by_kernel,
    "sympy": by_sympy,
}


def available_witnesses() -> list[str]:
    """All witnesses, but SymPy only where it is installed."""
    return [w for w in WITNESSES if w != "sympy" or importlib.util.find_spec("sympy")]
