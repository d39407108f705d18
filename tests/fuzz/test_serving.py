"""A server for a few seconds; `scripts/fuzz_serving.py` goes on for as long as is asked for."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_serving.py"
FEW = {
    "half-open": 100,
    "slow-heads": 20,
    "slow-bodies": 10,
    "slow-readers": 3,
    "good": 2,
    "bad": 4,
}


def test_nothing_is_found():
    few = [str(part) for name, n in FEW.items() for part in (f"--{name}", n)]
    result = subprocess.run(
        [sys.executable, SCRIPT, "--minutes", "0.15", "--seed", "1", *few],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
