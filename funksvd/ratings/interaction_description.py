"""Descriptions of interactions without ratings: counts, distributions, and likely mistakes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings.description import (
    QUANTILES,
    Spread,
    doubtful_ids,
    doubtful_times,
    period_of,
    spread_of,
)
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.vocabulary import quoted

BULK = 0.2
"""Share of all interactions from which on those of a single user are doubtful."""
MANY_USERS = 20
"""Least number of users of whom one may have too large a share."""


@dataclass(frozen=True)
class Counts:
    """How often users have dealt with the items that they have dealt with.

    Parameters
    ----------
    total, mean : float
        Of the counts of all pairs.
    n_above_one : int
        Pairs whose count is more than 1.
    quantiles : dict of str to float
        By the names in `description.QUANTILES`.
    """

    total: float
    mean: float
    n_above_one: int
    quantiles: dict[str, float]


@dataclass(frozen=True)
class InteractionDescription:
    """Counts, distributions and doubts.

    Parameters
    ----------
    n_interactions, n_users, n_items : int
        Interactions are distinct pairs of a user and an item.
    density : float
        Share of all pairs that are there.
    counts : Counts, optional
        None where every pair counts once.
    activity, popularity : Spread
        Items of a user, and users of an item.
    first_time, last_time : int, optional
        Timestamps as they are, of each pair the latest.
    time_unit : str, optional
        Their unit, for instance "seconds".
    n_rows, n_bad_rows, n_duplicates : int
        Of the source: all rows, rows that cannot be used, rows that repeat a pair.
    bad_rows : list of str
        The first few rows that cannot be used, each with the reason.
    notes : list of str
        Sentences about what the rows were taken for.
    doubts : list of str
        Sentences about users, times and ids that look like mistakes.
    """

    n_interactions: int
    n_users: int
    n_items: int
    density: float
    counts: Counts | None
    activity: Spread
    popularity: Spread
    first_time: int | None
    last_time: int | None
    time_unit: str | None
    n_rows: int
    n_bad_rows: int
    n_duplicates: int
    bad_rows: list[str]
    notes: list[str]
    doubts: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    @property
    def period(self) -> tuple[str, str] | None:
        """First and last day, where timestamps are times of our days."""
        return period_of(self.first_time, self.last_time, self.time_unit)


def describe_interactions(found: Interactions) -> InteractionDescription:
    """Describe interactions, and look for mistakes in them.

    Parameters
    ----------
    found : Interactions
        Read with `on_bad_rows="skip"`, their report tells of bad rows.

    Raises
    ------
    RatingsError
        If there are none.
    """
    if not len(found):
        raise RatingsError(f"{found.source}: there are no interactions to describe")
    of_users = np.bincount(found.user_index, minlength=found.n_users)
    of_items = np.bincount(found.item_index, minlength=found.n_items)
    busiest = int(np.argmax(of_users))
    doubts = list(found.report.warnings) if found.report else []
    share = of_users[busiest] / len(found)
    if share >= BULK and np.count_nonzero(of_users) >= MANY_USERS:
        doubts.append(
            f"user {quoted(found.user_ids[busiest])} has {of_users[busiest]:,} of "
            f"{len(found):,} interactions ({share:.1%}): is it a program, or all who are not "
            "logged in?"
        )
    of_users, of_items = of_users[of_users > 0], of_items[of_items > 0]
    times, report = found.timestamps, found.report
    return InteractionDescription(
        n_interactions=len(found),
        n_users=len(of_users),
        n_items=len(of_items),
        density=len(found) / (len(of_users) * len(of_items)),
        counts=None if found.weights is None else _counts(found.weights),
        activity=spread_of(of_users),
        popularity=spread_of(of_items),
        first_time=None if times is None else int(times.min()),
        last_time=None if times is None else int(times.max()),
        time_unit=found.time_unit,
        n_rows=report.n_rows if report else len(found),
        n_bad_rows=report.n_bad_rows if report else 0,
        n_duplicates=report.n_duplicates if report else 0,
        bad_rows=[str(row) for row in report.bad_rows] if report else [],
        notes=list(report.notes) if report else [],
        doubts=[*doubts, *doubtful_times(times), *doubtful_ids(found)],
    )


def _counts(weights: np.ndarray) -> Counts:
    wide = weights.astype(np.float64)
    quantiles = np.quantile(wide, list(QUANTILES.values()), method="inverted_cdf")
    return Counts(
        total=float(wide.sum()),
        mean=float(wide.mean()),
        n_above_one=int(np.count_nonzero(wide > 1)),
        # As short as they read: 1.1, which is 1.10000002384 as a float32.
        quantiles={
            name: float(str(np.float32(count)))
            for name, count in zip(QUANTILES, quantiles, strict=True)
        },
    )
