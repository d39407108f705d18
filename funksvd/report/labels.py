"""Names of items in a report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

YEAR = re.compile(r" \(\d{4}\)$")
"""Year of a film at the end of its title."""


class Labels:
    """Titles of a model's items, or their ids where there are none.

    Parameters
    ----------
    item_ids : ndarray of shape (n_items,), int64 or object (str)
    titles : mapping of id to str, optional
        Titles, as `read_titles` returns them; they are found by the ids' text.

    Attributes
    ----------
    n_titled : int
        Number of the model's items that have a title.
    """

    def __init__(
        self, item_ids: np.ndarray, titles: Mapping[int, str] | Mapping[str, str] | None = None
    ) -> None:
        self._ids = item_ids
        self._titles = {str(label): title for label, title in (titles or {}).items()}
        self.n_titled = sum(str(label) in self._titles for label in item_ids.tolist())

    def __getitem__(self, row: int) -> str:
        label = str(self._ids[row])
        return one_line(self._titles.get(label) or f"item {label}")

    def of(self, rows: Iterable[int]) -> list[str]:
        """Labels of several rows."""
        return [self[row] for row in rows]


def one_line(text: str) -> str:
    """Text without control characters, some of which are not allowed in SVG."""
    return "".join(c if c.isprintable() else " " for c in text)


def shortened(text: str, length: int) -> str:
    """A text of at most `length` characters: "…" stands for the rest, a year at the end stays."""
    if len(text) <= length:
        return text
    found = YEAR.search(text)
    year = found[0] if found else ""
    return text[: length - 1 - len(year)].rstrip(" -:,.(") + "…" + year
