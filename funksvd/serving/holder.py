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


class ModelHolder:
    """Loads a service, and loads it again in the background when one of its files has changed.

    Requests during that time are answered by the old service; a request that has begun with it ends
    with it. A file that cannot be read leaves the old service in place.

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
    problem : str or None
        Reason for which the newest files could not be loaded.
    """

    def __init__(self, load: Callable[[], Service], paths: list[str], every: float = 2.0) -> None:
        self._load, self._paths, self._every = load, paths, every
        self._state = self._look()
        self.service = load()
        self.loaded_at = time.time()
        self.n_reloads = 0
        self.problem: str | None = None
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

    def refresh(self) -> bool:
        """Load again if a file has changed, and tell whether there is a new service."""
        state = self._look()
        if state == self._state:
            return False
        self._state = state
        try:
            service = self._load()
        except (FunkSVDError, OSError) as error:
            self.problem = str(error)
            log.warning("the old model stays: %s", error)
            return False
        self.service, self.problem = service, None
        self.loaded_at = time.time()
        self.n_reloads += 1
        log.info("loaded %s again", self._paths[0])
        return True

    def _watch(self) -> None:
        while not self._stopped.wait(self._every):
            self.refresh()

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_stamp(path) for path in self._paths]


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
