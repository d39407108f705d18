"""Seconds of an epoch on a cluster, and a worker's memory: a model on paper, not a measurement.

    python scripts/model_cluster.py
    python scripts/model_cluster.py --data 3e9:2e7:5e5:64:128 --workers 1 8 --price 0.8
    python scripts/model_cluster.py --calibrate 64:156e6:2 128:104e6:2 --cores 32 --memory 150

A set of data is RATINGS:USERS:ITEMS:FACTORS:GROUPS. `docs/beyond-one-machine.md` says how a cluster
learns; the terms for each worker and epoch are

- arithmetic: a rating costs a core a fixed time and a time for each factor. Both are fitted to
  measured epochs of one machine that do not wait for memory, by least squares of relative errors;
  the defaults to 32, 64 and 128 factors and 10 million ratings in README.md, two threads;
- memory: users of a group who have a rating in a block have their rows read and written once for
  each block, so up to B times an epoch; rows of items once for each block, and ratings once;
- network: one table of items arrives, and one leaves at the same time; validation doubles that;
- steps: B times what it takes to call all workers and to hear from them.

Processors compute while memory delivers the next rows and the network the next group, so the
longest of the first three counts. Steps are added.

What it leaves out: items' rows of a block are taken to stay in a processor's own cache. Where they
do not, it is too optimistic: 256 factors of 8,235 items in 4 groups (2 MB each) took 1.5 times as
long here as the formula for arithmetic says. How busy the slowest worker is beside the others, what
the choice model takes, and other tenants of machines and network are left out, too. Users are taken
to rate at random: if they keep to few groups of items, fewer rows pass through memory.

An earlier estimate, by hand, had 2.9, 0.87 and 0.68 s for the first set of data with 4, 16 and 64
workers, and 43, 11 and 3.4 s for the second. This model agrees within a fifth with its defaults: 50
GB/s of memory and 4 ms for a step are chosen so that it does, and are not measured.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

FLOAT = 4
COPIES = 2
"""Copies of a worker's rows: those of now, and those of the best epoch."""
RATING_BYTES = 12
"""Largest number of bytes of a rating in a block, without days."""
FIXED_GB = 2.0
"""Memory for Python, Ray and its object store, the ids of all users and items."""
MEASURED = ("32:217e6:2", "64:156e6:2", "128:104e6:2")
SETS = ("1e9:1e7:1e6:128:64", "1e10:1e8:1e6:128:256")


class Data(NamedTuple):
    """A set of data, the number of factors k, and that of groups B."""

    n_ratings: float
    n_users: float
    n_items: float
    n_factors: int
    n_groups: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a row: the factors, and the bias."""
        return FLOAT * (self.n_factors + 1)


@dataclass(frozen=True)
class Machines:
    """What the machines can do.

    Parameters
    ----------
    cores : int
        Of each.
    seconds_per_rating, seconds_per_factor : float
        Of a core, for each rating, and for each factor of it.
    memory, network : float
        Bytes a second.
    step : float
        Seconds.
    price : float
        Of a machine for an hour.
    """

    cores: int
    seconds_per_rating: float
    seconds_per_factor: float
    memory: float
    network: float
    step: float
    price: float


def fitted(measured: list[list[float]]) -> tuple[float, float]:
    """Seconds of a core for each rating, and for each factor, from measured epochs.

    Parameters
    ----------
    measured : list of (n_factors, ratings a second, threads)
        Of a single one, all time is taken to be for factors.
    """
    table = np.array(measured)
    seconds = table[:, 2] / table[:, 1]
    if len(table) == 1:
        return 0.0, float(seconds[0] / table[0, 0])
    terms = np.stack([np.ones(len(table)), table[:, 0]], axis=1) / seconds[:, None]
    fixed, factor = np.linalg.lstsq(terms, np.ones(len(table)), rcond=None)[0]
    return float(fixed), float(factor)


def predicted(data: Data, n_workers: int, machines: Machines, n_epochs: int) -> dict[str, float]:
    """The figures of one line of the table."""
    n_groups, n_mine = data.n_groups, data.n_ratings / n_workers
    per_rating = machines.seconds_per_rating + machines.seconds_per_factor * data.n_factors
    busy = min(machines.cores, n_groups / n_workers)
    arithmetic = n_mine * per_rating / busy
    in_block = data.n_ratings / n_groups**2
    users_of_group = data.n_users / n_groups
    touched = users_of_group * -math.expm1(-in_block / users_of_group)
    n_blocks = n_groups**2 / n_workers
    rows = n_blocks * (touched + data.n_items / n_groups)
    memory = (2 * rows * data.row_bytes + n_mine * RATING_BYTES) / machines.memory
    table = data.n_items * data.row_bytes
    is_cluster = n_workers > 1
    network = table / machines.network if is_cluster else 0.0
    steps = n_groups * machines.step if is_cluster else 0.0
    epoch = max(arithmetic, memory, network) + steps
    own_rows = (data.n_users + data.n_items) / n_workers * data.row_bytes
    return {
        "ratings": data.n_ratings,
        "factors": data.n_factors,
        "groups": n_groups,
        "workers": n_workers,
        "arithmetic s": arithmetic,
        "memory s": memory,
        "network s": network,
        "steps s": steps,
        "epoch s": epoch,
        "GB a worker": FIXED_GB + (COPIES * own_rows + n_mine * RATING_BYTES) / 1e9,
        "model GB": (data.n_users + data.n_items) * data.row_bytes / 1e9,
        "price": n_epochs * epoch / 3600 * n_workers * machines.price,
    }


def numbers(text: str) -> list[float]:
    """Numbers between colons."""
    return [float(word) for word in text.split(":")]


def data_of(text: str) -> Data:
    """A set of data, as it is written on the command line."""
    *sizes, n_factors, n_groups = numbers(text)
    return Data(*sizes, int(n_factors), int(n_groups))


def shown(name: str, value: float) -> str:
    """A figure of the table."""
    if name in ("ratings", "factors", "groups", "workers"):
        return f"{value:,.0f}"
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def table(rows: list[dict[str, float]]) -> str:
    """An aligned table."""
    cells = [list(rows[0])] + [[shown(*item) for item in row.items()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    more = {"nargs": "+"}
    parser.add_argument("--data", type=data_of, default=[*map(data_of, SETS)], **more)
    parser.add_argument("--workers", type=int, default=[1, 4, 16, 64], **more)
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument(
        "--calibrate",
        type=numbers,
        default=[*map(numbers, MEASURED)],
        metavar="FACTORS:RATINGS_A_SECOND:THREADS",
        help="measured epochs of one machine",
        **more,
    )
    parser.add_argument("--memory", type=float, default=50, help="GB/s of a machine")
    parser.add_argument("--network", type=float, default=10, help="Gbit/s of a machine")
    parser.add_argument("--step", type=float, default=4, help="ms to call all workers once")
    parser.add_argument("--price", type=float, default=1, help="of a machine for an hour")
    parser.add_argument(
        "--epochs", type=int, default=40, help="that are paid for: search and refit"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    machines = Machines(
        given.cores,
        *fitted(given.calibrate),
        memory=given.memory * 1e9,
        network=given.network * 1e9 / 8,
        step=given.step / 1e3,
        price=given.price,
    )
    rows = [
        predicted(data, n_workers, machines, given.epochs)
        for data in given.data
        for n_workers in given.workers
        if n_workers <= data.n_groups
    ]
    print(json.dumps({"machines": asdict(machines), "rows": rows}) if given.json else table(rows))


if __name__ == "__main__":
    main()
