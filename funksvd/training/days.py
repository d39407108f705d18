"""Biases of users on days, eqs. (13) to (17) of `objectives.plain`, for all that learn by descent.

They are found before anything else is learned, and what is left of the ratings is learned as
ratings without timestamps are. RMSE on 10 % held out of u1.base, of u2.base and of MovieLens
latest-small, each rating predicted for its own time; mean of three seeds::

                                         sgd                     svd++
    without biases of days               .9139  .9011  .8642     .8877  .8789  .8436
    with them                            .9108  .8984  .8522     .8853  .8770  .8328
    with them, predicted without times   .9160  .9034  .8675     .8891  .8803  .8450

Without the condition of eq. (13), `sgd` comes to .9111, .8992, .8510, and without times to .9297,
.9145, .8763: a user's level is then divided between the user and the days. To find the biases again
after each epoch changes the errors by .001 at most. For the future, they are worth nothing, since
hardly a day is known: of the last fifth of MovieLens 100K and of latest-small, `sgd` has 1.0194 and
1.0245 without them, 1.0199 and 1.0240 with them; `svd++` 1.0603 and 1.0474, 1.0604 and 1.0475.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from funksvd.kernels import add_residuals, fit_days, subtract_days, sum_day_squares, sum_values
from funksvd.learned import Days, LearnedRatings
from funksvd.sorting import stable_order
from funksvd.training.executors import Executor
from funksvd.training.plan import DAY, BlockPlan, Rows

USER_DAMPING, ITEM_DAMPING = 7.0, 3.0
"""kappa_u and kappa_i: the best ones for biases alone (`evaluation.baselines`)."""
N_SWEEPS = 2
"""Number of times that the biases of users and days, and then those of items, are fitted."""
CLEARLY = 2.0
"""Least variance of days that counts, in standard errors of its estimate."""


class DayGroups(ABC):
    """The groups of users of a plan with a column of days, wherever they are."""

    @abstractmethod
    def sums(self) -> list[float]:
        """Sums of the ratings to learn from: together, they are those of all."""

    @abstractmethod
    def each(self, task: str, *arguments: Any) -> Iterable[np.ndarray]:
        """What a method of `Group` returns, for all groups in their order."""

    @abstractmethod
    def take_out(self, *fitted: Any) -> list[tuple[np.ndarray, ...]]:
        """Take the biases of users on days out of the ratings.

        Parameters
        ----------
        *fitted
            The arguments of the last `Group.fit`.

        Returns
        -------
        list of tuple of ndarray
            As `Group.learned_days`, with users in the ratings' own numbering.
        """


class _InPlan(DayGroups):
    """The groups of a plan that is in memory.

    Attributes
    ----------
    rest : BlockPlan
        What is left of the ratings, once they are taken out.
    """

    def __init__(self, plan: BlockPlan, executor: Executor) -> None:
        self.rest, self._executor = plan, executor
        self._groups = executor.map(lambda g: Group.of(plan, g), range(len(plan.bounds)))

    def sums(self) -> list[float]:
        learned = [self.rest.values[block.learned] for block in self.rest.blocks]
        return self._executor.map(sum_values, learned)

    def each(self, task: str, *arguments: Any) -> list[np.ndarray]:
        return self._executor.map(lambda group: getattr(group, task)(*arguments), self._groups)

    def take_out(self, *fitted: Any) -> list[tuple[np.ndarray, ...]]:
        values = self.rest.values.copy()
        self._executor.map(lambda group: group.subtract(values[group.ratings]), self._groups)
        self.rest = self.rest.with_values(values)
        order = self.rest.users.order
        found = [group.learned_days() for group in self._groups]
        return [(order[users], *more) for users, *more in found]


class PlanElsewhere(ABC):
    """A plan whose ratings are not in this process."""

    @property
    @abstractmethod
    def days(self) -> Days | None:
        """Biases of users on days, as of `without_days`: they have been taken out of the ratings.

        None where there are none to be learned.
        """


def without_days(plan: BlockPlan, executor: Executor) -> tuple[BlockPlan, Days | None]:
    """Find the biases of users on days, and take them out of the ratings.

    Parameters
    ----------
    plan : BlockPlan
        With a column of days. The ratings that it holds back do not count.
    executor : Executor
        Does not change the result.

    Returns
    -------
    plan : BlockPlan
        The same pairs, with what is left of their ratings.
    days : Days or None
        In the ratings' own numbering; None where the ratings of a user's day are not clearly more
        alike than others of that user, and the plan is as it was.
    """
    groups = _InPlan(plan, executor)
    days = find_days(groups, plan.items)
    return groups.rest, days


def find_days(groups: DayGroups, items: Rows) -> Days | None:
    """Find the biases of users on days, and take them out of the ratings, unless they are none.

    Parameters
    ----------
    groups : DayGroups
    items : Rows
        Of the plan.

    Returns
    -------
    Days or None
        As `without_days`.
    """
    n_items = len(items.order)
    mean = math.fsum(groups.sums()) / max(1, int(items.counts[0].sum()))
    weights = items.counts[0][items.order] + ITEM_DAMPING
    item_biases = sum(groups.each("residual_sums", mean, n_items), np.zeros(n_items)) / weights
    squares = sum(groups.each("squares", mean, item_biases), np.zeros(5))
    damping = day_damping(*squares.tolist())
    if damping is None:
        return None
    for _ in range(N_SWEEPS):
        fitted = (mean, damping, item_biases)
        item_biases = sum(groups.each("fit", *fitted), np.zeros(n_items)) / weights
    found = groups.take_out(*fitted)
    users, numbers, _, biases = (np.concatenate(columns) for columns in zip(*found, strict=True))
    users = users.astype(np.int32)
    order = stable_order(users, numbers)
    return Days(users[order], numbers[order], biases[order])


def centered(learned: LearnedRatings, plan: BlockPlan) -> LearnedRatings:
    """The same model, whose biases of days have a mean of 0 over the ratings of each user.

    The user's bias takes the rest, that of each draw, too. For days that are known, predictions
    stay the same; for others and for ratings without a time, they are then for the user's level, as
    it is found without days.
    Samplers draw biases of days without the condition of eq. (13). RMSE of `bayes++` on 10 % held
    out of u1.base and of latest-small, each rating predicted for its own time, and without times::

                              with times      without
        without days          .8764  .8290    .8764  .8290
        as they are drawn     .8734  .8179    .8863  .8345
        centered              .8735  .8185    .8781  .8304

    Parameters
    ----------
    learned : LearnedRatings
        In the ratings' own numbering, with biases of days.
    plan : BlockPlan
        What it has learned from, with a column of days.
    """
    days = learned.days
    assert days is not None
    keys = days.users.astype(np.int64) << 32 | days.numbers
    counts = np.zeros(len(keys))
    for g in range(len(plan.bounds)):
        rows, numbers, found, _ = Group.of(plan, g).learned_days()
        users = plan.users.order[rows]
        counts[np.searchsorted(keys, users.astype(np.int64) << 32 | numbers)] = found
    n_users = len(learned.user_biases)
    totals = np.bincount(days.users, counts * days.biases, n_users)
    levels = totals / np.maximum(np.bincount(days.users, counts, n_users), 1)
    biases = (days.biases - levels[days.users]).astype(np.float32)
    of_draws = learned.draw_user_biases
    return replace(
        learned.with_days(days._replace(biases=biases)),
        user_biases=(learned.user_biases + levels).astype(np.float32),
        draw_user_biases=None
        if of_draws is None
        else (of_draws + levels[:, None]).astype(np.float32),
    )


def day_damping(
    within: float, n_within: float, between: float, n_between: float, weight: float
) -> float | None:
    """kappa_d, eq. (17); None where the variance of days is not clearly above 0.

    Parameters
    ----------
    within, n_within, between, n_between, weight : float
        As `sum_day_squares` finds them.
    """
    if min(n_within, n_between, weight) <= 0:
        return None
    noise = max(within, 0.0) / n_within
    variance = (between - n_between * noise) / weight
    error = noise * math.sqrt(2 * n_between * (1 + n_between / n_within)) / weight
    return noise / variance if variance > CLEARLY * error else None


@dataclass(frozen=True, eq=False)
class Group:
    """The ratings of a group of users, in the order of users and days.

    Parameters
    ----------
    ratings : slice
        Place of the ratings in the plan.
    users : ndarray of shape (n_days,), int64
        The user of each day, in the plan's numbering.
    numbers : ndarray of shape (n_days,), int32
        Days since 1970; -1 for the ratings of a user whose day is not known.
    biases : ndarray of shape (n_days,), float64
        Written by `fit_days`.
    order, day_starts, user_days, is_known, is_learned, items, values : ndarray
        As for `sum_day_squares`.
    """

    ratings: slice
    users: np.ndarray
    numbers: np.ndarray
    biases: np.ndarray
    order: np.ndarray
    day_starts: np.ndarray
    user_days: np.ndarray
    is_known: np.ndarray
    is_learned: np.ndarray
    items: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, plan: BlockPlan, g: int) -> Group:
        """The ratings of group g of the users of a plan."""
        blocks = [plan.block(g, h) for h in range(plan.n_groups)]
        start = blocks[0].ratings.start
        ratings = slice(start, blocks[-1].ratings.stop)
        items = plan.item_index[ratings].astype(np.int32)
        is_learned = np.ones(len(items), bool)
        for block in blocks:
            items[block.ratings.start - start : block.ratings.stop - start] += block.items.start
            is_learned[block.held_back.start - start : block.held_back.stop - start] = False
        users, days = plan.user_index[ratings], plan.columns[DAY][ratings]
        order = stable_order(users, days + 1).astype(np.int32)
        users, days = users[order], days[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = (users[1:] != users[:-1]) | (days[1:] != days[:-1])
        firsts = np.flatnonzero(is_first)
        users, days = users[firsts].astype(np.int64), days[firsts]
        rows = plan.users.group(g)
        return cls(
            ratings,
            users + rows.start,
            days,
            np.zeros(len(firsts)),
            order,
            np.append(firsts, len(order)),
            np.searchsorted(users, np.arange(rows.stop - rows.start + 1)),
            days >= 0,
            is_learned,
            items,
            plan.values[ratings],
        )

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The first arguments of kernels."""
        return (
            self.order,
            self.day_starts,
            self.user_days,
            self.is_known,
            self.is_learned,
            self.items,
            self.values,
        )

    def residual_sums(self, mean: float, n_items: int) -> np.ndarray:
        """Sum of what is left of each item's ratings without the mean: (n_items,), float64."""
        sums, at = np.zeros(n_items), self.is_learned
        add_residuals(self.items[at], self.values[at], mean, sums)
        return sums

    def squares(self, mean: float, item_biases: np.ndarray) -> np.ndarray:
        """The sums of `sum_day_squares`."""
        sums = np.zeros(5)
        sum_day_squares(*self.arrays, mean, item_biases, sums)
        return sums

    def fit(self, mean: float, damping: float, item_biases: np.ndarray) -> np.ndarray:
        """Fit the biases of users on days; and sum what is then left of each item's ratings."""
        sums = np.zeros(len(item_biases))
        fit_days(*self.arrays, (mean, USER_DAMPING, damping), item_biases, self.biases, sums)
        return sums

    def subtract(self, values: np.ndarray) -> None:
        """Take the biases that were fitted out of the group's ratings."""
        subtract_days(self.order, self.day_starts, self.biases.astype(np.float32), values)

    def learned_days(self) -> tuple[np.ndarray, ...]:
        """Days of ratings that count: users in the plan's numbering, days, counts, biases."""
        counts = np.add.reduceat(self.is_learned[self.order], self.day_starts[:-1], dtype=np.int64)
        at = self.is_known & (counts > 0)
        return self.users[at], self.numbers[at], counts[at], self.biases[at].astype(np.float32)
