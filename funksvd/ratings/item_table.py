"""Files of items and what is known of them: their titles, genres and so on."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import NamedTuple

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import folders, names, preamble, sample
from funksvd.ratings.io.files import Source
from funksvd.ratings.io.lines import blocks, whole_lines
from funksvd.ratings.io.options import check_encoding, check_separator, separator_of
from funksvd.ratings.io.quotes import MAX_QUOTED_LINES, length_of_record
from funksvd.ratings.vocabulary import CANONICAL_INTEGER

NETFLIX = ("item", "year", "title")
MOVIELENS_1M = ("item", "title", "genres")
MOVIELENS_100K_USERS = ("user", "age", "gender", "occupation", "zip code")
MOVIELENS_1M_USERS = ("user", "gender", "age", "occupation", "zip code")
MOVIELENS_100K = (
    "item", "title", "release date", "video release date", "URL", "unknown", "Action", "Adventure",
    "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir",
    "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""Names of the columns of published files that have no header."""


class ItemTable(NamedTuple):
    """A file of items.

    Parameters
    ----------
    name : str
        The file, for messages.
    header : tuple of str
        Names of the columns, as the file or its publisher has them; empty where there are none.
    rows : list of list of str
        Fields of each row below the header; there may be too few or too many.
    item, title : int
        Columns of the items' ids and of their titles.
    """

    name: str
    header: tuple[str, ...]
    rows: list[list[str]]
    item: int
    title: int


def read_item_table(
    path: str | os.PathLike[str], sep: str | None = None, encoding: str | None = None
) -> ItemTable:
    """Read a file of items; see `read_titles` for parameters and errors."""
    if not isinstance(path, (str, os.PathLike)):
        raise RatingsError(
            f"titles are read from a file, not from an object of type {type(path).__name__}; "
            "dict(zip(items, titles)) makes of two columns what would be read"
        )
    source = folders.resolve(os.path.expanduser(os.fspath(path)), folders.TITLES_NAMES)[0]
    if source.head(4) in (b"PAR1", b"ARRO"):
        raise RatingsError(
            f"{source.name}: titles are read from text files; write this table as CSV first"
        )
    needs = "titles need two columns, item and title"
    rows, separator, netflix = rows_of_text(source, sep, encoding, needs)
    if not rows:
        raise RatingsError(f"{source.name}: there are no titles in this file")
    item, title, start = (0, 2, 0) if netflix else _columns(rows)
    if not netflix:
        _refuse_ratings(rows, item, title, start, source.name)
    header = tuple(rows[0]) if start else NETFLIX if netflix else published_header(rows, separator)
    return ItemTable(source.name, tuple(map(str.strip, header)), rows[start:], item, title)


def rows_of_text(
    source: Source, sep: str | None, encoding: str | None, needs: str
) -> tuple[list[list[str]], str, bool]:
    """Divide a text file into rows and fields.

    Parameters
    ----------
    source : Source
    sep, encoding
        As for `read_titles`.
    needs : str
        What a table needs, for the message about a file of one column.

    Returns
    -------
    rows : list of list of str
        Those with at least two fields, a header among them.
    separator : str
    is_netflix : bool
        Whether it is Netflix' file of titles, whose third field has commas of its own.
    """
    check_separator(separator_of(sep))
    check_encoding(encoding or "utf-8")
    head = sample.sample_lines(source.head(sample.SAMPLE_BYTES), source.name, encoding or "utf-8")
    numbered = [preamble.Line(at, line) for at, line in enumerate(head, 1) if line.strip()]
    if not numbered:
        raise RatingsError(f"{source.name}: this file is empty")
    preamble.refuse_drawing(numbered, source.name)
    table = preamble.table(numbered, separator_of(sep))
    first = [line.text for line in table.lines]
    netflix = sep is None and all(re.match(r"\d+,(\d{4}|NULL),", line) for line in first)
    separator = "," if netflix else separator_of(sep) or table.separator or _separator(first)
    if separator is None:
        raise RatingsError(
            f"{source.name}: {needs}; the first line is\n"
            f"  {sample.shortened(first[0])}\nGive what separates them with {argument('sep')}"
        )
    lines = _decoded(source, encoding).split("\n")[table.lines[0].number - 1 :]
    rows = [line.split(",", 2) for line in lines] if netflix else _rows(lines, separator)
    return [row for row in rows if len(row) > 1], separator, netflix


