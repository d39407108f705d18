"""The `funksvd` command: its subcommands, and how errors are shown."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from .console import BAD_INPUT, FAILED, INTERRUPTED, discard_output, printable
from .groups import CommandGroup
from .wording import message_of

OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""New objects after which cyclic garbage is looked for: imports make many, and nearly all stay."""


COMMANDS = {
    "train": "Learn a recommender from RATINGS and save it.",
    "tune": "Search for better hyperparameters than the defaults.",
    "update": "Add new RATINGS to MODEL.",
    "evaluate": "Test a model on ratings it has not learned from.",
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

    Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    if sys.stdout is None:  # closed by whoever started us
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a title that this terminal cannot show
    code = run(arguments)
    gc.freeze()  # the end is no time to look for garbage: that would take as long as imports
    sys.exit(code)


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
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        discard_output()  # do not complain again while exiting
        return FAILED
    except (ValueError, OSError, MemoryError) as error:
        from funksvd.errors import DivergenceError, DownloadError, FunkSVDError

        if isinstance(error, ValueError) and not isinstance(error, FunkSVDError):
            raise  # a mistake of ours: show where
        head = click.style("Error:", fg="red", bold=True)
        click.echo(f"{head} {printable(message_of(error))}", err=True)
        failures = (DivergenceError, DownloadError, OSError, MemoryError)
        return FAILED if isinstance(error, failures) else BAD_INPUT
