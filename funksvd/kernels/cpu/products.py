"""Inner products of rows of factors, written as explicit vectors: of one pair, and of a tile.

LLVM's own vectorizer may not reorder sums, and what it makes of rows this short is slow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

LANES = 16
VECTORS = 2
TILE_USERS, TILE_ITEMS = 12, VECTORS * LANES

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_ANYHOW = ("contract",)
"""Products and sums may be fused, or not."""


def _number(value: int) -> ir.Value:
    return ir.Constant(_INT64, value)


def _shuffled(builder: ir.IRBuilder, vector: ir.Value, lanes: list[int]) -> ir.Value:
    order = ir.Constant(ir.VectorType(_INT32, LANES), lanes)
    return builder.shuffle_vector(vector, _UNDEFINED, order)


def _loaded(builder: ir.IRBuilder, vectors: ir.Value, index: ir.Value) -> ir.Value:
    vector = builder.load(builder.gep(vectors, [index]))
    vector.align = 4
    return vector


def _spread(builder: ir.IRBuilder, floats: ir.Value, index: ir.Value) -> ir.Value:
    """The same number in all lanes."""
    scalar = builder.load(builder.gep(floats, [index]))
    first = builder.insert_element(_UNDEFINED, scalar, ir.Constant(_INT32, 0))
    return _shuffled(builder, first, [0] * LANES)


def _accumulate(
    builder: ir.IRBuilder, stop: ir.Value, totals: list[ir.Value], step: Callable, start: ir.Value
) -> list[ir.Value]:
    """A loop: `totals = step(at, totals)` for each `at` from `start` to `stop`."""
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    at = builder.phi(_INT64)
    at.add_incoming(start, before)
    sums = [builder.phi(total.type) for total in totals]
    builder.cbranch(builder.icmp_signed("<", at, stop), body, done)
    builder.position_at_end(body)
    for phi, total, new in zip(sums, totals, step(at, sums), strict=True):
        phi.add_incoming(total, before)
        phi.add_incoming(new, body)
    at.add_incoming(builder.add(at, _number(1)), body)
    builder.branch(head)
    builder.position_at_end(done)
    return sums


@intrinsic
def dot(context: Any, user_factors: Any, u: Any, item_factors: Any, i: Any) -> tuple:
    """P_u . q_i, the same bits on every processor.

    Products and sums are rounded one by one; 16 partial sums are added in a fixed tree, then the
    factors that do not fill a vector, one by one.

    Parameters
    ----------
    user_factors, item_factors : ndarray of shape (n, n_factors), float32
        C-contiguous.
    u, i : int64
        Not negative.

    Returns
    -------
    float32
    """
    signature = types.float32(user_factors, types.int64, item_factors, types.int64)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        rows = []
        for at in (0, 2):
            array = target.make_array(signature.args[at])(target, builder, arguments[at])
            n_factors = cgutils.unpack_tuple(builder, array.shape)[1]
            rows.append(builder.gep(array.data, [builder.mul(arguments[at + 1], n_factors)]))
        vectors = [builder.bitcast(row, _VECTOR.as_pointer()) for row in rows]

        def add_vectors(at: ir.Value, totals: list[ir.Value]) -> list[ir.Value]:
            product = builder.fmul(*(_loaded(builder, row, at) for row in vectors))
            return [builder.fadd(totals[0], product)]

        def add_numbers(at: ir.Value, totals: list[ir.Value]) -> list[ir.Value]:
            product = builder.fmul(*(builder.load(builder.gep(row, [at])) for row in rows))
            return [builder.fadd(totals[0], product)]

        n_vectors = builder.udiv(n_factors, _number(LANES))
        zeros = ir.Constant(_VECTOR, [0.0] * LANES)
        (total,) = _accumulate(builder, n_vectors, [zeros], add_vectors, _number(0))
        for distance in (8, 4, 2, 1):
            lanes = [(lane + distance) % LANES for lane in range(LANES)]
            total = builder.fadd(total, _shuffled(builder, total, lanes))
        total = builder.extract_element(total, ir.Constant(_INT32, 0))
        n_done = builder.mul(n_vectors, _number(LANES))
        return _accumulate(builder, n_factors, [total], add_numbers, n_done)[0]

    return signature, generate


def has_wide_registers() -> bool:
    """True if there are 32 registers of 16 lanes."""
    if config.CPU_FEATURES is not None:  # set by NUMBA_CPU_FEATURES
        return "+avx512f" in config.CPU_FEATURES
    return binding.get_host_cpu_features().get("avx512f", False)


@intrinsic
def score_tile(
    context: Any, rows: Any, tile: Any, panels: Any, panel: Any, thresholds: Any, scores: Any
) -> tuple:
    """Scores b_i + p_u . q_i of a tile's users for a panel's items.

    They stay in registers while the factors pass by, and round as the processor pleases.

    Parameters
    ----------
    rows : ndarray of shape (n_tiles, n_factors, TILE_USERS), float32
        Factors of the tiles' users.
    tile : int64
    panels : ndarray of shape (n_panels, n_factors + 1, TILE_ITEMS), float32
        Biases of the panels' items, then their factors.
    panel : int64
    thresholds : ndarray of shape (n_tiles * TILE_USERS,), float32
    scores : ndarray of shape (TILE_USERS, TILE_ITEMS), float32
        Written.

    Returns
    -------
    int64
        Bit r is set if one of the tile's r-th user's scores reaches the user's threshold.
    """
    signature = types.int64(rows, types.int64, panels, types.int64, thresholds, scores)
    n_rows, n_vectors = (TILE_USERS, VECTORS) if has_wide_registers() else (4, 1)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def array(at: int) -> Any:
            return target.make_array(signature.args[at])(target, builder, arguments[at])

        tile, panel = arguments[1], arguments[3]
        n_factors = cgutils.unpack_tuple(builder, array(0).shape)[1]
        first_user = builder.mul(tile, _number(TILE_USERS))
        p = builder.gep(array(0).data, [builder.mul(first_user, n_factors)])
        limits = builder.gep(array(4).data, [first_user])
        height = builder.mul(builder.add(n_factors, _number(1)), _number(VECTORS))
        q = builder.bitcast(array(2).data, _VECTOR.as_pointer())
        q = builder.gep(q, [builder.mul(panel, height)])
        out = builder.bitcast(array(5).data, _VECTOR.as_pointer())

        def sums_from(r: int, v: int) -> dict[tuple[int, int], ir.Value]:
            """Scores of `n_rows` users from the r-th for `n_vectors` vectors from the v-th."""
            at_rows, at_vectors = range(r, r + n_rows), range(v, v + n_vectors)

            def add(f: ir.Value, totals: list[ir.Value]) -> list[ir.Value]:
                at_p = builder.mul(f, _number(TILE_USERS))
                at_q = builder.mul(builder.add(f, _number(1)), _number(VECTORS))
                factors = [_loaded(builder, q, builder.add(at_q, _number(v))) for v in at_vectors]
                new = []
                for r in at_rows:  # in this order, so that there are registers enough
                    factor = _spread(builder, p, builder.add(at_p, _number(r)))
                    for q_f in factors:
                        product = builder.fmul(factor, q_f, flags=_ANYHOW)
                        new.append(builder.fadd(totals[len(new)], product, flags=_ANYHOW))
                return new

            biases = [_loaded(builder, q, _number(v)) for v in at_vectors] * n_rows
            sums = _accumulate(builder, n_factors, biases, add, _number(0))
            return dict(zip(itertools.product(at_rows, at_vectors), sums, strict=True))

        sums = {}
        for r in range(0, TILE_USERS, n_rows):
            for v in range(0, VECTORS, n_vectors):
                sums |= sums_from(r, v)
        rows_reached = _number(0)
        mask = ir.IntType(LANES)
        for r in range(TILE_USERS):
            limit = _spread(builder, limits, _number(r))
            reached = ir.Constant(mask, 0)
            for v in range(VECTORS):
                builder.store(sums[r, v], builder.gep(out, [_number(VECTORS * r + v)]), align=4)
                reaches = builder.fcmp_ordered(">=", sums[r, v], limit)
                reached = builder.or_(reached, builder.bitcast(reaches, mask))
            any_reached = builder.icmp_unsigned("!=", reached, ir.Constant(mask, 0))
            bit = builder.shl(builder.zext(any_reached, _INT64), _number(r))
            rows_reached = builder.or_(rows_reached, bit)
        return rows_reached

    return signature, generate
