"""Gradient descent on batches of ratings: plain, with momentum, Adagrad, RMSProp or Adam."""

from __future__ import annotations

from itertools import repeat
from typing import TypeAlias

import numpy as np

from funksvd.kernels import (
    Table,
    add_gradients,
    cost_of_block,
    run_batches,
    update_rows,
)
from funksvd.learned import LearnedRatings
from funksvd.objectives.parameters import Parameters
from funksvd.training.context import RatingContext
from funksvd.training.learners.base import Progress, decided
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.plan import Block
from funksvd.training.scale import scaled_rates

MAX_REPEATS = 20
"""Largest number of gradients of a row, in one batch, whose sum is not too long a step."""
ROWS_PER_TASK = 4096
"""Rows that one task updates after a batch of whole strata."""


UnitRates: TypeAlias = tuple[np.float32, np.float32, np.float32, np.float32]
"""Learning rates of factors and biases, lambda and lambda_b, for ratings of unit spread."""


class BatchLearner(SGDLearner):
    """Moves each row of a batch along the sum of its gradients there, eqs. (4) to (7).

    A batch is made of ratings of blocks that share no row, and each block does its part by itself:
    the rows of a part are in no other part, so that this is the same as if all parts were done at
    once. A batch that is larger than a stratum is made of whole strata, whose gradients are added
    up before any row moves. Which ratings make a batch is drawn once; their order, in each epoch.

    Everything here is in units of the ratings' standard deviation, so that no optimizer has to know
    the ratings' unit.

    Plain steps and momentum have learning rates for each row, as `row_shares` says. Where a row is
    in a batch more than about 20 times, the sum of its gradients would be too long a step: its
    rate is divided by the number of its ratings in a batch, on average, over 20. The other
    optimizers find the lengths of their steps themselves.
    """

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        plan, hyperparameters = self.plan, self.hyperparameters
        self.unit = self.scale.normalized()
        self.optimizer = decided(hyperparameters.optimizer)
        n_users, n_items = (len(rows.order) for rows in (plan.users, plan.items))
        start = self.arranged
        self.table = Table.of(n_users + n_items, self.n_factors, self.optimizer)
        biases, factors = self.table.biases.reshape(-1), self.table.factors
        self.mean = start.global_mean
        self.arranged = Parameters(
            float(np.float32((self.mean - self.scale.center) / self.scale.spread)),
            biases[:n_users],
            biases[n_users:],
            factors[:n_users],
            factors[n_users:],
        )
        for mine, theirs, unit in zip(self.state()[:4], start[1:], self._units(), strict=True):
            np.divide(theirs, unit, out=mine)
        values = (plan.values - self.scale.center) / self.scale.spread
        self.plan = plan.with_values(values.astype(np.float32))

        largest = max(_n_learned(plan.stratum(shift)) for shift in range(plan.n_groups))
        size = plan.n_learned
        if isinstance(hyperparameters.batch_size, int):
            size = min(hyperparameters.batch_size, size)
        self.strata_per_batch = plan.n_groups if size == plan.n_learned else size // largest
        self.ratings = self._ratings_by_row()
        if not self.strata_per_batch:
            self._deal(size)
        self._set_shares(size)

    def _units(self) -> np.ndarray:
        """Units of the parameters after the mean: of biases and factors, in rating units."""
        spread = self.scale.spread
        return np.array([spread, spread, np.sqrt(spread), np.sqrt(spread)], np.float32)

    def run_epoch(self, progress: Progress) -> float:
        """One pass over all batches.

        Errors are taken at the end of the epoch, so that a step that is much too long shows in its
        own epoch, however few steps there are.
        """
        plan, per_batch = self.plan, self.strata_per_batch
        n_done = 0
        for number, shift in enumerate(self.random.permutation(plan.n_groups), start=1):
            blocks = plan.stratum(int(shift))
            if not per_batch or number % per_batch == 1 % per_batch:
                rates = self._unit_rates(progress.learning_rate(n_done / plan.n_learned))
            if not per_batch:
                self._run_batches(blocks, self.batches_of[shift], rates)
            else:
                self._add_gradients(blocks)
                if number % per_batch == 0 or number == plan.n_groups:
                    self._update_all(rates)
            n_ratings = _n_learned(blocks)
            n_done += n_ratings
            progress.ratings_done(n_ratings)
        squared_error = self._squared_error("learned", -np.inf, np.inf)
        return float(np.sqrt(squared_error / plan.n_learned)) * self.scale.spread

    def held_back_error(self) -> float | None:
        """Root mean squared error of the predictions, held within the ratings learned from."""
        n_ratings = self.plan.n_held_back
        if not n_ratings:
            return None
        squared_error = self._squared_error("held_back", self.unit.low, self.unit.high)
        return float(np.sqrt(squared_error / n_ratings)) * self.scale.spread

    def state(self) -> list[np.ndarray]:
        """Biases and factors, and what the optimizer remembers."""
        table = self.table
        memories = (table.bias_first, table.first, table.bias_second, table.second, table.powers)
        return [*self.arranged[1:], *memories]

    def learned(self) -> LearnedRatings:
        """Biases and factors, in the ratings' own unit and numbering."""
        _, *arrays = self._restored()
        scaled = (array * unit for array, unit in zip(arrays, self._units(), strict=True))
        return LearnedRatings(self.mean, *scaled)

    def _ratings_by_row(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The ratings of the plan, with rows of the table in the place of rows within blocks."""
        plan, n_users = self.plan, len(self.arranged.user_biases)
        users, items = (np.empty(len(plan.values), np.uint32) for _ in range(2))
        for block in plan.blocks:
            part = block.learned
            np.add(plan.user_index[part], block.users.start, out=users[part], dtype=np.uint32)
            first_item = n_users + block.items.start
            np.add(plan.item_index[part], first_item, out=items[part], dtype=np.uint32)
        return users, items, plan.values - np.float32(self.arranged.global_mean)

    def _deal(self, size: int) -> None:
        """Deal the ratings of each block to batches, at random; within one, they stay in order."""
        plan = self.plan
        self.batches_of: list[int] = []
        tasks: list[tuple[Block, int, np.random.Generator]] = []
        for shift in range(plan.n_groups):
            blocks = plan.stratum(shift)
            # One rating of each block is as good as one by one, since they share no row.
            longest = max(_n_learned([block]) for block in blocks)
            n_batches = min(-(-_n_learned(blocks) // size), longest)
            self.batches_of.append(n_batches)
            randoms = self.random.spawn(len(blocks))
            tasks += zip(blocks, repeat(n_batches, len(blocks)), randoms, strict=True)
        columns = zip(*tasks, strict=True)
        self.executor.map(_deal_block, map(self._of, next(columns)), *columns)

    def _set_shares(self, size: int) -> None:
        """Set each row's learning rate, as the class describes it."""
        if self.optimizer not in ("sgd", "momentum"):
            return
        sides = (self.plan.users, self.plan.items)
        counts = np.concatenate([rows.counts[0][rows.order] for rows in sides])
        repeats = counts * (size / self.plan.n_learned)
        self.table.bias_shares[:] = 1 / np.maximum(repeats / MAX_REPEATS, 1)
        self.table.shares[:] = np.concatenate(self.row_shares) * self.table.bias_shares

    def _unit_rates(self, learning_rate: float) -> UnitRates:
        """Learning rates of factors and biases, lambda and lambda_b."""
        one = (np.ones(1), np.ones(1))
        rates = scaled_rates(self.hyperparameters, learning_rate, self.reg, self.unit, one)
        return (rates.users[0], rates.biases, rates.reg, rates.bias_reg)

    def _run_batches(self, blocks: list[Block], n_batches: int, rates: UnitRates) -> None:
        order = self.random.permutation(n_batches)
        how = (self.table, self.n_factors, rates, self.optimizer)
        self.executor.map(lambda block: run_batches(self._of(block), order, *how), blocks)

    def _add_gradients(self, blocks: list[Block]) -> None:
        self.executor.map(lambda block: add_gradients(self._of(block), self.table), blocks)

    def _update_all(self, rates: UnitRates) -> None:
        how = (self.table, self.n_factors, rates, self.optimizer)
        rows = np.arange(len(self.table.counts), dtype=np.uint32)
        parts = [rows[at : at + ROWS_PER_TASK] for at in range(0, len(rows), ROWS_PER_TASK)]
        self.executor.map(lambda part: update_rows(part, *how), parts)

    def _squared_error(self, part: str, low: float, high: float) -> float:
        """Squared error of the ratings learned from or held back, predictions held in limits."""
        limits = (np.float32(low), np.float32(high))

        def squared_error(block: Block) -> float:
            operands = self._operands(block, getattr(block, part))
            return cost_of_block(*operands, limits)

        return self.executor.sum(squared_error, self.plan.blocks)

    def _of(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The ratings of a block, with the rows of the table."""
        users, items, values = self.ratings
        return users[block.learned], items[block.learned], values[block.learned]


def _n_learned(blocks: list[Block]) -> int:
    return sum(block.learned.stop - block.learned.start for block in blocks)


def _deal_block(
    ratings: tuple[np.ndarray, ...], n_batches: int, random: np.random.Generator
) -> None:
    """Put the ratings of each batch side by side, as `run_batches` finds them; in place."""
    n = len(ratings[0])
    ends = n * np.arange(1, n_batches + 1) // n_batches
    batch = np.empty(n, np.int64)
    batch[random.permutation(n)] = np.searchsorted(ends, np.arange(n), side="right")
    order = np.argsort(batch, kind="stable")
    for array in ratings:
        array[:] = array[order]
