"""Try to break `funksvd serve`: good, bad and slow clients and model swaps, all at once.

    python scripts/fuzz_serving.py --minutes 10 --seed 1

A real server on the loopback address is asked at the same time by

good clients   over connections of both kinds, kept and new; every answer is compared with that of
               the models that may be served at the time, which are loaded here too
bad clients    malformed, random, oversized and pipelined requests, some of which are never read
slow clients   that send nothing, a head or a body byte by byte, or do not read their answers

while its model file is replaced by another model, an altered one, a part of one, one without users,
or nothing. Before that, schemathesis asks what the OpenAPI description allows and what it forbids.

A good client asks once more where a connection that was kept has been closed, as HTTP clients do;
a request that then has no answer is lost. Exits with 1 after a wrong answer, a lost request, an
error of the server, a traceback, or if memory, threads or open files keep growing.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz import models, requests

from funksvd import FunkSVD, Interactions, Ratings
from funksvd.errors import FunkSVDError, UnknownIdError
from funksvd.listing import Filters
from funksvd.serving import NO_FILTERS, Service

RELOAD_EVERY = 0.2
"""Time between the server's looks at the model file, in seconds."""
PATIENCE = 30.0
"""Time in which a good client has to be answered, and a new model has to be loaded, in seconds."""
FILE_THREADS = 40
"""Largest number of threads with which Starlette reads the files of the page."""
REFUSALS = [400, 404, 405, 413, 422, 431]
"""Statuses with which the server refuses a request; 431 is for a query that is too long."""
SHOWN = 20
"""Number of findings that are shown in full."""


class Question(NamedTuple):
    """A good request, and the right answer of each model."""

    method: str
    path: str
    body: bytes | None
    answers: dict[str, tuple[int, Any]]


class Record:
    """What was seen so far, by all threads.

    Parameters
    ----------
    allowed : set of str, or None
        Names of the models that may answer now; None while an altered one may have been loaded.
    """

    def __init__(self) -> None:
        self.allowed: frozenset[str] | None = frozenset({"first"})
        self.over = threading.Event()
        self.counts: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.findings: list[str] = []
        self.seconds: list[float] = []
        self.usage: list[tuple[float, int, int, int]] = []
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        """One more."""
        with self._lock:
            self.counts[name] += 1

    def find(self, finding: str) -> None:
        """Something that must not be."""
        with self._lock:
            self.findings.append(finding)
            if len(self.findings) <= SHOWN:
                print(f"FOUND {finding}", flush=True)


# -- models and good requests ---------------------------------------------------------------------


def make_models(folder: Path) -> dict[str, Path]:
    """Three models of the same users and items that answer differently.

    The second one knows more users and items by their features, and days. The last one knows
    choices only: it was trained without ratings.
    """
    generator = np.random.default_rng(0)
    pairs = generator.choice(300 * 200, 9000, replace=False)
    users, items = np.divmod(pairs, 200)
    paths = {}
    for name in ("first", "second"):
        values = generator.integers(1, 11, len(pairs)) / 2
        model = FunkSVD(n_factors=16, n_epochs=3, validation_fraction=0)
        features, times = {}, None
        if name == "second":
            features = {
                "user_features": {"user": range(310), "age": [at % 60 for at in range(310)]},
                "item_features": {
                    "item": range(0, 205 * 7, 7),
                    "kind": ["a|b", "b", "", "c"] * 51 + ["a"],
                },
            }
            times = 10**9 + items % 5 * 86_400
            values = np.clip(values + (items + users) % 5 - 2, 0.5, 5)
        model.fit(Ratings.from_arrays(users, items * 7, values, times), **features)
        paths[name] = folder / f"{name}.funksvd"
        model.save(paths[name])
    model = FunkSVD(algorithm="ials", n_factors=16)
    model.fit(
        Interactions.from_arrays(users, items * 7, weights=generator.integers(1, 9, len(pairs)))
    )
    paths["choices"] = folder / "choices.funksvd"
    model.save(paths["choices"])
    return paths


