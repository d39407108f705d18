"""Text files line by line: slower than Arrow, but with the line number of each row.

Only files in which something is wrong are read in this way.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from funksvd.ratings.io.files import BLOCK_SIZE, Source
from funksvd.ratings.io.layout import FRACTIONS, Layout
from funksvd.ratings.io.lines import (
    MAX_LINE_BYTES,
    MOVIE_LINE,
    Notes,
    blocks,
    single_blanks,
    whole_lines,
)
from funksvd.ratings.io.quotes import length_of_record, scan
from funksvd.ratings.io.sample import COMMA_NUMBER, NUMBER

BLANKS = b" \t\r\n\v\f"
_RATING = re.compile(f"{NUMBER}|{COMMA_NUMBER}".encode())
_INTEGER = re.compile(rb"-?[0-9]+")


class Record(NamedTuple):
    """A row of a text file, or a run of good rows.

    Parameters
    ----------
    file : str
    line : int
        Its line, or the first one.
    raw : bytes
        As it stands in the file.
    cleaned : bytes or None
        For Arrow; None for a row with wrong columns.
    reason : str
        Reason why it cannot be used.
    n_rows : int
    """

    file: str
    line: int
    raw: bytes
    cleaned: bytes | None
    reason: str = ""
    n_rows: int = 1

    def rows(self) -> Iterator[Record]:
        """The rows of a run, one by one."""
        if self.n_rows == 1:
            yield self
            return
        for at, raw in enumerate(self.raw.split(b"\n")):
            yield Record(self.file, self.line + at, raw, raw)


class _Lines(NamedTuple):
    """A line, or several that all are good rows."""

    number: int
    raw: bytes
    cleaned: bytes
    n_rows: int = 1


def careful_stream(
    sources: list[Source], layout: Layout, encoding: str, notes: Notes
) -> Iterator[bytes]:
    """The text as Arrow is to see it, without header and rows that have wrong columns."""
    cleaned: list[bytes] = []
    size = 0
    for source in sources:
        for record in records([source], layout, encoding, notes):
            if record.cleaned is None:
                notes.n_wrong += 1
                continue
            if layout.netflix:
                notes.add(1, source.name)
            cleaned.append(record.cleaned)
            size += len(record.cleaned)
            if size > BLOCK_SIZE:
                yield b"\n".join(cleaned) + b"\n"
                cleaned, size = [], 0
    if cleaned:
        yield b"\n".join(cleaned) + b"\n"


def records(
    sources: list[Source], layout: Layout, encoding: str, notes: Notes | None = None
) -> Iterator[Record]:
    """Every row of the files, those with wrong columns included; blank lines are no rows."""
    delimiter = layout.delimiter.encode()
    for source in sources:
        lines = _lines(source, layout, encoding)
        ahead: deque[_Lines] = deque()
        while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
            number, raw, cleaned, n_rows = line
            if n_rows > 1:
                yield Record(source.name, number, raw, cleaned, n_rows=n_rows)
                continue
            if number <= layout.skip_lines:
                continue
            # A line of tabs is a row of empty fields, as Arrow has it, if it has all columns.
            if not raw.strip(BLANKS) and cleaned.count(delimiter) != max(1, layout.n_columns - 1):
                continue
            if layout.netflix and (movie := MOVIE_LINE.fullmatch(raw)):
                if notes is not None:
                    notes.start(movie[1])
                continue
            found: int | None = cleaned.count(delimiter) + 1
            if layout.quoting and b'"' in cleaned:
                n_separators, is_open, _ = scan(cleaned, delimiter, b'"')
                found = n_separators + 1
                if is_open:  # a quoted field that goes on in the next line, or a stray quote
                    further = _continuation(cleaned, layout, ahead, lines)
                    cleaned, found = b" ".join([cleaned, *further]), layout.n_columns
                    if not further:
                        found = None
            if found == layout.n_columns:
                yield Record(source.name, number, raw, cleaned)
            else:
                yield Record(source.name, number, raw, None, _wrong_columns(found, layout))


def _lines(source: Source, layout: Layout, encoding: str) -> Iterator[_Lines]:
    number = 1
    for lines in whole_lines(blocks(source, encoding)):
        cleaned = _cleaned(lines, layout)
        if number > layout.skip_lines and _all_good(cleaned, layout):
            n_rows = cleaned.count(b"\n")
            yield _Lines(number, lines[:-1], cleaned[:-1], n_rows)
            number += n_rows
            continue
        pairs = zip(lines.split(b"\n")[:-1], cleaned.split(b"\n")[:-1], strict=True)
        for raw, clean in pairs:
            yield _Lines(number, raw, clean)
            number += 1


def _all_good(block: bytes, layout: Layout) -> bool:
    """True if every line has the right columns: found for all lines at once."""
    if layout.n_columns == 1 or layout.netflix or (layout.quoting and b'"' in block):
        return False
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    delimiters = np.flatnonzero(text == ord(layout.delimiter))
    if len(delimiters) != len(ends) * (layout.n_columns - 1):
        return False
    by_line = delimiters.reshape(len(ends), -1)
    return bool((by_line[:, -1] < ends).all() and (by_line[1:, 0] > ends[:-1]).all())


def _cleaned(lines: bytes, layout: Layout) -> bytes:
    if layout.separator == " ":
        return single_blanks(lines)
    if layout.separator != layout.delimiter:
        return lines.replace(layout.separator.encode(), layout.delimiter.encode())
    return lines


def _continuation(
    first: bytes, layout: Layout, ahead: deque[_Lines], lines: Iterator[_Lines]
) -> list[bytes]:
    """The lines in which a quoted field goes on, taken from `ahead`; none after a stray quote.

    A quote is stray if it is closed nowhere, or not where a field may end; or if what it would take
    in are rows of their own, as they are where two quotes are stray.
    """
    following: list[bytes] = []

    def record() -> Iterator[bytes]:
        yield first
        size = len(first)
        while size <= MAX_LINE_BYTES and not (following and _is_whole_row(following[-1], layout)):
            if len(following) == len(ahead):
                line = next(lines, None)
                if line is None:
                    return
                ahead.append(line)
            line = ahead[len(following)]
            if line.n_rows > 1:  # no quote in all these lines
                return
            following.append(line.cleaned)
            size += len(line.cleaned)
            yield line.cleaned

    n_lines, n_separators = length_of_record(record(), layout.delimiter.encode(), b'"')
    if (
        n_lines == 0
        or n_separators + 1 != layout.n_columns
        or (_is_row(first, layout) and _is_row(following[-1], layout))
    ):
        return []
    for _ in following:
        ahead.popleft()
    return following


def _is_whole_row(line: bytes, layout: Layout) -> bool:
    """True if a line makes a row, and no quoted field ends or begins in it."""
    return b'"' not in line and _is_row(line, layout)


def _is_row(line: bytes, layout: Layout) -> bool:
    """True if a line makes a row, with quotes taken as they stand.

    Its numbers tell, or its integer ids; without them, its columns do, if all of them are of use.
    """
    delimiter = layout.delimiter.encode()
    if line.count(delimiter) != layout.n_columns - 1 or layout.n_columns == 1:
        return False
    fields = [field.strip(b' \t"') for field in line.split(delimiter)]
    patterns = {layout.columns[role]: _INTEGER for role in layout.integers}
    for role in FRACTIONS:
        if role in layout.columns:
            patterns[layout.columns[role]] = _RATING
    return bool(patterns or layout.n_columns == len(layout.columns)) and all(
        pattern.fullmatch(fields[at]) for at, pattern in patterns.items()
    )


def _wrong_columns(found: int | None, layout: Layout) -> str:
    if found is None:
        return "a quote is opened and not closed"
    columns = "1 column" if found == 1 else f"{found} columns"
    return f"{columns} instead of {layout.n_columns}"
