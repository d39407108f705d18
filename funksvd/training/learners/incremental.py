"""Funk's own algorithm: one feature at a time, each trained until it stops improving."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from funksvd.kernels import feature_block, squared_error_of_feature, subtract_feature, sum_squares
from funksvd.learned import LearnedRatings
from funksvd.objectives.incremental import row_weights
from funksvd.objectives.parameters import Parameters
from funksvd.rng import normals
from funksvd.training.context import RatingContext
from funksvd.training.learners.base import Descent, Progress
from funksvd.training.plan import Block
from funksvd.training.scale import scaled_rates
from funksvd.training.stopping import EarlyStopping

PATIENCE, FEWEST_PASSES = 5, 25
"""A feature stops after PATIENCE passes without improvement, but not before FEWEST_PASSES.

The validation part decides about the number of features only: were each feature stopped by it, one
after the other would be fitted to its few ratings. On parts held out of MovieLens 100K that made
the RMSE 1 % higher.
"""
BIAS_SHARE = 0.1
"""Learning rate of the biases, as a multiple of that of the features."""


class IncrementalLearner(Descent):
    """Learns biases, then feature after feature from what the earlier ones leave.

    Equations are those of `funksvd.objectives.incremental`. An epoch is a feature: as many passes
    over the ratings as it takes.

    References
    ----------
    S. Funk, "Netflix Update: Try This at Home", 2006.
    """

    reg_share: ClassVar[float] = 1.6  # features are trained to the end

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        plan = self.plan
        k = self.n_factors
        sizes = [len(rows.order) for rows in (plan.users, plan.items)]
        self.biases = [np.zeros(n, np.float32) for n in sizes]
        self.features = [np.zeros((k, n), np.float32) for n in sizes]
        self.n_learned = np.zeros(1, np.int64)
        self.n_passes = np.zeros(k + 1, np.int64)  # for the biases, for each feature
        self.weights = [
            row_weights(rows.counts[0][rows.order]).astype(np.float32)
            for rows in (plan.users, plan.items)
        ]
        # Not a part of the state: the finished features decide it.
        self.residuals = np.empty_like(plan.values)
        self._subtract_nothing()

    def run_epoch(self, progress: Progress) -> float:
        """Train the next feature; before the first one, the biases, which go on learning with it.

        Each error is that of the feature's last pass, as it was before its own step.
        """
        feature = int(self.n_learned[0])
        self._subtract_up_to(feature)
        rmse = 0.0
        if feature == 0 and self.hyperparameters.biases:
            rmse = self._train(0, progress)
        if np.isfinite(rmse):
            self._initialize(feature)
            rmse = self._train(feature + 1, progress)
        self.n_learned[0] = feature + 1
        progress.ratings_done(self.plan.n_learned)
        return rmse

    def held_back_error(self) -> float | None:
        """Root mean squared error of the predictions, held within the ratings learned from."""
        feature = int(self.n_learned[0]) - 1
        self._subtract_up_to(feature)
        return self._validation_rmse(feature)

    def state(self) -> list[np.ndarray]:
        """Biases, features, how many there are, and the passes that each took."""
        return [*self.biases, *self.features, self.n_learned, self.n_passes]

    def restore(self, slot: int) -> None:
        """Go back to the state of the last `snapshot` of this slot."""
        super().restore(slot)
        if self.n_subtracted >= self.n_learned[0]:  # the last feature, too, or some that are gone
            self._subtract_nothing()

    def passes(self) -> list[int]:
        """Numbers of passes of the biases, and of each feature."""
        return self.n_passes[: self.n_learned[0] + 1].tolist()

    def learned(self) -> LearnedRatings:
        """Biases and features, those with the largest products first.

        Those that were not learned are zero, and last.
        """
        energies = [np.array([sum_squares(row, 0.0) for row in rows]) for rows in self.features]
        order = np.argsort(-energies[0] * energies[1], kind="stable")
        factors = (rows[order].T for rows in self.features)
        arranged = Parameters(self.scale.center, *self.biases, *factors)
        return LearnedRatings.of(self.plan.restored(arranged, len(order)))

    def _train(self, part: int, progress: Progress) -> float:
        """Train the biases (part 0), or them and a feature (its number plus 1), until no better.

        Returns the training RMSE of the last pass.
        """
        planned = self.context.findings.passes
        limit = self.hyperparameters.n_epochs if planned is None else planned[part]
        stopping = EarlyStopping(PATIENCE)
        rmse = np.nan
        for n_done in range(limit):
            rmse = self._pass(part, progress.learning_rate(n_done / limit))
            progress.ratings_done(0)
            self.n_passes[part] = n_done + 1
            stopping.is_best(n_done + 1, rmse)
            done = planned is None and stopping.is_exhausted and n_done + 1 >= FEWEST_PASSES
            if done or not np.isfinite(rmse):
                break
        return rmse

    def _pass(self, part: int, learning_rate: float) -> float:
        """One pass, stratum by stratum, the blocks of a stratum in parallel; the training RMSE."""
        hyperparameters, plan = self.hyperparameters, self.plan
        one = (np.ones(1), np.ones(1))
        rates = scaled_rates(hyperparameters, learning_rate, self.reg, self.scale, one)
        share = np.float32(BIAS_SHARE if hyperparameters.bias_learning_rate is None else 1)
        scalars = (rates.users[0], share * rates.biases, rates.reg, rates.bias_reg)
        w_users, w_items = self.weights

        def descend(block: Block) -> float:
            operands = self._operands(block, block.learned, max(part - 1, 0))
            return feature_block(*operands, (*scalars, w_users[block.users], w_items[block.items]))

        squared_error = 0.0
        for shift in self.random.permutation(plan.n_groups):
            squared_error += self.executor.sum(descend, plan.stratum(int(shift)))
        return float(np.sqrt(squared_error / plan.n_learned))

    def _validation_rmse(self, feature: int) -> float | None:
        plan = self.plan
        if not plan.n_held_back:
            return None
        limits = (np.float32(self.scale.low), np.float32(self.scale.high))

        def cost(block: Block) -> float:
            operands = self._operands(block, block.held_back, feature)
            return squared_error_of_feature(*operands, plan.values[block.held_back], limits)

        squared_error = self.executor.sum(cost, plan.blocks)
        return float(np.sqrt(squared_error / plan.n_held_back))

    def _initialize(self, feature: int) -> None:
        """Small normal numbers; zeros for users and items without a rating to learn from."""
        std = self.hyperparameters.init_std * np.sqrt(self.scale.spread)
        sides = (self.plan.users, self.plan.items)
        for features, side in zip(self.features, sides, strict=True):
            normal = normals(self.random, len(side.order))
            features[feature] = normal * np.float32(std) * (side.counts[0] > 0)[side.order]

    def _subtract_nothing(self) -> None:
        """Residuals that have all features in them."""
        np.subtract(self.plan.values, np.float32(self.scale.center), out=self.residuals)
        self.n_subtracted = 0

    def _subtract_up_to(self, feature: int) -> None:
        """Take the features before this one out of the residuals, as far as they still are in."""
        while self.n_subtracted < feature:
            user_feature, item_feature = (features[self.n_subtracted] for features in self.features)

            def subtract(
                block: Block, rows: tuple[np.ndarray, np.ndarray] = (user_feature, item_feature)
            ) -> None:
                ratings = slice(block.learned.start, block.held_back.stop)
                index = (self.plan.user_index[ratings], self.plan.item_index[ratings])
                p, q = rows[0][block.users], rows[1][block.items]
                subtract_feature(*index, self.residuals[ratings], p, q)

            self.executor.map(subtract, self.plan.blocks)
            self.n_subtracted += 1

    def _operands(self, block: Block, ratings: slice, feature: int) -> tuple[Any, ...]:
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
