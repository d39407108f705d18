"""Gibbs sampling of Bayesian Funk SVD and SVD++; `funksvd.objectives.bayes` states the model.

Each epoch is one sweep: users' rows and their noise, the same of the items, the distributions that
rows come from, and biases of users on days, each drawn from its distribution given all else.

All was chosen on parts held out of MovieLens 100K's training files (10 % of u1.base to u3.base);
mean RMSE there, of the mean of 50 draws of 500 sweeps with 12 factors:

    Bayesian Funk SVD, one noise for all ratings           .8997
    that of each user and each item its own                .8913
    Bayesian SVD++, noise of each user and each item       .8755
    prior means that depend on users' sets of items only   .891     (noise of users)
    on items' sets of users only                           .882
    on both                                                .879

Priors that let factors correlate are not better. The rates of the precisions' priors, 0.01 and
0.03, make intervals hold what they promise where factors are too many: with 12 for a planted 2,
90 % intervals of Bayesian Funk SVD contain 90 to 93 % (with a rate of 0.1 up to 96 %, for the same
RMSE above), those of SVD++ 91 to 95 %, the more the fewer ratings. Weights begin at zero: where
they began at random, sampling did not come away from there in 500 sweeps.

What factors are worth, by Bayesian SVD++ without days, where the mean is that of all draws: RMSE on
10 % held out of u1.base, u2.base and of latest-small, 540 sweeps, and on a million synthetic
ratings with 40 planted factors, 250 sweeps, with their processor seconds::

    factors                     12       14       22       30
    u1.base                   .8727    .8715    .8708
    u2.base                   .8850    .8849    .8827
    latest-small              .8293    .8290    .8277
    a million ratings         .8278    .8266    .8252    .8251
    processor seconds          10.5     11.0     18.6     25.0

Of 540 sweeps, 250 cost .001 to .002 on u1.base and .0006 on a million ratings.

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

import numpy as np

from funksvd.kernels import multiply_rows, sum_columns, sum_squares, sum_values
from funksvd.learned import LearnedRatings
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows
from funksvd.training.context import RatingContext
from funksvd.training.learners.base import Progress, Sampler, decided
from funksvd.training.plan import DAY, BlockPlan, Triples
from funksvd.training.sampling.days import UserDays
from funksvd.training.sampling.kept import KeptDraw, KeptDraws
from funksvd.training.sampling.mean import RunningMean
from funksvd.training.sampling.side import Side, Task, run

FACTORS = {50_000: 14, 5_000_000: 22}
"""Factors by the largest number of ratings to learn from, unless they are given."""
MOST_FACTORS = 30
"""Factors for more ratings than these. The rows of kernels have room for 14 and for 30."""
BURN_IN = 40
"""Sweeps, at most a fifth of all, whose draws depend on where sampling began and are not used."""
N_FOLLOWED, CHECKED_EVERY, N_BATCHES = 2_000, 20, 10
"""Ratings whose predictions are followed from draw to draw; draws after which they are looked at;
batches of draws whose means are compared then."""
ENOUGH = 1.1e-3
"""Variance of the mean prediction, due to how few draws there are, at which there are enough.

