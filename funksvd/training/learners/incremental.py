"""Funk's own algorithm: one feature at a time, each trained until it stops improving."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np

from funksvd.kernels import feature_block, squared_error_of_feature, subtract_feature
from funksvd.objectives.incremental import row_weights
from funksvd.objectives.parameters import Parameters
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.learners.base import Learner, sum_in_order
from funksvd.training.plan import Block, BlockPlan
from funksvd.training.scale import scaled_rates
from funksvd.training.stopping import EarlyStopping

PATIENCE, FEWEST_PASSES = 5, 25
"""A feature is done after so many passes without a notably lower training error, but begins slowly.

The validation part decides about the number of features only: were each feature stopped by it, one
after the other would be fitted to its few ratings. On parts held out of MovieLens 100K that made
the RMSE 1 % higher.
"""
BIAS_SHARE = 0.1
"""The biases' learning rate is so many times that of the features."""


class IncrementalLearner(Learner):
    """Learns biases, then feature after feature from what the earlier ones leave.

    Equations are those of `funksvd.objectives.incremental`. An epoch is a feature: as many passes
    over the ratings as it takes.

    References
    ----------
    S. Funk, "Netflix Update: Try This at Home", 2006.
    """

    reg_share: ClassVar[float] = 1.6  # features are trained to the end

    def __init__(
        self,
        plan: BlockPlan,
        hyperparameters: Hyperparameters,
        random: np.random.Generator,
        pool: ThreadPoolExecutor,
    ) -> None:
        super().__init__(plan, hyperparameters, random, pool)
        k = hyperparameters.n_factors
        sizes = [len(rows.order) for rows in (plan.users, plan.items)]
        self.biases = [np.zeros(n, np.float32) for n in sizes]
        self.features = [np.zeros((k, n), np.float32) for n in sizes]
        self.n_learned = np.zeros(1, np.int64)
        self.n_passes = np.zeros(k + 1, np.int64)  # for the biases, for each feature
        self.weights = [
            row_weights(rows.counts[0][rows.order]).astype(np.float32)
            for rows in (plan.users, plan.items)
        ]
        # Not a part of the state: the finished features, which no later epoch changes, decide it.
        self.residuals = plan.values - np.float32(self.scale.center)
        self.n_subtracted = 0

    def run_epoch(
        self, learning_rate: Callable[[float], float], on_ratings_done: Callable[[int], None]
    ) -> float:
        """Train the next feature; before the first one, the biases, which go on learning with it.

        Each error is that of the feature's last pass, as it was before its own step.
        """
        feature = int(self.n_learned[0])
        self._subtract_up_to(feature)
        rmse = 0.0
        if feature == 0 and self.hyperparameters.biases:
            rmse = self._train(0, learning_rate, on_ratings_done)
        if np.isfinite(rmse):
            self._initialize(feature)
            rmse = self._train(feature + 1, learning_rate, on_ratings_done)
        self.n_learned[0] = feature + 1
        on_ratings_done(self.plan.n_learned)
        return rmse

    def validation_error(self) -> float | None:
        """Root mean squared error of the predictions, held within the ratings learned from."""
        return self._validation_rmse(int(self.n_learned[0]) - 1)

    def state(self) -> list[np.ndarray]:
        """Biases, features, and how many there are."""
        return [*self.biases, *self.features, self.n_learned]

    def passes(self) -> list[int]:
        """Those of the biases and of each feature."""
        return self.n_passes[: self.n_learned[0] + 1].tolist()

    def parameters(self) -> Parameters:
        """In the ratings' own numbering; the features with the largest products first.

        Those that were not learned are zero, and last.
        """
        energies = [np.square(rows).sum(axis=1, dtype=np.float64) for rows in self.features]
        order = np.argsort(-energies[0] * energies[1], kind="stable")
        factors = (rows[order].T for rows in self.features)
        return self.plan.restored(Parameters(self.scale.center, *self.biases, *factors), len(order))

    def _train(
        self,
        part: int,
        learning_rate: Callable[[float], float],
        on_ratings_done: Callable[[int], None],
    ) -> float:
        """Train the biases (part 0), or them and a feature (its number plus 1), until no better.

        Returns the training RMSE of the last pass.
        """
        planned = self.planned_passes
        limit = self.hyperparameters.n_epochs if planned is None else planned[part]
        stopping = EarlyStopping(PATIENCE)
        rmse = np.nan
        for n_done in range(limit):
            rmse = self._pass(part, learning_rate(n_done / limit), on_ratings_done)
            self.n_passes[part] = n_done + 1
            stopping.is_best(n_done + 1, rmse)
            done = planned is None and stopping.is_exhausted and n_done + 1 >= FEWEST_PASSES
            if done or not np.isfinite(rmse):
                break
        return rmse

    def _pass(
        self, part: int, learning_rate: float, on_ratings_done: Callable[[int], None]
    ) -> float:
        """One pass, stratum by stratum, the blocks of a stratum in parallel; the training RMSE."""
        hyperparameters, plan = self.hyperparameters, self.plan
        one = (np.ones(1), np.ones(1))
        rates = scaled_rates(hyperparameters, learning_rate, self.reg, self.scale, one)
        share = np.float32(BIAS_SHARE if hyperparameters.bias_learning_rate is None else 1)
        scalars = (rates.users[0], share * rates.biases, rates.reg, rates.bias_reg)
        w_users, w_items = self.weights
        squared_error = 0.0
        for shift in self.random.permutation(plan.n_groups):
            squared_error += sum_in_order(
                self.pool.submit(
                    feature_block,
                    *self._operands(block, block.learned, max(part - 1, 0)),
                    (*scalars, w_users[block.users], w_items[block.items]),
                )
                for block in plan.stratum(int(shift))
            )
            on_ratings_done(0)
        return float(np.sqrt(squared_error / plan.n_learned))

    def _validation_rmse(self, feature: int) -> float | None:
        plan = self.plan
        if not plan.n_held_back:
            return None
        limits = (np.float32(self.scale.low), np.float32(self.scale.high))
        squared_error = sum_in_order(
            self.pool.submit(
                squared_error_of_feature,
                *self._operands(block, block.held_back, feature),
                plan.values[block.held_back],
                limits,
            )
            for block in plan.blocks
        )
        return float(np.sqrt(squared_error / plan.n_held_back))

    def _initialize(self, feature: int) -> None:
        """Small normal numbers; zeros for users and items without a rating to learn from."""
        std = self.hyperparameters.init_std * np.sqrt(self.scale.spread)
        sides = (self.plan.users, self.plan.items)
        for features, side in zip(self.features, sides, strict=True):
            normal = self.random.standard_normal(len(side.order), dtype=np.float32)
            features[feature] = normal * np.float32(std) * (side.counts[0] > 0)[side.order]

    def _subtract_up_to(self, feature: int) -> None:
        """Take the features before this one out of the residuals, as far as they still are in."""
        while self.n_subtracted < feature:
            user_feature, item_feature = (features[self.n_subtracted] for features in self.features)

            def subtract(block: Block, rows: tuple = (user_feature, item_feature)) -> None:
                ratings = slice(block.learned.start, block.held_back.stop)
                index = (self.plan.user_index[ratings], self.plan.item_index[ratings])
                p, q = rows[0][block.users], rows[1][block.items]
                subtract_feature(*index, self.residuals[ratings], p, q)

            list(self.pool.map(subtract, self.plan.blocks))
            self.n_subtracted += 1

    def _operands(self, block: Block, ratings: slice, feature: int) -> tuple:
        """A block's ratings, and the rows that they are of: what kernels take first."""
        users, items = block.users, block.items
        return (
            self.plan.user_index[ratings],
            self.plan.item_index[ratings],
            self.residuals[ratings],
            self.biases[0][users],
            self.biases[1][items],
            self.features[0][feature, users],
            self.features[1][feature, items],
        )
