"""SVD++ by stochastic gradient descent, a batch of users, or of items, at a time.

A rating moves the y_j of all items that its user has rated, and the x_v of all users who have rated
its item, so that no two blocks of ratings are independent. Users are dealt into batches instead.
At the visit to a batch, (1) the sums z_u of its users are formed, in parallel over user groups; (2)
their ratings are gone through stratum by stratum as in the plain model, and the sums of both sides
move along; (3) what moved z_u is handed back to the y_j, in parallel over item groups. Each step
reads only what the others write, and each group's rows are written by one task, pair after pair:
the result does not depend on the number of threads. All three are linear in the pairs. After the
last batch, what moved the t_i is handed back to the x_v in the same way. Then all of this is done
once more with users and items exchanged, in batches of items. Both passes are an epoch.

Within a batch all users start from the same y. Where many of them share an item, their pulls at it
add up, and the more users a batch has, the sooner that overshoots. A y_j that m users of the batch
pull at therefore moves by 1 / (1 + m / 8) of their sum. And a row with many ratings comes to rest
within a visit: its descent no longer says how far the others have to go. One with n ratings
therefore pulls by 1 / (1 + n / 500) of its share.

What was tried: lowest RMSE on held-out parts: a tenth of MovieLens 100K's u1.base to u3.base (mean
of six) and of latest-small (mean of three), and a tenth of a million synthetic ratings, in which
the sets tell of taste (A) and in which they tell nothing (B). (All but the last two lines are of a
prototype, whose learning rate decays by .85 an epoch.)::

                                                u1-u3    latest-small        A          B
    sets of users only                          .9034           .8720    .8542      .8656
    sets of items only                          .8980           .8525    .8562      .8645
    both, as here                               .8888           .8504    .8518      .8608
    the other side's sums stay during a pass    .8898           .8525    .8527      .8621
    rows of many ratings pull as all others     .8895           .8559    .8528      .9252
    1 / (1 + n / 250)                           .8900           .8512    .8534      .8598
    1 / (1 + n / 1000)                          .8892           .8512    .8522      .8609
    1 / (1 + m / 16)                            .8883           .8494    .8520      .8618
    IMPLICIT_RATE 1.4                           .8894           .8511    .8527      .8601
    IMPLICIT_RATE 2.8                           .8885           .8496    .8517      .8615
    lambda_y and lambda_x twice as large        .8898           .8521    .8527      .8607
    8 batches                                   .8895           .8519    .8525      .8602
    decay .85, default otherwise                .8899           .8502    .8522      .8621
    decay .8, the default                       .8899           .8508    .8518      .8605

The sets tell of rows that are folded in, too. Of a tenth of the users of u1.base and u2.base, left
out and folded in with 80 % of their ratings, the others are predicted with an RMSE of .8910 with
the y_j and .9044 without them; of items, .8963 with the x_v and .9131 without.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from funksvd.kernels import add_rows, hand_back, padded_rows, svdpp_block
from funksvd.learned import LearnedRatings
from funksvd.training.context import RatingContext
from funksvd.training.executors import Executor
from funksvd.training.learners.base import Progress
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.plan import Block, BlockPlan
from funksvd.training.planning import exchanged
from funksvd.training.scale import Rates, factor_rate

FULL_RATE_VISITORS = 8
"""Rows of a batch that pull at a y_j, or x_v, at which it moves half as far for each of them."""
HALF_PULL_RATINGS = 500
"""Ratings of a row that pulls half as strongly as its share of the descent."""
IMPLICIT_RATE = 2.0
"""Learning rate of the y_j and the x_v, as a multiple of that of the factors."""
BIAS_RATE_SHARE = 0.57
"""Learning rate of the biases, as a multiple of that of the factors, unless it is given."""
IMPLICIT_REG = 5.0
"""Regularization lambda_y of the y_j, as a multiple of lambda."""
USER_IMPLICIT_REG = 2.0
"""Regularization lambda_x of the x_v, as a multiple of lambda."""


class _Pulls(NamedTuple):
    """What rows hand back to the members of their sets.

    Parameters
    ----------
    descents : ndarray of shape (n_rows, width), float32
        Of the sums, each by its row's share and by |N|^-1/2.
    regs : ndarray of shape (n_rows,), float32
        Regularization of the members, by the row's share.
    rates : ndarray of shape (n_members,), float32
        Learning rates of the members.
    """

    descents: np.ndarray
    regs: np.ndarray
    rates: np.ndarray


@dataclass(eq=False)
class _Side:
    """Users, or items: the rows whose sums are formed of the other side's implicit factors.

    Parameters
    ----------
    plan : BlockPlan
        Of which they are the users, in batches.
    reg : float
        Regularization of the members of their sets, as a multiple of lambda.
    biases, factors, sums : ndarray
        b_u, p_u and z_u.
    members : ndarray from `padded_rows`
        The y_j.
    """

    plan: BlockPlan
    reg: float
    biases: np.ndarray
    factors: np.ndarray
    sums: np.ndarray
    members: np.ndarray

    def __post_init__(self) -> None:
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
        n_ratings = plan.users.counts[0][plan.users.order]
        shares = IMPLICIT_RATE / (1 + n_ratings / HALF_PULL_RATINGS)
        self.weights = (1 / np.sqrt(n_pairs)).astype(np.float32)
        self.descent_shares = (shares / np.sqrt(n_pairs)).astype(np.float32)
        self.reg_shares = (self.reg * shares * n_ratings / n_pairs).astype(np.float32)
        self.batch_shares = 1 / (1 + visitors / np.float32(FULL_RATE_VISITORS))
        self.whole_shares = 1 / (1 + visitors.sum(axis=0) / np.float32(FULL_RATE_VISITORS))

    def form_all_sums(self, executor: Executor) -> None:
        """Form the z_u of all rows."""
        executor.map(self.form_sums, range(len(self.plan.bounds)))

    def form_sums(self, g: int) -> None:
        """Form the z_u of a group of rows, eq. (2)."""
        rows = self.plan.users.group(g)
        sums = self.sums[rows]
        sums[:] = 0
        for h in range(self.plan.n_groups):
            for pairs in self.plan.pairs(g, h):
                add_rows(*pairs, self.members[self.plan.items.group(h)], sums)
        sums *= self.weights[rows, None]

    def rows_of(self, groups: Sequence[int]) -> slice:
        """The rows of groups that follow each other."""
        users = self.plan.users
        return slice(users.group(groups[0]).start, users.group(groups[-1]).stop)

    def hand_back(self, groups: Sequence[int], pulls: _Pulls, executor: Executor) -> None:
        """Move the y_j along what has moved the sums of groups, eqs. (7) and (8)."""
        plan, first = self.plan, self.rows_of(groups).start

        def hand_back_to(h: int) -> None:
            items = plan.items.group(h)
            for g in groups:
                rows = plan.users.group(g)
                rows = slice(rows.start - first, rows.stop - first)
                of_rows = (pulls.descents[rows], pulls.regs[rows], pulls.rates[items])
                for pairs in plan.pairs(g, h):
                    hand_back(*pairs, *of_rows, self.members[items])

        executor.map(hand_back_to, range(plan.n_groups))


class SVDPPLearner(SGDLearner):
    """Moves the rows of each rating, and those of the sets of its user and of its item.

    The sets are made of the ratings to learn from, never of those held back, and of the plan's
    unrated pairs.
    """

    n_batches: ClassVar[int] = 16
    n_item_batches: ClassVar[int] = 16
    reg_share: ClassVar[float] = 1.1

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        # the sides have p_u and q_i; `arranged` has the sums in an epoch, and w_u and v_i after it
        _, user_biases, item_biases, p, q = self.arranged
        n_users, n_items = len(p), len(q)
        z, t, x, y = (padded_rows(n, self.n_factors) for n in (n_users, n_items, n_users, n_items))
        self.arranged = self.arranged._replace(user_factors=z, item_factors=t)
        n_threads = self.hyperparameters.thread_count()
        turned = exchanged(self.plan, self.n_item_batches, n_threads)
        self.sides = (
            _Side(self.plan, IMPLICIT_REG, user_biases, p, z, y),
            _Side(turned, USER_IMPLICIT_REG, item_biases, q, t, x),
        )
        if (start := context.start) is not None:
            self._go_on_from(start)

    def _go_on_from(self, start: LearnedRatings) -> None:
        """Take over the implicit factors; p_u and q_i are what their sums leave of w_u and v_i."""
        known = (start.user_implicit_factors, start.implicit_factors)
        parameters = start.parameters
        rows = [
            np.zeros_like(factors) if implicit is None else implicit
            for implicit, factors in zip(known, parameters[3:], strict=True)
        ]
        arranged = self.plan.arranged(
            parameters._replace(user_factors=rows[0], item_factors=rows[1])
        )
        users, items = self.sides
        items.members[:], users.members[:] = arranged.user_factors, arranged.item_factors
        for side in self.sides:
            side.form_all_sums(self.executor)
            side.factors -= side.sums

    def run_epoch(self, progress: Progress) -> float:
        """One visit to each user, batch by batch, then one to each item.

        Each error is taken as it was before its own step.
        """
        squared_error, n_done, n_steps = 0.0, 0, 2 * self.plan.n_learned
        for at in (0, 1):
            mine, other = self.sides[at], self.sides[1 - at]
            other.form_all_sums(self.executor)
            before = other.sums.copy()
            for batch in self.random.permutation(mine.plan.n_batches):
                learning_rate = progress.learning_rate(n_done / n_steps)
                squared_error += self._visit(at, int(batch), learning_rate)
                bounds = mine.plan.bounds[mine.plan.groups(int(batch))]
                n_ratings = int((bounds[..., 1] - bounds[..., 0]).sum())
                progress.ratings_done((n_done + n_ratings) // 2 - n_done // 2)
                n_done += n_ratings
            groups = range(len(other.plan.bounds))
            self._hand_back(1 - at, groups, before, learning_rate, other.whole_shares)
        rows = [(side.biases, side.factors) for side in self.sides]
        self._move_to_priors(rows, self._rates(learning_rate))
        return float(np.sqrt(squared_error / n_steps))

    def _visit(self, at: int, batch: int, learning_rate: float) -> float:
        """Form a batch's sums, go through its ratings, hand the sums' descent back."""
        mine, other = self.sides[at], self.sides[1 - at]
        plan, rates = mine.plan, self._rates_of(at, learning_rate)
        groups = plan.groups(batch)
        self.executor.map(mine.form_sums, groups)
        before = mine.sums[mine.rows_of(groups)].copy()

        def descend(block: Block) -> float:
            users, items, ratings = block.users, block.items, block.learned
            return svdpp_block(
                plan.user_index[ratings],
                plan.item_index[ratings],
                plan.values[ratings],
                np.float32(self.arranged.global_mean),
                mine.biases[users],
                other.biases[items],
                mine.factors[users],
                other.factors[items],
                mine.sums[users],
                other.sums[items],
                rates.of(block),
            )

        squared_error = 0.0
        for shift in self.random.permutation(plan.n_groups):
            squared_error += self.executor.sum(descend, plan.stratum(int(shift), batch))
        self._hand_back(at, groups, before, learning_rate, mine.batch_shares[batch])
        return squared_error

    def _hand_back(
        self,
        at: int,
        groups: Sequence[int],
        before: np.ndarray,
        learning_rate: float,
        shares: np.ndarray,
    ) -> None:
        """Hand what has moved the sums of groups, since they were `before`, back to the members."""
        side, rates = self.sides[at], self._rates_of(at, learning_rate)
        rows = side.rows_of(groups)
        with np.errstate(over="ignore", invalid="ignore"):  # the training error tells of it
            descents = np.subtract(side.sums[rows], before, out=before)
            descents *= (side.descent_shares[rows] / rates.users[rows])[:, None]
        pulls = _Pulls(
            descents,
            side.reg_shares[rows] * rates.reg,
            factor_rate(learning_rate, self.scale) * shares,
        )
        side.hand_back(groups, pulls, self.executor)

    def _rates_of(self, at: int, learning_rate: float) -> Rates:
        """Rates where the rows of side `at` are the users."""
        rates = self._rates(learning_rate)
        return rates._replace(users=rates.items, items=rates.users) if at else rates

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
        """Biases, factors, the y_j and x_v, and the weights of features."""
        arrays = [(side.biases, side.factors, side.members) for side in self.sides]
        weights = [prior.weights for prior in self.priors if prior is not None]
        return [*itertools.chain.from_iterable(arrays), *weights]

    def learned(self) -> LearnedRatings:
        """The plain model that predicts the same, w_u and v_i of eq. (2) for p_u and q_i; y and x.

        All are in the ratings' own numbering, without the padding.
        """
        self._fold()
        users, items = self.sides
        implicit = self.arranged._replace(user_factors=items.members, item_factors=users.members)
        x, y = self.plan.restored(implicit, self.n_factors)[3:]
        return LearnedRatings.of(self._restored(), y, x)

    def _fold(self) -> None:
        """Put all w_u and v_i, eq. (2), where predictions look for them."""
        for side in self.sides:
            side.form_all_sums(self.executor)
            side.sums += side.factors
