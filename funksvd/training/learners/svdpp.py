"""SVD++ by stochastic gradient descent, a batch of users at a time.

A rating moves the y_j of all items that its user has rated, so that no two blocks of ratings are
independent. Users are dealt into batches instead. At the visit to a batch, (1) the sums z_u of its
users are formed, in parallel over user groups; (2) their ratings are gone through stratum by
stratum as in the plain model, and z_u moves along; (3) what moved z_u is handed back to the y_j, in
parallel over item groups. Each step reads only what the others write, and each group's rows are
written by one task, pair after pair: the result does not depend on the number of threads. All three
are linear in the pairs.

Within a batch all users start from the same y. Where many of them share an item, their pulls at it
add up, and the more users a batch has, the sooner that overshoots. A y_j that m users of the batch
pull at therefore moves by 1 / (1 + m / 8) of their sum.

What was tried: lowest RMSE on held-out parts of MovieLens 100K's u1.base to u3.base, mean of six
parts and two seeds (the plain model: 0.9107)::

    batches                         each user     64     32     16      8      4      2      1
    pulls added up                      .9000  .9000  .9000  .9000  .9002  .9012  .9200  .9750
    m users: 1 / (1 + m / 128)                 .9000  .9000  .9000  .9001  .9005  .9016  .9105
    m users: 1 / (1 + m / 32)                  .9000  .9000  .9000  .9002  .9003  .9007  .9015
    m users: 1 / (1 + m / 8)                   .9000  .9000  .9002  .9005  .9011  .9023  .9041

Where batches are large, 8 is better than 32: with 3 million synthetic ratings, the first epochs no
longer overshoot (a validation RMSE of .914, not .981, after the first), and the lowest is .8499,
not .8508 (the plain model: .8506). On MovieLens 100K it costs .0002, and 4 would cost .0004.
"""

from __future__ import annotations

from itertools import repeat
from typing import ClassVar

import numpy as np

from funksvd.kernels import add_rows, hand_back, padded_rows, svdpp_block
from funksvd.learned import LearnedRatings
from funksvd.training.context import RatingContext
from funksvd.training.learners.base import Progress
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.plan import Block
from funksvd.training.scale import Rates, factor_rate

FULL_RATE_VISITORS = 8
"""Users of a batch who pull at a y_j at which it moves half as far for each of them."""
BIAS_RATE_SHARE = 0.57
"""Learning rate of the biases, as a multiple of that of the factors, unless it is given."""
IMPLICIT_REG = 5.0
"""Regularization lambda_y of the y_j, as a multiple of lambda."""


