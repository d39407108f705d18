"""Folders of shards: nobody else's files are touched, and nothing half is taken for whole."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from cluster.made import made_up

from funksvd import RatingsError, ShardError
from funksvd.cluster import files, preparing, spool
from funksvd.cluster.files import Store
from funksvd.cluster.folder import LOCK
from funksvd.cluster.gang import LocalGang
from funksvd.cluster.preparing import STEPS, Wanted, prepare
from funksvd.cluster.shards import Shard
from funksvd.errors import WriteError
from funksvd.ratings import ReadOptions

WANTED = Wanted(ReadOptions(), n_groups=3)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(made_up(40, 30, 600, 0, times=True))
    return path


class Prepared:
    """One run, and what it has said."""

    def __init__(self, path, folder, wanted=WANTED, n_workers=2, **more):
        self.said = []
        self.shards = [Shard(w, n_workers, folder / f"worker-{w}") for w in range(n_workers)]
        gang = LocalGang(n_workers, lambda number, n_workers: self.shards[number])
        note = lambda *step: self.said.append(step)  # noqa: E731
        paths = path if isinstance(path, list) else [path]
        self.ratings = prepare(gang, paths, folder, wanted, progress=note, **more)

    @property
    def steps(self):
        return list(dict.fromkeys(step for step, _, _ in self.said))

    def close(self):
        self.ratings.store.claim.close()
        for shard in self.shards:
            shard.close()

    def bytes(self):
        plans = [shard.part(purpose) for shard in self.shards for purpose in ("search", "refit")]
        return [[a.tobytes() for a in (p.user_index, p.item_index, p.values)] for p in plans]


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_finished_folder_is_used_again(path, tmp_path):
    first = Prepared(path, tmp_path / "s")
    assert first.steps == list(STEPS)
    assert all(done <= n for _, done, n in first.said)
    assert {(step, n) for step, done, n in first.said if done == n} == {
        (step, n) for step, _, n in first.said
    }
    ref = first.bytes()
    first.close()
    again = Prepared(path, tmp_path / "s")
    assert again.said == [("again", 1, 1)]
    assert again.bytes() == ref
    assert len(again.ratings) == len(first.ratings)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: Wanted(ReadOptions(), n_groups=3, seed=1), "seed="),
        (lambda: Wanted(ReadOptions(), n_groups=2), "n_groups="),
        (lambda: Wanted(ReadOptions(duplicates="first"), n_groups=3), "settings of reading"),
        (None, "files"),
    ],
)
def test_a_folder_of_other_inputs_is_refused_unless_it_may_be_overwritten(
    path, tmp_path, change, what
):
    Prepared(path, tmp_path / "s").close()
    wanted = change() if change else WANTED
    if change is None:
        path.write_text(made_up(40, 30, 600, 1))
    before = names(tmp_path / "s")
    with pytest.raises(ShardError, match=f"prepared with other {what}"):
        Prepared(path, tmp_path / "s", wanted)
    assert names(tmp_path / "s") == before
    prepared = Prepared(path, tmp_path / "s", wanted, overwrite=True)
    assert prepared.steps == list(STEPS)


def test_files_in_another_order_are_other_inputs(path, tmp_path):
    """The last of repeated ratings is another one then."""
    other = tmp_path / "other.csv"
    other.write_text(made_up(40, 30, 600, 1))
    Prepared([path, other], tmp_path / "s").close()
    with pytest.raises(ShardError, match="other files"):
        Prepared([other, path], tmp_path / "s")
    assert Prepared([path, other], tmp_path / "s").steps == ["again"]


def test_fewer_workers_are_other_inputs(path, tmp_path):
    Prepared(path, tmp_path / "s").close()
    with pytest.raises(ShardError, match="other numbers of workers"):
        Prepared(path, tmp_path / "s", n_workers=1)


def test_a_worker_that_lost_its_folder_has_all_prepared_again(path, tmp_path):
    prepared = Prepared(path, tmp_path / "s")
    ref = prepared.bytes()
    prepared.close()
    (tmp_path / "s" / "worker-1" / "part.json").unlink()
    again = Prepared(path, tmp_path / "s")
    assert again.steps == list(STEPS)
    assert again.bytes() == ref


def test_a_folder_in_use_is_refused(path, tmp_path):
    prepared = Prepared(path, tmp_path / "s")
    with pytest.raises(ShardError, match="in use"):
        Prepared(path, tmp_path / "s")
    prepared.close()
    Prepared(path, tmp_path / "s")


def test_a_folder_with_other_files_is_refused(path, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "part-counts.bin").write_text("mine")
    with pytest.raises(ShardError, match="holds other files"):
        Prepared(path, tmp_path / "s")
    assert names(tmp_path / "s") == ["part-counts.bin"]


def test_a_file_is_no_folder(path, tmp_path):
    (tmp_path / "s").write_text("mine")
    with pytest.raises(ShardError, match="s is a file; ratings in shards need a folder"):
        Prepared(path, tmp_path / "s")
    assert (tmp_path / "s").read_text() == "mine"


def test_other_files_in_a_folder_of_shards_stay(path, tmp_path):
    Prepared(path, tmp_path / "s").close()
    for folder in ("s", "s/worker-0"):
        (tmp_path / folder / "model.bin").write_text("mine")
    Prepared(path, tmp_path / "s", Wanted(ReadOptions(), seed=5), overwrite=True)
    for folder in ("s", "s/worker-0"):
        assert (tmp_path / folder / "model.bin").read_text() == "mine"


def test_nothing_temporary_stays(path, tmp_path):
    prepared = Prepared(path, tmp_path / "s")
    kept = {name for name in names(tmp_path / "s") if name.endswith(".bin")}
    of_workers = {
        f"worker-{w}/part-{n}.bin" for w in range(2) for n in prepared.shards[w].store.entries
    }
    assert kept == of_workers | {f"ratings-{name}.bin" for name in prepared.ratings.store.entries}


def test_an_error_leaves_nothing(path, tmp_path):
    path.write_text(path.read_text() + "1,2,bad\n")
    with pytest.raises(RatingsError, match="line 602"):
        Prepared(path, tmp_path / "s")
    left = ["worker-0", "worker-1", LOCK, *(f"worker-{w}/{LOCK}" for w in range(2))]
    assert names(tmp_path / "s") == sorted(left)
    path.write_text(made_up(40, 30, 600, 0))
    Prepared(path, tmp_path / "s")


def test_an_error_is_told_although_what_it_leaves_cannot_be_removed(path, tmp_path, monkeypatch):
    path.write_text(path.read_text() + "1,2,bad\n")
    real, calls = Store.remove, []

    def remove(store):
        calls.append(store)
        if len(calls) > 3:  # the driver and two workers have begun
            raise PermissionError(1, "Operation not permitted")
        real(store)

    monkeypatch.setattr(Store, "remove", remove)
    with pytest.raises(RatingsError, match="line 602"):
        Prepared(path, tmp_path / "s")
    assert len(calls) == 4


def run(script, *arguments):
    """Another process that runs a script."""
    here = os.path.dirname(__file__)
    folders = os.pathsep.join([here, os.path.dirname(here)])
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": folders}
    )


KILLED = """
import sys, time
from pathlib import Path
from funksvd.cluster import preparing, spool
from test_folders import Prepared
step, path, folder = sys.argv[1:]
spool.PIECE_ROWS = preparing.BUCKET_ROWS = 50
def wait(name, done, n):
    if name == step and done >= n / 2:
        print("here", flush=True)
        time.sleep(600)
