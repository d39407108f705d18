"""The layout of a text file, detected from its first lines: separator, header, columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import headers, names, preamble
from funksvd.ratings.io.files import Source
from funksvd.ratings.io.names import MissingColumnsError, Roles
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.preamble import Line
from funksvd.ratings.io.sample import (
    COMMA_NUMBER,
    SAMPLE_BYTES,
    SEPARATORS,
    THOUSANDS,
    detect_separator,
    is_quoting,
    joined_at_quotes,
    sample_lines,
    shortened,
    split,
)
from funksvd.ratings.vocabulary import CANONICAL_INTEGER

NEEDS = "Ratings need 'matrix coordinate real general'"
"""Remedy of a Matrix Market file of another kind."""
FRACTIONS = ("rating", "count")
"""Roles whose numbers may have decimals; a layout has one of them at most."""


@dataclass(frozen=True)
class Layout:
    """Separator, columns and header of a text file.

    Parameters
    ----------
    separator : str
        " " stands for any run of blanks.
    n_columns : int
    columns : dict of str to int
        0-based position of each role's column.
    description : str
        One line about the layout for people, without the file's name.
    skip_lines : int
        Lines before the first row, the header included.
    netflix : bool
        Lines like `123:` name the movie of the rows that follow.
    n_declared : int, optional
        Number of rows that the file says it has.
    integers : frozenset of str
        Roles whose fields in the sample are all integers; none of `FRACTIONS`.
    decimal : str
        Character before the decimals of ratings or counts, "." or ",".
    first_line : int
        Line of the first row, where no header was recognized; otherwise 0.
    """

    separator: str
    n_columns: int
    columns: dict[str, int]
    description: str = ""
    skip_lines: int = 0
    netflix: bool = False
    n_declared: int | None = None
    integers: frozenset[str] = field(default=frozenset(), compare=False)
    decimal: str = "."
    first_line: int = 0

    @property
    def delimiter(self) -> str:
        """The single byte that separates the columns when Arrow reads them."""
        return self.separator if len(self.separator.encode()) == 1 else "\x1f"

    @property
    def quoting(self) -> bool:
        """True if a field in double quotes may hold the separator."""
        return is_quoting(self.separator)


def detect(source: Source, roles: Roles, options: ReadOptions) -> Layout:
    """Detect the layout of a text file from its first lines.

    Parameters
    ----------
    source : Source
    roles : Roles
    options : ReadOptions
        Settings to use instead of detection.

    Raises
    ------
    RatingsError
        If the file is empty or not text, or its columns are not understood.
    """
    required = roles.required
    head = source.head(SAMPLE_BYTES)
    lines = sample_lines(head, source.name, options.encoding)
    numbered = [Line(number, text) for number, text in enumerate(lines, 1) if text.strip()]
    if not numbered:
        raise RatingsError(f"{source.name}: this file is empty")
    first = numbered[0].text
    if first.startswith("%%MatrixMarket"):
        return _matrix_market(numbered, roles, options, source.name)
    if re.fullmatch(r"\s*\d+\s*:\s*", first):
        return _netflix([line.text for line in numbered], roles, options, source.name)
    preamble.refuse_drawing(numbered, source.name)
    table = preamble.table(numbered, options.separator)
    if table.separator is not None and options.sep is None:
        options = replace(options, sep=table.separator)
    sample = [line.text for line in table.lines]
    separator = _separator(sample, required, options, source.name)
    records = joined_at_quotes(sample, separator)
    rows = [split(record.text, separator) for record in records]
    start = headers.first_row(rows, required, options)
    preamble.refuse_above(table, rows[start:], len(required), source.name)
    header = headers.in_comment(table.above, rows[start], separator, required, options)
    below = start
    if header is None and headers.is_header(rows[start:], required, options, source.name):
        header, below = rows[start], start + 1
    n_lines = sum(record.n_lines for record in records[:below])
    above = [*table.above, *(record.text for record in records[:start])]
    n_columns = len(header) if header else Counter(map(len, rows[below:])).most_common(1)[0][0]
    try:
        columns = names.assign(header, n_columns, roles, options, source.name)
    except MissingColumnsError as error:
        error.unclear = tuple(headers.unclear(header or [], rows[below:]))
        raise
    if header is None:
        headers.refuse_unnamed(rows[below:], n_columns, required, options, source.name)
    rows = rows[below:]
    decimal = options.decimal or ("." if separator == "," else _decimal(rows, columns))
    kind = SEPARATORS.get(separator, f"{separator!r}-separated")
    if len(header or rows[0]) == 1:
        kind = "one column"
    described = [kind, _columns_described(header, columns)]
    if decimal == ",":
        described.append("decimal comma")
    return Layout(
        separator,
        n_columns,
        columns,
        ", ".join(described) + preamble.described(above),
        skip_lines=table.lines[n_lines - 1].number if n_lines else table.lines[0].number - 1,
        integers=_integers(rows, columns),
        decimal=decimal,
        first_line=0 if header else table.lines[n_lines].number,
    )


def _separator(
    sample: Sequence[str], required: Sequence[str], options: ReadOptions, name: str
) -> str:
    least = len(required)
    given = options.separator
    if given is None and least == 1:  # a blank may be part of an id that has a line of its own
        return detect_separator(sample, 2, [each for each in SEPARATORS if each != " "]) or ","
    detected = detect_separator(sample, max(least, 2))
    if given is None and detected is not None:
        return detected
    if given is None:
        raise MissingColumnsError(
            f"{name}: too few columns: no usual separator gives at least {least} columns "
            f"({', '.join(required)}); the first line is\n  {shortened(sample[0])}\n"
            f"If the columns are separated by something unusual, give it with {argument('sep')}",
            required[2:],
        )
    counts = Counter(len(split(record.text, given)) for record in joined_at_quotes(sample, given))
    if counts.most_common(1)[0][0] < least:
        shown = SEPARATORS.get(given, f"{given!r}-separated")
        columns = "a single column" if counts.most_common(1)[0][0] == 1 else "too few columns"
        remedy = f"give another {argument('sep')}"
        if detected is not None:
            remedy = f"it looks {SEPARATORS[detected]}: leave {argument('sep')} out"
        raise MissingColumnsError(
            f"{name}: read as {shown} ({argument('sep')}), it has {columns}; the first line is\n"
            f"  {shortened(sample[0])}\nInstead, {remedy}",
            required[2:],
        )
    return given


def _columns_described(header: Sequence[str] | None, columns: dict[str, int]) -> str:
    if header is None:
        positions = " ".join(str(position + 1) for position in columns.values())
        return f"no header, columns {positions} as {' '.join(columns)}"
    chosen = [header[position] or f"(column {position + 1})" for position in columns.values()]
    between = ", " if any(" " in name for name in chosen) else " "
    return f"header, columns {between.join(chosen)}"


def _integers(rows: list[list[str]], columns: dict[str, int]) -> frozenset[str]:
    return frozenset(
        role
        for role, at in columns.items()
        if role not in FRACTIONS
        and all(re.fullmatch(CANONICAL_INTEGER, row[at]) for row in rows if len(row) > at)
    )


def _decimal(rows: list[list[str]], columns: dict[str, int]) -> str:
    """The character before the decimals of ratings; a comma only if nothing else is meant by it."""
    at = next((columns[role] for role in FRACTIONS if role in columns), None)
    if at is None:
        return "."
    fields = [row[at] for row in rows if len(row) > at]
    commas = [each for each in fields if "," in each and re.fullmatch(COMMA_NUMBER, each)]
    are_thousands = all(re.fullmatch(THOUSANDS, each) for each in commas)
    return "." if are_thousands or any("." in each for each in fields) else ","


def _netflix(sample: list[str], roles: Roles, options: ReadOptions, name: str) -> Layout:
    if options.separator not in (None, ",") or any(
        options.column(role) is not None for role in ("user", "item", "rating")
    ):
        raise RatingsError(
            f"{name}: lines like 123: make this a file in the Netflix Prize layout, whose "
            f"columns are fixed; leave {argument('sep')} and the options for columns out"
        )
    data = [split(line, ",") for line in sample if not re.fullmatch(r"\s*\d+\s*:\s*", line)]
    n_columns = Counter(len(row) for row in data).most_common(1)[0][0] if data else 3
    columns = {"user": 0}
    if "rating" in roles.required:
        columns["rating"] = 1
    if "timestamp" in roles.optional and n_columns > 2 and not options.ignores("timestamp"):
        columns["timestamp"] = 2
    if n_columns < len(set(columns) - {"timestamp"}):
        raise RatingsError(
            f"{name}: no ratings after the customers; the rows must be customer,rating,date"
        )
    described = " ".join({"user": "customer", "timestamp": "date"}.get(c, c) for c in columns)
    return Layout(
        ",",
        n_columns,
        columns,
        f"Netflix Prize layout, columns {described}",
        netflix=True,
        integers=_integers(data, columns),
    )


def _matrix_market(numbered: list[Line], roles: Roles, options: ReadOptions, name: str) -> Layout:
    required = roles.required
    banner = numbered[0].text.lower().split()
    if len(banner) != 5:
        raise RatingsError(f"{name}, line 1: this Matrix Market banner is not complete")
    _, _, form, kind, symmetry = banner
    wrong = None
    if form != "coordinate":
        wrong = "a dense array, in which no rating is missing"
    elif kind == "pattern" and "rating" in required:
        raise MissingColumnsError(
            f"{name}: this Matrix Market file is a pattern without values. {NEEDS}", ["rating"]
        )
    elif kind not in ("real", "integer", "double", "pattern"):
        wrong = f"of {kind} numbers"
    elif symmetry != "general":
        wrong = f"{symmetry}: users and items would be the same"
    if wrong:
        raise RatingsError(f"{name}: this Matrix Market file is {wrong}. {NEEDS}")
    size_at = next((at for at, (_, line) in enumerate(numbered) if not line.startswith("%")), None)
    if size_at is None:
        raise RatingsError(f"{name}: this Matrix Market file ends before its size line")
    size = numbered[size_at].text.split()
    if len(size) != 3 or not all(number.isdecimal() for number in size):
        raise RatingsError(
            f"{name}, line {numbered[size_at].number}: this must be the number of rows, columns "
            f"and entries, but is {shortened(numbered[size_at].text)!r}"
        )
    n_columns = 2 if kind == "pattern" else 3
    columns = {role: at for at, role in enumerate(names.RATINGS.required) if role in required}
    if options.names("count") and "count" in roles.optional:
        columns["count"] = 2
    for role in columns:
        if (option := options.column(role)) is not None:
            columns[role] = names.by_option(option, None, n_columns, role, name)
    return Layout(
        " ",
        n_columns,
        columns,
        "Matrix Market, rows as users and columns as items, numbered from 1",
        skip_lines=numbered[size_at].number,
        n_declared=int(size[2]),
        integers=frozenset(columns) - set(FRACTIONS),
    )