def make_questions(paths: dict[str, Path], r: random.Random, n: int = 400) -> list[Question]:
    """Requests of each kind, some about strangers."""
    services = {name: Service(FunkSVD.load(path)) for name, path in paths.items()}
    questions = []
    for _ in range(n):
        user, item, count = r.randrange(310), r.randrange(205) * 7, r.randint(1, 20)
        guest = {str(r.randrange(200) * 7): r.randint(1, 10) / 2 for _ in range(r.randint(1, 30))}
        told = {"ratings": [{"item": i, "rating": x} for i, x in guest.items()], "n": count}
        body = json.dumps({**told, "explain": True}).encode()
        by, chosen = r.choice((None, "both", "choice", "rating")), filters(r)
        asked = query(by, chosen)
        whole = json.dumps({**told, **asked, "explain": True}).encode()
        come_to = json.dumps({"ratings": [{"item": i} for i in guest], "n": count}).encode()
        path, sent, name, arguments = r.choice(
            [
                (f"/recommend?user={user}&n={count}", None, "recommend", (str(user), count)),
                (
                    f"/recommend?{urlencode({'user': user, 'n': count, **asked}, doseq=True)}",
                    None,
                    "recommend",
                    (str(user), count, by, chosen),
                ),
                (f"/predict?user={user}&item={item}", None, "predict", (str(user), str(item))),
                (f"/similar?item={item}&n={count}", None, "similar", (str(item), count)),
                (f"/similar?user={user}", None, "similar_users", (str(user), 10)),
                (f"/items?search={item}", None, "find_items", (str(item), 20)),
                ("/fold-in", body, "fold_in", (guest, count, None, NO_FILTERS, True)),
                ("/fold-in", whole, "fold_in", (guest, count, by, chosen, True)),
                ("/fold-in", come_to, "fold_in", (dict.fromkeys(guest), count)),
            ]
        )
        answers = {
            model: right_answer(getattr(service, name), arguments)
            for model, service in services.items()
        }
        questions.append(Question("POST" if sent else "GET", path, sent, answers))
    return questions


def filters(r: random.Random) -> Filters:
    """Some of the items, of which strangers are none."""
    items = [str(r.randrange(205) * 7) for _ in range(r.choice((1, 5, 100)))]
    return Filters(
        exclude=r.choice((None, items[::2])),
        among=r.choice((None, items)),
        min_ratings=r.choice((0, 40, 50)),
        diversify=r.choice((0.0, 0.5, 0.99)),
    )


def query(by: str | None, chosen: Filters) -> dict[str, Any]:
    """The parameters that ask for this."""
    named = {"by": by, "exclude": chosen.exclude, "among": chosen.among}
    numbers = {"min_ratings": chosen.min_ratings, "diversify": chosen.diversify}
    return {name: value for name, value in named.items() if value is not None} | numbers


