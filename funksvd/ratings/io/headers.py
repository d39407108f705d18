"""Whether a text file has a header, and files that cannot be told without one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import names
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.sample import COMMA_NUMBER, NUMBER, shortened, split

NOT_A_NAME = re.compile(
    rf"{NUMBER}|{COMMA_NUMBER}|nan|[+-]?inf(?:inity)?|null|none|na|", re.IGNORECASE
)
FEWEST_UNCLEAR = 5
"""Least number of columns of which, without a header, it is not clear what they hold."""
FEWEST_OF_MATRIX = 4
"""Least number of columns of a matrix whose items are numbers: one for the users, three items."""


def first_row(rows: list[list[str]], required: Sequence[str], options: ReadOptions) -> int:
    """Position of the table's first row, which is 0 unless a header names all that is required.

    Rows above such a header must not have as many fields: they are no part of the table then.
    """
    if len(required) > 1:
        for at, row in enumerate(rows):
            if all(_names(row, role, options) for role in required):
                return at if all(len(above) != len(row) for above in rows[:at]) else 0
    return 0


def in_comment(
    above: Sequence[str],
    first: list[str],
    separator: str,
    required: Sequence[str],
    options: ReadOptions,
) -> list[str] | None:
    """The header, if the comment before the first row is one."""
    if not above or not above[-1].lstrip().startswith("#"):
        return None
    header = split(above[-1].lstrip().lstrip("#"), separator)
    fits = len(header) == len(first) and all(_names(header, role, options) for role in required)
    return header if fits and not _numberless(first) else None


def is_header(
    rows: list[list[str]], required: Sequence[str], options: ReadOptions, name: str
) -> bool:
    """True if the first row is a header.

    Raises
    ------
    RatingsError
        If it is the header of a matrix of users and items.
    """
    first = rows[0]
    if any(_is_chosen(first, role, options) for role in required):
        return True
    _refuse_matrix(rows, required, options, name)
    known = [bool(names.recognized(first, role)) for role in required]
    if all(known):
        return True
    if "rating" in required:
        position = list(required).index("rating")
        option = options.rating_col
        if isinstance(option, int) or (option is not None and option.isdecimal()):
            position = int(option) - 1
        if 0 <= position < len(first) and NOT_A_NAME.fullmatch(first[position]):
            return False
        return known[-1] or _numberless(first)
    if any(known) or not _numberless(first):
        return any(known)
    others = [field for row in rows[1:] for field in row[: len(required)]]
    return bool(others) and all(map(_is_number, others))


def unclear(header: Sequence[str], rows: list[list[str]]) -> list[str]:
    """Names of columns of numbers or truths that may be ratings under a name that is not known."""
    found = []
    for at, name in enumerate(header):
        fields = [row[at] for row in rows if len(row) > at and row[at]]
        if fields and names.may_be_rating(name) and all(map(_is_value, fields)):
            found.append(name)
    return found


def refuse_unnamed(
    rows: list[list[str]],
    n_columns: int,
    required: Sequence[str],
    options: ReadOptions,
    name: str,
) -> None:
    """Raise an error for a file without header that has many columns, unless they are named."""
    n_filled = len({at for row in rows for at, field in enumerate(row[:n_columns]) if field})
    if n_filled < FEWEST_UNCLEAR or len(required) == 1 or _all_given(required, options):
        return
    counts = [row[0] for row in rows]
    first = int(counts[0] == "1")
    numbers = counts == [str(number) for number in range(first, first + len(counts))]
    remark = " Column 1 seems to number the rows." if numbers and len(counts) > 1 else ""
    raise RatingsError(
        f"{name}: there are {n_columns} columns and no header, so it is not clear which of them "
        f"hold {_listed(required)}. The first line is\n  {shortened(', '.join(rows[0]))}\n"
        f"Say it by position, from 1, with {_options_for(required)}.{remark} {names.FROM_MATRIX}"
    )


def _refuse_matrix(
    rows: list[list[str]], required: Sequence[str], options: ReadOptions, name: str
) -> None:
    """Raise an error for a matrix: a user, then a rating for each item, in every row."""
    first, others = rows[0], [row for row in rows[1:] if row]
    if len(required) == 1 or len(first) < FEWEST_OF_MATRIX or not others:
        return
    if _all_given(required, options):
        return
    corner, items = first[0], first[1:]
    if any(names.recognized(items, role) for role in ("user", "item", "rating")):
        return
    named = not corner or any(
        names.recognized([corner], role) for role in ("user", "item", "title")
    )
    above_numbers = not _is_number(corner) and all(_is_number(row[0]) for row in others)
    cells_are_numbers = all(NOT_A_NAME.fullmatch(field) for row in others for field in row[1:])
    numbered = all(map(_is_number, items)) or len(first) >= names.FEWEST_OF_MATRIX
    if not (named or above_numbers) or not numbered or not cells_are_numbers:
        return
    if len(set(items)) < len(items):
        return
    raise RatingsError(
        f"{name}: this looks like a matrix, with a row for each user and a column for each item: "
        f"it has {len(first)} columns, and none is called item or rating. The first line is\n"
        f"  {shortened(', '.join(first))}\n"
        f"{names.FROM_MATRIX}. If it is none, say which columns hold {_listed(required)} with "
        f"{_options_for(required)}"
    )


def _names(row: list[str], role: str, options: ReadOptions) -> bool:
    """Whether a row has a name for a role."""
    return bool(names.recognized(row, role)) or _is_chosen(row, role, options)


def _is_chosen(row: list[str], role: str, options: ReadOptions) -> bool:
    """Whether a row has the name that is given for a role's column."""
    option = options.column(role)
    return (
        isinstance(option, str)
        and not option.isdecimal()
        and names.normalized(option) in map(names.normalized, row)
    )


def _all_given(required: Sequence[str], options: ReadOptions) -> bool:
    return all(options.column(role) is not None for role in required)


def _numberless(row: list[str]) -> bool:
    return not any(map(_is_number, row))


def _is_number(text: str) -> bool:
    return re.fullmatch(NUMBER, text) is not None


def _is_value(text: str) -> bool:
    """Whether a field is a number, or true or false."""
    is_truth = text.lower() in ("true", "false", "yes", "no")
    return is_truth or _is_number(text) or re.fullmatch(COMMA_NUMBER, text) is not None


def _listed(required: Sequence[str]) -> str:
    return f"{', '.join(required[:-1])} and {required[-1]}"


def _options_for(required: Sequence[str]) -> str:
    options = [argument(f"{role}_col") for role in required]
    return f"{', '.join(options[:-1])} and {options[-1]}"
