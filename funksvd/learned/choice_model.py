"""`ChoiceModel`: the answers of a model of choices, in rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from funksvd.kernels import fold_choices, weigh_choices
from funksvd.learned.choices import LearnedChoices
from funksvd.learned.scoring import predict_pairs
from funksvd.learned.weighting import Weighting
from funksvd.objectives.ials import ChoiceTerms
from funksvd.parallel import in_order
from funksvd.ratings import CompressedRows

ROWS_PER_TASK = 32


@dataclass(frozen=True, eq=False)
class ChoiceModel:
    """Learned parameters, and the rule by which pairs were weighted.

    Parameters
    ----------
    learned : LearnedChoices
    weighting : Weighting
    n_alone : int
        Number of items that are known from their features alone.
    """

    learned: LearnedChoices
    weighting: Weighting
    n_alone: int = 0

    @property
    def reg(self) -> tuple[float, float]:
        """The two numbers that make rho of a user with n pairs, eq. (3) of `objectives.ials`."""
        terms = ChoiceTerms(self.learned.unobserved_weight, self.learned.strength)
        return terms.of_rows(len(self.learned.item_factors) - self.n_alone)

    def scores(
        self, user_index: np.ndarray, item_index: np.ndarray, *, n_threads: int = 1
    ) -> np.ndarray:
        """How likely users are to come to items: 1 for as good as sure, 0 for as good as never.

        Parameters
        ----------
        user_index, item_index : ndarray of shape (n,), int32
            Rows; -1 stands for an unknown user or item, whose score is 0.
        n_threads : int
            Does not change the result.

        Returns
        -------
        ndarray of shape (n,), float32
            Usually, but not always, between 0 and 1.
        """
        return predict_pairs(self.learned.parameters, user_index, item_index, n_threads=n_threads)

    def with_users(self, pairs: CompressedRows, *, n_threads: int = 1) -> Self:
        """A model of the same items for other users: those who have dealt with these.

        Parameters
        ----------
        pairs : CompressedRows
            Items by user; the values, if there are any, are ratings or counts.
        n_threads : int
            Does not change the result.
        """
        learned, n_rows = self.learned, pairs.n_rows
        weights = self.weighting.weights(pairs.values, len(pairs.columns))
        rows = np.empty((n_rows, learned.item_factors.shape[1]), np.float32)
        given = (learned.item_factors, learned.spectrum, self.reg, rows)

        def fold(first: int) -> None:
            span = (first, min(first + ROWS_PER_TASK, n_rows))
            fold_choices(span, pairs.indptr, pairs.columns, weights, *given)

        tasks = range(0, n_rows, ROWS_PER_TASK)
        if len(tasks) == 1:
            fold(0)
        else:
            list(in_order(fold, tasks, n_threads))
        return replace(self, learned=replace(learned, user_factors=rows))

    def contributions(
        self, columns: np.ndarray, values: np.ndarray | None, items: np.ndarray
    ) -> np.ndarray:
        """The part of each of someone's items in the scores of others, once they are folded in.

        Parameters
        ----------
        columns : ndarray of shape (n,), int32
            Rows of the items that they have dealt with.
        values : ndarray of shape (n,), float32, or None
            Ratings or counts.
        items : ndarray of shape (n_items,), int32
            Rows of the items whose scores are meant.

        Returns
        -------
        ndarray of shape (n_items, n), float64
            The score of each item is the sum of its row. A part is negative where whoever has come
            to the one item is less likely to come to the other.
        """
        learned = self.learned
        weights = self.weighting.weights(values, len(columns))
        contributions = np.empty((len(items), len(columns)))
        rho = self.reg[0] * len(columns) + self.reg[1]
        given = (learned.item_factors, learned.spectrum, rho)
        weigh_choices(columns, weights, items, *given, contributions)
        return contributions
