"""Draws from the conditional distributions that `funksvd.objectives.bayes` derives.

The same bits on every processor: each sum has its order, as explicit vectors where it takes time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled
from funksvd.kernels.vectors import LANES, fused, loaded, spread

TILE_ROWS = 8
RATINGS_AT_ONCE = 256
"""Products added up in float32 before their sum is added to the others in float64."""
ROWS_AT_ONCE = 8
"""Small systems of equations solved side by side, one in each lane of a vector."""

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), ROWS_AT_ONCE)
_INT64 = ir.IntType(64)


@intrinsic
def _sum_tile(context: Any, rows: Any, n: Any, a: Any, b: Any, tile: Any) -> tuple:
    """Sums of x_f x_g over n rows x, in their order, for the 8 f from a and the 16 g from b.

    Parameters
    ----------
    rows : ndarray of shape (at least n, width), float32
    n, a, b : int64
    tile : ndarray of shape (TILE_ROWS, LANES), float32
        Written.
    """
    whole = types.int64

    def generate(target: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        def array(at: int) -> Any:
            return target.make_array(signature.args[at])(target, builder, arguments[at])

        width = cgutils.unpack_tuple(builder, array(0).shape)[1]
        zero = ir.Constant(_FLOATS, [0.0] * LANES)
        totals = [cgutils.alloca_once_value(builder, zero) for _ in range(TILE_ROWS)]
        for total in totals:
            builder.store(zero, total)
        with cgutils.for_range(builder, arguments[1], intp=_INT64) as loop:
            row = builder.gep(array(0).data, [builder.mul(loop.index, width)])
            from_b = builder.gep(row, [arguments[3]])
            (x_g,) = loaded(builder, [builder.bitcast(from_b, _FLOATS.as_pointer())])
            for at, total in enumerate(totals):
                f = builder.add(arguments[2], ir.Constant(_INT64, at))
                x_f = spread(builder, builder.load(builder.gep(row, [f])))
                builder.store(fused(builder, x_f, x_g, builder.load(total)), total)
        out = builder.bitcast(array(4).data, _FLOATS.as_pointer())
        for at, total in enumerate(totals):
            place = builder.gep(out, [ir.Constant(_INT64, at)])
            builder.store(builder.load(total), place, align=4)
        return target.get_dummy_value()

    return types.void(rows, whole, whole, whole, tile), generate


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
def _sum_products(columns, values, features, scales, packed, tile, gram):
    """Sums over a row's ratings, of products of features; of the value, with and by itself.

    The value is what `draw_rows` calls the last feature.
    """
    width = features.shape[1]
    last = gram.shape[1] - 1
    gram[:] = 0.0
    for start in range(0, columns.size, RATINGS_AT_ONCE):
        n = min(RATINGS_AT_ONCE, columns.size - start)
        for at in range(n):
            j = columns[start + at]
            for f in range(width):
                packed[at, f] = features[j, f]
            packed[at, last] += scales[j] * values[start + at]
        for a in range(0, last + 1, TILE_ROWS):
            for b in range(0, a + TILE_ROWS, LANES):
                _sum_tile(packed, n, a, b, tile)
                for f in range(a, min(a + TILE_ROWS, last + 1)):
                    for g in range(b, min(b + LANES, f + 1)):
                        gram[f, g] += tile[f - a, g - b]


@compiled
def _solve(matrix, k, normals):
    """Draws from normal distributions, one in each lane.

    Their precisions A are in the rows of a lower triangle, followed by A times the mean as one
    more row, which the draw takes the place of: L^-T (L^-1 (A mean) + z), where A = L L^T.
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
            matrix[last + f, lane] += normals[f, lane]
    for f in range(k - 1, -1, -1):
        _multiply(matrix, last + f, f * (f + 1) // 2 + f)
        for g in range(f):
            _subtract_product(matrix, last + g, last + f, f * (f + 1) // 2 + g)


@compiled
def _squared_error(sums, k, lane, row):
    """|value - x . row|^2 from the sums of the products."""
    last = k * (k + 1) // 2
    total = sums[last + k, lane]
    for f in range(k):
        by_f = -2.0 * sums[last + f, lane] + row[f] * sums[f * (f + 1) // 2 + f, lane]
        for g in range(f):
            by_f += 2.0 * row[g] * sums[f * (f + 1) // 2 + g, lane]
        total += row[f] * by_f
    return max(total, 0.0)


@compiled
def draw_rows(span, ratings, features, scales, precisions, prior, normals, rows, errors):
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
        Of each column j the k features, minus offset_j, and zeros; the width is a multiple of 16.
    scales : ndarray of shape (n_columns,), float32
        s_j: the square root of the column's share of the precision.
    precisions : ndarray of shape (n_rows,), float64
        The row's share of it.
    prior : (ndarray of shape (k,), ndarray of shape (n_rows, k)), float64
        Of w: precisions, and means.
    normals : ndarray of shape (stop - first, k), float64
        Standard normal. With zeros, the conditional means are found.
    rows : ndarray of shape (n_rows, k), float64
        Written, as far as the span goes.
    errors : ndarray of shape (n_rows,), float64
        Written: sums of the squares of s_j r - x_j . w - offset_j.
    """
    first, stop = span
    indptr, index, values = ratings
    prior_precisions, prior_means = prior
    k = rows.shape[1]
    n_entries = (k + 1) * (k + 2) // 2
    packed = np.empty((RATINGS_AT_ONCE, features.shape[1]), np.float32)
    tile = np.empty((TILE_ROWS, LANES), np.float32)
    gram = np.empty((k + 1, k + 1))
    sums = np.empty((n_entries, ROWS_AT_ONCE))
    matrix = np.empty((n_entries, ROWS_AT_ONCE))
    z = np.empty((k, ROWS_AT_ONCE))
    for start in range(first, stop, ROWS_AT_ONCE):
        n_lanes = min(ROWS_AT_ONCE, stop - start)
        for lane in range(ROWS_AT_ONCE):
            u = start + min(lane, n_lanes - 1)  # what is left over repeats the last row
            own = slice(indptr[u], indptr[u + 1])
            _sum_products(index[own], values[own], features, scales, packed, tile, gram)
            at = 0
            for f in range(k + 1):
                for g in range(f + 1):
                    sums[at, lane] = gram[f, g]
                    matrix[at, lane] = precisions[u] * gram[f, g]
                    at += 1
            last = k * (k + 1) // 2
            for f in range(k):
                matrix[f * (f + 1) // 2 + f, lane] += prior_precisions[f]
                matrix[last + f, lane] += prior_precisions[f] * prior_means[u, f]
                z[f, lane] = normals[u - first, f]
        _solve(matrix, k, z)
        for lane in range(n_lanes):
            u = start + lane
            for f in range(k):
                rows[u, f] = matrix[k * (k + 1) // 2 + f, lane]
            errors[u] = _squared_error(sums, k, lane, rows[u])


@compiled
def draw_weights(lists, scales, precisions, own_precisions, normals, residuals, weights):
    """Draw the weights y_j of a regression of rows on whose lists they are, one after another.

    residual_u = row_u - mean - s_u * (sum of the y_j of the j on u's list).

    Parameters
    ----------
    lists : (indptr, index), ndarray of int64 and int32
        For each j, the rows u that have it on their list.
    scales : ndarray of shape (n_rows,), float64
        s_u.
    precisions, own_precisions : ndarray of shape (k,), float64
        Of the residuals, and of the weights before anything is known.
    normals : ndarray of shape (n_weights, k), float64
        Standard normal.
    residuals : ndarray of shape (n_rows, k), float64
        Changed in place.
    weights : ndarray of shape (n_weights, k), float64
        Changed in place.
    """
    indptr, index = lists
    k = weights.shape[1]
    totals = np.empty(k)
    for j in range(len(weights)):
        totals[:] = 0.0
        squares = 0.0
        for at in range(indptr[j], indptr[j + 1]):
            u = index[at]
            s = scales[u]
            squares += s * s
            for f in range(k):
                totals[f] += s * residuals[u, f]
        for f in range(k):
            precision = precisions[f] * squares + own_precisions[f]
            mean = precisions[f] * (totals[f] + squares * weights[j, f]) / precision
            drawn = mean + normals[j, f] / np.sqrt(precision)
            totals[f] = drawn - weights[j, f]
            weights[j, f] = drawn
        for at in range(indptr[j], indptr[j + 1]):
            u = index[at]
            s = scales[u]
            for f in range(k):
                residuals[u, f] -= s * totals[f]
