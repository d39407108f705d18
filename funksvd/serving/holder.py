"""The model that is being served, replaced as a whole when its file changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

from funksvd.errors import FunkSVDError
from funksvd.serving.service import Service

log = logging.getLogger("funksvd.serving")

RETRY_SECONDS = 30.0
"""Time after which files that could not be loaded are tried again though they have not changed."""
STALE_SECONDS = 60.0
"""Time for which the newest files may fail to load before the service is called unhealthy."""

Stamp = tuple[int, int, int]
"""What differs between a file and another of its name: time of change, size, and inode."""


class ModelHolder:
    """Loads a service, and loads it again in the background when one of its files has changed.

    Requests during that time are answered by the old service; a request that has begun with it ends
    with it. Whatever goes wrong with the files leaves the old service in place, and the files are
    still watched.

    Parameters
    ----------
    load : callable
        Makes a `Service` of the files.
    paths : list of str
        Files to watch.
    every : float
        Seconds between looks at the files; 0 never looks.

    Attributes
    ----------
    service : Service
    loaded_at : float
        Time at which it was loaded, in seconds since 1970.
    n_reloads : int
    n_failures : int
        Attempts to load the service again that failed.
    problem : str or None
        Reason for which the newest files could not be loaded.
    """

    def __init__(self, load: Callable[[], Service], paths: list[str], every: float = 2.0) -> None:
        self._load, self._paths, self._every = load, paths, every
        self._state = self._look()
        self.service = load()
        self.loaded_at = time.time()
        self.n_reloads = self.n_failures = 0
        self.problem: str | None = None
        self._failing_since = self._tried_at = 0.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the files from now on."""
        if self._every:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def failing_seconds(self) -> float:
        """Time for which the newest files could not be loaded, 0 if they are."""
        return 0.0 if self.problem is None else time.monotonic() - self._failing_since

    def refresh(self) -> bool:
        """Load again if a file has changed, and tell whether there is a new service."""
        state, now = self._look(), time.monotonic()
        waiting = self.problem is None or now < self._tried_at + RETRY_SECONDS
        if state == self._state and waiting:
            return False
        self._state, self._tried_at = state, now
        try:
            service = self._load()
        except BaseException as error:  # a panic of a compiled library is no Exception
            self._note(error, now)
            return False
        self.service, self.problem = service, None
        self.loaded_at = time.time()
        self.n_reloads += 1
        log.info("loaded %s again", self._paths[0])
        return True

    def _note(self, error: BaseException, now: float) -> None:
        problem = str(error)
        if not isinstance(error, (FunkSVDError, OSError)):
            problem = (
                f"{self._paths[0]} could not be loaded: {type(error).__name__} {problem}".strip()
            )
        if self.problem is None:
            self._failing_since = now
        if problem != self.problem:
            log.warning("the old model stays: %s", problem)
        self.problem = problem
        self.n_failures += 1

    def _watch(self) -> None:
        while not self._stopped.wait(self._every):
            self.refresh()

    def _look(self) -> list[list[Stamp]]:
        return [_stamps(path) for path in self._paths]


def _stamps(path: str) -> list[Stamp]:
    """Those of a file, or of a folder and all that is in it; none if it cannot be looked at."""
    try:
        names = sorted(os.listdir(path)) if os.path.isdir(path) else []
        return [_stamp(place) for place in (path, *(os.path.join(path, name) for name in names))]
    except OSError:
        return []


def _stamp(path: str) -> Stamp:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
