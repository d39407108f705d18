"""Titles of items, for display only."""

from __future__ import annotations

import os
import re

from funksvd.errors import RatingsError
from funksvd.ratings.item_table import read_item_table
from funksvd.ratings.vocabulary import CANONICAL_INTEGER


def read_titles(
    path: str | os.PathLike[str], sep: str | None = None, encoding: str | None = None
) -> dict[int, str] | dict[str, str]:
    """Read the titles of items.

    Parameters
    ----------
    path : str or os.PathLike
        MovieLens `movies.csv`, `movies.dat` or `u.item` (or the folder or archive one is in),
        Netflix `movie_titles.txt`, or any such file whose columns are recognised; otherwise the
        first two columns are taken. Plain or compressed.
    sep : str, optional
        What separates the columns; detected by default.
    encoding : str, optional
        By default UTF-8, and Latin-1 where that fails.

    Returns
    -------
    dict
        Title by item id. The ids are integers if all of them are; otherwise text. Rows without
        an id or a title are left out, and the first title of an id is kept.

    Raises
    ------
    RatingsError
        If the file is missing, damaged or not text, has one column only, or holds ratings.
    """
    table = read_item_table(path, sep, encoding)
    item, title = table.item, table.title
    found: dict[str, str] = {}
    for row in table.rows:
        if len(row) > max(item, title) and row[item].strip() and row[title].strip():
            found.setdefault(row[item].strip(), row[title].strip())
    if not found:
        raise RatingsError(f"{table.name}: there are no titles in this file")
    if all(re.fullmatch(CANONICAL_INTEGER, label) for label in found):
        return {int(label): name for label, name in found.items()}
    return found
