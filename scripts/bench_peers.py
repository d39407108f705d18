r"""Beside other people's trainers, on the same data: time, memory, and error on the same test part.

    python scripts/bench_peers.py ml-100k netflix.csv \
        --mf-train libmf/mf-train --peers-python peers/bin/python

Peers are LIBMF (`mf-train`, best its AVX build, with `mf-predict` beside it), and what the peers'
interpreter has of scikit-surprise (SVD, SVD++), cmfrec and implicit; it may be another one than
ours, for some of them want an older NumPy. A peer that is not there, fails, or would take hours, is
named all the same.

Of each data set a seeded tenth is set aside for the test, and a twentieth of the rest decides each
peer's settings and number of epochs. Then every trainer learns from all but the test, from a text
file of indices to a saved model, in a process of its own. The trainers take turns; medians are
shown, and ratios of medians to the first row. Predictions are made afterwards, held within the
rating scale, and their errors counted here.

`funksvd` is given its number of epochs, as the others are; `funksvd alone` finds it on the way, by
a validation part of its own, and then trains again. All of ours have default settings. Seconds per
epoch are those that we report; LIBMF's are the difference between a long and a short run, divided
by the number of epochs between them; the others' are the time in `fit`, divided by the number of
epochs.
`to best` is for how many seconds of epochs they learn until the validation RMSE is as low as that
of LIBMF's best epoch.

Scoring: the ten best unseen items of every user, from the same factors and with as many threads.

This process imports nothing large, and has all real work done by processes of its own, because
Linux counts what a process was before it became another program towards that program's memory.
Less than the 16 MiB or so of Python can still not be seen.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

WORKERS = Path(__file__).with_name("peer_workers.py")
PATIENCE = 5  # epochs without a better validation RMSE, after which LIBMF's tuning goes on
ENOUGH = 100_000_000  # ratings to go through before seconds are compared
OURS = "funksvd"
MISSING = "not there; give the interpreter that has it with --peers-python"


class FailedError(Exception):
    """A program is not there, or ended with an error."""


class Process(NamedTuple):
    """Output, time and memory of a process."""

    output: str
    seconds: float
    mebibytes: float


def run(command: list[Any], n_threads: int | None = None) -> Process:
    """Run a program to its end, and measure it.

    Raises
    ------
    FailedError
        If it is not there, or ends with an error; with the last line that it wrote.
    """
    environment = dict(os.environ)
    if n_threads:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(n_threads))
    command = list(map(str, command))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment)
        except OSError as error:
            raise FailedError(str(error)) from error
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            last = (errors.read().strip() or "no message").splitlines()[-1]
            raise FailedError(f"{command[0]}, exit code {process.returncode}: {last}")
        unit = 1 if sys.platform == "darwin" else 1024
        return Process(out.read(), seconds, usage.ru_maxrss * unit / 2**20)


def worker(function: str, python: Path | str = sys.executable, **arguments: Any) -> list[Any]:
    """The command that calls a function of `peer_workers.py` in an interpreter."""
    return [python, WORKERS, function, json.dumps(arguments, default=str)]


def result(function: str, python: Path | str = sys.executable, **arguments: Any) -> Any:
    """Result of a function of `peer_workers.py` in an interpreter."""
    return json.loads(run(worker(function, python, **arguments)).output)


class Data(NamedTuple):
    """A data set that has been split into files of a folder, and how to learn from it."""

    name: str
    folder: Path
    facts: dict
    n_factors: int
    n_threads: int

    def part(self, name: str, suffix: str = ".txt") -> Path:
        """File of a part: train, test, or of train, tune and valid."""
        return self.folder / f"{name}{suffix}"


class Plan(NamedTuple):
    """Settings, for how many epochs, and the validation RMSE after each of them, where known."""

    settings: dict
    n_epochs: int
    curve: tuple[float, ...] = ()


class Trainer(ABC):
    """Somebody's trainer: what to call, and the settings with which it is good."""

    suffix = ".txt"
    threaded = True
    most = 10**12  # ratings; more would take hours
    grid: tuple[dict, ...] = ({},)
    n_epochs: tuple[int, ...] = ()

    def __init__(self, name: str, version: str | None, missing: str = MISSING) -> None:
        self.name, self.version, self.missing = name, version, missing

    @abstractmethod
    def train_command(self, data: Data, part: str, plan: Plan) -> list[Any]:
        """From text to saved model."""

    @abstractmethod
    def predict_command(self, data: Data, part: str, predictions: Path) -> list[Any]:
        """From saved model to predictions of a part."""

    def model(self, data: Data) -> Path:
        """Where the model is saved."""
        return data.folder / f"{self.name}.model"

    def train(self, data: Data, part: str, plan: Plan) -> Process:
        """Learn from a part, and save."""
        return run(self.train_command(data, part, plan), data.n_threads if self.threaded else 1)

    def rmse(self, data: Data, part: str) -> float:
        """Error of the saved model on a part."""
        files = {"part": data.part(part, ".npy"), "predictions": data.part(self.name, self.suffix)}
        run(self.predict_command(data, part, files["predictions"]))
        return result("rmse", low=data.facts["low"], high=data.facts["high"], **files)

    def tune(self, data: Data) -> Plan:
        """Try all settings with all numbers of epochs."""
        tried = []
        for plan in [Plan(each, n) for each in self.grid for n in self.n_epochs]:
            self.train(data, "tune", plan)
            tried.append((self.rmse(data, "valid"), plan))
        return min(tried, key=lambda each: each[0])[1]

    def epoch_seconds(self, data: Data, plan: Plan, whole: Process) -> float:
        """Time of one epoch of a run."""
        return json.loads(whole.output)["seconds"] / plan.n_epochs


