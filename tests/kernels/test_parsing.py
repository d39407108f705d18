"""The kernel that reads rows of numbers: exact, and strict about what it takes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.kernels import parse_rows
from funksvd.kernels.cpu.parsing import IGNORED, ITEM, RATING, TIMESTAMP, USER, _leading_digits

MAX_ID = 20_000_000
ALL = (USER, ITEM, RATING, TIMESTAMP)


def parse(text: bytes, roles=ALL, separator=b","):
    """Rows of the columns that there are, or None."""
    out = [np.zeros(len(text), kind) for kind in (np.int32, np.int32, np.float32, np.int64)]
    raw = np.frombuffer(text, np.uint8)
    n_rows = parse_rows(raw, np.frombuffer(separator, np.uint8), np.array(roles), MAX_ID, *out)
    if n_rows < 0:
        return None
    known = [out[role][:n_rows].tolist() for role in sorted(roles) if role != IGNORED]
    return list(zip(*known, strict=True))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"1,2,3,4\n", [(1, 2, 3.0, 4)]),
        (b"0,20000000,4.5,0\n7,8,0.5,1\n", [(0, 20_000_000, 4.5, 0), (7, 8, 0.5, 1)]),
        (b"1,2,3,4\r\n5,6,7,8\r\n", [(1, 2, 3.0, 4), (5, 6, 7.0, 8)]),
        (b"1,2,-3.25,4\n", [(1, 2, -3.25, 4)]),
        (b"1,2,3.,1234567890123456\n", [(1, 2, 3.0, 1234567890123456)]),
        (b"1,2,0003,12345678\n", [(1, 2, 3.0, 12345678)]),
        (b"1,2,1234567.7500000,123456789\n", [(1, 2, 1234567.75, 123456789)]),
        (b"1,2,-12345.6000000,4\n", [(1, 2, float(np.float32(-12345.6)), 4)]),
    ],
)
def test_usual_rows(text, rows):
    assert parse(text) == rows


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"\r",
        b"1,2,3",
        b"1,2,3,4,5",
        b"1,2,3,4 ",
        b" 1,2,3,4",
        b"1, 2,3,4",
        b"1,2,3,",
        b",2,3,4",
        b"1,2,,4",
        b"1;2;3;4",
        b"01,2,3,4",
        b"1,2,0.1234567,4",
        b"1,2,1234567.1,4",
        b"1,002,3,4",
        b"+1,2,3,4",
        b"-1,2,3,4",
        b"20000001,2,3,4",
        b"123456789,2,3,4",
        b"1.0,2,3,4",
        b"x,2,3,4",
        "\u0661,2,3,4".encode(),
        b'"1",2,3,4',
        b"1,2,+3,4",
        b"1,2,--3,4",
        b"1,2,-,4",
        b"1,2,.5,4",
        b"1,2,1e3,4",
        b"1,2,nan,4",
        b"1,2,12345678,4",
        b"1,2,1.12345678,4",
        b"1,2,1.2.3,4",
        b"1,2,3,04",
        b"1,2,3,-4",
        b"1,2,3,4.0",
        b"1,2,3,12345678901234567",
        b"1,2,3\r,4",
        b"1,2,3,4\r\r",
        b"1,2,3,4\x00",
    ],
)
@pytest.mark.parametrize("before", [b"", b"1,2,3,4\n"])
def test_unusual_rows(row, before):
    assert parse(before + row + b"\n") is None
    assert parse(before + row + b"\n" + b"1,2,3,4\n" * 5) is None


@pytest.mark.parametrize("text", [b"", b"1,2,3,4", b"1,2,3,4\r", b"1,2,3,4\n1,2,3,4", b"1\n1"])
def test_a_last_line_without_an_end(text):
    assert parse(text) is None


def test_columns_that_are_not_looked_at():
    roles = (IGNORED, RATING, IGNORED, ITEM, USER, IGNORED)
    ref = [(3, 2, 1.5)]
    for text in (b"x y,1.5,,2,3,\n", "é\0,1.5,'-',2,3,\r\n".encode(), b"9,1.5, ,2,3,long text\n"):
        assert parse(text, roles) == ref
    for odd in (b'"', b"\r", b"\x1f"):
        assert parse(b"a" + odd + b"b,1.5,,2,3,\n", roles) is None
    assert parse(b"a,1.5,,2,3\n", roles) is None


def test_separators_of_several_characters():
    assert parse(b"1::2::3.5::4\n", separator=b"::") == [(1, 2, 3.5, 4)]
    assert parse(b"a:b::2::3.5::\n", (IGNORED, USER, RATING, IGNORED), b"::") == [(2, 3.5)]
    for row in (b"1:2::3::4\n", b"1::2:::3::4\n", b"1::2::3::4::\n"):
        assert parse(row, separator=b"::") is None


@settings(deadline=None)  # compiling takes long
@given(st.lists(st.integers(0, MAX_ID), min_size=4, max_size=4), st.integers(0, 10**16 - 1))
def test_integers(ids, timestamp):
    text = f"{ids[0]},{ids[1]},3,{timestamp}\n{ids[2]},{ids[3]},3,{timestamp}\n".encode()
    assert parse(text) == [(ids[0], ids[1], 3.0, timestamp), (ids[2], ids[3], 3.0, timestamp)]


@settings(deadline=None)  # compiling takes long
@given(st.from_regex(r"-?[0-9]{1,7}(\.[0-9]{0,7})?", fullmatch=True))
def test_ratings_are_rounded_as_everywhere(text):
    """And refused if 32 bits change their digits: the reader says that, and the kernel cannot."""
    rows, narrow = parse(f"1,2,{text},4\n".encode()), np.float32(float(text))
    if rows is None:
        assert len(text.replace(".", "").strip("-0")) > 6
        assert float(narrow) != float(text)
        return
    comp, ref = rows[0][2], float(narrow)
    assert float(str(narrow)) == float(text)
    assert comp == ref
    assert np.signbit(comp) == np.signbit(ref)


@settings(deadline=None)  # compiling takes long
@given(st.binary(min_size=8, max_size=8) | st.from_regex(rb"[0-9]{0,8}[ -~]{8}"))
def test_leading_digits(raw):
    raw = raw[:8]
    n_digits = next((at for at, byte in enumerate(raw) if not 48 <= byte <= 57), 8)
    ref = (n_digits, int(raw[:n_digits] or b"0"))
    assert _leading_digits(np.frombuffer(raw, np.uint64)[0]) == ref


AT_THE_END_OF_MEMORY = """
import ctypes, mmap
import subprocess
import sys

import numpy as np
from funksvd.kernels import parse_rows

size = mmap.PAGESIZE
memory = mmap.mmap(-1, 2 * size)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + size), size, 0) == 0
for text in (b"1,2,3,4\\n", b"12,56,3.5,1234567890\\r\\n", b"1,2,3,x\\n", b"1,2\\n", b"\\n", b"1,"):
    memory[size - len(text) : size] = text
    raw = np.frombuffer(memory, np.uint8, len(text), size - len(text))
    out = [np.zeros(9, kind) for kind in (np.int32, np.int32, np.float32, np.int64)]
    print(parse_rows(raw, np.frombuffer(b",", np.uint8), np.arange(4), 9999, *out))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is protected in other ways elsewhere")
def test_nothing_is_read_beyond_the_text():
    result = subprocess.run(
        [sys.executable, "-c", AT_THE_END_OF_MEMORY], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1", "1", "-1", "-1", "-1", "-1"]
