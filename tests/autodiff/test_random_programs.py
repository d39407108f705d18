"""Random programs: compositions of all kinds of operations against central differences.

The number in a failing test's name is the seed of its programs.
"""

import numpy as np
import pytest
from autodiff.checks import check_first, check_second

from funksvd.autodiff import logistic, logsumexp, softmax

N_PROGRAMS = 8
"""Programs of one seed."""


def three(a):
    """Three elements of an array of any shape."""
    return np.tile(np.ravel(a), 3)[:3]


def near_identity(a, b):
    return np.eye(3) + 0.2 * np.outer(three(a), three(b))


UNARY = [
    np.sin,
    np.cos,
    np.tanh,
    np.arctan,
    np.arcsinh,
    logistic,
    np.abs,
    np.square,
    lambda a: np.exp(np.sin(a)) + np.expm1(np.cos(a)),
    lambda a: np.log(a * a + 0.5) * np.log1p(a**2) + np.log2(a * a + 1) - np.log10(a * a + 2),
    lambda a: np.sqrt(a * a + 0.3) + np.tan(0.7 * np.sin(a)),
    lambda a: np.sinh(np.cos(a)) * np.cosh(np.sin(a)),
    lambda a: np.arcsin(0.9 * np.sin(a)) + np.arctanh(0.7 * np.cos(a)),
    lambda a: np.clip(a, -0.6, 0.9),
    lambda a: np.where(a > 0.1, a, np.sin(2 * a)),
    lambda a: np.sort(a, axis=-1),
    lambda a: np.cumsum(a, axis=0) + a.T.cumsum().reshape(a.shape),
    lambda a: np.pad(np.roll(np.flip(a, 0), 1, -1), 1, mode="edge"),
    lambda a: np.diff(np.pad(a, 1), axis=0),
    lambda a: np.repeat(np.tile(a, 2), 2, axis=0),
    lambda a: np.hstack([a, a[::-1]]),
    lambda a: np.stack([a, 2 * a], axis=-1)[..., np.array([1, 0, 1])],
    lambda a: np.array([a.ravel()[0], 1.0]) * a.ravel()[-1],
    lambda a: a - a.mean(axis=-1, keepdims=True) * a.sum(),
    lambda a: np.prod(np.sin(a), axis=0, keepdims=True),
    lambda a: a / (np.std(three(a)) + 0.5) + np.var(a),
    lambda a: a.max(axis=-1, keepdims=True) - a.min(),
    lambda a: a / (1 + np.linalg.norm(a + 0.1)),
    lambda a: softmax(a) + logsumexp(a),
    lambda a: np.tril(np.atleast_2d(a)) + np.diag(three(a)).sum(),
    lambda a: np.linalg.inv(near_identity(a, np.arange(3.0))),
    lambda a: np.linalg.solve(near_identity(a, np.arange(3.0)), three(a)),
    lambda a: np.linalg.cholesky(near_identity(a, a)),
    lambda a: near_identity(a, a) * np.linalg.slogdet(near_identity(a, a))[1],
    lambda a: np.linalg.det(near_identity(a, np.sin(a))) * a,
    lambda a: np.einsum("i,jj,j->ji", three(a), near_identity(a, a), three(a)),
    lambda a: np.tensordot(a, a, [[0], [0]]),
]
BINARY = [
    np.add,
    np.multiply,
    np.maximum,
    np.minimum,
    np.logaddexp,
    lambda a, b: a / (1 + b * b),
    lambda a, b: np.hypot(a, b + 3.1) + np.arctan2(a, b * b + 0.1),
    lambda a, b: (np.sin(a) ** 2 + 0.3) ** np.cos(b),
    lambda a, b: np.concatenate([a.ravel(), b.ravel()]),
    lambda a, b: np.kron(three(a), three(b)) * np.inner(three(a), three(b)),
    lambda a, b: near_identity(a, b) @ three(a),
]


def draw_program(generator):
    """A function of an array of shape (3, 2) that is made of up to seven operations."""
    n_steps = int(generator.integers(2, 8))
    choices = [generator.integers(len(UNARY + BINARY)) for _ in range(n_steps)]
    operands = generator.random((n_steps, 2))

    def program(x):
        values = [x[:, 0], x[0], x]
        for choice, (first, second) in zip(choices, operands, strict=True):
            a = values[max(-len(values), -1 - int(3 * first**2))]
            b = values[int(second * len(values))]
            try:
                is_unary = choice < len(UNARY)
                y = UNARY[choice](a) if is_unary else BINARY[choice - len(UNARY)](a, b)
            except (ValueError, IndexError):  # the shapes do not fit
                continue
            if y.ndim and 0 < y.size <= 100:
                values.append(3 * np.tanh(0.3 * y))
        return sum(np.sin(v + 0.3 * at).mean() for at, v in enumerate(values[-4:]))

    return program


@pytest.mark.parametrize("seed", range(10))
def test_random_programs(seed):
    generator = np.random.default_rng(seed)
    for _ in range(N_PROGRAMS):
        program, x = draw_program(generator), generator.uniform(-1.5, 1.5, (3, 2))
        check_first(program, [x], generator)
        check_second(program, [x], generator)
