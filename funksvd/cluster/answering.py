"""Predictions and lists made by the workers of a gang, each with the whole model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Self

import numpy as np

from funksvd.cluster.gang import Gang
from funksvd.listing import Filters, tables_of
from funksvd.model import FunkSVD

PAIRS_AT_ONCE = 1 << 20
USERS_AT_ONCE = 1 << 13
"""Pairs, and users, of one call."""


class Answering:
    """A worker that answers for a model.

    Parameters
    ----------
    number, n_workers : int
        Its own, and that of all workers.
    """

    def __init__(self, number: int, n_workers: int) -> None:
        self.number, self.n_workers = number, n_workers

    def hold(self, model: FunkSVD, n_threads: int | None) -> None:
        """Take up a model."""
        self._model = copy.copy(model)
        self._model.hyperparameters.n_threads = n_threads

    def predict(self, *pairs: np.ndarray) -> np.ndarray:
        """See `FunkSVD.predict_index`."""
        return self._model.predict_index(*pairs)

    def deviations(self, *pairs: np.ndarray) -> np.ndarray:
        """See `FunkSVD.predict_std_index`."""
        return self._model.predict_std_index(*pairs)

    def lists(
        self, users: np.ndarray, n: int, by: str | None, filters: Filters
    ) -> list[dict[str, np.ndarray]]:
        """The tables of `FunkSVD.recommend_all` of some users, by their rows."""
        model = self._model
        return list(tables_of(model.fitted, users, n, by, filters, model.thread_count()))


class GangModel(FunkSVD):
    """A model whose predictions and lists for many are made by workers; else as any model."""

    _gang: Gang

    @classmethod
    def of_model(cls, model: FunkSVD, gang: Gang, n_threads: int | None = None) -> Self:
        """A fitted model, and workers of the class `Answering`.

        Parameters
        ----------
        model : FunkSVD
        gang : Gang
        n_threads : int, optional
            Of each worker; by default all processors of its machine.
        """
        other = object.__new__(cls)
        vars(other).update(vars(model))
        other._gang = gang
        gang.each("hold", gang.share(model), n_threads)
        return other

    def predict_index(
        self,
        user_index: np.ndarray,
        item_index: np.ndarray,
        timestamps: np.ndarray | None = None,
    ) -> np.ndarray:
        """See `FunkSVD.predict_index`."""
        return self._by_workers("predict", user_index, item_index, timestamps)

    def predict_std_index(self, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
        """See `FunkSVD.predict_std_index`."""
        return self._by_workers("deviations", user_index, item_index)

    def _by_workers(self, method: str, *columns: np.ndarray | None) -> np.ndarray:
        there = [column for column in columns if column is not None]
        n = len(there[0])
        parts = (slice(at, at + PAIRS_AT_ONCE) for at in range(0, max(n, 1), PAIRS_AT_ONCE))
        every = (tuple(column[part] for column in there) for part in parts)
        return np.concatenate(list(self._gang.in_turn(method, every)))

    def _tables(
        self, users: np.ndarray, n: int, by: str | None, filters: Filters
    ) -> Iterator[dict[str, np.ndarray]]:
        """See `Recommender._tables`."""
        parts = (users[at : at + USERS_AT_ONCE] for at in range(0, len(users), USERS_AT_ONCE))
        for tables in self._gang.in_turn("lists", ((part, n, by, filters) for part in parts)):
            yield from tables
