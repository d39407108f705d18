"""`LearnedRatings`: the parameters of eq. (1) of `objectives.plain`, and further arrays.

Every algorithm that learns from ratings ends in this record, however it came there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from funksvd.learned.base import OF_DRAWS, Axis, Learned, array, number, optional
from funksvd.learned.draws import Draws
from funksvd.objectives.parameters import Parameters


class Days(NamedTuple):
    """Biases of users on days, in ascending order of users, then days.

    Parameters
    ----------
    users : ndarray of shape (n_days,), int32
        Rows of users.
    numbers : ndarray of shape (n_days,), int32
        Days since 1970 (UTC).
    biases : ndarray of shape (n_days,), float32
        In the unit of other biases.
    """

    users: np.ndarray
    numbers: np.ndarray
    biases: np.ndarray

    @property
    def spread(self) -> float:
        """Standard deviation of the biases; 0 where there are none."""
        return float(self.biases.std(dtype=np.float64)) if len(self.biases) else 0.0

    def check(self, n_users: int) -> None:
        """Make sure that users exist, and that a day can be looked up.

        Raises
        ------
        ValueError
            If a row is out of range, or the order is another one.
        """
        users, numbers = self.users, self.numbers
        if len(users) and not 0 <= users.min() <= users.max() < n_users:
            raise ValueError(f"day_users holds rows that are not those of {n_users} users")
        ascends = (users[1:] > users[:-1]) | (
            (users[1:] == users[:-1]) & (numbers[1:] > numbers[:-1])
        )
        if not ascends.all():
            raise ValueError("day_users and day_numbers are not in ascending order")


@dataclass(frozen=True, eq=False)
class LearnedRatings(Learned):
    """A model of ratings, one model or the mean of several.

    Parameters
    ----------
    global_mean : float
        mu, in rating units (log-odds for the logistic loss).
    user_biases, item_biases : ndarray of shape (n_users,) and (n_items,), float32
        b_u and b_i, in the same unit.
    user_factors, item_factors : ndarray of shape (n_users, n_factors) and (n_items, n_factors), \
float32
        p_u and q_i, one a row. For SVD++, they are w_u and v_i of eq. (2) of `objectives.svdpp`.
    implicit_factors : ndarray of shape (n_items, n_factors), float32, optional
        y_j of SVD++, which new users need.
    user_implicit_factors : ndarray of shape (n_users, n_factors), float32, optional
        x_v of SVD++, which new items need.
    draw_means : ndarray of shape (n_draws,), float64, optional
        mu of each draw of a sampler.
    draw_user_biases, draw_item_biases : ndarray of shape (n, n_draws), float32, optional
    draw_user_factors, draw_item_factors : ndarray of shape (n, n_factors, n_draws), int8, optional
        Factors of the draws, as whole numbers.
    draw_scales : ndarray of shape (n_factors, n_draws), float64, optional
        What products of two such numbers are multiplied with.
    user_noise, item_noise : ndarray of shape (n_users,) and (n_items,), float32, optional
        Factors of the variance of ratings about the noise-free ones, in squared rating units: that
        of a user's rating of an item is the product of theirs. Of a sampler, posterior means.
    user_feature_biases, user_feature_factors : ndarray of shape (n_user_features,) and \
(n_user_features, n_factors), float32, optional
        Of a user without ratings whose features are x: b_u = x . biases and p_u = x . factors.
    item_feature_biases, item_feature_factors : ndarray of shape (n_item_features,) and \
