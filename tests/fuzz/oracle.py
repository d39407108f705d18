"""What a reader must make of the files of `grammar`, and the comparison with what it made."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from fuzz.rows import Made, seconds

INTEGER = re.compile("0|-?[1-9][0-9]{0,18}")


class Rating(NamedTuple):
    """A rating as it is read."""

    user: int | str
    item: int | str
    value: float
    time: int | None


def rated(made: Made) -> list[Rating]:
    """The good rows with their ids in the right kind; repeats are still there."""
    users = of_kind([row.user for row in made.rows], made.kinds["user"])
    items = of_kind([row.item for row in made.rows], made.kinds["item"])
    return [
        Rating(user, item, as_read(row.rating), seconds(row.time) if made.has_times else None)
        for user, item, row in zip(users, items, made.rows, strict=True)
    ]


def of_kind(texts: Sequence[str], kind: str = "") -> Sequence[int | str]:
    """Ids as integers if that is their kind, or, in text, if all of them are written as such."""
    fits = all(INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63 for text in texts)
    return [int(text) for text in texts] if kind == "integer" or (fits and not kind) else texts


def as_read(rating: str) -> float:
    """The float32 that a rating is stored as."""
    with np.errstate(over="ignore"):
        return float(np.float32(float(rating)))


def without_repeats(ratings: Sequence[Rating], policy: str) -> list[Rating]:
    """One rating of each pair: the last, the first, or the mean at the place of the last."""
    groups: dict[tuple[int | str, int | str], list[int]] = {}
    for at, rating in enumerate(ratings):
        groups.setdefault(rating[:2], []).append(at)
    kept = {}
    for rows in groups.values():
        rows.sort(key=lambda at: (ratings[at].time or 0, at))
        at = rows[0 if policy == "first" else -1]
        kept[at] = ratings[at]
        if policy == "mean":
            mean = math.fsum(ratings[row].value for row in rows) / len(rows)
            kept[at] = kept[at]._replace(value=float(np.float32(mean)))
    return [kept[at] for at in sorted(kept)]


def listed(found: Any) -> list[Rating]:
    """What was read, as a list."""
    users = found.users.ids[found.user_index].tolist()
    items = found.items.ids[found.item_index].tolist()
    times = [None] * len(users) if found.timestamps is None else found.timestamps.tolist()
    return [Rating(*each) for each in zip(users, items, found.values.tolist(), times, strict=True)]


def difference(expected: Sequence[Rating], found: Sequence[Rating], policy: str) -> str:
    """What is different, for people; nothing if nothing is."""
    if len(expected) != len(found):
        return f"{len(found)} ratings instead of {len(expected)}"
    for at, (right, read) in enumerate(zip(expected, found, strict=True)):
        same = right.value == read.value
        if policy == "mean":  # sums may be rounded in another order
            same = bool(np.isclose(right.value, read.value, rtol=3e-7, atol=1e-30))
        kinds = [type(label) for label in right[:2]] == [type(label) for label in read[:2]]
        if not same or not kinds or right[:2] != read[:2] or right.time != read.time:
            return f"rating {at} is {tuple(read)!r} instead of {tuple(right)!r}"
    return ""


def loosely(ratings: Sequence[Rating]) -> list[Rating]:
    """The same with ids as text."""
    return [rating._replace(user=str(rating.user), item=str(rating.item)) for rating in ratings]


def check(made: Made, found: Any) -> str:
    """What is wrong with ratings that were read, or with the error that was raised instead.

    Parameters
    ----------
    found : Ratings or RatingsError

    Returns
    -------
    str
        For people; nothing if all is right.
    """
    policy = made.options.get("duplicates", "last")
    ratings = rated(made)
    expected = without_repeats(ratings, policy)
    refused = None
    if made.bad_lines and made.options.get("on_bad_rows") != "skip":
        refused = rf"\b(line|row) {made.bad_lines[0]}: "
    elif policy == "error" and len(expected) < len(ratings):
        refused = "repeat"
    if isinstance(found, Exception):
        if refused and re.search(refused, str(found)):
            return ""
        return f"refused{f', but not by {refused!r}' if refused else ''}: {found}"
    if refused:
        return f"read, and not refused with {refused!r}"
    if wrong := difference(expected, listed(found), policy):
        return wrong
    report = found.report
    counts = len(ratings) + len(made.bad_lines), len(made.bad_lines), len(ratings) - len(expected)
    counted = report.n_rows, report.n_bad_rows, report.n_duplicates
    if counts != counted:
        return f"rows, bad rows and repeats are counted as {counted} instead of {counts}"
    lines = [row.line for row in report.bad_rows]
    if lines != made.bad_lines[: len(lines)] or (made.bad_lines and not lines):
        return f"bad lines are {lines} instead of {made.bad_lines}"
    return ""


def pairs_differ(made: Made, users: np.ndarray, items: np.ndarray) -> str:
    """What is wrong with the ids of a file that were read as pairs; nothing if all is right."""
    right = [rating[:2] for rating in rated(made)]
    read = list(zip(users.tolist(), items.tolist(), strict=True))
    return "" if right == read else f"pairs are {read[:5]}, instead of {right[:5]}"


def others_changed(made: Made, row: int, found: Any) -> str:
    """What a mutation within one row has changed in other rows; nothing if nothing.

    Parameters
    ----------
    made : Made
        The file before the mutation.
    row : int
        The good row that was changed.
    found : Ratings
        Read from the file after it.
    """
    before, read = loosely(rated(made)), loosely(listed(found))
    del before[row]
    before = without_repeats(before, "last")
    new = [rating for rating in read if rating not in before]
    if len(new) > 1:
        return f"a change of row {row} makes {len(new)} new ratings: {new[:3]}"
    pair = new[0][:2] if new else None
    gone = [rating for rating in before if rating not in read and rating[:2] != pair]
    if gone:
        return f"a change of row {row} takes away {gone[:3]}"
    return ""
