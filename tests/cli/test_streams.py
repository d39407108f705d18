"""Printing that fails does not stop the work; signals that end the program do so in order."""

import errno
import io
import os
import signal
import sys
import threading

import click
import pytest

from funksvd import WriteError
from funksvd_cli import main, streams


class Failing(io.RawIOBase):
    """A raw stream that takes three bytes at a time, and no more than some."""

    def __init__(self, room, number=errno.ENOSPC):
        self.room, self.number, self.taken = room, number, b""

    def writable(self):
        return True

    def write(self, data):
        if len(self.taken) >= self.room:
            raise OSError(self.number, os.strerror(self.number))
        self.taken += bytes(data[:3])
        return len(data[:3])


@pytest.fixture
def printing(monkeypatch):
    """Replace standard output by a forgiving one on top of a raw stream, or of none."""

    def replace(raw):
        stream = None if raw is None else io.TextIOWrapper(io.BufferedWriter(raw), "utf-8")
        for name in ("stdout", "__stdout__"):
            monkeypatch.setattr(sys, name, stream)
        streams.forgive()

    monkeypatch.setattr(sys, "stderr", io.StringIO())
    return replace


def test_all_is_written_and_nothing_more_after_an_error(printing):
    raw = Failing(room=7)
    printing(raw)
    click.echo("abcdef")
    assert streams.errors() == {}
    click.echo("ghi")
    click.echo("jkl")
    assert raw.taken == b"abcdef\n"
    assert [error.errno for error in streams.errors().values()] == [errno.ENOSPC]


def test_a_stream_that_was_never_open(printing):
    printing(None)
    assert streams.errors() == {}
    assert not sys.stdout.isatty()
    click.echo("lost")
    assert list(streams.errors()) == ["standard output"]


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, WriteError), (errno.EPIPE, BrokenPipeError)]
)
def test_a_long_result_ends_with_the_first_error(printing, number, expected):
    printing(Failing(room=0, number=number))
    with pytest.raises(expected), streams.strict_output():
        click.echo("x" * 100_000)
    click.echo("and then")
    assert len(streams.errors()) == 1


def test_errors_of_something_else_are_left_alone(printing):
    printing(Failing(room=100))
    with pytest.raises(FileNotFoundError), streams.strict_output():
        raise FileNotFoundError


def test_a_pipe_that_does_not_wait_is_waited_for(printing):
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    parts = []

    def read():
        while part := os.read(reading, 65536):
            parts.append(part)

    printing(io.FileIO(writing, "w", closefd=False))
    reader = threading.Timer(0.05, read)
    reader.daemon = True
    reader.start()
    click.echo("x" * 300_000, nl=False)
    assert streams.errors() == {}
    os.close(writing)
    reader.join()
    os.close(reading)
    assert sum(map(len, parts)) == 300_000


@pytest.fixture
def handlers():
    """The handlers of signals are put back in the end."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "Terminated.\n"), (signal.SIGHUP, 129, "Hung up.\n")],
)
def test_a_signal_ends_the_program_in_order_once(cli, monkeypatch, number, code, said):
    undone = []

    def work(*_, **__):
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGTERM)
            undone.append(True)

    main._end_in_order()
    monkeypatch.setattr("funksvd_cli.info.load", work)
    assert cli("info") == (code, "", said)
    assert undone == [True]


@pytest.mark.usefixtures("handlers")
def test_a_signal_that_whoever_started_the_program_ignores_is_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    main._end_in_order()
    signal.raise_signal(signal.SIGHUP)


def test_the_end_of_a_file_is_not_ctrl_d(cli, monkeypatch):
    """click takes EOFError, which unpickling raises too, for an interruption."""

    def end(*_):
        raise EOFError("a mistake of ours")

    monkeypatch.setattr("funksvd_cli.info.load", end)
    with pytest.raises(EOFError, match="a mistake of ours"):
        cli("info")
