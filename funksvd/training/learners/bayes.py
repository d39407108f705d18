"""Gibbs sampling of Bayesian Funk SVD and SVD++; `funksvd.objectives.bayes` states the model.

Each epoch is one sweep: the distribution that users' rows come from, the users' rows, their noise,
then the same of the items, each drawn from its distribution given all else.

All was chosen on parts held out of MovieLens 100K's training files (10 % of u1.base to u3.base);
mean RMSE there, of the mean of all draws of 500 sweeps:

    Bayesian Funk SVD, one noise for all ratings           .8997
    that of each user and each item its own                .8913
    Bayesian SVD++, likewise                               .8755
    prior means that depend on users' sets of items only   .891     (noise of users)
    on items' sets of users only                           .882
    on both                                                .879

10 to 14 factors are equally good; priors that let factors correlate are not better. Keeping 50
draws of the 500 costs .0008, keeping 100 .0003. The rates of the precisions' priors, 0.01 and 0.03,
make intervals hold what they promise where factors are too many: with 12 for a planted 2, 90 %
intervals of Bayesian Funk SVD contain 90 to 93 % (with a rate of 0.1 up to 96 %, for the same RMSE
above), those of SVD++ 91 to 95 %, the more the fewer ratings. Weights begin at zero: where they
began at random, sampling did not come away from there in 500 sweeps.

Stochastic gradient Langevin dynamics (minibatches, steps preconditioned by the number of ratings,
one noise) was tried in the place of Gibbs sampling: with the best of four step sizes .9020 after as
many passes, and .8995 after three times as many, each of which takes as long as a sweep. It was not
kept: it is slower here, and has a step size to be chosen.

References
----------
M. Welling, Y. W. Teh, "Bayesian Learning via Stochastic Gradient Langevin Dynamics", 2011.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from funksvd.kernels import (
    LANES,
    draw_rows,
    draw_weights,
    group_by_row,
    multiply_rows,
    sum_columns,
    sum_squares,
    sum_values,
)
from funksvd.learned import LearnedRatings
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows
from funksvd.rng import gammas, normals
from funksvd.training.context import RatingContext
from funksvd.training.executors import Executor
from funksvd.training.learners.base import Progress, Sampler, decided
from funksvd.training.plan import BlockPlan, Triples

BURN_IN = 40
"""Sweeps, at most a fifth of all, whose draws depend on where sampling began and are not used."""
DRAWS_KEPT = 50
"""Largest number of draws that are kept, spread over the other sweeps; the model is their mean."""
RATINGS_PER_PART = 10_000
"""Ratings of the rows that are drawn as one part, with random numbers of its own."""
MAX_PARTS = 16
"""Largest number of parts that rows are drawn in, whatever the number of threads."""
COLUMNS_PER_PART = 8
"""Columns of the weights that are drawn as one part, with random numbers of its own."""
ROW_RATE, WEIGHT_RATE = 0.01, 0.03
"""Rates of the Gamma priors of the precisions of rows and of weights, eq. (3)."""
NOISE_SHAPES = 0.5 * 2 ** (np.arange(33) / 4)
"""The grid that the shape a of the noise is drawn from, eq. (4)."""
LOG_GAMMAS = np.array([math.lgamma(a) for a in NOISE_SHAPES])
"""Logarithms of the Gamma function of these shapes."""


class Side:
    """The users or the items: their rows (factors, then the bias), and where these come from.

    Parameters
    ----------
    ratings : CompressedRows
        Of this side's rows.
    n_factors : int
    known : (ndarray, ndarray) of shape (n_pairs,), int32; or None
        Rows of this side and of the other: the pairs that a row's prior mean depends on, eq. (2).
    random : numpy.random.Generator

    Attributes
    ----------
    rows : ndarray of shape (n, n_factors + 1), float64
        In units of the ratings' standard deviation.
    prior_means : ndarray of the same shape
        M of eq. (2).
    mean, precisions : ndarray of shape (n_factors + 1,)
        m and lambda.
    noise : ndarray of shape (n,)
        alpha_u, or gamma_i.
    """

    def __init__(
        self,
        ratings: CompressedRows,
        n_factors: int,
        known: tuple[np.ndarray, np.ndarray] | None,
        random: np.random.Generator,
    ) -> None:
        self.ratings = ratings
        self.counts = np.diff(ratings.indptr)
        self.is_rated = self.counts > 0
        n, k = len(self.counts), n_factors + 1
        self.rows = _normals(random, (n, k)) * 0.3
        self.rows[:, -1] = 0
        self.prior_means = np.zeros((n, k))
        self.mean, self.precisions = np.zeros(k), np.full(k, 10.0)
        self.noise, self.noise_shape = np.ones(n), 4.0
        self.errors = np.zeros(n)
        self.parts = _equal_parts(ratings.indptr, random)
        self.weights: np.ndarray | None = None
        if known is not None:
            rows, columns = known
            n_weights = int(columns.max()) + 1
            self.lists = group_by_row(columns, rows, n_weights)
            self.scales = 1 / np.sqrt(np.maximum(np.bincount(rows, minlength=n), 1))
            self.weights = np.zeros((n_weights, k))
            edges = [*range(0, k, COLUMNS_PER_PART), k]
            self.column_parts = [slice(*edge) for edge in pairwise(edges)]
            self.column_randoms = random.spawn(len(self.column_parts))

    def draw_prior(self, random: np.random.Generator, executor: Executor) -> None:
        """Draw the distribution of rows: mean, precisions and weights, eqs. (2) and (3)."""
        residuals = self.rows - (self.prior_means - self.mean)
        n, k = residuals.shape
        spread = np.sqrt(self.precisions * (n + 1))
        self.mean = sum_columns(residuals)[0] / (n + 1) + _normals(random, k) / spread
        residuals -= self.mean
        energies = sum_columns(residuals)[1] + np.square(self.mean)
        self.precisions = _drawn_precisions(n + 1, energies, ROW_RATE, random)
        if (all_weights := self.weights) is not None:
            energies = sum_columns(all_weights)[1]
            own = _drawn_precisions(len(all_weights), energies, WEIGHT_RATE, random)

            def draw(part: slice, random: np.random.Generator) -> None:
                drawn = np.ascontiguousarray(residuals[:, part])
                weights = np.ascontiguousarray(all_weights[:, part])
                drawn_normals = _normals(random, weights.shape)
                precisions = (self.precisions[part], own[part])
                draw_weights(self.lists, self.scales, *precisions, drawn_normals, drawn, weights)
                residuals[:, part], all_weights[:, part] = drawn, weights

            executor.map(draw, self.column_parts, self.column_randoms)
        self.prior_means = self.rows - residuals

    def draw_rows(self, other: Side, executor: Executor) -> None:
        """Draw the rows, given those of the other side, eq. (8)."""
        scales = np.sqrt(other.noise).astype(np.float32)
        features = features_of(other.rows, scales)
        prior = (self.precisions, self.prior_means)
        # A named tuple's type would become a part of what is kept of compiled code.
        ratings = tuple(self.ratings)

        def draw(span: tuple[int, int], random: np.random.Generator) -> None:
            drawn_normals = _normals(random, (span[1] - span[0], self.rows.shape[1]))
            given = (ratings, features, scales, self.noise, prior, drawn_normals)
            draw_rows(span, *given, self.rows, self.errors)

        executor.map(draw, *zip(*self.parts, strict=True))

    def draw_noise(self, random: np.random.Generator, has_unit_mean: bool) -> None:
        """Draw the rows' share of the precision of their ratings, eq. (4)."""
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


