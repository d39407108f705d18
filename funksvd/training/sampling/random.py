"""Draws that several parts of the sampler need."""

from __future__ import annotations

import numpy as np

from funksvd.rng import gammas


def drawn_precisions(
    n: int, energies: np.ndarray, rate: float, random: np.random.Generator
) -> np.ndarray:
    """Precisions of normal distributions, given numbers that come from them.

    Parameters
    ----------
    n : int
        How many numbers come from each.
    energies : ndarray of shape (k,), float64
        The sums of their squares.
    rate : float
        Of the precisions' prior, Gamma(1, rate).
    random : numpy.random.Generator

    Returns
    -------
    ndarray of shape (k,), float64
    """
    return gammas(random, np.full(len(energies), 1 + n / 2)) / (rate + energies / 2)
