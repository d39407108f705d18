"""A text cut where lines end."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.ratings.io import segments as module
from funksvd.ratings.io.segments import segments

texts = st.lists(st.sampled_from([b"a", b"bc,", b"\n", b"\r\n", b"\r", b""]), max_size=40).map(
    b"".join
)


def cut(text: bytes, places: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:stop] for start, stop in pairwise(places)]


@pytest.fixture(autouse=True, scope="module")
def small_segments():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SEGMENT_BYTES", 4)
        yield


@given(texts, st.lists(st.integers(0, 100), max_size=8), st.integers(0, 3))
def test_nothing_is_lost_and_no_line_is_cut(text, places, skip_lines):
    comp = list(segments(cut(text, places), skip_lines))
    ref = text + b"\n" * (text != b"" and text[-1:] not in (b"\n", b"\r"))
    starts = [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", ref))]
    skipped = starts[min(skip_lines, len(starts) - 1)]
    assert b"".join(comp) == ref[skipped:]
    position = skipped
    for segment in comp:
        assert segment
        position += len(segment)
        assert position in starts


def test_segments_are_not_larger_than_they_have_to_be():
    blocks = [b"1\n", b"2", b"\n3\n45", b"6", b"7", b"\n"]
    assert list(segments(blocks)) == [b"1\n2\n3\n", b"4567\n"]


def test_a_newline_of_two_characters_is_not_cut():
    assert list(segments([b"1234\r", b"\n5\n"])) == [b"1234\r\n5\n"]
    assert list(segments([b"12\r34\r", b"\n5\n"])) == [b"12\r", b"34\r\n5\n"]