def features_of(rows: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The vectors that `draw_rows` explains ratings by: s (factors, 1, -bias), and zeros."""
    n, k = rows.shape
    features = np.zeros((n, -(-(k + 1) // LANES) * LANES), np.float32)
    features[:, : k - 1] = rows[:, :-1]
    features[:, k - 1] = 1
    features[:, k] = -rows[:, -1]
    features *= scales[:, None]
    return features


def _drawn_precisions(
    n: int, energies: np.ndarray, rate: float, random: np.random.Generator
) -> np.ndarray:
    """Precisions of normal distributions that n numbers with these sums of squares come from."""
    return gammas(random, np.full(len(energies), 1 + n / 2)) / (rate + energies / 2)


def _normals(random: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers as kernels take them, float64."""
    return normals(random, shape).astype(np.float64)


def _equal_parts(
    indptr: np.ndarray, random: np.random.Generator
) -> list[tuple[tuple[int, int], np.random.Generator]]:
    """Spans of rows with about as many ratings each, and random numbers for each of them."""
    n_parts = min(MAX_PARTS, 1 + int(indptr[-1]) // RATINGS_PER_PART)
    shares = np.linspace(0, indptr[-1], n_parts + 1)[1:-1]
    bounds = np.unique([0, *np.searchsorted(indptr, shares), len(indptr) - 1]).tolist()
    spans = list(pairwise(bounds))
    return list(zip(spans, random.spawn(len(spans)), strict=True))


class GibbsLearner(Sampler):
    """Draws parameters from their distribution given the ratings; the model is the draws' mean.

    Draws are kept as they are predicted with: in rating units, the rows of those that have ratings
    shifted to a mean of zero, so that zeros stand for an unknown user or item.
    """

    implicit = False

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        plan, random = self.plan, self.random
        self.ratings, self.held_back = (
            _in_old_numbers(plan, at) for at in ("learned", "held_back")
        )
        users, items, _ = self.ratings
        self.values, self.held_back_values = (
            decided(ratings.values) for ratings in (self.ratings, self.held_back)
        )
        values = ((self.values - self.scale.mean) / self.scale.spread).astype(np.float32)
        by_user = CompressedRows.from_pairs(users, items, len(plan.users.order), values)
        by_item = CompressedRows.from_pairs(items, users, len(plan.items.order), values)
        known = _known_pairs(plan) if self.implicit else None
        n_factors = self.n_factors
        self.users = Side(by_user, n_factors, known, random)
        self.items = Side(by_item, n_factors, known and known[::-1], random)
        n_epochs = self.hyperparameters.n_epochs
        self.burn_in = min(BURN_IN, n_epochs // 5)
        self.thinning = -(-(n_epochs - self.burn_in) // DRAWS_KEPT)
        self.n_sweeps = 0
        self.kept: list[Parameters] = []
        self.noise_sums = [np.zeros(len(side.noise)) for side in (self.users, self.items)]
        self.validation_sum = np.zeros(len(self.held_back_values))

    def run_epoch(self, progress: Progress) -> float:
        """One sweep; the training RMSE is that of its draw."""
        sides = (self.users, self.items)
        for mine, other in (sides, sides[::-1]):
            mine.draw_prior(self.random, self.executor)
            mine.draw_rows(other, self.executor)
            mine.draw_noise(self.random, has_unit_mean=mine is self.items)
            progress.ratings_done((self.plan.n_learned + (mine is self.users)) // 2)
        self.n_sweeps += 1
        self.latest = self._draw()
        after = self.n_sweeps - self.burn_in
        if after > 0:
            for sums, side in zip(self.noise_sums, sides, strict=True):
                sums += 1 / side.noise
        if after > 0 and after % self.thinning == 0:
            self.kept.append(self.latest)
            self.validation_sum += self._predictions(self.latest, self.held_back)
        errors = self._predictions(self.latest, self.ratings) - self.values
        return math.sqrt(sum_squares(errors, 0.0) / len(errors))

    def held_back_error(self) -> float | None:
        """Root mean squared error of the mean of the draws kept so far, or of the latest."""
        if not self.plan.n_held_back:
            return None
        if self.kept:
            predictions = self.validation_sum / len(self.kept)
        else:
            predictions = self._predictions(self.latest, self.held_back)
        errors = np.clip(predictions, self.scale.low, self.scale.high) - self.held_back_values
        return math.sqrt(sum_squares(errors, 0.0) / len(errors))

    def learned(self) -> LearnedRatings:
        """The mean of the draws kept; after the first sweeps, the latest draw."""
        learned = LearnedRatings.of_draws(self.kept or [self.latest])
        n = self.n_sweeps - self.burn_in
        if n < 1:
            return learned
        user_noise, item_noise = (
            (sums * (self.scale.spread / n)).astype(np.float32) for sums in self.noise_sums
        )
        return replace(learned, user_noise=user_noise, item_noise=item_noise)

    def _predictions(self, draw: Parameters, ratings: Triples) -> np.ndarray:
        index = (ratings.user_index, ratings.item_index)
        return predict_pairs(draw, *index, n_threads=self.executor.n_threads)

    def _draw(self) -> Parameters:
        """The rows as they are now, in rating units, float32.

        r = mu + b_u + b_i + p_u . q_i stays the same when the means p and q of the factors are
        moved to the biases, and those of the biases to mu.
        """
        (p, p_mean, b_u, mean_u), (q, q_mean, b_i, mean_i) = (
            _centered(side.rows, side.is_rated) for side in (self.users, self.items)
        )
        spread = self.scale.spread
        mean = self.scale.mean + spread * (mean_u + mean_i + math.fsum(p_mean * q_mean))
        biases = (b_u + multiply_rows(p, q_mean), b_i + multiply_rows(q, p_mean))
        arrays = (*(b * spread for b in biases), *(f * np.sqrt(spread) for f in (p, q)))
        return Parameters(mean, *(array.astype(np.float32) for array in arrays))


class ImplicitGibbsLearner(GibbsLearner):
    """The same, where prior means depend on who has rated what: Bayesian SVD++."""

    implicit = True


def _centered(
    rows: np.ndarray, is_rated: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Factors less their mean, their mean, biases less their mean, their mean.

    Means are over the rows that are rated; the others become zero.
    """
    means = sum_columns(rows[is_rated])[0] / np.count_nonzero(is_rated)
    centered = (rows - means) * is_rated[:, None]
    return centered[:, :-1], means[:-1], centered[:, -1], float(means[-1])


def _in_old_numbers(plan: BlockPlan, which: str) -> Triples:
    """The ratings that a plan learns from, or holds back, by the ratings' own indices."""
    parts = []
    for block in plan.blocks:
        at = getattr(block, which)
        pairs = _old_pairs(plan, block.users, block.items, plan.user_index[at], plan.item_index[at])
        parts.append((*pairs, plan.values[at]))
    return Triples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _known_pairs(plan: BlockPlan) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that users have dealt with: the ratings learned from, and pairs without a rating."""
    parts = [
        _old_pairs(plan, plan.users.group(g), plan.items.group(h), *pairs)
        for g, h in np.ndindex(*plan.bounds.shape[:2])
        for pairs in plan.pairs(g, h)
    ]
    users, items = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return users, items


def _old_pairs(
    plan: BlockPlan, users: slice, items: slice, user_index: np.ndarray, item_index: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a group of users and of a group of items in the old numbering."""
    return (
        plan.users.order[users][user_index].astype(np.int32),
        plan.items.order[items][item_index].astype(np.int32),
    )
