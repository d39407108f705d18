"""Threads of this process. Kernels let go of the interpreter's lock, so that they run at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any

from funksvd.training.executors.base import Executor, Result


class Threads(Executor):
    """Threads of this process.

    Parameters
    ----------
    n_threads : int
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._pool = ThreadPoolExecutor(n_threads)

    def map(self, function: Callable[..., Result], *arguments: Iterable[Any]) -> list[Result]:
        """See `Executor.map`."""
        tasks: list[Future[Result]] = []
        try:
            for each in zip(*arguments, strict=True):
                tasks.append(self._pool.submit(function, *each))
            return [task.result() for task in tasks]
        except BaseException:  # Ctrl-C too: what has not begun need not be waited for
            for task in tasks:
                task.cancel()
            raise
        finally:
            wait(tasks)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads, after what they are doing."""
        self._pool.shutdown()
