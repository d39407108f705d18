"""Ratings in shards, for `FunkSVD.fit`: on this machine's disk, or with a cluster's workers."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from funksvd.cluster.choices import ShardedPairs, Solving
from funksvd.cluster.descent import Descending
from funksvd.cluster.gang import Gang, LocalGang
from funksvd.cluster.learner import ShardedPlan
from funksvd.cluster.preparing import Progress, Wanted, prepare
from funksvd.cluster.sharded import ShardedRatings
from funksvd.cluster.shards import Shard
from funksvd.errors import FunkSVDError, GangLostError, argument
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.learned.calibration import Checked
from funksvd.learned.rating_model import RatingModel
from funksvd.learning import Known, Prepared
from funksvd.model import FunkSVD
from funksvd.ratings import ReadOptions
from funksvd.training import Checkpoints, Monitor, PairPlan, check_learnable, check_ratings

MAX_LOSSES = 4
"""Number of times that workers may be lost while one model is fitted."""


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

    Raises
    ------
    FunkSVDError
        If the hyperparameters are those of an algorithm that does not learn from shards.
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
    ) -> None:
        check_shardable(hyperparameters)
        chosen = hyperparameters.resolved()
        wanted = Wanted(
            options or ReadOptions(),
            test_fraction,
            chosen.validation_fraction,
            chosen.seed,
            chosen.n_groups,
            bool(hyperparameters.in_use().get("days")),
        )
        self._scratch = None if folder else tempfile.mkdtemp(prefix="funksvd-")
        self._folder = Path(folder or str(self._scratch))
        self._cluster, self._n_workers = cluster, n_workers
        self._n_threads = hyperparameters.n_threads
        self._given = (list(paths), self._folder, wanted)
        self._progress: dict[str, Any] = {} if progress is None else {"progress": progress}
        self.gang: Gang = None  # type: ignore[assignment]  # until it is there
        self.ratings: ShardedRatings = None  # type: ignore[assignment]
        try:
            self._open(overwrite=overwrite)
        except BaseException:
            self.close()
            raise

    def _open(self, *, overwrite: bool) -> None:
        """Call workers together, and have them take up the ratings, or prepare them."""
        make = partial(_make, self._folder)
        if self._cluster is None:
            self.gang = LocalGang(self._n_workers, make)
        else:
            from funksvd.cluster.ray import RayGang

            gang = RayGang(self._cluster, make)
            self._n_threads = self._n_threads or gang.n_threads
            self.gang = gang
        self.ratings = prepare(self.gang, *self._given, overwrite=overwrite, **self._progress)
        self.source = self.ratings.source

    def fit(
        self,
        model: FunkSVD,
        *,
        monitor: Monitor | None = None,
        checkpoint: Checkpoints | str | os.PathLike[str] | None = None,
        lost: Callable[[GangLostError], None] | None = None,
    ) -> FunkSVD:
        """Fit a model; where workers are lost, others take their place.

        Parameters
        ----------
        model : FunkSVD
        monitor : Monitor, optional
        checkpoint : Checkpoints or path, optional
            As for `FunkSVD.fit`. With a cluster, there is one in any case.
        lost : callable, optional
            Told of workers that were lost, before training goes on from the last checkpoint.

        Raises
        ------
        GangLostError
            If workers were lost too often.
        FunkSVDError, KeyboardInterrupt
            As `FunkSVD.fit` does.
        """
        if checkpoint is None and self._cluster is not None:
            with tempfile.TemporaryDirectory(prefix="funksvd-") as own:
                return self.fit(model, monitor=monitor, checkpoint=own, lost=lost)
        for attempt in count():
            try:
                if attempt:
                    self._release()
                    self._open(overwrite=True)  # there may be fewer workers now
                return model.fit(self, monitor=monitor, checkpoint=checkpoint)
            except GangLostError as error:
                if attempt == MAX_LOSSES:
                    raise
                if lost is not None:
                    lost(error)
        raise AssertionError("count has no end")

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
        self._release()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _release(self) -> None:
        if self.gang is not None:
            self.gang.close()
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
            check_learnable(np.broadcast_to(np.float32(low), ratings.n_learned), self.source)
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


def _make(folder: Path, number: int, n_workers: int) -> Worker:
    return Worker(number, n_workers, folder / f"worker-{number + 1}-of-{n_workers}")