In units of the variance of the errors: less than half of this is what more draws could gain.
"""
N_SAMPLED = 100_000
"""Ratings, at most, by which the error of the ratings learned from is judged."""


class GibbsLearner(Sampler):
    """Draws parameters from their distribution given the ratings; the model is the draws' mean.

    Of the items' rows, the mean takes the conditional means instead of the draws, which has the
    same mean and varies less (Rao and Blackwell).
    """

    implicit = False

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        plan, random = self.plan, self.random
        ratings, self.held_back = (_in_old_numbers(plan, at) for at in ("learned", "held_back"))
        self.held_back_values = decided(self.held_back.values)
        # Some of the ratings are kept, not all of them beside those of the two sides.
        part = slice(None, None, max(1, plan.n_learned // N_SAMPLED))
        self.sampled = Triples(*(decided(each)[part].copy() for each in ratings))
        users, items, values = ratings
        values = ((decided(values) - self.scale.mean) / self.scale.spread).astype(np.float32)
        n_users, n_items = (len(rows.order) for rows in (plan.users, plan.items))
        by_user = CompressedRows.from_pairs(users, items, n_users, values)
        by_item = CompressedRows.from_pairs(items, users, n_items, values)
        known = _known_pairs(plan) if self.implicit else None
        n_factors = self.n_factors
        self.users = Side(by_user, n_factors, known, plan.user_features, random)
        self.items = Side(by_item, n_factors, known and known[::-1], plan.item_features, random)
        n_epochs = self.hyperparameters.n_epochs
        self.burn_in = min(BURN_IN, n_epochs // 5)
        self.n_sweeps = 0
        self.noise_sums = [np.zeros(len(side.noise)) for side in (self.users, self.items)]
        self.running = RunningMean((n_users, n_items), n_factors, self.executor)
        self.kept = KeptDraws()
        self.validation_sum = np.zeros(len(self.held_back_values))
        self.days, self.sampled_days, self.held_back_days = self._days(users, items, part)
        self.latest_days: np.ndarray | None = None
        self.followed: list[np.ndarray] = []
        self.day_sums = np.zeros(0 if self.days is None else len(self.days.biases))

    def _days(
        self, users: np.ndarray, items: np.ndarray, sampled: slice
    ) -> tuple[UserDays | None, np.ndarray | None, np.ndarray | None]:
        """The biases of users on days; where those of ratings are: sampled, and held back."""
        if DAY not in self.plan.columns:
            return None, None, None
        learned, held_back = (
            np.concatenate(
                [self.plan.columns[DAY][getattr(block, at)] for block in self.plan.blocks]
            )
            for at in ("learned", "held_back")
        )
        if learned.max(initial=-1) < 0:  # no rating has a time
            return None, None, None
        by_user = CompressedRows.from_pairs(users, items, len(self.users.counts), learned)
        days = UserDays(self.users, self.items, decided(by_user.values), self.random.spawn(1)[0])
        at_sampled = days.places(users[sampled], learned[sampled])
        return days, at_sampled, days.places(self.held_back.user_index, held_back)

    def default_factors(self) -> int:
        """By the number of ratings."""
        n_ratings = self.plan.n_learned
        return next((k for most, k in FACTORS.items() if n_ratings <= most), MOST_FACTORS)

    def run_epoch(self, progress: Progress) -> float:
        """One sweep; the training RMSE is that of its draw, on a part of the ratings.

        Given the rows of a side, where these come from does not depend on the rows of the other:
        one is drawn while the other is.
        """
        sides = (self.users, self.items)
        for mine, other in (sides, sides[::-1]):
            tasks: list[Task] = [other.draw_prior, *mine.row_tasks(other)]
            run(tasks, self.executor)
            mine.draw_noise(has_unit_mean=mine is self.items)
            progress.ratings_done((self.plan.n_learned + (mine is self.users)) // 2)
        if self.days is not None:
            self.days.draw(self.executor)
        self.n_sweeps += 1
        self.latest = self._draw(self.items.row_means)
        day_biases = None if self.days is None else self.days.bias_means * self.scale.spread
        self.latest_days = day_biases
        if self.n_sweeps > self.burn_in:
            self.running.add(self.latest)
            for noise_sums, side in zip(self.noise_sums, sides, strict=True):
                noise_sums += 1 / side.noise
            self.validation_sum += self._predictions(self.held_back, self.held_back_days)
            if day_biases is not None:
                self.day_sums += day_biases
            if self.kept.wants_next():
                self.kept.add(KeptDraw.of(self._draw(self.items.rows)))
        predictions = self._predictions(self.sampled, self.sampled_days)
        if self.running.n_draws:
            self.followed.append(predictions[:: -(-len(predictions) // N_FOLLOWED)].copy())
        self.latest_error = mean_square(predictions - decided(self.sampled.values))
        return math.sqrt(self.latest_error)

    @property
    def is_done(self) -> bool:
        """Whether the means of batches of draws differ so little that there are draws enough.

        References
        ----------
        C. J. Geyer, "Practical Markov Chain Monte Carlo", 1992: batch means.
        """
        n = len(self.followed)
        if n < 2 * N_BATCHES or n % CHECKED_EVERY:
            return False
        size = n // N_BATCHES
        draws = np.stack(self.followed[n - size * N_BATCHES :])
        means = np.stack(
            [sum_columns(draws[at : at + size])[0] for at in range(0, len(draws), size)]
        )
        sums, squares = sum_columns(means / size)
        deviations = squares - np.square(sums) / N_BATCHES
        variance = sum_values(deviations) / len(deviations) / (N_BATCHES * (N_BATCHES - 1))
        return variance < ENOUGH * self.latest_error

    def held_back_error(self) -> float | None:
        """Root mean squared error of the mean of the draws so far, or of the latest."""
        if not self.plan.n_held_back:
            return None
        if self.running.n_draws:
            predictions = self.validation_sum / self.running.n_draws
        else:
            predictions = self._predictions(self.held_back, self.held_back_days)
        errors = np.clip(predictions, self.scale.low, self.scale.high) - self.held_back_values
        return math.sqrt(mean_square(errors))

    def learned(self) -> LearnedRatings:
        """The mean of the draws; after the first sweeps, the latest draw."""
        n_draws = self.running.n_draws
        mean, *arrays = self.running.result(self.scale.spread) if n_draws else self.latest
        learned = LearnedRatings(mean, *(array.astype(np.float32) for array in arrays))
        if self.days is not None:
            biases = self.day_sums / n_draws if n_draws else decided(self.latest_days)
            day_users, day_numbers = self.days.keys
            learned = replace(
                learned,
                day_users=day_users,
                day_numbers=day_numbers,
                day_biases=biases.astype(np.float32),
            )
        if n_draws:
            user_noise, item_noise = (
                (sums * (self.scale.spread / n_draws)).astype(np.float32)
                for sums in self.noise_sums
            )
            learned = replace(learned, user_noise=user_noise, item_noise=item_noise)
        draws = self.kept.together()
        return learned if draws is None else learned.with_draws(draws)

    def _predictions(self, ratings: Triples, days: np.ndarray | None) -> np.ndarray:
        """What the latest draw says of ratings, whose days are at these places."""
        index = (ratings.user_index, ratings.item_index)
        mean, user_biases, item_biases, *factors = self.latest
        biases = (each.astype(np.float32) for each in (user_biases, item_biases))
        draw = Parameters(mean, *biases, *factors)
        predictions = predict_pairs(draw, *index, n_threads=self.executor.n_threads)
        if days is not None:
            day_biases = np.append(decided(self.latest_days), np.float32(0))
            predictions += day_biases[days]  # the last is that of a day not seen, -1
        return predictions

    def _draw(self, item_rows: np.ndarray) -> Parameters:
        """The users' rows as they are, and rows of the items, in rating units; biases in float64.

        r = mu + b_u + b_i + p_u . q_i stays the same when the means p and q of the factors are
        moved to the biases, and those of the biases to mu.
        """
        (p, p_mean, b_u, mean_u), (q, q_mean, b_i, mean_i) = (
            _centered(rows, side)
            for rows, side in ((self.users.rows, self.users), (item_rows, self.items))
        )
        spread = self.scale.spread
        mean = self.scale.mean + spread * (mean_u + mean_i + math.fsum(p_mean * q_mean))
        biases = (b_u + multiply_rows(p, q_mean), b_i + multiply_rows(q, p_mean))
        factors = ((f * np.sqrt(spread)).astype(np.float32) for f in (p, q))
        return Parameters(mean, *(b * spread for b in biases), *factors)


class ImplicitGibbsLearner(GibbsLearner):
    """The same, where prior means depend on who has rated what: Bayesian SVD++."""

    implicit = True


def mean_square(errors: np.ndarray) -> float:
    """The mean of the squares, of which there is at least one."""
    return float(sum_squares(errors, 0.0) / len(errors))


def _centered(rows: np.ndarray, side: Side) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Factors less their mean, their mean, biases less their mean, their mean.

    Means are over the rows that are rated. Rows of which nothing is known become zero.
    """
    means = sum_columns(rows[side.is_rated])[0] / np.count_nonzero(side.is_rated)
    centered = rows - means
    if side.features is None:
        centered[~side.is_informed] = 0
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
