"""Double quotes round fields, which may hold separators and go on over several lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import AnyStr, NamedTuple

MAX_QUOTED_LINES = 100
"""Largest number of lines that a quoted field goes on in after its first one."""


class Scan(NamedTuple):
    """What was found in a line.

    Parameters
    ----------
    n_separators : int
        Separators between fields; those inside quotes do not count.
    is_open : bool
        Whether a quoted field is not closed in this line.
    is_proper : bool
        Whether the field that was open before was closed where a field may end, or not at all.
    """

    n_separators: int
    is_open: bool
    is_proper: bool = True


def scan(line: AnyStr, separator: AnyStr, quote: AnyStr, *, is_open: bool = False) -> Scan:
    """Count the fields of a line, as Arrow's CSV reader does.

    Parameters
    ----------
    line, separator, quote : str or bytes
    is_open : bool
        Whether the line begins inside a quoted field.
    """
    n_separators, position, is_proper = 0, 0, True
    while True:
        if is_open or line[position : position + 1] == quote:
            position += not is_open
            while True:
                position = line.find(quote, position) + 1
                if position == 0:
                    return Scan(n_separators, True, is_proper)
                if line[position : position + 1] != quote:
                    break
                position += 1
            if is_open:
                ends = position == len(line) or line.startswith(separator, position)
                is_open, is_proper = False, ends
        position = line.find(separator, position) + len(separator)
        if position < len(separator):
            return Scan(n_separators, False, is_proper)
        n_separators += 1


def length_of_record(lines: Iterable[AnyStr], separator: AnyStr, quote: AnyStr) -> tuple[int, int]:
    """Number of lines that a record takes, and of its separators.

    Parameters
    ----------
    lines : iterable of str or bytes
        The record's first line, and lines after it as long as they may belong to it.
    separator, quote : str or bytes

    Returns
    -------
    n_lines, n_separators : int
        0 lines if a quoted field is closed nowhere, or in the middle of a later line.
    """
    n_separators, is_open = 0, False
    for n_before, line in enumerate(lines):
        found = scan(line, separator, quote, is_open=is_open)
        n_separators, is_open = n_separators + found.n_separators, found.is_open
        if not found.is_proper:
            break
        if not is_open:
            return n_before + 1, n_separators
        if n_before == MAX_QUOTED_LINES:
            break
    return 0, 0
