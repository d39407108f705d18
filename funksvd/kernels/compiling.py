"""How kernels are compiled, and where what was compiled is kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache


class _UserFolderFirst(CompileResultCacheImpl):
    """Keeps compiled code in the user's cache folder rather than in the package's.

    Files in the package's folder would be left behind when it is uninstalled, and the empty shell
    would shadow another installation.
    """

    _locator_classes = sorted(
        CompileResultCacheImpl._locator_classes, key=lambda locator: "InTree" in locator.__name__
    )


class _Cache(FunctionCache):
    _impl_class = _UserFolderFirst

    def save_overload(self, *arguments: Any) -> None:
        """Keep what was compiled; a full disk costs time in the next process, nothing else."""
        with contextlib.suppress(OSError):
            super().save_overload(*arguments)


def compiled(function: Callable) -> Callable:
    """Compile a function at its first call, without the interpreter's lock.

    Compiled code is kept for later processes, if there is any folder to keep it in.
    """
    dispatcher = numba.njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written to
        dispatcher._cache = _Cache(function)
    return dispatcher