class SVDPPLearner(SGDLearner):
    """Moves the rows of each rating, and those of all the items that its user has dealt with.

    N(u) is made of the user's ratings to learn from, never of those held back, and of the plan's
    unrated pairs.
    """

    n_batches: ClassVar[int] = 16
    reg_share: ClassVar[float] = 0.8

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        # p_u; `arranged` has z_u while a batch is visited, and w_u when it is asked for
        self.p = self.arranged.user_factors
        self.arranged = self.arranged._replace(
            user_factors=padded_rows(len(self.plan.users.order), self.n_factors)
        )
        self.y = padded_rows(len(self.plan.items.order), self.n_factors)
        self._count_pairs()
        if (start := context.start) is not None and start.implicit_factors is not None:
            y = start.parameters._replace(item_factors=start.implicit_factors)
            self.y[:] = self.plan.arranged(y).item_factors
            self._form_all_sums()  # p_u is what they leave of the w_u that were learned before
            self.p -= self.arranged.user_factors

    def _count_pairs(self) -> None:
        """Set the weights that depend on |N(u)| and on the numbers of a batch's users by item."""
        plan = self.plan
        n_pairs = np.zeros(len(plan.users.order))
        visitors = np.zeros((plan.n_batches, len(plan.items.order)), dtype=np.float32)
        for g, h in np.ndindex(*plan.bounds.shape[:2]):
            users, items = plan.users.group(g), plan.items.group(h)
            for user_index, item_index in plan.pairs(g, h):
                n_pairs[users] += np.bincount(user_index, minlength=users.stop - users.start)
                visitors[g // plan.n_groups, items] += np.bincount(
                    item_index, minlength=items.stop - items.start
                )
        n_pairs = np.maximum(n_pairs, 1)
        self._weights = (1 / np.sqrt(n_pairs)).astype(np.float32)
        n_ratings = plan.users.counts[0][plan.users.order]
        self._reg_shares = (n_ratings / n_pairs).astype(np.float32)
        self._rate_shares = 1 / (1 + visitors / np.float32(FULL_RATE_VISITORS))

    def run_epoch(self, progress: Progress) -> float:
        """One visit to each user, batch by batch.

        Each error is taken as it was before its own step.
        """
        plan = self.plan
        squared_error, n_done = 0.0, 0
        for batch in self.random.permutation(plan.n_batches):
            rate = progress.learning_rate(n_done / plan.n_learned)
            squared_error += self._visit(int(batch), rate)
            bounds = plan.bounds[plan.groups(int(batch))]
            n_ratings = int((bounds[..., 1] - bounds[..., 0]).sum())
            n_done += n_ratings
            progress.ratings_done(n_ratings)
        return float(np.sqrt(squared_error / plan.n_learned))

    def _visit(self, batch: int, learning_rate: float) -> float:
        """Form the users' sums, go through their ratings, hand the sums' descent back."""
        plan, sums = self.plan, self.arranged.user_factors
        rates = self._rates(learning_rate)
        groups = plan.groups(batch)
        self.executor.map(self._form_sums, groups)
        rows = slice(plan.users.group(groups[0]).start, plan.users.group(groups[-1]).stop)
        before = sums[rows].copy()
        squared_error = 0.0
        for shift in self.random.permutation(plan.n_groups):
            blocks = plan.stratum(int(shift), batch)
            squared_error += self.executor.sum(self._descend, blocks, repeat(rates, len(blocks)))
        descents = np.subtract(sums[rows], before, out=before)
        descents *= (self._weights[rows] / rates.users[rows])[:, None]
        regs = self._reg_shares[rows] * (np.float32(IMPLICIT_REG) * rates.reg)
        item_rates = factor_rate(learning_rate, self.scale) * self._rate_shares[batch]

        def hand_back_to(h: int) -> None:
            items = plan.items.group(h)
            for g in groups:
                users = plan.users.group(g)
                users = slice(users.start - rows.start, users.stop - rows.start)
                for pairs in plan.pairs(g, h):
                    hand_back(
                        *pairs, descents[users], regs[users], item_rates[items], self.y[items]
                    )

        self.executor.map(hand_back_to, range(plan.n_groups))
        return squared_error

    def _form_sums(self, g: int) -> None:
        """Form the z_u of a group of users, eq. (2)."""
        users = self.plan.users.group(g)
        sums = self.arranged.user_factors[users]
        sums[:] = 0
        for h in range(self.plan.n_groups):
            for pairs in self.plan.pairs(g, h):
                add_rows(*pairs, self.y[self.plan.items.group(h)], sums)
        sums *= self._weights[users, None]

    def _descend(self, block: Block, rates: Rates) -> float:
        """Go through a block's ratings, eqs. (5) to (7)."""
        operands = self._operands(block, block.learned)
        users, items, values, mean, user_biases, item_biases, sums, q = operands
        p = self.p[block.users]
        return svdpp_block(
            users, items, values, mean, user_biases, item_biases, p, q, sums, rates.of(block)
        )

    def _rates(self, learning_rate: float) -> Rates:
        rates = super()._rates(learning_rate)
        if self.hyperparameters.bias_learning_rate is not None:
            return rates
        return rates._replace(biases=rates.biases * np.float32(BIAS_RATE_SHARE))

    def held_back_error(self) -> float | None:
        """The error of the predictions, held within the ratings learned from."""
        if self.plan.n_held_back:
            self._fold()
        return super().held_back_error()

    def state(self) -> list[np.ndarray]:
        """Biases, factors and the y_j."""
        _, user_biases, item_biases, _, q = self.arranged
        return [user_biases, item_biases, self.p, q, self.y]

    def learned(self) -> LearnedRatings:
        """The plain model that predicts the same, w_u of eq. (2) in the place of p_u; and the y_j.

        All are in the ratings' own numbering, without the padding.
        """
        self._fold()
        y = np.empty((len(self.y), self.n_factors), dtype=np.float32)
        y[self.plan.items.order] = self.y[:, : y.shape[1]]
        return LearnedRatings.of(self._restored(), y)

    def _fold(self) -> None:
        """Put the w_u of all users, eq. (2), where predictions look for them."""
        self._form_all_sums()
        self.arranged.user_factors[:] += self.p

    def _form_all_sums(self) -> None:
        self.executor.map(self._form_sums, range(len(self.plan.bounds)))
