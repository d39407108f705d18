"""The same models from every interpreter and NumPy: a table of which of them keep the promise.

    python scripts/compare_platforms.py

For each Python 3.11 to 3.14 on the path, with NumPy 2.0 (2.1 where that has no wheel for it) and
with the newest one, make a virtual environment, install this checkout, and train the
models of tests/test_determinism.py, and compare what they learn with the digests there. It takes
about two minutes for each, and downloads packages. The exit code is 1 if one differs.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
INTERPRETERS = ("python3.11", "python3.12", "python3.13", "python3.14")
OLDEST_NUMPY = {"python3.11": "2.0", "python3.12": "2.0", "python3.13": "2.1"}
"""The oldest NumPy 2 that has wheels for an interpreter."""
CHECK = """
import platform, subprocess, sys, tempfile
from pathlib import Path

import numba, numpy
print(numpy.__version__, numba.__version__, end=" ", flush=True)
sys.path.insert(0, "tests")
from test_determinism import LEARNED, TRAIN, digest_of_learned

with tempfile.TemporaryDirectory() as folder:
    arguments = ["data/ratings.csv", folder, "2", "0"]
    subprocess.run([sys.executable, "-c", TRAIN, *arguments], check=True)
    learned = {path.name: digest_of_learned(path.read_bytes()) for path in Path(folder).iterdir()}
different = sorted(name for name in LEARNED if learned.get(name) != LEARNED[name])
print("different:_" + ",".join(different) if different else "same")
"""
"""Prints the versions of NumPy and Numba, and whether the models are the same."""


def main() -> None:
    """Print the table."""
    print(f"{platform.machine()}, {' '.join(platform.libc_ver())}")
    print(f"{'interpreter':14}{'NumPy':10}{'Numba':10}result")
    failed = False
    for name in INTERPRETERS:
        if (
            shutil.which(name) is None
            or subprocess.run([name, "-V"], capture_output=True).returncode
        ):
            print(f"{name:14}{'':20}not there", flush=True)
            continue
        oldest = OLDEST_NUMPY.get(name)
        for numpy in ([f"numpy=={oldest}.*"] if oldest else []) + ["numpy"]:
            numpy_version, numba_version, result = compared(name, numpy)
            failed |= result != "same"
            print(f"{name:14}{numpy_version:10}{numba_version:10}{result}", flush=True)
    sys.exit(failed)


def compared(interpreter: str, numpy: str) -> list[str]:
    """What `CHECK` prints in a new environment with this checkout and this NumPy."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", str(ROOT), numpy, "pytest"]
        if subprocess.run(install).returncode:
            return ["", "", "cannot be installed"]
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        check = subprocess.run(
            [python, "-c", CHECK], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        return check.stdout.split() if check.returncode == 0 else ["", "", "fails"]


if __name__ == "__main__":
    main()
