"""Shards in this process."""

import pickle

import pytest

from funksvd.cluster.gang import LocalGang
from funksvd.cluster.preparing import Wanted, prepare
from funksvd.cluster.shards import Shard
from funksvd.ratings import ReadOptions


class PicklingGang(LocalGang):
    """Calls that could come from another process: arrays can only be read, as those of Ray."""

    def submit(self, worker, method, *arguments):
        return sent(super().submit(worker, method, *sent(arguments)))


def sent(given):
    buffers = []
    data = pickle.dumps(given, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])


@pytest.fixture
def shards(tmp_path_factory):
    """Prepare files for W workers: `shards(paths, n_workers, **wanted)`."""

    def make(paths, n_workers=1, options=None, **wanted):
        folder = tmp_path_factory.mktemp("shards")
        workers = [Shard(at, n_workers, folder / f"worker-{at}") for at in range(n_workers)]
        gang = PicklingGang(n_workers, lambda number, n_workers: workers[number])
        ratings = prepare(gang, paths, folder, Wanted(options or ReadOptions(), **wanted))
        return ratings, workers

    return make
