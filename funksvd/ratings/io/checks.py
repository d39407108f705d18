"""Fields of text files, checked and converted: once for each distinct text of a column."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.errors import argument
from funksvd.ratings.io.arrow import booleans, first_rounded, mask, numbers, text_array, text_bytes
from funksvd.ratings.io.sample import COMMA_NUMBER, NUMBER, THOUSANDS
from funksvd.ratings.vocabulary import CANONICAL_INTEGER

FLOAT32_MAX = float(np.finfo(np.float32).max)
ISO_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)?"
ZONED = r" ?(Z|UTC|[+-][0-9]{2}:?[0-9]{2})$"

NO_THOUSANDS = (
    f"write thousands without commas; decimals after a comma are read with {argument('decimal')}"
)
NO_UNITS = "must be numbers: write them without units, 4 for '4 stars' and 80 for '80%'"
NO_TRUTH = "must be numbers: write 1 for true and 0 for false"
NO_ZEROS = (
    f"leave out pairs that a user has not dealt with, or the counts with "
    f"{argument('count_col', 'none')}"
)
NO_TIMES = f"leave the timestamps out with {argument('timestamp_col', 'none')}"


class Problem(NamedTuple):
    """Reason why a field cannot be used, and a remedy besides dropping its row ("" if none)."""

    reason: str
    remedy: str = ""


class BadField(NamedTuple):
    """A field that cannot be used, the first one of its row; `text` is as it stands in the file."""

    role: str
    text: bytes


class Checked(NamedTuple):
    """Distinct texts of a column, converted.

    Parameters
    ----------
    values : pyarrow.StringArray, or ndarray of float32 or int64
        One for each text; arbitrary where `bad`.
    bad : ndarray of shape (n_texts,), bool
    rounded : str, optional
        A rating that 32 bits change, as `first_rounded` tells of it.
    """

    values: pa.Array | np.ndarray
    bad: np.ndarray
    rounded: str | None = None


def ids(texts: pa.Array) -> Checked:
    """Ids: any text that is not empty, without the blanks around it."""
    if _is_plain(texts):
        return Checked(texts.cast(pa.string()), np.zeros(len(texts), bool))
    values, bad = _strings(texts)
    bad |= numbers([pc.binary_length(values)], np.int32) == 0
    return Checked(values, bad)


def ratings(texts: pa.Array, decimal: str = ".") -> Checked:
    """Ratings: numbers that are finite as float32."""
    strings, bad = _strings(texts)
    pattern = COMMA_NUMBER if decimal == "," else NUMBER
    is_number = booleans(pc.match_substring_regex(strings, f"^(?:{pattern})$"))
    values = np.full(len(strings), np.nan)
    fine = strings if is_number.all() else strings.filter(mask(is_number))
    fine = pc.replace_substring(fine, decimal, ".") if decimal != "." else fine
    values[is_number] = numbers([pc.cast(fine, pa.float64())], np.float64)
    bad |= ~(np.abs(values) <= FLOAT32_MAX)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    return Checked(narrow, bad, first_rounded(values))


def counts(texts: pa.Array, decimal: str = ".") -> Checked:
    """Counts: numbers that are finite as float32, and more than 0."""
    values, bad, _ = ratings(texts, decimal)
    assert isinstance(values, np.ndarray)
    return Checked(values, bad | ~(values > 0))


def timestamps(texts: pa.Array) -> Checked:
    """Timestamps: integers as they are; dates and times become seconds since 1970."""
    strings, bad = _strings(texts)
    values = np.zeros(len(strings), np.int64)
    fine = np.zeros(len(strings), bool)
    for pattern, convert in (
        (r"^[+-]?([0-9]{1,18}|[0-8][0-9]{18})(\.[0-9]*)?$", _whole_seconds),
        (f"^{ISO_TIME}$", _seconds),
        (f"^{ISO_TIME}{ZONED}", _slow_seconds),
    ):
        chosen = booleans(pc.match_substring_regex(strings, pattern))
        if chosen.any():
            where = np.flatnonzero(chosen)
            values[where], fine[where] = convert(strings.filter(mask(chosen)))
    return Checked(values, bad | ~fine)


def stripped(texts: pa.Array) -> pa.Array:
    """Texts without the blanks around them; what a blank is, `str.strip` says too."""
    return pc.utf8_trim_whitespace(texts)


def problem(role: str, raw: bytes, decimal: str = ".") -> Problem:
    """The problem of a field that did not pass its check."""
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        return Problem(f"{role} is not UTF-8 text", _use_encoding(raw))
    if role in ("user", "item"):
        return Problem(f"{role} is empty")
    if not text:
        return Problem(f"{role} is empty", NO_TIMES if role == "timestamp" else "")
    shown = repr(text if len(text) <= 30 else text[:29] + "…")
    if role == "timestamp":
        return Problem(f"timestamp {shown} is neither an integer nor like 2005-09-06", NO_TIMES)
    return _problem_of_number(role, text, shown, decimal)


def _problem_of_number(role: str, text: str, shown: str, decimal: str) -> Problem:
    what = f"{role} {shown}"
    is_number = re.fullmatch(COMMA_NUMBER if decimal == "," else NUMBER, text) is not None
    if role == "count" and is_number and float(text.replace(decimal, ".")) < 1:
        return Problem(f"{what} is not more than 0", NO_ZEROS)
    if re.fullmatch(r"[+-]?inf(inity)?", text, re.IGNORECASE):
        return Problem(f"{what} is infinite")
    if is_number:
        return Problem(f"{what} is too large for a 32-bit float")
    if decimal == "," and re.fullmatch(NUMBER, text):
        return Problem(f"{what} has a decimal point, but {argument('decimal', ',')} holds")
    if re.fullmatch(THOUSANDS, text):
        first, *others = text.split(",")
        meant = text.replace(",", "")
        if len(others) == 1:
            meant += f" or {first}.{others[0]}"
        return Problem(f"{what} has commas, and may be {meant}", NO_THOUSANDS)
    if re.fullmatch(COMMA_NUMBER, text):
        return Problem(f"{what} has a decimal comma", f"read it with {argument('decimal', ',')}")
    if re.match(rf"(?:{NUMBER})[ %]", text):
        return Problem(f"{what} is not a number", f"{role}s {NO_UNITS}")
    is_truth = text.lower() in ("true", "false", "yes", "no")
    return Problem(f"{what} is not a number", f"{role}s {NO_TRUTH}" if is_truth else "")


def _use_encoding(raw: bytes) -> str:
    """Advice on the encoding of a text: that of Windows, unless it lacks one of the characters."""
    try:
        raw.decode("cp1252")
    except UnicodeDecodeError:
        return f"give the file's encoding, for instance {argument('encoding', 'latin-1')}"
    return f"give the file's encoding, for instance {argument('encoding', 'cp1252')}"


def as_integers(texts: pa.Array) -> np.ndarray | None:
    """Ids as int64 if every one of them is an integer and written as integers are."""
    if not booleans(pc.match_substring_regex(texts, CANONICAL_INTEGER)).all():
        return None
    try:
        return numbers([pc.cast(texts, pa.int64())], np.int64)
    except pa.ArrowInvalid:  # 19 digits may be too many
        return None


def _is_plain(texts: pa.Array) -> bool:
    """True if all texts are printable ASCII without blanks, and none is empty: ids as they are."""
    text = text_bytes(texts)
    some = not len(texts) or numbers([pc.binary_length(texts)], np.int32).min() > 0
    return bool(some and text.min(initial=0x7E) > 0x20 and text.max(initial=0) < 0x7F)


def _strings(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Valid UTF-8 without the blanks around, and which texts were not valid."""
    bad = np.zeros(len(texts), bool)
    try:
        strings = texts.cast(pa.string())
    except pa.ArrowInvalid:
        raw = texts.to_pylist()
        bad = np.array([not _is_utf8(text) for text in raw], bool)
        valid = [b"" if wrong else text for text, wrong in zip(raw, bad, strict=True)]
        strings = text_array(valid, pa.string())
    return stripped(strings), bad


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _whole_seconds(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    whole = pc.replace_substring_regex(texts, r"^\+|\.[0-9]*$", "")  # Arrow knows no plus
    return numbers([pc.cast(whole, pa.int64())], np.int64), np.ones(len(texts), bool)


def _seconds(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    try:
        times = pc.cast(texts, pa.timestamp("us"))
    except pa.ArrowInvalid:  # a 13th month somewhere
        return _slow_seconds(texts)
    microseconds = numbers([times.cast(pa.int64())], np.int64)
    return microseconds // 1_000_000, np.ones(len(texts), bool)


def _slow_seconds(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    values, fine = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    for at, text in enumerate(texts.to_pylist()):
        try:
            time = datetime.fromisoformat(text.replace("UTC", "Z").replace(" Z", "Z"))
        except ValueError:
            continue
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        values[at], fine[at] = int(time.timestamp() // 1), True
    return values, fine