def published_header(rows: list[list[str]], separator: str) -> tuple[str, ...]:
    """Names of the columns of a file without header, if its layout is a published one."""
    n_columns = len(rows[0])
    if separator == "::" and n_columns == len(MOVIELENS_1M):
        return MOVIELENS_1M
    if separator == "|" and n_columns == len(MOVIELENS_100K):
        return MOVIELENS_100K
    return ()


def _separator(lines: list[str]) -> str | None:
    # Titles are full of blanks, so they separate only where nothing else does.
    others = [each for each in sample.SEPARATORS if each != " "]
    return sample.detect_separator(lines, 2, others) or sample.detect_separator(lines, 2, " ")


def _decoded(source: Source, encoding: str | None) -> str:
    raw = b"".join(whole_lines(blocks(source, encoding or "utf-8")))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if encoding is None:
            return raw.decode("latin-1")
        raise RatingsError(
            f"{source.name} is not {encoding} text; leave {argument('encoding')} out, or try "
            "latin-1"
        ) from None


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    if separator == " ":
        return [line.split(None, 1) for line in lines]
    # MovieLens does not quote in `u.item` and `movies.dat`: a quote there is part of a title.
    if separator == "|" or not sample.is_quoting(separator):
        return [line.split(separator) for line in lines]
    n_separators = length_of_record(lines, separator, '"')[1]
    rows, at = [], 0
    while at < len(lines):
        n_lines = 1
        if '"' in lines[at]:
            following = lines[at : at + MAX_QUOTED_LINES + 1]
            n_lines = length_of_record(following, separator, '"')[0]
            are_rows = [line.count(separator) == n_separators for line in following[:n_lines]]
            if (
                not are_rows
                or any(are_rows[1:-1])
                or (n_lines > 1 and are_rows[0] and are_rows[-1])
            ):
                # The quote is stray: it spoils no line but its own.
                rows.append([field.strip('"') for field in lines[at].split(separator)])
                at += 1
                continue
        rows.append(sample.split(" ".join(lines[at : at + n_lines]), separator))
        at += n_lines
    return rows


def _refuse_ratings(rows: list[list[str]], item: int, title: int, start: int, name: str) -> None:
    """Raise an error for a file of ratings, whose users or ratings would be taken for titles."""
    header = rows[0] if start else []
    taken = [(row[item], row[title]) for row in rows[start:] if len(row) > max(item, title)]
    numbers = all(re.fullmatch(r"\s*[+-]?\d+(\.\d+)?\s*", text) for _, text in taken)
    if names.recognized(header, "rating"):
        users = title in names.recognized(header, "user")
        are_ratings = users or (numbers and title in names.recognized(header, "rating"))
    else:  # without a header: numbers for titles, and several for an item
        are_ratings = not header and numbers and len({label for label, _ in taken}) < len(taken)
    if are_ratings:
        raise RatingsError(
            f"{name}: these are ratings, not titles; the first row is\n"
            f"  {sample.shortened(', '.join(rows[0]))}\nGive a file with the items and their titles"
        )


def _columns(rows: list[list[str]]) -> tuple[int, int, int]:
    """Positions of item and title, and the first row below a header."""
    first = rows[0]
    items, titles = names.recognized(first, "item"), names.recognized(first, "title")
    if items or titles:
        item = items[0] if items else 0
        if not titles or titles[0] == item:
            return item, 1 if item == 0 else 0, 1
        return item, titles[0], 1
    kinds = Counter(bool(re.fullmatch(CANONICAL_INTEGER, row[0].strip())) for row in rows[1:])
    has_header = (
        not re.fullmatch(CANONICAL_INTEGER, first[0].strip()) and kinds[True] > kinds[False]
    )
    return 0, 1, int(has_header)
