"""A gang of Ray actors, one a machine, with threads inside. Nothing else imports ray.

The gang falls and rises together. An actor that dies is not started again, and no call is repeated,
because a step that is done twice would learn from its ratings twice. Instead, `GangLostError` is
raised; `fitting.Shards` then makes another gang, and training goes on from a checkpoint.

Ray says at once that a process or a machine is gone, and nothing of a process that is stopped.
While a call takes long, which is normal where ratings are read, workers are looked after from
outside: a task on each one's machine says whether its process is stopped. What takes too long
although all processes run is for the caller to know.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from funksvd.cluster.gang import Gang, Handle, Make
from funksvd.errors import FunkSVDError, GangLostError, argument, how_to_install

LOOK_SECONDS = 10.0
"""Seconds without a result after which workers are looked after, and again."""
ANSWER_SECONDS = 60.0
"""Seconds within which a worker's machine must say how its process is."""
START_SECONDS = 60.0
"""Seconds within which all workers must have started."""
END_SECONDS = 10.0
"""Seconds within which what is left of workers must have ended."""
REACHABLE_SECONDS = 10.0
"""Seconds within which a cluster's head must answer."""
ADDRESS = re.compile(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)")
QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # of calls that were waiting for a worker that is lost
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Settings of Ray, unless others are given: it would print more than a person wants to read."""
RAYS_OWN = ("autoscaler", "gcs_server", "raylet")
"""What Ray calls those of its processes that are not workers."""
START_ERROR = re.compile(r"(?:ModuleNotFound|Import|Attribute)Error: .*")
"""In the message about an actor that cannot be made: what is missing."""
CAUSES = {
    "running low on memory": "its machine has too little memory",
    "node has died": "its machine has failed, or cannot be reached",
    "process has died": "its process has ended unexpectedly",
}
"""What is in a message about an actor that died, and what is said instead."""
LOCAL = re.compile(r"local:([1-9]\d*)")


class RayGang(Gang):
    """Workers that are Ray actors.

    Parameters
    ----------
    where : str
        "auto" for the cluster that RAY_ADDRESS names or that runs on this machine; the address of
        one; or "local:N" for N workers on this machine.
    make : callable
        Makes a worker, of its number and that of all of them. It can be pickled, and is called
        where the worker is.

    Attributes
    ----------
    n_workers : int
        Number of machines of the cluster.
    n_threads : int or None
        Threads of each worker; None for all processors of its machine.
    look_seconds : float
        Seconds without a result after which it is found out whether a worker is stopped.

    Raises
    ------
    FunkSVDError
        If ray is not installed, or there is no such cluster.
    GangLostError
        If the workers do not start.
    """

    def __init__(self, where: str, make: Make) -> None:
        self._actors: list[Any] = []
        self._processes: list[tuple[Any, int]] = []
        self._stopped: set[int] = set()
        self._has_silent = False
        self.look_seconds = LOOK_SECONDS
        self.n_threads: int | None = None
        self._ray, self._is_ours, self._print = _connected(where)
        try:
            self._call_together(where, make)
        except BaseException:
            self.close()
            raise

    def _call_together(self, where: str, make: Make) -> None:
        ray = self._ray
        self._home = ray.get_runtime_context().get_node_id()
        nodes = [
            node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) > 0
        ]
        nodes.sort(key=lambda node: node["NodeID"])
        if not nodes:
            raise GangLostError(f"no machine of the Ray cluster {where!r} has processors to offer")
        if local := LOCAL.fullmatch(where):
            n = int(local[1])
            self.n_threads = max(1, int(nodes[0]["Resources"]["CPU"]) // n)
            nodes = nodes[:1] * n
        self.n_workers = len(nodes)
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        places = [strategy(node_id=node["NodeID"], soft=False) for node in nodes]
        actor = ray.remote(max_restarts=0, max_task_retries=0, num_cpus=0)(_Actor)
        home = (socket.gethostname(), os.getcwd())
        for worker, place in enumerate(places):
            here = actor.options(scheduling_strategy=place)
            self._actors.append(here.remote(home, make, worker, len(nodes)))
        starting = [each.call.remote("about", ()) for each in self._actors]
        try:
            found = self._get(starting, START_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise GangLostError(
                f"not all of {len(nodes)} workers have started within {START_SECONDS:.0f} seconds"
            ) from None
        self._processes = [(place, pid) for place, (pid, _) in zip(places, found, strict=True)]
        for node, (_, theirs) in zip(nodes, found, strict=True):
            if theirs != (ours := version("funksvd")):
                raise FunkSVDError(
                    f"the machine {node['NodeManagerHostname']} of the cluster has funksvd "
                    f"{theirs}, and this one has {ours}: install the same everywhere"
                )

    def submit(self, worker: int, method: str, *arguments: Any) -> Handle:
        """See `Gang.submit`."""
        refs = [isinstance(each, self._ray.ObjectRef) for each in arguments]
        if not any(refs):
            return self._actors[worker].call.remote(method, arguments)
        return self._actors[worker].call_with.remote(method, *arguments)

    def share(self, value: Any) -> Handle:
        """See `Gang.share`."""
        return self._ray.put(value)

    def results(self, handles: Sequence[Handle], within: float | None = None) -> list[Any]:
        """See `Gang.results`."""
        waited = 0.0
        while True:
            seconds = min(self.look_seconds, math.inf if within is None else within - waited)
            try:
                return self._get(list(handles), seconds)
            except self._ray.exceptions.GetTimeoutError:
                waited += seconds  # not by a clock: this process may have been stopped meanwhile
            if within is not None and waited >= within:
                self._has_silent = True
                raise GangLostError(
                    f"a worker has not answered for {waited:.0f} seconds, far longer than before"
                ) from None
            self._look()

    def _get(self, handles: list[Any], seconds: float) -> list[Any]:
        errors = self._ray.exceptions
        try:
            with _own_signals():
                return self._ray.get(handles, timeout=seconds)
        except errors.GetTimeoutError:
            raise
        except errors.RayTaskError as error:
            if isinstance(error.cause, FunkSVDError | OSError | MemoryError):
                raise error.cause from None
            raise
        except errors.ActorDiedError as error:
            if found := START_ERROR.search(str(error)):
                raise FunkSVDError(
                    f"a worker cannot start ({found[0]}): its machine needs the same Python, with "
                    "the same funksvd, as this one"
                ) from error
            raise GangLostError(_why_gone(error)) from error
        except errors.RayError as error:
            raise GangLostError(_why_gone(error)) from error

    def _look(self) -> None:
        """Raise a `GangLostError` if a worker is stopped, now and when last looked at."""
        ray = self._ray
        is_stopped = ray.remote(num_cpus=0, max_retries=0)(_is_stopped)
        asked = [
            is_stopped.options(scheduling_strategy=place).remote(pid)
            for place, pid in self._processes
        ]
        try:
            answers = self._get(asked, ANSWER_SECONDS)
        except ray.exceptions.GetTimeoutError:
            raise GangLostError(
                f"a worker's machine has not answered for {ANSWER_SECONDS:.0f} seconds"
            ) from None
        before, self._stopped = self._stopped, {w for w, each in enumerate(answers) if each}
        for worker in self._stopped & before:
            self._has_silent = True
            raise GangLostError(f"worker {worker + 1} of {self.n_workers} is stopped")

    def close(self, scratch: Path | None = None) -> None:
        """See `Gang.close`; workers that do not listen are ended, too, and Ray, if it is ours."""
        ray = self._ray
        for actor in self._actors:
            with contextlib.suppress(Exception):
                ray.kill(actor, no_restart=True)
        if self._has_silent or scratch is not None:
            end = ray.remote(num_cpus=0, max_retries=0)(_end)
            with contextlib.suppress(Exception):
                ended = [
                    end.options(scheduling_strategy=place).remote(pid, scratch)
                    for place, pid in self._processes
                    if self._has_silent or place.node_id != self._home
                ]
                ray.wait(ended, num_returns=len(ended), timeout=END_SECONDS)
        self._actors, self._processes = [], []
        if self._is_ours:
            self._is_ours = False
            with _own_signals():
                ray.shutdown()
            ray._private.worker.print_to_stdstream = self._print


class _Actor:
    """A process with a worker in it: names of files mean there what they mean to the caller."""

    def __init__(self, place: tuple[str, str], make: Make, worker: int, n_workers: int) -> None:
        self._home, folder = place
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._worker = make(worker, n_workers)

    def call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Call a method of the worker; "about" gives its process and version."""
        if method == "about":
            return os.getpid(), version("funksvd")
        try:
            return getattr(self._worker, method)(*arguments)
        except FunkSVDError as error:
            if (here := socket.gethostname()) != self._home:
                error.args = (f"{error.template} (on the machine {here})",)
            raise

    def call_with(self, method: str, *arguments: Any) -> Any:
        """The same, with handles among the arguments: what they stand for takes their place."""
        return self.call(method, arguments)


