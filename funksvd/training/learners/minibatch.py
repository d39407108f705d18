"""Gradient descent on batches of ratings: plain, with momentum, Adagrad, RMSProp or Adam."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from funksvd.kernels import (
    Squared,
    Table,
    add_gradients,
    cost_of_block,
    run_batches,
    update_rows,
)
from funksvd.objectives.parameters import Parameters
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.learners.base import Start, in_order, sum_in_order
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.plan import Block, BlockPlan
from funksvd.training.scale import scaled_rates

MAX_REPEATS = 20
"""Gradients of a row, in one batch, whose sum is not too long a step."""
ROWS_PER_TASK = 4096


class BatchLearner(SGDLearner):
    """Moves each row of a batch along the sum of its gradients there, eqs. (4) to (7).

    A batch is made of ratings of blocks that share no row, and each block does its part by itself:
    the rows of a part are in no other part, so that this is the same as if all parts were done at
    once. A batch that is larger than a stratum is made of whole strata, whose gradients are added
    up before any row moves. Which ratings make a batch is drawn once; their order, in each epoch.

    Everything here is in units of the ratings' standard deviation, so that no optimizer has to know
    the ratings' unit.

    Plain steps and momentum have learning rates for each row, as `row_shares` says. Where a row is
    in a batch more than about 20 times, the sum of so many gradients would be too long a step: its
    rate is divided by the number of its ratings in a batch, on average, over 20. The other
    optimizers find the lengths of their steps themselves.
    """

    def __init__(
        self,
        plan: BlockPlan,
        hyperparameters: Hyperparameters,
        random: np.random.Generator,
        pool: ThreadPoolExecutor,
    ) -> None:
        super().__init__(plan, hyperparameters, random, pool)
        self.unit = self.scale.normalized()
        n_users, n_items = (len(rows.order) for rows in (plan.users, plan.items))
        start = self.arranged
        self.table = Table.of(
            n_users + n_items, hyperparameters.n_factors, hyperparameters.optimizer
        )
        biases, factors = self.table.biases.reshape(-1), self.table.factors
        self.arranged = Parameters(
            0.0, biases[:n_users], biases[n_users:], factors[:n_users], factors[n_users:]
        )
        self._take(start)
        values = (plan.values - self.scale.center) / self.scale.spread
        self.plan = plan._replace(values=values.astype(np.float32))

        largest = max(_n_learned(plan.stratum(shift)) for shift in range(plan.n_groups))
        size = hyperparameters.batch_size
        size = plan.n_learned if size == "full" else min(size, plan.n_learned)
        self.strata_per_batch = plan.n_groups if size == plan.n_learned else size // largest
        self.ratings = self._ratings_by_row()
        if not self.strata_per_batch:
            self._deal(size)
        self._set_shares(size)

    def start_from(self, start: Start) -> None:
        """Take parameters that were learned before in the place of random ones."""
        self._take(self.plan.arranged(start.parameters))
        self.ratings[2][:] -= self.arranged.global_mean

    def _take(self, arranged: Parameters) -> None:
        """Take parameters in the ratings' own unit."""
        self.mean = arranged.global_mean
        shift = (self.mean - self.scale.center) / self.scale.spread
        self.arranged = self.arranged._replace(global_mean=np.float32(shift))
        for mine, theirs, unit in zip(self.state()[:4], arranged[1:], self._units(), strict=True):
            np.divide(theirs, unit, out=mine)

    def _units(self) -> np.ndarray:
        """Of the parameters but the mean."""
        spread = self.scale.spread
        return np.array([spread, spread, np.sqrt(spread), np.sqrt(spread)], np.float32)

    def run_epoch(
        self, learning_rate: Callable[[float], float], on_ratings_done: Callable[[int], None]
    ) -> float:
        """One pass over all batches.

        Errors are taken at the end of the epoch, so that a step that is much too long shows in its
        own epoch, however few steps there are.
        """
        plan, per_batch = self.plan, self.strata_per_batch
        n_done = 0
        for number, shift in enumerate(self.random.permutation(plan.n_groups), start=1):
            blocks = plan.stratum(int(shift))
            if not per_batch or number % per_batch == 1 % per_batch:
                rates = self._unit_rates(learning_rate(n_done / plan.n_learned))
            if not per_batch:
                self._run_batches(blocks, self.n_batches[shift], rates)
            else:
                self._add_gradients(blocks)
                if number % per_batch == 0 or number == plan.n_groups:
                    self._update_all(rates)
            n_ratings = _n_learned(blocks)
            n_done += n_ratings
            on_ratings_done(n_ratings)
        squared_error = self._squared_error("learned", -np.inf, np.inf)
        return float(np.sqrt(squared_error / plan.n_learned)) * self.scale.spread

    def validation_error(self) -> float | None:
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

    def parameters(self) -> Parameters:
        """In the ratings' own unit and numbering, without the padding."""
        _, *arrays = super().parameters()
        scaled = (array * unit for array, unit in zip(arrays, self._units(), strict=True))
        return Parameters(self.mean, *scaled)

    def _ratings_by_row(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The plan's, with the rows of the table in the place of those of blocks."""
        plan, n_users = self.plan, len(self.arranged.user_biases)
        users, items = (np.empty(len(plan.values), np.uint32) for _ in range(2))
        for block in plan.blocks:
            part = block.learned
            np.add(plan.user_index[part], block.users.start, out=users[part], dtype=np.uint32)
            first_item = n_users + block.items.start
            np.add(plan.item_index[part], first_item, out=items[part], dtype=np.uint32)
        return users, items, plan.values.copy()

    def _deal(self, size: int) -> None:
        """Deal the ratings of each block to batches, at random; within one, they stay in order."""
        plan = self.plan
        self.n_batches: list[int] = []
        tasks = []
        for shift in range(plan.n_groups):
            blocks = plan.stratum(shift)
            # One rating of each block is as good as one by one, since they share no row.
            longest = max(_n_learned([block]) for block in blocks)
            n_batches = min(-(-_n_learned(blocks) // size), longest)
            self.n_batches.append(n_batches)
            tasks += [
                self.pool.submit(_deal_block, self._of(block), n_batches, random)
                for block, random in zip(blocks, self.random.spawn(len(blocks)), strict=True)
            ]
        in_order(tasks)

    def _set_shares(self, size: int) -> None:
        """See the class."""
        if self.hyperparameters.optimizer not in ("sgd", "momentum"):
            return
        sides = (self.plan.users, self.plan.items)
        counts = np.concatenate([rows.counts[0][rows.order] for rows in sides])
        repeats = counts * (size / self.plan.n_learned)
        self.table.bias_shares[:] = 1 / np.maximum(repeats / MAX_REPEATS, 1)
        self.table.shares[:] = np.concatenate(self.row_shares) * self.table.bias_shares

    def _unit_rates(self, learning_rate: float) -> tuple[np.float32, ...]:
        """Of factors and biases, lambda and lambda_b."""
        one = (np.ones(1), np.ones(1))
        rates = scaled_rates(self.hyperparameters, learning_rate, self.reg, self.unit, one)
        return (rates.users[0], *rates[2:])

    def _run_batches(
        self, blocks: list[Block], n_batches: int, rates: tuple[np.float32, ...]
    ) -> None:
        order = self.random.permutation(n_batches)
        chosen = self.hyperparameters
        how = (self.table, chosen.n_factors, rates, chosen.optimizer)
        in_order(self.pool.submit(run_batches, self._of(block), order, *how) for block in blocks)

    def _add_gradients(self, blocks: list[Block]) -> None:
        in_order(self.pool.submit(add_gradients, self._of(block), self.table) for block in blocks)

    def _update_all(self, rates: tuple[np.float32, ...]) -> None:
        chosen = self.hyperparameters
        how = (self.table, chosen.n_factors, rates, chosen.optimizer)
        rows = np.arange(len(self.table.counts), dtype=np.uint32)
        parts = (rows[at : at + ROWS_PER_TASK] for at in range(0, len(rows), ROWS_PER_TASK))
        in_order(self.pool.submit(update_rows, part, *how) for part in parts)

    def _squared_error(self, part: str, low: float, high: float) -> float:
        """Of the ratings that are learned from, or held back; predictions are held in limits."""
        limits = (np.float32(low), np.float32(high))
        return sum_in_order(
            self.pool.submit(
                cost_of_block, *self._operands(block, getattr(block, part)), limits, Squared()
            )
            for block in self.plan.blocks
        )

    def _of(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The block's ratings."""
        return tuple(array[block.learned] for array in self.ratings)


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
