"""How kernels are compiled, where what was compiled is kept, and how to hear of it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile

KERNELS: list[Any] = []
"""All compiled functions, in the order of their definition."""


class _UserFolderFirst(CompileResultCacheImpl):
    """Keeps compiled code in the user's cache folder rather than in the package's.

    Files in the package's folder would be left behind when it is uninstalled, and the empty shell
    would shadow another installation.
    """

    _locator_classes = sorted(
        CompileResultCacheImpl._locator_classes, key=lambda locator: "InTree" in locator.__name__
    )


class _Cache(FunctionCache):
    """What is kept is out of date when any file beside the function's has changed.

    A kernel may call others, and Numba looks at the file of the outermost only.
    """

    _impl_class = _UserFolderFirst

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        folder = Path(function.__code__.co_filename).parent
        self._cache_file = IndexDataCacheFile(
            self._cache_path, self._impl.filename_base, source_stamp=_digest(folder)
        )

    def save_overload(self, *arguments: Any) -> None:
        """Keep what was compiled; a full disk costs time in the next process, nothing else."""
        with contextlib.suppress(OSError):
            super().save_overload(*arguments)


@functools.cache
def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def compiled(function: Callable) -> Callable:
    """Compile a function at its first call, without the interpreter's lock.

    Compiled code is kept for later processes, if there is any folder to keep it in.
    """
    dispatcher = numba.njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written to
        dispatcher._cache = _Cache(function)
    KERNELS.append(dispatcher)
    return dispatcher


def cache_folder() -> str | None:
    """Where compiled code is kept; None if there is no such folder."""
    return KERNELS[0]._cache.cache_path


class _Listener(event.Listener):
    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._thread = threading.local()

    def on_start(self, event: event.Event) -> None:
        depth = getattr(self._thread, "depth", 0)
        self._thread.depth = depth + 1
        if depth == 0:
            self._told(event.data["dispatcher"].__name__)

    def on_end(self, event: event.Event) -> None:
        self._thread.depth = getattr(self._thread, "depth", 1) - 1


@contextlib.contextmanager
def telling_of_compilation(told: Callable[[str], None]) -> Iterator[None]:
    """While this lasts, call `told` with the name of each function that is about to be compiled.

    Not for those found in the cache, and not for those compiled as a part of another. It is called
    in the thread that compiles.
    """
    with event.install_listener("numba:compile", _Listener(told)):
        yield
