"""The `funksvd` command: its subcommands, and how errors are shown."""

from __future__ import annotations

import errno
import gc
import re
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from . import streams
from .console import BAD_INPUT, FAILED, FIRST_OF_SIGNALS, INTERRUPTED, printable
from .groups import CommandGroup
from .wording import message_of

OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""New objects after which cyclic garbage is looked for: imports make many, and nearly all stay."""
SHORTAGE = re.compile("(start new|launch worker) thread|failed to map segment")
"""Messages of errors of several kinds that say the same: there is too little memory."""
CALLBACK_SECONDS = 0.01
"""Time that a callback from C, as the compiler makes many, has until it is over."""
ENDINGS = {"SIGTERM": "Terminated.", "SIGHUP": "Hung up."}
"""Signals that end the program in order, and what is said then."""
COMMANDS = {
    "train": "Learn a recommender from RATINGS, or from clicks, and save it.",
    "tune": "Search for better hyperparameters than the defaults.",
    "update": "Add new RATINGS to MODEL, or new clicks, whichever it was trained on.",
    "evaluate": "Test a model on ratings it has not learned from.",
    "compare": "Tell which of two models is better, or that it could be chance.",
    "cross-validate": "Train on parts of RATINGS, and test on the rest of them.",
    "predict": "Predict the ratings of users for items.",
    "recommend": "Recommend items to users, known to the model or new.",
    "similar": "List items similar to ITEM, or users similar to a user.",
    "serve": "Serve MODEL: a page on which to rate, and a JSON API.",
    "info": "Show what MODEL holds and how it was trained.",
    "report": "Write a page with figures and pictures about MODEL.",
    "data": "Get ratings, look at them, make other files of them.",
    "export": "Write MODEL's ids, biases and factors for other programs.",
    "gradcheck": "Prove that the hand-derived gradients are right.",
    "warmup": "Compile all kernels now, not at their first use.",
}
"""The commands and the first lines of their help texts, as they are used, one after another."""


@click.group(
    cls=CommandGroup,
    package=__package__,
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  funksvd train ratings.csv
  funksvd evaluate
  funksvd recommend --user 42""",
)
@click.version_option(package_name="funksvd", prog_name="funksvd")
def cli() -> None:
    """Learn a recommender from a file of ratings.

    Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 129 hung up, 130 interrupted, 143
    terminated.
    """


class Ended(BaseException):
    """A signal that ends the program in order: what was begun is taken back.

    Parameters
    ----------
    signal : int
        Number of the signal.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    try:
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
        streams.forgive()
        _end_in_order()
        code = run(arguments)
        for title, error in streams.errors().items():
            if code == 0 and error.errno != errno.EPIPE:
                _say_error(f"{title} cannot be written: {error.strerror}")
            code = code or FAILED
        gc.freeze()  # the end is no time to look for garbage: that would take as long as imports
        _ignore_signals()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Ended as ended:
        code = FIRST_OF_SIGNALS + ended.signal
    _ignore_signals()  # also where one came while they were being ignored
    sys.exit(code)


def _ignore_signals() -> None:
    """Let the exit code stand, whatever comes."""
    for name in (*ENDINGS, "SIGINT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _end_in_order() -> None:
    """Let SIGTERM and SIGHUP end the program in order, unless they are ignored, as by nohup."""
    numbers = [getattr(signal, name) for name in ENDINGS if hasattr(signal, name)]
    show_unraisable, main_thread = sys.unraisablehook, threading.get_ident()

    def end(number: int, frame: FrameType | None) -> None:
        for each in numbers:  # some programs send two
            signal.signal(each, signal.SIG_IGN)
        raise Ended(number)

    def raise_again(lost: sys.UnraisableHookArgs) -> None:
        """Send a signal again that came in a callback from C, where its exception is lost."""
        if isinstance(lost.exc_value, Ended):
            number = lost.exc_value.signal
        elif isinstance(lost.exc_value, KeyboardInterrupt):
            number = signal.SIGINT
        else:
            show_unraisable(lost)
            return
        while True:
            try:
                if number != signal.SIGINT:
                    signal.signal(number, end)
                threading.Timer(CALLBACK_SECONDS, send, [number]).start()
                return
            except (Ended, KeyboardInterrupt):
                pass  # it came while this was still busy, where it would be lost again

    def send(number: int) -> None:
        if hasattr(signal, "pthread_kill"):  # wakes the thread, if it waits for something
            signal.pthread_kill(main_thread, number)
        else:
            signal.raise_signal(number)

    sys.unraisablehook = raise_again
    for number in numbers:
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    try:
        code = cli.main(arguments, prog_name="funksvd", standalone_mode=False)
        sys.stdout.flush()
        return code or 0
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error.__cause__, EOFError):  # which click takes for Ctrl-D
            raise error.__cause__ from None
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except Ended as ended:
        click.echo(ENDINGS[signal.Signals(ended.signal).name], err=True)
        return FIRST_OF_SIGNALS + ended.signal
    except BrokenPipeError:
        return FAILED
    except (ValueError, OSError, MemoryError) as error:
        from funksvd.errors import (
            CheckpointError,
            DivergenceError,
            DownloadError,
            FunkSVDError,
            GangLostError,
            ShardError,
        )

        if isinstance(error, ValueError) and not isinstance(error, FunkSVDError):
            raise  # a mistake of ours: show where
        _say_error(message_of(error))
        failures = (CheckpointError, DivergenceError, DownloadError, GangLostError, ShardError)
        return FAILED if isinstance(error, (*failures, OSError, MemoryError)) else BAD_INPUT
    except Exception as error:
        if not SHORTAGE.search(str(error)):
            raise
        _say_error(f"not enough memory: {error}")
        return FAILED


def _say_error(message: str) -> None:
    head = click.style("Error:", fg="red", bold=True)
    click.echo(f"{head} {printable(message)}", err=True)
