"""Timestamps count seconds since 1970 or parts of seconds; which of them, their size tells.

Timestamps keep the unit of their source, so that nothing of them is lost. Those of two sources are
compared after `in_one_unit`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from funksvd.errors import RatingsError, argument

UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""Units by name, each with how many of them a second has."""
LARGEST = 10**11
"""Largest timestamp in seconds, of the year 5138; in milliseconds it is one of 1973."""
USUAL = (631_152_000, 4_102_444_800)
"""The years 1990 to 2099 in seconds: timestamps all within them, in two units, are mixed up."""
SECONDS_PER_DAY = 86_400
LAST_DAY = 2**31 - 2
"""Last day since 1970 that is one: the next after it is still a 32-bit integer."""
N_SAMPLED = 4_096
"""Timestamps that tell the unit of all."""


def as_timestamp(text: str) -> int:
    """The timestamp that a person has typed: an integer in any unit, or a date or time, in seconds.

    Raises
    ------
    RatingsError
        If it is neither.
    """
    import pyarrow as pa

    from funksvd.ratings.io import checks

    raw = text.strip().encode(errors="replace")
    found = checks.timestamps(pa.array([raw], pa.binary()))
    if found.bad[0] or raw.startswith(b"-"):
        bad = found.bad[0]
        reason = checks.problem("timestamp", raw).reason if bad else f"timestamp {text} is negative"
        raise RatingsError(f"{reason}; give a date, or seconds since 1970")
    return int(found.values[0])


def unit_of(timestamps: np.ndarray) -> str:
    """The unit that most timestamps are in; 0 stands for a time that is missing.

    Parameters
    ----------
    timestamps : ndarray of shape (n,), int64

    Returns
    -------
    str
        A name of `UNITS`.
    """
    sampled = np.abs(timestamps[:: max(1, len(timestamps) // N_SAMPLED)])
    sampled = np.sort(sampled[sampled > 0])
    middle = int(sampled[len(sampled) // 2]) if len(sampled) else 0
    return next((name for name, n in UNITS.items() if middle < LARGEST * n), "nanoseconds")


def in_seconds(timestamps: np.ndarray, unit: str | None = None) -> np.ndarray:
    """Timestamps in whole seconds; their unit is told by their size where it is not given."""
    per_second = UNITS[unit or unit_of(timestamps)]
    return timestamps if per_second == 1 else timestamps // per_second


def days_of(timestamps: np.ndarray, unit: str | None = None) -> np.ndarray:
    """Days since 1970 (UTC), int32; -1 where there are none: of times of 0, before 1970 or too far.

    Parameters
    ----------
    timestamps : ndarray of shape (n,), int64
        0 stands for a time that is missing.
    unit : str, optional
        A name of `UNITS`; by default, their size tells.
    """
    days = in_seconds(timestamps, unit) // SECONDS_PER_DAY
    days[(timestamps <= 0) | (days > LAST_DAY)] = -1
    return days.astype(np.int32)


def in_one_unit(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Columns of timestamps as they are, or all of them in seconds where their units differ."""
    units = {unit_of(column) for column in columns if column.any()}
    return list(columns) if len(units) < 2 else [in_seconds(column) for column in columns]


class TimeTally:
    """What timestamps tell about their unit, added up over parts of a column."""

    def __init__(self) -> None:
        self._n = self._n_missing = 0
        self._by_size = np.zeros(len(UNITS), np.int64)
        self._usual: dict[str, tuple[int, int]] = {}  # number, and the first of them

    def add(self, timestamps: np.ndarray) -> None:
        """Take note of some more."""
        if not len(timestamps):
            return
        self._n += len(timestamps)
        largest = max(int(timestamps.max()), -int(timestamps.min()))
        n_before = self._n_missing
        self._n_missing += int(np.count_nonzero(timestamps == 0))
        n_below = self._n_missing - n_before
        low, high = USUAL
        for at, (name, n) in enumerate(UNITS.items()):
            last = at == len(UNITS) - 1 or largest < LARGEST * n
            below = len(timestamps)
            if not last:
                below = int(np.count_nonzero(np.abs(timestamps) < LARGEST * n))
            self._by_size[at] += below - n_below
            n_below = below
            chosen = (timestamps >= low * n) & (timestamps < high * n)
            if n_chosen := int(np.count_nonzero(chosen)):
                before, example = self._usual.get(name, (0, int(timestamps[np.argmax(chosen)])))
                self._usual[name] = (before + n_chosen, example)
            if last:
                break

    @property
    def has_times(self) -> bool:
        """Whether one of them is not 0."""
        return self._n > self._n_missing

    @property
    def unit(self) -> str:
        """The unit that most are in, as `unit_of` finds it in a sample."""
        found = np.cumsum(self._by_size) > (self._n - self._n_missing) // 2
        return list(UNITS)[int(np.argmax(found))]

    def check(self, source: str) -> None:
        """As `check_one_unit`."""
        if len(self._usual) < 2:
            return
        if sum(n for n, _ in self._usual.values()) + self._n_missing < self._n:
            return
        found = [
            f"{self._usual[name][0]:,} count {name} (like {self._usual[name][1]})"
            for name in UNITS
            if name in self._usual
        ]
        raise RatingsError(
            f"{source}: timestamps are in different units: {' and '.join(found)}. Write "
            f"them in one unit, or leave them out with {argument('timestamp_col', 'none')}"
        )


def check_one_unit(timestamps: np.ndarray, source: str) -> None:
    """Make sure that timestamps are not partly in one unit and partly in another.

    Raises
    ------
    RatingsError
        If all that are not 0 fall into usual years, but only in two units or more.
    """
    if not len(timestamps) or timestamps.max() < LARGEST:
        return
    tally = TimeTally()
    tally.add(timestamps)
    tally.check(source)


def as_timestamps(timestamps: ArrayLike, n: int) -> np.ndarray:
    """Timestamps of n rows as int64.

    Raises
    ------
    RatingsError
        If they are no integers, of another number, or in different units.
    """
    array = np.asarray(timestamps)
    if array.shape != (n,):
        raise RatingsError(f"timestamps must be {n:,} integers, but are of shape {array.shape}")
    if n and array.dtype.kind not in "iu":
        kind = type(array[0]).__name__ if array.dtype.kind == "O" and n else str(array.dtype)
        convert = '.astype("int64") converts them'
        if array.dtype.kind != "f":
            convert = 'numpy.asarray(timestamps, "datetime64[s]").astype("int64") converts dates'
        raise RatingsError(
            f"timestamps must be integers, such as seconds since 1970, not {kind}; {convert}"
        )
    array = array.astype(np.int64)
    check_one_unit(array, "the timestamps")
    return array
