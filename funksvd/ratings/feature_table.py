"""Tables of what is known of users or items: a row for each id, and columns of any kind."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings.attributes import FLAG
from funksvd.ratings.io import folders, names, sample
from funksvd.ratings.io.files import Source
from funksvd.ratings.item_table import (
    MOVIELENS_1M_USERS,
    MOVIELENS_100K,
    MOVIELENS_100K_USERS,
    NETFLIX,
    published_header,
    rows_of_text,
)
from funksvd.ratings.vocabulary import CANONICAL_INTEGER, Vocabulary, as_labels

FILE_NAMES = {"user": folders.USERS_NAMES, "item": folders.TITLES_NAMES}
"""Names to look for in folders and archives."""

MATCHED = 0.5
"""Least share of known ids, or of its own rows, that a column of ids under another name has."""


class FeatureTable(NamedTuple):
    """Columns about users or about items.

    Parameters
    ----------
    name : str
        The file or table, for messages.
    columns : dict of str to list
        Values by row: text, numbers, truths, dates, lists of text, or None. Where a file has no
        header, columns are called by their positions, from 1.
    path : str
        The file, folder or archive, from the root on; "" for a table in memory.
    """

    name: str
    columns: dict[str, list[Any]]
    path: str = ""

    @property
    def fingerprint(self) -> str:
        """A digest of all columns and their names."""
        return hashlib.blake2b(repr(self.columns).encode(), digest_size=16).hexdigest()


class KeyedTable(NamedTuple):
    """The rows of a table whose ids are known.

    Parameters
    ----------
    name : str
    ids : Vocabulary
        Of the kind that the ratings' ids are of.
    columns : dict of str to list
        The other columns, in the order of the ids.
    id_column : str
    n_repeated : int
        Rows left out because one above has the same id.
    """

    name: str
    ids: Vocabulary
    columns: dict[str, list[Any]]
    id_column: str
    n_repeated: int


def read_features(source: Any, what: str) -> FeatureTable:
    """Read a table of features.

    Parameters
    ----------
    source : FeatureTable, path, or table
        A CSV, Parquet or Feather file, or another that `read_titles` reads; MovieLens `u.user`,
        `users.dat`, `u.item`, `movies.csv` and so on, or the folder or archive that it is in; or a
        pandas, polars or Arrow table, or a dict of columns.
    what : {"user", "item"}

    Returns
    -------
    FeatureTable

    Raises
    ------
    RatingsError
        If the file is missing, damaged or not a table, or has one column only.
    """
    if isinstance(source, FeatureTable):
        return source
    from funksvd.ratings.io import tables

    if not isinstance(source, (str, os.PathLike)):
        if isinstance(source, Mapping):
            source = {
                str(name): list(values) if isinstance(values, Iterable) else [values]
                for name, values in source.items()
            }
        if hasattr(source, "reset_index"):  # pandas, whose index may hold the ids
            is_plain = type(source.index).__name__ == "RangeIndex" and source.index.name is None
            source = source if is_plain else source.reset_index()
        table, name = tables.as_arrow(source, f"features of {what}s")
        return _checked(FeatureTable(name, tables.whole_columns(table) or {}))
    path = os.path.expanduser(os.fspath(source))
    file = folders.resolve(path, FILE_NAMES[what])[0]
    typed = tables.whole_columns(file)
    if typed is not None:
        return _checked(FeatureTable(file.name, typed, os.path.abspath(path)))
    needs = f"a table of {what}s needs two columns, an id and something about it"
    rows, separator, is_netflix = rows_of_text(file, None, _encoding(file), needs)
    header: tuple[str, ...] = NETFLIX if is_netflix else _published(rows, separator, what)
    if not header and _has_header(rows, what):
        header, rows = tuple(map(str.strip, rows[0])), rows[1:]
    n_columns = max((len(row) for row in rows), default=0)
    header += tuple(str(at) for at in range(len(header) + 1, n_columns + 1))
    columns: dict[str, list[Any]] = {}
    for at, name in enumerate(header[:n_columns]):
        columns.setdefault(name, [row[at].strip() if at < len(row) else "" for row in rows])
    if header == MOVIELENS_100K:
        genres = MOVIELENS_100K[MOVIELENS_100K.index("unknown") :]
        flags = {name: columns.pop(name) for name in genres}
        columns["genres"] = [
            "|".join(name for name in genres if flags[name][at] == FLAG) for at in range(len(rows))
        ]
    return _checked(FeatureTable(file.name, columns, os.path.abspath(path)))


def _encoding(file: Source) -> str | None:
    """UTF-16 where a byte order mark tells so, as in what Excel calls Unicode text."""
    return "utf-16" if file.head(2) in sample.MARKED["utf-16"] else None


def _checked(table: FeatureTable) -> FeatureTable:
    if not any(map(len, table.columns.values())):
        raise RatingsError(f"{table.name}: there are no rows in this table")
    if len(table.columns) < 2:
        raise RatingsError(
            f"{table.name}: a table of features needs two columns, an id and something about it"
        )
    return table


def _published(rows: list[list[str]], separator: str, what: str) -> tuple[str, ...]:
    """Names of the columns of a file without header, if its layout is a published one."""
    if what == "item":
        return published_header(rows, separator)
    if len(rows[0]) == len(MOVIELENS_100K_USERS) and rows[0][0].strip().isdecimal():
        return {"|": MOVIELENS_100K_USERS, "::": MOVIELENS_1M_USERS}.get(separator, ())
    return ()


def _has_header(rows: list[list[str]], what: str) -> bool:
    """Whether the first row names the columns: it has a known name, or is unlike the others."""
    first = [field.strip() for field in rows[0]]
    if names.recognized(first, what) or names.recognized(first, "title"):
        return True
    below = [{row[at].strip() for row in rows[1:] if at < len(row)} for at in range(len(first))]
    is_name = [bool(re.search("[a-zA-Z]", field)) for field in first]
    return all(is_name) and not any(
        name in values for name, values in zip(first, below, strict=True)
    )


def keyed(table: FeatureTable, known: Vocabulary, id_column: str = "") -> KeyedTable:
    """Find which column holds the ids, and take the rows that have one.

    Parameters
    ----------
    table : FeatureTable
    known : Vocabulary
        Ids that ratings have.
    id_column : str
        Name of the column, if it is there, or else has one of the usual names, none of whose ids
        needs to be known; "" for one that holds most of the known ids.

    Raises
    ------
    RatingsError
        If no column holds such ids, or most ids are in several rows.
    """
    what = known.what
    header = list(table.columns)
    named = [header[at] for at in names.recognized(header, what)]
    if id_column and id_column in header:
        named = [id_column]
    best, labels = "", None
    most = -1 if named and id_column else 0
    for name in named or header:
        found = _labels(table.columns[name], known)
        present = [label for label in found if label is not None]
        rows = known.rows(as_labels(present)) if present else np.empty(0, np.int32)
        n_known = len(np.unique(rows[rows >= 0]))
        few = 0 if named else MATCHED * min(len(known), len(present))  # other integers match, too
        if n_known > most and n_known >= few:
            best, labels, most = name, found, n_known
    if labels is None:
        where = f"its column {named[0]!r} holds none" if named else "none of its columns holds most"
        raise RatingsError(
            f"{table.name}: features need the ids that the ratings have, {what}s like "
            f"{known.examples}, and {where} of them. Call the column of the ids {what!r}"
        )
    rows_of: dict[int | str, int] = {}
    for row, label in enumerate(labels):
        if label is not None:
            rows_of.setdefault(label, row)
    n_repeated = sum(label is not None for label in labels) - len(rows_of)
    if n_repeated > len(rows_of):
        raise RatingsError(
            f"{table.name}: features have a row for each {what}, and here {len(rows_of):,} {what}s "
            f"have {n_repeated + len(rows_of):,} rows; is it a file of ratings?"
        )
    ids, index = Vocabulary.encode(as_labels(list(rows_of)), what)
    order = np.empty(len(ids), np.int64)
    order[index] = list(rows_of.values())
    columns = {
        name: [values[row] for row in order.tolist()]
        for name, values in table.columns.items()
        if name != best
    }
    return KeyedTable(table.name, ids, columns, best, n_repeated)


def _labels(values: list[Any], known: Vocabulary) -> list[int | str | None]:
    """Ids of the kind that known ones are of; None where there is none."""
    labels: list[int | str | None] = []
    for value in values:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = "" if value is None or value != value else str(value).strip()
        if not known.holds_integers:
            labels.append(text or None)
        elif re.fullmatch(CANONICAL_INTEGER, text) and -(2**63) <= int(text) < 2**63:
            labels.append(int(text))
        else:
            labels.append(None)
    return labels


def shortened(text: str) -> str:
    """A value for a message or a table."""
    return sample.shortened(text, 40)
