"""Features of users or items as columns of numbers: categories, lists, numbers and dates.

Each feature becomes a few columns of zeros and ones: one for each level of a category, for each
value that occurs in lists, and for each band of numbers or dates, whose edges are quantiles. Levels
of few rows are pooled, so that there are at most `MOST_COLUMNS` in all. The mean of a column over
the rows that have ratings is subtracted, so that zeros stand for an average row; they are not
divided by their spread, so that one prior for all weights holds rare levels back more.

Missing values have a column of their own, where training has seen enough of them. A level that
training has not seen is one of the pooled levels; where there are none, it is like the average, and
so is a row that is not in the table.

All is counted and compared, and divided once: the same bits on every machine.
"""

from __future__ import annotations

import datetime
import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from funksvd.errors import RatingsError, counted
from funksvd.ratings.feature_table import FeatureTable, keyed
from funksvd.ratings.feature_values import (
    TRUTHS,
    are_dates,
    as_day,
    as_level,
    as_number,
    as_text,
    as_truth,
    elements_of,
    separator_of,
    year_of,
)
from funksvd.ratings.io.names import listing, normalized
from funksvd.ratings.vocabulary import Vocabulary

MOST_COLUMNS = 512
"""Largest number of columns that the features of users, or of items, become."""
N_BANDS = 10
"""Bands of a column of numbers or dates; fewer where there are many such columns."""
BAND_COLUMNS = 256
"""Largest number of columns that bands take together."""
FEW_NUMBERS = 24
"""Largest number of distinct numbers of which each is a level of its own, rather than a band."""
LEAST_ROWS = 3
"""Least number of rows of a level that is not pooled."""
MOST_DISTINCT = 0.8
"""Share of different texts among all from which on a column is taken for titles or addresses."""
ZIP_NAMES = frozenset(("zip", "zipcode", "postalcode", "postcode", "plz"))
"""Names of columns of postal codes, whose first character is the feature."""
NAMELESS = r"\s*|Unnamed: \d+|__index_level_\d+__"
"""Names of columns without a name, as pandas writes its index."""
KINDS = ("category", "value", "list", "flag", "number", "date")
"""Texts; few distinct numbers; lists of texts; yes or no; numbers in bands; dates in bands."""
OTHER, ABSENT = "(other)", "(missing)"
"""Names of the columns of pooled levels and of missing values."""


class UnknownKindError(ValueError):
    """A kind of feature that this program does not know; the message is its name."""


