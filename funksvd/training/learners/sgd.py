"""Stochastic gradient descent, one rating at a time, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from funksvd.errors import argument
from funksvd.hyperparameters import ResolvedHyperparameters
from funksvd.kernels import cost_of_block, sgd_block
from funksvd.learned import LearnedRatings
from funksvd.objectives.parameters import Parameters
from funksvd.rng import normals
from funksvd.training.context import RatingContext
from funksvd.training.learners.base import Descent, Progress, decided
from funksvd.training.learners.priors import priors_of
from funksvd.training.plan import Block, BlockPlan
from funksvd.training.scale import Rates, Scale, row_shares, scaled_rates

Operands: TypeAlias = tuple[
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.float32,
    np.ndarray,
    np.ndarray,
    np.ndarray,
    np.ndarray,
]
"""Users, items and values of ratings, mu, then biases and factors of the block's rows."""


class SGDLearner(Descent):
    """Moves the rows of each rating along its negative gradient, eqs. (3) and (8) to (12)."""

    def __init__(self, context: RatingContext) -> None:
        super().__init__(context)
        self.arranged = self.plan.arranged(self._start())
        self.row_shares = row_shares(self.plan)
        self.priors = priors_of(self.plan, self.n_factors)

    def _start(self) -> Parameters:
        """The parameters that were learned before; without any, random ones."""
        # Random ones are drawn in any case: later random choices then do not depend on the start.
        random = initial_parameters(self.plan, self.hyperparameters, self.scale, self.random)
        start = self.context.start
        return random if start is None else start.parameters

    def run_epoch(self, progress: Progress) -> float:
        """One pass, stratum by stratum, the blocks of a stratum in parallel.

        Each error is taken as it was before its own step.
        """
        plan = self.plan
        total, n_done = 0.0, 0
        kind = (self.loss.for_kernels, bool(self.hyperparameters.nonnegative))
        for shift in self.random.permutation(plan.n_groups):
            blocks = plan.stratum(int(shift))
            rates = self._rates(progress.learning_rate(n_done / plan.n_learned))

            def descend(block: Block, rates: Rates = rates) -> float:
                operands = self._operands(block, block.learned)
                return sgd_block(*operands, rates.of(block), *kind)

            total += self.executor.sum(descend, blocks)
            n_ratings = sum(block.learned.stop - block.learned.start for block in blocks)
            n_done += n_ratings
            progress.ratings_done(n_ratings)
        _, user_biases, item_biases, user_factors, item_factors = self.arranged
        self._move_to_priors([(user_biases, user_factors), (item_biases, item_factors)], rates)
        return self.loss.error(total, plan.n_learned)

    def _move_to_priors(self, sides: Sequence[tuple[np.ndarray, np.ndarray]], rates: Rates) -> None:
        """Move users and items, biases and factors of each, to what their features tell."""
        regs = (float(rates.bias_reg), float(rates.reg))
        of_rows = (rates.users, rates.items)
        for prior, (biases, factors), own in zip(self.priors, sides, of_rows, strict=True):
            if prior is None:
                continue
            prior.move(biases, factors, own, float(rates.biases), regs)
            if self.hyperparameters.nonnegative:
                np.maximum(factors, 0, out=factors)
            if not self.hyperparameters.biases:
                biases[:] = 0

    def held_back_error(self) -> float | None:
        """The error of the predictions, held within the ratings learned from."""
        if not self.plan.n_held_back:
            return None
        limits = (np.float32(self.scale.low), np.float32(self.scale.high))
        loss = self.loss.for_kernels

        def cost(block: Block) -> float:
            return cost_of_block(*self._operands(block, block.held_back), limits, loss)

        total = self.executor.sum(cost, self.plan.blocks)
        return self.loss.error(total, self.plan.n_held_back)

    def state(self) -> list[np.ndarray]:
        """Biases and factors, and the weights of features."""
        weights = [prior.weights for prior in self.priors if prior is not None]
        return [*self.arranged[1:], *weights]

    def learned(self) -> LearnedRatings:
        """Biases and factors, in the ratings' own numbering."""
        return LearnedRatings.of(self._restored())

    def _restored(self) -> Parameters:
        """The parameters in the ratings' own numbering, without the padding."""
        return self.plan.restored(self.arranged, self.n_factors)

    def divergence_message(self, learning_rate: float) -> str:
        """The message of the error that ends training; too large a regularization is told apart."""
        rates = self._rates(learning_rate)
        fastest = max(float(rates.users.max()), float(rates.items.max()))
        steps = (fastest * float(rates.reg), float(rates.biases) * float(rates.bias_reg))
        if max(float(rates.reg), float(rates.bias_reg)) > 1 and max(steps) > 1:
            # each step turns the sign of a row around, and makes it longer
            return (
                "training diverges: the regularization is too large. Give a smaller "
                f"{argument('reg')} (it is {self.reg:g}) or {argument('bias_reg')} (it is "
                f"{self.hyperparameters.bias_reg:g})"
            )
        return super().divergence_message(learning_rate)

    def _rates(self, learning_rate: float) -> Rates:
        return scaled_rates(
            self.hyperparameters, learning_rate, self.reg, self.scale, self.row_shares
        )

    def _operands(self, block: Block, ratings: slice) -> Operands:
        """A block's ratings, and the rows that they are of: what kernels take first."""
        plan, arranged = self.plan, self.arranged
        return (
            plan.user_index[ratings],
            plan.item_index[ratings],
            plan.values[ratings],
            np.float32(arranged.global_mean),
            arranged.user_biases[block.users],
            arranged.item_biases[block.items],
            arranged.user_factors[block.users],
            arranged.item_factors[block.items],
        )


def initial_parameters(
    plan: BlockPlan,
    hyperparameters: ResolvedHyperparameters,
    scale: Scale,
    random: np.random.Generator,
) -> Parameters:
    """Zero biases and small normal factors; without biases their products start at the mean.

    A user or an item without a rating to learn from gets zeros, so that it is predicted from what
    is known. Where factors must not be negative, their absolute values are taken.
    """
    k = hyperparameters.n_factors
    std = decided(hyperparameters.init_std) * np.sqrt(scale.spread)
    learned = [side.counts[0] for side in (plan.users, plan.items)]
    factors = [normals(random, (len(counts), k)) * np.float32(std) for counts in learned]
    if not hyperparameters.biases:
        level = np.sqrt(abs(scale.mean) / k)
        factors[0] += np.float32(level)
        factors[1] += np.float32(np.copysign(level, scale.mean))
    if hyperparameters.nonnegative:
        factors = [np.abs(rows) for rows in factors]
    for rows, counts in zip(factors, learned, strict=True):
        rows[counts == 0] = 0
    biases = (np.zeros(len(rows), np.float32) for rows in factors)
    return Parameters(scale.center, *biases, *factors)