class Ours(Trainer):
    """One of our algorithms, with default settings and a given number of epochs."""

    suffix = ".csv"

    def __init__(self, name: str, version: str, algorithm: str = "sgd") -> None:
        super().__init__(name, version)
        self.algorithm = algorithm

    def epoch_options(self, data: Data, part: str, plan: Plan) -> list[Any]:
        """Options that decide the number of epochs."""
        if part == "tune":
            return ["--valid", data.part("valid", ".csv"), "--no-refit"]
        return ["--valid-fraction", 0, "--n-epochs", plan.n_epochs]

    def train_command(self, data: Data, part: str, plan: Plan) -> list[Any]:
        files = [data.part(part, ".csv"), "-o", self.model(data), "--test-fraction", 0]
        shape = ["-k", data.n_factors, "--threads", data.n_threads, "--json"]
        shape += ["--algorithm", self.algorithm, "--no-choice"]
        rest = [*files, *shape, *self.epoch_options(data, part, plan)]
        return [sys.executable, "-m", OURS, "train", *rest]

    def predict_command(self, data: Data, part: str, predictions: Path) -> list[Any]:
        rest = [data.part(part, ".csv"), "-q", "-m", self.model(data), "-o", predictions]
        return [sys.executable, "-m", OURS, "predict", *rest]

    def tune(self, data: Data) -> Plan:
        found = json.loads(self.train(data, "tune", Plan({}, 0)).output)
        return Plan({}, found["best_epoch"], tuple(e["valid_rmse"] for e in found["history"]))

    def epoch_seconds(self, data: Data, plan: Plan, whole: Process) -> float:
        return statistics.median(each["seconds"] for each in json.loads(whole.output)["history"])


class OursAlone(Ours):
    """We, finding the number of epochs on the way."""

    def epoch_options(self, data: Data, part: str, plan: Plan) -> list[Any]:
        return []

    def tune(self, data: Data) -> Plan:
        return Plan({}, 0)


