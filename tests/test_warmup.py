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
    "recommend --user 1 --by rating --explain -q --json",
    "recommend --rate 7=5 --explain -q --json",
    *(f"recommend --user 1 --by {by} -q -o one.csv" for by in ("both", "choice", "rating")),
    "recommend --all-users --diversify 0.3 --min-ratings 2 --exclude 7 -q -o all.csv",
    "evaluate --ranking -q",
    "update model.funksvd ratings.csv -q --json",
    "similar 7 -q -o similar.csv",
    "train clicks.csv -o clicks.funksvd -q -k 20 --n-epochs 2 --json",
    "evaluate clicks.funksvd -q",
    "recommend -m clicks.funksvd --user 1 --explain -q --json",
    "recommend -m clicks.funksvd --rate 7 -q --json",
    "recommend -m clicks.funksvd --all-users --diversify 0.3 -q -o all.csv",
    "similar -m clicks.funksvd 7 -q -o similar.csv",
    "update clicks.funksvd clicks.csv -q --json",
    "train counts.csv -o counts.funksvd -q -k 20 --n-epochs 2 --json",
    "train ratings.csv -o chosen.funksvd --algorithm ials -q -k 20 --n-epochs 2 --json",
    "train ratings.csv -o sampled.funksvd --algorithm bayes -q -k 4 --n-epochs 2 --json",
    "recommend -m sampled.funksvd --user 1 --by rating -q --json",
    "gradcheck -q --json",
)
SERVE = """
import sys
from funksvd.kernels import telling_of_compilation
from funksvd_cli.serve import _service
told = []
with telling_of_compilation(told.append):
    for path in sys.argv[1:]:
        service = _service(path, None)
        for by in service.model.rankings:
            rating = None if by == "choice" and service.rating_scale is None else 3.0
            service.fold_in({"7": rating, "8": rating}, 5, by, explain=True)
            service.recommend(1, 5, by)
print(told)
"""


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
    frame[["user", "item"]].to_csv(tmp_path / "clicks.csv", index=False)
    frame.assign(count=frame["rating"] * 7)[["user", "item", "count"]].to_csv(
        tmp_path / "counts.csv", index=False
    )
    warm_up([20])
    assert run_python(USE, *COMMANDS, cwd=tmp_path).splitlines()[-1] == "[]"
    models = ("model.funksvd", "clicks.funksvd", "counts.funksvd", "sampled.funksvd")
    assert run_python(SERVE, *models, cwd=tmp_path).splitlines()[-1] == "[]"


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
