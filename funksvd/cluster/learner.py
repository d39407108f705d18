"""Stochastic gradient descent whose blocks are with the workers of a gang."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise
from typing import Any, ClassVar

import numpy as np

from funksvd.cluster.blocks import groups_of_worker, owner_of
from funksvd.cluster.days import take_out_days
from funksvd.cluster.descent import ITEMS, USERS, Setting, Table
from funksvd.cluster.gang import Gang, Handle
from funksvd.learned import Days, LearnedRatings
from funksvd.objectives.parameters import Parameters
from funksvd.training.checkpoints import Read, Write, fingerprint
from funksvd.training.context import RatingContext
from funksvd.training.days import PlanElsewhere
from funksvd.training.learners.sgd import StrataLearner
from funksvd.training.plan import Rows

AHEAD = 2
"""Strata that workers are told of before the first one is done, so that they need not wait."""
SHORTEST_LIMIT = 300.0
"""Seconds that a stratum may take, however short epochs are."""
EPOCHS_A_STRATUM = 20
"""Epochs, by the median of their times, that a stratum may take until workers count as lost."""


class ShardedLearner(StrataLearner):
    """`SGDLearner` whose rows and ratings are with workers: the same bytes, for any number of them.

    Parameters
    ----------
    context : Context
        Whose plan is a `ShardedPlan`.
    """

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        self.sharded: ShardedPlan = context.plan  # type: ignore[assignment]
        self.gang = self.sharded.gang
        self._epoch = 0
        self._seconds: list[float] = []
        setting = Setting(
            self.hyperparameters, context.member, self.scale, self.loss.for_kernels, self.reg
        )
        self.gang.each("start", setting)

    def descend(self, rates: Sequence[float]) -> Iterator[list[float]]:
        """See `StrataLearner.descend`."""
        self._epoch += 1
        started = time.monotonic()
        yield from self._around(
            ("step", self._epoch, shift, rate) for shift, rate in enumerate(rates)
        )
        self._seconds.append(time.monotonic() - started)

    def held_back_costs(self, limits: tuple[np.float32, np.float32]) -> list[float]:
        """See `StrataLearner.held_back_costs`."""
        shifts = range(self.sharded.n_groups)
        calls = (("held_back_costs", shift, limits) for shift in shifts)
        return list(chain.from_iterable(self._around(calls)))

    def _around(self, calls: Iterator[tuple[Any, ...]]) -> Iterator[list[float]]:
        """Call all workers, shift after shift, and have the groups of items handed on between."""
        limit = None
        if self._seconds:  # the first epoch may have to compile
            limit = max(SHORTEST_LIMIT, EPOCHS_A_STRATUM * statistics.median(self._seconds))
        waiting: deque[list[Handle]] = deque()
        for shift, call in enumerate(calls):
            waiting.append([self.gang.submit(w, *call) for w in range(self.gang.n_workers)])
            self._hand_on(shift)
            if len(waiting) > AHEAD:
                yield list(chain.from_iterable(self.gang.results(waiting.popleft(), limit)))
        while waiting:
            yield list(chain.from_iterable(self.gang.results(waiting.popleft(), limit)))

    def _hand_on(self, shift: int) -> None:
        """Each worker hands its first group of items to the worker before it.

        A worker that has no group of users, as there are fewer than workers, has no part in it.
        """
        n_groups, starts = self.sharded.n_groups, self.sharded.starts
        having = [w for w, (start, stop) in enumerate(pairwise(starts)) if start < stop]
        if len(having) == 1:
            return
        firsts = [(starts[w] + shift) % n_groups for w in having]
        given = [self.gang.submit(w, "hand_over", h) for w, h in zip(having, firsts, strict=True)]
        for at, (h, table) in enumerate(zip(firsts, given, strict=True)):
            self.gang.submit(having[at - 1], "take_over", h, table)

    def state(self) -> list[np.ndarray]:
        """Nothing: the state is with the workers."""
        return []

    def snapshot(self, slot: int) -> None:
        """Have the workers remember their rows."""
        self.gang.each("snapshot", slot)

    def restore(self, slot: int) -> None:
        """Have the workers go back to the rows of the last `snapshot` of this slot."""
        self.gang.each("restore", slot)

    def dump(self, slots: Sequence[int], write: Write) -> None:
        """See `Learner.dump`; the arrays of one group at a time are in this process."""
        for slot in slots:
            for side, rows in self._sides():
                for g, table in self._tables(side, rows, slot):
                    for name, array in table._asdict().items():
                        write(f"slot {slot}/{side}/{g}/{name}", array)

    def load(self, slots: Sequence[int], read: Read) -> None:
        """See `Learner.load`."""
        for slot in slots:
            for side, rows in self._sides():
                for g in range(len(rows.starts) - 1):
                    table = Table(*(read(f"slot {slot}/{side}/{g}/{x}") for x in Table._fields))
                    self.gang.result(self.sharded.owner(g), "load", side, g, table)
            self.snapshot(slot)

    def learned(self) -> LearnedRatings:
        """Biases and factors, in the ratings' own numbering."""
        k = self.hyperparameters.n_factors
        tables = []
        for side, rows in self._sides():
            n = len(rows.order)
            table = Table(np.empty(n, np.float32), np.empty((n, k), np.float32))
            for g, found in self._tables(side, rows):
                own = rows.order[rows.group(g)]
                table.biases[own], table.factors[own] = found
            tables.append(table)
        (user_biases, user_factors), (item_biases, item_factors) = tables
        return LearnedRatings.of(
            Parameters(self.scale.center, user_biases, item_biases, user_factors, item_factors)
        )

    def _sides(self) -> tuple[tuple[int, Rows], tuple[int, Rows]]:
        return (USERS, self.sharded.users), (ITEMS, self.sharded.items)

    def _tables(
        self, side: int, rows: Rows, slot: int | None = None
    ) -> Iterator[tuple[int, Table]]:
        """The rows of each group, one after the other."""
        for g in range(len(rows.starts) - 1):
            yield g, self.gang.result(self.sharded.owner(g), "rows", side, g, slot)


