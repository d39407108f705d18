"""From settled ratings to the blocks of a plan: packed into records, dealt and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from funksvd.atomic import naming
from funksvd.cluster.files import ArrayWriter, Store, require
from funksvd.kernels import count_blocks, fill_records
from funksvd.parallel import available_processors, in_order
from funksvd.training.block_order import NO_WORDS, RecordForm, unpack
from funksvd.training.plan import DAY, VALUE, BlockPlan, Rows, groups_of, rows_in_groups

SORTED_AT_ONCE = 1 << 22
"""Ratings that are sorted at a time, or those of a block, if it has more."""
SEARCH, REFIT = "search", "refit"
"""Plans: with ratings held back, and without."""


@dataclass(frozen=True)
class Deal:
    """Where each user and item has its place in the plan.

    Parameters
    ----------
    groups : tuple of ndarray of shape (n_users,) and (n_items,), uint16
        The group of each; of rows that are in no group, any.
    rows : tuple of ndarray of shape (n_users,) and (n_items,), uint16 or uint32
        The row of each within its group.
    n_groups : int
    form : RecordForm
    has_days : bool
        Whether records hold the day of a rating besides its value.
    """

    groups: tuple[np.ndarray, np.ndarray]
    rows: tuple[np.ndarray, np.ndarray]
    n_groups: int
    form: RecordForm
    has_days: bool

    @classmethod
    def of(
        cls,
        sides: tuple[Rows, Rows],
        kept: tuple[np.ndarray, np.ndarray],
        sizes: tuple[int, int],
        has_days: bool,
    ) -> Deal:
        """The places of users and items.

        Parameters
        ----------
        sides : (Rows, Rows)
            Of the users and items that are kept.
        kept : tuple of ndarray of int64
            Their rows among all users and items, ascending.
        sizes : (int, int)
            Numbers of all users and items.
        has_days : bool
        """
        groups: list[np.ndarray] = []
        rows: list[np.ndarray] = []
        of_kept = rows_in_groups(*sides)
        for side, at, n, row in zip(sides, kept, sizes, of_kept, strict=True):
            for into, found in ((groups, groups_of(side)), (rows, row)):
                every = np.zeros(n, found.dtype)
                every[at] = found
                into.append(every)
        form = RecordForm.of(sides[0].largest_group, sides[1].largest_group, 0)
        if has_days:  # the second word holds the value and the day
            form = form._replace(word=np.dtype(np.uint64))
        n_groups = len(sides[1].starts) - 1
        return cls((groups[0], groups[1]), (rows[0], rows[1]), n_groups, form, has_days)

    def owner(self, group: int, n_workers: int) -> int:
        """The worker that a group of users belongs to."""
        return owner_of(group, self.n_groups, n_workers)

    @property
    def index_type(self) -> np.dtype[np.unsignedinteger]:
        """Of rows within groups."""
        return self.rows[0].dtype


def owner_of(group: int, n_groups: int, n_workers: int) -> int:
    """The worker that owns a group of users: worker w has those from wB/W up to (w + 1)B/W."""
    return ((group + 1) * n_workers - 1) // n_groups


def groups_of_worker(worker: int, n_workers: int, n_groups: int) -> range:
    """The groups of users that a worker owns: the opposite of `owner_of`."""
    return range(worker * n_groups // n_workers, (worker + 1) * n_groups // n_workers)


def packed(
    users: np.ndarray, columns: list[np.ndarray], deal: Deal
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Ratings as records, by block.

    Parameters
    ----------
    users : ndarray of shape (n,), int32
    columns : list of ndarray of shape (n,)
        Items, values, days if there are any, and which are held back.
    deal : Deal

    Yields
    ------
    group : int
        Of users.
    counts : ndarray of shape (n_groups, 2), int64
        Records by group of items, and whether they are held back.
    records : ndarray of shape (n_records, 2)
        In that order.
    """
    items, values, *days, held_back = columns
    words = NO_WORDS if days else values.view(np.uint32)
    counts = np.zeros((deal.n_groups, deal.n_groups, 2), np.int64)
    count_blocks(users, items, held_back, *deal.groups, counts)
    ends = np.cumsum(counts).reshape(counts.shape)
    records = deal.form.empty(len(users))
    fill_records(
        users,
        items,
        words,
        held_back,
        deal.groups,
        deal.rows,
        deal.form.item_bits,
        0,
        ends - counts,
        records,
    )
    if days:  # the second words are positions: the kernel has no words of 64 bits
        pairs = days[0].view(np.uint32).astype(np.uint64) << np.uint64(32)
        pairs |= values.view(np.uint32)
        records[:, 1] = pairs[records[:, 1]]
    bounds = [0, *ends[:, -1, 1].tolist()]
    for group, (start, stop) in enumerate(pairwise(bounds)):
        if stop > start:
            yield group, counts[group], records[start:stop]


