"""Draws from the conditional distributions that `funksvd.objectives.bayes` derives.

The same bits on every processor: each sum has its order, as explicit vectors where it takes time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.fours import dot_four
from funksvd.kernels.cpu.products import has_wide_registers
from funksvd.kernels.vectors import (
    LANES,
    PREFETCHED,
    fetch,
    fused,
    loaded,
    row_pointers,
    spread,
    vectors_of,
)

HIGH, LOW = ((n, (0,) * n) for n in ((16, 8) if has_wide_registers() else (4, 4)))
"""Rows of the tiles of sums of products that fit the registers: as a number and as a tuple."""
RATINGS_AT_ONCE = 256
"""Products added up in float32 before their sum is added to the others in float64."""
ROWS_AT_ONCE = 8
"""Small systems of equations solved side by side, one in each lane of a vector."""

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), ROWS_AT_ONCE)
_INT64 = ir.IntType(64)


@intrinsic
def _sum_tile(
    context: Any,
    features: Any,
    index: Any,
    values: Any,
    start: Any,
    stop: Any,
    corner: Any,
    k: Any,
    tile: Any,
    height: Any,
    with_values: Any,
) -> tuple:
    """Sums of x_f x_g over ratings, in their order, for as many f and 16 g; of t x_g and t t, too.

    x is the row of a rating's column, and t = x_k + x_(k-1) r.

    Parameters
    ----------
    features : ndarray of shape (n_columns, width), float32
    index, values : ndarray of int32 and float32
        Columns and values of the ratings.
    start, stop : int64
        The first rating, and the one after the last.
    corner : tuple of two int64
        The first f, and the first g.
    k : int64
    tile : ndarray of shape (at least n + 2, LANES), float32
        Written: a row for each f; those of t x_g; t t.
    height : tuple of length n
    with_values : tuple of length 0 or 1
        Whether t is summed, too.
    """
    whole, n = types.int64, len(height)

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def array(at: int) -> Any:
            return target.make_array(signature.args[at])(target, builder, arguments[at])

        def number(value: int) -> ir.Value:
            return ir.Constant(_INT64, value)

        rows, columns, ratings = (array(at) for at in range(3))
        width = cgutils.unpack_tuple(builder, rows.shape)[1]
        start, stop, corner, k = arguments[3:7]
        first_f, first_g = cgutils.unpack_tuple(builder, corner)
        has_values = len(with_values) > 0
        zero, none = ir.Constant(_FLOATS, [0.0] * LANES), ir.Constant(ir.FloatType(), 0.0)
        totals = [cgutils.alloca_once_value(builder, zero) for _ in range(n + has_values)]
        square = cgutils.alloca_once_value(builder, none)
        for total in totals:
            builder.store(zero, total)
        builder.store(none, square)
        last = builder.sub(stop, number(1))
        with cgutils.for_range_slice(builder, start, stop, number(1), intp=_INT64) as (at, _):

            def row_of(at: ir.Value) -> ir.Value:
                j = builder.load(builder.gep(columns.data, [at]))
                return builder.gep(rows.data, [builder.mul(builder.zext(j, _INT64), width)])

            row = row_of(at)
            from_g = builder.bitcast(builder.gep(row, [first_g]), _FLOATS.as_pointer())
            (x_g,) = loaded(builder, [from_g])
            if has_values:
                soon = builder.add(at, number(PREFETCHED))
                soon = builder.select(builder.icmp_signed("<", soon, last), soon, last)
                fetch(builder, builder.gep(row_of(soon), [first_g]))
            for f in range(n):
                place = builder.gep(row, [builder.add(first_f, number(f))])
                x_f = spread(builder, builder.load(place))
                builder.store(fused(builder, x_f, x_g, builder.load(totals[f])), totals[f])
            if has_values:
                x_k = builder.load(builder.gep(row, [k]))
                scale = builder.load(builder.gep(row, [builder.sub(k, number(1))]))
                rating = builder.load(builder.gep(ratings.data, [at]))
                t = builder.fadd(x_k, builder.fmul(scale, rating))
                total = fused(builder, spread(builder, t), x_g, builder.load(totals[n]))
                builder.store(total, totals[n])
                builder.store(builder.fadd(builder.load(square), builder.fmul(t, t)), square)
        data = array(7).data
        out = builder.bitcast(data, _FLOATS.as_pointer())
        for at, total in enumerate(totals):
            builder.store(builder.load(total), builder.gep(out, [number(at)]), align=4)
        if has_values:
            place = builder.gep(data, [number((n + 1) * LANES)])
            builder.store(builder.load(square), place)
        return target.get_dummy_value()

    corners = types.UniTuple(whole, 2)
    kinds = (features, index, values, whole, whole, corners, whole, tile, height, with_values)
    return types.void(*kinds), generate


def _rows_of_lanes(
    target: Any, builder: ir.IRBuilder, signature: Any, arguments: list
) -> tuple[list[ir.Value], ir.Value]:
    """The rows of an array that are named by the other arguments; where the first one is."""
    data = target.make_array(signature.args[0])(target, builder, arguments[0]).data
    rows = builder.bitcast(data, _DOUBLES.as_pointer())
    places = [builder.gep(rows, [argument]) for argument in arguments[1:]]
    values = [builder.load(place) for place in places]
    for value in values:
        value.align = 8
    return values, places[0]


@intrinsic
def _subtract_product(context: Any, array: Any, p: Any, q: Any, r: Any) -> tuple:
    """array[p] -= array[q] * array[r], lane by lane; both results are rounded."""

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        (x_p, x_q, x_r), place = _rows_of_lanes(target, builder, signature, arguments)
        builder.store(builder.fsub(x_p, builder.fmul(x_q, x_r)), place, align=8)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64, types.int64), generate


@intrinsic
def _multiply(context: Any, array: Any, p: Any, q: Any) -> tuple:
    """array[p] *= array[q], lane by lane."""

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        (x_p, x_q), place = _rows_of_lanes(target, builder, signature, arguments)
        builder.store(builder.fmul(x_p, x_q), place, align=8)
        return target.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@compiled
def _sum_products(index, values, start, stop, features, k, tile, sums, lane):
    """Add up products of features over a row's ratings; of the value, with and by itself.

    The value is what `draw_rows` calls the last feature. The sums are the rows of a lower triangle,
    in a lane of an array.
    """
    last = k * (k + 1) // 2
    for first in range(start, stop, RATINGS_AT_ONCE):
        end = min(first + RATINGS_AT_ONCE, stop)
        for b in range(0, k, LANES):
            a = b
            while a < k:
                given = (features, index, values, first, end, (a, b), k, tile)
                n = HIGH[0] if k - a > LOW[0] else LOW[0]
                if n == HIGH[0] and a == b:
                    _sum_tile(*given, HIGH[1], (0,))
                elif n == HIGH[0]:
                    _sum_tile(*given, HIGH[1], ())
                elif a == b:
                    _sum_tile(*given, LOW[1], (0,))
                else:
                    _sum_tile(*given, LOW[1], ())
                if a == b:
                    for g in range(b, min(b + LANES, k)):
                        sums[last + g, lane] += np.float64(tile[n, g - b])
                    if b == 0:
                        sums[last + k, lane] += np.float64(tile[n + 1, 0])
                for f in range(a, min(a + n, k)):
                    row = f * (f + 1) // 2
                    for g in range(b, min(b + LANES, f + 1)):
                        sums[row + g, lane] += np.float64(tile[f - a, g - b])
                a += n


@compiled
def _solve(matrix, k, normals):
    """Draws from normal distributions, one in each lane, and their means.

    Their precisions A are in the rows of a lower triangle, followed by A times the mean as one
    more row, which the draw takes the place of: L^-T (L^-1 (A mean) + z), where A = L L^T. In the
    row after that, the mean is written.
    """
    for j in range(k):
        jj = j * (j + 1) // 2 + j
        for lane in range(ROWS_AT_ONCE):
            matrix[jj, lane] = 1.0 / np.sqrt(matrix[jj, lane])
        for i in range(j + 1, k + 1):
            _multiply(matrix, i * (i + 1) // 2 + j, jj)
        for i in range(j + 1, k + 1):
            for g in range(j + 1, min(i + 1, k)):
                row = i * (i + 1) // 2
                _subtract_product(matrix, row + g, row + j, g * (g + 1) // 2 + j)
    last = k * (k + 1) // 2
    for f in range(k):
        for lane in range(ROWS_AT_ONCE):
            matrix[last + k + f, lane] = matrix[last + f, lane]
            matrix[last + f, lane] += normals[f, lane]
    for row in (last, last + k):
        for f in range(k - 1, -1, -1):
            _multiply(matrix, row + f, f * (f + 1) // 2 + f)
            for g in range(f):
                _subtract_product(matrix, row + g, row + f, f * (f + 1) // 2 + g)


@compiled
def _square_errors(sums, k, rows, by_feature, totals):
    """|value - x . row|^2 from the sums of the products, lane by lane; written to `totals`."""
    last = k * (k + 1) // 2
    for lane in range(ROWS_AT_ONCE):
        totals[lane] = sums[last + k, lane]
    for f in range(k):
        row = f * (f + 1) // 2
        for lane in range(ROWS_AT_ONCE):
            own = rows[f, lane] * sums[row + f, lane]
            by_feature[lane] = own - 2.0 * sums[last + f, lane]
        for g in range(f):
            for lane in range(ROWS_AT_ONCE):
                by_feature[lane] += 2.0 * rows[g, lane] * sums[row + g, lane]
        for lane in range(ROWS_AT_ONCE):
            totals[lane] += rows[f, lane] * by_feature[lane]


@compiled
def draw_rows(span, ratings, features, precisions, prior, normals, rows, means, errors):
    """Draw the rows of users (or of items) given those of the items (or of the users).

    A row w explains a rating by the features x_j of its column j, s_j r = x_j . w + offset_j, up
    to normal errors of the same precision for all of a row's ratings: a linear regression.

    Parameters
    ----------
    span : (int, int)
        The first row, and the one after the last.
    ratings : (indptr, index, values), ndarray of int64, int32 and float32
        In compressed sparse row form.
    features : ndarray of shape (n_columns, width), float32
        Of each column j the k features, the last of which is s_j, the square root of the column's
        share of the precision; minus offset_j; and zeros. The width is a multiple of 16.
    precisions : ndarray of shape (n_rows,), float64
        The row's share of it.
    prior : (ndarray of shape (k,), ndarray of shape (n_rows, k)), float64
        Of w: precisions, and means.
    normals : ndarray of shape (stop - first, k), float32
        Standard normal.
    rows : ndarray of shape (n_rows, k), float64
        Written, as far as the span goes.
    means : ndarray of shape (n_rows, k), float32
        Written for the same rows: the means of the distributions that these are drawn from.
    errors : ndarray of shape (n_rows,), float64
        Written: sums of the squares of s_j r - x_j . w - offset_j.
    """
    first, stop = span
    indptr, index, values = ratings
    prior_precisions, prior_means = prior
    k = rows.shape[1]
    n_entries = (k + 1) * (k + 2) // 2
    last = k * (k + 1) // 2
    tile = np.empty((HIGH[0] + 2, LANES), np.float32)
    sums = np.empty((n_entries, ROWS_AT_ONCE))
    matrix = np.empty((last + max(k + 1, 2 * k), ROWS_AT_ONCE))
    z, drawn = np.empty((k, ROWS_AT_ONCE)), np.empty((k, ROWS_AT_ONCE))
    shares, by_feature, totals = np.empty((3, ROWS_AT_ONCE))
    for start in range(first, stop, ROWS_AT_ONCE):
        n_lanes = min(ROWS_AT_ONCE, stop - start)
        sums[:] = 0.0
        for lane in range(ROWS_AT_ONCE):
            u = start + min(lane, n_lanes - 1)  # what is left over repeats the last row
            begin, end = indptr[u], indptr[u + 1]
            _sum_products(index, values, begin, end, features, k, tile, sums, lane)
            shares[lane] = precisions[u]
        for at in range(n_entries):
            for lane in range(ROWS_AT_ONCE):
                matrix[at, lane] = shares[lane] * sums[at, lane]
        for lane in range(ROWS_AT_ONCE):
            u = start + min(lane, n_lanes - 1)
            for f in range(k):
                matrix[f * (f + 1) // 2 + f, lane] += prior_precisions[f]
                matrix[last + f, lane] += prior_precisions[f] * prior_means[u, f]
                z[f, lane] = normals[u - first, f]
        _solve(matrix, k, z)
        drawn[:] = matrix[last : last + k]
        _square_errors(sums, k, drawn, by_feature, totals)
        for lane in range(n_lanes):
            u = start + lane
            for f in range(k):
                rows[u, f] = drawn[f, lane]
                means[u, f] = matrix[last + k + f, lane]
            errors[u] = max(totals[lane], 0.0)


@contextlib.contextmanager
def _each_listed(
    target: Any, builder: ir.IRBuilder, signature: Any, arguments: list, n_vectors: int
) -> Iterator[tuple[ir.Value, list[ir.Value]]]:
    """A loop over a list, for the arguments that both functions below begin with.

    Yields
    ------
    scale : float32 value
        The scale of u = index[at].
    places : list of pointer
        Vectors of its row.
    """
    index_at, scales_at = (
        target.make_array(signature.args[at])(target, builder, arguments[at]).data for at in (0, 3)
    )
    _, start, stop, _, rows = arguments[:5]
    one = ir.Constant(_INT64, 1)
    with cgutils.for_range_slice(builder, start, stop, one, intp=_INT64) as (at, _):
        u = builder.load(builder.gep(index_at, [at]))
        scale = builder.load(builder.gep(scales_at, [u]))
        yield scale, row_pointers(target, builder, signature.args[4], rows, u, n_vectors)


@intrinsic
def _sum_listed(
    context: Any,
    index: Any,
    start: Any,
    stop: Any,
    scales: Any,
    rows: Any,
    totals: Any,
    vectors: Any,
) -> tuple:
    """Totals = the sum over at from start to stop of scales_u rows_u, where u = index[at]."""
    n_vectors, whole = len(vectors), types.int64

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        zero = ir.Constant(_FLOATS, [0.0] * LANES)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(n_vectors)]
        for total in sums:
            builder.store(zero, total)
        loop = _each_listed(target, builder, signature, arguments, n_vectors)
        with loop as (scale, places):
            scale = spread(builder, scale)
            for total, row in zip(sums, loaded(builder, places), strict=True):
                builder.store(fused(builder, scale, row, builder.load(total)), total)
        zeroth = ir.Constant(ir.IntType(32), 0)
        places = row_pointers(target, builder, signature.args[5], arguments[5], zeroth, n_vectors)
        for total, place in zip(sums, places, strict=True):
            builder.store(builder.load(total), place, align=4)
        return target.get_dummy_value()

    return types.void(index, whole, whole, scales, rows, totals, vectors), generate


@intrinsic
def _subtract_listed(
    context: Any,
    index: Any,
    start: Any,
    stop: Any,
    scales: Any,
    rows: Any,
    moves: Any,
    vectors: Any,
) -> tuple:
    """Rows_u -= scales_u moves, for u = index[at] and at from start to stop."""
    n_vectors, whole = len(vectors), types.int64

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        zeroth = ir.Constant(ir.IntType(32), 0)
        places = row_pointers(target, builder, signature.args[5], arguments[5], zeroth, n_vectors)
        steps = loaded(builder, places)
        minus = ir.Constant(ir.FloatType(), -1.0)
        loop = _each_listed(target, builder, signature, arguments, n_vectors)
        with loop as (scale, places):
            scale = spread(builder, builder.fmul(minus, scale))
            for place, step, row in zip(places, steps, loaded(builder, places), strict=True):
                builder.store(fused(builder, scale, step, row), place, align=4)
        return target.get_dummy_value()

    return types.void(index, whole, whole, scales, rows, moves, vectors), generate


@compiled
def _draw_weights(
    lists, scales, squares, precisions, own_precisions, normals, residuals, weights, vectors
):
    indptr, index = lists
    k = precisions.size
    totals = np.zeros((1, weights.shape[1]), np.float32)
    for j in range(len(weights)):
        start, stop = indptr[j], indptr[j + 1]
        _sum_listed(index, start, stop, scales, residuals, totals, vectors)
        for f in range(k):
            before = np.float64(weights[j, f])
            precision = precisions[f] * squares[j] + own_precisions[f]
            mean = precisions[f] * (totals[0, f] + squares[j] * before) / precision
            weights[j, f] = mean + normals[j, f] / np.sqrt(precision)
            totals[0, f] = np.float64(weights[j, f]) - before
        _subtract_listed(index, start, stop, scales, residuals, totals, vectors)


def draw_weights(
    lists: tuple[np.ndarray, np.ndarray],
    scales: np.ndarray,
    squares: np.ndarray,
    precisions: np.ndarray,
    own_precisions: np.ndarray,
    normals: np.ndarray,
    residuals: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Draw the weights y_j of a regression of rows on whose lists they are, one after another.

    residual_u = row_u - mean - s_u * (sum of the y_j of the j on u's list).

    Parameters
    ----------
    lists : (indptr, index), ndarray of int64 and int32
        For each j, the rows u that have it on their list.
    scales : ndarray of shape (n_rows,), float32
        s_u.
    squares : ndarray of shape (n_weights,), float64
        For each j, the sum of the s_u^2 of the rows that have it on their list.
    precisions, own_precisions : ndarray of shape (k,), float64
        Of the residuals, and of the weights before anything is known.
    normals : ndarray of shape (n_weights, k), float32
        Standard normal.
    residuals : ndarray from `padded_rows`, float32
        Changed in place.
    weights : ndarray from `padded_rows`, float32
        Changed in place.
    """
    _draw_weights(
        lists,
        scales,
        squares,
        precisions,
        own_precisions,
        normals,
        residuals,
        weights,
        vectors_of(residuals),
    )


