"""The first lines of a text file, and how they fall into fields."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io.quotes import length_of_record

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
NO_BREAK_SPACE = "\u00a0"
"""A blank that web pages and spreadsheets put in the place of the usual one."""
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
COMMA_NUMBER = NUMBER.replace(r"\.", ",")
THOUSANDS = r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+"
"""A number that a comma may divide into thousands, or into a whole and decimals."""
MARKED = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
"""Encodings whose text begins with one of these byte order marks."""


class Record(NamedTuple):
    """A line, or several that a quoted field goes on over, joined by blanks."""

    text: str
    n_lines: int = 1


def is_quoting(separator: str) -> bool:
    return len(separator.encode()) == 1 and separator != " "


def sample_lines(head: bytes, name: str, encoding: str) -> list[str]:
    """The first lines of a text, complete ones only.

    Raises
    ------
    RatingsError
        If this is not text in that encoding.
    """
    codec = codecs.lookup(encoding).name
    _require_text(head, name, codec)
    text = head.removeprefix(codecs.BOM_UTF8).decode(encoding, errors="replace")
    lines = re.split(r"(?:\r\n|\r|\n)\ufeff*", text.lstrip("\ufeff"))
    if len(head) == SAMPLE_BYTES:
        if len(lines) == 1:
            raise RatingsError(
                f"{name}: the first line is longer than {SAMPLE_BYTES:,} characters; this is not "
                "a table with a row for each rating"
            )
        lines.pop()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith(("{", "[", "<")):
        kind = "an XML or HTML document" if first.lstrip().startswith("<") else "JSON"
        raise RatingsError(f"{name}: this looks like {kind}; convert it to CSV first")
    return lines[:SAMPLE_LINES]


def _require_text(head: bytes, name: str, codec: str) -> None:
    little = "le" if head[1::2].count(0) >= head[::2].count(0) else "be"
    is_wide = head.count(0) > len(head) // 3
    marks = MARKED.get(codec)
    if head and marks and not head.startswith(marks):
        remedy = f"read it with {argument('encoding', f'{codec}-{little}')}"
        if not is_wide:
            remedy = f"give the file's own encoding with {argument('encoding')}"
        raise RatingsError(
            f"{name}: this is not {codec} text, which begins with a byte order mark; {remedy}"
        )
    if codec.startswith(("utf-16", "utf-32")):
        return
    if head.startswith(MARKED["utf-16"]):
        raise RatingsError(
            f"{name}: this is UTF-16 text; read it with {argument('encoding', 'utf-16')}"
        )
    if head[257:262] == b"ustar":
        raise RatingsError(f"{name}: this is a tar archive; unpack it and name the file itself")
    if is_wide:
        raise RatingsError(
            f"{name}: every other byte of this file is 0, as in UTF-16 text; try to read it with "
            f"{argument('encoding', f'utf-16-{little}')}"
        )
    if b"\0" in head:
        raise RatingsError(
            f"{name}: this is a binary file, not text. Ratings can be CSV and the like (plain, "
            "gzip, bzip2, xz, zstd or zip), Parquet, Feather or Matrix Market"
        )


def split(line: str, separator: str) -> list[str]:
    """The fields of a line, without blanks around them."""
    if separator == " ":
        return re.findall(rf"[^ \t{NO_BREAK_SPACE}]+", line)
    if not is_quoting(separator):
        return [part.strip() for part in line.split(separator)]
    try:
        row = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        row = line.split(separator)
    return [part.strip() for part in row]


def joined_at_quotes(sample: Sequence[str], separator: str) -> list[Record]:
    """The lines as records, where a quoted field goes on in the next line.

    The last record is left out if its quoted field goes on after the sample.
    """
    if not is_quoting(separator):
        return [Record(line) for line in sample]
    records: list[Record] = []
    at, closed = 0, [*sample, '"']
    while at < len(sample):
        n_lines = length_of_record(closed[at:], separator, '"')[0] or 1
        if at + n_lines > len(sample):
            if records:
                break
            n_lines = 1
        records.append(Record(" ".join(sample[at : at + n_lines]), n_lines))
        at += n_lines
    return records


def detect_separator(
    sample: Sequence[str], least: int, candidates: Sequence[str] = tuple(SEPARATORS)
) -> str | None:
    """The separator that splits the lines most consistently into at least `least` columns.

    Blanks that give no column of numbers are those of names, where something else separates all
    lines into as many columns.
    """
    best, best_key = None, (0.0, 0)
    for separator in candidates:
        if separator == "\t\t" and any("\t" in line.replace("\t\t", "") for line in sample):
            continue  # there are columns without a value
        records = joined_at_quotes(sample, separator)
        counts = Counter(len(split(record.text, separator)) for record in records)
        n_columns, n_lines = counts.most_common(1)[0]
        key = (round(n_lines / len(records), 2), min(n_columns, 3))
        if n_columns >= least and key > best_key:
            best, best_key = separator, key
    if best == " " and not _gives_numbers(sample):
        others = [separator for separator in candidates if separator != " "]
        other = detect_separator(sample, 2, others)
        if other is not None and _is_even(sample, other):
            return other if len(split(sample[0], other)) >= least else None
    return best


def _gives_numbers(sample: Sequence[str]) -> bool:
    """Whether blanks cut the lines below the first so that one column holds numbers only."""
    rows = [split(line, " ") for line in sample[1:] or sample]
    number = re.compile(f"{NUMBER}|{COMMA_NUMBER}")
    return any(
        all(number.fullmatch(field) for field in column) for column in zip(*rows, strict=False)
    )


def _is_even(sample: Sequence[str], separator: str) -> bool:
    """Whether all lines have the same number of columns."""
    records = joined_at_quotes(sample, separator)
    return len({len(split(record.text, separator)) for record in records}) == 1


def shortened(text: str, length: int = 80) -> str:
    """Text cut to a length, for a message; blanks and marks that are not seen are escaped."""
    text = text if len(text) <= length else text[: length - 1] + "…"
    return "".join(
        each if each.isprintable() or each == "\t" else each.encode("unicode_escape").decode()
        for each in text
    )
