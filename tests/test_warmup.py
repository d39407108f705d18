"""Compiling ahead of time leaves nothing to be compiled later."""

import shutil
import subprocess
import sys

import pytest

from funksvd import FunkSVDError, warmup
from funksvd.kernels import PORTABLE
from funksvd.warmup import warm_up

WARM_UP = """
from funksvd.kernels.compiling import KERNELS
from funksvd.warmup import warm_up
warm_up([20])
called_by_others = {name for kernel in KERNELS for name in kernel.py_func.__code__.co_names}
idle = [kernel.__name__ for kernel in KERNELS if not kernel.signatures]
print(set(idle) - called_by_others)
"""
USE = """
import sys
from funksvd.kernels import telling_of_compilation
from funksvd_cli.main import run
told = []
with telling_of_compilation(told.append):
    for line in sys.argv[1:]:
        assert run(line.split()) == 0, line
print(told)
"""
COMMANDS = (
    "train ratings.csv -q -k 20 --n-epochs 2 --json",
    "train ratings.csv -q -k 3 --algorithm incremental --n-epochs 2 --json",
    "train ratings.parquet -q -k 20 --n-epochs 2 --json",
    "evaluate -q",
    "evaluate model.funksvd ratings.csv -q",
    "predict pairs.csv -q -o predictions.csv",
    "predict pairs.parquet -q -o predictions.csv",
    "recommend --user 1 -q -o one.csv",
    "recommend --all-users -q -o all.csv",
    "recommend --all-users --include-seen -q -o all.csv",
    "recommend --rate 7=5 -q -o new.csv",
    "recommend --user 1 --explain -q --json",
    "update model.funksvd ratings.csv -q --json",
    "similar 7 -q -o similar.csv",
    "gradcheck -q --json",
)


def run_python(code, *arguments, **options):
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, **options
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_no_kernel_is_left_out():
    """Those that no other one calls have all been called."""
    assert run_python(WARM_UP) == "set()\n"


def test_later_processes_compile_nothing(sample, root, tmp_path):
    shutil.copy(root / "data" / "ratings.csv", tmp_path)
    frame = sample.to_pandas()
    frame.to_parquet(tmp_path / "ratings.parquet")
    frame[["user", "item"]].to_csv(tmp_path / "pairs.csv", index=False)
    frame[["user", "item"]].to_parquet(tmp_path / "pairs.parquet")
    warm_up([20])
    assert run_python(USE, *COMMANDS, cwd=tmp_path).splitlines()[-1] == "[]"


def test_portable_code_is_compiled_in_a_process_of_its_own(monkeypatch):
    """Numba chooses the processor that it compiles for when it is imported."""
    code = """if True:
        import json, os
        print(json.dumps([n_factors, os.environ["NUMBA_CPU_NAME"]]))
        """
    first_lines = warmup.IN_ANOTHER_PROCESS.splitlines(keepends=True)[:3]
    monkeypatch.setattr(warmup, "IN_ANOTHER_PROCESS", "".join(first_lines) + code)
    assert warm_up([20], portable=True) == [[20], PORTABLE["NUMBA_CPU_NAME"]]


def test_the_lengths_are_checked_before_anything_is_done():
    with pytest.raises(FunkSVDError, match="n_factors must be a whole number of at least 1, not 0"):
        warm_up([64, 0])