@compiled
def draw_days(span, ratings, days, features, precisions, rows, precision, normals, biases, values):
    """Draw what all ratings of a user on a day have in common, given the rows.

    It explains s_j (r - d) = x_j . w + offset_j, as in `draw_rows`, for a user's ratings of a day.

    Parameters
    ----------
    span : (int, int)
        The first row, and the one after the last.
    ratings : (indptr, index, values), ndarray of int64, int32 and float32
        In compressed sparse row form; the values are r.
    days : (ndarray of shape (n_rows + 1,), ndarray of shape (n_ratings,)), int64 and int32
        Where each row's days begin among all days, and the day of each rating, counted from
        there; -1 for none.
    features, precisions : ndarray
        As for `draw_rows`.
    rows : ndarray of shape (n_rows, k), float64
        The w.
    precision : float
        Of the d before anything is known.
    normals : ndarray of shape (n_days of the span,), float32
        Standard normal.
    biases : (ndarray, ndarray) of shape (n_days,), float32
        Written: the draws d, and their conditional means.
    values : ndarray of shape (n_ratings,), float32
        Written: r - d.

    Returns
    -------
    float
        The sum of the squares of r - d - w . (q_j, 1) - b_j.
    """
    indptr, index, given = ratings
    starts, day_of = days
    draws, means = biases
    k = rows.shape[1]
    w = np.zeros(features.shape[1], np.float32)
    w[k] = -1.0
    total = 0.0
    for u in range(*span):
        n_days = starts[u + 1] - starts[u]
        sums, weights = np.zeros(n_days), np.zeros(n_days)
        begin, stop = indptr[u], indptr[u + 1]
        errors = np.empty(stop - begin)
        for f in range(k):
            w[f] = rows[u, f]
        for first in range(begin, stop, 4):
            last = min(first + 4, stop) - 1
            a, b, c, d = (
                index[first],
                index[min(first + 1, last)],
                index[min(first + 2, last)],
                index[min(first + 3, last)],
            )
            products = dot_four(features, a, b, c, d, w)
            for at in range(first, last + 1):
                s = np.float64(features[index[at], k - 1])
                error = s * given[at] - products[at - first]
                errors[at - begin] = error / s
                if day_of[at] >= 0:
                    sums[day_of[at]] += s * error
                    weights[day_of[at]] += s * s
        for day in range(n_days):
            at = starts[u] + day
            posterior = precision + precisions[u] * weights[day]
            means[at] = precisions[u] * sums[day] / posterior
            draws[at] = means[at] + normals[at - starts[span[0]]] / np.sqrt(posterior)
        for at in range(begin, stop):
            bias = np.float32(0.0)
            if day_of[at] >= 0:
                bias = draws[starts[u] + day_of[at]]
            values[at] = given[at] - bias
            total += (errors[at - begin] - bias) ** 2
    return total
