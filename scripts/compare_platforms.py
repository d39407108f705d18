"""The same models from every interpreter and NumPy: a table of which of them keep the promise.

    python scripts/compare_platforms.py

For each Python 3.11 to 3.14 on the path, with NumPy 2.0 (2.1 where that has no wheel for it) and
with the newest one, make a virtual environment, install this checkout, and run the test that
compares what is learned with the digests in tests/test_determinism.py. It takes about two minutes
for each, and downloads packages. The exit code is 1 if one differs.
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
VERSIONS = "import platform, numpy, numba; print(numpy.__version__, numba.__version__)"
TEST = ("-q", "-p", "no:cacheprovider", "-o", "addopts=", "tests/test_determinism.py")


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
            versions, result = compared(name, numpy)
            failed |= result != "same"
            print(f"{name:14}{versions[0]:10}{versions[1]:10}{result}", flush=True)
    sys.exit(failed)


def compared(interpreter: str, numpy: str) -> tuple[list[str], str]:
    """Versions of NumPy and Numba, and whether the models are the same, in a new environment."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        packages = [str(ROOT), numpy, "pytest", "hypothesis"]
        installed = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True
        )
        if installed.returncode:
            return [numpy.partition("==")[2] or "newest", ""], "cannot be installed"
        versions = subprocess.run(
            [python, "-c", VERSIONS], capture_output=True, text=True, check=True
        ).stdout.split()
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        test = [python, "-m", "pytest", *TEST, "-k", "same_numbers"]
        outcome = subprocess.run(test, cwd=ROOT, env=environment, capture_output=True, text=True)
        if outcome.returncode == 0:
            return versions, "same"
        print(outcome.stdout[-2000:], file=sys.stderr)
        return versions, "DIFFERENT"


if __name__ == "__main__":
    main()
