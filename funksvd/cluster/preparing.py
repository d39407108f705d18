"""From files of ratings to shards: the one process that tells workers what to do."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from funksvd.cluster.blocks import Deal, owner_of
from funksvd.cluster.buckets import Facts, Split
from funksvd.cluster.files import Store
from funksvd.cluster.folder import Claim, require_room
from funksvd.cluster.gang import Gang
from funksvd.cluster.sharded import MANIFEST, ShardedRatings
from funksvd.cluster.shards import Cut, Scanned
from funksvd.cluster.spool import SIDES
from funksvd.errors import FunkSVDError, RatingsError, ShardError, argument
from funksvd.ratings import ReadOptions, ReadReport
from funksvd.ratings.duplicates import repeats_refused
from funksvd.ratings.interactions import FINGERPRINT_VERSION
from funksvd.ratings.io.badrows import N_KEPT
from funksvd.ratings.io.columns import Columns
from funksvd.ratings.io.damaged import damaged_ids
from funksvd.ratings.io.distinct import joined_distinct
from funksvd.ratings.io.names import MissingColumnsError
from funksvd.ratings.io.reading import why_text
from funksvd.ratings.io.sources import report_of
from funksvd.ratings.io.streams import Partition, partitions, stamps
from funksvd.ratings.io.tables import refuse_bad_rows
from funksvd.splitting.pairs import pair_hashes
from funksvd.splitting.provenance import Provenance, Source
from funksvd.splitting.random import check_drawn
from funksvd.training.planning import choose_n_groups, dealt_by_counts

Progress = Callable[[str, int, int], None]
STEPS = ("scan", "spread", "settle", "pack", "sort")
"""Names of steps: of files and parts of them, pieces, buckets twice, and groups of users. A single
step "again" says that what an earlier run has left is used."""
CALLED = {
    "version": "programs",
    "files": "files",
    "options": "settings of reading",
    "n_workers": "numbers of workers",
    "with_days": "settings of days",
}
"""Names of inputs that no argument is called by, in messages."""
VERSION = 1
"""Of the files in folders of shards."""
BYTES_PER_SEEN = 9
"""Bytes for each rating on the disk of the process that tells workers what to do."""
CLEAR_SECONDS = 10.0
"""Seconds that workers have to remove what they have begun, when preparing has ended early. What
they leave, the next run removes."""
BUCKET_ROWS = 4_000_000
"""Rows of the users of a bucket; of one user, they may be more."""


@dataclass(frozen=True)
class Wanted:
    """How ratings are to be cut up.

    Parameters
    ----------
    options : ReadOptions
    test_fraction, validation_fraction : float
        Probability of a rating to be in the test part, and of the others to be held back.
    seed : int
    n_groups : int, optional
        B; by default, the numbers of users, items and ratings decide.
    with_days : bool
        Whether days are kept, where there are timestamps.
    """

    options: ReadOptions
    test_fraction: float = 0.1
    validation_fraction: float = 0.1
    seed: int = 0
    n_groups: int | None = None
    with_days: bool = True


def _untold(step: str, n_done: int, n: int) -> None:
    """Progress that nobody is told of."""


def prepare(
    gang: Gang,
    paths: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    wanted: Wanted,
    *,
    overwrite: bool = False,
    progress: Progress = _untold,
) -> ShardedRatings:
    """Read ratings, and cut them up for workers; or take what an earlier run has left.

    Parameters
    ----------
    gang : Gang
        Of `Shard`.
    paths : sequence of path
        Files and folders, and addresses such as "s3://bucket/ratings/".
    folder : path
        Of this process. What it holds is used again if it is of the same files and settings.
    wanted : Wanted
    overwrite : bool
        Whether ratings in the folder that were prepared of other files or with other settings may
        be removed.
    progress : callable
        Told of each step: its name, of `STEPS`, and how much of it is done, of how much.

    Raises
    ------
    RatingsError
        If a source is missing or cannot be understood, or has a row that cannot be used.
    ShardError
        If the folder is in use by another process, holds files of something else, or ratings that
        were prepared otherwise.
    WriteError
        If there is no room on a disk.
    """
    given = [os.path.expanduser(os.fspath(path)) for path in paths]
    inputs = _inputs(given, wanted, gang.n_workers)
    claim = Claim(Path(folder))
    store = Store(Path(folder), MANIFEST, claim)
    try:
        if _is_there(store, inputs, gang, overwrite=overwrite):
            progress("again", 1, 1)
            return ShardedRatings.of(store)
    except BaseException:
        claim.close()
        raise
    try:
        return _Preparing(gang, given, wanted, store, progress).run(inputs)
    except BaseException as error:
        with contextlib.suppress(FunkSVDError, OSError):  # the first error is the one to tell
            store.remove()
            workers = range(gang.n_workers)
            gang.results([gang.submit(worker, "clear") for worker in workers], CLEAR_SECONDS)
        claim.close()
        if isinstance(error, MissingColumnsError) and error.missing == {"rating"}:
            raise RatingsError(
                f"{', '.join(given)}: there is no column of ratings, and clicks do not learn from "
                f"shards yet. Name the column with {argument('rating_col')} if there is one; "
                "otherwise have the clicks in memory"
            ) from None
        raise


def _is_there(store: Store, inputs: dict[str, Any], gang: Gang, *, overwrite: bool) -> bool:
    """Whether the folder, and those of all workers, hold what is to be prepared."""
    try:
        before = store.opened()
        if before is not None:
            _check_same(store.folder, before["inputs"], inputs)
    except ShardError:
        if not overwrite:
            raise
        return False
    return before is not None and all(found == {"inputs": inputs} for found in gang.each("opened"))


def _inputs(paths: list[str], wanted: Wanted, n_workers: int) -> dict[str, Any]:
    """All that the shards depend on, as plain data."""
    plain = asdict(wanted)
    found = {
        "version": VERSION,
        "files": stamps(paths),
        "options": plain.pop("options"),
        "n_workers": n_workers,
        **plain,
    }
    return dict(json.loads(json.dumps(found)))


def _check_same(
    folder: str | os.PathLike[str], before: dict[str, Any], inputs: dict[str, Any]
) -> None:
    differing = (name for name in inputs if before.get(name) != inputs[name])
    others = [CALLED.get(name) or argument(name) for name in differing]
    if others:
        raise ShardError(
            f"{folder} holds ratings that were prepared with other {' and '.join(others)}. Give "
            "another folder, or have them prepared anew with "
            f"{argument('overwrite')}"
        )


class _Preparing:
    """The steps of `prepare`."""

    def __init__(
        self, gang: Gang, paths: list[str], wanted: Wanted, store: Store, progress: Progress
    ) -> None:
        self._gang, self._paths, self._wanted = gang, paths, wanted
        self._store, self._progress = store, progress

    def run(self, inputs: dict[str, Any]) -> ShardedRatings:
        """Do all of it."""
        store, gang = self._store, self._gang
        store.remove()
        dealt = self._partitions()
        require_room(store.folder, sum(part.n_rows for part in chain(*dealt)) * BYTES_PER_SEEN)
        fractions = (self._wanted.test_fraction, self._wanted.validation_fraction)
        cut, facts, report = self._settled(dealt, *fractions)
        self._check_drawn(facts, report.source)
        if facts.n("test") and not facts.is_learnable("all"):
            fractions = (0.0, fractions[1])
            cut, facts, report = self._settled(dealt, *fractions)
        if facts.n("held_back") and not facts.is_learnable("learned"):
            cut, facts, report = self._settled(dealt, fractions[0], 0.0)
        sharded = self._plan(cut, facts, report, store)
        rows = gang.share(sharded.user_rows), gang.share(sharded.item_rows)
        gang.each("commit", *rows, {"inputs": inputs})
        sharded.commit({"inputs": inputs})
        return sharded

    def _settled(
        self, dealt: list[list[Partition]], test_fraction: float, validation_fraction: float
    ) -> tuple[Cut, Facts, ReadReport]:
        """Read all partitions, and settle their ratings; once more with other parts of a few."""
        gang = self._gang
        sizes = [sum(part.n_rows for part in parts) for parts in dealt]
        gang.results([gang.submit(worker, "clear", n) for worker, n in enumerate(sizes)])
        scanned = self._scan(dealt)
        cut, report = self._cut(dealt, scanned)
        split = replace(
            cut.split, test_fraction=test_fraction, validation_fraction=validation_fraction
        )
        cut = replace(cut, split=split)
        gang.each("cut", gang.share(cut))
        self._spread(scanned)
        facts = self._settle(cut, self._store)
        return cut, facts, self._without_repeats(report, facts, cut)

    def _check_drawn(self, facts: Facts, source: str) -> None:
        wanted, n_test = self._wanted, facts.n("test")
        check_drawn(n_test, facts.sums.n, wanted.test_fraction, wanted.seed, source)
        n, n_held_back = facts.sums.n - n_test, facts.n("held_back")
        check_drawn(n_held_back, n, wanted.validation_fraction, wanted.seed, source)

    # -- reading ---------------------------------------------------------------------------------

    def _partitions(self) -> list[list[Partition]]:
        """The partitions of each worker: those of the first come before those of the second."""
        every = partitions(self._paths, self._wanted.options)
        n_workers = self._gang.n_workers
        sizes = np.array([part.n_rows for part in every], np.float64) + 1
        owners = ((np.cumsum(sizes) - sizes) / sizes.sum() * n_workers).astype(int)
        return [
            [part for part, owner in zip(every, owners, strict=True) if owner == worker]
            for worker in range(n_workers)
        ]

    def _scan(self, dealt: list[list[Partition]]) -> list[list[Scanned]]:
        gang, n, n_done = self._gang, sum(map(len, dealt)), 0
        found: list[list[Scanned]] = [[] for _ in dealt]
        for turn in range(max(map(len, dealt))):
            having = [worker for worker, parts in enumerate(dealt) if turn < len(parts)]
            handles = [
                gang.submit(worker, "scan", dealt[worker][turn], self._wanted.options)
                for worker in having
            ]
            for worker, scanned in zip(having, gang.results(handles), strict=True):
                found[worker].append(scanned)
            n_done += len(having)
            self._progress("scan", n_done, n)
        return found

    def _cut(
        self, dealt: list[list[Partition]], scanned: list[list[Scanned]]
    ) -> tuple[Cut, ReadReport]:
        """Number the users and items, and cut the users into buckets."""
        every = [part for parts in dealt for part in parts]
        found = [each for some in scanned for each in some]
        report, units = self._report(every, found)
        vocabularies, counts = {}, {}
        for side in SIDES:
            parts = [part for some in self._gang.each("distinct", side) for part in some]
            vocabularies[side], counts[side] = joined_distinct(parts, side, report.source)
            report.warnings.extend(damaged_ids(vocabularies[side], report.source))
            if not any(part.typed for part in parts):
                remark = why_text(vocabularies[side])
                report = replace(report, detected=report.detected + remark)
        has_times = all(unit is not None for unit in units)
        there = {
            unit
            for unit, each in zip(units, found, strict=True)
            if each.times is not None and each.times.has_times
        }
        is_mixed = has_times and len(there) > 1
        unit = "seconds" if is_mixed or not there else next(iter(there))
        of_workers, start = [], 0
        for some in scanned:
            mine = units[start : start + len(some)] if is_mixed else [None] * len(some)
            of_workers.append(tuple(mine))
            start += len(some)
        wanted = self._wanted
        split = Split(
            wanted.options.duplicates,
            wanted.test_fraction,
            wanted.validation_fraction,
            wanted.seed,
            unit if has_times and wanted.with_days else None,
        )
        edges = _edges(counts["user"])
        users, items = vocabularies["user"], vocabularies["item"]
        return Cut(users, items, edges, has_times, tuple(of_workers), split), report

    def _report(
        self, every: list[Partition], found: list[Scanned]
    ) -> tuple[ReadReport, list[str | None]]:
        """The report about all files, and the unit of each partition's timestamps."""
        named: list[tuple[str, Columns]] = []
        units: list[str | None] = []
        names: list[str | None] = []
        for part, scanned in zip(every, found, strict=True):
            unit = None if scanned.times is None else scanned.times.unit
            names.append(unit)
            if part.first_row:
                named[-1] = (part.name, _together(named[-1][1], scanned.columns))
            else:
                named.append((part.name, scanned.columns))
                units.append(unit)
        for name, columns in named:
            refuse_bad_rows(
                columns.bad_rows, columns.n_bad, columns.n_rows, self._wanted.options, name
            )
        return report_of(named, units, self._paths), names

    # -- buckets ---------------------------------------------------------------------------------

    def _spread(self, scanned: list[list[Scanned]]) -> None:
        """Send rows to the workers of their buckets, a piece of each worker's at a time."""
        gang = self._gang
        queues = [
            [(at, piece) for at, each in enumerate(some) for piece in range(each.n_pieces)]
            for some in scanned
        ]
        n_turns = max(map(len, queues), default=0)
        for turn in range(n_turns):
            senders = [worker for worker, queue in enumerate(queues) if turn < len(queue)]
            handles = [gang.submit(worker, "spread", *queues[worker][turn]) for worker in senders]
            handles += _exchange(gang, senders, "keep_rows")
            gang.results(handles)
            self._progress("spread", turn + 1, n_turns)

    def _settle(self, cut: Cut, store: Store) -> Facts:
        names = ["users", "items", "values", *["timestamps"] * cut.has_times]
        kinds = [np.int32, np.int32, np.float32, np.int64]
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(store.writer(f"test-{name}", kind))
                for name, kind in zip(names, kinds, strict=False)
            ]
            for buckets in cut.rounds(self._gang.n_workers):
                handles = [self._gang.submit(owner, "settle", b) for owner, b in buckets]
                for test in self._gang.results(handles):
                    for writer, column in zip(writers, test, strict=False):
                        writer.append(column)
                self._progress("settle", buckets[-1][1] + 1, cut.n_buckets)
            for name, writer in zip(names, writers, strict=True):
                store.entries[f"test-{name}"] = writer.entry()
        facts, gang = Facts.empty(len(cut.users), len(cut.items)), self._gang
        for handle in [gang.submit(worker, "facts") for worker in range(gang.n_workers)]:
            facts.add(*gang.results([handle]))  # those of one worker at a time are in memory
        return facts

    def _without_repeats(self, report: ReadReport, facts: Facts, cut: Cut) -> ReadReport:
        if facts.repeat is not None:
            user, item = facts.repeat
            pair = (cut.users.label(user), cut.items.label(item))
            raise repeats_refused(report.source, facts.n_duplicates, "ratings", pair)
        return replace(report, n_duplicates=facts.n_duplicates)

    # -- groups ----------------------------------------------------------------------------------

    def _plan(self, cut: Cut, facts: Facts, report: ReadReport, store: Store) -> ShardedRatings:
        gang, wanted = self._gang, self._wanted
        counts = [facts.counts[side][:2] for side in SIDES]
        kept = [np.flatnonzero(each.any(axis=0)) for each in counts]
        n = int(counts[0].sum())
        if not n:
            raise RatingsError(f"{report.source}: there are no ratings to learn from")
        n_groups = choose_n_groups(len(kept[0]), len(kept[1]), n, given=wanted.n_groups)
        rows = [
            dealt_by_counts(each[:, at], n_groups) for each, at in zip(counts, kept, strict=True)
        ]
        sizes = (len(cut.users), len(cut.items))
        has_days = cut.split.unit is not None
        deal = Deal.of((rows[0], rows[1]), (kept[0], kept[1]), sizes, has_days)
        gang.each("deal", gang.share(deal))
        self._pack(cut, kept[1], store)
        block_counts = self._sort(n_groups)
        sample = facts.sample
        for name in ("hashes", "values"):
            store.write(f"sample-{name}", getattr(sample, name))
        for name, at in (("users", kept[0]), ("items", kept[1])):
            places = np.searchsorted(at, getattr(sample, name)).astype(np.int32)
            store.write(f"sample-{name}", places)
        provenance = self._provenance(cut, facts, report)
        sharded = ShardedRatings(
            store=store,
            all_users=cut.users,
            all_items=cut.items,
            kept_users=kept[0],
            kept_items=kept[1],
            user_rows=rows[0],
            item_rows=rows[1],
            block_counts=block_counts,
            report=report,
            provenance=provenance,
            limits=facts.limits,
            has_days=has_days,
        )
        if sharded.test is not None:
            pairs = np.sort(pair_hashes(sharded.test))
            sharded = replace(sharded, provenance=replace(provenance, test_pairs=pairs))
        return sharded

    def _pack(self, cut: Cut, kept_items: np.ndarray, store: Store) -> None:
        """Send ratings to the workers of their groups, and keep which there are by user."""
        gang = self._gang
        places = np.zeros(len(cut.items), np.int32)
        places[kept_items] = np.arange(len(kept_items), dtype=np.int32)
        kinds = {"items": np.int32, "values": np.float32, "held-back": np.bool_}
        with contextlib.ExitStack() as stack:
            writers = {
                name: stack.enter_context(store.writer(f"seen-{name}", kind))
                for name, kind in kinds.items()
            }
            for buckets in cut.rounds(gang.n_workers):
                handles = [gang.submit(owner, "pack", bucket) for owner, bucket in buckets]
                handles += _exchange(gang, [owner for owner, _ in buckets], "keep_records")
                for columns in gang.results(handles)[: len(buckets)]:
                    writers["items"].append(places[columns[0]])
                    writers["values"].append(columns[1])
                    writers["held-back"].append(columns[-1])
                self._progress("pack", buckets[-1][1] + 1, cut.n_buckets)
            for name, writer in writers.items():
                store.entries[f"seen-{name}"] = writer.entry()

    def _sort(self, n_groups: int) -> np.ndarray:
        """Sort the blocks of all groups, and count their ratings."""
        gang = self._gang
        owners = [owner_of(group, n_groups, gang.n_workers) for group in range(n_groups)]
        handles = [gang.submit(owner, "sort", group) for group, owner in enumerate(owners)]
        counts = []
        for group, handle in enumerate(handles, 1):
            counts += gang.results([handle])
            self._progress("sort", group, n_groups)
        return np.stack(counts)

    def _provenance(self, cut: Cut, facts: Facts, report: ReadReport) -> Provenance:
        names = ["values", *["timestamps"] * cut.has_times]

        def fingerprint(sums: Any) -> str:
            return f"{FINGERPRINT_VERSION}:{sums.digest(names)}"

        return Provenance(
            ratings=Source(report.files, fingerprint(facts.sums), facts.sums.n),
            options=self._wanted.options,
            test=None,
            validation=None,
            test_fraction=float(self._wanted.test_fraction),
            seed=int(self._wanted.seed),
            test_fingerprint=fingerprint(facts.test_sums) if facts.test_sums.n else None,
        )


def _exchange(gang: Gang, senders: Sequence[int], method: str) -> list[Any]:
    """Have what workers have put aside for others handed over."""
    handles = []
    for sender in senders:
        for owner in range(gang.n_workers):
            if owner != sender:
                outgoing = gang.submit(sender, "outgoing", owner)
                handles.append(gang.submit(owner, method, sender, outgoing))
    return handles


def _edges(counts: np.ndarray) -> np.ndarray:
    """Where buckets of users begin, and the last one ends."""
    edges, ends = [0], np.cumsum(counts)
    while edges[-1] < len(counts):
        before = int(ends[edges[-1] - 1]) if edges[-1] else 0
        edge = int(np.searchsorted(ends, before + BUCKET_ROWS, side="right"))
        edges.append(max(edge, edges[-1] + 1))
    return np.array(edges)


def _together(before: Columns, more: Columns) -> Columns:
    """What was found in two parts of a file, one after the other."""
    return replace(
        before,
        n_rows=before.n_rows + more.n_rows,
        n_bad=before.n_bad + more.n_bad,
        bad_rows=[*before.bad_rows, *more.bad_rows][:N_KEPT],
        rounded=before.rounded or more.rounded,
    )
