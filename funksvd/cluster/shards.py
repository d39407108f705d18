"""`Shard`: what one worker does with its ratings, in a folder of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from funksvd.atomic import naming
from funksvd.cluster.blocks import (
    REFIT,
    SEARCH,
    Deal,
    GroupFile,
    PartWriter,
    check_part,
    groups_of_worker,
    packed,
    write_blocks,
)
from funksvd.cluster.buckets import Facts, Settled, Split, settle
from funksvd.cluster.files import ArrayWriter, Store, making_sense
from funksvd.cluster.folder import Claim, remove_others, require_room
from funksvd.cluster.spool import SIDES, Piece, Spool
from funksvd.kernels import sum_values
from funksvd.ratings import ReadOptions, Vocabulary
from funksvd.ratings.io.columns import Columns
from funksvd.ratings.io.distinct import Distinct, DistinctIds, IdLookup
from funksvd.ratings.io.streams import Partition
from funksvd.ratings.times import TimeTally, in_seconds
from funksvd.training.days import Group
from funksvd.training.plan import DAY, VALUE, BlockPlan, Rows

BYTES_PER_ROW = 24
"""Bytes on a worker's disk, at least, for each rating while ratings are prepared."""
TEMPORARY = re.compile(r"(spool|bucket|settled|group)-[0-9-]+\.bin")
"""Names of files that a folder holds only while ratings are prepared."""


class Scanned(NamedTuple):
    """What was found in a partition.

    Parameters
    ----------
    columns : Columns
        Without ids and numbers.
    n_rows : int
        Good ones.
    n_pieces : int
        Pieces that they are read in again.
    times : TimeTally or None
    """

    columns: Columns
    n_rows: int
    n_pieces: int
    times: TimeTally | None


@dataclass(frozen=True)
class Cut:
    """The users cut into buckets, and what the ratings of all workers have in common.

    Parameters
    ----------
    users, items : Vocabulary
    edges : ndarray of shape (n_buckets + 1,), int64
        Bucket b has the users from `edges[b]` up to `edges[b + 1]`.
    has_times : bool
    units : tuple of str or None
        Unit of each worker's partitions' timestamps, which are to become seconds; None as they are.
    split : Split
    """

    users: Vocabulary
    items: Vocabulary
    edges: np.ndarray
    has_times: bool
    units: tuple[tuple[str | None, ...], ...]
    split: Split

    @property
    def n_buckets(self) -> int:
        return len(self.edges) - 1

    def owner(self, bucket: int, n_workers: int) -> int:
        """The worker of a bucket."""
        return bucket % n_workers

    def rounds(self, n_workers: int) -> Iterator[list[tuple[int, int]]]:
        """Buckets in their order, one of each worker at a time: pairs of worker and bucket."""
        for start in range(0, self.n_buckets, n_workers):
            yield list(enumerate(range(start, min(self.n_buckets, start + n_workers))))


