"""How many fold-in-and-recommend requests a second `funksvd serve` answers on one core.

    python scripts/bench_serving.py
    python scripts/bench_serving.py --model model.funksvd --explain --by both rating

Lists are asked for in each order that the model has: by both, by choice, by rating. Without
--model, a model of 64 factors, and a choice model of 128 beside it, learn from 1,000,000 made-up
ratings of 10,000 items: of some popularity, with biases and eight factors planted. The server is a
process of its own, on one processor; the questions come from another one, over connections that
stay open, each asking as soon as it is answered. Each guest has rated items of one of the model's
users, about as these would.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from funksvd import FunkSVD, Ratings


def make_model(path: Path) -> None:
    """A model of 10,000 items."""
    random = np.random.default_rng(0)
    n_users, n_items, n_each = 5_000, 10_000, 200
    popularity = 1 / (np.arange(n_items) + 100.0)
    items = random.choice(n_items, n_users * n_each, p=popularity / popularity.sum())
    users = np.repeat(np.arange(n_users), n_each)
    user_factors, item_factors = (random.normal(0, 0.45, (n, 8)) for n in (n_users, n_items))
    scores = np.einsum("rf,rf->r", user_factors[users], item_factors[items])
    for n, index in ((n_users, users), (n_items, items)):
        scores += random.normal(0, 0.4, n)[index]
    values = np.clip(np.round(3.6 + scores + random.normal(0, 0.7, len(scores))), 1, 5)
    ratings = Ratings.from_arrays(users, items, values, duplicates="first")
    FunkSVD().fit(ratings).save(path)


def make_requests(
    model: FunkSVD, n_rated: int, by: str, explain: bool, n: int = 200
) -> list[bytes]:
    """Whole HTTP requests for lists in one order."""
    random = np.random.default_rng(1)
    per_user = np.diff(model.seen.indptr)
    requests = []
    for u in random.choice(np.flatnonzero(per_user >= n_rated), n).tolist():
        mine = model.seen.columns[model.seen.indptr[u] : model.seen.indptr[u + 1]]
        rows = random.choice(mine, n_rated, replace=False)
        expected = model.predict_index(np.full(n_rated, u, dtype=np.int32), rows)
        values = np.clip(expected + random.normal(0, 0.8, n_rated), *model.rating_scale)
        ratings = [
            {"item": item, "rating": rating}
            for item, rating in zip(
                model.item_ids[rows].tolist(), np.round(values, 1).tolist(), strict=True
            )
        ]
        body = json.dumps({"ratings": ratings, "by": by, "explain": explain}).encode()
        head = (
            "POST /fold-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def ask(port: int, requests: list[bytes], seconds: list[float], until: float) -> None:
    """Ask again and again over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    at = 0
    while (started := time.perf_counter()) < until:
        writer.write(requests[at % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode())
        length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - started)
        at += 1
    writer.close()


async def ask_from_all(
    port: int, requests: list[bytes], n_connections: int, duration: float
) -> list[float]:
    """Times of all answers within the duration."""
    seconds: list[float] = []
    until = time.perf_counter() + duration
    step = len(requests) // n_connections
    shares = [requests[at * step :] + requests[: at * step] for at in range(n_connections)]
    await asyncio.gather(*(ask(port, share, seconds, until) for share in shares))
    return seconds


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="model file")
    parser.add_argument("--n-rated", type=int, default=20, help="ratings of each guest")
    parser.add_argument("--by", nargs="+", help="orders of the lists; by default all of the model")
    parser.add_argument("--explain", action="store_true", help="ask for reasons as well")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.model
        if path is None:
            path = Path(folder, "model.funksvd")
            make_model(path)
        model = FunkSVD.load(path)
        requests = {
            by: make_requests(model, options.n_rated, by, options.explain)
            for by in options.by or model.rankings
        }
        processors = sorted(os.sched_getaffinity(0))
        command = [sys.executable, "-m", "funksvd", "serve", path, "--port", 0]
        server = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, processors[:1]),
        )
        os.sched_setaffinity(0, processors[-1:])
        try:
            port = int(re.search(r":(\d+)$", server.stdout.readline().strip()).group(1))
            for of_ranking in requests.values():
                asyncio.run(ask_from_all(port, of_ranking, 4, 1.0))  # warms caches
            print(
                f"{len(model.item_ids):,} items, {options.n_rated} ratings a guest, ten best"
                f"{', reasons' if options.explain else ''}; one core\n\n"
                "by       connections   requests/s   median ms   p99 ms"
            )
            for by, n_connections in itertools.product(requests, options.connections):
                seconds = asyncio.run(
                    ask_from_all(port, requests[by], n_connections, options.seconds)
                )
                ordered = sorted(seconds)
                print(
                    f"{by:9}{n_connections:11d}{len(seconds) / options.seconds:13,.0f}"
                    f"{statistics.median(ordered) * 1e3:12.2f}"
                    f"{ordered[int(len(ordered) * 0.99)] * 1e3:9.2f}"
                )
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
