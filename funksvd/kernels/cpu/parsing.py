"""Rows of numbers, read from the bytes of a text that is written as simply as such texts can be.

Eight bytes are read at a time, with the first one lowest. Which of them are digits, and what number
they make, is then found without a branch: ids and timestamps of varying lengths would be predicted
wrongly at every other field.
"""

from __future__ import annotations

import sys

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from funksvd.kernels.compiling import compiled
from funksvd.kernels.cpu.grouping import n_trailing_zeros

USER, ITEM, RATING, TIMESTAMP, IGNORED = range(5)
IS_LITTLE_ENDIAN = sys.byteorder == "little"
N_DIGITS = 8
"""Most digits before a rating's point, and behind it: both together are exact as float64."""
POWERS_OF_TEN = 10.0 ** np.arange(2 * N_DIGITS)
INTEGER_POWERS_OF_TEN = 10 ** np.arange(N_DIGITS + 1)
MOST_KEPT = 1_000_000
"""Numbers below this, whatever the place of the point, are the same after a 32-bit float."""
POINT, MINUS, ZERO = np.uint8(46), np.uint8(45), np.uint8(48)
NEWLINE, RETURN, QUOTE, UNIT_SEPARATOR = np.uint8(10), np.uint8(13), np.uint8(34), np.uint8(31)
ONE, WIDTH = np.uint64(1), np.uint64(8)


@compiled
def parse_rows(text, separator, roles, max_id, users, items, ratings, timestamps):
    """Parse rows of user, item, rating and timestamp, unless one of them is in any way unusual.

    A row is usual if it has all columns and ends in a newline, perhaps after a carriage return; if
    its ids are integers of at most 8 digits from 0 to `max_id`, and its timestamp one of at most 16
    digits, without sign and leading zeros; if its rating has 1 to 7 digits, perhaps a minus before
    them and a point and at most 7 digits behind them, and a 32-bit float keeps all of these; and if
    no other column holds a quote, a carriage return or the byte 31.

    Parameters
    ----------
    text : ndarray of shape (n_bytes,), uint8
        Whole lines.
    separator : ndarray of shape (n_separator_bytes,), uint8
        What stands between columns: no digit, no newline, no point and no minus.
    roles : ndarray of shape (n_columns,), int64
        USER, ITEM, RATING, TIMESTAMP or IGNORED, for each column.
    max_id : int
    users, items : ndarray of shape (n_rows,), int32
        Written, as `ratings` and `timestamps`, where there is such a column. They must have room
        for all rows that a text of this length may hold, and for one more, which may turn out not
        to be complete.
    ratings : ndarray of shape (n_rows,), float32
    timestamps : ndarray of shape (n_rows,), int64

    Returns
    -------
    int
        Number of rows; -1 if one of them is unusual, or the text does not end in a newline.
    """
    n_bytes, n_between = np.uint64(text.size), np.uint64(separator.size)
    if n_bytes == 0 or text[n_bytes - ONE] != NEWLINE:
        return -1
    # The last byte is a newline, at which any number, column and row ends: nothing is read beyond.
    at, row, last = np.uint64(0), 0, roles.size - 1
    while at < n_bytes:
        for column in range(roles.size):
            role = roles[column]
            if role <= ITEM:
                n_digits, number = _leading_digits(_eight_bytes(text, at))
                if n_digits == 0 or number > max_id or (n_digits > ONE and text[at] == ZERO):
                    return -1
                at += n_digits
                if role == USER:
                    users[row] = number
                else:
                    items[row] = number
            elif role == RATING:
                n_digits, number = _leading_digits(_eight_bytes(text, at))
                is_negative = n_digits == 0
                if is_negative:
                    if text[at] != MINUS:
                        return -1
                    at += ONE
                    n_digits, number = _leading_digits(_eight_bytes(text, at))
                if n_digits == 0 or n_digits == WIDTH:
                    return -1
                at += n_digits
                value = np.float64(number)
                if text[at] == POINT:
                    at += ONE
                    n_digits, decimals = _leading_digits(_eight_bytes(text, at))
                    if n_digits == WIDTH:
                        return -1
                    at += n_digits
                    number = number * INTEGER_POWERS_OF_TEN[n_digits] + decimals
                    value = np.float64(number) / POWERS_OF_TEN[n_digits]
                    if np.float64(np.float32(value)) != value and not _is_short(number):
                        return -1
                ratings[row] = -value if is_negative else value
            elif role == TIMESTAMP:
                n_digits, number = _leading_digits(_eight_bytes(text, at))
                if n_digits == 0 or (n_digits > ONE and text[at] == ZERO):
                    return -1
                at += n_digits
                if n_digits == WIDTH:
                    n_digits, further = _leading_digits(_eight_bytes(text, at))
                    at += n_digits
                    number = number * INTEGER_POWERS_OF_TEN[n_digits] + further
                timestamps[row] = number
            else:
                at = _end_of_ignored(text, at, separator)
                if at == n_bytes:
                    return -1
            if column < last:
                if not _is_at(separator, text, at):
                    return -1
                at += n_between
        if text[at] == RETURN:
            at += ONE
        if text[at] != NEWLINE:
            return -1
        at += ONE
        row += 1
    return row


