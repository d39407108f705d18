"""Ranges of the values that a hyperparameter may have, and sentences about other values."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class Range(ABC):
    """The values that a hyperparameter may have."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The range in words, for documentation: "int, at least 1"."""

    @abstractmethod
    def problem(self, value: object) -> str | None:
        """Say what is wrong with a value.

        Returns
        -------
        str or None
            How a sentence goes on that begins with the hyperparameter's name: "must be True or
            False, not 2". None for a value in the range.
        """

    @abstractmethod
    def parsed(self, text: str) -> object:
        """The value that a person has typed; it may be out of the range.

        Raises
        ------
        ValueError
            If the text is no value of this type.
        """


class Whole(Range):
    """Whole numbers from a lower limit on.

    Parameters
    ----------
    at_least : int
        The lower limit.
    """

    def __init__(self, at_least: int) -> None:
        self.at_least = at_least

    @property
    def text(self) -> str:
        """In words."""
        return f"int, at least {self.at_least}"

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range."""
        if isinstance(value, numbers.Integral) and int(value) >= self.at_least:
            return None
        return f"must be a whole number of at least {self.at_least}, not {value}"

    def parsed(self, text: str) -> object:
        """An int."""
        return int(text)


class WholeOr(Whole):
    """Whole numbers from a lower limit on, or a word.

    Parameters
    ----------
    at_least : int
        The lower limit.
    word : str
        The word.
    """

    def __init__(self, at_least: int, word: str) -> None:
        super().__init__(at_least)
        self.word = word

    @property
    def text(self) -> str:
        """In words."""
        return f'int, at least {self.at_least}, or "{self.word}"'

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range."""
        if (isinstance(value, str) and value == self.word) or super().problem(value) is None:
            return None
        return (
            f"must be a whole number of at least {self.at_least}, or {self.word!r}, not {value!r}"
        )

    def parsed(self, text: str) -> object:
        """An int, or the word."""
        return self.word if text == self.word else int(text)


class Real(Range):
    """Finite numbers from a lower limit on; one of the two limits is given.

    Parameters
    ----------
    above : float, optional
        Lower limit that is not in the range itself.
    at_least : float, optional
        Lower limit that is.
    """

    def __init__(self, *, above: float = -math.inf, at_least: float = -math.inf) -> None:
        self.above, self.at_least = above, at_least

    @property
    def text(self) -> str:
        """In words."""
        if self.above >= self.at_least:
            return f"float, greater than {self.above:g}"
        return f"float, at least {self.at_least:g}"

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range."""
        number = _finite(value)
        if number > self.above and number >= self.at_least:
            return None
        is_open = self.above >= self.at_least
        limit = f"greater than {self.above:g}" if is_open else f"of at least {self.at_least:g}"
        return f"must be a number {limit}, not {value!r}"

    def parsed(self, text: str) -> object:
        """A float."""
        return float(text)


class Fraction(Range):
    """Numbers from 0 to less than 1."""

    @property
    def text(self) -> str:
        """In words."""
        return "float, at least 0 and less than 1"

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range."""
        return (
            None
            if 0 <= _finite(value) < 1
            else f"must be at least 0 and less than 1, not {value!r}"
        )

    def parsed(self, text: str) -> object:
        """A float."""
        return float(text)


class Choice(Range):
    """One of several names.

    Parameters
    ----------
    entries : dict
        What the names stand for; each entry has a `summary`.
    """

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.entries = entries

    @property
    def names(self) -> list[str]:
        """The names."""
        return list(self.entries)

    @property
    def summaries(self) -> dict[str, str]:
        """Meaning of each name, in a few words."""
        return {name: entry.summary for name, entry in self.entries.items()}

    @property
    def text(self) -> str:
        """In words."""
        return "{" + ", ".join(f'"{name}"' for name in self.names) + "}"

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range."""
        if value in self.names:
            return None
        return f"must be one of {', '.join(self.names)}, not {value!r}"

    def parsed(self, text: str) -> object:
        """The name itself."""
        return text


class Flag(Range):
    """True or False."""

    @property
    def text(self) -> str:
        """In words."""
        return "bool"

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range."""
        is_numpys = getattr(value, "dtype", None) == "bool" and getattr(value, "shape", None) == ()
        return (
            None
            if isinstance(value, bool) or is_numpys
            else f"must be True or False, not {value!r}"
        )

    def parsed(self, text: str) -> object:
        """From "true" or "false"."""
        return {"true": True, "false": False}[text.lower()]


def _finite(value: object) -> float:
    """A finite number; NaN, which is in no range, in place of anything else."""
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    return math.nan