prepare = preparing.prepare
import test_folders
test_folders.prepare = lambda *a, progress, **k: prepare(*a, progress=wait, **k)
Prepared(Path(path), Path(folder))
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_run_is_begun_anew(path, tmp_path, step, monkeypatch):
    process = run(KILLED, step, path, tmp_path / "s")
    with process:
        assert process.stdout.readline() == b"here\n"
        process.send_signal(signal.SIGKILL)
    monkeypatch.setattr(spool, "PIECE_ROWS", 50)
    monkeypatch.setattr(preparing, "BUCKET_ROWS", 50)
    prepared = Prepared(path, tmp_path / "s")
    assert prepared.steps == list(STEPS)
    fresh = Prepared(path, tmp_path / "fresh")
    assert names(tmp_path / "s") == names(tmp_path / "fresh")
    assert prepared.bytes() == fresh.bytes()


DAMAGES = {"bit": "its checksum", "short": "another size", "gone": "cannot be read"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named(path, tmp_path, damage):
    prepared = Prepared(path, tmp_path / "s")
    for folder, at in (("s/worker-1", prepared.shards[1].part), ("s", lambda _: again())):
        name = "part-search-items.bin" if "worker" in folder else "ratings-user-order.bin"
        file = tmp_path / folder / name
        content = file.read_bytes()
        if damage == "gone":
            file.unlink()
        else:
            kept = content[:-1] if damage == "short" else content[:-1] + bytes([content[-1] ^ 1])
            file.write_bytes(kept)

        def again():
            prepared.close()
            Prepared(path, tmp_path / "s")

        with pytest.raises(ShardError, match=f"{name}.*{DAMAGES[damage]}"):
            at("search")


@pytest.mark.parametrize(
    "damaged",
    [lambda text: "{", lambda text: "[1]", lambda text: text.replace('"<i4"', '"<j4"', 1)],
)
def test_a_damaged_manifest_is_named_and_may_be_overwritten(path, tmp_path, damaged):
    Prepared(path, tmp_path / "s").close()
    manifest = tmp_path / "s" / "ratings.json"
    manifest.write_text(damaged(manifest.read_text()))
    with pytest.raises(ShardError, match=r"ratings.json is damaged"):
        Prepared(path, tmp_path / "s")
    Prepared(path, tmp_path / "s", overwrite=True)


def alter(path, change):
    """Change a file, and what the manifest says of it: no checksum tells."""
    stem, _, name = path.name.partition("-")
    manifest = path.with_name(f"{stem}.json")
    plain = json.loads(manifest.read_text())
    del plain["crc32"]
    path = path.with_name(f"{path.name}.bin")
    content = change(np.fromfile(path, plain["files"][name]["dtype"]))
    content.tofile(path)
    plain["files"][name] |= {"crc32": zlib.crc32(content.tobytes()), "dtype": content.dtype.str}
    crc32 = zlib.crc32(json.dumps(plain).encode())
    manifest.write_text(json.dumps(plain | {"crc32": crc32}))


def one_more(at, n):
    """Add to a single number."""
    return lambda content: content + (np.arange(len(content)) == at) * content.dtype.type(n)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("worker-1/part-search-users", one_more(5, 1000)),
        ("worker-1/part-search-items", one_more(4, 1000)),
        ("worker-1/part-search-items", lambda content: content.view(np.int16)),
        ("worker-1/part-search-value", lambda content: content.view(np.int32)),
        ("worker-1/part-counts", one_more(2, -50)),
        ("worker-1/part-user-starts", one_more(0, 1)),
        ("worker-1/part-item-order", one_more(3, 10**12)),
        ("ratings-user-order", one_more(0, 1)),
        ("ratings-item-starts", one_more(0, -1)),
        ("ratings-items-kept", one_more(2, 500)),
        ("ratings-seen-items", one_more(7, 500)),
        ("ratings-seen-items", one_more(7, -500)),
        ("ratings-block-counts", lambda content: content.view("V8")),
    ],
)
def test_rows_that_are_not_there_are_not_followed(path, tmp_path, file, change):
    """Kernels would read and write whatever memory lies there."""
    Prepared(path, tmp_path / "s").close()
    alter(tmp_path / "s" / file, change)
    with pytest.raises(ShardError, match=r"is damaged or was altered \(.* makes no sense\)"):
        Prepared(path, tmp_path / "s").bytes()


