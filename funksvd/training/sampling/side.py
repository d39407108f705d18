"""The users or the items of the Gibbs sampler: their rows, and where these come from."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from funksvd.kernels import (
    LANES,
    add_gram,
    add_products,
    diagonalize,
    draw_rows,
    draw_weights,
    group_by_row,
    padded_rows,
    rotate_rows,
    sum_columns,
    sum_values,
)
from funksvd.ratings import CompressedRows
from funksvd.rng import gammas, normals
from funksvd.training.executors import Executor

RATINGS_PER_PART = 10_000
"""Ratings of the rows that are drawn as one part, with random numbers of its own."""
MAX_PARTS = 16
"""Largest number of parts that rows are drawn in, whatever the number of threads."""
ROW_RATE, WEIGHT_RATE = 0.01, 0.03
"""Rates of the Gamma priors of the precisions of rows and of weights, eq. (3)."""
NOISE_SHAPES = 0.5 * 2 ** (np.arange(33) / 4)
"""The grid that the shape a of the noise is drawn from, eq. (4)."""
LOG_GAMMAS = np.array([math.lgamma(a) for a in NOISE_SHAPES])
"""Logarithms of the Gamma function of these shapes."""
TURNS, EXACTLY = 60, 1e-9
"""Largest number of rounds of rotations by which features are made orthogonal; how exactly."""

Task = Callable[[], None]


class Sets:
    """The y of eq. (2): what it says of a row which rows of the other side are in its set.

    Parameters
    ----------
    rows, columns : ndarray of shape (n_pairs,), int32
        Rows of this side, and of the other: the pairs of a row and a member of its set.
    n : int
        Number of rows of this side.
    k : int
        Length of a row.

    Attributes
    ----------
    weights : ndarray from `padded_rows`, float32
        The y_j, one a row.
    """

    def __init__(self, rows: np.ndarray, columns: np.ndarray, n: int, k: int) -> None:
        n_weights = int(columns.max(initial=-1)) + 1
        self.lists = group_by_row(columns, rows, n_weights)
        sizes = np.maximum(np.bincount(rows, minlength=n), 1)
        self.scales = (1 / np.sqrt(sizes)).astype(np.float32)
        self.squares = np.bincount(columns, 1 / sizes[rows], minlength=n_weights)
        self.weights = padded_rows(n_weights, k)

    def draw(
        self, precisions: np.ndarray, residuals: np.ndarray, random: np.random.Generator
    ) -> None:
        """Draw the weights; what they explain is taken from the residuals anew.

        Parameters
        ----------
        precisions : ndarray of shape (k,), float64
            Of the residuals.
        residuals : ndarray from `padded_rows`, float32
            Changed in place.
        random : numpy.random.Generator
        """
        k = len(precisions)
        energies = sum_columns(self.weights)[1][:k]
        own = drawn_precisions(len(self.weights), energies, WEIGHT_RATE, random)
        drawn = normals(random, (len(self.weights), k))
        given = (self.lists, self.scales, self.squares, precisions, own, drawn)
        draw_weights(*given, residuals, self.weights)


class Features:
    """The W of eq. (2): what features of a row say of it.

    The weights are independent of each other in the basis in which the features are orthogonal.
    Those of an axis on which no row lies, as there is one where columns say the same, are zero.

    Parameters
    ----------
    matrix : ndarray of shape (n, n_features), float32
    k : int
        Length of a row.
    is_informed : ndarray of shape (n,), bool
        The rows that the weights are drawn given.

    Attributes
    ----------
    basis : ndarray of shape (n_features and padding, n_features and padding), float32
        An axis of the basis a row.
    squares : ndarray of shape (n_features and padding,), float64
        Sums of the squares of the features in the basis, of informed rows; 0 where there is but
        rounding.
    turned : ndarray from `padded_rows`, float32
        The weights in the basis.
    explained : ndarray from `padded_rows`, float32
        x_u W of each row.
    """

    def __init__(self, matrix: np.ndarray, k: int, is_informed: np.ndarray) -> None:
        n, self.n_features = matrix.shape
        padded = padded_rows(n, self.n_features)
        padded[:, : self.n_features] = matrix
        width = padded.shape[1]
        gram = np.zeros((width, width))
        add_gram(padded * is_informed[:, None], gram)
        gram = np.triu(gram) + np.triu(gram, 1).T
        rotations = np.empty_like(gram)
        rounding = EXACTLY * max(float(np.trace(gram)), 1.0)
        diagonalize(gram, rounding, EXACTLY, TURNS, rotations)
        self.basis = rotations.astype(np.float32)
        self.squares = np.where(np.diag(gram) > rounding, np.diag(gram), 0.0)
        self.matrix = _times(padded, np.ascontiguousarray(self.basis.T))
        self.explained = padded_rows(n, k)
        self.turned = padded_rows(width, k)
        self._k, self._is_informed = k, is_informed[:, None]

    def draw(
        self, precisions: np.ndarray, residuals: np.ndarray, random: np.random.Generator
    ) -> None:
        """Draw the weights; what they explain is taken from the residuals anew.

        Parameters are those of `Sets.draw`.
        """
        k = self._k
        residuals += self.explained * self._is_informed
        # Rotations leave the sum of squares as it is.
        energies = sum_columns(self.turned)[1][:k]
        n = int(np.count_nonzero(self.squares))
        own = drawn_precisions(n, energies, WEIGHT_RATE, random)
        means, posterior = self.posterior(precisions, own, residuals)
        drawn = normals(random, means.shape) / np.sqrt(posterior)
        self.turned[:, :k] = means + drawn
        self.turned[self.squares == 0] = 0
        self.explained = _times(self.matrix, self.turned)
        residuals -= self.explained * self._is_informed

    def posterior(
        self, precisions: np.ndarray, own: np.ndarray, residuals: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and precisions of the weights in the basis, given all else, from eq. (9).

        Parameters
        ----------
        precisions, own : ndarray of shape (k,), float64
            lambda and kappa.
        residuals : ndarray from `padded_rows`, float32
            The rows, less all of their prior means but x W.

        Returns
        -------
        means, precisions : ndarray of shape (n_features and padding, k), float64
        """
        products = np.zeros((len(self.squares), residuals.shape[1]))
        add_products(self.matrix, residuals, products)
        posterior = self.squares[:, None] * precisions + own
        return precisions * products[:, : self._k] / posterior, posterior


