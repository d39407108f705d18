"""Buckets: the ratings of some users that follow each other, sorted, each pair once, and split."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from funksvd.atomic import naming
from funksvd.calibrating import MOST_CHECKED
from funksvd.cluster.spool import Piece
from funksvd.parallel import extremes, in_pieces
from funksvd.ratings import Ratings, Vocabulary
from funksvd.ratings.duplicates import first_repeat, resolve_duplicates
from funksvd.ratings.hashing import HASHED_AT_ONCE, RowSums, joint_hashes, smallest_hashes
from funksvd.ratings.times import days_of
from funksvd.rng import Stream
from funksvd.sorting import is_ascending, stable_order
from funksvd.splitting import in_part

Limits = tuple[float, float]
PARTS = ("learned", "held_back", "test")
"""Rows of `Facts.counts`."""


@dataclass(frozen=True)
class Split:
    """How ratings are settled: which of repeated ones are kept, and which are set aside.

    Parameters
    ----------
    duplicates : str
        As in `ReadOptions`.
    test_fraction, validation_fraction : float
        Probability of a rating to be in the test part, and of the others to be held back.
    seed : int
    unit : str or None
        Unit of the timestamps, where days are learned from.
    """

    duplicates: str
    test_fraction: float
    validation_fraction: float
    seed: int
    unit: str | None


class Sample:
    """The held-back ratings whose pairs have the smallest hashes, by hash.

    Attributes
    ----------
    hashes : ndarray of shape (n,), uint64
    users, items : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    """

    def __init__(self) -> None:
        self.hashes = np.empty(0, np.uint64)
        self.users, self.items = np.empty((2, 0), np.int32)
        self.values = np.empty(0, np.float32)

    def add(
        self, hashes: np.ndarray, users: np.ndarray, items: np.ndarray, values: np.ndarray
    ) -> None:
        """Take note of more ratings."""
        hashes = np.concatenate([self.hashes, hashes])
        at = smallest_hashes(hashes, MOST_CHECKED)
        self.hashes = hashes[at]
        self.users = np.concatenate([self.users, users])[at]
        self.items = np.concatenate([self.items, items])[at]
        self.values = np.concatenate([self.values, values])[at]


@dataclass
class Facts:
    """What is known of ratings besides themselves; that of pieces is added up.

    Attributes
    ----------
    counts : dict of str to ndarray of shape (3, n), int64
        Of "user" and "item": ratings to learn from, held back, and of the test part.
    sums, test_sums : RowSums
        Of all ratings, and of the test part.
    limits : dict of str to (float, float)
        Lowest and highest rating: of "all" that are not in the test part, and of the "learned".
    n_duplicates : int
        Ratings dropped because their pair repeats.
    repeat : (int, int) or None
        User and item row of the first such pair.
    sample : Sample
    """

    counts: dict[str, np.ndarray]
    sums: RowSums = field(default_factory=RowSums)
    test_sums: RowSums = field(default_factory=RowSums)
    limits: dict[str, Limits] = field(default_factory=dict)
    n_duplicates: int = 0
    repeat: tuple[int, int] | None = None
    sample: Sample = field(default_factory=Sample)

    @classmethod
    def empty(cls, n_users: int, n_items: int) -> Facts:
        """Of no ratings."""
        shapes = {"user": n_users, "item": n_items}
        return cls({side: np.zeros((3, n), np.int64) for side, n in shapes.items()})

    def add(self, other: Facts) -> None:
        """Add those of other ratings, which come later."""
        for side, counts in other.counts.items():
            self.counts[side] += counts
        self.sums += other.sums
        self.test_sums += other.test_sums
        for name, (low, high) in other.limits.items():
            self.widen(name, low, high)
        self.n_duplicates += other.n_duplicates
        self.repeat = self.repeat or other.repeat
        sample = other.sample
        self.sample.add(sample.hashes, sample.users, sample.items, sample.values)

    def n(self, part: str) -> int:
        """Number of ratings: "learned", "held_back" or "test"."""
        return int(self.counts["user"][PARTS.index(part)].sum())

    def is_learnable(self, of: str) -> bool:
        """Whether something can be learned from ratings: "all" but the test, or the "learned"."""
        low, high = self.limits.get(of, (0.0, 0.0))
        return low < high

    def widen(self, name: str, low: float, high: float) -> None:
        """Take note of a lowest and a highest rating."""
        before = self.limits.get(name, (low, high))
        self.limits[name] = (min(low, before[0]), max(high, before[1]))


class Settled:
    """The ratings of a bucket on disk, by user, then item.

    Parameters
    ----------
    path : Path
    first_user : int
        Row of the first user.
    counts : ndarray of shape (n_users,), int64
        Ratings of each user.
    has_days : bool
    """

    def __init__(self, path: Path, first_user: int, counts: np.ndarray, has_days: bool) -> None:
        self.path, self.first_user, self.counts, self.has_days = path, first_user, counts, has_days

    def write(self, columns: list[np.ndarray]) -> None:
        """Write items, values, which are held back, and days if there are any."""
        with naming(self.path, self.path), open(self.path, "wb") as file:
            for column in columns:
                file.write(np.ascontiguousarray(column).data)

    def users(self) -> np.ndarray:
        """The row of each rating's user, int32."""
        rows = np.arange(self.first_user, self.first_user + len(self.counts), dtype=np.int32)
        return np.repeat(rows, self.counts)

    def read(self) -> list[np.ndarray]:
        """Items, int32; values, float32; days, int32, if there are any; which are held back."""
        n = int(self.counts.sum())
        kinds = [np.int32, np.float32, *[np.int32] * self.has_days, np.bool_]
        with open(self.path, "rb") as file:
            return [np.fromfile(file, kind, n) for kind in kinds]


