"""How much an observed pair counts in the choice model, by its rating or its count.

Ratings and counts become one of 256 levels, a byte each, and a table has the weight w of eq. (2) of
`objectives.ials` for each level. What was tried is in the docstring of `Weighting`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from funksvd.parallel import in_pieces

LEVELS = 256
LOWEST_RATING, HIGHEST_RATING = 0.25, 1.75
"""Weights of the lowest and the highest rating; those between lie on a line."""
LEVELS_PER_DOUBLING = 12
"""Levels between a count and twice that count."""
PER_DOUBLING = 0.5
"""Weight that a pair gains when its count is doubled; one of the lowest count weighs 1."""


@dataclass(frozen=True)
class Weighting:
    """The rule by which pairs are weighted.

    Parameters
    ----------
    kind : {"rating", "count", "none"}
        What is known of a pair: a rating, a count such as a number of plays, or nothing.
    low, high : float
        Lowest and highest rating or count learned from; 0 where nothing is known.

    Notes
    -----
    Ratings: w = 0.25 + 1.5 (r - low) / (high - low). Of all ways to use ratings that were tried on
    parts of the training ratings of MovieLens, this was the only one better than w = 1 both where
    liked items count and where all do; worse were liked items only, and targets by rating.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("rating", "count", "none"):
            raise ValueError(f"weights are by {self.kind!r}")
        if not -np.inf < self.low <= self.high < np.inf or (self.kind == "count" and self.low <= 0):
            raise ValueError(f"weights are for {self.low} to {self.high}")

    @classmethod
    def of(cls, kind: str, values: np.ndarray | None) -> Self:
        """The rule for these ratings or counts.

        Parameters
        ----------
        kind : {"rating", "count"}
        values : ndarray of shape (n,), float32, or None
            None where nothing is known of the pairs.
        """
        if values is None:
            return cls("none")
        return cls(kind, float(values.min()), float(values.max()))

    @property
    def table(self) -> np.ndarray:
        """Weight of each level: ndarray of shape (256,), float32."""
        steps = np.arange(LEVELS)
        if self.kind == "rating":
            spread = HIGHEST_RATING - LOWEST_RATING
            return (LOWEST_RATING + spread * steps / (LEVELS - 1)).astype(np.float32)
        if self.kind == "count":
            return (1 + PER_DOUBLING * steps / LEVELS_PER_DOUBLING).astype(np.float32)
        return np.ones(LEVELS, np.float32)

    def levels(self, values: np.ndarray | None, n: int) -> np.ndarray:
        """Level of each rating or count.

        Parameters
        ----------
        values : ndarray of shape (n,), float32, or None
        n : int
            Number of pairs.

        Returns
        -------
        ndarray of shape (n,), uint8
        """
        if self.kind == "none" or values is None:
            return np.zeros(n, np.uint8)
        if self.kind == "rating":
            return rating_levels(values, (self.low, self.high))
        levels = np.empty(n, np.uint8)

        def place(part: slice) -> None:
            shares = values[part].astype(np.float64) / self.low
            levels[part] = np.searchsorted(_BOUNDS, shares, side="right")

        in_pieces(place, n)
        return levels

    def weights(self, values: np.ndarray | None, n: int) -> np.ndarray:
        """Weight of each pair: ndarray of shape (n,), float32; arguments as for `levels`."""
        return self.table[self.levels(values, n)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a model file."""
        return {"kind": self.kind, "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""
        return cls(str(plain["kind"]), float(plain["low"]), float(plain["high"]))


def _bounds() -> np.ndarray:
    """Counts, in multiples of the lowest, at which each level from the second on begins.

    They lie half a level below the powers of 2^(1/12), so that no rounding of a whole number
    decides; by multiplication only, which rounds the same everywhere.
    """
    step, bound = 1.0594630943592953, 1.0293022366434921
    bounds = np.empty(LEVELS - 1)
    for level in range(LEVELS - 1):
        octave, place = divmod(level, LEVELS_PER_DOUBLING)
        value = bound * 2.0**octave
        for _ in range(place):
            value *= step
        bounds[level] = value
    return bounds


_BOUNDS = _bounds()


def rating_levels(values: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Ratings as the nearest of 256 levels of the rating scale.

    One byte a rating: enough to tell later which of them have changed.

    Parameters
    ----------
    values : ndarray of shape (n,), float32
    scale : tuple of float
        Lowest and highest rating; others count as the nearer of these.

    Returns
    -------
    ndarray of shape (n,), uint8
    """
    low, high = scale
    levels = np.empty(len(values), np.uint8)

    def round_(part: slice) -> None:
        steps = (values[part].astype(np.float64) - low) * (255 / max(high - low, 1e-30))
        levels[part] = np.clip(np.rint(steps), 0, 255)

    in_pieces(round_, len(values))
    return levels