def _times(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The product of two arrays of whole vectors, float32."""
    out = padded_rows(len(rows), matrix.shape[1])
    rotate_rows((0, len(rows)), matrix, rows, out)
    return out


class Side:
    """The users or the items: their rows (factors, then the bias), and where these come from.

    Each of the methods that draw has random numbers of its own, so that what does not depend on
    each other can be drawn at the same time.

    Parameters
    ----------
    ratings : CompressedRows
        Of this side's rows.
    n_factors : int
    known : (ndarray, ndarray) of shape (n_pairs,), int32; or None
        Rows of this side and of the other: the pairs that a row's prior mean depends on, eq. (2).
    features : ndarray of shape (n, n_features), float32, or None
        On which it depends, too.
    random : numpy.random.Generator

    Attributes
    ----------
    rows : ndarray of shape (n, n_factors + 1), float64
        In units of the ratings' standard deviation.
    row_means : ndarray of the same shape, float32
        Their means, given what they were drawn given.
    prior_means : ndarray of the same shape, float64
        M of eq. (2).
    mean, precisions : ndarray of shape (n_factors + 1,)
        m and lambda.
    noise : ndarray of shape (n,)
        alpha_u, or gamma_i.
    is_rated, is_informed : ndarray of shape (n,), bool
        Whether a row has ratings; whether it has ratings or a set.
    sets : Sets or None
    features : Features or None
    """

    def __init__(
        self,
        ratings: CompressedRows,
        n_factors: int,
        known: tuple[np.ndarray, np.ndarray] | None,
        features: np.ndarray | None,
        random: np.random.Generator,
    ) -> None:
        self.ratings = ratings
        self.counts = np.diff(ratings.indptr)
        self.is_rated = self.counts > 0
        n, k = len(self.counts), n_factors + 1
        self.rows = normals(random, (n, k)).astype(np.float64) * 0.3
        self.rows[:, -1] = 0
        self.row_means = self.rows.astype(np.float32)
        self.prior_means = np.zeros((n, k))
        self.mean, self.precisions = np.zeros(k), np.full(k, 10.0)
        self.noise, self.noise_shape = np.ones(n), 4.0
        self.errors = np.zeros(n)
        self.parts = _equal_parts(ratings.indptr, random)
        self.random = random.spawn(1)[0]
        self.sets = None if known is None else Sets(*known, n, k)
        self.is_informed = self.is_rated.copy()
        if known is not None:
            self.is_informed[known[0]] = True
        self.features = None
        if features is not None:
            self.features = Features(features, k, self.is_informed)

    def draw_prior(self) -> None:
        """Draw the distribution of rows: mean, precisions and weights, eqs. (2) and (3)."""
        random, is_informed = self.random, self.is_informed
        n, k = int(np.count_nonzero(is_informed)), self.rows.shape[1]
        residuals = padded_rows(*self.rows.shape)
        residuals[:, :k] = self.rows - (self.prior_means - self.mean)
        residuals[~is_informed] = 0
        spread = np.sqrt(self.precisions * (n + 1))
        drawn = normals(random, k).astype(np.float64)
        self.mean = sum_columns(residuals)[0][:k] / (n + 1) + drawn / spread
        residuals[:, :k] -= self.mean
        residuals[~is_informed] = 0
        energies = sum_columns(residuals)[1][:k] + np.square(self.mean)
        self.precisions = drawn_precisions(n + 1, energies, ROW_RATE, random)
        for weights in (self.sets, self.features):
            if weights is not None:
                weights.draw(self.precisions, residuals, random)
        self.prior_means = self.rows - residuals[:, :k]
        if not is_informed.all():
            self.prior_means[~is_informed] = self.mean
            if self.features is not None:
                self.prior_means += self.features.explained[:, :k] * ~is_informed[:, None]

    def row_tasks(self, other: Side) -> list[Task]:
        """Draw the rows, given those of the other side, eq. (10): in parts, each by one task."""
        features = features_of(other.rows, np.sqrt(other.noise).astype(np.float32))
        prior = (self.precisions, self.prior_means)
        # A named tuple's type would become a part of what is kept of compiled code.
        ratings = tuple(self.ratings)

        def draw(span: tuple[int, int], random: np.random.Generator) -> None:
            drawn = normals(random, (span[1] - span[0], self.rows.shape[1]))
            given = (ratings, features, self.noise, prior, drawn)
            draw_rows(span, *given, self.rows, self.row_means, self.errors)

        return [partial(draw, *part) for part in self.parts]

    def draw_noise(self, has_unit_mean: bool) -> None:
        """Draw the rows' share of the precision of their ratings, eq. (4)."""
        random = self.random
        noise = self.noise[self.is_rated]
        n, whole = len(noise), sum_values(noise)
        variance = 1.0
        if not has_unit_mean:
            shape = self.noise_shape
            variance = float(gammas(random, np.array([1 + shape * n]))[0]) / (1 + shape * whole)
        # Logarithms differ between processors in the last bit, choices of a grid point do not.
        a = NOISE_SHAPES
        logs = n * (a * np.log(a * variance) - LOG_GAMMAS) + (a - 1) * sum_values(np.log(noise))
        logs -= a * variance * whole
        weights = np.cumsum(np.exp(logs - logs.max()))
        self.noise_shape = float(a[np.searchsorted(weights, random.random() * weights[-1])])
        rates = self.noise_shape * variance + self.errors / 2
        # Rows with ratings have a shape of 1 or more; nothing depends on the noise of the others.
        self.noise = gammas(random, np.maximum(self.noise_shape + self.counts / 2, 1)) / rates


def run(tasks: list[Task], executor: Executor) -> None:
    """Do what does not depend on each other, at the same time as far as there are threads."""
    executor.map(lambda task: task(), tasks)


def features_of(rows: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The vectors that `draw_rows` explains ratings by: s (factors, 1, -bias), and zeros.

    Parameters
    ----------
    rows : ndarray of shape (n, k), float64
        Factors, then the bias.
    scales : ndarray of shape (n,), float32
        The s.

    Returns
    -------
    ndarray of shape (n, k + 1 rounded up to a multiple of 16), float32
    """
    n, k = rows.shape
    features = padded_rows(n, -(-(k + 1) // LANES) * LANES)
    features[:, : k - 1] = rows[:, :-1]
    features[:, k - 1] = 1
    features[:, k] = -rows[:, -1]
    features *= scales[:, None]
    return features


def _equal_parts(
    indptr: np.ndarray, random: np.random.Generator
) -> list[tuple[tuple[int, int], np.random.Generator]]:
    """Spans of rows with about as many ratings each, and random numbers for each of them."""
    n_parts = min(MAX_PARTS, 1 + int(indptr[-1]) // RATINGS_PER_PART)
    shares = np.linspace(0, indptr[-1], n_parts + 1)[1:-1]
    bounds = np.unique([0, *np.searchsorted(indptr, shares), len(indptr) - 1]).tolist()
    spans = list(pairwise(bounds))
    return list(zip(spans, random.spawn(len(spans)), strict=True))


def drawn_precisions(
    n: int, energies: np.ndarray, rate: float, random: np.random.Generator
) -> np.ndarray:
    """Precisions of normal distributions, given numbers that come from them.

    Parameters
    ----------
    n : int
        How many numbers come from each.
    energies : ndarray of shape (k,), float64
        The sums of their squares.
    rate : float
        Of the precisions' prior, Gamma(1, rate).
    random : numpy.random.Generator

    Returns
    -------
    ndarray of shape (k,), float64
    """
    return gammas(random, np.full(len(energies), 1 + n / 2)) / (rate + energies / 2)
