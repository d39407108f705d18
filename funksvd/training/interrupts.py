"""Ctrl-C at a moment when nothing is lost by it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """Within this context, Ctrl-C waits for a safe moment while there is something to lose.

    As long as it is `armed`, the first Ctrl-C only makes `requested` true, and `check` raises it
    where it does no harm; a second one means that the person will not wait. Outside the main
    thread, or where a program handles SIGINT itself, nothing changes.

    Parameters
    ----------
    armed : bool
        Whether there is something to lose from the start.
    """

    def __init__(self, armed: bool = False) -> None:
        self.armed = armed
        self.requested = False
        self._previous: Callable[[int, FrameType | None], Any] | int | None = None

    def __enter__(self) -> Interrupts:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was asked for, if any."""
        if self.requested:
            self.requested = False
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.armed or self.requested:
            raise KeyboardInterrupt
        self.requested = True
