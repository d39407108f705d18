"""How time and memory grow with the number of ratings, of factors, and of threads.

    python scripts/bench_scaling.py --plot scaling.png
    python scripts/bench_scaling.py --data one.csv ten.csv netflix.csv --factors 16 64

Each figure is a median over whole processes, `funksvd train` from a CSV to a saved model without
validation and test, that take turns. Seconds per epoch are those it reports, the median of the
epochs. Bytes per rating are the peak memory of the process, the interpreter and libraries and all;
`net` is what remains without one copy of the factors and biases.

Without --data, files are made by make_large_data.py and deleted at the end. Ratings are varied with
64 factors and all threads; factors, and threads, on the file nearest to 10 million ratings.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from bench_peers import FailedError, in_turn, machine, run, table

MAKE = Path(__file__).with_name("make_large_data.py")
N_FACTORS = 64
MIDDLE = 10_000_000


class Setting(NamedTuple):
    """One run: its file, and its numbers of factors and threads."""

    file: Path
    n_factors: int
    n_threads: int


def measure(setting: Setting, n_epochs: int, model: Path) -> dict:
    """One run."""
    fixed = ["--json", "--test-fraction", 0, "--valid-fraction", 0, "--n-epochs", n_epochs]
    fixed.append("--no-choice")  # its number of factors is by the number of ratings
    shape = ["-k", setting.n_factors, "--threads", setting.n_threads, "-o", model]
    process = run([sys.executable, "-m", "funksvd", "train", setting.file, *fixed, *shape])
    found = json.loads(process.output)
    n_ratings, memory = found["n_ratings"], process.mebibytes * 2**20
    factors = 4 * (found["n_users"] + found["n_items"]) * (setting.n_factors + 1)
    epoch = statistics.median(each["seconds"] for each in found["history"])
    return {
        "ratings": n_ratings,
        "epoch": epoch,
        "speed": n_ratings / epoch / 1e6,
        "whole": process.seconds,
        "memory": process.mebibytes,
        "per_rating": memory / n_ratings,
        "net": (memory - factors) / n_ratings,
    }


COLUMNS = {
    "ratings": ("ratings", "{:,.0f}"),
    "factors": ("factors", "{}"),
    "threads": ("threads", "{}"),
    "epoch": ("s/epoch", "{:.4f}"),
    "speed": ("M ratings/s", "{:.0f}"),
    "whole": ("whole s", "{:.2f}"),
    "memory": ("MiB", "{:,.0f}"),
    "per_rating": ("B/rating", "{:.1f}"),
    "net": ("net", "{:.1f}"),
}


def series(
    files: list[Path], factors: list[int], threads: list[int]
) -> Iterator[tuple[str, list[Setting]]]:
    """Name of each number that is varied, and the settings for it."""
    yield "ratings", [Setting(file, N_FACTORS, max(threads)) for file in files]
    bytes_per_rating = 13  # of these files, nearly
    middle = min(files, key=lambda file: abs(file.stat().st_size - MIDDLE * bytes_per_rating))
    yield "factors", [Setting(middle, k, max(threads)) for k in factors]
    yield "threads", [Setting(middle, N_FACTORS, n) for n in threads]


def plot(rows: dict[str, list[dict]], title: str, path: Path) -> None:
    """Draw what was measured; dotted, what is proportional to the number or its inverse."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator

    figure, axes = pyplot.subplots(2, 2, figsize=(9, 7), layout="constrained")
    times = {"whole": "whole process", "epoch": "one epoch"}
    panels = [("ratings", times, "seconds"), ("ratings", {"memory": "peak memory"}, "MiB")]
    panels += [("factors", times, "seconds"), ("threads", times, "seconds")]
    for axis, (name, shown, unit) in zip(axes.flat, panels, strict=True):
        x = [row[name] for row in rows[name]]
        anchor, power = (0, -1) if name == "threads" else (-1, 1)
        for key, label in shown.items():
            y = [row[key] for row in rows[name]]
            axis.plot(x, y, "o-", label=label)
            ideal = [y[anchor] * (each / x[anchor]) ** power for each in x]
            axis.plot(x, ideal, ":", color="grey", zorder=0)
        axis.plot([], [], ":", color="grey", label="inverse" if power < 0 else "proportional")
        axis.set(xscale="log", yscale="log", xlabel=name, ylabel=unit)
        axis.set_xticks(x, labels=map(EngFormatter(sep="", places=0), x), minor=False)
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    figure.suptitle(title, fontsize="medium")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print the table, and draw the plot."""
    sizes = [1_000_000, 3_000_000, MIDDLE, 30_000_000, 100_480_507]
    powers = [2**n for n in range((os.cpu_count() or 1).bit_length())]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", metavar="FILE", help="files of ratings")
    parser.add_argument("--n-ratings", type=int, nargs="+", default=sizes, help="of files to make")
    parser.add_argument("--factors", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256])
    parser.add_argument("--threads", type=int, nargs="+", default=powers)
    parser.add_argument("--n-epochs", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="folder for files of the data's size")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="picture to draw (matplotlib)")
    parser.add_argument("--markdown", action="store_true", help="a table for a README")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    arguments = parser.parse_args()
    for file in arguments.data or []:
        if not file.is_file():
            parser.error(f"{file}: no such file")
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as folder:
        files = arguments.data or [Path(folder) / f"{n}.csv" for n in arguments.n_ratings]
        if not arguments.data:
            for n_ratings, file in zip(arguments.n_ratings, files, strict=True):
                run([sys.executable, MAKE, "--n-ratings", n_ratings, "-o", file])
        varied = dict(series(files, arguments.factors, arguments.threads))
        model = Path(folder) / "model.funksvd"
        found = in_turn(
            {
                setting: partial(measure, setting, arguments.n_epochs, model)
                for settings in varied.values()
                for setting in settings
            },
            arguments.runs,
        )
    if failures := [each["note"] for each in found.values() if "note" in each]:
        raise FailedError(failures[0])
    rows: dict[str, list[dict]] = {}
    for name, settings in varied.items():
        each = [{"factors": s.n_factors, "threads": s.n_threads, **found[s]} for s in settings]
        rows[name] = sorted(each, key=lambda row: row[name])
    title = f"{machine()}; {arguments.n_epochs} epochs, medians of {arguments.runs} runs"
    print(title)
    for each in rows.values():
        print(f"\n{table(each, COLUMNS, arguments.markdown)}", end="")
    if arguments.json:
        report = {"machine": machine(), "epochs": arguments.n_epochs, "runs": arguments.runs}
        arguments.json.write_text(json.dumps(report | rows, indent=1) + "\n")
    if arguments.plot:
        plot(rows, title, arguments.plot)


if __name__ == "__main__":
    try:
        main()
    except FailedError as error:
        sys.exit(str(error))
