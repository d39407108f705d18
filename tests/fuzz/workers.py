"""Checks of many seeds in processes of their own, so that a crash is a finding and not the end."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, NamedTuple

Check = Callable[[int], str]
"""Of a seed: what is wrong, for people; empty if nothing is."""

REPORT_EVERY = 25
"""Seeds after which a worker says how far it is."""
FORK = multiprocessing.get_context("fork")


class Finding(NamedTuple):
    """A seed whose check has failed."""

    seed: int
    sort: str
    text: str


class Progress(NamedTuple):
    """Seeds that are done."""

    n: int


@dataclass
class Limits:
    """Limits of one check.

    Parameters
    ----------
    seconds : float
        Processor time; more is a hang, and so are `waits` times as many seconds on the clock.
    memory : int
        Bytes of address space besides what the worker has at its start.
    """

    seconds: float = 5.0
    waits: float = 12.0
    memory: int = 2 << 30


class _Worker:
    """A process that checks seeds, one after the other; the seed it is at is in shared memory."""

    def __init__(
        self, check: Check, warm_up: Callable[[], None], seeds: Sequence[int], limits: Limits
    ) -> None:
        self.seeds, self.limits = seeds, limits
        self.at = FORK.Value("q", -1, lock=False)
        self.started = FORK.Value("d", 0.0, lock=False)
        self.used = FORK.Value("d", 0.0, lock=False)
        self.messages, theirs = FORK.Pipe(duplex=False)
        self.n_reported = 0
        self.process = FORK.Process(target=self._run, args=(check, warm_up, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def _run(self, check: Check, warm_up: Callable[[], None], messages: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        warm_up()
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + self.limits.memory,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for at, seed in enumerate(self.seeds):
            self.used.value = time.process_time()
            self.started.value = time.monotonic()
            self.at.value = at
            try:
                text, sort = check(seed), "wrong"
            except BaseException as error:  # whatever it is, it is a finding
                text, sort = traceback.format_exc(), type(error).__name__
            if text:
                messages.send((at, sort, text))
            if (at + 1) % REPORT_EVERY == 0:
                messages.send(at + 1)
        self.started.value = 0.0
        messages.send(len(self.seeds))

    def news(self) -> Iterator[Finding | Progress]:
        """What it has said since the last time."""
        try:
            while self.messages.poll():
                message = self.messages.recv()
                if isinstance(message, int):
                    yield self._progress(message)
                else:
                    at, sort, text = message
                    yield Finding(self.seeds[at], sort, text)
        except EOFError:
            return

    def _progress(self, n: int) -> Progress:
        before, self.n_reported = self.n_reported, n
        return Progress(n - before)

    def end_if_hanging(self) -> Finding | None:
        """Kill it if its check takes too long."""
        started = self.started.value
        if not started:
            return None
        waited, limit = time.monotonic() - started, self.limits.seconds
        if waited < limit or (waited < limit * self.limits.waits and self._used() < limit):
            return None
        self.process.kill()
        return Finding(self.seeds[self.at.value], "hang", f"not done after {waited:.1f} s")

    def _used(self) -> float:
        """Processor time of the present check, in seconds."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") - self.used.value

    def crash(self) -> Finding | None:
        """The seed at which it died, if it did not end by itself."""
        code = self.process.exitcode
        if not code:
            return None
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        at = self.at.value
        return Finding(self.seeds[at] if at >= 0 else -1, name, "the process has died")

    def skip(self) -> tuple[Progress, Sequence[int]]:
        """After its death: how many seeds are done, and those that remain."""
        at = self.at.value + 1 if self.at.value >= 0 else len(self.seeds)
        return self._progress(at), self.seeds[at:]


def run(
    check: Check,
    seeds: Sequence[int],
    *,
    n_jobs: int = 1,
    warm_up: Callable[[], None] = lambda: None,
    limits: Limits | None = None,
) -> Iterator[Finding | Progress]:
    """Check seeds in several processes; one that dies or hangs is replaced by another.

    Parameters
    ----------
    check : callable
        Of a seed; what it returns or raises is a finding.
    seeds : sequence of int
    n_jobs : int
    warm_up : callable
        Called in each process before the limits hold.
    limits : Limits, optional
    """
    limits = limits or Limits()
    workers = [
        _Worker(check, warm_up, seeds[first::n_jobs], limits)
        for first in range(min(n_jobs, len(seeds)))
    ]
    while workers:
        wait([worker.messages for worker in workers] + [w.process.sentinel for w in workers], 0.25)
        for worker in list(workers):
            hanging = worker.end_if_hanging()
            if hanging or not worker.process.is_alive():
                worker.process.join()
                yield from worker.news()
                workers.remove(worker)
                finding = hanging or worker.crash()
                if finding:
                    yield finding
                    progress, rest = worker.skip()
                    yield progress
                    if rest:
                        workers.append(_Worker(check, warm_up, rest, limits))
            else:
                yield from worker.news()
