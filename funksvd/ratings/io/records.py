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
from funksvd.ratings.io.layout import Layout
from funksvd.ratings.io.lines import MOVIE_LINE, Notes, blocks, single_blanks, whole_lines

BLANKS = b" \t\r\n\v\f"
MAX_QUOTED_LINES = 100
_NEWLINES = re.compile(rb"\r\n?")


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
    for source in sources:
        lines = _lines(source, layout, encoding)
        ahead: deque[_Lines] = deque()
        while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
            number, raw, cleaned, n_rows = line
            if n_rows > 1:
                yield Record(source.name, number, raw, cleaned, n_rows=n_rows)
                continue
            if number <= layout.skip_lines or not raw.strip(BLANKS):
                continue
            if layout.netflix and (movie := MOVIE_LINE.fullmatch(raw)):
                if notes is not None:
                    notes.start(movie[1])
                continue
            found = _n_fields(cleaned, layout)
            if found is None:  # a quoted field that goes on in the next line, or a stray quote
                cleaned, found = _continued(cleaned, layout, ahead, lines)
            if found == layout.n_columns:
                yield Record(source.name, number, raw, cleaned)
            else:
                yield Record(source.name, number, raw, None, _wrong_columns(found, layout))


def _lines(source: Source, layout: Layout, encoding: str) -> Iterator[_Lines]:
    number = 1
    for block in whole_lines(blocks(source, encoding)):
        lines = _NEWLINES.sub(b"\n", block) if b"\r" in block else block
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
    if len(layout.separator) > 1:
        return lines.replace(layout.separator.encode(), layout.delimiter.encode())
    return lines


def _n_fields(line: bytes, layout: Layout) -> int | None:
    """Number of columns in a line as Arrow counts them; None where a quote stays open."""
    delimiter = layout.delimiter.encode()
    if not layout.quoting or b'"' not in line:
        return line.count(delimiter) + 1
    n_fields, position = 1, 0
    while True:
        if line[position : position + 1] == b'"':
            position += 1
            while True:
                position = line.find(b'"', position) + 1
                if position == 0:
                    return None
                if line[position : position + 1] != b'"':
                    break
                position += 1
        position = line.find(delimiter, position) + 1
        if position == 0:
            return n_fields
        n_fields += 1


def _continued(
    line: bytes, layout: Layout, ahead: deque[_Lines], lines: Iterator[_Lines]
) -> tuple[bytes, int | None]:
    """A line joined with those its quoted field goes on in, which are then taken from `ahead`."""
    joined = line
    for n_taken in range(1, MAX_QUOTED_LINES + 1):
        if len(ahead) < n_taken:
            following = next(lines, None)
            if following is None:
                break
            ahead.append(following)
        if ahead[n_taken - 1].n_rows > 1:  # no quote in all these lines
            break
        joined += b" " + ahead[n_taken - 1].cleaned
        n_fields = _n_fields(joined, layout)
        if n_fields == layout.n_columns:
            for _ in range(n_taken):
                ahead.popleft()
            return joined, n_fields
        if n_fields is not None:
            break
    return line, None


def _wrong_columns(found: int | None, layout: Layout) -> str:
    if found is None:
        return "a quote is opened and not closed"
    columns = "1 column" if found == 1 else f"{found} columns"
    return f"{columns} instead of {layout.n_columns}"
