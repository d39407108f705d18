"""New rows for parameters that stay as they are: in indices, not in raw ids.

The objective, eq. (3) of `funksvd.objectives.plain`, is a ridge problem in the bias and the factors
of one user once those of the items are fixed, and in those of one item once those of the users
are. Its closed solution is stated in `funksvd.kernels.cpu.folding`.

Eq. (3) regularizes a row once for each of its ratings. A row that has few is then hardly held at
all, and follows the noise in them; training leaves it near zero anyway, since it stops early. Here
a row is regularized as if it had `n_prior` ratings more. What was tried: RMSE for left-out users,
and for left-out items, of three parts of MovieLens 100K and of latest-small, by the number of
ratings that they give or get::

    ratings more                     0     20     35     50     70    100
    users, with  1 rating       1.1301 1.0263        0.9941        0.9849
    users, with  3              1.0423 0.9840        0.9655        0.9604
    users, with 10              0.9612 0.9394        0.9348        0.9351
    users, with 50              0.8955 0.8950        0.8960        0.8986
    items, with  1              1.0706 1.0005 0.9916 0.9903 0.9920 0.9959
    items, with 10              0.9510 0.9328 0.9302 0.9298 0.9305 0.9329

Other numbers of factors, ensembles, SVD++ and synthetic data show the same. A prior is worth more
ratings where they are noisier: `n_prior` is `PRIOR_RATINGS` times the share of the ratings'
variance that training leaves unexplained, about 0.4 there. Without biases the prior, zero, would be
wrong, and there is none.

The rows of a sampler's model have a distribution of their own, and so have new ones: their ridge is
the variance of the noise over that of each factor and of the biases, whatever the number of
ratings. RMSE of Bayesian SVD++ for users of MovieLens 100K who were left out, a fifth of them, by
the number of ratings that they give, mean of two parts::

    ratings                                    3      10      50
    the rule above                        .9814   .9396   .8763
    the rows' distribution                .9742   .9342   .8694
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funksvd.kernels import fold_rows, sum_columns, sum_squares, weigh_ratings
from funksvd.objectives.parameters import Regularization
from funksvd.parallel import in_order
from funksvd.ratings.compressed import CompressedRows

ROWS_PER_TASK = 256
PRIOR_RATINGS = 120
WHATEVER_COUNT = 1e12
"""Ratings beside which those of a row do not count."""


class FoldedIn(NamedTuple):
    """Bias and factors of someone or something new.

    Parameters
    ----------
    bias : float
    factors : ndarray of shape (n_factors,), float32
    """

    bias: float
    factors: np.ndarray


class RowPrior(NamedTuple):
    """The distribution of the rows of a sampler's model, and the noise of ratings.

    Parameters
    ----------
    scales : ndarray of shape (n_factors,), float32
        Standard deviations of the factors, about zero.
    bias_variance : float
        That of the biases, in squared rating units.
    noise : float
        Variance of a rating about the noise-free one.
    """

    scales: np.ndarray
    bias_variance: float
    noise: float

    @classmethod
    def of(
        cls, biases: np.ndarray, factors: np.ndarray, noise: float, n_members: int = 1
    ) -> RowPrior:
        """As the rows at hand have it; those without ratings, zero, are few.

        Factors of several models, side by side, say the same of a row, as many times over. Taken
        for independent ones, they let its predictions vary by a share of one in `n_members`.

        Parameters
        ----------
        biases : ndarray of shape (n,), float32
        factors : ndarray of shape (n, n_factors), float32
        noise : float
        n_members : int
            How many models.
        """
        squares = sum_columns(factors)[1] * (n_members / len(factors))
        bias_variance = sum_squares(biases, 0.0) / len(biases)
        least = float(np.finfo(np.float32).tiny)
        return cls(np.sqrt(squares).astype(np.float32), max(float(bias_variance), least), noise)


class OtherSide(NamedTuple):
    """The side that rows are folded into: the items for new users, the users for new items.

    Parameters
    ----------
    global_mean : float
    biases : ndarray of shape (n_columns,), float32
    factors : ndarray of shape (n_columns, n_factors), float32
        Those of several models side by side, as `LearnedRatings.mean` leaves them.
    implicit_factors : ndarray of shape (n_columns, n_factors), float32, or None
        The y_j of SVD++.
    n_members : int
        How many models.
    regularization : Regularization
        Of the new rows.
    n_prior : float
        Number of ratings that new rows are regularized as if they had besides their own.
    has_biases : bool
        Whether new rows get a bias.
    scales : ndarray of shape (n_factors,), float32, optional
        What the factors of new rows are multiplied with; those of the columns are already.
    """

    global_mean: float
    biases: np.ndarray
    factors: np.ndarray
    implicit_factors: np.ndarray | None
    n_members: int
    regularization: Regularization
    n_prior: float
    has_biases: bool
    scales: np.ndarray | None = None

    @classmethod
    def given_prior(
        cls, global_mean: float, biases: np.ndarray, factors: np.ndarray, prior: RowPrior
    ) -> OtherSide:
        """The side for rows of which a distribution is known.

        Parameters
        ----------
        global_mean : float
        biases : ndarray of shape (n_columns,), float32
        factors : ndarray of shape (n_columns, n_factors), float32
        prior : RowPrior
        """
        # The ridge is regularization times the sum of the two numbers of ratings.
        regularization = Regularization(prior.noise, prior.noise / prior.bias_variance)
        return cls(
            global_mean,
            biases,
            factors * prior.scales,
            None,
            1,
            Regularization(*(each / WHATEVER_COUNT for each in regularization)),
            WHATEVER_COUNT,
            has_biases=True,
            scales=prior.scales,
        )

    def fold(self, ratings: CompressedRows, n_threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Bias and factors of each row; zeros for a row without ratings.

        Parameters
        ----------
        ratings : CompressedRows
            With values.
        n_threads : int
            Does not change the result.

        Returns
        -------
        biases : ndarray of shape (n_rows,), float32
        factors : ndarray of shape (n_rows, n_factors), float32
        """
        n_rows = ratings.n_rows
        biases = np.empty(n_rows, dtype=np.float32)
        factors = np.empty((n_rows, self.factors.shape[1]), dtype=np.float32)
        assert ratings.values is not None
        targets = self._residuals(ratings.columns, ratings.values)

        def fold(first: int) -> None:
            fold_rows(
                (first, min(first + ROWS_PER_TASK, n_rows)),
                ratings.indptr,
                ratings.columns,
                targets,
                *self._for_kernels(),
                biases,
                factors,
            )

        tasks = range(0, n_rows, ROWS_PER_TASK)
        if len(tasks) == 1:
            fold(0)
        else:
            list(in_order(fold, tasks, n_threads))
        if self.scales is not None:
            factors *= self.scales
        return biases, factors

    def fold_one(self, columns: np.ndarray, values: np.ndarray) -> FoldedIn:
        """Bias and factors of a single row.

        Parameters
        ----------
        columns : ndarray of shape (n_rated,), int32
            Ascending, without repeats.
        values : ndarray of shape (n_rated,), float32
        """
        row = CompressedRows(np.array([0, len(columns)]), columns, values)
        biases, factors = self.fold(row)
        return FoldedIn(float(biases[0]), factors[0])

    def contributions(
        self, columns: np.ndarray, values: np.ndarray, others: np.ndarray
    ) -> np.ndarray:
        """The part of each rating of a row in the predictions once the row is folded in.

        The prediction for a column i is mu + b_i and the sum of these.

        Parameters
        ----------
        columns : ndarray of shape (n_rated,), int32
            Without repeats.
        values : ndarray of shape (n_rated,), float32
        others : ndarray of shape (n_others,), int32

        Returns
        -------
        ndarray of shape (n_others, n_rated), float64
        """
        shape = (len(others), len(columns))
        weights, implied = np.empty(shape), np.empty(shape)
        weigh_ratings(columns, others, *self._for_kernels(), weights, implied)
        return weights * self._residuals(columns, values) + implied

    def _residuals(self, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
        return values - (self.global_mean + self.biases[columns].astype(np.float64))

    def _for_kernels(self) -> tuple[Any, ...]:
        implicit = self.implicit_factors
        if implicit is None:
            implicit = np.empty((0, self.factors.shape[1]), dtype=np.float32)
        reg, bias_reg = map(float, self.regularization)
        return (
            self.factors,
            implicit,
            self.n_members,
            (reg, bias_reg, float(self.n_prior), 1.0 if self.has_biases else 0.0),
        )
