"""Where compiled code is kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import funksvd
from funksvd.kernels import compiling, scoring, sgd

TRAIN = """
from funksvd import FunkSVD, Ratings
FunkSVD(n_factors=2).fit(Ratings.from_arrays([1, 2], [1, 2], [1, 2]))
"""


@pytest.mark.parametrize(
    "kernel", [sgd._sgd_block, scoring.predict_block, scoring.exclude_items, scoring.top_items]
)
def test_it_is_not_kept_in_the_package(kernel):
    folder = Path(kernel._cache.cache_path)
    assert Path(funksvd.__file__).parent not in folder.parents


def test_a_later_process_finds_it(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    written = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", TRAIN], check=True, env=environment)
        written.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb?")})
    assert len(written[0]) >= 2  # an index and code
    assert written[0] == written[1]


def test_without_any_folder_it_compiles_all_the_same(monkeypatch):
    monkeypatch.setattr(compiling._UserFolderFirst, "_locator_classes", [])
    double = compiling.compiled(lambda x: 2 * x)
    assert double(21) == 42


def test_a_full_disk_does_no_harm(monkeypatch, tmp_path):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(compiling.FunctionCache, "save_overload", full)

    def double(x):
        return 2 * x

    assert compiling.compiled(double)(21) == 42
