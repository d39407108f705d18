"""Items chosen by what a file says of them: `genre=Comedy`, `year>=1990`."""

from __future__ import annotations

import difflib
import math
import operator
import os
import re
from collections.abc import Callable, Sequence

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import names as column_names
from funksvd.ratings.item_table import MOVIELENS_100K, ItemTable, read_item_table
from funksvd.ratings.title_search import YEAR
from funksvd.ratings.vocabulary import CANONICAL_INTEGER

CONDITION = re.compile(r"\s*(.+?)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
N_SHOWN = 12
"""Largest number of values that an error message lists."""
FLAG = "1"
"""Value of a column of MovieLens 100K that stands for a genre, where an item is of it."""


def read_attributes(
    path: str | os.PathLike[str], sep: str | None = None, encoding: str | None = None
) -> ItemAttributes:
    """Read all columns of a file of items.

    Parameters
    ----------
    path, sep, encoding
        As for `read_titles`: any of the files that it reads.

    Returns
    -------
    ItemAttributes

    Raises
    ------
    RatingsError
        As `read_titles`.
    """
    return ItemAttributes(read_item_table(path, sep, encoding))


class ItemAttributes:
    """What is known of items, column by column.

    Parameters
    ----------
    table : ItemTable
        Where it has no header, columns are called by their positions, from 1. A column `genres`
        is made of the flags of MovieLens 100K, and a column `year` of years that end titles in
        brackets.

    Examples
    --------
    >>> attributes = read_attributes("movies.csv")  # doctest: +SKIP
    >>> comedies = attributes.where("genre=Comedy")  # doctest: +SKIP
    >>> model.recommend(42, among=comedies)  # doctest: +SKIP
    """

    def __init__(self, table: ItemTable) -> None:
        self._name = table.name
        rows = [row for row in table.rows if len(row) > table.item and row[table.item].strip()]
        labels = [row[table.item].strip() for row in rows]
        are_integers = all(re.fullmatch(CANONICAL_INTEGER, label) for label in labels)
        self.items: list[int] | list[str] = list(map(int, labels)) if are_integers else labels
        self._columns = _columns(table, rows)
        self._elements: dict[str, list[frozenset[str]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    def where(self, condition: str) -> list[int] | list[str]:
        """The items for which a condition is true.

        Parameters
        ----------
        condition : str
            `genre=Comedy`: one of the values in the column is this one, whatever the case.
            `genre!=Comedy`: none of them is. `year>=1990`, and so with `<=`, `<` and `>`: the
            column holds such a number. The column's name may be in the singular or the plural.
            Values are divided at `|` or `;`, and at commas where their parts recur.

        Returns
        -------
        list of int, or list of str
            Ids, in the order of the file; integers if all ids there are.

        Raises
        ------
        RatingsError
            If it is no condition, or there is no such column or no such value; the message has
            those that there are.
        """
        parts = CONDITION.fullmatch(condition)
        if parts is None or not parts[3]:
            raise RatingsError(
                f"{argument('where', condition)} is no condition such as genre=Comedy or year>=1990"
            )
        name, sign, value = parts.groups()
        column = self._column(name)
        if sign in COMPARISONS:
            chosen = self._compared(column, sign, value)
        else:
            has_value = self._having(column, value)
            chosen = has_value if sign == "=" else [not has for has in has_value]
        pairs = zip(self.items, chosen, strict=True)
        return [item for item, is_chosen in pairs if is_chosen]  # type: ignore[return-value]

    def where_all(self, conditions: Sequence[str]) -> list[int] | list[str]:
        """The items that meet all of at least one condition; otherwise as `where`."""
        first, *others = [self.where(each) for each in conditions]
        sets = [set(each) for each in others]
        return [item for item in first if all(item in each for each in sets)]  # type: ignore[return-value]

    def _column(self, name: str) -> str:
        for plain in (str, str.casefold, column_names.normalized, _singular):
            found = [each for each in self._columns if plain(each) == plain(name)]
            if found and plain(name):
                return found[0]
        raise RatingsError(
            f"{self._name}: there is no column {name!r}; the columns are "
            f"{column_names.listing(self.names)}"
        )

    def _having(self, column: str, value: str) -> list[bool]:
        if column not in self._elements:
            self._elements[column] = _elements(self._columns[column])
        wanted = _plain(value)
        has_value = [wanted in elements for elements in self._elements[column]]
        if not any(has_value):
            has_value = [_plain(whole) == wanted for whole in self._columns[column]]
        if not any(has_value):
            raise RatingsError(self._no_such_value(column, value))
        return has_value

    def _no_such_value(self, column: str, value: str) -> str:
        """A message with the most similar values; where there are none, with the most frequent."""
        counts: dict[str, int] = {}
        written: dict[str, str] = {}
        separator = separator_in(self._columns[column])
        for whole in self._columns[column]:
            for element in split_values(whole, separator):
                written.setdefault(_plain(element), element)
                counts[_plain(element)] = counts.get(_plain(element), 0) + 1
        near = difflib.get_close_matches(_plain(value), counts, n=3, cutoff=0.6)
        text = f"{self._name}: no item has {value!r} in the column {column}"
        if near:
            return f"{text}; did you mean {' or '.join(written[each] for each in near)}?"
        frequent = sorted(counts, key=lambda each: -counts[each])
        more = ", …" if len(frequent) > N_SHOWN else ""
        return f"{text}; it has {', '.join(written[each] for each in frequent[:N_SHOWN])}{more}"

    def _compared(self, column: str, sign: str, value: str) -> list[bool]:
        limit = number_of(value)
        if math.isnan(limit):
            asked = argument("where", f"{column}{sign}{value}")
            raise RatingsError(f"{asked}: {value!r} is no number to compare with")
        numbers = [number_of(whole) for whole in self._columns[column]]
        known = [number for number in numbers if not math.isnan(number)]
        if not known:
            raise RatingsError(f"{self._name}: the column {column} holds no numbers to compare")
        chosen = [COMPARISONS[sign](number, limit) for number in numbers]  # never for NaN
        if not any(chosen):
            raise RatingsError(
                f"{self._name}: no item has {column}{sign}{value}; the column goes from "
                f"{min(known):g} to {max(known):g}"
            )
        return chosen


def _columns(table: ItemTable, rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """The columns by name; of two with one name, the first."""
    n_columns = max((len(row) for row in rows), default=0)
    header = table.header or tuple(str(at) for at in range(1, n_columns + 1))
    columns: dict[str, list[str]] = {}
    for at, name in enumerate(header):
        columns.setdefault(name, [row[at].strip() if at < len(row) else "" for row in rows])
    if table.header == MOVIELENS_100K:
        genres = MOVIELENS_100K[MOVIELENS_100K.index("unknown") :]
        columns["genres"] = [
            "|".join(name for name in genres if columns[name][at] == FLAG)
            for at in range(len(rows))
        ]
    if "year" not in map(str.casefold, columns):
        titles = [row[table.title].strip() if table.title < len(row) else "" for row in rows]
        years = [found[1] if (found := YEAR.search(title)) else "" for title in titles]
        if any(years):
            columns["year"] = years
    return columns


def _elements(column: Sequence[str]) -> list[frozenset[str]]:
    separator = separator_in(column)
    return [frozenset(map(_plain, split_values(whole, separator))) for whole in column]


def separator_in(column: Sequence[str]) -> str | None:
    """What divides the values of a column; None if each is a single one."""
    for separator in "|;":
        if any(separator in whole for whole in column):
            return separator
    wholes = {whole for whole in column if whole}
    parts = {part for whole in wholes for part in split_values(whole, ",")}
    has_commas = any("," in whole for whole in wholes)
    return "," if has_commas and len(parts) <= len(wholes) else None  # do the parts recur?


def split_values(whole: str, separator: str | None) -> list[str]:
    parts = [whole] if separator is None else whole.split(separator)
    return [part.strip() for part in parts if part.strip()]


def _plain(value: str) -> str:
    """A value without regard to case; numbers are equal however they are written."""
    number = number_of(value)
    return value.strip().casefold() if math.isnan(number) else f"{number:.17g}"


def number_of(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _singular(name: str) -> str:
    plain = column_names.normalized(name)
    return re.sub(r"s$", "", re.sub(r"ies$", "y", plain))
