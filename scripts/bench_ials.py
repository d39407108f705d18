r"""Our choice model beside implicit's, on the same pairs: time, memory, and how good the lists are.

    python scripts/bench_ials.py --peers-python peers/bin/python
    python scripts/bench_ials.py --peers-python peers/bin/python --users 138000 --items 27000 \
        --pairs 20000000 --factors 128 --threads 2 --runs 1

Pairs are made with planted tastes, with users as active and items as popular as in the Netflix
Prize's data; by default there are as many as in MovieLens 1M. A tenth is set aside for the test.

Each trainer learns from a CSV file to a saved model, in a process of its own. The trainers take
turns; medians are shown, and ratios of medians to the first row. `s/iteration` is processor time,
that of all threads together, between the ends of two iterations: medians within a run, without
the first iteration, in which things are compiled and loaded. `whole s` is what a clock shows.

Ours has its defaults. implicit has the best of ten settings by NDCG on a validation part, with the
fewest of the factors that are asked for, or with --no-tune the first of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench_peers import MISSING, WHO, FailedError, in_turn, machine, run, table, with_ratios

WORKERS = Path(__file__).with_name("ials_workers.py")
SETTINGS = [
    {"alpha": alpha, "reg": reg}
    for alpha, reg in (
        (1.5, 15), (1.5, 5), (1.5, 30), (1.5, 60), (3, 15), (3, 30), (3, 60), (4.3, 30), (6, 40),
        (6, 80),
    )
]  # fmt: skip
COLUMNS = WHO | {
    "iteration": ("s/iteration", "{:.3f}"),
    "iteration_ratio": ("×", "{:.2f}"),
    "whole": ("whole s", "{:.2f}"),
    "whole_ratio": ("×", "{:.2f}"),
    "memory": ("MiB", "{:,.0f}"),
    "ndcg": ("NDCG@10", "{:.4f}"),
}


class Task(NamedTuple):
    """What is learned, from files of a folder, and with how many threads."""

    folder: Path
    factors: int
    iterations: int
    n_threads: int


class Trainer(NamedTuple):
    """A trainer: whose it is ("ours" or "implicit"), and its settings."""

    name: str
    whose: str
    python: Path | str
    version: str
    settings: dict[str, Any]

    def result(self, function: str, **arguments: Any) -> tuple[Any, Any]:
        """Result of a function of `ials_workers.py`, and how its process went."""
        text = json.dumps(arguments, default=str)
        process = run([self.python, WORKERS, function, text], 1)  # BLAS's threads; it has its own
        return json.loads(process.output), process

    def train(self, task: Task, part: str = "train") -> dict[str, float]:
        """Learn in a process of its own."""
        found, process = self.result(
            f"{self.whose}_train",
            pairs=task.folder / f"{part}.csv",
            model=self.model(task),
            factors=task.factors,
            iterations=task.iterations,
            n_threads=task.n_threads,
            **self.settings,
        )
        return {**found, "whole": process.seconds, "memory": process.mebibytes}

    def model(self, task: Task) -> Path:
        """Where the model is saved."""
        return task.folder / f"{self.whose}.npz"

    def ndcg(self, task: Task, part: str = "train", test: str = "test") -> float:
        """NDCG of the saved model's lists."""
        files = {"test": task.folder / f"{test}.npz", "pairs": task.folder / f"{part}.csv"}
        return self.result("ndcg", whose=self.whose, model=self.model(task), **files)[0]

    def measured(self, task: Task) -> dict[str, float]:
        """One run."""
        return {**self.train(task), "ndcg": self.ndcg(task)}

    def tuned(self, task: Task) -> Trainer:
        """With the best of the settings on the validation part."""
        tried = []
        for settings in SETTINGS:
            print(f"tuning {self.name}: {settings}", file=sys.stderr)
            each = self._replace(settings=self.settings | settings)
            each.train(task, "tune")
            tried.append((each.ndcg(task, "tune", "valid"), each))
        return max(tried, key=lambda pair: pair[0])[1]


def trainers(python: Path | None, cholesky: bool) -> list[Trainer]:
    """Ours, and those of implicit, whose version is empty where it is not there."""
    ours = Trainer("funksvd ials", "ours", sys.executable, "", {})
    peer = Trainer("implicit ALS, CG", "implicit", python or sys.executable, "", {})
    found = [ours._replace(version=ours.result("versions")[0]["funksvd"])]
    version = peer.result("versions")[0].get("implicit", "")
    for name, use_cg in [("CG", True), ("Cholesky", False)][: 1 + cholesky]:
        settings = {"use_cg": use_cg, **SETTINGS[0]}
        found.append(
            peer._replace(name=f"implicit ALS, {name}", version=version, settings=settings)
        )
    return found


def compare(task: Task, compared: list[Trainer], n_runs: int) -> list[dict]:
    """A row for each."""
    there = {each.name: partial(each.measured, task) for each in compared if each.version}
    found = in_turn(there, n_runs)
    rows = [
        {
            "trainer": each.name,
            "version": each.version or "–",
            "threads": task.n_threads,
            "settings": each.settings,
            **found.get(each.name, {"note": MISSING}),
        }
        for each in compared
    ]
    return with_ratios(rows, ("iteration", "whole"))


def main() -> None:
    """Print a table for each number of factors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", type=Path, help="interpreter that has implicit")
    parser.add_argument("--users", type=int, default=6_040)
    parser.add_argument("--items", type=int, default=3_700)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cholesky", action="store_true", help="also implicit's exact solver")
    parser.add_argument("--no-tune", action="store_true", help="implicit's first settings")
    parser.add_argument("--no-ours", action="store_true", help="only implicit")
    parser.add_argument("--scratch", type=Path, help="folder for files")
    parser.add_argument("--markdown", action="store_true", help="tables for a README")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    arguments = parser.parse_args()
    compared = trainers(arguments.peers_python, arguments.cholesky)
    report: dict[str, Any] = {"machine": machine(), "runs": arguments.runs, "factors": []}
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        shape = {f"n_{key}": getattr(arguments, key) for key in ("users", "items", "pairs")}
        facts, _ = compared[0].result("make", folder=folder, **shape)
        size = "{pairs:,} pairs of {items:,} items and {users:,} users".format(**facts)
        print(f"{machine()}\n{size}; {arguments.iterations} iterations; ", end="")
        print(f"medians of {arguments.runs} runs", flush=True)
        report |= facts
        steps = {"iterations": arguments.iterations, "n_threads": arguments.threads}
        if not arguments.no_tune and compared[1].version:
            tuned = compared[1].tuned(Task(Path(folder), min(arguments.factors), **steps))
            best = {key: tuned.settings[key] for key in SETTINGS[0]}
            compared = [
                each if each.whose == "ours" else each._replace(settings=each.settings | best)
                for each in compared
            ]
        for factors in arguments.factors:
            task = Task(Path(folder), factors, **steps)
            rows = compare(task, compared[arguments.no_ours :], arguments.runs)
            print(f"\n{factors} factors\n\n{table(rows, COLUMNS, arguments.markdown)}", flush=True)
            report["factors"].append({"n_factors": factors, "rows": rows})
    if arguments.json:
        text = json.dumps(report, indent=1, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except FailedError as error:
        sys.exit(str(error))
