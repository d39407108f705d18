"""How a row moves by its gradient: a few lines for each optimizer.

They say what happens to one number; the code for a bias, and for the vectors of a row of factors
(see `vectors`), follows from that. Each operation rounds once, correctly, on every processor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from funksvd.kernels.vectors import LANES, spread

_FLOAT = ir.FloatType()
BETA1 = 0.9  # of momentum and of Adam
BETA2 = 0.999
_RHO = 0.9  # of RMSProp
_EPSILON = 1e-8


class Number:
    """A float32, or a vector of 16, in code that is being written; each operation rounds once."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def _with(self, operation: str, other: Number | float) -> Number:
        a = self.value
        if isinstance(other, Number):
            b = other.value
        else:
            b = ir.Constant(_FLOAT, float(np.float32(other)))
        if a.type != b.type:
            a, b = (spread(self.builder, x) if x.type == _FLOAT else x for x in (a, b))
        return Number(self.builder, getattr(self.builder, operation)(a, b))

    def __add__(self, other: Number | float) -> Number:
        return self._with("fadd", other)

    def __sub__(self, other: Number | float) -> Number:
        return self._with("fsub", other)

    def __mul__(self, other: Number | float) -> Number:
        return self._with("fmul", other)

    def __truediv__(self, other: Number | float) -> Number:
        return self._with("fdiv", other)

    def root(self) -> Number:
        kind = self.value.type
        name = "llvm.sqrt.f32" if kind == _FLOAT else f"llvm.sqrt.v{LANES}f32"
        insert: Callable[..., ir.Function] = cgutils.get_or_insert_function
        function = insert(self.builder.module, name=name, fnty=ir.FunctionType(kind, [kind]))
        return Number(self.builder, self.builder.call(function, [self.value]))


Memory = tuple[Number, ...]
Step = tuple[Number, Memory]

# Arguments of a step: the gradient g of a number, its memory, and 1 / (1 - beta**t) of both betas
# of Adam. Results: the step before it is multiplied by the learning rate, and the new memory.


def _sgd(g: Number, memory: Memory, unbiased: Memory) -> Step:
    return g, ()


def _momentum(g: Number, memory: Memory, unbiased: Memory) -> Step:
    (v,) = memory
    v = v * BETA1 + g
    return v, (v,)


def _adagrad(g: Number, memory: Memory, unbiased: Memory) -> Step:
    (squares,) = memory
    squares = squares + g * g
    return g / (squares.root() + _EPSILON), (squares,)


def _adagrad_of_row(g: Number, memory: Memory, unbiased: Memory) -> Step:
    (squares,) = memory  # the row's mean square has been added
    return g / (squares.root() + _EPSILON), (squares,)


def _rmsprop(g: Number, memory: Memory, unbiased: Memory) -> Step:
    (squares,) = memory
    squares = squares * _RHO + g * g * (1 - _RHO)
    return g / (squares.root() + _EPSILON), (squares,)


def _adam(g: Number, memory: Memory, unbiased: Memory) -> Step:
    m, v = memory
    m = m * BETA1 + g * (1 - BETA1)
    v = v * BETA2 + g * g * (1 - BETA2)
    return m * unbiased[0] / ((v * unbiased[1]).root() + _EPSILON), (m, v)


class Rule(NamedTuple):
    """The step of an optimizer.

    Parameters
    ----------
    step : callable
        One of the functions above.
    n_memories : int
        Numbers that are remembered for each number of a row.
    by_row : bool
        Whether one number is remembered for the whole row instead; the mean square of g is added
        to it first.
    """

    step: Callable[[Number, Memory, Memory], Step]
    n_memories: int
    by_row: bool = False


RULES = {
    "sgd": Rule(_sgd, 0),
    "momentum": Rule(_momentum, 1),
    "adagrad": Rule(_adagrad_of_row, 1, by_row=True),
    "adagrad-element": Rule(_adagrad, 1),
    "rmsprop": Rule(_rmsprop, 1),
    "adam": Rule(_adam, 2),
}
"""The steps of the optimizers, by the names they have in `funksvd.hyperparameters.optimizers`."""
