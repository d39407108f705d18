"""A worker's part in the descent: its groups of users, and the groups of items that are with it.

At shift s of an epoch, the groups of users g = a, …, b - 1 of a worker meet the groups of items
g + s (mod B). At the next one, they need a + s + 1, …, b + s: the worker hands the group a + s to
the worker before it, and gets b + s from the one after it. After B shifts, each group of items is
home again, with the group of users of its number. An epoch moves B groups, which is one table of
items, to each worker and from each. An epoch with ratings held back moves another one: their error
is that of the rows at its end.

References
----------
R. Gemulla et al., "Large-Scale Matrix Factorization with Distributed Stochastic Gradient Descent",
KDD 2011.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import ShardError
from funksvd.hyperparameters import ResolvedHyperparameters
from funksvd.kernels import cost_of_block, padded_rows, sgd_block
from funksvd.parallel import available_processors
from funksvd.training.executors import Executor, Threads
from funksvd.training.learners.sgd import Operands, first_rows
from funksvd.training.plan import BlockPlan
from funksvd.training.scale import Rates, Scale, row_shares, scaled_rates

USERS, ITEMS = 0, 1
"""The two sides."""


@dataclass(frozen=True)
class Setting:
    """All that a descent depends on besides the ratings; the same for all workers.

    Parameters
    ----------
    hyperparameters : ResolvedHyperparameters
    member : int
        Number of the model within an ensemble.
    scale : Scale
        Of the scores.
    loss : NamedTuple
        For kernels.
    reg : float
        Regularization of the factors, as chosen.
    """

    hyperparameters: ResolvedHyperparameters
    member: int
    scale: Scale
    loss: Any
    reg: float


class Table(NamedTuple):
    """Rows of a group of users or of items.

    Parameters
    ----------
    biases : ndarray of shape (n,), float32
    factors : ndarray of shape (n, padded n_factors), float32
    """

    biases: np.ndarray
    factors: np.ndarray

    @classmethod
    def of(cls, factors: np.ndarray) -> Table:
        """Rows whose biases are zero."""
        return cls(np.zeros(len(factors), np.float32), factors)

    def copy(self) -> Table:
        """A copy that kernels can learn into."""
        factors = padded_rows(*self.factors.shape)
        factors[:] = self.factors
        return Table(self.biases.copy(), factors)

    @property
    def n_bytes(self) -> int:
        """Bytes of both."""
        return self.biases.nbytes + self.factors.nbytes


class Descending(ABC):
    """What a worker does with its part of a plan; the other half of `learner.ShardedLearner`.

    Each step says which one it is, and any other than the next is refused: a wrong order is an
    error, never another model.

    Attributes
    ----------
    n_bytes_taken : int
        Bytes of the groups of items that other workers have handed to it.
    """

    _executor: Executor

    @property
    @abstractmethod
    def groups(self) -> range:
        """Its groups of users, that follow each other."""

    @abstractmethod
    def part(self, purpose: str) -> BlockPlan:
        """The ratings of its groups: those of "search" or of "refit"."""

    def open_plan(self, purpose: str, n_threads: int | None) -> None:
        """Take up the ratings of a purpose."""
        self._plan = self.part(purpose)
        self._executor = Threads(n_threads or available_processors())
        self._shares = row_shares(self._plan)
        self.n_bytes_taken = 0

    def of_learned(self, function: Callable[[np.ndarray], Any]) -> list[Any]:
        """See `BlockPlan.of_learned`."""
        plan = self._plan
        blocks = [plan.block(*at) for at in np.ndindex(*plan.bounds.shape[:2])]
        parts = [plan.values[block.learned] for block in blocks]
        return self._executor.map(function, [part for part in parts if part.size])

    def start(self, setting: Setting) -> None:
        """Draw the first rows of its groups of users, and of as many groups of items."""
        self._setting = setting
        self._slots: dict[int, tuple[list[Table], dict[int, Table]]] = {}
        self._users = [self._first(USERS, g) for g in self.groups]
        self._items = {g: self._first(ITEMS, g) for g in self.groups}
        self._epoch, self._next = 0, 0

    def _first(self, side: int, g: int) -> Table:
        plan, setting = self._plan, self._setting
        rows = plan.items if side == ITEMS else plan.users
        own = rows.order[rows.group(g if side == ITEMS else g - self.groups.start)]
        given = (setting.hyperparameters, setting.member, setting.scale)
        return Table.of(first_rows(*given, (side, g), rows.counts[0][own]))

    def step(self, epoch: int, shift: int, learning_rate: float) -> list[float]:
        """Learn from the blocks of a stratum.

        Parameters
        ----------
        epoch : int
            More than at any step before, or the same.
        shift : int
            From 0 to B - 1, in turn.
        learning_rate : float

        Returns
        -------
        list of float
            Cost of the ratings of each block, as it was before each step.

        Raises
        ------
        ShardError
            If it is not the next step.
        """
        if (epoch <= self._epoch or self._next) if shift == 0 else epoch != self._epoch:
            raise ShardError(f"epoch {epoch} does not follow shift {self._next} of {self._epoch}")
        self._check_shift(shift)
        self._epoch = epoch
        setting = self._setting
        chosen = setting.hyperparameters
        rates = scaled_rates(chosen, learning_rate, setting.reg, setting.scale, self._shares)
        descend = partial(self._descend, shift, rates, (setting.loss, bool(chosen.nonnegative)))
        return self._executor.map(descend, range(len(self.groups)))

    def _descend(self, shift: int, rates: Rates, kind: tuple[Any, bool], at: int) -> float:
        block = self._plan.block(at, self._met_by(at, shift))
        return sgd_block(*self._operands(at, shift, "learned"), rates.of(block), *kind)

    def held_back_costs(self, shift: int, limits: tuple[np.float32, np.float32]) -> list[float]:
        """Cost of the ratings held back of each block of a stratum, scores held within limits."""
        self._check_shift(shift)
        loss = self._setting.loss

        def cost(at: int) -> float:
            return cost_of_block(*self._operands(at, shift, "held_back"), limits, loss)

        return self._executor.map(cost, range(len(self.groups)))

    def _check_shift(self, shift: int) -> None:
        if shift != self._next:
            raise ShardError(f"shift {shift} was asked for, and it is the turn of {self._next}")
        self._next = (shift + 1) % self._plan.n_groups

    def _met_by(self, at: int, shift: int) -> int:
        return (self.groups[at] + shift) % self._plan.n_groups

    def _operands(self, at: int, shift: int, which: str) -> Operands:
        plan, h = self._plan, self._met_by(at, shift)
        users, items = self._users[at], self._items[h]
        ratings = getattr(plan.block(at, h), which)
        return (
            plan.user_index[ratings],
            plan.item_index[ratings],
            plan.values[ratings],
            np.float32(self._setting.scale.center),
            users.biases,
            items.biases,
            users.factors,
            items.factors,
        )

    def hand_over(self, h: int) -> Table:
        """Hand over a group of items, which is then with another worker."""
        return self._items.pop(h)

    def take_over(self, h: int, items: Table) -> None:
        """Take over a group of items."""
        self._items[h] = items if items.factors.flags.writeable else items.copy()
        self.n_bytes_taken += items.n_bytes

    def n_bytes(self) -> int:
        """Bytes taken over since the plan was opened."""
        return self.n_bytes_taken

    def forget(self) -> None:
        """Free the memory of all rows: the process that trains has collected what was learned."""
        self._users, self._items, self._slots = [], {}, {}

    def snapshot(self, slot: int) -> None:
        """Remember all rows, in the place of what the slot held."""
        if slot not in self._slots:
            users = [table.copy() for table in self._users]
            self._slots[slot] = users, {h: table.copy() for h, table in self._items.items()}
            return
        self._overwrite(self._slots[slot], (self._users, self._items))

    def restore(self, slot: int) -> None:
        """Go back to the rows of the last `snapshot` of this slot; groups of items are home."""
        if set(self._items) != set(self.groups):  # in the middle of an epoch
            self._items = {h: table.copy() for h, table in self._slots[slot][1].items()}
        self._overwrite((self._users, self._items), self._slots[slot])
        self._next = 0

    def _overwrite(
        self,
        target: tuple[list[Table], dict[int, Table]],
        source: tuple[list[Table], dict[int, Table]],
    ) -> None:
        if set(target[1]) != set(source[1]):
            raise ShardError("groups of items are not where they belong")
        pairs = list(zip(target[0], source[0], strict=True))
        pairs += [(table, source[1][h]) for h, table in target[1].items()]
        for mine, theirs in pairs:
            np.copyto(mine.biases, theirs.biases)
            np.copyto(mine.factors, theirs.factors)

    def rows(self, side: int, g: int, slot: int | None = None) -> Table:
        """The rows of a group, without the padding: those of now, or of a slot."""
        users, items = (self._users, self._items) if slot is None else self._slots[slot]
        table = items[g] if side == ITEMS else users[g - self.groups.start]
        return table._replace(factors=table.factors[:, : self._setting.hyperparameters.n_factors])

    def load(self, side: int, g: int, rows: Table) -> None:
        """Put rows, without padding, in the place of those of a group."""
        table = self._items[g] if side == ITEMS else self._users[g - self.groups.start]
        np.copyto(table.biases, rows.biases)
        np.copyto(table.factors[:, : rows.factors.shape[1]], rows.factors)
