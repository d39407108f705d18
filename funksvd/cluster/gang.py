"""A gang: workers, each with a shard, that fall and rise together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CALLS_AHEAD = 2
"""Calls of each worker that wait for it, so that it need not wait for them."""
Make = Callable[[int, int], Any]
Handle = Any
"""The result of a call to come; it can be an argument of another call, of the same gang."""


class Gang(ABC):
    """Workers that are called by the name of a method.

    Calls of one worker are done in the order in which they were submitted, one at a time. What is
    handed from one worker to another as a handle does not pass through this process.

    Attributes
    ----------
    n_workers : int
    """

    n_workers: int

    @abstractmethod
    def submit(self, worker: int, method: str, *arguments: Any) -> Handle:
        """Have a worker's method called; handles among the arguments become their results."""

    @abstractmethod
    def results(self, handles: Sequence[Handle], within: float | None = None) -> list[Any]:
        """Wait for calls, and give what they return.

        Parameters
        ----------
        handles : sequence of Handle
        within : float, optional
            Seconds after which workers that have not answered count as lost.

        Raises
        ------
        GangLostError
            If a worker is lost, or does not answer.
        """

    def each(self, method: str, *arguments: Any) -> list[Any]:
        """Call the same method of all workers, and give what they return, in their order."""
        workers = range(self.n_workers)
        return self.results([self.submit(worker, method, *arguments) for worker in workers])

    def in_turn(self, method: str, every: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        """Call a method of one worker after the other, and yield what they return, in order.

        Parameters
        ----------
        method : str
        every : iterable of tuple
            Arguments of each call. Only a few calls are under way at once.
        """
        waiting: deque[Handle] = deque()
        for number, arguments in enumerate(every):
            waiting.append(self.submit(number % self.n_workers, method, *arguments))
            if len(waiting) > CALLS_AHEAD * self.n_workers:
                yield from self.results([waiting.popleft()])
        while waiting:
            yield from self.results([waiting.popleft()])

    def share(self, value: Any) -> Handle:
        """A handle for an argument of many calls: it goes to each machine once."""
        return value

    def result(self, worker: int, method: str, *arguments: Any) -> Any:
        """Call a method of one worker, and give what it returns."""
        return self.results([self.submit(worker, method, *arguments)])[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the workers go."""
        self.close()

    @abstractmethod
    def close(self, scratch: Path | None = None) -> None:
        """Let the workers go.

        Parameters
        ----------
        scratch : Path, optional
            A folder that is then removed on their machines.
        """


class LocalGang(Gang):
    """Workers in this process, called one after another.

    Parameters
    ----------
    n_workers : int
    make : callable
        Makes a worker, of its number and that of all of them.
    """

    def __init__(self, n_workers: int, make: Make) -> None:
        self.n_workers = n_workers
        self._workers = [make(worker, n_workers) for worker in range(n_workers)]

    def submit(self, worker: int, method: str, *arguments: Any) -> Handle:
        """See `Gang.submit`; the handle is the result itself."""
        return getattr(self._workers[worker], method)(*arguments)

    def results(self, handles: Sequence[Handle], within: float | None = None) -> list[Any]:
        """See `Gang.results`."""
        return list(handles)

    def close(self, scratch: Path | None = None) -> None:
        """See `Gang.close`; a folder of this machine is its owner's to remove."""
        for worker in self._workers:
            if close := getattr(worker, "close", None):
                close()
        self._workers.clear()
