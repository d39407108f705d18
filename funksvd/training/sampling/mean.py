"""The mean of many draws as one model with few factors."""

from __future__ import annotations

import numpy as np

from funksvd.kernels import LANES, diagonalize, factorize, multiply, padded_rows
from funksvd.objectives.parameters import Parameters
from funksvd.training.executors import Executor
from funksvd.training.gram import gram_of, rotated

COLUMNS_ADDED = 96
"""Factors of draws that are put beside those of the mean before these are found anew, about."""
FACTORS_MORE = 16
"""Factors that the mean has more than a draw, at least."""
USUAL_FACTORS = 32
LEFT_OUT = 2e-4
"""Mean square of what is left out of the predictions of all pairs, in shares of the variance.

A model has no more than `USUAL_FACTORS`, unless these leave out more than this. On MovieLens 100K,
where draws have 22, they cost .0001 of RMSE, and on a million ratings nothing.
"""
ROUNDS, TOLERANCE = 30, 1e-7


class RunningMean:
    """The mean of the predictions of draws, as the product of rows of a fixed length.

    The mean of S draws is the product of their factors side by side, S times as many as one draw
    has. Since these are much alike, few factors say nearly the same: with X and Y the users' and
    the items' factors side by side, R = L U, where L L^T = X^T X and the columns of U are the first
    eigenvectors of L^T Y^T Y L, V = Y R / sigma are the first right singular vectors of X Y^T, and
    sigma^2 the eigenvalues. The best approximation of its rank is then X Y^T V V^T. It is found
    anew whenever some draws have come.

    Parameters
    ----------
    shape : (n_users, n_items)
    n_factors : int
        Of a draw.
    executor : Executor

    Attributes
    ----------
    n_draws : int
    """

    def __init__(self, shape: tuple[int, int], n_factors: int, executor: Executor) -> None:
        self.n_draws = 0
        self.executor = executor
        self.width = _whole_vectors(n_factors + FACTORS_MORE)
        n_columns = self.width + n_factors * max(1, COLUMNS_ADDED // n_factors)
        self.sides = tuple(padded_rows(n, n_columns) for n in shape)
        self.n_columns, self.filled = n_columns, self.width
        self.mean, self.biases = 0.0, tuple(np.zeros(n) for n in shape)

    def add(self, draw: Parameters) -> None:
        """Take a draw into the mean.

        Parameters
        ----------
        draw : Parameters
            In rating units: biases in float64, factors in float32.
        """
        n_factors = draw.user_factors.shape[1]
        if self.filled + n_factors > self.n_columns:
            self.sides = tuple(self._restacked(side) for side in self._compressed()[:2])
        at = slice(self.filled, self.filled + n_factors)
        for side, factors in zip(self.sides, draw[3:], strict=True):
            side[:, at] = factors
        self.filled += n_factors
        self.mean += draw.global_mean
        for total, biases in zip(self.biases, draw[1:3], strict=True):
            total += biases
        self.n_draws += 1

    def result(self, spread: float) -> Parameters:
        """The mean of the draws, with `USUAL_FACTORS` factors, or more where these are too few.

        Parameters
        ----------
        spread : float
            Standard deviation of the ratings.
        """
        users, items, sigmas = self._compressed()
        n = self.n_draws
        n_pairs = users.shape[0] * items.shape[0]
        left_out = np.cumsum(np.square(sigmas[::-1] / n))[::-1]  # by the factors from f on
        n_needed = int(np.count_nonzero(left_out > LEFT_OUT * n_pairs * spread**2))
        n_found = int(np.count_nonzero(sigmas > TOLERANCE * sigmas[0]))
        n_factors = max(1, min(n_found, max(USUAL_FACTORS, n_needed)))
        root = np.float32(np.sqrt(n))
        factors = (np.ascontiguousarray(side[:, :n_factors] / root) for side in (users, items))
        return Parameters(self.mean / n, *(total / n for total in self.biases), *factors)

    def _restacked(self, side: np.ndarray) -> np.ndarray:
        stacked = padded_rows(len(side), self.n_columns)
        stacked[:, : self.width] = side
        self.filled = self.width
        return stacked

    def _compressed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of users and items whose products are nearly the sum, and the singular values."""
        by_users, by_items = (gram_of(side, self.executor) for side in self.sides)
        lower = by_users.copy()
        factorize(lower)
        core = _product(np.ascontiguousarray(lower.T), _product(by_items, lower))
        core = (core + core.T) / 2
        vectors = np.empty_like(core)
        rounding = TOLERANCE**2 * max(float(np.trace(core)), 1e-30)
        diagonalize(core, rounding, TOLERANCE, ROUNDS, vectors)
        squares = np.maximum(np.diag(core), 0.0)
        order = np.argsort(-squares, kind="stable")[: self.width]
        sigmas = np.sqrt(squares[order])
        turned = _product(lower, np.ascontiguousarray(vectors[order].T))
        with np.errstate(divide="ignore"):
            scales = np.where(sigmas > TOLERANCE * sigmas[0], 1 / np.sqrt(sigmas), 0.0)
        to_items = (turned * scales).astype(np.float32)
        to_users = (_product(by_items, turned) * scales**3).astype(np.float32)
        users, items = (
            rotated(side, np.ascontiguousarray(matrix), self.executor)
            for side, matrix in zip(self.sides, (to_users, to_items), strict=True)
        )
        return users, items, sigmas


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    product = np.empty((left.shape[0], right.shape[1]))
    multiply(left, right, product)
    return product


def _whole_vectors(n: int) -> int:
    return -(-n // LANES) * LANES
