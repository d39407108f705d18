"""The interface between a learner and whatever runs its kernels."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class Executor(ABC):
    """Runs a function over the parts of a plan; a context manager.

    Parts are independent: none writes what another one reads or writes. A learner therefore gets
    the same bits from every executor, and must not ask which one it has.
    """

    n_threads: int
    """Threads that work at the same time on this machine; never a reason for another result."""

    @abstractmethod
    def map(self, function: Callable[..., Result], *arguments: Iterable[Any]) -> list[Result]:
        """Call a function with the first, second, … of each of the iterables, as `map` does.

        Returns
        -------
        list
            The results, in the order of the arguments. No call still runs when this returns, nor
            when it raises what one of them has raised.
        """

    def sum(self, function: Callable[..., float], *arguments: Iterable[Any]) -> float:
        """The sum of the results of `map`, rounded once."""
        return math.fsum(self.map(function, *arguments))

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of whatever the work was done with."""