@dataclass(frozen=True, eq=False)
class ShardedPlan(PlanElsewhere):
    """A block plan whose ratings are with the workers of a gang.

    Parameters
    ----------
    gang : Gang
    users, items : Rows
    counts : ndarray of shape (n_groups, n_groups, 2), int64
        Ratings of each block: to learn from, and held back.
    data : str
        Fingerprint of the ratings.
    n_threads : int or None
        Of each worker; None for all of its machine's processors.
    has_days : bool
        Whether biases of users on days are learned.
    purpose : str
        The ratings that the workers have taken up.
    """

    gang: Gang
    users: Rows
    items: Rows
    counts: np.ndarray
    data: str
    n_threads: int | None = None
    has_days: bool = False
    purpose: str = "search"

    unrated: ClassVar[None] = None
    """There are no pairs without a rating."""
    learner: ClassVar[type[ShardedLearner]] = ShardedLearner
    """The only learner that learns from it."""

    def fingerprint(self) -> str:
        """Checksum of all that can be learned from; the same for any number of workers."""
        return fingerprint(np.frombuffer(self.data.encode(), np.uint8), self.counts)

    @property
    def n_groups(self) -> int:
        """B: groups of users, and of items."""
        return len(self.counts)

    @property
    def n_learned(self) -> int:
        """Ratings to learn from."""
        return int(self.counts[..., 0].sum())

    @property
    def n_held_back(self) -> int:
        """Ratings that are not learned from."""
        return int(self.counts[..., 1].sum())

    @property
    def starts(self) -> list[int]:
        """The first group of users of each worker, and the number of groups."""
        n_workers, n_groups = self.gang.n_workers, self.n_groups
        firsts = [groups_of_worker(w, n_workers, n_groups).start for w in range(n_workers)]
        return [*firsts, n_groups]

    def owner(self, g: int) -> int:
        """The worker that has a group of users, and the group of items of that number at home."""
        return owner_of(g, self.n_groups, self.gang.n_workers)

    def n_learned_of(self, shift: int) -> int:
        """Ratings to learn from of a stratum."""
        g = np.arange(self.n_groups)
        return int(self.counts[g, (g + shift) % self.n_groups, 0].sum())

    def of_learned(
        self, function: Callable[[np.ndarray], Any], n_threads: int | None = None
    ) -> list[Any]:
        """See `BlockPlan.of_learned`; the number of threads is the workers'."""
        return list(chain.from_iterable(self.gang.each("of_learned", function)))

    def opened(self, purpose: str) -> ShardedPlan:
        """The same, once all workers have taken up the ratings of a purpose."""
        self.gang.each("open_plan", purpose, self.n_threads)
        return replace(self, purpose=purpose)

    @cached_property
    def days(self) -> Days | None:
        """See `PlanElsewhere`."""
        if not self.has_days:
            return None
        days = take_out_days(self.gang, self.purpose, self.users, self.items)
        if days is not None:
            self.gang.each("open_plan", self.purpose, self.n_threads)
        return days

    def with_all_learned(self, n_threads: int = 1) -> ShardedPlan:
        """The plan that holds nothing back."""
        counts = self.counts.sum(axis=-1, keepdims=True) * np.array([1, 0])
        users, items = self.users.with_all_learned(), self.items.with_all_learned()
        return replace(self, users=users, items=items, counts=counts).opened("refit")
