"""Gradients of batches of ratings, eqs. (4) to (7) of `objectives.plain`, and steps along them.

Ratings are normalized here: less mu, and divided by their standard deviation. Sums have a fixed
order, and so the bits are the same on every processor.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.optimizers import BETA1, BETA2, RULES, Number
from funksvd.kernels.vectors import (
    dot_product,
    fused,
    loaded,
    padded_rows,
    row_pointers,
    spread,
    vectors_of,
)

_INT64 = ir.IntType(64)
_NUMBERS = {name: number for number, name in enumerate(RULES)}
_ADAM = _NUMBERS["adam"]


class Table(NamedTuple):
    """All rows, the users' before the items': what is learned, and what it takes to learn it.

    Biases are columns of their own. The arrays `..._first` and `..._second` are what an optimizer
    remembers of earlier gradients: momentum's v, Adagrad's and RMSProp's sums of squares, Adam's m
    and v. They are empty where it remembers nothing, and have one column where it remembers a
    number a row.

    Parameters
    ----------
    biases, bias_gradients, bias_first, bias_second : ndarray of shape (n_rows, 1), float32
    factors, gradients, first, second : ndarray from `padded_rows`, float32
    counts : ndarray of shape (n_rows,), int32
        Ratings of each row in the batch at hand; 0 between batches, and so are the gradients.
    powers : ndarray of shape (n_rows, 2), float64
        Adam's beta_1**t and beta_2**t, where t counts the row's own steps.
    shares, bias_shares : ndarray of shape (n_rows,), float32
        What the learning rates are multiplied by for each row.
    """

    biases: np.ndarray
    factors: np.ndarray
    bias_gradients: np.ndarray
    gradients: np.ndarray
    bias_first: np.ndarray
    first: np.ndarray
    bias_second: np.ndarray
    second: np.ndarray
    counts: np.ndarray
    powers: np.ndarray
    shares: np.ndarray
    bias_shares: np.ndarray

    @classmethod
    def of(cls, n_rows: int, n_factors: int, optimizer: str) -> Table:
        """Zeros, no steps done, and shares of 1."""
        rule = RULES[optimizer]
        n_first, n_second = (n_rows if rule.n_memories > at else 0 for at in range(2))

        def column(n: int = n_rows) -> np.ndarray:
            return np.zeros((n, 1), np.float32)

        return cls(
            biases=column(),
            factors=padded_rows(n_rows, n_factors),
            bias_gradients=column(),
            gradients=padded_rows(n_rows, n_factors),
            bias_first=column(n_first),
            first=column(n_first) if rule.by_row else padded_rows(n_first, n_factors),
            bias_second=column(n_second),
            second=padded_rows(n_second, n_factors),
            counts=np.zeros(n_rows, np.int32),
            powers=np.ones((n_rows, 2)),
            shares=np.ones(n_rows, np.float32),
            bias_shares=np.ones(n_rows, np.float32),
        )


@intrinsic
def _add_terms(
    context: Any, factors: Any, gradients: Any, u: Any, i: Any, residual: Any, vectors: Any
) -> tuple:
    """E = residual - p_u . q_i; adds -e q_i to the gradient of p_u, and the reverse; returns e."""
    n_vectors = len(vectors)
    rows = (types.uint32, types.uint32)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def pointers(array: int, row: int) -> list[ir.Value]:
            kind = signature.args[array]
            return row_pointers(target, builder, kind, arguments[array], arguments[row], n_vectors)

        p, q = (loaded(builder, pointers(0, row)) for row in (2, 3))
        e = builder.fsub(arguments[4], dot_product(builder, p, q))
        minus_e = spread(builder, builder.fneg(e))
        for row, others in ((2, q), (3, p)):
            places = pointers(1, row)
            for place, total, other in zip(places, loaded(builder, places), others, strict=True):
                builder.store(fused(builder, minus_e, other, total), place, align=4)
        return e

    return types.float32(factors, gradients, *rows, types.float32, vectors), generate


@intrinsic
def _move(
    context: Any,
    values: Any,
    gradients: Any,
    first: Any,
    second: Any,
    row: Any,
    numbers: Any,
    rule: Any,
    vectors: Any,
) -> tuple:
    """Move one row, by the rule of this number; its gradient starts again from zero.

    `numbers` are five float32: learning rate; regularization, times the row's ratings; 1 / k; and
    for Adam 1 / (1 - beta**t) of both betas. Without vectors, rows are single numbers.
    """
    n_vectors = len(vectors)
    arrays = (values, gradients, first, second)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def pointers(at: int, n_vectors: int) -> list[ir.Value]:
            kind, array = signature.args[at], arguments[at]
            if n_vectors:
                return row_pointers(target, builder, kind, array, arguments[4], n_vectors)
            data = target.make_array(kind)(target, builder, array).data
            return [builder.gep(data, [builder.zext(arguments[4], _INT64)])]

        def load(places: list[ir.Value]) -> list[Number]:
            return [Number(builder, value) for value in loaded(builder, places)]

        rate, reg, part, *unbiased = (
            Number(builder, builder.extract_value(arguments[5], at)) for at in range(5)
        )
        places, gradient_places = pointers(0, n_vectors), pointers(1, n_vectors)
        theta = load(places)
        g = [total + x * reg for total, x in zip(load(gradient_places), theta, strict=True)]
        for place in gradient_places:
            builder.store(ir.Constant(place.type.pointee, None), place, align=4)

        done = builder.append_basic_block("done")
        choice = builder.switch(arguments[6], done)
        for number, each in enumerate(RULES.values()):
            block = builder.append_basic_block("rule")
            choice.add_case(ir.Constant(_INT64, number), block)
            builder.position_at_end(block)
            memory_places = [
                pointers(2 + at, 0 if each.by_row else n_vectors) for at in range(each.n_memories)
            ]
            memories = [load(column) for column in memory_places]
            if each.by_row:
                plain = [x.value for x in g]
                squares = dot_product(builder, plain, plain) if n_vectors else (g[0] * g[0]).value
                memories = [[memories[0][0] + Number(builder, squares) * part] * len(g)]
            for at, x in enumerate(theta):
                step, memory = each.step(g[at], [column[at] for column in memories], unbiased)
                builder.store((x - step * rate).value, places[at], align=4)
                for column, new in zip(memory_places, memory, strict=True):
                    builder.store(new.value, column[min(at, len(column) - 1)], align=4)
            builder.branch(done)
        builder.position_at_end(done)
        return target.get_dummy_value()

    numbers = types.UniTuple(types.float32, 5)
    return types.void(*arrays, types.uint32, numbers, types.int64, vectors), generate


@compiled
def _add_gradients(ratings, start, stop, table, vectors):
    user_rows, item_rows, values = ratings
    biases, bias_gradients = table.biases, table.bias_gradients
    factors, gradients, counts = table.factors, table.gradients, table.counts
    for at in range(start, stop):
        u, i = user_rows[at], item_rows[at]
        residual = values[at] - (biases[u, 0] + biases[i, 0])
        e = _add_terms(factors, gradients, u, i, residual, vectors)
        counts[u] += 1
        counts[i] += 1
        bias_gradients[u, 0] -= e
        bias_gradients[i, 0] -= e


@compiled
def _update_rows(table, rows, n_factors, rates, rule, vectors):
    rate, bias_rate, reg, bias_reg = rates
    biases, bias_gradients = table.biases, table.bias_gradients
    bias_first, bias_second = table.bias_first, table.bias_second
    factors, gradients = table.factors, table.gradients
    first, second = table.first, table.second
    counts, powers = table.counts, table.powers
    shares, bias_shares = table.shares, table.bias_shares
    one = np.float32(1.0)
    part = np.float32(np.divide(1.0, n_factors))
    unbiased1 = unbiased2 = one
    for row in rows:
        if counts[row] == 0:
            continue
        n = np.float32(counts[row])
        counts[row] = 0
        if rule == _ADAM:
            powers[row, 0] *= BETA1
            powers[row, 1] *= BETA2
            unbiased1 = np.float32(np.divide(1.0, 1.0 - powers[row, 0]))
            unbiased2 = np.float32(np.divide(1.0, 1.0 - powers[row, 1]))
        numbers = (rate * shares[row], n * reg, part, unbiased1, unbiased2)
        _move(factors, gradients, first, second, row, numbers, rule, vectors)
        numbers = (bias_rate * bias_shares[row], n * bias_reg, one, unbiased1, unbiased2)
        _move(biases, bias_gradients, bias_first, bias_second, row, numbers, rule, ())


@compiled
def _run_batches(ratings, batches, table, n_factors, rates, rule, vectors):
    user_rows, item_rows, values = ratings
    n_batches = batches.size
    counts = table.counts
    n = values.size
    touched = np.empty(min(2 * n, counts.size), np.uint32)
    for batch in batches:
        start, stop = n * batch // n_batches, n * (batch + 1) // n_batches
        n_touched = 0
        for at in range(start, stop):
            u, i = user_rows[at], item_rows[at]
            if counts[u] == 0:
                counts[u] = 1
                touched[n_touched] = u
                n_touched += 1
            if counts[i] == 0:
                counts[i] = 1
                touched[n_touched] = i
                n_touched += 1
        for at in range(n_touched):
            counts[touched[at]] = 0
        _add_gradients(ratings, start, stop, table, vectors)
        _update_rows(table, touched[:n_touched], n_factors, rates, rule, vectors)


def run_batches(
    ratings: tuple[np.ndarray, np.ndarray, np.ndarray],
    batches: np.ndarray,
    table: Table,
    n_factors: int,
    rates: tuple[np.float32, np.float32, np.float32, np.float32],
    optimizer: str,
) -> None:
    """Move rows batch by batch: each along the sum of its gradients in the batch.

    Rows without a rating in a batch stay as they are, and so does what is remembered of their
    gradients: a row's memory decays, and its steps are counted, with its own steps only.

    Serial, and so deterministic; ratings that share no row with these may be learned from at the
    same time.

    Parameters
    ----------
    ratings : tuple of ndarray of shape (n,)
        Users' and items' rows in the table, uint32; values, float32, normalized. Batch b are those
        from n b / n_batches up to n (b + 1) / n_batches, rounded down.
    batches : ndarray of shape (n_batches,), int64
        Their order.
    table : Table
        Changed in place.
    n_factors : int
        Without the padding.
    rates : tuple
        Learning rates of factors and biases, lambda and lambda_b, float32.
    optimizer : str
        Of `RULES`.
    """
    vectors = vectors_of(table.factors)
    _run_batches(ratings, batches, table, n_factors, rates, _NUMBERS[optimizer], vectors)


def add_gradients(ratings: tuple[np.ndarray, np.ndarray, np.ndarray], table: Table) -> None:
    """Add gradients to those in the table, for a batch that is larger than these ratings.

    The arguments are those of `run_batches`.
    """
    vectors = vectors_of(table.factors)
    _add_gradients(ratings, 0, len(ratings[2]), table, vectors)


def update_rows(
    rows: np.ndarray,
    table: Table,
    n_factors: int,
    rates: tuple[np.float32, np.float32, np.float32, np.float32],
    optimizer: str,
) -> None:
    """Move rows along their gradients; leave those as they are that have no rating in the batch.

    Parameters
    ----------
    rows : ndarray of shape (n,), uint32
    table, n_factors, rates, optimizer
        As for `run_batches`.
    """
    vectors = vectors_of(table.factors)
    _update_rows(table, rows, n_factors, rates, _NUMBERS[optimizer], vectors)
