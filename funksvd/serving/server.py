"""uvicorn, made so that slow or greedy clients cannot keep others out.

uvicorn itself has no deadline for a request that is on its way, none for an answer that nobody
reads, and no limit on the size of headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from functools import partial
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

PIECE = 8 * 1024
"""Number of bytes that are parsed before limits are looked at again."""
MOST_PIPELINED = 100
"""Largest number of requests that one connection may send ahead of their answers."""

SPARE_FILES = 100
"""Number of files that the process may open besides its connections."""

Owed = Literal["head", "body", "answer"]


class ClientLimits(NamedTuple):
    """What a client may send and how long it may take.

    Parameters
    ----------
    n_connections : int
        Largest number of open connections; it is lowered to what the operating system's limit on
        open files leaves room for. One connection more closes the one whose client has kept the
        server waiting longest.
    head_bytes : int
        Size of a request's first line and headers, measured in steps of `PIECE`.
    request_bytes : int
        Size of a whole request as it is sent. What is over the application's own limit is read up
        to here, so that the client sees the answer.
    head_seconds : float
        Time from a connection, or from the first byte of a later request, to the end of the head.
    body_seconds : float
        Time from the end of the head to the end of the body.
    answer_seconds : float
        Time in which nothing of an answer is read that has become too long for the buffers.
    idle_seconds : int
        Time from an answer to the next request.
    """

    n_connections: int = 1000
    head_bytes: int = 32 * 1024
    request_bytes: int = 1024 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    answer_seconds: float = 20.0
    idle_seconds: int = 5


class LimitedConnection(HttpToolsProtocol):
    """One client's connection, with a clock that runs while the server waits for the client.

    Parameters
    ----------
    limits : ClientLimits
    waiting : dict with keys of LimitedConnection
        All connections of the server whose clock runs, the longest waiting one first.
    **of_server
        As uvicorn gives them.
    """

    def __init__(
        self, limits: ClientLimits, waiting: dict[LimitedConnection, None], **of_server: Any
    ) -> None:
        super().__init__(**of_server)
        self._limits, self._waiting = limits, waiting
        self._coming: Literal["head", "body"] | None = "head"  # part of a request
        self._n_bytes = 0  # of the request that is coming
        self._owed: Owed | None = None  # what the clock runs for
        self._clock: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for the newcomer, whose clock starts."""
        super().connection_made(transport)
        self._set_clock()
        if len(self.connections) > self._limits.n_connections:
            next(iter(self._waiting))._drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        super().connection_lost(exc)
        self._forsake()

    def data_received(self, data: bytes) -> None:
        """Parse in pieces, so that nothing grows far beyond its limit."""
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            super().data_received(piece)
            self._n_bytes += len(piece)
            if self._coming == "head" and self._n_bytes > self._limits.head_bytes:
                self._refuse(431, f"the headers have more than {self._limits.head_bytes:,} bytes")
            elif self._n_bytes > self._limits.request_bytes or len(self.pipeline) > MOST_PIPELINED:
                self._drop()
            if self.transport.is_closing():
                break
        self._set_clock()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Close the connection, but answer a whole request before."""
        if self._answering and self._coming is None:
            self.cycle.keep_alive = False
            return True
        self._forsake()
        return False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, msg)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._coming, self._n_bytes = "head", 0
        self._stop_clock()  # it begins again

    def on_headers_complete(self) -> None:
        """The end of a request's head."""
        super().on_headers_complete()
        self._coming = "body"

    def on_message_complete(self) -> None:
        """The end of a request."""
        super().on_message_complete()
        self._coming = None

    def on_response_complete(self) -> None:
        """The end of an answer, as far as the application is concerned."""
        super().on_response_complete()
        self._set_clock()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._set_clock()

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        self._set_clock()

    def shutdown(self) -> None:
        """End what is being done, but wait for no client."""
        super().shutdown()
        if self._clock is not None:
            self._drop()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _set_clock(self) -> None:
        """Let the clock run if it is the client's turn; it goes on if what is owed is the same."""
        if self not in self.connections:
            return
        owed: Owed | None
        if self.flow.write_paused or self.transport.is_closing():
            owed = "answer"
        elif self._coming == "head" or (self._coming == "body" and not self.pipeline):
            owed = self._coming
        else:
            owed = None if self._answering else "answer"
        if owed == self._owed:
            return
        self._stop_clock()
        if owed is not None:
            seconds = getattr(self._limits, f"{owed}_seconds")
            self._clock = self.loop.call_later(seconds, self._late)
            self._waiting[self] = None
            self._owed = owed

    def _stop_clock(self) -> None:
        self._owed = None
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
            del self._waiting[self]

    def _late(self) -> None:
        if self._owed == "answer":
            self._drop()
        else:
            self._refuse(408, "the request has not arrived in time")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer without the application, unless it has begun to, and close the connection."""
        if not (self._answering and self.cycle.response_started):
            body = json.dumps({"detail": detail})
            answer = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
                "connection: close",
                "content-type: application/json",
                f"content-length: {len(body)}",
                "",
                body,
            )
            self.transport.write("\r\n".join(answer).encode())
        self._forsake()
        self.transport.close()
        self._set_clock()

    def _drop(self) -> None:
        self.connections.discard(self)
        self._forsake()
        self.transport.abort()

    def _forsake(self) -> None:
        """Write nothing more; uvicorn forgets this for all but the last of several requests."""
        self._stop_clock()
        for cycle in (self._running, self.cycle):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()


def make_server(app: ASGIApp, limits: ClientLimits | None = None) -> uvicorn.Server:
    """A server of an application, for sockets that listen already.

    Parameters
    ----------
    app : callable
        ASGI application.
    limits : ClientLimits, optional
    """
    limits = limits or ClientLimits()
    limits = limits._replace(n_connections=_room(limits.n_connections))
    config = uvicorn.Config(
        app,
        http=partial(LimitedConnection, limits, {}),  # type: ignore[arg-type]
        ws="none",
        log_level="error",  # what clients do wrong is answered, and fills no log
        access_log=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)


def _room(n_connections: int) -> int:
    """Number of connections that the limit on open files allows; the limit is raised first."""
    if sys.platform == "win32":  # no such limit
        return n_connections
    import resource

    wanted = n_connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return n_connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    return n_connections if soft >= wanted else max(soft - SPARE_FILES, SPARE_FILES)