@compiled
def _is_short(number):
    """Whether a number other than 0 has at most six digits before the zeros at its end."""
    while number % 10 == 0:
        number //= 10
    return number < MOST_KEPT


@compiled
def _is_at(separator, text, at):
    """Whether a separator begins at some place; it holds no newline, so the text does not end."""
    if text[at] != separator[0]:
        return False
    for further in range(1, separator.size):
        if text[at + np.uint64(further)] != separator[further]:
            return False
    return True


@compiled
def _end_of_ignored(text, at, separator):
    """Where a column ends that is not looked at; the end of the text if it is unusual."""
    while True:
        byte = text[at]
        if byte == NEWLINE or (byte == RETURN and text[at + ONE] == NEWLINE):
            return at
        if _is_at(separator, text, at):
            return at
        if byte == RETURN or byte == QUOTE or byte == UNIT_SEPARATOR:  # noqa: SIM109 (compiled)
            return np.uint64(text.size)
        at += ONE


@compiled
def _eight_bytes(text, at):
    """Eight bytes of a text, the first one lowest; newlines beyond its end."""
    if at + WIDTH <= np.uint64(text.size):
        return _load(text, at)
    word = np.uint64(0)
    for further in range(8):
        byte = np.uint64(NEWLINE)
        if at + np.uint64(further) < np.uint64(text.size):
            byte = np.uint64(text[at + np.uint64(further)])
        word |= byte << np.uint64(8 * further)
    return word


@intrinsic
def _load(context, text, at):
    """Eight bytes from any place of an array of bytes, as they lie in memory."""

    def generate(target, builder, signature, arguments):
        array = target.make_array(signature.args[0])(target, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        word = builder.bitcast(place, ir.IntType(64).as_pointer())
        return builder.load(word, align=1)

    return types.uint64(text, types.uint64), generate


@compiled
def _leading_digits(word):
    """How many of eight bytes are digits before one is none, and the number that these make."""
    digits = word ^ np.uint64(0x3030303030303030)
    # A byte's highest bit is set if it is no digit; or perhaps wrongly, behind one that is none.
    others = (digits + np.uint64(0x7676767676767676)) | digits
    others &= np.uint64(0x8080808080808080)
    if others == 0:
        n_digits = WIDTH
    else:
        n_digits = n_trailing_zeros(others) >> np.uint64(3)
        if n_digits == 0:
            return n_digits, np.int64(0)
        # As if there were zeros before.
        digits <<= (WIDTH - n_digits) << np.uint64(3)
    # Two, then four, then eight digits.
    digits = (digits * np.uint64(10) + (digits >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    digits = (digits * np.uint64(100) + (digits >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    digits = (digits * np.uint64(10000) + (digits >> np.uint64(32))) & np.uint64(0x00000000FFFFFFFF)
    return n_digits, np.int64(digits)
