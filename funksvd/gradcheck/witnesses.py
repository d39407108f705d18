"""Ways to find a gradient other than deriving it by hand."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funksvd import autodiff
from funksvd.autodiff import numeric, symbolic
from funksvd.gradcheck.objectives import AnyParameters, Objective
from funksvd.gradcheck.problems import Problem, excerpt
from funksvd.kernels import padded_rows


def by_reverse_mode(checked: Objective, problem: Problem) -> AnyParameters:
    """The gradient by reverse-mode differentiation of the loss."""
    return autodiff.grad(checked.loss)(problem.parameters, *problem.data)


def by_forward_mode(checked: Objective, problem: Problem) -> AnyParameters:
    """The gradient by forward-mode differentiation, one direction for each coordinate."""
    gradient = autodiff.jacobian(checked.loss, mode="forward")
    return gradient(problem.parameters, *problem.data)


def by_differences(checked: Objective, problem: Problem) -> AnyParameters:
    """The gradient by central differences.

    Between their kinks, all losses at hand but the logistic one are at most quadratic in one
    coordinate: a step as large as 1e-4 has no truncation error and little round-off.
    """

    def block(name: str) -> np.ndarray:
        return numeric.gradient(
            lambda array: checked.loss(problem.parameters._replace(**{name: array}), *problem.data),
            getattr(problem.parameters, name),
            step=1e-4,
        )

    return checked.parameters(*(block(name) for name in checked.parameters._fields))


def by_kernel(checked: Objective, problem: Problem) -> AnyParameters:
    """The gradient as minus the movement that the kernel makes at learning rate 1.

    Each rating's step starts from the same point, and the movements of all steps are summed. The
    gradient by the global mean is NaN: the kernel does not move the mean.
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
    return checked.parameters(np.nan, *totals)


def by_sympy(checked: Objective, problem: Problem) -> AnyParameters:
    """The gradient by symbolic differentiation of the loss."""
    return checked.parameters(*symbolic.gradient(checked.loss, problem.parameters, *problem.data))


class Witness(NamedTuple):
    """A way to find a gradient, and how it is compared.

    Parameters
    ----------
    gradient : callable
        (objective, problem) -> gradient, a named tuple like the objective's parameters. Raises
        `AutodiffError` for a loss that this way cannot differentiate.
    tolerance : float
        Largest relative error at which the gradient agrees with the hand-derived one.
    excerpt : callable or None
        (problem) -> the smaller problem that the witness is given instead, if it is slow.
    """

    gradient: Callable[[Objective, Problem], AnyParameters]
    tolerance: float
    excerpt: Callable[[Problem], Problem] | None = None

    def problem(self, problem: Problem) -> Problem:
        """The problem that the witness is given."""
        return self.excerpt(problem) if self.excerpt else problem


WITNESSES = {
    "reverse": Witness(by_reverse_mode, 1e-10),
    "forward": Witness(by_forward_mode, 1e-10),
    "differences": Witness(by_differences, 1e-6),
    "kernel": Witness(by_kernel, 1e-4),  # float32
    "sympy": Witness(by_sympy, 1e-10, excerpt),
}


def available_witnesses() -> list[str]:
    """Names of all witnesses; "sympy" is among them only if SymPy is installed."""
    return [w for w in WITNESSES if w != "sympy" or importlib.util.find_spec("sympy")]
