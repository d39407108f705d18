"""A few hundred files of each kind; `scripts/fuzz_files.py` makes as many as are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_files.py"


@pytest.fixture(scope="module")
def bounds_checked(tmp_path_factory):
    """An environment in which kernels find out when they read or write out of bounds."""
    folder = str(tmp_path_factory.mktemp("checked"))
    return {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": folder}


@pytest.mark.parametrize(
    ("kind", "n", "is_checked"),
    [("ratings", 800, True), ("mutated", 800, True), ("models", 300, False)],
)
def test_nothing_is_found(kind, n, is_checked, bounds_checked):
    result = subprocess.run(
        [sys.executable, SCRIPT, f"--{kind}", str(n), "--jobs", "1"],
        env={**os.environ, **(bounds_checked if is_checked else {})},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
