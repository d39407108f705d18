"""The layout of a text file, detected from its first lines: separator, header, columns."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import names
from funksvd.ratings.io.files import Source
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.vocabulary import CANONICAL_INTEGER

SAMPLE_BYTES = 1 << 16
SAMPLE_LINES = 50
SEPARATORS = {
    "::": "::-separated",
    "\t\t": "double-tab-separated",
    "\t": "tab-separated",
    ",": "comma-separated",
    ";": "semicolon-separated",
    "|": "pipe-separated",
    " ": "space-separated",
}
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NOT_A_NAME = re.compile(
    rf"{NUMBER}|[+-]?[0-9]+,[0-9]+|nan|[+-]?inf(?:inity)?|null|none|na|", re.IGNORECASE
)


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
        Roles whose fields in the sample are all integers; never "rating".
    """

    separator: str
    n_columns: int
    columns: dict[str, int]
    description: str = ""
    skip_lines: int = 0
    netflix: bool = False
    n_declared: int | None = None
    integers: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def delimiter(self) -> str:
        """The single character that separates the columns when Arrow reads them."""
        return self.separator if len(self.separator) == 1 else "\x1f"

    @property
    def quoting(self) -> bool:
        """True if a field in double quotes may hold the separator."""
        return is_quoting(self.separator)


def is_quoting(separator: str) -> bool:
    return len(separator) == 1 and separator != " "


def detect(source: Source, required: Sequence[str], options: ReadOptions) -> Layout:
    """Detect the layout of a text file from its first lines.

    Parameters
    ----------
    source : Source
    required : sequence of str
        The roles that need a column.
    options : ReadOptions
        Settings to use instead of detection.

    Raises
    ------
    RatingsError
        If the file is empty or not text, or its columns are not understood.
    """
    head = source.head(SAMPLE_BYTES)
    lines = sample_lines(head, source.name, options.encoding)
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise RatingsError(f"{source.name}: this file is empty")
    first = numbered[0][1]
    if first.startswith("%%MatrixMarket"):
        return _matrix_market(numbered, required, options, source.name)
    if re.fullmatch(r"\s*\d+\s*:\s*", first):
        return _netflix([line for _, line in numbered], required, options, source.name)
    sample = [line for _, line in numbered]
    if detect_separator(sample, len(required)) is None:
        sample = _joined_at_quotes(sample)
    separator = _separator(sample, required, options, source.name)
    rows = [split(line, separator) for line in sample]
    has_header = _has_header(rows, required, options, source.name)
    header = rows[0] if has_header else None
    n_columns = len(header) if header else Counter(len(row) for row in rows).most_common(1)[0][0]
    columns = names.assign(header, n_columns, required, options, source.name)
    kind = SEPARATORS.get(separator, f"{separator!r}-separated")
    if len(rows[0]) == 1:
        kind = "one column"
    return Layout(
        separator,
        n_columns,
        columns,
        f"{kind}, {_columns_described(header, columns)}",
        skip_lines=numbered[0][0] if header else 0,
        integers=_integers(rows[1:] if header else rows, columns),
    )


def sample_lines(head: bytes, name: str, encoding: str) -> list[str]:
    """The first lines of a text, complete ones only.

    Raises
    ------
    RatingsError
        If this is not text in that encoding.
    """
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    if not wide and head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RatingsError(
            f"{name}: this is UTF-16 text; read it with {argument('encoding', 'utf-16')}"
        )
    if head[257:262] == b"ustar":
        raise RatingsError(f"{name}: this is a tar archive; unpack it and name the file itself")
    if not wide and b"\0" in head:
        raise RatingsError(
            f"{name}: this is a binary file, not text. Ratings can be CSV and the like (plain, "
            "gzip, bzip2, xz, zstd or zip), Parquet, Feather or Matrix Market"
        )
    text = head.removeprefix(codecs.BOM_UTF8).decode(encoding, errors="replace")
    lines = re.split(r"\r\n|\r|\n", text.lstrip("\ufeff"))
    if len(head) == SAMPLE_BYTES:
        if len(lines) == 1:
            raise RatingsError(
                f"{name}: the first line is longer than {SAMPLE_BYTES:,} characters; "
                "this is not a table of ratings"
            )
        lines.pop()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith(("{", "[", "<")):
        kind = "an XML or HTML document" if first.lstrip().startswith("<") else "JSON"
        raise RatingsError(f"{name}: this looks like {kind}; convert it to CSV first")
    return lines[:SAMPLE_LINES]


def split(line: str, separator: str) -> list[str]:
    """The fields of a line, without blanks around them."""
    if separator == " ":
        return line.split()
    if not is_quoting(separator):
        return [part.strip() for part in line.split(separator)]
    try:
        row = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        row = line.split(separator)
    return [part.strip() for part in row]


