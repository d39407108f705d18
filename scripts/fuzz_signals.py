"""Send signals to `funksvd train`, most of them while it saves, and look at what is left.

    python scripts/fuzz_signals.py --signals 500 --seed 0 --jobs 2

SIGTERM, SIGHUP and SIGINT must end the program in order: its exit code is 143, 129 or 130, and no
file is left behind. After SIGKILL, what is left must be gone with the next save. Always, the old
model or the new one must be there, whole. `tests/fuzz/signals.py` has the rules.

Exits with 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz.signals import Range, Shot


def shots(n_shots: int, seed: int, scratch: Path | None) -> list[Shot]:
    """Shoot that often in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        place = Range(Path(folder), seed)
        done = []
        for number in range(n_shots):
            done.append(place.shoot())
            if done[-1].wrong:
                print(f"WRONG (seed {seed}, shot {number}): {done[-1]}", flush=True)
        return done


def main() -> int:
    """Print how many signals there were and what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", "-n", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder for models; by default in /tmp")
    arguments = parser.parse_args()

    # Shells let background jobs ignore it, and so would the commands that are started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(f"{arguments.signals} signals, seed {arguments.seed}", flush=True)
    jobs = range(arguments.jobs)
    sizes = [
        arguments.signals // arguments.jobs + (job < arguments.signals % arguments.jobs)
        for job in jobs
    ]
    seeds = [arguments.seed * 1000 + job for job in jobs]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        parts = pool.map(shots, sizes, seeds, [arguments.scratch] * arguments.jobs)
        done = [shot for part in parts for shot in part]

    print("signal    sent   in a save   files left   exit codes")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL):
        of_kind = [shot for shot in done if shot.number == number]
        codes = ", ".join(f"{n} × {code}" for code, n in Counter(s.code for s in of_kind).items())
        in_save = sum(shot.hit for shot in of_kind)
        left = sum(shot.leftovers for shot in of_kind)
        print(f"{number.name:8} {len(of_kind):5} {in_save:11} {left:12}   {codes}")
    n_wrong = sum(bool(shot.wrong) for shot in done)
    print(f"{n_wrong} of {len(done)} were wrong")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
