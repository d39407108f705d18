"""Draws of a sampler, which tell how sure predictions are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LARGEST = 127
"""Largest whole number that a factor of a draw is kept as."""


class Draws(NamedTuple):
    """Draws of a sampler.

    Each predicts mean + b_u + b_i + sum over f of scale_f p_uf q_if. The numbers of all draws lie
    side by side.

    Parameters
    ----------
    global_means : ndarray of shape (n_draws,), float64
    user_biases : ndarray of shape (n_users, n_draws), float32
    item_biases : ndarray of shape (n_items, n_draws), float32
    user_factors : ndarray of shape (n_users, n_factors, n_draws), int8
        In models of earlier programs, float32.
    item_factors : ndarray of shape (n_items, n_factors, n_draws), int8
        In models of earlier programs, float32.
    scales : ndarray of shape (n_factors, n_draws), float64
    """

    global_means: np.ndarray
    user_biases: np.ndarray
    item_biases: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    scales: np.ndarray

    def with_stand_in(self, what: str, rated: np.ndarray) -> Draws:
        """The same with a single user, or item, who is another one of some in each draw.

        Parameters
        ----------
        what : {"user", "item"}
        rated : ndarray of shape (n,), int
            Rows to take from, evenly; at least one.
        """
        draws = np.arange(len(self.global_means))
        rows = rated[draws * len(rated) // len(draws)]
        names = f"{what}_biases", f"{what}_factors"
        biases, factors = (getattr(self, name) for name in names)
        one = biases[rows, draws][None], np.ascontiguousarray(factors[rows, :, draws].T[None])
        return self._replace(**dict(zip(names, one, strict=True)))


def whole_numbers(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factors as whole numbers of one byte.

    Parameters
    ----------
    factors : ndarray of shape (n, k), float32

    Returns
    -------
    rounded : ndarray of shape (n, k), int8
    scales : ndarray of shape (k,), float64
        What the numbers of each column are multiplied with.
    """
    scales = np.maximum(factors.max(axis=0, initial=0), -factors.min(axis=0, initial=0))
    scales = scales.astype(np.float64) / LARGEST
    scales[scales == 0] = 1.0
    return np.rint(factors / scales).astype(np.int8), scales
