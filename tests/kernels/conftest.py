import os
import platform
import subprocess
import sys

import pytest


@pytest.fixture
def written_on_each_processor():
    """What a script writes with and without AVX-512, AVX2 and fused multiply-add."""
    if platform.machine() != "x86_64":
        pytest.skip("the processors' names are those of x86-64")

    def run(script: str, processor: str | None) -> bytes:
        environment = dict(os.environ)
        if processor:
            environment |= {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": ""}
        command = [sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, check=True, env=environment).stdout

    return lambda script: [run(script, name) for name in ("x86-64-v2", "haswell", None)]