def detect_separator(
    sample: Sequence[str], least: int, candidates: Sequence[str] = tuple(SEPARATORS)
) -> str | None:
    """The separator that splits the lines most consistently into at least `least` columns."""
    best, best_key = None, (0.0, 0)
    for separator in candidates:
        if separator == "\t\t" and any("\t" in line.replace("\t\t", "") for line in sample):
            continue  # there are columns without a value
        counts = Counter(len(split(line, separator)) for line in sample)
        n_columns, n_lines = counts.most_common(1)[0]
        key = (round(n_lines / len(sample), 2), min(n_columns, 3))
        if n_columns >= least and key > best_key:
            best, best_key = separator, key
    return best


def _joined_at_quotes(sample: Sequence[str]) -> list[str]:
    """The lines as records, where a quoted field goes on in the next line."""
    joined: list[str] = []
    for line in sample:
        if joined and joined[-1].count('"') % 2:
            joined[-1] += " " + line
        else:
            joined.append(line)
    return joined


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
        raise names.MissingColumnsError(
            f"{name}: too few columns: no usual separator gives at least {least} columns "
            f"({', '.join(required)}); the first line is\n  {shortened(sample[0])}\n"
            f"If the columns are separated by something unusual, give it with {argument('sep')}"
        )
    counts = Counter(len(split(line, given)) for line in sample)
    if counts.most_common(1)[0][0] < least:
        shown = SEPARATORS.get(given, f"{given!r}-separated")
        columns = "a single column" if counts.most_common(1)[0][0] == 1 else "too few columns"
        remedy = f"give another {argument('sep')}"
        if detected is not None:
            remedy = f"it looks {SEPARATORS[detected]}: leave {argument('sep')} out"
        raise names.MissingColumnsError(
            f"{name}: read as {shown} ({argument('sep')}), it has {columns}; the first line is\n"
            f"  {shortened(sample[0])}\nInstead, {remedy}"
        )
    return given


def _has_header(
    rows: list[list[str]], required: Sequence[str], options: ReadOptions, name: str
) -> bool:
    first = rows[0]
    plain = [names.normalized(field) for field in first]
    for role in required:
        option = options.column(role)
        if isinstance(option, str) and names.normalized(option) in plain and not option.isdecimal():
            return True
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
        return known[-1] or not any(re.fullmatch(NUMBER, field) for field in first)
    if any(known) or any(re.fullmatch(NUMBER, field) for field in first):
        return any(known)
    others = [field for row in rows[1:] for field in row[: len(required)]]
    return bool(others) and all(re.fullmatch(NUMBER, field) for field in others)


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
        if role != "rating"
        and all(re.fullmatch(CANONICAL_INTEGER, row[at]) for row in rows if len(row) > at)
    )


def _netflix(sample: list[str], required: Sequence[str], options: ReadOptions, name: str) -> Layout:
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
    if "rating" in required:
        columns["rating"] = 1
        if n_columns > 2 and not options.ignores_timestamps:
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


def _matrix_market(
    numbered: list[tuple[int, str]], required: Sequence[str], options: ReadOptions, name: str
) -> Layout:
    banner = numbered[0][1].lower().split()
    if len(banner) != 5:
        raise RatingsError(f"{name}, line 1: this Matrix Market banner is not complete")
    _, _, form, kind, symmetry = banner
    wrong = None
    if form != "coordinate":
        wrong = "a dense array, in which no rating is missing"
    elif kind == "pattern" and "rating" in required:
        wrong = "a pattern without values"
    elif kind not in ("real", "integer", "double", "pattern"):
        wrong = f"of {kind} numbers"
    elif symmetry != "general":
        wrong = f"{symmetry}: users and items would be the same"
    if wrong:
        raise RatingsError(
            f"{name}: this Matrix Market file is {wrong}. Ratings need "
            "'matrix coordinate real general'"
        )
    size_at = next((at for at, (_, line) in enumerate(numbered) if not line.startswith("%")), None)
    if size_at is None:
        raise RatingsError(f"{name}: this Matrix Market file ends before its size line")
    size = numbered[size_at][1].split()
    if len(size) != 3 or not all(number.isdecimal() for number in size):
        raise RatingsError(
            f"{name}, line {numbered[size_at][0]}: this must be the number of rows, columns and "
            f"entries, but is {shortened(numbered[size_at][1])!r}"
        )
    n_columns = 2 if kind == "pattern" else 3
    roles = [role for role in ("user", "item", "rating") if role in required]
    columns = {role: ("user", "item", "rating").index(role) for role in roles}
    for role in roles:
        if (option := options.column(role)) is not None:
            columns[role] = names.by_option(option, None, n_columns, role, name)
    return Layout(
        " ",
        n_columns,
        columns,
        "Matrix Market, rows as users and columns as items, numbered from 1",
        skip_lines=numbered[size_at][0],
        n_declared=int(size[2]),
        integers=frozenset(columns) - {"rating"},
    )


def shortened(text: str, length: int = 80) -> str:
    """Text cut to a length, for a message."""
    return text if len(text) <= length else text[: length - 1] + "…"
