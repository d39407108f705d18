"""Products, sums of products, and linear systems."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from funksvd.autodiff.rules.registering import (
    primitive,
    register,
    stretch,
    unbroadcast,
)
from funksvd.autodiff.tracing import COMPOSITES, Function, operand, raw

MAX_OPERANDS = 32
"""Largest number of arrays in one `np.einsum` that can be differentiated."""


@primitive
def contract(subscripts: str, *arrays: Any) -> Any:
    """`np.einsum` of explicit subscripts, in which no letter is twice or alone in one array."""
    return np.einsum(subscripts, *arrays, optimize=True)


@primitive
def solution(a: Any, b: Any) -> Any:
    """`np.linalg.solve` of matrices."""
    return np.linalg.solve(a, b)


@primitive
def lower_factor(a: Any) -> Any:
    """`np.linalg.cholesky` of symmetric matrices."""
    return np.linalg.cholesky(a)


@primitive
def log_det(a: Any) -> Any:
    """Log |det a|."""
    return np.linalg.slogdet(a).logabsdet


def _turned(a: Any) -> Any:
    """The transposes of matrices."""
    return np.swapaxes(a, -1, -2)


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """A product's adjoint and its factors, with vectors turned into rows or columns."""
    if np.ndim(b) == 1:
        g, b = np.expand_dims(g, -1), np.expand_dims(b, -1)
    if np.ndim(a) == 1:
        g, a = np.expand_dims(g, -2), np.expand_dims(a, -2)
    return g, a, b


def _matmul_vjp_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, left, right = _as_matrices(g, a, b)
    return np.reshape(unbroadcast(np.matmul(g, _turned(right)), np.shape(left)), np.shape(a))


def _matmul_vjp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    g, left, right = _as_matrices(g, a, b)
    return np.reshape(unbroadcast(np.matmul(_turned(left), g), np.shape(right)), np.shape(b))


def _contract_jvp(at: int) -> Function:
    return lambda t, y, subscripts, *xs: contract(subscripts, *xs[:at], t, *xs[at + 1 :])


def _contract_vjp(at: int) -> Function:
    def vjp(g: Any, y: Any, subscripts: str, *xs: Any) -> Any:
        terms, _, output = subscripts.partition("->")
        inputs, shape = terms.split(","), np.shape(xs[at])
        others = ",".join([output, *inputs[:at], *inputs[at + 1 :]])
        share = contract(f"{others}->{inputs[at]}", g, *xs[:at], *xs[at + 1 :])
        return stretch(unbroadcast(share, shape), shape)

    return vjp


def _of_matrices(function: Function, weights: Function) -> None:
    """Register a function from matrices to numbers, by its derivative (y, a) by each element."""
    register(
        function,
        [lambda t, y, a: np.sum(t * weights(y, a), axis=(-2, -1))],
        [lambda g, y, a: np.expand_dims(g, (-2, -1)) * weights(y, a)],
    )


def _half_lower(a: Any) -> Any:
    """The lower triangles of matrices, with half their diagonals."""
    return np.tril(a) - a * (0.5 * np.eye(np.shape(a)[-1]))


def _factor_jvp(t: Any, y: Any, a: Any) -> Any:
    return y @ _half_lower(solution(y, _turned(solution(y, t))))


def _factor_vjp(g: Any, y: Any, a: Any) -> Any:
    up = _turned(y)
    return solution(up, _turned(solution(up, _turned(_half_lower(up @ g)))))


# fmt: off
register(np.matmul, [lambda t, y, a, b: np.matmul(t, b), lambda t, y, a, b: np.matmul(a, t)],
                    [_matmul_vjp_a, _matmul_vjp_b])
register(contract,  [None, *map(_contract_jvp, range(MAX_OPERANDS))],
                    [None, *map(_contract_vjp, range(MAX_OPERANDS))])
register(np.linalg.inv, [lambda t, y, a: -(y @ t @ y)],
                        [lambda g, y, a: -(_turned(y) @ g @ _turned(y))])
register(solution,  [lambda t, y, a, b: -solution(a, t @ y), lambda t, y, a, b: solution(a, t)],
    [lambda g, y, a, b: unbroadcast(-(solution(_turned(a), g) @ _turned(y)), np.shape(a)),
     lambda g, y, a, b: unbroadcast(solution(_turned(a), g), np.shape(b))])
register(lower_factor, [_factor_jvp], [_factor_vjp])
_of_matrices(np.linalg.det, lambda y, a: np.expand_dims(y, (-2, -1)) * _turned(np.linalg.inv(a)))
_of_matrices(log_det,       lambda y, a: _turned(np.linalg.inv(a)))
# fmt: on


def _solve(a: Any, b: Any) -> Any:
    a, b = operand(a), operand(b)
    return solution(a, b) if np.ndim(b) != 1 else solution(a, b[:, None])[..., 0]


def _cholesky(a: Any) -> Any:
    lower = np.tril(a)  # NumPy does not read the other triangle
    return lower_factor(lower + _turned(np.tril(a, -1)))


