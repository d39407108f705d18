"""The choice model with pairs at the workers: each solves its own rows of users, and of items."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from funksvd.cluster.gang import Gang
from funksvd.kernels import padded_rows, solve_rows
from funksvd.learned import LearnedChoices
from funksvd.parallel import available_processors
from funksvd.ratings import CompressedRows
from funksvd.training import PairPlan
from funksvd.training.context import Context
from funksvd.training.executors import Threads
from funksvd.training.learners.ials import N_STEPS, IALSLearner

Span = tuple[int, int]
"""The first of some rows, and the one after the last."""


class Solving:
    """What a worker does for a choice model; the other half of `ShardedIALSLearner`."""

    def hold_pairs(
        self, which: int, pairs: CompressedRows, weights: np.ndarray, spans: list[Span]
    ) -> None:
        """Take up the pairs of some rows.

        Parameters
        ----------
        which : int
            0 if the rows are users, 1 for items.
        pairs : CompressedRows
            Columns of each row, with levels.
        weights : ndarray of shape (256,), float32
            Of the levels.
        spans : list of (int, int)
            The rows that one thread solves at a time.
        """
        if which == 0:
            self._pairs: list[tuple[CompressedRows, np.ndarray, list[Span]]] = []
        held = CompressedRows(*(own(array) for array in pairs if array is not None))
        self._pairs.append((held, own(weights), spans))

    def solve(
        self,
        which: int,
        mine: np.ndarray,
        other: np.ndarray,
        diagonal: np.ndarray,
        reg: tuple[float, float],
        n_threads: int | None,
    ) -> tuple[np.ndarray, list[tuple[float, float]]]:
        """See `IALSLearner.solve_spans`; returns the worker's rows too."""
        pairs, weights, spans = self._pairs[which]
        mine, other = own_rows(mine), own_rows(other)
        given = (pairs.indptr, (pairs.columns, pairs.values), weights, other, own(diagonal), reg)
        with Threads(n_threads or available_processors()) as executor:
            sums = executor.map(lambda span: solve_rows(span, *given, N_STEPS, mine), spans)
        return mine, sums


class ShardedIALSLearner(IALSLearner):
    """`IALSLearner` whose rows are solved by workers: the same bytes, for any number of them.

    All rows of both sides are in this process; workers have the pairs.
    """

    def __init__(self, context: Context[PairPlan, LearnedChoices]) -> None:
        super().__init__(context)
        plan = context.plan
        assert isinstance(plan, ShardedPairs)
        self.gang, self._n_threads = plan.gang, plan.worker_threads
        self._shares: list[list[Span]] = []
        for which, side in enumerate(self.sides):
            n_workers, n = self.gang.n_workers, len(side.spans)
            edges = [n * worker // n_workers for worker in range(n_workers + 1)]
            shares = []
            for worker, (begin, end) in enumerate(pairwise(edges)):
                spans = side.spans[begin:end]
                first, stop = (spans[0][0], spans[-1][1]) if spans else (0, 0)
                given = (_part(side.pairs, first, stop), plan.weights)
                moved = [(a - first, b - first) for a, b in spans]
                self.gang.results([self.gang.submit(worker, "hold_pairs", which, *given, moved)])
                shares.append((first, stop))
            self._shares.append(shares)

    def solve_spans(
        self,
        which: int,
        mine: np.ndarray,
        other: np.ndarray,
        diagonal: np.ndarray,
        reg: tuple[float, float],
    ) -> list[tuple[float, float]]:
        """See `IALSLearner.solve_spans`."""
        shared = self.gang.share(other)
        handles = [
            self.gang.submit(
                worker, "solve", which, mine[slice(*rows)], shared, diagonal, reg, self._n_threads
            )
            for worker, rows in enumerate(self._shares[which])
        ]
        sums = []
        for rows, (solved, some) in zip(
            self._shares[which], self.gang.results(handles), strict=True
        ):
            mine[slice(*rows)] = solved
            sums += some
        return sums


@dataclass(frozen=True, eq=False)
class ShardedPairs(PairPlan):
    """Pairs that the workers of a gang learn from.

    Parameters
    ----------
    gang : Gang
    transposed : CompressedRows
        The same pairs as users of each item, with levels.
    worker_threads : int or None
        Of each worker; None for all processors of its machine.
    """

    gang: Gang = None  # type: ignore[assignment]  # there is always one
    transposed: CompressedRows = None  # type: ignore[assignment]
    worker_threads: int | None = None

    learner: ClassVar[type[IALSLearner]] = ShardedIALSLearner
    """The only learner that learns from it."""

    @property
    def by_item(self) -> CompressedRows:
        """The pairs, as users of each item."""
        return self.transposed


def _part(pairs: CompressedRows, first: int, stop: int) -> CompressedRows:
    """Some rows of pairs."""
    indptr = pairs.indptr[first : stop + 1]
    at = slice(int(indptr[0]), int(indptr[-1]))
    assert pairs.values is not None
    return CompressedRows(indptr - indptr[0], pairs.columns[at], pairs.values[at])


def own(array: np.ndarray) -> np.ndarray:
    """An array that kernels take: one from another process cannot be written."""
    return array if array.flags.writeable else array.copy()


def own_rows(rows: np.ndarray) -> np.ndarray:
    """The same for rows of factors, which begin at a cache line."""
    if rows.flags.writeable:
        return rows
    copied = padded_rows(*rows.shape)
    copied[:] = rows
    return copied
