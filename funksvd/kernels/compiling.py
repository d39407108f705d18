"""Compiling kernels, keeping compiled code for later processes, and telling of compilation."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile


def _import_without_blas() -> None:
    """Import a part of Numba that imports `scipy.linalg` only to find out whether it is there.

    It is, since SciPy is required, and importing it takes longer than Numba itself. Functions that
    need a BLAS still look for it when they are compiled. In a Numba that is made otherwise, nothing
    is done, and the import takes its time.
    """
    if "numba.np.arraymath" in sys.modules:
        return
    with contextlib.suppress(ImportError, AttributeError):
        linalg: Any = importlib.import_module("numba.np.linalg")
        ensure_blas = linalg.ensure_blas
        linalg.ensure_blas = lambda: None
        try:
            arraymath: Any = importlib.import_module("numba.np.arraymath")
            arraymath.ensure_blas = ensure_blas
        finally:
            linalg.ensure_blas = ensure_blas


_import_without_blas()

KERNELS_FOLDER = Path(__file__).resolve().parent
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
    """Compiled code is out of date when any source file that it may be made of has changed.

    A kernel may call others, and Numba looks at the file of the outermost only. For a function of
    `funksvd.kernels` these are all files of that folder and its subfolders; for any other, all
    files below the folder of its own.
    """

    _impl_class = _UserFolderFirst

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]  # Numba has few annotations
        stamp = _digest(_sources_of(Path(function.__code__.co_filename).resolve().parent))
        self._cache_file = IndexDataCacheFile(  # type: ignore[no-untyped-call]
            self._cache_path, self._impl.filename_base, source_stamp=stamp
        )
        # An index of another version is not unpickled: it may name a class that is gone.
        self._cache_file._version = f"{numba.__version__} {stamp}"

    def save_overload(self, *arguments: Any) -> None:
        """Keep what was compiled; a full disk costs time in the next process, nothing else."""
        with contextlib.suppress(OSError):
            super().save_overload(*arguments)  # type: ignore[no-untyped-call]


def _sources_of(folder: Path) -> Path:
    """The folder whose files the functions of a folder may be made of."""
    return KERNELS_FOLDER if KERNELS_FOLDER in (folder, *folder.parents) else folder


@functools.cache
def _digest(folder: Path) -> str:
    """SHA-256 digest of all Python files below a folder, their places included."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call, without the interpreter's lock.

    Compiled code is kept for later processes, if there is any folder to keep it in.
    """
    dispatcher: Any = numba.njit(nogil=True)(function)
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
