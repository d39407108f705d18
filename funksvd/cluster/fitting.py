"""Ratings in shards, for `FunkSVD.fit`: on this machine's disk, or with a cluster's workers."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from funksvd.cluster.choices import ShardedPairs, Solving
from funksvd.cluster.descent import Descending
from funksvd.cluster.folder import folder_of_worker
from funksvd.cluster.gang import Gang, LocalGang
from funksvd.cluster.learner import ShardedPlan
from funksvd.cluster.preparing import Progress, Wanted, prepare
from funksvd.cluster.sharded import ShardedRatings
from funksvd.cluster.shards import Shard
from funksvd.errors import FunkSVDError, GangLostError, RatingsError, ShardError, argument
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.learned.calibration import Checked
from funksvd.learned.rating_model import RatingModel
from funksvd.learning import Known, Prepared
from funksvd.model import FunkSVD
from funksvd.ratings import ReadOptions
from funksvd.ratings.io.addresses import is_address
from funksvd.training import Checkpoints, Monitor, PairPlan, check_ratings

MAX_LOSSES = 4
"""Times in a row, without a new checkpoint between them, that workers may be lost."""
RETRY_SECONDS = 2.0
"""Seconds until workers are called together again; after each loss in a row, twice as many."""
CLAIM_SECONDS = 30.0
"""Seconds that workers of before have to end, and to let go of their folders."""


T = TypeVar("T")
Lost = Callable[[GangLostError], None]


class Worker(Shard, Descending, Solving):
    """All that a worker does: it prepares ratings, and learns from them."""


class Shards(Prepared):
    """Ratings in shards, and workers that learn from them; a context manager.

    Parameters
    ----------
    paths : sequence of path
        Files and folders, and addresses that fsspec knows, such as "s3://bucket/ratings/".
    hyperparameters : Hyperparameters
        Those that a model will learn with: they decide how ratings are cut up.
    folder : path, optional
        Where the shards are kept, on this machine and on those of the workers; what it holds of the
        same files and settings is used again. By default one that is removed in the end.
    options : ReadOptions, optional
        Settings to use instead of detection.
    test_fraction : float
        Share of the ratings that is set aside, as `test`.
    cluster : str, optional
        As for `funksvd.cluster.ray.RayGang`; by default all work is done in this process.
    n_workers : int
        Workers in this process: the memory that is needed does not depend on their number, nor
        does the model.
    overwrite : bool
        Whether shards of other files or settings in the folder may be removed.
    progress : callable, optional
        As for `funksvd.cluster.preparing.prepare`.
    lost : callable, optional
        Told of workers that were lost, before others take their place.

    Attributes
    ----------
    gang : Gang
    ratings : ShardedRatings

    Raises
    ------
    FunkSVDError
        If the hyperparameters are those of an algorithm that does not learn from shards, or the
        cluster cannot be reached.
    GangLostError
        If workers were lost too often.
    RatingsError, ShardError, WriteError
        As `prepare` does.

    Examples
    --------
    >>> with Shards(["ratings.parquet"], Hyperparameters()) as shards:  # doctest: +SKIP
    ...     model = shards.fit(FunkSVD())
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        hyperparameters: Hyperparameters,
        folder: str | os.PathLike[str] | None = None,
        *,
        options: ReadOptions | None = None,
        test_fraction: float = 0.0,
        cluster: str | None = None,
        n_workers: int = 1,
        overwrite: bool = False,
        progress: Progress | None = None,
        lost: Lost | None = None,
    ) -> None:
        check_shardable(hyperparameters)
        if folder and is_address(str(folder)):
            raise ShardError(f"{folder} is an address; ratings in shards need a folder on a disk")
        chosen = hyperparameters.resolved()
        wanted = Wanted(
            options or ReadOptions(),
            test_fraction,
            chosen.validation_fraction,
            chosen.seed,
            chosen.n_groups,
            bool(hyperparameters.in_use().get("days")),
        )
        self._scratch = None if folder else Path(tempfile.mkdtemp(prefix="funksvd-"))
        self._folder = self._scratch or Path(os.path.expanduser(str(folder)))
        self._cluster, self._n_workers = cluster, n_workers
        self._n_threads = hyperparameters.n_threads
        self._given = (list(paths), self._folder, wanted)
        self._progress: dict[str, Any] = {} if progress is None else {"progress": progress}
        self._overwrite, self._lost = overwrite, lost
        self._is_together = self._were_lost = False
        self.gang: Gang = None  # type: ignore[assignment]  # until it is there
        self.ratings: ShardedRatings = None  # type: ignore[assignment]
        try:
            self._with_workers(lambda: None, lambda: None)
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        """Call workers together, and have them take up the ratings, or prepare them."""
        if self._cluster is None:
            self.gang = LocalGang(self._n_workers, partial(_make, self._folder, 0.0))
        else:
            from funksvd.cluster.ray import RayGang

            try:
                gang = RayGang(self._cluster, partial(_make, self._folder, CLAIM_SECONDS))
            except FunkSVDError as error:
                if not self._were_lost:
                    raise
                raise GangLostError(error.template) from error
            self._n_threads = self._n_threads or gang.n_threads
            self.gang = gang
        how: dict[str, Any] = {"overwrite": self._overwrite, **self._progress}
        self.ratings = prepare(self.gang, *self._given, **how)
        self.source = self.ratings.source
        self._is_together = True

    def fit(
        self,
        model: FunkSVD,
        *,
        monitor: Monitor | None = None,
        checkpoint: Checkpoints | str | os.PathLike[str] | None = None,
    ) -> FunkSVD:
        """Fit a model; where workers are lost, others take their place.

        Parameters
        ----------
        model : FunkSVD
        monitor : Monitor, optional
        checkpoint : Checkpoints or path, optional
            As for `FunkSVD.fit`. With a cluster, there is one in any case.

        Raises
        ------
        GangLostError
            If workers were lost too often.
        FunkSVDError, KeyboardInterrupt
            As `FunkSVD.fit` does.
        """
        if checkpoint is None and self._cluster is None:
            return model.fit(self, monitor=monitor)
        if checkpoint is None:
            with tempfile.TemporaryDirectory(prefix="funksvd-") as own:
                return self.fit(model, monitor=monitor, checkpoint=own)
        if not isinstance(checkpoint, Checkpoints):
            with Checkpoints(checkpoint, resume=True) as kept:
                self.fit(model, monitor=monitor, checkpoint=kept)
                kept.finished()
            return model
        return self._with_workers(
            lambda: model.fit(self, monitor=monitor, checkpoint=checkpoint), checkpoint.stems
        )

    def _with_workers(self, task: Callable[[], T], progress: Callable[[], Any]) -> T:
        """Do something that needs workers, again with others where some are lost.

        Parameters
        ----------
        task : callable
        progress : callable
            Its result is another one when the task has come further.
        """
        n_in_a_row, reached = 0, None
        while True:
            try:
                if not self._is_together:
                    self._open()
                return task()
            except GangLostError as error:
                n_in_a_row = n_in_a_row + 1 if progress() == reached else 1
                reached = progress()
                if n_in_a_row > MAX_LOSSES:
                    raise
                self._were_lost = self._overwrite = True  # there may be fewer workers now
                if self._lost is not None:
                    self._lost(error)
                self._release()
                time.sleep(RETRY_SECONDS * 2 ** (n_in_a_row - 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the workers go, and remove what was to be removed."""
        self._release(self._scratch)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _release(self, scratch: Path | None = None) -> None:
        self._is_together = False
        if self.gang is not None:
            self.gang.close(scratch)
        if self.ratings is not None and self.ratings.store.claim is not None:
            self.ratings.store.claim.close()

    @property
    def n_held_back(self) -> int:
        """See `Prepared`."""
        return self.ratings.n_held_back

    def plan(self, chosen: Hyperparameters, monitor: Monitor) -> ShardedPlan:
        """See `Prepared`."""
        ratings = self.ratings
        monitor.planning_started(len(ratings))
        low, high = ratings.limits["learned"]
        if low == high:
            n = ratings.n_learned
            are = f"all {n:,} ratings are" if n > 1 else "the only rating to learn from is"
            raise RatingsError(
                f"{self.source}: {are} {low:g}, so that they are no more than clicks, which do not "
                "learn from shards yet: have them in memory. If another column is the rating, "
                f"name it with {argument('rating_col')}"
            )
        levels = ratings.rating_facts("all").levels
        check_ratings(chosen, np.array([low, high]) if levels is None else levels, self.source)
        return ShardedPlan(
            self.gang,
            ratings.user_rows,
            ratings.item_rows,
            ratings.block_counts,
            ratings.provenance.ratings.fingerprint,
            self._n_threads,
            ratings.has_days,
        ).opened("search")

    def learned_limits(self) -> tuple[float, float]:
        """See `Prepared`."""
        return self.ratings.limits["learned"]

    def check_held_back(self, rating: RatingModel) -> Checked:
        """See `Prepared`."""
        sample = self.ratings.sample
        return Checked(rating.predict(sample.users, sample.items), sample.values)

    def check_learned(self, rating: RatingModel) -> None:
        """See `Prepared`; only samplers can."""

    def _let_go(self) -> None:
        """Have workers let go of what has been learned: it is in this process."""
        with contextlib.suppress(GangLostError):
            self.gang.each("forget")

    def learned(self) -> Known:
        """See `Prepared`; the workers have done their part."""
        self._let_go()
        found = self.ratings.found()
        return Known(
            found.users,
            found.items,
            found.seen,
            self.ratings.limits["learned"],
            self.ratings.rating_facts("learned"),
            found.held_out,
            (found.user_rows, found.item_rows),
        )

    def all(self) -> Known:
        """See `Prepared`; the workers have done their part."""
        self._let_go()
        ratings = self.ratings
        limits, facts = ratings.limits["all"], ratings.rating_facts("all")
        return Known(ratings.users, ratings.items, ratings.seen(), limits, facts)

    def pairs(self, plan: PairPlan) -> PairPlan:
        """See `Prepared`."""
        return ShardedPairs(
            plan.pairs,
            plan.n_items,
            plan.weights,
            n_threads=plan.n_threads,
            gang=self.gang,
            transposed=self.ratings.by_item(plan.pairs, plan.n_items),
            worker_threads=self._n_threads,
        )


def check_shardable(chosen: Hyperparameters) -> None:
    """Refuse hyperparameters of an algorithm that does not learn from shards.

    Raises
    ------
    FunkSVDError
        If they are such.
    """
    resolved = chosen.resolved()
    why = None
    if chosen.algorithm != "sgd":
        title = ALGORITHMS[chosen.algorithm].title
        why = f"{argument('algorithm', chosen.algorithm)} ({title})"
    elif (resolved.optimizer, resolved.batch_size) != ("sgd", 1):
        why = "descent in batches"
    if why:
        raise FunkSVDError(
            f"{why} does not learn from shards yet; {argument('algorithm', 'sgd')} does, with "
            "steps of single ratings"
        )


def _make(folder: Path, patience: float, number: int, n_workers: int) -> Worker:
    return Worker(number, n_workers, folder_of_worker(folder, number, n_workers), patience)
