"""A text cut into segments where lines end, to be parsed by several threads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

SEGMENT_BYTES = 2 << 20
"""Size of a segment: it and the columns made of it fit in a processor's cache."""
_LINE_END = re.compile(rb"\r\n|\r|\n")


def segments(blocks: Iterable[bytes], skip_lines: int = 0) -> Iterator[bytes]:
    """Whole lines, `SEGMENT_BYTES` of them or a little more at a time.

    Parameters
    ----------
    blocks : iterable of bytes
        The text, cut anywhere.
    skip_lines : int
        Lines at the beginning that are left out.

    Yields
    ------
    bytes
        One or more lines, the last of which ends in a newline; in old files, a carriage return.
    """
    for text in _whole_lines(blocks):
        if skip_lines:
            text, skip_lines = _without_lines(text, skip_lines)
        if text:
            yield text


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= SEGMENT_BYTES and (end := _after_last_line(block)):
            parts[-1] = block[:end]
            yield b"".join(parts)
            parts = [block[end:]]
            size = len(block) - end
    last = b"".join(parts)
    if last:
        yield last if last.endswith((b"\n", b"\r")) else last + b"\n"


def _after_last_line(block: bytes) -> int:
    # A carriage return at the very end may be the first half of a newline.
    return block.rfind(b"\n") + 1 or block.rfind(b"\r", 0, -1) + 1


def _without_lines(text: bytes, n_lines: int) -> tuple[bytes, int]:
    """A text without its first lines, and the number of lines that it was short of."""
    at = 0
    while n_lines and (line_end := _LINE_END.search(text, at)):
        at = line_end.end()
        n_lines -= 1
    return text[at:], n_lines
