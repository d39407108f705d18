"""Crashes, hangs, exceptions and too much memory are findings, each with its seed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]
PROGRAM = """
import os, signal, sys, time
from fuzz import workers

def check(seed):
    if seed == 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == 3:
        raise KeyError("three")
    if seed == 4:
        while True:
            pass
    if seed == 5:
        bytearray(10 << 30)
    if seed == 6:
        time.sleep(60)
    return "seven" if seed == 7 else ""

limits = workers.Limits(seconds=0.3, waits=2)
n_done = 0
for news in workers.run(check, range(12), n_jobs=int(sys.argv[1]), limits=limits):
    if isinstance(news, workers.Progress):
        n_done += news.n
    else:
        print(news.seed, news.sort, news.text.splitlines()[-1])
print(n_done, "done")
"""


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_whatever_happens_is_a_finding_and_all_seeds_are_checked(n_jobs):
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(n_jobs)],
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = sorted(result.stdout.splitlines())
    assert [line.split(" ", 2)[:2] for line in lines] == [
        ["12", "done"],
        ["2", "SIGSEGV"],
        ["3", "KeyError"],
        ["4", "hang"],
        ["5", "MemoryError"],
        ["6", "hang"],
        ["7", "wrong"],
    ]
