"""Ranges around a default, in which `funksvd.tuning` searches for better values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple


class Interval(NamedTuple):
    """Values to draw from.

    Parameters
    ----------
    low, high : float
        Smallest and largest value, both included.
    is_log : bool
        Whether values are drawn evenly on a logarithmic scale.
    step : int or None
        Distance of the values, which are then integers.
    """

    low: float
    high: float
    is_log: bool = False
    step: int | None = None


class Search(ABC):
    """A range to search, given the default."""

    @abstractmethod
    def interval(self, default: float) -> Interval:
        """The values to draw from."""

    def nearest(self, value: float) -> float:
        """The value that is searched and is next to another one."""
        return value

    def is_worthwhile(self, default: float) -> bool:
        """Whether the hyperparameter is searched at all, given its default."""
        return True


class LogAround(Search):
    """Values up to some times as large or as small, on a logarithmic scale.

    Parameters
    ----------
    times : float
        Ratio of the largest value to the default, and of the default to the smallest value.
    """

    LARGEST_FROM_ZERO = 0.2
    """Largest value that is tried where the default is 0."""

    def __init__(self, times: float) -> None:
        self.times = times

    def interval(self, default: float) -> Interval:
        """Around the default; up to 0.2, evenly, where that is 0."""
        if default == 0:
            return Interval(0.0, self.LARGEST_FROM_ZERO)
        return Interval(default / self.times, default * self.times, is_log=True)


class Multiples(Search):
    """Multiples of a number.

    Parameters
    ----------
    step : int
        The number.
    up_to : int
        The largest multiple, unless the default is larger.
    """

    def __init__(self, step: int, up_to: int) -> None:
        self.step, self.up_to = step, up_to

    def interval(self, default: float) -> Interval:
        """From the first multiple on."""
        return Interval(self.step, max(self.up_to, self.nearest(default)), step=self.step)

    def nearest(self, value: float) -> int:
        """The multiple that is next to a value."""
        return max(1, round(value / self.step)) * self.step


class DecayAround(Search):
    """Decays by which a quarter to twice as much is lost in an epoch as by the default."""

    USUAL_LOSS = 0.05
    """Loss in an epoch around which to search where the default loses nothing."""

    def interval(self, default: float) -> Interval:
        """Around the default."""
        loss = 1 - default if default < 1 else self.USUAL_LOSS
        return Interval(1 - 2 * loss, max(1 - loss / 4, default))

    def is_worthwhile(self, default: float) -> bool:
        """Not where rates stay as they are."""
        return default != 1