def settle(
    found: Piece,
    users: Vocabulary,
    items: Vocabulary,
    split: Split,
    facts: Facts,
) -> tuple[Piece, list[np.ndarray], np.ndarray]:
    """Settle the ratings of a bucket.

    Parameters
    ----------
    found : Piece
        In the order of the source.
    users, items : Vocabulary
    split : Split
    facts : Facts
        Added to.

    Returns
    -------
    test : Piece
        The test part, by user, then item.
    columns : list of ndarray
        As `Settled.read`: the other ratings, by user, then item.
    kept_users : ndarray of shape (n,), int32
        Their users.
    """
    if not is_ascending(found.users, found.items):  # equal pairs stay in the source's order
        found = found.part(stable_order(found.users, found.items))
    ratings = Ratings(users, items, *found[:3], timestamps=found.timestamps)
    if split.duplicates == "error" and facts.repeat is None:
        facts.repeat = first_repeat(ratings)
    policy = "last" if split.duplicates == "error" else split.duplicates
    ratings, n_dropped = resolve_duplicates(ratings, policy)
    facts.n_duplicates += n_dropped
    found = Piece(ratings.user_index, ratings.item_index, ratings.values, ratings.timestamps)
    del ratings
    hashes, is_test, is_held_back = _drawn(found, users.hashes, items.hashes, split)
    _sum_up(found, users.hashes, items.hashes, is_test, facts)
    if len(found.users):
        first, last = int(found.users[0]), int(found.users[-1]) + 1
        of_users = facts.counts["user"][:, first:last]
        _count(found.users - np.int32(first), is_test, is_held_back, of_users)
        _count(found.items, is_test, is_held_back, facts.counts["item"])
    test, rest = found.part(is_test), found.part(~is_test)
    del found
    held_back, hashes = is_held_back[~is_test], hashes[~is_test]
    if len(rest.values):
        facts.widen("all", *extremes(rest.values))
        if not held_back.all():
            facts.widen("learned", *extremes(rest.values, ~held_back))
    of_sample = rest.part(held_back)
    facts.sample.add(hashes[held_back], *of_sample[:3])
    columns = [rest.items, rest.values]
    if split.unit is not None and rest.timestamps is not None:
        columns.append(days_of(rest.timestamps, split.unit))
    return test, [*columns, held_back], rest.users


def _drawn(
    found: Piece, user_hashes: np.ndarray, item_hashes: np.ndarray, split: Split
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The hash of each pair, whether it is in the test part, and whether it is held back."""
    n = len(found.users)
    hashes, is_test, is_held_back = np.empty(n, np.uint64), np.zeros(n, bool), np.zeros(n, bool)

    def draw(piece: slice) -> None:
        pair = user_hashes[found.users[piece]], item_hashes[found.items[piece]]
        hashes[piece] = joint_hashes(*pair)
        for fraction, stream, drawn in (
            (split.test_fraction, Stream.TEST, is_test),
            (split.validation_fraction, Stream.VALIDATION, is_held_back),
        ):
            if fraction:
                drawn[piece] = in_part(*pair, fraction, split.seed, stream)

    in_pieces(draw, n, HASHED_AT_ONCE)
    is_held_back &= ~is_test
    return hashes, is_test, is_held_back


def _sum_up(
    found: Piece,
    user_hashes: np.ndarray,
    item_hashes: np.ndarray,
    is_test: np.ndarray,
    facts: Facts,
) -> None:
    """Add to the sums of all ratings, and of those in the test part."""
    sums: list[RowSums] = []
    test_sums: list[RowSums] = []

    def add(piece: slice) -> None:
        part = found.part(piece)
        for chosen, into in ((slice(None), sums), (is_test[piece], test_sums)):
            some = part.part(chosen)
            columns = {"values": some.values}
            if some.timestamps is not None:
                columns["timestamps"] = some.timestamps
            into.append(RowSums.of(user_hashes[some.users], item_hashes[some.items], columns))

    in_pieces(add, len(found.users), HASHED_AT_ONCE)
    facts.sums = sum(sums, facts.sums)
    facts.test_sums = sum(test_sums, facts.test_sums)


def _count(
    rows: np.ndarray, is_test: np.ndarray, is_held_back: np.ndarray, counts: np.ndarray
) -> None:
    from funksvd.kernels import count_rows

    of_test = np.zeros((2, counts.shape[1]), np.int64)
    count_rows(rows, is_test, of_test)
    both = np.zeros_like(of_test)
    count_rows(rows, is_held_back, both)  # those that are not held back include the test part
    counts += [both[0] - of_test[1], both[1], of_test[1]]
