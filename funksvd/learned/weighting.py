"""How much an observed pair counts in the choice model, by its rating or its count.

Ratings and counts become one of 256 levels, a byte each, and a table has the weight w of eq. (2) of
`objectives.ials` for each level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from funksvd.errors import RatingsError
from funksvd.parallel import extremes, in_pieces

LEVELS = 256
LOWEST_RATING, HIGHEST_RATING = 0.25, 1.75
"""Weights of the lowest and the highest rating; those between lie on a line."""
LOWEST_COUNT, HIGHEST_COUNT = 0.5, 1.5
"""Weights of low and high counts; their logarithms lie on a line between."""
LOW_SHARE, HIGH_SHARE = 0.01, 0.99
"""Shares of the counts that are below what counts as low, and as high."""


@dataclass(frozen=True)
class Weighting:
    """The rule by which pairs are weighted.

    Parameters
    ----------
    kind : {"rating", "count", "none"}
        What is known of a pair: a rating, a count such as a number of plays, or nothing.
    low, high : float
        Lowest and highest rating learned from; a low and a high count; 0 where nothing is known.

    Notes
    -----
    Ratings: w = 0.25 + 1.5 (r - low) / (high - low). Of all ways to use ratings that were tried on
    parts of the training ratings of MovieLens, this was the only one better than w = 1 both where
    liked items count and where all do; worse were liked items only, and targets by rating.

    Counts: w = 0.5 + log(c / low) / log(high / low), held between 0.5 and 1.5. What was tried:
    NDCG@10 on a tenth of the pairs, of Last.fm (HetRec 2011: plays), Steam (hours) and of a shop
    (The Complete Journey: purchases), with 64 factors::

                                             plays   hours   purchases
        w = 1                                .2083   .2169   .1317
        1 + 0.25 log2(c / lowest)            .2012   .2138   .1325
        1 + log2(c / lowest)                 .1781   .2140   .1267
        the same, divided by its mean        .2104   .2171   .1352
        from 0.25 to 1.75                    .2107   .2203   .1383
        from 0.5 to 1.5                      .2106   .2216   .1397
        by rank among the user's, 0.5 to 1.5 .2136   .2164   .1347

    Weights whose mean is far above 1 are worse than none.
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
        if kind == "rating":
            low, high = extremes(values)
        else:
            places = (int(share * (len(values) - 1)) for share in (LOW_SHARE, HIGH_SHARE))
            low, high = (float(np.partition(values, at)[at]) for at in places)
        return cls(kind, low, high) if low < high else cls("none")

    def __str__(self) -> str:
        """The rule in words, to follow "weights": "by rating, 0.25 for 1 to 1.75 for 5"."""
        low, high = f"{self.low:g}", f"{self.high:g}"
        if self.kind == "rating":
            return f"by rating, {LOWEST_RATING:g} for {low} to {HIGHEST_RATING:g} for {high}"
        if self.kind == "count":
            return f"by count, {LOWEST_COUNT:g} for {low} to {HIGHEST_COUNT:g} for {high} and more"
        return "all alike"

    @property
    def table(self) -> np.ndarray:
        """Weight of each level: ndarray of shape (256,), float32."""
        steps = np.arange(LEVELS)
        low, high = {
            "rating": (LOWEST_RATING, HIGHEST_RATING),
            "count": (LOWEST_COUNT, HIGHEST_COUNT),
            "none": (1.0, 1.0),
        }[self.kind]
        return (low + (high - low) * steps / (LEVELS - 1)).astype(np.float32)

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
        levels, bounds = np.empty(n, np.uint8), _bounds(self.low, self.high)

        def place(part: slice) -> None:
            levels[part] = np.searchsorted(bounds, values[part].astype(np.float64), side="right")

        in_pieces(place, n)
        return levels

    def values(self, levels: np.ndarray) -> np.ndarray | None:
        """The rating or count in the middle of each level; None where nothing is known of pairs.

        Parameters
        ----------
        levels : ndarray of shape (n,), uint8

        Returns
        -------
        ndarray of shape (n,), float32, or None
            `levels` of these are the same levels again.
        """
        if self.kind == "none":
            return None
        if self.kind == "rating":
            middles = self.low + (self.high - self.low) * np.arange(LEVELS) / (LEVELS - 1)
        else:
            bounds = _bounds(self.low, self.high)
            inner = np.sqrt(bounds[:-1] * bounds[1:])
            middles = np.concatenate([[self.low], inner, [self.high]])
        return middles.astype(np.float32)[levels]

    def weights(self, values: np.ndarray | None, n: int) -> np.ndarray:
        """Weight of each pair: ndarray of shape (n,), float32; arguments as for `levels`.

        A pair of which nothing is known weighs 1, as one in the middle does.

        Raises
        ------
        RatingsError
            If a count is not more than 0.
        """
        if values is None:
            return np.ones(n, np.float32)
        if self.kind == "count" and not values.min(initial=1) > 0:
            raise RatingsError(
                f"the model knows how often something happened, which is more than 0, not "
                f"{values.min():g}; leave out what has never happened"
            )
        return self.table[self.levels(values, n)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a model file."""
        return {"kind": self.kind, "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """The opposite of `to_dict`."""
        return cls(str(plain["kind"]), float(plain["low"]), float(plain["high"]))


def _bounds(low: float, high: float) -> np.ndarray:
    """Counts at which each level from the second on begins: equally far apart in logarithms.

    By multiplication only, which rounds the same everywhere.
    """
    n_steps = 2 * (LEVELS - 1)  # half a level each
    least, most = 1.0, 2.0
    while _power(most, n_steps) * low < high:
        most *= 2
    for _ in range(100):
        step = (least + most) / 2
        least, most = (step, most) if _power(step, n_steps) * low < high else (least, step)
    bounds = np.empty(LEVELS - 1)
    value = low * most
    for level in range(LEVELS - 1):
        bounds[level] = value
        value *= most * most
    return bounds


def _power(base: float, exponent: int) -> float:
    """A power of a number of at least 1; infinite where it is too large."""
    value = 1.0
    for _ in range(exponent):
        value *= base
    return value


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