(n_item_features, n_factors), float32, optional
        Of an item without ratings whose features are x: b_i = x . biases and q_i = x . factors.
    day_users, day_numbers : ndarray of shape (n_days,), int32, optional
        Rows of users, ascending, and days since 1970 on which each has rated something, ascending.
    day_biases : ndarray of shape (n_days,), float32, optional
        What all ratings that the user gives on that day are higher by, in the unit of the biases.
    """

    kind: ClassVar[str] = "rating"

    global_mean: float = number()
    user_biases: np.ndarray = array(Axis.USER)
    item_biases: np.ndarray = array(Axis.ITEM)
    user_factors: np.ndarray = array(Axis.USER, Axis.FACTOR)
    item_factors: np.ndarray = array(Axis.ITEM, Axis.FACTOR)
    implicit_factors: np.ndarray | None = optional(Axis.ITEM, Axis.FACTOR)
    draw_means: np.ndarray | None = optional(
        Axis.DRAW, dtype=np.float64, tensor="draws.global_means"
    )
    draw_user_biases: np.ndarray | None = optional(Axis.USER, Axis.DRAW, tensor="draws.user_biases")
    draw_item_biases: np.ndarray | None = optional(Axis.ITEM, Axis.DRAW, tensor="draws.item_biases")
    draw_user_factors: np.ndarray | None = optional(
        Axis.USER, Axis.FACTOR_OF_DRAW, Axis.DRAW, dtype=np.int8, tensor="draws.user_factors"
    )
    draw_item_factors: np.ndarray | None = optional(
        Axis.ITEM, Axis.FACTOR_OF_DRAW, Axis.DRAW, dtype=np.int8, tensor="draws.item_factors"
    )
    draw_scales: np.ndarray | None = optional(
        Axis.FACTOR_OF_DRAW, Axis.DRAW, dtype=np.float64, tensor="draws.scales"
    )
    user_noise: np.ndarray | None = optional(Axis.USER)
    item_noise: np.ndarray | None = optional(Axis.ITEM)
    user_feature_biases: np.ndarray | None = optional(Axis.USER_FEATURE)
    user_feature_factors: np.ndarray | None = optional(Axis.USER_FEATURE, Axis.FACTOR)
    item_feature_biases: np.ndarray | None = optional(Axis.ITEM_FEATURE)
    item_feature_factors: np.ndarray | None = optional(Axis.ITEM_FEATURE, Axis.FACTOR)
    day_users: np.ndarray | None = optional(Axis.DAY, dtype=np.int32)
    day_numbers: np.ndarray | None = optional(Axis.DAY, dtype=np.int32)
    day_biases: np.ndarray | None = optional(Axis.DAY)
    user_implicit_factors: np.ndarray | None = optional(Axis.USER, Axis.FACTOR)

    @classmethod
    def of(
        cls,
        parameters: Parameters,
        implicit_factors: np.ndarray | None = None,
        user_implicit_factors: np.ndarray | None = None,
    ) -> Self:
        """The record of parameters."""
        return cls(*parameters, implicit_factors, user_implicit_factors=user_implicit_factors)

    def with_draws(self, draws: Draws) -> Self:
        """The same, which also knows draws."""
        changed: dict[str, Any] = dict(zip(self._names_of_draws(), draws, strict=True))
        return replace(self, **changed)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], n_users: int, n_items: int) -> Self:
        """As of every family.

        Raises
        ------
        ValueError
            Also if a prediction could overflow, or the days of users are not in order.
        """
        learned = super().from_tensors(tensors, n_users, n_items)
        if (days := learned.days) is not None:
            days.check(n_users)
        mean, user_biases, item_biases, *factors = (
            float(max(np.max(values, initial=0), -np.min(values, initial=0)))
            for values in learned.parameters
        )
        n_factors = learned.user_factors.shape[1]
        largest = mean + user_biases + item_biases + n_factors * math.prod(factors)
        if days is not None:
            largest += float(np.abs(days.biases).max(initial=0))
        if largest > float(np.finfo(np.float32).max):
            raise ValueError(f"predictions of up to {largest:.3g} do not fit 32-bit floats")
        return learned

    def rows(self, users: np.ndarray, items: np.ndarray) -> Self:
        """As of every family; users take their days along."""
        chosen = super().rows(users, items)
        if self.days is None:
            return chosen
        starts = np.searchsorted(self.days.users, users)
        counts = np.searchsorted(self.days.users, users, side="right") - starts
        owners = np.repeat(np.arange(len(users), dtype=np.int32), counts)
        offsets = starts - (np.cumsum(counts) - counts)
        places = offsets[owners] + np.arange(len(owners))
        return chosen.with_days(Days(owners, self.days.numbers[places], self.days.biases[places]))

    def spread_out(self, users: np.ndarray, items: np.ndarray, shape: tuple[int, int]) -> Self:
        """As of every family; users take their days along."""
        spread = super().spread_out(users, items, shape)
        if self.days is None:
            return spread
        owners = np.asarray(users, np.int32)[self.days.users]
        order = np.argsort(owners, kind="stable")
        return spread.with_days(
            Days(owners[order], self.days.numbers[order], self.days.biases[order])
        )

    def with_days(self, days: Days) -> Self:
        """The same with other biases of users on days."""
        users, numbers, biases = days
        return replace(self, day_users=users, day_numbers=numbers, day_biases=biases)

    @property
    def parameters(self) -> Parameters:
        """The parameters of eq. (1), as kernels and the mathematics take them."""
        return Parameters(
            self.global_mean,
            self.user_biases,
            self.item_biases,
            self.user_factors,
            self.item_factors,
        )

    @property
    def draws(self) -> Draws | None:
        """All draws kept; None for a model that is not the mean of draws."""
        if self.draw_means is None:
            return None
        found = Draws(*(getattr(self, name) for name in self._names_of_draws()))
        if self.draw_scales is not None:
            return found
        # Earlier programs have the draws' factors, over the root of their number, as the model's.
        n_draws, n_factors = self.n_draws, self.user_factors.shape[1] // self.n_draws
        users, items = (
            factors.reshape(len(factors), n_draws, n_factors).transpose(0, 2, 1)
            for factors in (self.user_factors, self.item_factors)
        )
        return Draws(*found[:3], users, items, np.full((n_factors, n_draws), float(n_draws)))

    @property
    def n_draws(self) -> int:
        """Number of draws kept."""
        return 0 if self.draw_means is None else len(self.draw_means)

    @property
    def n_factors_of_draw(self) -> int:
        """Number of factors of each draw; of the model itself if there are none."""
        draws = self.draws
        return self.user_factors.shape[1] if draws is None else len(draws.scales)

    @classmethod
    def _names_of_draws(cls) -> list[str]:
        """Fields that hold what `Draws` has, in its order."""
        return [name for name, each in cls.declared().items() if OF_DRAWS & set(each.axes)]

    @property
    def days(self) -> Days | None:
        """Biases of users on days; None for a model that has none."""
        if self.day_users is None:
            return None
        assert self.day_numbers is not None
        assert self.day_biases is not None
        return Days(self.day_users, self.day_numbers, self.day_biases)
