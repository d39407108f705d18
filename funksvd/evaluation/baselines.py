"""Baselines that a recommender must beat: predictions without factors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from funksvd.kernels import add_residuals, group_by_row, sweep
from funksvd.objectives.parameters import Parameters
from funksvd.parallel import PIECE, available_processors, in_order
from funksvd.ratings import CompressedRows, Ratings, Vocabulary

USER_DAMPING = 7.0
"""Weight of b_u**2 for each user: a bias is held as if by 7 ratings more, at the mean."""
ITEM_DAMPING = 3.0
"""Weight of b_i**2 for each item."""
DAMPINGS = (USER_DAMPING, ITEM_DAMPING)
TOLERANCE = 1e-7
"""Largest move of an item bias at which the search ends, as a share of the largest first move."""
MAX_SWEEPS = 100
"""Sweeps over the ratings after which the search ends anyway."""
MAX_PARTS = 16
"""Parts of the ratings that are summed at the same time, at most."""
RATINGS_PER_SUM = 8
"""Least number of ratings in a part for each of its sums, which are then a byte a rating."""


class RatedRows(Protocol):
    """Ratings that are sorted by user: on disk, for instance.

    Attributes
    ----------
    users, items : Vocabulary
    by_user : CompressedRows
        Items of each user, with ratings, float32.
    """

    @property
    def users(self) -> Vocabulary: ...
    @property
    def items(self) -> Vocabulary: ...
    @property
    def by_user(self) -> CompressedRows: ...


def global_mean(ratings: Ratings | RatedRows) -> Parameters:
    """Parameters that predict the mean of the ratings for every pair."""
    values = ratings.values if isinstance(ratings, Ratings) else ratings.by_user.values
    no_biases = (np.zeros(len(ids)) for ids in (ratings.users, ratings.items))
    return _without_factors(_mean(values), *no_biases)


def regularized_biases(ratings: Ratings | RatedRows, n_threads: int | None = None) -> Parameters:
    """Parameters without factors, which predict mu + b_u + b_i.

    The biases minimize the squared error plus 7 b_u**2 for each user and 3 b_i**2 for each item.
    These weights did about best on held-out parts of MovieLens 100K and latest-small.

    Parameters
    ----------
    ratings : Ratings or RatedRows
    n_threads : int, optional
        By default all processors. Does not change the result: sums are made in parts that do not
        depend on it.

    Notes
    -----
    At the minimum (7 + |Omega_u|) b_u = sum over i in Omega_u of (r_ui - mu - b_i), and (3 +
    |Omega_i|) b_i = sum over u in Omega_i of (r_ui - mu - b_u). With the users' equations put into
    the items', a system of the size of the items is left, positive definite; it is solved by
    conjugate gradients, each step of which is a sweep over the ratings, sorted by user. (Where
    there are more items than users, it is the other way round.) Plain sweeps over the two forms in
    turn find the same minimum, but slowly where few items have most of the ratings.

    References
    ----------
    Y. Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering", 2010,
    section 2.1.
    """
    n_threads = n_threads or available_processors()
    if not isinstance(ratings, Ratings):
        by_user, n_items = ratings.by_user, len(ratings.items)
        mean = _mean(by_user.values)
        targets = [
            _residual_sums(index_of, by_user.values, mean, n, n_threads)
            for index_of, n in (
                (by_user.rows_of, by_user.n_rows),
                (by_user.columns.__getitem__, n_items),
            )
        ]
        pairs = (by_user.indptr, by_user.columns)
        return _without_factors(mean, *_fit_biases(pairs, targets, DAMPINGS, n_threads))
    mean = _mean(ratings.values)
    sides = [
        (ratings.user_index, ratings.n_users, USER_DAMPING),
        (ratings.item_index, ratings.n_items, ITEM_DAMPING),
    ]
    by_item = ratings.n_items > ratings.n_users
    if by_item:
        sides.reverse()
    (rows, n_rows, row_damping), (columns, n_columns, column_damping) = sides
    targets = [
        _residual_sums(index.__getitem__, ratings.values, mean, n, n_threads)
        for index, n in ((rows, n_rows), (columns, n_columns))
    ]
    pairs = group_by_row(rows, columns, n_rows, n_threads)
    biases = _fit_biases(pairs, targets, (row_damping, column_damping), n_threads)
    return _without_factors(mean, *(reversed(biases) if by_item else biases))


def _fit_biases(
    pairs: tuple[np.ndarray, np.ndarray],
    targets: Sequence[np.ndarray],
    dampings: tuple[float, float],
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Biases of rows and columns, from the sums of their ratings less the mean."""
    (indptr, columns), (targets_of_rows, column_targets) = pairs, targets
    n_rows, n_columns = map(len, targets)
    row_damping, column_damping = dampings
    weights = row_damping + np.diff(indptr)
    row_biases = np.empty(n_rows)

    parts = _parts(len(columns), n_columns)
    bounds = np.searchsorted(indptr, [part.stop for part in parts])
    spans = list(zip([0, *bounds[:-1].tolist()], bounds.tolist(), strict=True))

    def fit_rows(column_biases: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Fit the rows' biases to those of the columns; return sums of them by column."""

        def fit(span: tuple[int, int]) -> np.ndarray:
            sums = np.zeros(n_columns)
            sweep(span, indptr, columns, column_biases, targets, weights, row_biases, sums)
            return sums

        return sum(in_order(fit, spans, n_threads), np.zeros(n_columns))

    no_targets, no_biases = np.zeros(n_rows), np.zeros(n_columns)
    column_weights = column_damping + fit_rows(no_biases, weights)  # rows' biases of 1: counts
    column_biases = _conjugate_gradients(
        lambda biases: column_weights * biases + fit_rows(biases, no_targets),
        column_targets - fit_rows(no_biases, targets_of_rows),
        column_weights,
    )
    fit_rows(column_biases, targets_of_rows)
    return row_biases, column_biases


def _mean(values: np.ndarray | None) -> float:
    assert values is not None
    return float(np.mean(values, dtype=np.float64))


def _residual_sums(
    index_of: Callable[[slice], np.ndarray],
    values: np.ndarray | None,
    mean: float,
    n_rows: int,
    n_threads: int,
) -> np.ndarray:
    """Sum of rating less mean of each row; `index_of` gives the rows of some ratings."""
    assert values is not None

    def add(part: slice) -> np.ndarray:
        sums = np.zeros(n_rows)
        for start in range(part.start, part.stop, PIECE):
            piece = slice(start, min(start + PIECE, part.stop))
            add_residuals(index_of(piece), values[piece], mean, sums)
        return sums

    return sum(in_order(add, _parts(len(values), n_rows), n_threads), np.zeros(n_rows))


def _parts(n: int, n_sums: int) -> list[slice]:
    """Parts of n ratings, each of which makes `n_sums` sums of its own."""
    n_parts = min(max(1, n // (RATINGS_PER_SUM * n_sums)), MAX_PARTS)
    bounds = [n * part // n_parts for part in range(n_parts + 1)]
    return list(map(slice, bounds[:-1], bounds[1:]))


def _conjugate_gradients(
    times_matrix: Callable[[np.ndarray], np.ndarray], right: np.ndarray, diagonal: np.ndarray
) -> np.ndarray:
    """Solve a positive definite system; sums are made by NumPy, whose order is always the same."""
    solution = np.zeros_like(right)
    residual = right
    move = direction = residual / diagonal
    limit = TOLERANCE * np.abs(move).max(initial=0)
    size = np.sum(residual * move)
    for _ in range(MAX_SWEEPS):
        if np.abs(move).max(initial=0) <= limit:
            break
        product = times_matrix(direction)
        step = size / np.sum(direction * product)
        solution = solution + step * direction
        residual = residual - step * product
        move = residual / diagonal
        last, size = size, np.sum(residual * move)
        direction = move + size / last * direction
    return solution


def _without_factors(mean: float, user_biases: np.ndarray, item_biases: np.ndarray) -> Parameters:
    return Parameters(
        mean,
        user_biases.astype(np.float32),
        item_biases.astype(np.float32),
        np.zeros((len(user_biases), 0), dtype=np.float32),
        np.zeros((len(item_biases), 0), dtype=np.float32),
    )
