"""Text files as streams of bytes: decoded, and rewritten so that Arrow can read them.

Arrow separates columns by one character only, and knows no Netflix layout.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io.files import BLOCK_SIZE, Source, damage_explained
from funksvd.ratings.io.layout import Layout

BOM = codecs.BOM_UTF8
UTF8_NAMES = ("utf-8", "utf-8-sig")
MOVIE_LINE = re.compile(rb"^[ \t]*(\d+)[ \t]*:[ \t\r]*$", re.MULTILINE)
_BLANK_LINES = re.compile(rb"^[ \t\r]*\n", re.MULTILINE)


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
                    f"({error.reason}). Give the file's encoding with {argument('encoding')}"
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
    if any(odd in block for odd in (b"  ", b"\t", b" \n", b"\n ", b" \r")) or block[:1] == b" ":
        block = re.sub(rb"[ \t]+", b" ", block)
        block = re.sub(rb"^ | (?=\r?$)", b"", block, flags=re.MULTILINE)
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
        colon = lines.find(b":", colon + 1)
