"""Disturb `funksvd train --cluster local:2` at random moments: the same bytes, or one message.

Each run is disturbed in one way, after a random time: workers or Ray's own processes are killed or
stopped, Ctrl-C is sent to all processes of the terminal, a file of the shards is damaged. A run is
good if it ends within a limit of time, with the model file of an undisturbed `funksvd train`, or
with exit code 1 and one message; after Ctrl-C, with exit code 130 and what `--resume` makes the
same file of. What fails is printed, and the exit code is 1.

    python scripts/fuzz_cluster.py ratings.csv --runs 20 --seed 1
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 240.0
"""Seconds within which each run must end."""
OPTIONS = ("-k", "8", "--n-epochs", "8", "--n-groups", "8", "-q")
KINDS = ("kill worker", "kill raylet", "stop worker", "ctrl-c", "terminate", "damage")
"""What is done to a run."""
NOISE = re.compile("Traceback|RayTaskError|core_worker|raylet")
"""What a person should not have to see."""


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, nargs=2, default=(1, 14), help="of the fault")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--verbose", action="store_true", help="show what each run has said")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    n_bad = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        reference = Path(folder, "reference")
        subprocess.run(command(given.ratings, reference), check=True)
        for number in range(given.runs):
            kind, seconds = given.kinds[number % len(given.kinds)], chance.uniform(*given.seconds)
            place = Path(folder, str(number))
            place.mkdir()
            started = time.monotonic()
            wrong, said = disturbed(given.ratings, place, kind, seconds, chance, reference)
            took = time.monotonic() - started
            n_bad += bool(wrong)
            print(f"{kind:12} after {seconds:4.1f} s, {took:5.1f} s: {wrong or 'good'}", flush=True)
            if wrong or given.verbose:
                print(said, flush=True)
    sys.exit(bool(n_bad))


def command(ratings: str, model: Path, *more: str) -> list[str]:
    """The command that trains a model."""
    return [sys.executable, "-m", "funksvd", "train", ratings, "-o", str(model), *OPTIONS, *more]


def disturbed(
    ratings: str, place: Path, kind: str, seconds: float, chance: random.Random, reference: Path
) -> tuple[str, str]:
    """What is wrong with a run, and what it has said."""
    model, shards = place / "model", place / "shards"
    how = ["--cluster", "local:2", "--shards", str(shards)]
    how += ["--checkpoint", str(place / "checkpoint"), "--checkpoint-every", "0", "--resume"]
    whole = command(ratings, model, *how)
    run = subprocess.Popen(
        whole,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    has_ended = run.poll() is not None
    if not has_ended:
        disturb(run.pid, kind, shards, chance)
    try:
        said = run.communicate(timeout=LIMIT)[0]
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        return f"it has not ended within {LIMIT:.0f} seconds", run.communicate()[0]
    wrong = judged(run.returncode, said, kind, model, reference)
    if not wrong and run.returncode in (130, 143):  # what is there can be gone on with
        again = subprocess.run(whole, capture_output=True, text=True, timeout=LIMIT, check=False)
        said += again.stdout + again.stderr
        wrong = judged(again.returncode, said, "", model, reference)
    left = [pid for pid in processes("ray::_Actor|raylet/raylet|gcs_server") if of(pid, run.pid)]
    if not wrong and left:
        wrong = f"{len(left)} processes are left"
    return wrong, said


def judged(code: int, said: str, kind: str, model: Path, reference: Path) -> str:
    """What is wrong with how a run has ended."""
    if found := NOISE.search(said):
        return f"it says {found[0]!r}, code {code}"
    if code == 0:
        is_same = model.read_bytes() == reference.read_bytes()
        return "" if is_same else "the model is another one"
    if code == {"ctrl-c": 130, "terminate": 143}.get(kind, 1 if kind else None):
        return "" if said.count("Error:") == (kind not in ("ctrl-c", "terminate")) else "messages"
    return f"code {code}"


def disturb(run: int, kind: str, shards: Path, chance: random.Random) -> None:
    """Do something to a run."""
    what, sent = {
        "kill worker": ("ray::_Actor", signal.SIGKILL),
        "stop worker": ("ray::_Actor", signal.SIGSTOP),
        "kill raylet": ("raylet/raylet", signal.SIGKILL),
    }.get(kind, ("", None))
    if sent is not None:
        found = [pid for pid in processes(what) if of(pid, run)]
        if found:
            os.kill(chance.choice(found), sent)
    elif kind == "ctrl-c":
        os.killpg(run, signal.SIGINT)
    elif kind == "terminate":
        os.kill(run, signal.SIGTERM)
    else:
        files = [path for path in shards.rglob("*.bin") if path.stat().st_size]
        if files:
            path = chance.choice(sorted(files))
            with open(path, "r+b") as file:
                at = chance.randrange(path.stat().st_size)
                file.seek(at)
                before = file.read(1)
                file.seek(at)
                file.write(bytes([before[0] ^ 1]))


def processes(pattern: str) -> list[int]:
    """Numbers of the processes whose command line has a pattern."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and re.search(
                pattern.encode(), (entry / "cmdline").read_bytes()
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def of(pid: int, run: int) -> bool:
    """Whether a process is in the session of a run."""
    try:
        return os.getsid(pid) == run
    except OSError:
        return False


if __name__ == "__main__":
    main()
