"""`ShardedRatings`: what is known of ratings in shards, without holding them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from funksvd.calibrating import RatingFacts
from funksvd.cluster.blocks import check_rows
from funksvd.cluster.buckets import Limits, Sample
from funksvd.cluster.files import Store, making_sense, require
from funksvd.cluster.folder import Claim
from funksvd.errors import ShardError
from funksvd.learned.weighting import rating_levels
from funksvd.parallel import count_values
from funksvd.ratings import BadRow, CompressedRows, Ratings, ReadReport, Vocabulary
from funksvd.ratings.hashing import joint_hashes
from funksvd.sorting import stable_order
from funksvd.splitting.provenance import Provenance
from funksvd.training.plan import Rows

AT_ONCE = 1 << 22
"""Ratings that are looked at together."""
MANIFEST = "ratings.json"
ROWS = ("order", "starts", "counts")
"""Fields of `Rows`."""
SEEN = ("items", "values", "held-back")
"""What is kept of each rating, by user."""


class Found(NamedTuple):
    """The ratings learned from by a search, over the users and items that have some.

    Parameters
    ----------
    user_rows, item_rows : ndarray of int64
        Of these users and items among all that training has.
    users, items : Vocabulary
    seen : CompressedRows
        The ratings learned from, with levels.
    held_out : CompressedRows
        Pairs held back of which both are known.
    """

    user_rows: np.ndarray
    item_rows: np.ndarray
    users: Vocabulary
    items: Vocabulary
    seen: CompressedRows
    held_out: CompressedRows


@dataclass(frozen=True, eq=False)
class ShardedRatings:
    """Ratings in shards: vocabularies, groups and counts; ratings themselves are on disk.

    Parameters
    ----------
    store : Store
        Of the folder of this process.
    all_users, all_items : Vocabulary
        Those that have a rating, in the test part or elsewhere.
    kept_users, kept_items : ndarray of int64
        Rows of those that have a rating to learn from, or one that is held back.
    user_rows, item_rows : Rows
        These users and items in their groups.
    block_counts : ndarray of shape (n_groups, n_groups, 2), int64
        Ratings of each block to learn from, and held back.
    report : ReadReport
    provenance : Provenance
    limits : dict of str to (float, float)
        Lowest and highest rating: of "all" but the test part, and of the "learned".
    has_days : bool
        Whether the workers know the days of ratings.
    """

    store: Store
    all_users: Vocabulary
    all_items: Vocabulary
    kept_users: np.ndarray
    kept_items: np.ndarray
    user_rows: Rows
    item_rows: Rows
    block_counts: np.ndarray
    report: ReadReport
    provenance: Provenance
    limits: dict[str, Limits]
    has_days: bool

    @cached_property
    def users(self) -> Vocabulary:
        """Those that have a rating to learn from, or one that is held back."""
        return self.all_users.select(self.kept_users)

    @cached_property
    def items(self) -> Vocabulary:
        """Those that have a rating to learn from, or one that is held back."""
        return self.all_items.select(self.kept_items)

    @property
    def source(self) -> str:
        """The files, for messages."""
        return self.report.source

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def n_groups(self) -> int:
        """B."""
        return len(self.block_counts)

    @property
    def n_learned(self) -> int:
        """Ratings to learn from."""
        return int(self.block_counts[..., 0].sum())

    @property
    def n_held_back(self) -> int:
        """Ratings that decide when to stop."""
        return int(self.block_counts[..., 1].sum())

    def __len__(self) -> int:
        return self.n_learned + self.n_held_back

    @cached_property
    def test(self) -> Ratings | None:
        """The test part, by user, then item; None if there is none."""
        names = [f"test-{name}" for name in ("users", "items", "values", "timestamps")]
        if not self.store.entries[names[0]]["size"]:
            return None
        users, items, values, *times = (
            self.store.read(name) for name in names if name in self.store.entries
        )
        return Ratings(
            self.all_users,
            self.all_items,
            users,
            items,
            values,
            timestamps=times[0] if times else None,
            report=self.report,
        )

    @cached_property
    def by_user(self) -> CompressedRows:
        """Items of each user, with ratings: of all but the test part, mapped into memory."""
        return CompressedRows(self._indptr, self._seen_items, self.store.read("seen-values"))

    @cached_property
    def sample(self) -> Sample:
        """Ratings held back that a model's probabilities are checked by."""
        sample = Sample()
        for name in vars(sample):
            setattr(sample, name, self.store.read(f"sample-{name}"))
        return sample

    def seen(self) -> CompressedRows:
        """Items and levels of all ratings but the test part, by user: mapped into memory.

        Levels are those of `limits["all"]`.
        """
        return CompressedRows(self._indptr, self._seen_items, self._levels("all", slice(None)))

    def by_item(self, pairs: CompressedRows, n_items: int) -> CompressedRows:
        """Users of each item, with levels, mapped into memory.

        Each pass over the pairs finds those of some items.

        Parameters
        ----------
        pairs : CompressedRows
            Items of each user, with levels.
        n_items : int
        """
        counts = count_values(pairs.columns, n_items)
        ends = np.cumsum(counts, dtype=np.int64)
        with (
            self.store.writer("turned-users", np.int32) as users,
            self.store.writer("turned-levels", np.uint8) as levels,
        ):
            first = 0
            while first < n_items:
                before = int(ends[first - 1]) if first else 0
                stop = max(first + 1, int(np.searchsorted(ends, before + AT_ONCE, side="right")))
                pieces = _pieces(len(pairs.columns))
                found = [_of_items(pairs, part, first, stop) for part in pieces]
                items, its_users, its_levels = map(np.concatenate, zip(*found, strict=True))
                order = stable_order(items)
                users.append(its_users[order])
                levels.append(its_levels[order])
                first = stop
            self.store.entries["turned-users"] = users.entry()
            self.store.entries["turned-levels"] = levels.entry()
        read = self.store.read
        indptr = np.concatenate([[0], ends])
        return CompressedRows(indptr, read("turned-users"), read("turned-levels"))

    def found(self) -> Found:
        """The ratings that a search learns from; levels are those of `limits["learned"]`."""
        learned = self.user_rows.counts[0]
        user_rows = np.flatnonzero(learned)
        item_rows = np.flatnonzero(self.item_rows.counts[0])
        places = np.full(self.n_items, -1, np.int32)
        places[item_rows] = np.arange(len(item_rows), dtype=np.int32)
        held_back = self._held_back
        with self.store.writer("found-items", np.int32) as writer:
            for part in _pieces(len(self)):
                writer.append(places[self._seen_items[part][~held_back[part]]])
            self.store.entries["found-items"] = writer.entry()
        indptr = np.concatenate([[0], np.cumsum(learned[user_rows])])
        seen = CompressedRows(indptr, self.store.read("found-items"), self._levels("learned", None))
        at = np.flatnonzero(held_back)
        new_users = np.full(self.n_users, -1, np.int32)
        new_users[user_rows] = np.arange(len(user_rows), dtype=np.int32)
        users = new_users[np.searchsorted(self._indptr, at, side="right") - 1]
        held_out = CompressedRows.from_pairs(users, places[self._seen_items[at]], len(user_rows))
        return Found(
            user_rows,
            item_rows,
            self.users.select(user_rows),
            self.items.select(item_rows),
            seen,
            held_out,
        )

    def rating_facts(self, of: str) -> RatingFacts:
        """What a calibration takes from the ratings.

        Parameters
        ----------
        of : {"all", "learned"}
            All but the test part, or those learned from.
        """
        facts = self._facts(of, with_sample=False)
        return facts if facts.levels is not None else self._facts(of, with_sample=True)

    def _facts(self, of: str, *, with_sample: bool) -> RatingFacts:
        """The same; a sample is asked for only where levels do not say enough."""
        values = self.store.read("seen-values")
        parts = []
        for part in _pieces(len(self)):
            chosen = slice(None) if of == "all" else ~self._held_back[part]
            hashes = np.empty(0, np.uint64)
            if with_sample:
                users, items = self.by_user.rows_of(part)[chosen], self._seen_items[part][chosen]
                hashes = joint_hashes(self.users.hashes[users], self.items.hashes[items])
            parts.append(RatingFacts.of(values[part][chosen], hashes, self.limits[of]))
        return sum(parts[1:], parts[0])

    @cached_property
    def _indptr(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.user_rows.counts.sum(axis=0))])

    @cached_property
    def _seen_items(self) -> np.ndarray:
        return self.store.read("seen-items")

    @cached_property
    def _held_back(self) -> np.ndarray:
        return self.store.read("seen-held-back")

    def _levels(self, of: str, chosen: slice | None) -> np.ndarray:
        """Levels of all ratings or, with None, of those learned from: written to a file."""
        values = self.store.read("seen-values")
        with self.store.writer(f"levels-{of}", np.uint8) as writer:
            for part in _pieces(len(self)):
                some = chosen if chosen is not None else ~self._held_back[part]
                writer.append(rating_levels(values[part][some], self.limits[of]))
            self.store.entries[f"levels-{of}"] = writer.entry()
        return self.store.read(f"levels-{of}")

    # -- the folder ------------------------------------------------------------------------------

    def commit(self, more: dict[str, Any]) -> None:
        """Write what is not yet in the folder, and the manifest.

        Parameters
        ----------
        more : dict
            Plain data that `opened` gives.
        """
        for name, vocabulary in (("users", self.all_users), ("items", self.all_items)):
            _write_ids(self.store, name, vocabulary)
        self.store.write("users-kept", self.kept_users)
        self.store.write("items-kept", self.kept_items)
        for name, rows in (("user", self.user_rows), ("item", self.item_rows)):
            for field in ROWS:
                self.store.write(f"{name}-{field}", getattr(rows, field))
        self.store.write("block-counts", self.block_counts)
        plain = {
            "report": asdict(self.report),
            "provenance": self.provenance.to_dict(),
            "limits": self.limits,
            "has_days": self.has_days,
        }
        if self.provenance.test_pairs is not None:
            self.store.write("test-pairs", self.provenance.test_pairs)
        self.store.commit(more | plain)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """The ratings of a folder that is complete.

        Raises
        ------
        ShardError
            If it is not, or a file is damaged.
        """
        if not (Path(folder) / MANIFEST).exists():
            raise ShardError(
                f"{folder} holds no ratings in shards, or preparing them has ended early"
            )
        return cls.of(Store(Path(folder), MANIFEST, Claim(Path(folder))))

    @classmethod
    def of(cls, store: Store) -> Self:
        """The ratings of a store that is complete.

        Raises
        ------
        ShardError
            If a file is damaged, or was altered so that rows are named that are not there.
        """
        with making_sense(store.folder):
            ratings = cls._of(store)
            ratings._check()
        return ratings

    @classmethod
    def _of(cls, store: Store) -> Self:
        found, read = store.opened(), store.read
        assert found is not None, "it has no manifest"
        report = found["report"]
        report["bad_rows"] = [BadRow(*row) for row in report["bad_rows"]]
        pairs = read("test-pairs") if "test-pairs" in store.entries else None
        return cls(
            store=store,
            all_users=_read_ids(store, "users", "user"),
            all_items=_read_ids(store, "items", "item"),
            kept_users=read("users-kept"),
            kept_items=read("items-kept"),
            user_rows=Rows(*(read(f"user-{name}") for name in ROWS)),
            item_rows=Rows(*(read(f"item-{name}") for name in ROWS)),
            block_counts=read("block-counts"),
            report=ReadReport(**report),
            provenance=Provenance.from_dict(found["provenance"], pairs),
            limits={name: tuple(ends) for name, ends in found["limits"].items()},
            has_days=found["has_days"],
        )

    def _check(self) -> None:
        sides = (
            ("users", self.all_users, self.kept_users, self.user_rows),
            ("items", self.all_items, self.kept_items, self.item_rows),
        )
        for what, every, kept, rows in sides:
            check_rows(rows, what)
            require(len(kept) == len(rows.order), what)
            require(not len(kept) or 0 <= kept.min() <= kept.max() < len(every), what)
        shape = (*(len(rows.starts) - 1 for *_, rows in sides), 2)
        require(self.block_counts.shape == shape, "block-counts")
        n, entries = int(self.user_rows.counts.sum()), self.store.entries
        require(all(entries[f"seen-{name}"]["size"] == n for name in SEEN), "seen")
        for part in _pieces(n):
            items = self._seen_items[part]
            require(0 <= items.min() <= items.max() < len(self.kept_items), "seen-items")