def test_too_little_room_is_said_before(path, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=9_000))
    with pytest.raises(WriteError, match="worker-0: ratings in shards need about 0 MB here"):
        Prepared(path, tmp_path / "s")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=20_000))
    Prepared(path, tmp_path / "s")


FULL = """
import resource, signal, sys
from pathlib import Path
from funksvd.errors import WriteError
import funksvd.kernels
from test_folders import Prepared, names
path, folder = map(Path, sys.argv[1:])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (0, 2_000, 5_000, 9_000, 11_000, 30_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        Prepared(path, folder, n_workers=1).close()
        found = "done"
    except WriteError as error:
        found = str(error)
    left = [name for name in names(folder) if name.endswith(".bin")]
    print(f"{limit}: {len(left)} left: {found}")
"""


def test_a_full_disk_is_one_sentence_and_leaves_nothing(path, tmp_path):
    """The limit is for each file; on a real disk it comes where it comes."""
    printed = run(FULL, path, tmp_path / "s").communicate()[0].decode().splitlines()
    full = re.compile(rf"\d+: 0 left: .* cannot be written: {os.strerror(errno.EFBIG)}")
    assert all(map(full.fullmatch, printed[:-1]))
    assert re.fullmatch(r"30000: \d\d left: done", printed[-1])
    assert len(printed) == 6


def test_arrays_in_files(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CHECKED_AT_ONCE", 7)
    store = Store(tmp_path, "x.json")
    arrays = {
        "empty": np.empty((0, 3), np.uint16),
        "matrix": np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2],
        "flags": np.array([True, False]),
    }
    for name, array in arrays.items():
        store.write(name, array)
    store.commit({"a": 1})
    again = Store(tmp_path, "x.json")
    assert again.opened() == {"a": 1}
    for name, array in arrays.items():
        comp = again.read(name)
        assert comp.dtype == array.dtype
        np.testing.assert_array_equal(comp, array)
    comp = again.read("matrix")
    comp[0, 0] = 99  # in memory only
    assert again.read("matrix")[0, 0] == 0


def test_a_mapped_array_outlives_its_file(tmp_path):
    """A process that reads a mapped file which is cut short is ended."""
    store = Store(tmp_path, "x.json")
    store.write("a", np.arange(10_000))
    ref = store.read("a")
    store.write("a", np.arange(3))
    np.testing.assert_array_equal(ref, np.arange(10_000))
    np.testing.assert_array_equal(store.read("a"), np.arange(3))
