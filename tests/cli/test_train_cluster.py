"""`funksvd train --cluster` in a terminal: workers that are lost, Ctrl-C, and what is printed."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from funksvd import Checkpoints

pytest.importorskip("ray")

SAMPLE = Path(__file__).parents[2] / "data" / "ratings.csv"
LONG = ("-k", "4", "--n-epochs", "9000", "--schedule", "constant", "--valid-fraction", "0")


def processes_of(session, pattern):
    """Numbers of the processes of a terminal whose command line has a pattern."""
    found = []
    for name in os.listdir("/proc"):
        try:
            line = Path("/proc", name, "cmdline").read_bytes().decode()
            if re.search(pattern, line) and os.getsid(int(name)) == session:
                found.append(int(name))
        except (OSError, ValueError):
            continue
    return found


@pytest.mark.skipif(not os.path.exists("/proc"), reason="looks for processes in /proc")
def test_a_lost_worker_and_then_ctrl_c(tmp_path):
    command = (sys.executable, "-m", "funksvd", "train", str(SAMPLE), "-o", str(tmp_path / "model"))
    said = []

    def wait_for_epoch():
        said.append("")
        while not re.match(r" +\d+ ", said[-1]):
            said.append(process.stdout.readline())
            assert said[-1], process.stderr.read()

    with subprocess.Popen(
        [*command, *LONG, "--n-groups", "4", "--no-choice", "--cluster", "local:2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    ) as process:
        try:
            wait_for_epoch()
            os.kill(processes_of(process.pid, "ray::_Actor")[0], signal.SIGKILL)
            assert "a worker is gone" in (first := process.stderr.readline())
            while not said[-1].startswith("epoch"):
                said.append(process.stdout.readline())
            wait_for_epoch()
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=100)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert first == (
        "Warning: a worker is gone: its process has ended unexpectedly; calling workers together "
        "again, to go on from what is kept\n"
    )
    (second,) = err.splitlines()
    assert second.startswith("Warning: interrupted; keeping epoch")
    assert not re.search("raylet|_Actor", "".join(said) + out)
    assert (tmp_path / "model").exists()
    for _ in range(100):  # Ray's own end a little later
        if not processes_of(process.pid, ""):
            break
        time.sleep(0.1)
    assert not processes_of(process.pid, "")


def test_a_checkpoint_that_another_run_has(error_of, tmp_path):
    with Checkpoints(tmp_path / "kept"):
        message = error_of(
            "train", str(SAMPLE), "--cluster", "local:2", "--checkpoint", str(tmp_path / "kept"),
            code=1,
        )  # fmt: skip
    assert "another" in message
