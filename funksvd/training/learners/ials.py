"""The choice model of `funksvd.objectives.ials`, by alternating least squares.

Rows are tasks: each reads only the other side's rows, and is written by one thread. Sums over rows
are made in blocks that do not depend on the number of threads, and added in their order.

Once for each half of an epoch, the Gram matrix of the other side is made all but diagonal by
Jacobi's rotations, and the rows of both sides are rotated by them. They stay nearly diagonal from
one time to the next, so that few pairs need it. A pair is left as it is if its entry is less than
`TOLERANCE` of the diagonal with the regularization: what was tried on a part of MovieLens 100K, for
256 factors, with the largest difference of a score from those of 1e-5, and the time of ten epochs::

    tolerance            1e-5      1e-3      1e-2      0.1
    difference              0     0.005      0.07      0.5
    seconds              0.98      0.60      0.54      0.56

Steps of conjugate gradients, on a part of the pairs of five data sets, for 10 epochs, 128 factors:
NDCG@10 (MovieLens: of lists by both models, liked items), and processor seconds for an epoch of a
million pairs of 6,040 users and 3,700 items, for 256 factors::

    steps    100K   latest-small   Last.fm   Steam   shop    seconds
    1       .2941          .2026     .2121   .2247   .1427      0.24
    2       .2939          .2026     .2126   .2248   .1423      0.29
    3       .2940          .2026     .2127   .2245   .1424      0.33
    5       .2941          .2023
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from funksvd.errors import argument
from funksvd.kernels import diagonalize, padded_rows, solve_rows
from funksvd.learned.choices import LearnedChoices
from funksvd.objectives.ials import ChoiceTerms, strength_of
from funksvd.ratings import CompressedRows
from funksvd.rng import normals
from funksvd.training.checkpoints import Read, Write
from funksvd.training.context import Context
from funksvd.training.gram import gram_of, rotated
from funksvd.training.learners.base import Learner, Progress, decided
from funksvd.training.pairs import PairPlan

N_STEPS = 2
"""Steps of conjugate gradients for each row and epoch; see above."""
TOLERANCE, FINAL_TOLERANCE = 1e-4, 1e-7
"""Entries of Gram matrices that count as zero: during training, and in the model."""
MAX_SWEEPS = 30
FIRST_LENGTH = 0.5
"""Length of a user's first row, about. Shorter rows, such as 0.1, take some epochs more to grow."""
WORK_PER_TASK, MAX_TASKS = 1_000, 64
"""Pairs, rows counted as some, that one task solves, at least; largest number of tasks."""
WORK_PER_ROW = 20
"""Work of a row besides its pairs, in pairs."""


