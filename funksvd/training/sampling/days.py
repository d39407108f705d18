"""The biases of users on single days, as the Gibbs sampler draws them."""

from __future__ import annotations

import numpy as np

from funksvd.kernels import draw_days, group_by_row, sum_squares
from funksvd.rng import normals
from funksvd.training.executors import Executor
from funksvd.training.sampling.side import Side, drawn_precisions, features_of

DAY_RATE = 0.03
"""Rate of the Gamma prior of the precision of the days' biases."""


class UserDays:
    """The d of eq. (1): what all ratings of a user on a day are higher by.

    Parameters
    ----------
    users : Side
        Whose ratings are learned from; its values become r - d.
    items : Side
        The other side, whose values become the same r - d.
    days : ndarray of shape (n_ratings,), int32
        Day of each rating, in the order of the users' ratings; -1 where it is not known.
    random : numpy.random.Generator

    Attributes
    ----------
    keys : (ndarray, ndarray) of shape (n_days,), int32
        User and day, ascending.
    given : ndarray of shape (n_ratings,), float32
        The ratings r, in the order of the users' ratings.
    biases, bias_means : ndarray of shape (n_days,), float32
        The draws, and their means given what they were drawn given.
    """

    def __init__(
        self, users: Side, items: Side, days: np.ndarray, random: np.random.Generator
    ) -> None:
        ratings = users.ratings
        n_users = len(ratings.indptr) - 1
        user_of = np.repeat(np.arange(n_users), users.counts)
        is_known = days >= 0
        codes = (user_of << 32) + np.maximum(days, 0)
        found, at = np.unique(codes[is_known], return_inverse=True)
        self.keys = ((found >> 32).astype(np.int32), (found & 0x7FFFFFFF).astype(np.int32))
        self.starts = np.searchsorted(self.keys[0], np.arange(n_users + 1)).astype(np.int64)
        self.day_of = np.full(len(days), -1, np.int32)
        self.day_of[is_known] = at - self.starts[user_of[is_known]]
        self._codes = found
        self.biases, self.bias_means = (np.zeros(len(found), np.float32) for _ in range(2))
        self.precision, self.random = 10.0, random
        self._users, self._items = users, items
        assert ratings.values is not None
        self.given = ratings.values
        # Where the ratings of the items are among those of the users: both are in order.
        places = np.arange(len(days), dtype=np.int32)
        self._order = group_by_row(ratings.columns, places, len(items.counts))[1]
        users.ratings = ratings._replace(values=self.given.copy())

    def draw(self, executor: Executor) -> None:
        """Draw the biases, given the rows of users and items."""
        users, items, n = self._users, self._items, len(self.biases)
        energies = np.array([sum_squares(self.biases, 0.0)])
        self.precision = float(drawn_precisions(n, energies, DAY_RATE, self.random)[0])
        features = features_of(items.rows, np.sqrt(items.noise).astype(np.float32))
        drawn = normals(self.random, n)
        indptr, columns, values = users.ratings
        biases = (self.biases, self.bias_means)

        def draw(span: tuple[int, int]) -> None:
            of_span = drawn[self.starts[span[0]] : self.starts[span[1]]]
            draw_days(
                span,
                (indptr, columns, self.given),
                (self.starts, self.day_of),
                features,
                users.noise,
                users.rows,
                self.precision,
                of_span,
                biases,
                values,
            )

        executor.map(draw, [span for span, _ in users.parts])
        assert values is not None
        assert items.ratings.values is not None
        items.ratings.values[:] = values[self._order]

    def places(self, users: np.ndarray, days: np.ndarray) -> np.ndarray:
        """Where the biases of users on days are; -1 for days that were not seen.

        Parameters
        ----------
        users, days : ndarray of shape (n,), int32

        Returns
        -------
        ndarray of shape (n,), int64
        """
        codes = (users.astype(np.int64) << 32) + np.maximum(days, 0)
        at = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where((days >= 0) & (self._codes[at] == codes), at, -1)
