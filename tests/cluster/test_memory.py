"""Memory for users, items and a piece of the ratings, not for all of them."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

CHILD = """
import sys, threading, time
import funksvd.cluster.blocks as blocks, funksvd.cluster.buckets as buckets
import funksvd.cluster.preparing as preparing, funksvd.cluster.sharded as sharded
import funksvd.cluster.spool as spool, funksvd.ratings.io.tables as tables
from funksvd import FunkSVD, Hyperparameters, Shards, hold_out, read_ratings

small = 1 << 16
tables.BATCH_ROWS = spool.PIECE_ROWS = preparing.BUCKET_ROWS = small
blocks.SORTED_AT_ONCE = sharded.AT_ONCE = small
chosen = dict(n_factors=4, n_epochs=2, choice=False, n_threads=2)

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1024

def fit(path, folder):
    if folder:
        with Shards([path], Hyperparameters(**chosen), folder, test_fraction=0.1) as shards:
            return shards.fit(FunkSVD(**chosen)).evaluate(shards.ratings.test).rmse
    holdout = hold_out(read_ratings(path))
    return FunkSVD(**chosen).fit(holdout.training).evaluate(holdout.test).rmse

tiny, path, folder = sys.argv[1], sys.argv[2], sys.argv[3]
fit(tiny, folder and folder + "-tiny")
before, peak, done = anonymous(), [0.0], threading.Event()

def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
rmse = fit(path, folder)
done.set()
watcher.join()
print(peak[0] - before, rmse)
"""


def write(path, n):
    random = np.random.default_rng(0)
    at = np.unique(random.integers(0, 20_000 * 2_000, n))
    random.shuffle(at)
    users, items = np.divmod(at, 2_000)
    values = random.integers(1, 6, len(at)).astype(np.float32)
    table = pa.table({"user": users, "item": items, "rating": values})
    pyarrow.parquet.write_table(table, path, row_group_size=1 << 16)


def test_shards_need_memory_for_pieces_only(tmp_path):
    write(tmp_path / "tiny.parquet", 2_000)
    write(tmp_path / "ratings.parquet", 3_000_000)
    found = []
    for folder in (str(tmp_path / "shards"), ""):
        paths = (str(tmp_path / name) for name in ("tiny.parquet", "ratings.parquet"))
        command = [sys.executable, "-c", CHILD, *paths, folder]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found.append([float(number) for number in out.split()])
    (by_shards, rmse), (in_memory, ref) = found
    assert rmse == pytest.approx(ref, rel=1e-9)
    assert in_memory > 80  # MB
    assert by_shards < 0.6 * in_memory