def _is_stopped(pid: int) -> bool:
    """Whether a process of this machine is stopped, as by SIGSTOP."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    return False


def _end(pid: int, scratch: Path | None) -> None:
    """End a worker's process that is still there, and remove its folder."""
    with contextlib.suppress(OSError):
        while b"_Actor" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    if scratch is not None:
        shutil.rmtree(scratch, ignore_errors=True)


def _connected(where: str) -> tuple[Any, bool, Any]:
    """The module ray, connected to a cluster or to one of this process.

    Where a program has connected itself already, it is that cluster.

    Returns
    -------
    module
    bool
        Whether the connection is this one's.
    callable
        What Ray prints lines with.
    """
    try:
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError:
        raise FunkSVDError(
            f"{argument('cluster')} needs Ray: {how_to_install('cluster')}"
        ) from None
    if ray.is_initialized():
        return ray, False, None
    given: dict[str, Any] = {"address": where, "logging_level": logging.ERROR}
    is_local = bool(LOCAL.fullmatch(where))
    if is_local:
        given |= {"address": "local", "include_dashboard": False}
    shown = ray._private.worker.print_to_stdstream
    ray._private.worker.print_to_stdstream = partial(_print_to_stderr, shown)
    try:
        if not is_local:
            _check_reachable(os.environ.get("RAY_ADDRESS", where) if where == "auto" else where)
        logging.getLogger("ray").setLevel(logging.ERROR)  # it is set only once by Ray
        with _own_signals():
            ray.init(**given)
    except Exception as error:  # a plain one, where Ray cannot start
        why = _first_line(error)
        if "Could not find any running Ray instance" in why:
            why = "none runs on this machine, and RAY_ADDRESS is not set"
        raise FunkSVDError(
            f"Ray cannot start its processes on this machine: {why}"
            if is_local
            else f"there is no Ray cluster at {where!r} ({why}). Start one with `ray start "
            "--head`, name its address, or try it with local:2"
        ) from error
    return ray, True, shown