class Shard:
    """The ratings of some groups of users, in a folder; it comes from files of any order.

    Its methods are called one at a time, in this order: `clear`; `scan` each of its partitions;
    `distinct`; `cut`; `spread` each piece, and `keep_rows` that others have for it; `settle` each
    of its buckets; `facts`; `deal`; `pack` each bucket, and `keep_records` that others have for
    it; `sort` each of its groups; `commit`. Then `part`.

    Parameters
    ----------
    number, n_workers : int
        Of this worker, and of all.
    folder : path
        Of this worker alone.
    patience : float
        Seconds to wait for another worker that has the folder, and is about to end.

    Attributes
    ----------
    store : Store
        Of the files that stay.
    """

    def __init__(
        self, number: int, n_workers: int, folder: str | os.PathLike[str], patience: float = 0
    ) -> None:
        self.number, self.n_workers, self._patience = number, n_workers, patience
        self.folder = Path(folder)
        self.store = Store(self.folder, "part.json")
        self._outbox: dict[int, Any] = {}
        self._checked: set[str] = set()
        self._left: set[str] = set()
        self._left_writer: ArrayWriter | None = None

    # -- the folder ------------------------------------------------------------------------------

    def opened(self) -> dict[str, Any] | None:
        """Take the folder, and say what `commit` was given; None if it is not complete."""
        self._claim()
        return self.store.opened()

    def clear(self, n_rows: int = 0) -> None:
        """Take the folder, remove what is left of earlier runs, and begin anew.

        Parameters
        ----------
        n_rows : int
            Ratings that will be kept there, about.

        Raises
        ------
        ShardError
            If the folder is in use, or holds files of something else.
        WriteError
            If the disk has less room than these ratings need.
        """
        self._claim()
        self.store.remove()
        self._checked.clear()
        for path in self.folder.iterdir():
            if TEMPORARY.fullmatch(path.name):
                path.unlink()
        remove_others(self.folder, self.n_workers)
        require_room(self.folder, n_rows * BYTES_PER_ROW)
        self._spools: list[Spool] = []
        self._ids = {side: DistinctIds() for side in SIDES}

    def close(self) -> None:
        """Let others have the folder."""
        if self.store.claim is not None:
            self.store.claim.close()
            self.store.claim = None

    def _claim(self) -> None:
        if self.store.claim is None:
            self.store.claim = Claim(self.folder, self._patience)

    @property
    def groups(self) -> range:
        """Groups of users that are this worker's."""
        n_groups = self.store.entries["item-starts"]["size"] - 1
        return groups_of_worker(self.number, self.n_workers, n_groups)

    # -- scanning --------------------------------------------------------------------------------

    def scan(self, partition: Partition, options: ReadOptions) -> Scanned:
        """Read a partition, and keep its rows as they are."""
        spool = Spool(self.folder / f"spool-{len(self._spools)}.bin", partition.is_typed)
        self._spools.append(spool)
        columns = partition.read(options, spool.gather)
        for side in SIDES:
            self._ids[side].add_all(spool.ids[side])
        spool.ids.clear()
        if spool.has_times:
            spool.times.check(partition.name)
        times = spool.times if spool.has_times else None
        return Scanned(columns, spool.n_rows, spool.n_pieces, times)

    def distinct(self, side: str) -> list[Distinct]:
        """Distinct "user" or "item" ids of all partitions."""
        return self._ids.pop(side).found()

    # -- buckets ---------------------------------------------------------------------------------

    def cut(self, cut: Cut) -> None:
        """Take note of the rows that ids stand for, and of the buckets."""
        self._cut = cut
        self._lookups = {"user": IdLookup(cut.users), "item": IdLookup(cut.items)}
        self._bucket_of = np.repeat(np.arange(cut.n_buckets, dtype=np.uint16), np.diff(cut.edges))
        own = range(self.number, cut.n_buckets, self.n_workers)
        self._arrived: dict[int, list[list[int]]] = {
            bucket: [[] for _ in range(self.n_workers)] for bucket in own
        }
        self._settled: dict[int, Settled] = {}
        self._facts = Facts.empty(len(cut.users), len(cut.items))

    def spread(self, partition: int, piece: int) -> None:
        """Sort a piece of a partition by buckets, and keep other workers' rows for `outgoing`."""
        cut, spool = self._cut, self._spools[partition]
        found = spool.read(piece, self._lookups, cut.has_times)
        if piece == spool.n_pieces - 1:
            spool.delete()
        unit = cut.units[self.number][partition]
        if unit is not None and found.timestamps is not None:
            found = found._replace(timestamps=in_seconds(found.timestamps, unit))
        buckets = self._bucket_of[found.users]
        if (buckets[1:] < buckets[:-1]).any():
            order = np.argsort(buckets, kind="stable")
            found, buckets = found.part(order), buckets[order]
        bounds = np.searchsorted(buckets, np.arange(cut.n_buckets + 1))
        for bucket, (start, stop) in enumerate(pairwise(bounds.tolist())):
            if stop > start:
                owner = cut.owner(bucket, self.n_workers)
                part = found.part(slice(start, stop))
                if owner == self.number:
                    self._receive(bucket, self.number, part)
                else:
                    self._outbox.setdefault(owner, []).append((bucket, part))

    def outgoing(self, owner: int) -> Any:
        """What was put aside for another worker, which has it from then on."""
        return self._outbox.pop(owner, [])

    def keep_rows(self, sender: int, parts: Sequence[tuple[int, Piece]]) -> None:
        """Keep rows of this worker's buckets that another one has sent."""
        for bucket, part in parts:
            self._receive(bucket, sender, part)

    def _bucket_path(self, bucket: int, sender: int) -> Path:
        return self.folder / f"bucket-{bucket}-{sender}.bin"

    def _receive(self, bucket: int, sender: int, part: Piece) -> None:
        path, runs = self._bucket_path(bucket, sender), self._arrived[bucket][sender]
        with naming(path, path), open(path, "ab" if runs else "wb") as file:
            for column in part:
                if column is not None:
                    file.write(np.ascontiguousarray(column).data)
        runs.append(len(part.users))

    def _bucket(self, bucket: int) -> Piece:
        """The rows of a bucket, in the order of the source: workers have partitions in order."""
        runs = []
        kinds = [np.int32, np.int32, np.float32, *[np.int64] * self._cut.has_times]
        for sender, arrived in enumerate(self._arrived[bucket]):
            if arrived:
                path = self._bucket_path(bucket, sender)
                with open(path, "rb") as file:
                    for n in arrived:
                        runs.append([np.fromfile(file, kind, n) for kind in kinds])
                path.unlink()
        if not runs:
            return Piece(*(np.empty(0, kind) for kind in kinds))
        return Piece(*map(np.concatenate, zip(*runs, strict=True)))

    def settle(self, bucket: int) -> Piece:
        """Settle one of this worker's buckets, and give the test part of its ratings."""
        cut = self._cut
        found = self._bucket(bucket)
        test, columns, users = settle(found, cut.users, cut.items, cut.split, self._facts)
        first, last = int(cut.edges[bucket]), int(cut.edges[bucket + 1])
        settled = Settled(
            self.folder / f"settled-{bucket}.bin",
            first,
            np.bincount(users - first, minlength=last - first),
            has_days=len(columns) == 4,
        )
        settled.write(columns)
        self._settled[bucket] = settled
        return test

    def facts(self) -> Facts:
        """What is known of the ratings of this worker's buckets."""
        return self._facts

    # -- groups ----------------------------------------------------------------------------------

    def deal(self, deal: Deal) -> None:
        """Take note of the groups that users and items were dealt to."""
        (users, items), (user_rows, item_rows) = map(_writable, (deal.groups, deal.rows))
        self._deal = deal = replace(deal, groups=(users, items), rows=(user_rows, item_rows))
        self._groups = {
            group: GroupFile(self.folder / f"group-{group}.bin", deal.form, deal.n_groups)
            for group in range(deal.n_groups)
            if deal.owner(group, self.n_workers) == self.number
        }
        purposes = [SEARCH]
        if self._cut.split.validation_fraction:
            purposes.append(REFIT)
        self._plans = {purpose: PartWriter(self.store, purpose, deal) for purpose in purposes}
        self._counts: list[np.ndarray] = []

    def pack(self, bucket: int) -> list[np.ndarray]:
        """Send the ratings of a bucket to the groups of their users.

        Returns
        -------
        list of ndarray
            As `Settled.read`: they are no longer here.
        """
        settled = self._settled.pop(bucket)
        columns = settled.read()
        for group, counts, records in packed(settled.users(), columns, self._deal):
            owner = self._deal.owner(group, self.n_workers)
            if owner == self.number:
                self._groups[group].append(counts, records)
            else:
                self._outbox.setdefault(owner, []).append((group, counts, records))
        settled.path.unlink()
        return columns

    def keep_records(
        self, sender: int, parts: Sequence[tuple[int, np.ndarray, np.ndarray]]
    ) -> None:
        """Keep ratings of this worker's groups that another one has sent."""
        for group, counts, records in parts:
            self._groups[group].append(counts, records)

    def sort(self, group: int) -> np.ndarray:
        """Sort the blocks of one of this worker's groups; groups ascend.

        Returns
        -------
        ndarray of shape (n_groups, 2), int64
            Ratings of each block to learn from, and held back.
        """
        file = self._groups.pop(group)
        counts = write_blocks(file, self._plans)
        self._counts.append(counts)
        file.delete()
        return counts

    def commit(self, users: Rows, items: Rows, more: dict[str, Any]) -> None:
        """Make the folder complete.

        Parameters
        ----------
        users, items : Rows
            Those of the whole plan.
        more : dict
            Plain data that `opened` is to give.
        """
        for plan in self._plans.values():
            plan.close()
        n_groups = self._deal.n_groups
        counts = np.array(self._counts, np.int64).reshape(-1, n_groups, 2)
        for name, array in (
            ("order", items.order),
            ("starts", items.starts),
            ("counts", items.counts),
        ):
            self.store.write(f"item-{name}", array)
        first, last = self.groups.start, self.groups.stop
        mine = users.order[users.starts[first] : users.starts[last]]
        self.store.write("counts", counts)
        self.store.write("user-starts", users.starts[first : last + 1] - users.starts[first])
        self.store.write("user-counts", users.counts[:, mine])
        self.store.commit(more)
        del self._spools, self._cut, self._lookups, self._bucket_of, self._facts, self._deal

    # -- what is learned from --------------------------------------------------------------------

    def part(self, purpose: str) -> BlockPlan:
        """The ratings of this worker's groups of users, in blocks.

        Parameters
        ----------
        purpose : {"search", "refit"}
            With ratings held back at the end of each block, or without.

        Returns
        -------
        BlockPlan
            Its users are numbered as they lie in its groups; its items are those of the whole plan.
            Ratings are mapped into memory.

        Raises
        ------
        ShardError
            If a file is damaged, or was altered so that rows are named that are not there.
        """
        with making_sense(self.folder):
            plan = self._part(purpose)
            if purpose not in self._checked:
                check_part(plan)
                self._checked.add(purpose)
        return plan

    def _part(self, purpose: str) -> BlockPlan:
        read, has = self.store.read, self.store.entries.__contains__
        counts = read("counts")
        starts, of_users = read("user-starts"), read("user-counts")
        users = Rows(np.arange(int(starts[-1])), starts, of_users)
        items = Rows(read("item-order"), read("item-starts"), read("item-counts"))
        ends = np.cumsum(counts).reshape(counts.shape)
        bounds = np.concatenate([ends[..., :1] - counts[..., :1], ends], axis=-1)
        if purpose == REFIT:
            bounds[..., 1] = bounds[..., 2]
            users, items = users.with_all_learned(), items.with_all_learned()
        files = purpose if has(f"{purpose}-users") else SEARCH
        value = f"{purpose}-left" if purpose in self._left else f"{files}-{VALUE}"
        columns = {VALUE: read(value)}
        if has(f"{files}-{DAY}"):
            columns[DAY] = read(f"{files}-{DAY}")
        return BlockPlan(
            read(f"{files}-users"), read(f"{files}-items"), columns, bounds, users, items
        )

    def learned_sums(self, purpose: str) -> list[float]:
        """The sum of the ratings to learn from of each block."""
        self._left.discard(purpose)
        if self._left_writer is not None:  # of a run that was interrupted
            self._left_writer.entry()
            self._left_writer = None
        self._of_days = plan = self.part(purpose)
        blocks = (plan.block(g, h) for g, h in np.ndindex(*plan.bounds.shape[:2]))
        return [sum_values(plan.values[block.learned]) for block in blocks]

    def of_days(self, purpose: str, group: int, task: str, *arguments: Any) -> Any:
        """What a method of `training.days.Group` returns, for one of this worker's groups.

        It comes after `learned_sums`. The task "take_out" is given the arguments of the last "fit";
        groups ascend then.
        """
        found = Group.of(self._of_days, group - self.groups.start)
        arguments = tuple(_writable(arguments))
        if task != "take_out":
            return getattr(found, task)(*arguments)
        found.fit(*arguments)
        values = self._of_days.values[found.ratings].copy()
        found.subtract(values)
        if self._left_writer is None:
            self._left_writer = self.store.writer(f"{purpose}-left", np.float32)
        self._left_writer.append(values)
        return found.learned_days()

    def use_left(self, purpose: str) -> None:
        """Let `part` have what is left of the ratings from now on."""
        writer = self._left_writer or self.store.writer(f"{purpose}-left", np.float32)
        self.store.entries[f"{purpose}-left"] = writer.entry()
        self._left.add(purpose)
        self._left_writer = None
        del self._of_days


def _writable(given: Iterable[Any]) -> list[Any]:
    """Arrays that can be written to: kernels would be compiled once more for others.

    Those that come from another process cannot.
    """
    return [np.array(each) if isinstance(each, np.ndarray) else each for each in given]
