"""Single values of a column of features: texts, numbers, dates, lists; what is missing."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from funksvd.ratings.attributes import split_values
from funksvd.ratings.title_search import YEAR

LEAST_RECURRENCE = 2.0
"""Least number of times that the parts of texts with commas occur, on average, in lists."""
MISSING = frozenset(("", "null", "na", "n/a", "nan", "none", "\\n", "?", "-"))
"""Texts that stand for a missing value, in lower case."""
TRUTHS = {"0": 0, "1": 1, "false": 0, "true": 1}
MONTHS = {name: at for at, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
)}  # fmt: skip


def as_text(value: Any) -> str:
    """A value as text without blanks round it; "" for a missing one."""
    if isinstance(value, str):
        text = value.strip()
        return "" if text.casefold() in MISSING else text
    if value is None or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    number = as_number(value)
    return str(value) if number is None else as_level(number)


def as_number(value: Any) -> float | None:
    """A value as a number; None if it is none."""
    if isinstance(value, str | int | float | np.number) or hasattr(value, "as_tuple"):  # Decimal
        try:
            number = float(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def as_level(number: float | None) -> str:
    """A number as the name of a level."""
    if number is None:
        return ""
    return str(int(number)) if number.is_integer() else f"{number:.9g}"


def as_truth(value: Any) -> int | None:
    return TRUTHS.get(as_text(value).casefold())


def are_dates(values: Iterable[Any]) -> bool:
    """Whether a column is one of dates."""
    present = [value for value in values if as_text(value)]
    return bool(present) and all(as_day(value) is not None for value in present)


def as_day(value: Any) -> float | None:
    """A date as its day of the Gregorian calendar, from year 1; None if it is none.

    `2024-03-31`, `2024/3/31`, with or without a time; `31-Mar-2024`; `31.3.2024`; and `3/31/2024`.
    """
    if isinstance(value, datetime.date):
        return float(value.toordinal())
    if not isinstance(value, str):
        return None
    text = value.strip()
    if found := re.match(r"(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[T ]|$)", text):
        year, month, day = map(int, found.groups())
    elif found := re.fullmatch(r"(\d\d?)[- ]([A-Za-z]{3})[a-z]*[- ](\d{4})", text):
        year, month, day = int(found[3]), MONTHS.get(found[2].lower(), 0), int(found[1])
    elif found := re.fullmatch(r"(\d\d?)\.(\d\d?)\.(\d{4})", text):
        day, month, year = map(int, found.groups())
    elif found := re.fullmatch(r"(\d\d?)/(\d\d?)/(\d{4})", text):
        month, day, year = map(int, found.groups())
        if month > 12:
            month, day = day, month
    else:
        return None
    try:
        return float(datetime.date(year, month, day).toordinal())
    except ValueError:
        return None


def year_of(text: str) -> float | None:
    """The year in brackets that ends a title."""
    found = YEAR.search(text)
    return float(found[1]) if found else None


def separator_of(texts: Sequence[str]) -> str | None:
    """The character that divides lists; None for texts that are no lists.

    Their parts recur: "Pop, Rock" is a list beside "Rock, Jazz", and "Smith, John" is a name.
    """
    for separator in "|;,":
        if any(separator in text for text in texts):
            counts = Counter(part for text in texts for part in split_values(text, separator))
            n_parts = sum(counts.values())
            are_many = separator == "," and len(counts) > len(set(texts))
            if n_parts >= LEAST_RECURRENCE * len(counts) and not are_many:
                return separator
    return None


def elements_of(value: Any, separator: str | None) -> list[str]:
    """The texts of a list."""
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [text for each in value if (text := as_text(each))]
    text = as_text(value)
    return split_values(text, separator) if separator and text else [text] if text else []
