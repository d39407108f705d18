"""Text files as streams of bytes: decoding, rewriting for Arrow, and a careful reading by line.

Arrow reads text fast but separates columns by one character only, and does not say where a row
stood. So there are two ways through a file: `arrow_stream` hands blocks of whole lines to Arrow,
rewritten where the layout needs it, and `records` goes through the lines one by one when
something is wrong with a file and it has to be said where.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from funksvd.errors import RatingsError
from funksvd.ratings.files import BLOCK_SIZE, Source, damage_explained
from funksvd.ratings.layout import Layout

BLANKS = b" \t\r\n\v\f"
BOM = codecs.BOM_UTF8
MAX_QUOTED_LINES = 100
UTF8_NAMES = ("utf-8", "utf-8-sig", "ascii")
_NEWLINES = re.compile(rb"\r\n?")
_MOVIE_LINE = re.compile(rb"^[ \t]*(\d+)[ \t]*:[ \t\r]*$", re.MULTILINE)
_BLANK_LINES = re.compile(rb"^[ \t\r]*\n", re.MULTILINE)


class Record(NamedTuple):
    """A row of a text file, where it stands, and its bytes for Arrow (None: wrong columns)."""

    file: str
    line: int
    raw: bytes
    cleaned: bytes | None
    reason: str


class Notes:
    """What was noticed while a text was streamed.

    Attributes
    ----------
    movies, counts : list
        How many rows follow each `movie_id:` line of Netflix files, in order.
    n_wrong : int
        Number of rows with wrong columns, which `careful_stream` leaves out.
    """

    def __init__(self) -> None:
        self.movies: list[bytes] = []
        self.counts: list[int] = []
        self.n_wrong = 0

    def start(self, movie: bytes) -> None:
        self.movies.append(movie)
        self.counts.append(0)

    def add(self, n_rows: int, file: str) -> None:
        if n_rows and not self.movies:
            raise RatingsError(
                f"{file}: there are rows before the first line that names a movie (like 123:)"
            )
        if n_rows:
            self.counts[-1] += n_rows


class BlockStream(io.RawIOBase):
    """A readable file made of blocks of bytes."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._buffer = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, missing = [self._buffer], size - len(self._buffer)
        while missing > 0 or size < 0:
            block = next(self._blocks, None)
            if block is None:
                break
            parts.append(block)
            missing -= len(block)
        joined = b"".join(parts)
        if size < 0:
            size = len(joined)
        self._buffer = joined[size:]
        return joined[:size]


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in UTF8_NAMES


def blocks(source: Source, encoding: str) -> Iterator[bytes]:
    """A file's text as UTF-8, without a byte order mark; UTF-8 itself is not checked here."""
    with damage_explained(source.name), source.open() as file:
        first = file.read(BLOCK_SIZE)
        if is_utf8(encoding):
            yield first.removeprefix(BOM)
            while block := file.read(BLOCK_SIZE):
                yield block
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        block, line = first, 1
        while True:
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                line += block[: max(error.start, 0)].count(b"\n")
                raise RatingsError(
                    f"{source.name}, line {line} or near it: this is not {encoding} text "
                    f"({error.reason}). Give the file's encoding with --encoding"
                ) from None
            line += block.count(b"\n")
            if text:
                yield text.encode()
            if not block:
                return
            block = file.read(BLOCK_SIZE)


def whole_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks that end where a line ends, in a newline."""
    rest = b""
    for part in parts:
        end = part.rfind(b"\n") + 1
        if end:
            yield rest + part[:end]
            rest = part[end:]
        else:
            rest += part
    if rest:
        yield rest + b"\n"


def arrow_stream(
    sources: list[Source], layout: Layout, encoding: str, notes: Notes
) -> Iterator[bytes]:
    """The text as Arrow is to see it; `notes` are filled on the way, for Netflix files."""
    for source in sources:
        text = blocks(source, encoding)
        if layout.netflix:
            yield from _without_movie_lines(whole_lines(text), notes, source.name)
        elif layout.separator == " ":
            yield from map(_single_blanks, whole_lines(text))
        elif len(layout.separator) > 1:
            old, new = layout.separator.encode(), layout.delimiter.encode()
            yield from (block.replace(old, new) for block in whole_lines(text))
        else:
            yield from text


def careful_stream(
    sources: list[Source], layout: Layout, encoding: str, notes: Notes
) -> Iterator[bytes]:
    """As `arrow_stream`, without header and without the rows that have wrong columns."""
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
        ahead: deque[tuple[int, bytes]] = deque()
        lines = _numbered_lines(source, encoding)
        while True:
            number, raw = ahead.popleft() if ahead else next(lines, (0, b""))
            if number == 0:
                break
            if number <= layout.skip_lines or not raw.strip(BLANKS):
                continue
            if layout.netflix and (movie := _MOVIE_LINE.fullmatch(raw)):
                if notes is not None:
                    notes.start(movie[1])
                continue
            cleaned = _cleaned(raw, layout)
            found = _n_fields(cleaned, layout)
            if found is None:  # a quoted field that goes on in the next line, or a stray quote
                cleaned, found = _continued(cleaned, layout, ahead, lines)
            if found == layout.n_columns:
                yield Record(source.name, number, raw, cleaned, "")
            else:
                yield Record(source.name, number, raw, None, _wrong_columns(found, layout))


def _numbered_lines(source: Source, encoding: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    for block in whole_lines(blocks(source, encoding)):
        for line in _NEWLINES.sub(b"\n", block).split(b"\n")[:-1]:
            number += 1
            yield number, line


def _cleaned(raw: bytes, layout: Layout) -> bytes:
    if layout.separator == " ":
        return b" ".join(raw.split())
    if len(layout.separator) > 1:
        return raw.replace(layout.separator.encode(), layout.delimiter.encode())
    return raw


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
    line: bytes, layout: Layout, ahead: deque[tuple[int, bytes]], lines: Iterator[tuple[int, bytes]]
) -> tuple[bytes, int | None]:
    """A line joined with those its quoted field goes on in, which are then taken from `ahead`."""
    joined = line
    for n_taken in range(1, MAX_QUOTED_LINES + 1):
        if len(ahead) < n_taken:
            following = next(lines, None)
            if following is None:
                break
            ahead.append(following)
        joined += b" " + ahead[n_taken - 1][1]
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


def _single_blanks(block: bytes) -> bytes:
    if any(odd in block for odd in (b"  ", b"\t", b" \n", b"\n ", b" \r")) or block[:1] == b" ":
        block = re.sub(rb"[ \t]+", b" ", block)
        block = re.sub(rb"^ | (?=\r?$)", b"", block, flags=re.MULTILINE)
    return block


def _without_movie_lines(
    parts: Iterable[bytes], notes: Notes, file: str
) -> Iterator[bytes]:
    for part in parts:
        block = _BLANK_LINES.sub(b"", part) if b"\n\n" in part or b"\r\n\r\n" in part else part
        kept, position = [], 0
        for match in _MOVIE_LINE.finditer(block):
            before = block[position : match.start()]
            notes.add(before.count(b"\n"), file)
            kept.append(before)
            notes.start(match[1])
            position = match.end() + 1
        notes.add(block.count(b"\n", position), file)
        kept.append(block[position:])
        yield b"".join(kept)
