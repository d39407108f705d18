"""Descriptions of ratings: counts, distributions, and doubts about their quality."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings.adapt import as_ratings
from funksvd.ratings.times import UNITS
from funksvd.ratings.vocabulary import quoted

if TYPE_CHECKING:
    from funksvd.ratings.interactions import Interactions
    from funksvd.ratings.ratings import Ratings

MANY_VALUES = 20
"""Largest number of distinct ratings that each get a bar; more of them share this many ranges."""
FAR = 2
"""Distance from all other ratings, in units of their range, from which a rating may be a code."""
MANY_RATINGS = 20
"""Least number of equal ratings, all by one user, that make the user doubtful."""
YEAR_2100 = 4_102_444_800
QUANTILES = {
    "least": 0,
    "5%": 0.05,
    "25%": 0.25,
    "median": 0.5,
    "75%": 0.75,
    "95%": 0.95,
    "most": 1,
}


class Bar(NamedTuple):
    """Number of ratings in a range: from `low` to below `high`, or up to it in the last range.

    A single value has the same `low` and `high`.
    """

    low: float
    high: float
    n_ratings: int


@dataclass(frozen=True)
class Spread:
    """Distribution of the number of ratings of a user, or of an item.

    Parameters
    ----------
    mean : float
    n_single : int
        Users, or items, with a single rating.
    quantiles : dict of str to int
        By the names in `QUANTILES`.
    """

    mean: float
    n_single: int
    quantiles: dict[str, int]


@dataclass(frozen=True)
class Description:
    """Counts, distributions and doubts.

    Parameters
    ----------
    n_ratings, n_users, n_items : int
        After repeats were dropped.
    density : float
        Known share of the rating matrix.
    mean, std : float
        Of the ratings.
    histogram : list of Bar
    activity, popularity : Spread
        Ratings of a user, and of an item.
    first_time, last_time : int, optional
        Timestamps as they are.
    time_unit : str, optional
        Their unit, for instance "seconds".
    n_rows, n_bad_rows, n_duplicates : int
        Of the source: all rows, rows that cannot be used, ratings that repeat a pair.
    bad_rows : list of str
        The first few rows that cannot be used, each with the reason.
    doubts : list of str
        Sentences about values, users, times and ids that look like mistakes.
    """

    n_ratings: int
    n_users: int
    n_items: int
    density: float
    mean: float
    std: float
    histogram: list[Bar]
    activity: Spread
    popularity: Spread
    first_time: int | None
    last_time: int | None
    time_unit: str | None
    n_rows: int
    n_bad_rows: int
    n_duplicates: int
    bad_rows: list[str]
    doubts: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"histogram": [bar._asdict() for bar in self.histogram]}

    @property
    def period(self) -> tuple[str, str] | None:
        """First and last day, where timestamps are times of our days."""
        return period_of(self.first_time, self.last_time, self.time_unit)


def period_of(first: int | None, last: int | None, unit: str | None) -> tuple[str, str] | None:
    """First and last day of timestamps, where they are times of our days."""
    if first is None or last is None or unit is None:
        return None
    first, last = first // UNITS[unit], last // UNITS[unit]
    return (_day(first), _day(last)) if first >= 0 and 10**8 < last < YEAR_2100 else None


def describe(ratings: Any) -> Description:
    """Describe ratings, and look for mistakes in them.

    Parameters
    ----------
    ratings : Ratings or table
        Read with `on_bad_rows="skip"`, their report tells of bad rows.

    Raises
    ------
    RatingsError
        If there are no ratings.
    """
    ratings = as_ratings(ratings)
    if not len(ratings):
        raise RatingsError(f"{ratings.source}: there are no ratings to describe")
    levels, counts = _levels(ratings.values)
    mean = float(levels @ counts / len(ratings))
    of_users = np.bincount(ratings.user_index, minlength=ratings.n_users)
    of_items = np.bincount(ratings.item_index, minlength=ratings.n_items)
    of_users, of_items = of_users[of_users > 0], of_items[of_items > 0]
    times, report = ratings.timestamps, ratings.report
    return Description(
        n_ratings=len(ratings),
        n_users=len(of_users),
        n_items=len(of_items),
        density=len(ratings) / (len(of_users) * len(of_items)),
        mean=mean,
        std=float(np.sqrt((levels - mean) ** 2 @ counts / len(ratings))),
        histogram=_histogram(levels, counts),
        activity=spread_of(of_users),
        popularity=spread_of(of_items),
        first_time=None if times is None else int(times.min()),
        last_time=None if times is None else int(times.max()),
        time_unit=ratings.time_unit,
        n_rows=report.n_rows if report else len(ratings),
        n_bad_rows=report.n_bad_rows if report else 0,
        n_duplicates=report.n_duplicates if report else 0,
        bad_rows=[str(row) for row in report.bad_rows] if report else [],
        doubts=[
            *(report.warnings if report else []),
            *_doubtful_values(levels, counts),
            *_doubtful_users(ratings),
            *doubtful_times(times),
            *doubtful_ids(ratings),
        ],
    )


def _levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct ratings, ascending, as float64, and how often each occurs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from funksvd.ratings.io.arrow import view

    values = np.ascontiguousarray(values + np.float32(0))  # -0 is 0
    array = pa.Array.from_buffers(pa.float32(), len(values), [None, pa.py_buffer(values)])
    counted = pc.value_counts(array)
    levels = view(counted.field("values")).astype(np.float64)
    order = np.argsort(levels)
    return levels[order], view(counted.field("counts"))[order]


def _histogram(levels: np.ndarray, counts: np.ndarray) -> list[Bar]:
    if len(levels) <= MANY_VALUES:
        # As short as they read: 3.6, which is 3.5999999046 as a float32.
        plain = [float(str(level)) for level in levels.astype(np.float32)]
        return [Bar(level, level, n) for level, n in zip(plain, counts.tolist(), strict=True)]
    numbers, edges = np.histogram(levels, MANY_VALUES, weights=counts)
    edges = edges.tolist()
    return [
        Bar(low, high, int(n))
        for low, high, n in zip(edges[:-1], edges[1:], numbers.tolist(), strict=True)
    ]


def spread_of(counts: np.ndarray) -> Spread:
    """The distribution of the numbers of ratings of users, or of items, int."""
    quantiles = np.quantile(counts, list(QUANTILES.values()), method="inverted_cdf")
    return Spread(
        float(counts.mean()),
        int(np.count_nonzero(counts == 1)),
        {name: int(count) for name, count in zip(QUANTILES, quantiles, strict=True)},
    )


def _doubtful_values(levels: np.ndarray, counts: np.ndarray) -> list[str]:
    if len(levels) == 1:
        return [f"all ratings are {levels[0]:g}: there is nothing to learn from them"]
    doubts = []
    share = counts / counts.sum()
    for at, others in ((-1, levels[:-1]), (0, levels[1:])):
        gap = abs(levels[at] - others[at])
        is_far = len(others) > 3 and gap > FAR * (others[-1] - others[0])
        lone = at == 0 and len(others) > 3 and others[0] > 0
        if is_far or (lone and levels[0] < 0) or (lone and levels[0] == 0 and share[0] > 0.1):
            doubts.append(
                f"{counts[at]:,} of {counts.sum():,} ratings ({share[at]:.1%}) say {levels[at]:g}, "
                f"and all others are from {others[0]:g} to {others[-1]:g}: is it a code for no "
                "rating? Then remove such rows"
            )
    return doubts


def _doubtful_users(ratings: Ratings) -> list[str]:
    """A doubt about users all of whose ratings are equal."""
    first = np.empty(ratings.n_users, np.float32)
    first[ratings.user_index[::-1]] = ratings.values[::-1]  # of several, the last one stays
    differs = ratings.values != first[ratings.user_index]
    varied = np.zeros(ratings.n_users, bool)
    varied[ratings.user_index[differs]] = True
    counts = np.bincount(ratings.user_index, minlength=ratings.n_users)
    found = np.flatnonzero(~varied & (counts >= MANY_RATINGS))
    if not len(found) or not varied.any():
        return []
    most = found[np.argmax(counts[found])]
    return [
        f"{_n(len(found), 'user', 'has', 'have')} {MANY_RATINGS} ratings or more, all of them the "
        f"same; user {quoted(ratings.user_ids[most])} has {counts[most]:,} of {first[most]:g}"
    ]


def doubtful_times(times: np.ndarray | None) -> list[str]:
    """Doubts about timestamps that are all the same, or missing."""
    if times is None:
        return []
    first, last = int(times.min()), int(times.max())
    if first == last and len(times) > 1:
        return [f"all timestamps are {first}: they tell nothing"]
    doubts = []
    n_zero = int(np.count_nonzero(times == 0))
    if n_zero and last > 10**8:
        doubts.append(f"{_n(n_zero, 'timestamp', 'is', 'are')} 0: the time may be missing there")
    return doubts


def doubtful_ids(found: Interactions) -> list[str]:
    """Doubts about ids that differ in capitals or blanks only."""
    doubts = []
    for vocabulary in (found.users, found.items):
        if vocabulary.holds_integers:
            continue
        seen: dict[str, str] = {}
        pairs = []
        for label in vocabulary.ids.tolist():
            before = seen.setdefault(" ".join(label.casefold().split()), label)
            if before != label:
                pairs.append((before, label))
        if pairs:
            n_ids = _n(len(pairs), f"{vocabulary.what} id", "differs", "differ")
            doubts.append(
                f"{n_ids} from another in capitals or blanks only, like {pairs[0][0]!r} and "
                f"{pairs[0][1]!r}"
            )
    return doubts


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _n(n: int, noun: str, one: str, many: str) -> str:
    """A number with its noun and verb."""
    return f"1 {noun} {one}" if n == 1 else f"{n:,} {noun}s {many}"
