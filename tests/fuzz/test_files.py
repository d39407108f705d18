"""A few hundred files of each kind; `scripts/fuzz_files.py` makes as many as are asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_files.py"


@pytest.mark.parametrize(("kind", "n"), [("ratings", 1000), ("mutated", 1000), ("models", 300)])
def test_nothing_is_found(kind, n):
    result = subprocess.run(
        [sys.executable, SCRIPT, f"--{kind}", str(n), "--jobs", "1"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