@dataclass(frozen=True)
class Feature:
    """One feature, and the columns that it becomes.

    Parameters
    ----------
    name : str
    column : str
        Column of the table that it is made of.
    part : {"", "year", "first"}
        The part of that column's values: all, the year in brackets that ends a title, or the first
        character.
    kind : str
        One of `KINDS`.
    levels : tuple of str
        Of categories, values and lists.
    edges : tuple of float
        Numbers, or days of the Gregorian calendar from year 1, that divide the bands, ascending; a
        number on an edge is in the upper band.
    separator : str or None
        Text that divides the values of a list.
    has_other, has_missing : bool
        Whether there is a column of pooled levels, and one of missing values.
    means : tuple of float
        Of each column, before it was subtracted.
    """

    name: str
    column: str
    part: str
    kind: str
    levels: tuple[str, ...]
    edges: tuple[float, ...]
    separator: str | None
    has_other: bool
    has_missing: bool
    means: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownKindError(self.kind)
        if self.part not in ("", "year", "first") or len(self.means) != len(self.labels):
            raise ValueError(f"the feature {self.name!r} has not the columns that it should have")
        numbers = (*self.means, *self.edges)
        if not all(map(math.isfinite, numbers)) or sorted(self.edges) != list(self.edges):
            raise ValueError(f"the feature {self.name!r} has numbers that make no sense")

    @property
    def is_exclusive(self) -> bool:
        """Whether each row is of one of the levels."""
        return self.kind not in ("list", "flag")

    @property
    def labels(self) -> list[str]:
        """Names of the columns, for people."""
        if self.kind == "flag":
            own = ["yes"]
        elif self.kind in ("number", "date"):
            own = self._bands()
        else:
            own = list(self.levels)
        return own + [OTHER] * self.has_other + [ABSENT] * self.has_missing

    def _bands(self) -> list[str]:
        def plain(edge: float) -> str:
            if self.kind == "date":
                return datetime.date.fromordinal(int(edge)).isoformat()
            return f"{edge:g}"

        if not self.edges:
            return ["any"]
        inner = [f"{plain(low)} to below {plain(high)}" for low, high in pairwise(self.edges)]
        return [f"below {plain(self.edges[0])}", *inner, f"from {plain(self.edges[-1])}"]

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """The columns for the values of some rows.

        Returns
        -------
        ndarray of shape (n_rows, n_columns), float32
        """
        columns, is_known = self._ones(values)
        columns[is_known] -= np.array(self.means)
        return columns.astype(np.float32)

    def centered(self, values: Sequence[Any]) -> Self:
        """The same with the means of these rows."""
        columns, is_known = self._ones(values)
        means = columns.sum(axis=0) / max(1, np.count_nonzero(is_known))  # sums of ones: exact
        return replace(self, means=tuple(means.tolist()))

    def _ones(self, values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Columns of zeros and ones, float64, and in which rows anything is known."""
        columns = np.zeros((len(values), len(self.means)))
        is_known = np.zeros(len(values), bool)
        levels = {level: at for at, level in enumerate(self.levels)}
        found: dict[Any, tuple[list[int], bool]] = {}
        for row, value in enumerate(values):
            if isinstance(value, str) and value in found:
                places, is_known[row] = found[value]
            else:
                places, is_known[row] = self._places(value, levels)
                if isinstance(value, str):
                    found[value] = places, bool(is_known[row])
            columns[row, places] = 1
        return columns, is_known

    def _places(self, value: Any, levels: Mapping[str, int]) -> tuple[list[int], bool]:
        """The columns that are one for a value, and whether anything is known."""
        n_columns = len(self.means)
        other = n_columns - self.has_missing - 1 if self.has_other else -1
        parsed = _parsed(self, value)
        if parsed is None:
            places = [n_columns - 1 if self.has_missing else -1]
        elif self.kind == "flag":
            return [0] * parsed, True
        elif self.kind in ("number", "date"):
            places = [bisect_right(self.edges, parsed)]
        else:
            elements = parsed if self.kind == "list" else [parsed]
            places = [levels.get(each, other) for each in elements]
        places = [place for place in places if place >= 0]
        return places, bool(places)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the model file."""
        return {**vars(self), **{n: list(getattr(self, n)) for n in ("levels", "edges", "means")}}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The opposite of `to_dict`.

        Raises
        ------
        UnknownKindError
            If the feature is of a kind that this program does not know.
        KeyError, TypeError, ValueError
            If something is missing, or makes no sense.
        """
        for name in ("has_other", "has_missing"):
            if type(plain[name]) is not bool:
                raise TypeError(f"{name} of a feature is {plain[name]!r}")
        return cls(
            str(plain["name"]),
            str(plain["column"]),
            str(plain["part"]),
            str(plain["kind"]),
            tuple(map(str, plain["levels"])),
            tuple(map(float, plain["edges"])),
            None if plain["separator"] is None else str(plain["separator"]),
            plain["has_other"],
            plain["has_missing"],
            tuple(map(float, plain["means"])),
        )


@dataclass(frozen=True)
class Encoding:
    """How a table about users, or about items, becomes columns of numbers.

    Parameters
    ----------
    what : {"user", "item"}
    source : str
        Name of the table that it was made for.
    path : str
        Its file, from the root on; "" for a table in memory.
    id_column : str
        Name of its column of ids.
    features : tuple of Feature
    left_out : dict of str to str
        Why a column of that table is no feature, by its name.
    """

    what: str
    source: str
    path: str
    id_column: str
    features: tuple[Feature, ...]
    left_out: dict[str, str]

    @classmethod
    def of(cls, table: FeatureTable, rated: Vocabulary) -> Self:
        """The encoding of a table whose rows go with these users or items.

        Parameters
        ----------
        table : FeatureTable
        rated : Vocabulary
            Ids that have ratings: levels are counted, and bands made, over these.

        Raises
        ------
        RatingsError
            If no column holds their ids, or none is a feature.
        """
        rows = keyed(table, rated)
        at = np.flatnonzero(rated.rows(rows.ids.ids) >= 0).tolist()
        of_rated = {name: [column[row] for row in at] for name, column in rows.columns.items()}
        drafts: list[_Draft] = []
        left_out: dict[str, str] = {}
        if rows.n_repeated:
            times = counted(rows.n_repeated, "row")
            left_out[rows.id_column] = f"{times} with an id that a row above has: left out"
        names = {normalized(name) for name in of_rated}
        has_year = "year" in names or any(map(are_dates, of_rated.values()))
        for name, values in of_rated.items():
            draft, why = None, "without a name, as an index of rows"
            if not re.fullmatch(NAMELESS, name):
                draft, why = _draft(name, values, has_year=has_year)
            if draft is None:
                left_out[name or "a column"] = f"left out, {why}"
            else:
                drafts.append(draft)
                if draft.part:
                    left_out[name] = f"only its {_PARTS[draft.part]} counts"
        features = _pooled(drafts, left_out)
        if not features:
            reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
            raise RatingsError(f"{table.name}: no column tells {rated.what}s apart: {reasons}")
        centered = tuple(feature.centered(of_rated[feature.column]) for feature in features)
        return cls(rated.what, table.name, table.path, rows.id_column, centered, left_out)

    @property
    def n_columns(self) -> int:
        """Number of columns of all features."""
        return sum(len(feature.means) for feature in self.features)

    @property
    def parts(self) -> list[slice]:
        """Columns of each feature."""
        ends = np.cumsum([0, *(len(feature.means) for feature in self.features)]).tolist()
        return [slice(*edge) for edge in pairwise(ends)]

    def encode(self, table: FeatureTable, known: Vocabulary) -> tuple[Vocabulary, np.ndarray]:
        """The ids of a table, and their columns.

        Parameters
        ----------
        table : FeatureTable
            Columns that it does not have are as of the average row.
        known : Vocabulary
            Ids of the kind that the table's are of.

        Returns
        -------
        ids : Vocabulary
        columns : ndarray of shape (n_ids, n_columns), float32

        Raises
        ------
        RatingsError
            If no column holds ids, or none of the features is there.
        """
        rows = keyed(table, known, self.id_column)
        columns = np.zeros((len(rows.ids), self.n_columns), np.float32)
        for feature, part in zip(self.features, self.parts, strict=True):
            if feature.column in rows.columns:
                columns[:, part] = feature.encode(rows.columns[feature.column])
        if not any(feature.column in rows.columns for feature in self.features):
            raise RatingsError(
                f"{table.name}: the model knows the features "
                f"{listing([feature.column for feature in self.features])}, and the columns are "
                f"{listing(list(rows.columns))}"
            )
        return rows.ids, columns

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the model file."""
        features = [feature.to_dict() for feature in self.features]
        named = ("source", "path", "id_column", "left_out")
        return {**{name: getattr(self, name) for name in named}, "features": features}

    @classmethod
    def from_dict(cls, what: str, plain: Mapping[str, Any]) -> Self:
        """The opposite of `to_dict`; raises as `Feature.from_dict` does."""
        features = tuple(map(Feature.from_dict, plain["features"]))
        left_out = {str(name): str(why) for name, why in plain["left_out"].items()}
        source, path, id_column = (str(plain[name]) for name in ("source", "path", "id_column"))
        return cls(what, source, path, id_column, features, left_out)


# -- what a column is ------------------------------------------------------------------------------


_PARTS = {"year": "year", "first": "first character"}


@dataclass(frozen=True)
class _Draft:
    """A feature whose levels are not yet chosen; `counts` are of rows, by level."""

    name: str
    column: str
    part: str
    kind: str
    n_rows: int
    n_missing: int
    separator: str | None = None
    counts: Mapping[str, int] | None = None
    numbers: tuple[float, ...] = ()


def _draft(name: str, values: Sequence[Any], *, has_year: bool) -> tuple[_Draft | None, str]:
    """What a column is; or None, and why it is no feature."""
    part = "first" if normalized(name) in ZIP_NAMES else ""
    texts = [as_text(value) for value in values]
    present = [text for text in texts if text]
    if not present:
        return None, "empty"
    given = (name, name, part)
    if part:
        return _of_levels(*given, "category", [text[:1] for text in texts]), ""
    if any(isinstance(value, (list, tuple, set, frozenset, np.ndarray)) for value in values):
        return _of_lists(*given, values, None), ""
    if len(set(present)) == 1 and len(present) == len(texts):
        return None, "the same in each row"
    if {text.casefold() for text in present} <= TRUTHS.keys():
        return _of_levels(*given, "flag", texts), ""
    numbers = [as_number(value) for value in values]
    known = [number for number in numbers if number is not None]
    n_distinct = len(set(present))
    is_unique = n_distinct > MOST_DISTINCT * len(present)
    if len(known) == len(present):
        if is_unique and normalized(name).endswith("id"):
            return None, "ids of something else"
        if len(set(known)) <= FEW_NUMBERS:
            return _of_levels(*given, "value", [as_level(number) for number in numbers]), ""
        return _Draft(*given, "number", len(values), texts.count(""), numbers=tuple(known)), ""
    if are_dates(values):
        days = [day for value in values if (day := as_day(value)) is not None]
        return _Draft(*given, "date", len(values), texts.count(""), numbers=tuple(days)), ""
    if (separator := separator_of(present)) is not None:
        return _of_lists(*given, values, separator), ""
    if is_unique:
        years = [year_of(text) for text in texts]
        n_years = sum(year is not None for year in years)
        if n_years > len(present) / 2 and not has_year:
            of_years = tuple(year for year in years if year is not None)
            n_missing = len(values) - n_years
            draft = _Draft("year", name, "year", "number", len(values), n_missing, numbers=of_years)
            return draft, ""
        return None, "different in nearly each row"
    return _of_levels(*given, "category", texts), ""


def _of_levels(name: str, column: str, part: str, kind: str, texts: Sequence[str]) -> _Draft:
    counts = Counter(text for text in texts if text)
    if kind == "flag":
        counts = Counter({"yes": sum(TRUTHS.get(text.casefold(), 0) for text in texts)})
    return _Draft(name, column, part, kind, len(texts), texts.count(""), counts=counts)


def _of_lists(
    name: str, column: str, part: str, values: Sequence[Any], separator: str | None
) -> _Draft:
    lists = [elements_of(value, separator) for value in values]
    counts = Counter(element for elements in lists for element in dict.fromkeys(elements))
    n_missing = sum(not elements for elements in lists)
    return _Draft(name, column, part, "list", len(values), n_missing, separator, counts=counts)


def _pooled(drafts: Sequence[_Draft], left_out: dict[str, str]) -> list[Feature]:
    """The features, with so many levels that all columns are at most `MOST_COLUMNS`."""
    n_in_bands = sum(bool(draft.numbers) for draft in drafts)
    n_bands = max(2, min(N_BANDS, BAND_COLUMNS // max(1, n_in_bands)))
    counts = sorted({count for draft in drafts for count in (draft.counts or {}).values()})
    features: list[Feature] = []
    for least in [LEAST_ROWS, *(count + 1 for count in counts if count >= LEAST_ROWS)]:
        made = [(draft, _feature(draft, least, n_bands)) for draft in drafts]
        features = [feature for _, feature in made if feature is not None]
        if sum(len(feature.means) for feature in features) <= MOST_COLUMNS:
            break
    for draft, feature in made if drafts else ():
        if feature is None:
            left_out[draft.column] = "left out, no two values tell rows apart"
    while sum(len(feature.means) for feature in features) > MOST_COLUMNS:
        left_out[features.pop().column] = (
            f"left out, with it there would be more than {MOST_COLUMNS} columns"
        )
    return features


def _feature(draft: _Draft, least: int, n_bands: int) -> Feature | None:
    """A feature whose levels have this number of rows; None if they tell no rows apart."""
    n = draft.n_rows
    has_missing = draft.n_missing >= LEAST_ROWS
    levels: list[str] = []
    edges: list[float] = []
    n_other = 0
    if draft.numbers:
        numbers = sorted(draft.numbers)
        quantiles = [numbers[len(numbers) * at // n_bands] for at in range(1, n_bands)]
        edges = sorted({edge for edge in quantiles if edge > numbers[0]})
        bands = Counter(bisect_right(edges, number) for number in numbers)
        sizes = [bands[at] for at in range(len(edges) + 1)]
    else:
        counts = draft.counts or {}
        everywhere = n if draft.kind == "list" else n + 1
        kept = {level: each for level, each in counts.items() if least <= each < everywhere}
        by_number = draft.kind == "value"
        levels = sorted(kept, key=lambda level: (float(level) if by_number else 0.0, level))
        sizes = [kept[level] for level in levels]
        n_other = sum(count for count in counts.values() if count < least)
        if draft.kind == "flag":
            levels = []
    has_other = n_other >= LEAST_ROWS and draft.kind != "flag"
    n_columns = len(sizes) + has_other + has_missing
    if not n_columns or (n_columns == 1 and (not sizes or sizes[0] in (0, n))):
        return None
    return Feature(
        draft.name,
        draft.column,
        draft.part,
        draft.kind,
        tuple(levels),
        tuple(edges),
        draft.separator,
        has_other,
        has_missing,
        (0.0,) * n_columns,
    )


def _parsed(feature: Feature, value: Any) -> Any:
    """A value as the feature counts it: a level, a number, a list of levels; None: missing."""
    if feature.part == "first":
        return as_text(value)[:1] or None
    if feature.part == "year":
        return year_of(as_text(value))
    if feature.kind == "list":
        return elements_of(value, feature.separator) or None
    return _PARSERS[feature.kind](value)


_PARSERS: dict[str, Callable[[Any], Any]] = {
    "category": lambda value: as_text(value) or None,
    "value": lambda value: as_level(as_number(value)) or None,
    "flag": as_truth,
    "number": as_number,
    "date": as_day,
}
