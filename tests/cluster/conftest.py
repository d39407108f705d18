"""Shards in this process."""

import pytest

from funksvd.cluster.gang import LocalGang
from funksvd.cluster.preparing import Wanted, prepare
from funksvd.cluster.shards import Shard
from funksvd.ratings import ReadOptions


@pytest.fixture
def shards(tmp_path_factory):
    """Prepare files for W workers: `shards(paths, n_workers, **wanted)`."""

    def make(paths, n_workers=1, options=None, **wanted):
        folder = tmp_path_factory.mktemp("shards")
        workers = [Shard(at, n_workers, folder / f"worker-{at}") for at in range(n_workers)]
        gang = LocalGang(n_workers, lambda number, n_workers: workers[number])
        ratings = prepare(gang, paths, folder, Wanted(options or ReadOptions(), **wanted))
        return ratings, workers

    return make