def right_answer(ask: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[int, Any]:
    """Status and JSON."""
    try:
        return 200, json.loads(json.dumps(ask(*arguments)))
    except FunkSVDError as error:
        return 404 if isinstance(error, UnknownIdError) else 422, {"detail": str(error)}


def good_client(port: int, questions: list[Question], record: Record, seed: int) -> None:
    """Ask until it is over, over one connection or, for odd seeds, a new one each time."""
    r, connection = random.Random(seed), None
    while not record.over.is_set():
        question, allowed = r.choice(questions), record.allowed
        record.count("good sent")
        started = time.perf_counter()
        answer = None
        while answer is None:
            kept = connection is not None
            try:
                connection = connection or http.client.HTTPConnection(
                    "127.0.0.1", port, timeout=PATIENCE
                )
                headers = {"Content-Type": "application/json"} if question.body else {}
                connection.request(question.method, question.path, question.body, headers)
                response = connection.getresponse()
                answer = response.status, json.loads(response.read())
            except (OSError, http.client.HTTPException) as error:
                connection = None
                if not kept:
                    record.count("good lost")
                    record.find(f"a good request was lost: {question.path}: {error!r}")
                    break
                record.count("good asked again")
        else:
            record.seconds.append(time.perf_counter() - started)
            record.count("good answered")
            check_answer(question, answer, allowed, record)
        if seed % 2 and connection is not None:
            connection.close()
            connection = None
        time.sleep(r.uniform(0, 0.02))


def check_answer(
    question: Question, answer: tuple[int, Any], allowed: frozenset[str] | None, record: Record
) -> None:
    """Compare with the models that were allowed when it was asked or are now."""
    now = record.allowed
    if allowed is None or now is None:
        if answer[0] not in (200, 404, 422):
            record.find(f"an altered model answered {question.path} with {answer[0]}")
    elif answer not in [question.answers[name] for name in allowed | now]:
        record.count("good wrong")
        record.find(f"a wrong answer to {question.path}: {str(answer)[:300]}")


# -- bad and slow clients -------------------------------------------------------------------------


async def bad_client(port: int, record: Record, seed: int) -> None:
    """Send requests that nobody should send, and look at the statuses that come back."""
    r = random.Random(seed)
    while not record.over.is_set():
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(requests.bad_request(r))
                    record.count("bad sent")
                    if r.random() < 0.8:
                        received = b""
                        with suppress(TimeoutError):
                            async with asyncio.timeout(r.choice((0.05, 0.5))):
                                while len(received) < 1_000_000 and (
                                    part := await reader.read(65536)
                                ):
                                    received += part
                        note_statuses(received, record)
                finally:
                    writer.transport.abort()
        await asyncio.sleep(r.uniform(0, 0.1))


def note_statuses(received: bytes, record: Record) -> None:
    """Count the statuses of all answers; the server must have no error."""
    for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received):
        record.statuses[int(status)] += 1
        if status.startswith(b"5"):
            record.find(f"an error of the server: {received[:300]!r}")


async def slow_client(port: int, record: Record, seed: int, first: bytes, drop: bytes) -> None:
    """Hold a connection with what is sent at first, and perhaps add a little now and then."""
    r = random.Random(seed)
    await asyncio.sleep(r.uniform(0, 3))
    while not record.over.is_set():
        with suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(first)
                record.count("slow connected")
                while not record.over.is_set() and not reader.at_eof():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(65536), r.uniform(0.5, 1.5))
                    writer.write(drop)
            finally:
                writer.transport.abort()
        await asyncio.sleep(r.uniform(0.1, 1))


async def slow_reader(port: int, record: Record, seed: int) -> None:
    """Ask for much and read nothing."""
    r = random.Random(seed)
    while not record.over.is_set():
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.transport.pause_reading()
            while not record.over.is_set() and not writer.transport.is_closing():
                writer.write(requests.get("/openapi.json") * 10)
                await asyncio.sleep(r.uniform(0.5, 1.5))
            writer.transport.abort()
        await asyncio.sleep(1)


