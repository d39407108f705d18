"""Lines that stand above the table in a text file: comments, titles, Excel's line, drawings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from funksvd.errors import RatingsError
from funksvd.ratings.io.sample import COMMA_NUMBER, NUMBER, detect_separator, shortened, split

EXCEL = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
RULE = frozenset("-+|:= \t")
"""Characters of the lines that separate rows or columns in a drawn table."""
N_SHOWN = 3


class Line(NamedTuple):
    """A line that is not blank, and its 1-based number."""

    number: int
    text: str


class Table(NamedTuple):
    """The table of a text file.

    Parameters
    ----------
    lines : list of Line
        The first ones.
    above : list of str
        Lines before them that are left out.
    separator : str, optional
        What Excel's line, `sep=;`, names.
    """

    lines: list[Line]
    above: list[str]
    separator: str | None


def table(lines: Sequence[Line], separator: str | None = None) -> Table:
    """The table below Excel's line and comments, which begin with `#`.

    Parameters
    ----------
    lines : sequence of Line
    separator : str, optional
        What separates the columns, if it is given.
    """
    excel = EXCEL.fullmatch(lines[0].text)
    start = 1 if excel else 0
    usual = next((line.text for line in lines[start:] if not _is_marked(line.text)), None)
    if usual is None:  # no table would be left
        return Table(list(lines), [], None)
    while _is_marked(lines[start].text) and not _is_row(lines[start].text, usual, separator):
        start += 1
    above = [line.text for line in lines[:start]]
    return Table(list(lines[start:]), above, excel[1] if excel else None)


def _is_marked(text: str) -> bool:
    return text.lstrip().startswith("#")


def _is_row(text: str, usual: str, given: str | None) -> bool:
    """Whether a line whose first id begins with `#` makes a row, or begins one."""
    separator = given or detect_separator([usual], 2)
    if separator is None or (separator == " " and re.match(r"\s*#+\s", text)):
        return False
    if separator in text and text.count('"') % 2:  # a quoted field goes on in the next line
        return True
    fields = split(text, separator)
    return len(fields) == len(split(usual, separator)) > 1 and any(
        re.fullmatch(f"{NUMBER}|{COMMA_NUMBER}", field) for field in fields
    )


def refuse_drawing(lines: Sequence[Line], name: str) -> None:
    """Raise an error for a table that a database shell has drawn, with rules between lines."""
    rule = next((line for line in lines[:2] if "--" in line.text and set(line.text) <= RULE), None)
    if rule is not None:
        raise RatingsError(
            f"{name}, line {rule.number}: this table is drawn for people: "
            f"{shortened(rule.text, 40)}\nExport it as text with separators, for instance with "
            "mysql --batch, psql --csv or sqlite3 -csv"
        )


def refuse_above(found: Table, rows: Sequence[list[str]], least: int, name: str) -> None:
    """Raise an error if the first line is text with too few fields, but most others have enough.

    Parameters
    ----------
    found : Table
    rows : sequence of list of str
        Fields of each record.
    least : int
        Least number of fields that a row needs.
    name : str
        Of the file.
    """
    usual = Counter(map(len, rows)).most_common(1)[0][0]
    is_text = not any(re.fullmatch(NUMBER, field) for field in rows[0])
    if is_text and len(rows[0]) < least <= usual:
        first = found.lines[0]
        raise RatingsError(
            f"{name}, line {first.number}: this line is not part of the table, whose lines have "
            f"{usual} columns: {shortened(first.text)}\nRemove it, or put # before it"
        )


def described(above: Sequence[str]) -> str:
    """The end of a layout's description, for lines that are left out."""
    if not above:
        return ""
    shown = ", ".join(repr(shortened(text, 40)) for text in above[:N_SHOWN])
    more = f" and {len(above) - N_SHOWN:,} more lines" if len(above) > N_SHOWN else ""
    return f"; left out above it: {shown}{more}"
