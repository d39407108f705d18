"""Standard output and error: what cannot be printed does not stop the work."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import Any

STREAMS = {"stdout": "standard output", "stderr": "standard error"}
"""Names for messages."""


class Forgiving(io.RawIOBase):
    """A stream to print to, which is silent once printing has failed.

    Nobody may read it any more, its disk be full, its terminal closed, or it was never open.

    Parameters
    ----------
    raw : io.RawIOBase or None
        The stream without a buffer; None if it was never open.

    Attributes
    ----------
    error : OSError or None
        The first error.
    strict : bool
        Whether the first error is raised.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.error: OSError | None = None
        self.strict = False

    def writable(self) -> bool:
        """True: the stream can be written to."""
        return True

    def fileno(self) -> int:
        """Number of the file."""
        return super().fileno() if self._raw is None else self._raw.fileno()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._raw is not None and self._raw.isatty()

    def write(self, data: Any) -> int:
        """Write all of the data, or do as if."""
        if self.error is None:
            try:
                self._write(memoryview(data))
            except OSError as error:
                self.error = error
                if self.strict:
                    raise
        return len(data)

    def _write(self, data: memoryview) -> None:
        if self._raw is None:
            raise OSError(errno.EBADF, "it is closed")
        while len(data):
            n_written = self._raw.write(data)
            if n_written is None:  # another program has made the pipe one that does not wait
                select.select([], [self], [])
            else:
                data = data[n_written:]


def forgive() -> None:
    """Make standard output and error forgiving, until the process ends."""
    for name, flags in (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY)):
        if getattr(sys, name) is None:  # or the next file that is opened would get its number
            os.open(os.devnull, flags)
    for name in STREAMS:
        stream = getattr(sys, name)
        if stream is None:
            new = io.TextIOWrapper(io.BufferedWriter(Forgiving(None)), "utf-8", "replace")
        elif not isinstance(stream, io.TextIOWrapper):
            continue
        elif isinstance(stream.buffer, io.RawIOBase):  # python -u
            raw: Any = Forgiving(stream.buffer)
            new = io.TextIOWrapper(raw, stream.encoding, "replace", write_through=True)
        else:
            buffer = io.BufferedWriter(Forgiving(getattr(stream.buffer, "raw", None)))
            new = io.TextIOWrapper(
                buffer, stream.encoding, "replace", line_buffering=stream.line_buffering
            )
        setattr(sys, name, new)


def errors() -> dict[str, OSError]:
    """The streams that could not be written to, by their names in messages."""
    found = {}
    for name, title in STREAMS.items():
        stream = getattr(sys, name)
        stream.flush()
        if (raw := _forgiving(stream)) is not None and raw.error is not None:
            found[title] = raw.error
    return found


@contextlib.contextmanager
def strict_output() -> Iterator[None]:
    """Within this context, what cannot be printed to standard output ends the work.

    This is for results that are long: nobody would read the rest.

    Raises
    ------
    BrokenPipeError
        If nobody reads it any more.
    WriteError
        If it cannot be written for another reason.
    """
    from funksvd.errors import WriteError

    raw = _forgiving(sys.stdout)
    if raw is None:
        yield
        return
    raw.strict = True
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        if error is not raw.error:
            raise
        raise WriteError(f"standard output cannot be written: {error.strerror}", error) from error
    finally:
        raw.strict = False


def _forgiving(stream: Any) -> Forgiving | None:
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    return raw if isinstance(raw, Forgiving) else None