def _pieces(n: int) -> Iterator[slice]:
    return (slice(start, min(n, start + AT_ONCE)) for start in range(0, n, AT_ONCE))


def _of_items(
    pairs: CompressedRows, part: slice, first: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item, user and level of those of some pairs whose item is in a range."""
    items = pairs.columns[part]
    at = np.flatnonzero((items >= first) & (items < stop))
    assert pairs.values is not None
    return items[at], pairs.rows_of(part)[at], pairs.values[part][at]


def _write_ids(store: Store, name: str, vocabulary: Vocabulary) -> None:
    ids = vocabulary.ids
    if vocabulary.holds_integers:
        store.write(name, ids)
        return
    texts = [label.encode() for label in ids.tolist()]
    store.write(f"{name}-lengths", np.array([len(text) for text in texts], np.int32))
    store.write(name, np.frombuffer(b"".join(texts), np.uint8))


def _read_ids(store: Store, name: str, what: str) -> Vocabulary:
    if f"{name}-lengths" not in store.entries:
        return Vocabulary(store.read(name), what)
    ends = np.cumsum(store.read(f"{name}-lengths"), dtype=np.int64).tolist()
    text = store.read(name).tobytes()
    ids = np.empty(len(ends), object)
    ids[:] = [text[start:stop].decode() for start, stop in pairwise([0, *ends])]
    return Vocabulary(ids, what)
