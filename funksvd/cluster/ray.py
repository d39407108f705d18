"""A gang of Ray actors, one a machine, with threads inside. Nothing else imports ray.

The gang falls and rises together. An actor that dies is not started again, and no call is repeated:
a step that is done twice would learn its ratings twice. `GangLostError` is raised instead, whoever
has made the gang makes another one, and goes on from a checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from funksvd.cluster.gang import Gang, Handle, Make
from funksvd.errors import FunkSVDError, GangLostError, argument, how_to_install

FIRST_PATIENCE = 3600.0
"""Seconds that a call may take before it is known how long calls take."""
START_SECONDS = 60.0
"""Seconds within which all workers must have started."""
REACHABLE_SECONDS = 10.0
"""Seconds within which a cluster's head must answer."""
ADDRESS = re.compile(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)")
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
    at_most : int, optional
        Largest number of workers.

    Attributes
    ----------
    n_workers : int
        Number of machines of the cluster.
    n_threads : int or None
        Threads of each worker; None for all processors of its machine.
    patience : float
        Seconds without an answer after which a worker counts as lost: one that is stopped, or
        whose machine is off the network, does not say so.

    Raises
    ------
    FunkSVDError
        If ray is not installed, or there is no such cluster.
    GangLostError
        If the workers do not start.
    """

    def __init__(self, where: str, make: Make, *, at_most: int | None = None) -> None:
        self._ray = ray = _connected(where)
        self.patience = FIRST_PATIENCE
        self.n_threads: int | None = None
        nodes = [
            node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) > 0
        ]
        nodes.sort(key=lambda node: node["NodeID"])
        if local := LOCAL.fullmatch(where):
            n = int(local[1])
            self.n_threads = max(1, int(nodes[0]["Resources"]["CPU"]) // n)
            nodes = nodes[:1] * n
        nodes = nodes[:at_most]
        self.n_workers = len(nodes)
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        actor = ray.remote(max_restarts=0, max_task_retries=0, num_cpus=0)(_Actor)
        self._actors: list[Any] = []
        self._pids: list[tuple[Any, int]] = []
        try:
            for worker, node in enumerate(nodes):
                pinned = strategy(node_id=node["NodeID"], soft=False)
                self._actors.append(
                    actor.options(scheduling_strategy=pinned).remote(make, worker, len(nodes))
                )
            pids = self._get([each.call.remote("pid", ()) for each in self._actors], START_SECONDS)
            nodes_of = [strategy(node_id=node["NodeID"], soft=False) for node in nodes]
            self._pids = list(zip(nodes_of, pids, strict=True))
        except BaseException:
            self.close()
            raise

    def submit(self, worker: int, method: str, *arguments: Any) -> Handle:
        """See `Gang.submit`."""
        refs = [isinstance(each, self._ray.ObjectRef) for each in arguments]
        if not any(refs):
            return self._actors[worker].call.remote(method, arguments)
        return self._actors[worker].call_with.remote(method, *arguments)

    def share(self, value: Any) -> Handle:
        """See `Gang.share`."""
        return self._ray.put(value)

    def results(self, handles: Sequence[Handle]) -> list[Any]:
        """See `Gang.results`."""
        return self._get(list(handles), self.patience)

    def _get(self, handles: list[Any], patience: float) -> list[Any]:
        errors = self._ray.exceptions
        try:
            return self._ray.get(handles, timeout=patience)
        except errors.GetTimeoutError:
            raise GangLostError(
                f"a worker has not answered for {patience:.0f} seconds: it is stopped, or its "
                "machine cannot be reached"
            ) from None
        except errors.RayTaskError as error:
            if isinstance(error.cause, FunkSVDError | OSError):
                raise error.cause from None
            raise
        except errors.RayError as error:
            raise GangLostError(f"a worker is gone: {_first_line(error)}") from error

    def close(self) -> None:
        """End all workers: those that do not listen, too."""
        ray = self._ray
        for actor in self._actors:
            with contextlib.suppress(Exception):
                ray.kill(actor, no_restart=True)
        end = ray.remote(num_cpus=0, max_retries=0)(_end)
        with contextlib.suppress(Exception):
            ended = [end.options(scheduling_strategy=node).remote(pid) for node, pid in self._pids]
            ray.wait(ended, num_returns=len(ended), timeout=5)
        self._actors, self._pids = [], []


class _Actor:
    """A process with a worker in it."""

    def __init__(self, make: Make, worker: int, n_workers: int) -> None:
        self._worker = make(worker, n_workers)

    def call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Call a method of the worker; "pid" is the number of the process."""
        if method == "pid":
            return os.getpid()
        return getattr(self._worker, method)(*arguments)

    def call_with(self, method: str, *arguments: Any) -> Any:
        """The same, with handles among the arguments: what they stand for takes their place."""
        return self.call(method, arguments)


def _end(pid: int) -> None:
    """End a worker's process that is still there."""
    with contextlib.suppress(OSError):
        while b"_Actor" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _connected(where: str) -> Any:
    """The module ray, connected to a cluster, or to one of this process."""
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError:
        raise FunkSVDError(
            f"{argument('cluster')} needs Ray: {how_to_install('cluster')}"
        ) from None
    if ray.is_initialized():
        return ray
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": True}
    if LOCAL.fullmatch(where):
        ray.init(address="local", include_dashboard=False, **quiet)
        return ray
    try:
        _check_reachable(os.environ.get("RAY_ADDRESS", where) if where == "auto" else where)
        ray.init(address=where, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise FunkSVDError(
            f"there is no Ray cluster at {where!r} ({_first_line(error)}). Start one with "
            "`ray start --head`, name its address, or try it with local:2"
        ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Raise `OSError` if nobody listens at an address: Ray would try for minutes."""
    if found := ADDRESS.fullmatch(address):
        socket.create_connection((found[1], int(found[2])), timeout=REACHABLE_SECONDS).close()


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