def _print_to_stderr(shown: Callable[..., None], data: dict[str, Any], **how: Any) -> None:
    """Print lines of workers to standard error; of Ray's own, only that it ends this program.

    Ray prints them in the midst of what a command prints for another program, and has no setting
    for it.
    """
    lines = data["lines"]
    if data.get("pid") in RAYS_OWN:
        lines = [line.partition(". ")[0] for line in lines if "Raylet is terminated" in line]
    shown({**data, "lines": lines, "is_err": True}, **how)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Let signals do what this program wants, although Ray is at work.

    Ray has a way of its own with SIGTERM, and what a handler raises while Ray's code in C runs may
    come out as the cause of a `SystemError`.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemError as error:
        if error.__cause__ is None or isinstance(error.__cause__, Exception):
            raise
        raise error.__cause__ from None
    except SystemExit:  # Ray's answer to SIGTERM
        if not is_main or before is None:
            raise
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        if is_main and before is not None and signal.getsignal(signal.SIGTERM) != before:
            signal.signal(signal.SIGTERM, before)


def _check_reachable(address: str) -> None:
    """Raise `OSError` if nobody listens at an address: Ray would try for minutes."""
    if found := ADDRESS.fullmatch(address):
        socket.create_connection((found[1], int(found[2])), timeout=REACHABLE_SECONDS).close()


def _why_gone(error: BaseException) -> str:
    """What is said of a worker that Ray has lost: Ray itself says it in a page."""
    why = next((ours for theirs, ours in CAUSES.items() if theirs in str(error)), None)
    return f"a worker is gone: {why or _first_line(error)}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