class GroupFile:
    """Records of a group of users, in the order in which they came.

    Parameters
    ----------
    path : Path
    form : RecordForm
    n_groups : int
    """

    def __init__(self, path: Path, form: RecordForm, n_groups: int) -> None:
        self._path, self._form, self._n_groups = path, form, n_groups
        self._counts: list[np.ndarray] = []
        with naming(path, path):
            path.write_bytes(b"")

    def append(self, counts: np.ndarray, records: np.ndarray) -> None:
        """Append what `packed` yields."""
        self._counts.append(counts)
        with naming(self._path, self._path), open(self._path, "ab") as file:
            file.write(np.ascontiguousarray(records).data)

    @property
    def counts(self) -> np.ndarray:
        """Records by group of items, and whether they are held back: (n_groups, 2), int64."""
        return sum(self._counts, np.zeros((self._n_groups, 2), np.int64))

    def blocks(self) -> Iterator[list[np.ndarray]]:
        """The records of a few blocks at a time: of each, those to learn from, and those held back.

        In the order of the groups of items.
        """
        totals = self.counts.sum(axis=1)
        first = 0
        while first < self._n_groups:
            last = first + 1
            while last < self._n_groups and totals[first : last + 1].sum() <= SORTED_AT_ONCE:
                last += 1
            yield self._between(first, last)
            first = last

    def _between(self, first: int, last: int) -> list[np.ndarray]:
        sizes = self.counts[first:last].reshape(-1)
        parts = [self._form.empty(int(size)) for size in sizes]
        filled = np.zeros(len(parts), np.int64)
        offset, width = 0, self._form.empty(1).nbytes
        with open(self._path, "rb") as file:
            for counts in self._counts:
                n_before, n = int(counts[:first].sum()), int(counts[first:last].sum())
                file.seek((offset + n_before) * width)
                records = np.fromfile(file, self._form.word, 2 * n).reshape(n, 2)
                offset += int(counts.sum())
                start = 0
                for at, size in enumerate(counts[first:last].reshape(-1).tolist()):
                    parts[at][filled[at] : filled[at] + size] = records[start : start + size]
                    filled[at] += size
                    start += size
        return parts

    def delete(self) -> None:
        """Delete the file: its records are elsewhere."""
        self._path.unlink()


class PartWriter:
    """The columns of a worker's part of a plan, in files.

    Parameters
    ----------
    store : Store
    purpose : {"search", "refit"}
    deal : Deal
    """

    def __init__(self, store: Store, purpose: str, deal: Deal) -> None:
        self._store, self._purpose, self._deal = store, purpose, deal
        kinds = {"users": deal.index_type, "items": deal.index_type, VALUE: np.float32}
        if deal.has_days:
            kinds[DAY] = np.int32
        self._writers: Mapping[str, ArrayWriter] = {
            name: store.writer(f"{purpose}-{name}", kind) for name, kind in kinds.items()
        }

    def append(self, parts: Iterable[np.ndarray]) -> None:
        """Sort the ratings of blocks, or those of them that are learned from, and append them.

        Parameters
        ----------
        parts : iterable of ndarray of shape (n, 2)
            Records; overwritten.
        """
        sort = partial(sorted_columns, deal=self._deal)
        for columns in in_order(sort, parts, available_processors()):
            for name, column in columns.items():
                self._writers[name].append(column)

    def close(self) -> None:
        """Close the files."""
        for name, writer in self._writers.items():
            self._store.entries[f"{self._purpose}-{name}"] = writer.entry()


def sorted_columns(records: np.ndarray, deal: Deal) -> dict[str, np.ndarray]:
    """The ratings of a block in their order, as columns; records are overwritten."""
    n = len(records)
    users, items = np.empty(n, deal.index_type), np.empty(n, deal.index_type)
    words = np.empty(n, deal.form.word)
    unpack(deal.form, records, users, items, words)
    low = words.astype(np.uint32, copy=False)
    columns = {"users": users, "items": items, VALUE: low.view(np.float32)}
    if deal.has_days:
        columns[DAY] = (words >> np.uint64(32)).astype(np.uint32).view(np.int32)
    return columns


def write_blocks(file: GroupFile, plans: Mapping[str, PartWriter]) -> np.ndarray:
    """Sort the blocks of a group of users, and append them to plans.

    Parameters
    ----------
    file : GroupFile
    plans : mapping of str to PartWriter
        By purpose; only the one for search, where nothing is held back.

    Returns
    -------
    ndarray of shape (n_groups, 2), int64
        Ratings of each block to learn from, and held back.
    """
    for parts in file.blocks():
        if REFIT in plans:
            pairs = zip(parts[::2], parts[1::2], strict=True)
            plans[REFIT].append(map(np.concatenate, pairs))
        plans[SEARCH].append(parts)
    return file.counts


def check_rows(rows: Rows, what: str) -> None:
    """Raise a `ValueError` unless each user, or each item, is in one group."""
    order, starts, counts = rows.order, rows.starts, rows.counts
    n = len(order)
    require(all(each.dtype == np.int64 for each in (order, starts, counts)), what)
    require(counts.shape == (2, n) and not (counts < 0).any(), what)
    require(starts[0] == 0 and starts[-1] == n and (starts[:-1] <= starts[1:]).all(), what)
    within = not n or 0 <= order.min() <= order.max() < n
    require(within and (np.bincount(order, minlength=n) == 1).all(), what)


def check_part(plan: BlockPlan) -> None:
    """Raise a `ValueError` unless all ratings are of rows of their groups.

    Kernels follow the numbers of rows without a look at how many there are.
    """
    sides = (("users", plan.users, plan.user_index), ("items", plan.items, plan.item_index))
    n, bounds = len(plan.user_index), plan.bounds
    for what, rows, index in sides:
        check_rows(rows, what)
        require(index.dtype.kind == "u" and len(index) == n, what)
    for name, column in plan.columns.items():
        require(
            len(column) == n and column.dtype == (np.int32 if name == DAY else np.float32), name
        )
    flat = bounds.reshape(-1)
    require(bounds.shape == (*(len(rows.starts) - 1 for _, rows, _ in sides), 3), "counts")
    require((flat[:-1] <= flat[1:]).all() and flat.min(initial=0) == 0, "counts")
    require(flat.max(initial=0) == n, "counts")
    for at in np.ndindex(*bounds.shape[:2]):
        block = slice(int(bounds[at][0]), int(bounds[at][2]))
        for group, (what, rows, index) in zip(at, sides, strict=True):
            size = rows.starts[group + 1] - rows.starts[group]
            require(block.start == block.stop or index[block].max() < size, what)
