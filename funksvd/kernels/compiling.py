"""Compiling kernels, keeping compiled code for later processes, and telling of compilation."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import pickle
import platform
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
from numba.core import config, event
from numba.core.caching import FunctionCache, _CacheLocator
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from funksvd.atomic import replacing


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


IS_X86 = platform.machine().lower() in ("x86_64", "amd64")
PORTABLE = {"NUMBA_CPU_NAME": "x86-64-v3" if IS_X86 else "generic", "NUMBA_CPU_FEATURES": ""}
"""Settings of Numba, in the environment, to compile for other processors than this one, too.

These are all 64-bit ARM processors, or the x86-64 processors with `PORTABLE_FEATURES`.
"""
PORTABLE_FEATURES = {"+avx2", "+bmi", "+bmi2", "+f16c", "+fma", "+lzcnt", "+movbe"}
"""Features, in LLVM's words, that an x86-64 processor must have to run portable code.

Intel's have them since 2013, AMD's since 2015. Portable code that did without fused multiply-add
would be many times slower.
"""
CHECKSUM_BYTES = 32


class _Cache(FunctionCache):
    """Keeps compiled code in a file for each function, kind of arguments and processor.

    A file is written whole or not at all, and begins with a checksum of the code and of all that
    the code depends on. Whatever is wrong with a file, the code is compiled again and the file is
    replaced. Nothing is unpickled, let alone run, before the checksum has been compared.

    Compiled code is out of date when any source file that it may be made of has changed. A kernel
    may call others, and Numba looks at the file of the outermost only. For a function of
    `funksvd.kernels` these are all files of that folder and its subfolders; for any other, all
    files below the folder of its own.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        folder = Path(code.co_filename).resolve().parent
        self._py_func = function
        self._folders, self._cache_path = _folders(folder, config.CACHE_DIR)  # type: ignore[attr-defined]
        name = f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
        self._name = f"{re.sub('[<>]', '', name)}-{code.co_firstlineno}"
        self._python = f"{sys.implementation.cache_tag}{getattr(sys, 'abiflags', '')}"
        self._made_with = f"{self._python} {numba.__version__} {_digest(_sources_of(folder))}"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Find code that was compiled before; None if there is none that is of any use."""
        target_context.refresh()
        for key in self._keys(sig, target_context.codegen()):
            for folder in self._folders:
                with contextlib.suppress(Exception):  # missing, damaged, out of date
                    return self._read(folder / self._file_name(key), key, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled; a full disk costs time in the next process, nothing else."""
        if self._cache_path is None or data.lifted or data.library.has_dynamic_globals:
            return
        key = self._index_key(sig, data.codegen)  # type: ignore[no-untyped-call]
        code: bytes = dumps((key, data._reduce()))  # type: ignore[no-untyped-call]
        path = Path(self._cache_path, self._file_name(key))
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # its permissions may be what was wrong
            with replacing(path) as temporary:
                temporary.write_bytes(self._checksum(code) + code)

    def _keys(self, signature: Any, codegen: Any) -> list[tuple[Any, ...]]:
        """What the code may have been compiled for: this processor, or portably."""
        own = self._index_key(signature, codegen)  # type: ignore[no-untyped-call]
        triple, _, features = own[1]
        runs_portable_code = not IS_X86 or set(features.split(",")) >= PORTABLE_FEATURES
        if config.CPU_NAME is not None or not runs_portable_code:  # type: ignore[attr-defined]
            return [own]
        return [own, (own[0], (triple, *PORTABLE.values()), own[2])]

    def _file_name(self, key: tuple[Any, ...]) -> str:
        digest = hashlib.sha256(f"{self._python} {key}".encode()).hexdigest()
        return f"{self._name}.{digest[:16]}.nbc"

    def _checksum(self, code: bytes) -> bytes:
        return hashlib.sha256(self._made_with.encode() + code).digest()

    def _read(self, path: Path, key: tuple[Any, ...], target_context: Any) -> CompileResult:
        data = path.read_bytes()
        checksum, code = data[:CHECKSUM_BYTES], data[CHECKSUM_BYTES:]
        if checksum != self._checksum(code):
            raise ValueError("damaged or out of date")
        compiled_for, result = pickle.loads(code)
        if compiled_for != key:
            raise ValueError("for something else")
        return CompileResult._rebuild(target_context, *result)  # type: ignore[no-untyped-call]


@functools.cache
def _folders(sources: Path, given: str) -> tuple[list[Path], str | None]:
    """The folders that compiled code of a folder is looked for in, and the one it is kept in.

    These are the given one (NUMBA_CACHE_DIR), the user's cache folder, and the package's, up to the
    first that can be written to. A folder before that one is read all the same: another user may
    have filled it when a container was built. The package's comes last because files there would be
    left behind when it is uninstalled, and the empty shell would shadow another installation.

    Returns
    -------
    list of Path
    str or None
        None if no folder can be written to.
    """
    below = _CacheLocator.get_suitable_cache_subpath(str(sources / "any"))  # type: ignore[no-untyped-call]
    user = AppDirs(appname="numba", appauthor=False).user_cache_dir  # type: ignore[no-untyped-call]
    places = [Path(place, below) for place in (given, user) if place]
    places.append(sources / "__pycache__")
    for number, folder in enumerate(places, 1):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return places[:number], str(folder)
    return places, None


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
