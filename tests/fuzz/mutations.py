"""Bytes that were changed at random, as disks, editors and transfers change them."""

from __future__ import annotations

import random
from collections.abc import Callable

INTERESTING = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x0D, 0x22, 0x2C, 0x09, 0x1F, 0xC3, 0xEF)


def _place(r: random.Random, data: bytearray) -> int:
    return r.randrange(len(data)) if data else 0


def _flip(r: random.Random, data: bytearray) -> None:
    if data:
        data[_place(r, data)] ^= 1 << r.randrange(8)


def _replace(r: random.Random, data: bytearray) -> None:
    if data:
        data[_place(r, data)] = r.choice(INTERESTING)


def _insert(r: random.Random, data: bytearray) -> None:
    at = _place(r, data)
    data[at:at] = bytes(r.choice(INTERESTING) for _ in range(r.choice((1, 1, 2, 8))))


def _delete(r: random.Random, data: bytearray) -> None:
    at = _place(r, data)
    del data[at : at + r.choice((1, 1, 2, 4, 30))]


def _repeat(r: random.Random, data: bytearray) -> None:
    at = _place(r, data)
    data[at:at] = data[at : at + r.randint(1, 64)] * r.choice((1, 1, 2, 50))


def _cut(r: random.Random, data: bytearray) -> None:
    del data[_place(r, data) :]


def _integer(r: random.Random, data: bytearray) -> None:
    """A huge, small or negative integer in the place of four or eight bytes, aligned or not."""
    size = r.choice((4, 8))
    at = _place(r, data) // r.choice((1, size)) * r.choice((1, size))
    value = r.choice(
        (0, 1, -1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)), 3000, -5000, 1 << 30)
    )
    data[at : at + size] = value.to_bytes(size, "little", signed=True)


def _swap(r: random.Random, data: bytearray) -> None:
    a, b, n = _place(r, data), _place(r, data), r.randint(1, 16)
    data[a : a + n], data[b : b + n] = data[b : b + n], data[a : a + n]


MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _flip,
    _replace,
    _replace,
    _insert,
    _delete,
    _repeat,
    _cut,
    _integer,
    _integer,
    _swap,
)


def mutated(r: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """The bytes after a few random changes.

    Parameters
    ----------
    other : bytes
        Another file, whose end takes the place of this one's.
    """
    if other:
        return data[: r.randint(0, len(data))] + other[r.randint(0, len(other)) :]
    changed = bytearray(data)
    for _ in range(r.choice((1, 1, 1, 2, 4, 10))):
        r.choice(MUTATIONS)(r, changed)
    return bytes(changed)


def line_mutated(r: random.Random, data: bytes, span: tuple[int, int]) -> bytes:
    """The bytes after a change within a line that makes or removes no quote and no line's end."""
    line = data[span[0] : span[1]]
    for _ in range(20):
        changed = bytearray(line)
        for _ in range(r.choice((1, 1, 2, 3))):
            r.choice(MUTATIONS)(r, changed)
        counts = [
            (text.count(b'"'), text.count(b"\n"), text.count(b"\r")) for text in (line, changed)
        ]
        if counts[0] == counts[1] and 0 < len(changed) < 300:
            return data[: span[0]] + bytes(changed) + data[span[1] :]
    return data
