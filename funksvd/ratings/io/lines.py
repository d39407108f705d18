"""Text files as streams of bytes: decoded, and rewritten so that Arrow can read them.

Arrow separates columns by one character only, and knows no Netflix layout.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io.files import BLOCK_SIZE, Source, damage_explained
from funksvd.ratings.io.layout import Layout
from funksvd.ratings.io.sample import NO_BREAK_SPACE

BOM = codecs.BOM_UTF8
UTF8_NAMES = ("utf-8", "utf-8-sig")
MAX_LINE_BYTES = 1 << 20
"""Largest length of a line, in bytes: no row of ratings comes near it."""
MOVIE_LINE = re.compile(rb"^[ \t]*(\d+)[ \t]*:[ \t]*$", re.MULTILINE)
_BLANK_LINES = re.compile(rb"^[ \t]*\n", re.MULTILINE)
_LINE_START_MARKS = re.compile(b"(?<![^\r\n])(?:" + BOM + b")+")


class Notes:
    """Counts that are made while a text is streamed.

    Attributes
    ----------
    movies, counts : list
        Movies of the `movie_id:` lines of Netflix files, and the number of rows below each.
    n_wrong : int
        Number of rows with wrong columns, which `records.careful_stream` leaves out.
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


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in UTF8_NAMES


def blocks(source: Source, encoding: str) -> Iterator[bytes]:
    """A file's text as UTF-8, cut anywhere; UTF-8 itself is not checked here.

    Raises
    ------
    RatingsError
        If the file is damaged, is not text in that encoding, or has a line that is too long.
    """
    length = 0  # of the line that has not ended yet
    for n_before, block in enumerate(_as_utf8(source, encoding)):
        newline = b"\n" if b"\n" in block else b"\r"
        end = block.find(newline)
        length += len(block) if end < 0 else end
        if length > MAX_LINE_BYTES:
            before = islice(_as_utf8(source, encoding), n_before)
            line = 1 + sum(part.count(b"\n") or part.count(b"\r") for part in before)
            raise RatingsError(
                f"{source.name}, line {line}: this line is longer than {MAX_LINE_BYTES:,} bytes, "
                "the most that is read; this is not a table with a row for each rating"
            )
        if end >= 0:
            length = len(block) - block.rfind(newline) - 1
        yield block


def _as_utf8(source: Source, encoding: str) -> Iterator[bytes]:
    with damage_explained(source.name), source.open() as file:
        if is_utf8(encoding):
            while block := file.read(BLOCK_SIZE):
                yield block
            return
        decoder = codecs.getincrementaldecoder(encoding)()
        line = 1
        while True:
            block = file.read(BLOCK_SIZE)
            try:
                text = decoder.decode(block, final=not block).encode()
            except UnicodeError as error:  # halves of surrogate pairs cannot be encoded
                if isinstance(error, UnicodeDecodeError):
                    line += error.object[: error.start].count(b"\n")
                elif isinstance(error, UnicodeEncodeError):
                    line += error.object[: error.start].count("\n")
                raise RatingsError(
                    f"{source.name}, line {line} or near it: this is not {encoding} text "
                    f"({getattr(error, 'reason', error)}). Give the file's encoding with "
                    f"{argument('encoding')}"
                ) from None
            line += text.count(b"\n")
            if text:
                yield text
            if not block:
                return


def without_marks(text: bytes) -> bytes:
    """A text without byte order marks where a line begins: files were put one after another."""
    if b"\xef" in text and BOM in text:  # looking for one byte is many times faster
        return _LINE_START_MARKS.sub(b"", text)
    return text


def whole_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Blocks of whole lines, all of which end in a newline, without byte order marks before them.

    A carriage return ends a line too, alone or before a newline.
    """
    kept: list[bytes] = []
    half = b""  # a carriage return at the end of a part, which a newline may follow
    for part in parts:
        part = half + part
        half = b"\r" if part.endswith(b"\r") else b""
        part = part.removesuffix(half)
        if b"\r" in part:
            part = part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = part.rfind(b"\n") + 1
        if end:
            yield without_marks(b"".join([*kept, part[:end]]))
            kept = []
        kept.append(part[end:])
    last = b"".join(kept)
    if last or half:
        yield without_marks(last) + b"\n"


def arrow_stream(
    sources: list[Source], layout: Layout, encoding: str, notes: Notes
) -> Iterator[bytes]:
    """The text of rows, which a separator of several characters may still separate.

    `notes` are filled on the way, for Netflix files.
    """
    for source in sources:
        text = blocks(source, encoding)
        if layout.netflix:
            yield from _without_movie_lines(whole_lines(text), notes, source.name)
        elif layout.separator == " ":
            yield from map(single_blanks, whole_lines(text))
        else:
            yield from text


def single_blanks(block: bytes) -> bytes:
    """Whole lines with one blank between fields, and none at the ends of lines."""
    if b"\xc2" in block:
        block = block.replace(NO_BREAK_SPACE.encode(), b" ")
    if any(odd in block for odd in (b"  ", b"\t", b" \n", b"\n ")) or block[:1] == b" ":
        block = re.sub(rb"[ \t]+", b" ", block)
        block = re.sub(rb"^ | $", b"", block, flags=re.MULTILINE)
    return block


def _without_movie_lines(parts: Iterable[bytes], notes: Notes, file: str) -> Iterator[bytes]:
    for part in parts:
        block = _BLANK_LINES.sub(b"", part) if _may_hold_blank_lines(part) else part
        kept, position = [], 0
        for match in _movie_lines(block):
            before = block[position : match.start()]
            notes.add(before.count(b"\n"), file)
            kept.append(before)
            notes.start(match[1])
            position = match.end() + 1
        notes.add(block.count(b"\n", position), file)
        kept.append(block[position:])
        yield b"".join(kept)


def _may_hold_blank_lines(lines: bytes) -> bool:
    text = np.frombuffer(lines, np.uint8)
    starts_blank = (text[1:] <= ord(" ")) & (text[:-1] == ord("\n"))
    return lines[:1] <= b" " or bool(starts_blank.any())


def _movie_lines(lines: bytes) -> Iterator[re.Match[bytes]]:
    """The same as `MOVIE_LINE.finditer(lines)`, but fast: only lines with a colon are matched."""
    colon = lines.find(b":")
    while colon >= 0:
        match = MOVIE_LINE.match(lines, lines.rfind(b"\n", 0, colon) + 1)
        if match:
            yield match
        colon = lines.find(b":", lines.find(b"\n", colon))
