"""Biases of users on days, where groups of users are with workers: `training.days` says what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from funksvd.cluster.blocks import groups_of_worker, owner_of
from funksvd.cluster.gang import Gang
from funksvd.learned import Days
from funksvd.training.days import DayGroups, find_days
from funksvd.training.plan import Rows


def take_out_days(gang: Gang, purpose: str, users: Rows, items: Rows) -> Days | None:
    """Find the biases of users on days, and have the workers take them out of the ratings.

    Parameters
    ----------
    gang : Gang
        Of `Shard`, whose parts have a column of days.
    purpose : {"search", "refit"}
        Of the parts. From then on, `Shard.part` has what is left of their ratings.
    users, items : Rows
        Of the whole plan of that purpose.

    Returns
    -------
    Days or None
        As `training.days.without_days`, for the plan that is in memory: the same bytes.
    """
    return find_days(_WithWorkers(gang, purpose, users), items)


class _WithWorkers(DayGroups):
    """The groups of all workers."""

    def __init__(self, gang: Gang, purpose: str, users: Rows) -> None:
        self._gang, self._purpose, self._users = gang, purpose, users

    def sums(self) -> list[float]:
        return [each for some in self._gang.each("learned_sums", self._purpose) for each in some]

    def each(self, task: str, *arguments: Any) -> Iterator[Any]:
        """As `DayGroups.each`: each worker has one group of its own at a time to do."""
        gang, n_groups = self._gang, len(self._users.starts) - 1
        owners = [owner_of(group, n_groups, gang.n_workers) for group in range(n_groups)]
        if gang.n_workers == 1:
            for group in range(n_groups):
                yield gang.result(0, "of_days", self._purpose, group, task, *arguments)
            return
        given = [gang.share(each) if isinstance(each, np.ndarray) else each for each in arguments]
        handles = [
            gang.submit(owner, "of_days", self._purpose, group, task, *given)
            for group, owner in enumerate(owners)
        ]
        for handle in handles:
            yield gang.results([handle])[0]

    def take_out(self, *fitted: Any) -> list[tuple[np.ndarray, ...]]:
        found, starts, n_workers = [], self._users.starts, self._gang.n_workers
        n_groups = len(starts) - 1
        for group, (rows, *more) in enumerate(self.each("take_out", *fitted)):
            owner = owner_of(group, n_groups, n_workers)
            first = starts[groups_of_worker(owner, n_workers, n_groups).start]
            found.append((self._users.order[first + rows], *more))
        self._gang.each("use_left", self._purpose)
        return found
