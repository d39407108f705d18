"""Try to break what reads files: thousands of ratings files and model files, made at random.

    python scripts/fuzz_files.py --ratings 100000 --mutated 100000 --models 20000 --jobs 2

Three kinds of files are made, each file by a seed of its own:

ratings  files in every layout that can be read, with what is in them; they must be read as that
mutated  the same files with bytes changed; they must be read or refused, with no other exception,
         and a change within a row must stay in that row
models   altered model files with a checksum that is right again; they must be refused, or answer
         everything that a model is asked

Exits with 1 if a file has shown a fault: a wrong answer, an exception, a crash, a hang or too much
memory. Such a file is kept, and `--only mutated:1234` checks it again in this process. With
`NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=/tmp/checked` in the environment, a kernel that reads out of
bounds is found even where that does not end the process.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz import kinds, models, workers

KINDS = ("ratings", "mutated", "models")
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Folder for files that are made and removed by the thousands."""
SHOWN = 100
"""Number of findings that are shown in full."""


def checked(check: kinds.Kind, work: Path, kind: str, seed: int) -> str:
    """The check of one seed in a folder of its own, which stays if something is wrong."""
    folder = work / f"{kind}-{seed}"
    folder.mkdir()
    wrong = check(seed, folder)
    if not wrong:
        shutil.rmtree(folder)
    return wrong


def keep(work: Path, kept: Path, kind: str, seed: int) -> None:
    """Keep the files of a seed."""
    if (work / f"{kind}-{seed}").exists():
        shutil.move(work / f"{kind}-{seed}", kept)


def base_models() -> dict[str, bytes]:
    """The models that are altered, trained in a process of their own: this one stays small."""
    reader, writer = workers.FORK.Pipe(duplex=False)

    def train() -> None:
        with tempfile.TemporaryDirectory() as folder:
            writer.send(models.base_models(Path(folder)))

    process = workers.FORK.Process(target=train)
    process.start()
    found: dict[str, bytes] = reader.recv()
    process.join()
    return found


def check_of(kind: str) -> kinds.Kind:
    """The check of a kind."""
    if kind == "models":
        return kinds.Models(base_models())
    return kinds.Generated() if kind == "ratings" else kinds.Mutated()


def check_all(
    kind: str, seeds: range, kept: Path, n_jobs: int, show: Callable[[str], None]
) -> tuple[Counter[str], float]:
    """Check many seeds of a kind: findings by their sort, and the seconds it took."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as work:
        return _check_all(kind, seeds, Path(work), kept, n_jobs, show)


def _check_all(
    kind: str, seeds: range, work: Path, kept: Path, n_jobs: int, show: Callable[[str], None]
) -> tuple[Counter[str], float]:
    check = check_of(kind)
    started = shown = time.monotonic()
    n_done, sorts = 0, Counter[str]()
    running = workers.run(
        partial(checked, check, work, kind), seeds, n_jobs=n_jobs, warm_up=check.warm_up
    )
    for news in running:
        if isinstance(news, workers.Progress):
            n_done += news.n
        else:
            sorts[news.sort] += 1
            keep(work, kept, kind, news.seed)
            if sum(sorts.values()) <= SHOWN:
                print(f"\n--only {kind}:{news.seed}: {news.sort}\n{news.text}", flush=True)
        if time.monotonic() - shown > 2:
            shown = time.monotonic()
            show(f"{kind}: {n_done:,} of {len(seeds):,}, {sum(sorts.values()):,} findings")
    return sorts, time.monotonic() - started


def main() -> int:
    """Check what the options ask for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="the first seed of each kind")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--only", metavar="KIND:SEED", help="check one file again")
    parser.add_argument("--keep", type=Path, help="folder for files that have shown a fault")
    chosen = parser.parse_args()
    kept = chosen.keep or Path(tempfile.mkdtemp(prefix="funksvd-fuzz-"))
    kept.mkdir(parents=True, exist_ok=True)
    if chosen.only:
        kind, _, seed = chosen.only.partition(":")
        check = check_of(kind)
        wrong = checked(check, kept, kind, int(seed))
        print(wrong or "nothing is wrong")
        print(f"its files are in {kept}" if wrong else "")
        return bool(wrong)

    def show(text: str) -> None:
        print(text, end="\r" if sys.stdout.isatty() else "\n", flush=True)

    table = []
    for kind in KINDS:
        n = getattr(chosen, kind)
        if n:
            seeds = range(chosen.seed, chosen.seed + n)
            sorts, seconds = check_all(kind, seeds, kept, chosen.jobs, show)
            found = ", ".join(f"{n} {sort}" for sort, n in sorts.most_common()) or "none"
            table.append((kind, f"{n:,}", f"{n / seconds:,.0f}", found, bool(sorts)))
    print(f"\nseeds from {chosen.seed}")
    print(f"{'kind':9}{'files':>9}{'a second':>10}  findings")
    for kind, count, rate, found, _ in table:
        print(f"{kind:9}{count:>9}{rate:>10}  {found}")
    failed = any(row[-1] for row in table)
    if failed:
        print(f"files that have shown a fault are in {kept}")
    elif not chosen.keep:
        shutil.rmtree(kept)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
