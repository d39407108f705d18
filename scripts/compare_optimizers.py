"""Optimizers, batch sizes and schedules beside each other: loss by epochs and by seconds.

    python scripts/compare_optimizers.py ratings.csv --plot optimizers.png
    python scripts/compare_optimizers.py ratings.csv --optimizers sgd adam:full --schedules plateau

Each learns from the same ratings, with the same part held back, until early stopping ends it; the
settings that are not named are its defaults. Schedules are compared with plain gradient descent on
single ratings. Seconds are those of the epochs, with their validation; compiling is not among them.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_peers import machine, table

from funksvd import FunkSVDError
from funksvd.hyperparameters import OPTIMIZERS
from funksvd.hyperparameters.schedules import SCHEDULES
from funksvd.ratings import read_ratings
from funksvd.rng import Stream
from funksvd.splitting import random_part
from funksvd.training import (
    BlockPlan,
    EpochRecord,
    Findings,
    Hyperparameters,
    Triples,
    plan_blocks,
    train,
)

VALIDATION = 0.1
DIFFERENT_SIZES = ["sgd:1000", "sgd:full", "adam:full"]


class Run(NamedTuple):
    """What is compared: `kind` is "optimizer" or "schedule"."""

    kind: str
    name: str
    chosen: dict[str, Any]


def runs(optimizers: list[str], schedules: list[str]) -> list[Run]:
    """Of the names that are given: an optimizer's may be followed by a colon and a batch size."""
    found = []
    for name in optimizers:
        optimizer, _, size = name.partition(":")
        chosen = {"optimizer": optimizer}
        if size:
            chosen["batch_size"] = int(size) if size.isdigit() else size
        found.append(Run("optimizer", name, chosen))
    return found + [Run("schedule", name, {"schedule": name}) for name in schedules]


def follow(plan: BlockPlan, run: Run, fixed: dict[str, Any]) -> list[EpochRecord]:
    """The epochs of a run."""
    hyperparameters = Hyperparameters(**fixed, **run.chosen)
    hyperparameters.check()
    train(plan, hyperparameters, findings=Findings(n_epochs=1))  # compiles
    return train(plan, hyperparameters).record.history


def summary(run: Run, history: list[EpochRecord]) -> dict[str, Any]:
    """A line of the table."""
    best = int(np.argmin([record.valid for record in history]))
    seconds = list(accumulate(record.seconds for record in history))
    return {
        "kind": run.kind,
        "name": run.name,
        "epochs": len(history),
        "best": best + 1,
        "train": history[best].train,
        "valid": history[best].valid,
        "epoch": float(np.median([record.seconds for record in history])),
        "to_best": seconds[best],
    }


COLUMNS = {
    "kind": ("", "{}"),
    "name": ("", "{}"),
    "epochs": ("epochs", "{}"),
    "best": ("best", "{}"),
    "train": ("train RMSE", "{:.4f}"),
    "valid": ("valid RMSE", "{:.4f}"),
    "epoch": ("s/epoch", "{:.4f}"),
    "to_best": ("s to best", "{:.2f}"),
}


def plot(histories: list[tuple[Run, list[EpochRecord]]], title: str, path: Path) -> None:
    """Draw a row of panels for the optimizers, and one for the schedules."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = list(dict.fromkeys(run.kind for run, _ in histories))
    figure, axes = pyplot.subplots(
        len(kinds), 3, figsize=(15, 4.5 * len(kinds)), layout="constrained", squeeze=False
    )
    panels = (("epoch", "train"), ("epoch", "valid"), ("seconds", "valid"))
    lowest = min(record.valid for _, history in histories for record in history)
    for row, kind in zip(axes, kinds, strict=True):
        for axis, (by, shown) in zip(row, panels, strict=True):
            shown_here = [each for each in histories if each[0].kind == kind]
            for number, (run, history) in enumerate(shown_here):
                x = [record.epoch for record in history]
                if by == "seconds":
                    x = list(accumulate(record.seconds for record in history))
                y = [getattr(record, shown) for record in history]
                style = "--" if number >= 10 else "-"  # the colours begin again
                axis.plot(x, y, style, label=run.name, linewidth=1.3)
            what = {"train": "training RMSE", "valid": "validation RMSE"}[shown]
            axis.set(xscale="log", xlabel=by, ylabel=what)
            if shown == "valid":
                axis.set_ylim(lowest * 0.995, lowest * 1.1)
            axis.grid(alpha=0.3)
        row[-1].legend(title=kind, fontsize="small", loc="upper right")
    figure.suptitle(title, fontsize="medium")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print the table, and draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings", nargs="+", help="file, or several")
    parser.add_argument(
        "--optimizers", nargs="*", default=[*OPTIMIZERS, *DIFFERENT_SIZES], metavar="NAME[:BATCH]"
    )
    parser.add_argument("--schedules", nargs="*", default=list(SCHEDULES), choices=SCHEDULES)
    parser.add_argument("--n-factors", type=int, default=64)
    parser.add_argument("--n-epochs", type=int, help="at most")
    parser.add_argument("--patience", type=int, help="epochs without a better error")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="picture to draw (matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="a table for a README")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all epochs")
    arguments = parser.parse_args()
    fixed = {
        name: getattr(arguments, name) for name in ("n_factors", "n_epochs", "patience", "seed")
    } | {"n_threads": arguments.threads}

    ratings = read_ratings(arguments.ratings).compact()
    held_back = random_part(ratings, VALIDATION, arguments.seed, Stream.VALIDATION)
    plan = plan_blocks(
        Triples(ratings.user_index, ratings.item_index, ratings.values),
        (ratings.n_users, ratings.n_items),
        held_back=held_back,
    )
    wanted = runs(arguments.optimizers, arguments.schedules)
    histories = [(run, follow(plan, run, fixed)) for run in wanted]
    title = f"{plan.n_learned:,} ratings, {arguments.n_factors} factors; {machine()}"
    print(f"{title}\n")
    rows = [summary(run, history) for run, history in histories]
    print(table(rows, COLUMNS, arguments.markdown), end="")
    if arguments.json:
        report = [
            {**run._asdict(), "epochs": [record.to_dict() for record in history]}
            for run, history in histories
        ]
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.plot:
        plot(histories, title, arguments.plot)


if __name__ == "__main__":
    try:
        main()
    except FunkSVDError as error:
        sys.exit(str(error))