def _slogdet(a: Any) -> Any:
    return np.linalg.slogdet(raw(a))._replace(logabsdet=log_det(a))


def _subscripts(operands: Sequence[Any]) -> tuple[list[str], str, list[Any]]:
    """The letters of each array and of the result, and the arrays, of a call of `np.einsum`."""
    if isinstance(operands[0], str):
        text, arrays = operands[0].replace(" ", ""), list(operands[1:])
    else:  # array, list of numbers, array, list of numbers, …, perhaps the result's list

        def spelled(labels: Any) -> str:
            return "".join("..." if n is ... else string.ascii_letters[n] for n in labels)

        arrays, lists = list(operands[: len(operands) // 2 * 2 : 2]), list(operands[1::2])
        text = ",".join(map(spelled, lists))
        if len(operands) % 2:
            text += "->" + spelled(operands[-1])
    terms, arrow, output = text.partition("->")
    inputs = terms.split(",")
    free = "".join(letter for letter in string.ascii_letters if letter not in text)
    hidden = [
        np.ndim(x) - len(term.replace("...", "")) for term, x in zip(inputs, arrays, strict=True)
    ]
    dots = free[
        : max((n for term, n in zip(inputs, hidden, strict=True) if "..." in term), default=0)
    ]
    inputs = [
        term.replace("...", dots[len(dots) - n :]) for term, n in zip(inputs, hidden, strict=True)
    ]
    if not arrow:
        once = sorted(letter for letter in set(terms) - set(".,") if terms.count(letter) == 1)
        output = "..." + "".join(once)
    return inputs, output.replace("...", dots), arrays


def _einsum(*operands: Any, optimize: Any = False) -> Any:
    """Sums and diagonals of single arrays first: what is left is a contraction."""
    inputs, output, arrays = _subscripts(operands)
    for at, term in enumerate(inputs):
        while twice := [letter for letter in term if term.count(letter) > 1]:
            letter = twice[0]
            i, j = term.index(letter), term.rindex(letter)
            if np.shape(arrays[at])[i] != np.shape(arrays[at])[j]:
                raise ValueError(f"the axes {letter!r} of operand {at} have different lengths")
            arrays[at] = np.diagonal(arrays[at], 0, i, j)
            term = term[:i] + term[i + 1 : j] + term[j + 1 :] + letter
        elsewhere = {*output, *"".join(inputs[:at] + inputs[at + 1 :])}
        alone = tuple(i for i, letter in enumerate(term) if letter not in elsewhere)
        arrays[at] = np.sum(arrays[at], axis=alone) if alone else arrays[at]
        inputs[at] = "".join(letter for letter in term if letter in elsewhere)
    return contract(f"{','.join(inputs)}->{output}", *arrays)


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    n_a, n_b = np.ndim(a), np.ndim(b)
    if isinstance(axes, (int, np.integer)):
        axes = (range(n_a - axes, n_a), range(axes))
    labels = list(range(n_a + n_b))
    of_a, of_b = labels[:n_a], labels[n_a:]
    for i, j in zip(*map(np.atleast_1d, axes), strict=True):
        if np.shape(a)[i] != np.shape(b)[j]:
            raise ValueError(f"tensordot sums over axes of {np.shape(a)[i]} and {np.shape(b)[j]}")
        of_b[j] = of_a[i]
    kept = [label for label in of_a + of_b if (of_a + of_b).count(label) == 1]
    return np.einsum(a, of_a, b, of_b, kept)


def _dot(a: Any, b: Any) -> Any:
    if not (np.ndim(a) and np.ndim(b)):
        return a * b
    return _tensordot(a, b, (-1, -2)) if np.ndim(a) > 1 and np.ndim(b) > 2 else np.matmul(a, b)


def _inner(a: Any, b: Any) -> Any:
    return _tensordot(a, b, (-1, -1)) if np.ndim(a) and np.ndim(b) else a * b


def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(np.diagonal(x, offset, axis1, axis2), axis=-1)


def _kron(a: Any, b: Any) -> Any:
    n = max(np.ndim(a), np.ndim(b))
    a, b = (np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x)) for x in (a, b))
    odd, even = tuple(range(1, 2 * n, 2)), tuple(range(0, 2 * n, 2))
    product = np.expand_dims(a, odd) * np.expand_dims(b, even)
    return np.reshape(product, np.multiply(np.shape(a), np.shape(b)))


COMPOSITES.update({
    np.dot: _dot,
    np.inner: _inner,
    np.outer: lambda a, b: np.reshape(a, (-1, 1)) * np.reshape(b, -1),
    np.vdot: lambda a, b: np.ravel(a) @ np.ravel(b),
    np.kron: _kron,
    np.einsum: _einsum,
    np.tensordot: _tensordot,
    np.trace: _trace,
    np.linalg.solve: _solve,
    np.linalg.cholesky: _cholesky,
    np.linalg.slogdet: _slogdet,
})  # fmt: skip