class IALSLearner(Learner[PairPlan, LearnedChoices]):
    """Solves all rows of one side nearly exactly, then all of the other, in turn.

    Attributes
    ----------
    rows : tuple of ndarray of shape (n, k), float32
        Those of the users, and of the items. Arrays are never written once they are here: others
        take their place.
    """

    def __init__(self, context: Context[PairPlan, LearnedChoices]) -> None:
        super().__init__(context)
        chosen, plan = self.hyperparameters, self.plan
        n_users, n_items = plan.shape
        a0 = decided(chosen.unobserved_weight)
        n_used_users, n_used_items = (
            int(np.count_nonzero(np.diff(side.indptr))) for side in (plan.by_user, plan.by_item)
        )
        self.reg = decided(chosen.reg)
        strength = strength_of(self.reg, a0, n_used_users, n_used_items, plan.n_learned)
        self.terms = ChoiceTerms(a0, strength)
        self.sides = (Side(plan.by_user, n_items), Side(plan.by_item, n_users))
        self.rows = self._first_rows(context.start)
        self._slots: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def _first_rows(self, start: LearnedChoices | None) -> tuple[np.ndarray, np.ndarray]:
        """Rows of users and items, padded to whole vectors; zero for users without pairs."""
        k = self.n_factors
        users, items = (padded_rows(n, k) for n in self.plan.shape)
        users[:, :k] = first_rows(self.random, len(users), k)
        users[np.diff(self.plan.by_user.indptr) == 0] = 0.0
        if start is not None:
            users[:, :k], items[:, :k] = start.user_factors, start.item_factors
        return users, items

    def run_epoch(self, progress: Progress) -> float:
        """Solve the items, then the users; twice the objective per pair, before the users."""
        n_pairs = self.plan.n_learned
        self._solve(1)
        progress.ratings_done(n_pairs // 2)
        value = self._solve(0) + self.sides[1].norms
        progress.ratings_done(n_pairs - n_pairs // 2)
        return value / n_pairs

    def _solve(self, which: int) -> float:
        """Solve the rows of one side; twice the objective before, without the other's norms."""
        side, a0 = self.sides[which], self.terms.unobserved_weight
        reg = self.terms.of_rows(side.n_others)
        rows, spectrum = self._turned(1 - which, TOLERANCE, reg[1])
        mine, other = rows[which], rows[1 - which]
        if rows is self.rows:
            mine = padded_rows(*mine.shape)
            mine[:] = rows[which]
        diagonal = (a0 * spectrum).astype(np.float32)
        sums = self.solve_spans(which, mine, other, diagonal, reg)
        self.rows = (mine, other) if which == 0 else (other, mine)
        side.norms = math.fsum(norm for _, norm in sums)
        return math.fsum(value for value, _ in sums)

    def solve_spans(
        self,
        which: int,
        mine: np.ndarray,
        other: np.ndarray,
        diagonal: np.ndarray,
        reg: tuple[float, float],
    ) -> list[tuple[float, float]]:
        """Solve the rows of one side, the other's as they are.

        Parameters
        ----------
        which : int
            0 for the users, 1 for the items.
        mine, other : ndarray of shape (n, k), float32
            The rows of both sides; `mine` are written.
        diagonal, reg
            As for `solve_rows`.

        Returns
        -------
        list of (float, float)
            What `solve_rows` returns for each span.
        """
        side = self.sides[which]
        given = (side.pairs.indptr, side.columns, self.plan.weights, other, diagonal, reg)
        return self.executor.map(lambda span: solve_rows(span, *given, N_STEPS, mine), side.spans)

    def _turned(
        self, which: int, tolerance: float, shift: float
    ) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """All rows, rotated so that the Gram matrix of one side is all but diagonal.

        Returns
        -------
        rows : tuple of ndarray
            New arrays; `self.rows` itself where it is so already.
        spectrum : ndarray of shape (k,), float64
            The matrix's diagonal, without the rounding errors that make zeros negative.
        """
        a0 = self.terms.unobserved_weight
        gram = gram_of(self.rows[which], self.executor)
        basis = np.empty_like(gram)
        rows = self.rows
        if diagonalize(gram, shift / a0, tolerance, MAX_SWEEPS, basis):
            to_basis = np.ascontiguousarray(basis.T).astype(np.float32)
            users, items = (rotated(each, to_basis, self.executor) for each in rows)
            rows = (users, items)
        return rows, np.maximum(np.diag(gram), 0.0)

    def has_diverged(self, train_error: float) -> bool:
        """Tell whether a row is not finite."""
        return not np.isfinite(train_error)

    def divergence_message(self, learning_rate: float) -> str:
        """The message of the error that ends training then."""
        return (
            "the choice model came to numbers that are not finite: give smaller values of "
            f"{argument('unobserved_weight')} and {argument('reg')}"
        )

    def snapshot(self, slot: int) -> None:
        """Remember the rows, in the place of what the slot held."""
        self._slots[slot] = self.rows

    def restore(self, slot: int) -> None:
        """Go back to the rows of the last `snapshot` of this slot."""
        self.rows = self._slots[slot]

    def dump(self, slots: Sequence[int], write: Write) -> None:
        """Hand out the rows that slots hold, for a checkpoint."""
        for slot in slots:
            for number, rows in enumerate(self._slots[slot]):
                write(f"slot {slot}/{number}", rows)

    def load(self, slots: Sequence[int], read: Read) -> None:
        """Put into slots of a new learner what those of another one held."""
        for slot in slots:
            rows = [padded_rows(*each.shape) for each in self.rows]
            for number, each in enumerate(rows):
                each[:] = read(f"slot {slot}/{number}")
            self._slots[slot] = (rows[0], rows[1])

    def learned(self) -> LearnedChoices:
        """What is known now, in the basis of the items' Gram matrix."""
        a0, k = self.terms.unobserved_weight, self.n_factors
        shift = self.terms.of_rows(self.plan.n_items)[1]
        (users, items), spectrum = self._turned(1, FINAL_TOLERANCE, shift)
        return LearnedChoices(
            user_factors=np.ascontiguousarray(users[:, :k]),
            item_factors=np.ascontiguousarray(items[:, :k]),
            spectrum=(a0 * spectrum[:k]).astype(np.float32),
            unobserved_weight=float(a0),
            strength=float(self.terms.strength),
        )


def first_rows(random: np.random.Generator, n: int, k: int) -> np.ndarray:
    """Rows of users of whom nothing is known yet: ndarray of shape (n, k), float32."""
    return normals(random, (n, k)) * np.float32(FIRST_LENGTH / np.sqrt(k))


class Side:
    """The users, or the items: their pairs, and spans of rows with about as much work each.

    Parameters
    ----------
    pairs : CompressedRows
        Columns of each row, with levels.
    n_others : int
        Number of rows of the other side.

    Attributes
    ----------
    norms : float
        The sum of rho |p|^2 over its rows, when they were last solved.
    """

    def __init__(self, pairs: CompressedRows, n_others: int) -> None:
        self.pairs, self.n_others = pairs, n_others
        self.columns = (pairs.columns, pairs.values)
        work = pairs.indptr + WORK_PER_ROW * np.arange(len(pairs.indptr))
        n_tasks = int(min(MAX_TASKS, 1 + work[-1] // WORK_PER_TASK))
        shares = work[-1] * np.arange(1, n_tasks) // n_tasks
        bounds = np.unique([0, *np.searchsorted(work, shares), len(work) - 1]).tolist()
        self.spans = list(pairwise(bounds))
        self.norms = 0.0