class Libmf(Trainer):
    """LIBMF, by the path of its trainer."""

    grid = tuple({"-l2": reg, "-r": rate} for reg in (0.05, 0.08, 0.1) for rate in (0.05, 0.1))
    most_epochs = 100  # in tuning

    def __init__(self, mf_train: Path | None, mf_predict: Path | None) -> None:
        super().__init__("LIBMF", None, "not there; give its trainer with --mf-train")
        if mf_train is None:
            return
        self.mf_train = mf_train
        self.mf_predict = mf_predict or mf_train.with_name("mf-predict")
        self.version = "?"  # the program does not tell
        if (mf_train.parent / ".git").exists():
            log = ["git", "-C", mf_train.parent, "log", "-1", "--format=%h of %cs"]
            self.version = run(log).output.strip()

    def train_command(self, data: Data, part: str, plan: Plan) -> list[Any]:
        options = [word for pair in plan.settings.items() for word in pair]
        options += ["-k", data.n_factors, "-s", data.n_threads, "-t", plan.n_epochs]
        options += ["-p", data.part("valid")] if part == "tune" else ["--quiet"]
        return [self.mf_train, *options, data.part(part), self.model(data)]

    def predict_command(self, data: Data, part: str, predictions: Path) -> list[Any]:
        return [self.mf_predict, data.part(part), self.model(data), predictions]

    def epoch_seconds(self, data: Data, plan: Plan, whole: Process) -> float:
        long = plan._replace(n_epochs=max(plan.n_epochs, ENOUGH // data.facts["ratings"]))
        short = plan._replace(n_epochs=min(2, plan.n_epochs - 1))
        run_of_long = whole if long == plan else self.train(data, "train", long)
        more = run_of_long.seconds - self.train(data, "train", short).seconds
        return more / (long.n_epochs - short.n_epochs)

    def validation_errors(self, data: Data, settings: dict) -> Iterator[float]:
        """Validation RMSE after each epoch, as it is printed."""
        command = self.train_command(data, "tune", Plan(settings, self.most_epochs))
        with subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                for words in map(str.split, process.stdout):
                    if words and words[0].isdigit():  # iter, tr_rmse, va_rmse, obj
                        yield float(words[2])
            finally:
                process.terminate()

    def tune(self, data: Data) -> Plan:
        plans = []
        for settings in self.grid:
            curve: list[float] = []
            for error in self.validation_errors(data, settings):
                curve.append(error)
                if len(curve) - curve.index(min(curve)) > PATIENCE:
                    break
            if not curve:
                raise FailedError(f"{self.mf_train} printed no validation RMSE")
            plans.append(Plan(settings, max(2, curve.index(min(curve)) + 1), tuple(curve)))
        return min(plans, key=lambda plan: min(plan.curve))


class Surprise(Trainer):
    """One of scikit-surprise's algorithms, which use one thread."""

    threaded = False
    n_epochs = (20, 40)

    def __init__(self, algorithm: str, python: Path | None, version: str | None) -> None:
        super().__init__(f"Surprise {algorithm.replace('pp', '++')}", version)
        self.algorithm, self.python, self.most = algorithm, python, 3_000_000
        self.grid = ({"reg_all": 0.1, "lr_all": 0.01},)
        if algorithm == "SVDpp":
            self.most = 200_000
            self.grid = ({**self.grid[0], "cache_ratings": True},)

    def train_command(self, data: Data, part: str, plan: Plan) -> list[Any]:
        options = {"n_factors": data.n_factors, "n_epochs": plan.n_epochs, **plan.settings}
        arguments = {"algorithm": self.algorithm, "options": options}
        arguments["scale"] = [data.facts["low"], data.facts["high"]]
        files = {"train": data.part(part), "model": self.model(data)}
        return worker("surprise_train", self.python, **arguments, **files)

    def predict_command(self, data: Data, part: str, predictions: Path) -> list[Any]:
        files = {"model": self.model(data), "pairs": data.part(part), "predictions": predictions}
        return worker("surprise_predict", self.python, **files)


class Cmfrec(Trainer):
    """cmfrec's alternating least squares; an epoch is one alternation."""

    most = 30_000_000
    grid = tuple({"lambda_": reg, "scale_lam": True} for reg in (0.05, 0.08, 0.1, 0.12))
    n_epochs = (5, 10)

    def __init__(self, python: Path | None, version: str | None) -> None:
        super().__init__("cmfrec ALS", version)
        self.python = python

    def train_command(self, data: Data, part: str, plan: Plan) -> list[Any]:
        options = {"k": data.n_factors, "niter": plan.n_epochs, "nthreads": data.n_threads}
        files = {"train": data.part(part), "model": self.model(data)}
        return worker("cmfrec_train", self.python, options=options | plan.settings, **files)

    def predict_command(self, data: Data, part: str, predictions: Path) -> list[Any]:
        files = {"model": self.model(data), "pairs": data.part(part), "predictions": predictions}
        return worker("cmfrec_predict", self.python, **files)


def in_turn(measures: dict[Any, Callable[[], dict]], n_runs: int) -> dict[Any, dict]:
    """Medians of measurements that take turns; what fails says why, and is not tried again."""
    taken: dict[Any, list[dict]] = {name: [] for name in measures}
    found: dict[Any, dict] = {}
    for _ in range(n_runs):
        for name in [name for name in measures if name not in found]:
            try:
                taken[name].append(measures[name]())
            except FailedError as error:
                found[name] = {"note": str(error)}
    for name in measures.keys() - found.keys():
        keys = taken[name][0]
        found[name] = {key: statistics.median(each[key] for each in taken[name]) for key in keys}
    return found


def with_ratios(rows: list[dict], keys: tuple[str, ...]) -> list[dict]:
    """Each row's figures as multiples of the first row's, where there are both."""
    for row in rows:
        for key in keys:
            if key in row and key in rows[0]:
                row[f"{key}_ratio"] = row[key] / rows[0][key]
    return rows


def measure_training(trainer: Trainer, data: Data, plan: Plan) -> dict:
    """One run of one trainer."""
    whole = trainer.train(data, "train", plan)
    error = trainer.rmse(data, "test")  # before another run saves its model
    return {
        "epochs": plan.n_epochs or json.loads(whole.output)["best_epoch"],
        "epoch": trainer.epoch_seconds(data, plan, whole),
        "whole": whole.seconds,
        "memory": whole.mebibytes,
        "rmse": error,
    }


def compare_training(trainers: list[Trainer], data: Data, n_runs: int) -> list[dict]:
    """One row for each trainer, the first of them ours."""
    rows, plans, goal = {}, {}, None
    for trainer in trainers:
        row = rows[trainer.name] = {"trainer": trainer.name, "version": trainer.version or "–"}
        if trainer.version is None:
            row["note"] = trainer.missing
        elif data.facts["ratings"] > trainer.most:
            row["note"] = f"too slow for more than {trainer.most:,} ratings"
        else:
            print(f"tuning {trainer.name}", file=sys.stderr)
            try:
                plan = trainer.tune(data)
                if trainer.name == "LIBMF":
                    trainer.train(data, "tune", plan)
                    goal = trainer.rmse(data, "valid")
            except FailedError as error:
                row["note"] = str(error)
                continue
            plans[trainer] = plan
            row |= {"threads": data.n_threads if trainer.threaded else 1, **plan._asdict()}
    measures = {t.name: partial(measure_training, t, data, plan) for t, plan in plans.items()}
    found = in_turn(measures, n_runs)
    for trainer, plan in plans.items():
        row = rows[trainer.name]
        row |= found[trainer.name]
        reached = [n for n, error in enumerate(plan.curve, 1) if goal and error <= goal]
        needed = plan.n_epochs if trainer.name == "LIBMF" else min(reached, default=0)
        if needed and "epoch" in row:
            row["to_best"] = needed * row["epoch"]
        elif "epoch" in row and goal and plan.curve:
            best = f"{min(plan.curve):.4f} against {goal:.4f}"
            row["note"] = f"never as good as LIBMF on the validation part: {best}"
    return with_ratios(list(rows.values()), ("epoch", "to_best", "whole"))


def measure_scoring(command: list[Any], n_threads: int | None = None) -> dict:
    """One run of a worker that recommends."""
    process = run(command, n_threads)
    seconds = json.loads(process.output)["seconds"]
    return {"scoring": seconds, "whole": process.seconds, "memory": process.mebibytes}


def compare_scoring(
    data: Data, ours: Trainer, python: Path | None, version: str | None, n_runs: int
) -> list[dict]:
    """A row of ours and one of implicit, from the model that we saved last."""
    model, arrays = ours.model(data), data.folder / "factors.npz"
    lists = {name: data.part(name, ".npy") for name in ("ours", "theirs")}
    n_threads = {"n_threads": data.n_threads}
    command = worker("our_recommend", model=model, lists=lists["ours"], **n_threads)
    measures = {OURS: partial(measure_scoring, command)}
    if version:
        run(worker("export", model=model, arrays=arrays))
        files = {"arrays": arrays, "lists": lists["theirs"]}
        command = worker("implicit_recommend", python, **files, **n_threads)
        measures["implicit"] = partial(measure_scoring, command, 1)  # BLAS's; it has its own
    found = in_turn(measures, n_runs)
    theirs = found.get("implicit", {"note": MISSING})
    if "scoring" in theirs:
        theirs |= {"threads": data.n_threads, "same": result("same_lists", **lists)}
    rows = [
        {"trainer": OURS, "version": ours.version, "threads": data.n_threads, **found[OURS]},
        {"trainer": "implicit", "version": version or "–", **theirs},
    ]
    return with_ratios(rows, ("scoring", "whole"))


WHO = {"trainer": ("", "{}"), "version": ("version", "{}"), "threads": ("threads", "{}")}
TRAINING = WHO | {
    "epochs": ("epochs", "{:.0f}"),
    "epoch": ("s/epoch", "{:.4f}"),
    "epoch_ratio": ("×", "{:.2f}"),
    "to_best": ("to best", "{:.3f}"),
    "to_best_ratio": ("×", "{:.2f}"),
    "whole": ("whole s", "{:.2f}"),
    "whole_ratio": ("×", "{:.2f}"),
    "memory": ("MiB", "{:,.0f}"),
    "rmse": ("RMSE", "{:.4f}"),
}
SCORING = WHO | {
    "scoring": ("scoring s", "{:.2f}"),
    "scoring_ratio": ("×", "{:.2f}"),
    "whole": ("whole s", "{:.2f}"),
    "whole_ratio": ("×", "{:.2f}"),
    "memory": ("MiB", "{:,.0f}"),
    "same": ("same lists", "{:.2%}"),
}


def table(rows: list[dict], columns: dict[str, tuple[str, str]], markdown: bool) -> str:
    """Rows as aligned text; below it, settings, and why a row is empty."""
    cells = [[title for title, _ in columns.values()]]
    for row in rows:
        cells.append([form.format(row[k]) if k in row else "–" for k, (_, form) in columns.items()])
    widths = [max(2, *map(len, column)) for column in zip(*cells, strict=True)]
    if markdown:
        cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    lines = []
    for first, *rest in cells:
        aligned = [first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]
        lines.append(f"| {' | '.join(aligned)} |" if markdown else "  ".join(aligned).rstrip())
    lines.append("")
    for row in rows:
        settings = " ".join(f"{key} {value}" for key, value in row.get("settings", {}).items())
        if note := row.get("note", settings):
            lines.append(f"{row['trainer']}: {note}")
    return "\n".join(lines).rstrip() + "\n"


def machine() -> str:
    """Processor, number of processors, and system, in a line."""
    names = [platform.processor() or platform.machine()]
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        lines = cpu.read_text().splitlines()
        names = [line.split(": ")[1] for line in lines if line.startswith("model name")] or names
    return f"{names[0]}, {os.cpu_count()} processors, {platform.system()}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="anything that funksvd reads")
    parser.add_argument("--mf-train", type=Path, help="LIBMF's trainer, best its AVX build")
    parser.add_argument("--mf-predict", type=Path, help="default: beside mf-train")
    parser.add_argument("--peers-python", type=Path, help="interpreter that has the other peers")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--scratch", type=Path, help="folder for files of four times the data's size"
    )
    parser.add_argument("--markdown", action="store_true", help="tables for a README")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    arguments = parser.parse_args()
    python, n_runs = arguments.peers_python, arguments.runs
    version = result("versions")[OURS]
    peers = result("versions", python) if python else {}
    surprise = peers.get("scikit-surprise")
    trainers = [
        Ours(OURS, version),
        OursAlone(f"{OURS} alone", version),
        Ours(f"{OURS} svd++", version, "svd++"),
        Libmf(arguments.mf_train, arguments.mf_predict),
        Surprise("SVD", python, surprise),
        Surprise("SVDpp", python, surprise),
        Cmfrec(python, peers.get("cmfrec")),
    ]
    print(machine())
    report: dict[str, Any] = {"machine": machine(), "runs": n_runs, "data": []}
    for name in arguments.data:
        with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
            facts = result("split", data=name, folder=folder)
            data = Data(Path(name).name, Path(folder), facts, arguments.factors, arguments.threads)
            size = "{ratings:,} ratings of {items:,} items by {users:,} users".format(**facts)
            print(f"\n{data.name}: {size}; {data.n_factors} factors; medians of {n_runs} runs\n")
            training = compare_training(trainers, data, n_runs)
            print(table(training, TRAINING, arguments.markdown), flush=True)
            scoring = compare_scoring(data, trainers[0], python, peers.get("implicit"), n_runs)
            print(table(scoring, SCORING, arguments.markdown), flush=True)
        shape = {"name": data.name, "factors": data.n_factors, "threads": data.n_threads, **facts}
        report["data"].append({**shape, "training": training, "scoring": scoring})
    if arguments.json:
        text = json.dumps(report, indent=1, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except FailedError as error:
        sys.exit(str(error))