async def all_clients(port: int, record: Record, seed: int, options: argparse.Namespace) -> None:
    """Bad and slow clients."""
    kinds = [
        *((b"", b""),) * (options.half_open // 2),
        *((requests.HEAD, b""),) * (options.half_open - options.half_open // 2),
        *((requests.HEAD, b"X: y\r\n"),) * options.slow_heads,
        *((requests.post(b"{", length=100_000), b" "),) * options.slow_bodies,
    ]
    await asyncio.gather(
        *(slow_client(port, record, seed + n, *kind) for n, kind in enumerate(kinds)),
        *(slow_reader(port, record, seed + n) for n in range(options.slow_readers)),
        *(bad_client(port, record, seed + n) for n in range(options.bad)),
    )


# -- swaps, memory, the server --------------------------------------------------------------------


def health(port: int) -> dict[str, Any]:
    """What the service says of itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def swap(port: int, path: Path, paths: dict[str, Path], record: Record, r: random.Random) -> None:
    """Put something in the place of the model for a while, then a good one."""
    new = r.choice(sorted(paths))
    content = {name: each.read_bytes() for name, each in paths.items()}
    bad = r.choice(("none", "missing", "empty", "part", "copied", "noise", "altered", "no users"))
    record.count(f"swap: {bad}")
    data = content[new]
    if bad == "missing":
        path.unlink()
    elif bad == "altered":
        record.allowed = None
        path.write_bytes(models.mutate(r, content["first"], content["second"])[0])
    elif bad == "copied":  # in place, with breaks
        record.allowed = frozenset(paths)
        with path.open("wb") as file:
            for start in range(0, len(data), max(len(data) // 5, 1)):
                file.write(data[start : start + max(len(data) // 5, 1)])
                file.flush()
                time.sleep(RELOAD_EVERY)
    elif bad != "none":
        damaged = {
            "empty": lambda: b"",
            "part": lambda: data[: r.randrange(len(data))],
            "noise": lambda: r.randbytes(r.randrange(1, 100_000)),
            "no users": lambda: without_users(data),
        }[bad]()
        path.write_bytes(damaged)
    if bad not in ("none", "altered", "copied"):
        wait_for(lambda: health(port)["status"] == "stale", f"'stale' after {bad}", record)
    time.sleep(r.uniform(0, 3 * RELOAD_EVERY))
    if record.allowed is not None:
        record.allowed |= {new}
    before = health(port)["loaded_at"]
    beside = path.with_suffix(".new")
    shutil.copyfile(paths[new], beside)
    beside.replace(path)

    def loaded() -> bool:
        now = health(port)
        return now["status"] == "ok" and now["loaded_at"] > before

    if wait_for(loaded, f"a good model after {bad}", record):
        record.allowed = frozenset({new})


def without_users(data: bytes) -> bytes:
    """The same model without users, and with the right checksum."""
    parsed = models.parse(data)
    for name in parsed.tensors:
        if name.endswith(("user_ids", "user_factors", "user_biases", "seen.items", "seen.levels")):
            parsed.tensors[name] = parsed.tensors[name][:0]
    parsed.tensors["seen.indptr"] = parsed.tensors["seen.indptr"][:1]
    return models.write(parsed)


def wait_for(condition: Callable[[], bool], what: str, record: Record) -> bool:
    """Wait, and say whether it came."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(RELOAD_EVERY / 2)
    record.find(f"waited in vain for {what}")
    return False


def usage(process_id: int) -> tuple[int, int, int]:
    """Memory in KiB, threads and open files."""
    status = Path(f"/proc/{process_id}/status").read_text()
    memory, threads = (
        int(re.search(rf"^{name}:\s+(\d+)", status, re.M).group(1)) for name in ("VmRSS", "Threads")
    )
    return memory, threads, len(os.listdir(f"/proc/{process_id}/fd"))


def watch(process_id: int, record: Record) -> None:
    """Note what the server uses, each second."""
    started = time.monotonic()
    while not record.over.wait(1):
        record.usage.append((time.monotonic() - started, *usage(process_id)))


@contextmanager
def serving(path: Path, log: Path, record: Record) -> Iterator[tuple[int, int]]:
    """A server; its process and its port."""
    command = [sys.executable, "-m", "funksvd", "serve", path, "--port", "0"]
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [*map(str, command), "--reload-every", str(RELOAD_EVERY)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield server.pid, int(re.search(r":(\d+)$", server.stdout.readline().strip()).group(1))
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            if server.wait(20) != 143:
                record.find(f"the server ended with exit code {server.returncode}")
        except subprocess.TimeoutExpired:
            record.find("the server did not end after SIGTERM")
            server.kill()
    if "Traceback" in (said := log.read_text(errors="replace")):
        record.find(f"a traceback of the server:\n{said[-3000:]}")


def ask_schemathesis(port: int, seconds: int, seed: int, folder: Path, record: Record) -> None:
    """Ask what the description allows, and what it does not; its cache goes to the folder."""
    command = [Path(sys.executable).with_name("schemathesis"), "run"]
    (folder / "schemathesis.toml").write_text(
        f"[checks.negative_data_rejection]\nexpected-statuses = {REFUSALS}\n"
    )
    options = {
        "--max-time": seconds,
        "--seed": seed,
        # Either a user or an item, ratings on the model's scale: no schema can say this.
        "--exclude-checks": "positive_data_acceptance",
    }
    given = [str(part) for option in options.items() for part in option]
    url = f"http://127.0.0.1:{port}/openapi.json"
    result = subprocess.run(
        [*map(str, command), url, "--no-color", *given],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    cases = re.search(r"(\d[\d,]*) generated", result.stdout)
    print(f"schemathesis: {cases.group(0) if cases else result.stdout[-500:]}")
    if result.returncode:
        record.find(f"schemathesis:\n{result.stdout[-5000:]}{result.stderr[-2000:]}")


def report(record: Record, idle: tuple[int, int, int], after: tuple[int, int, int]) -> None:
    """Print the figures; growth is a finding."""
    ordered = sorted(record.seconds)
    for name, n in sorted(record.counts.items()):
        print(f"{name:20}{n:10,}")
    print("statuses of bad requests:", dict(sorted(record.statuses.items())))
    if ordered:
        at = {share: ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.9, 0.99, 0.999)}
        told = ", ".join(f"{share:.1%} {ms:.1f}" for share, ms in at.items())
        print(f"good requests, ms: {told}, longest {ordered[-1] * 1e3:.1f}")
    print("\nseconds   MiB   threads   files")
    step = max(len(record.usage) // 12, 1)
    for seconds, memory, threads, files in record.usage[::step]:
        print(f"{seconds:7.0f}{memory / 1024:6.0f}{threads:10}{files:8}")
    print(f"  after{after[0] / 1024:6.0f}{after[1]:10}{after[2]:8}")
    quarter = len(record.usage) // 4
    early, late = (
        statistics.median(each[1] for each in part)
        for part in (record.usage[quarter : 2 * quarter] or record.usage, record.usage[-quarter:])
    )
    if late > 1.1 * early + 16 * 1024:
        record.find(f"memory grows: {early / 1024:.0f} MiB, later {late / 1024:.0f} MiB")
    if after[1] > idle[1] + FILE_THREADS or after[2] > idle[2] + 4:
        record.find(f"threads, files: {idle[1:]} before, {after[1:]} after")


def main() -> None:
    """Run all clients."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--good", type=int, default=4, metavar="N", help="good clients")
    parser.add_argument("--bad", type=int, default=8, metavar="N", help="bad clients")
    parser.add_argument("--half-open", type=int, default=1000, metavar="N")
    parser.add_argument("--slow-heads", type=int, default=200, metavar="N")
    parser.add_argument("--slow-bodies", type=int, default=50, metavar="N")
    parser.add_argument("--slow-readers", type=int, default=20, metavar="N")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    r, record = random.Random(options.seed), Record()
    threading.excepthook = lambda failed: record.find(f"a client failed: {failed.exc_value!r}")
    sys.set_int_max_str_digits(0)  # some requests have long ones
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make_models(folder)
        questions = make_questions(paths, r)
        path = folder / "model.funksvd"
        shutil.copyfile(paths["first"], path)
        with serving(path, folder / "log", record) as (process_id, port):
            described = max(int(options.minutes * 60 * 0.1), 5)
            ask_schemathesis(port, described, options.seed, folder, record)
            idle = usage(process_id)
            until = time.monotonic() + options.minutes * 60 - described
            threads = [
                threading.Thread(target=good_client, args=(port, questions, record, seed))
                for seed in range(options.good)
            ]
            threads.append(threading.Thread(target=watch, args=(process_id, record)))
            others = all_clients(port, record, options.seed, options)
            threads.append(threading.Thread(target=asyncio.run, args=(others,)))
            for thread in threads:
                thread.start()
            try:
                while time.monotonic() < until:
                    swap(port, path, paths, record, r)
            finally:
                record.over.set()
                for thread in threads:
                    thread.join()
            time.sleep(2)  # closed connections are noticed
            after = usage(process_id)
    report(record, idle, after)
    print(f"\n{len(record.findings)} findings, seed {options.seed}")
    sys.exit(bool(record.findings))


if __name__ == "__main__":
    main()
