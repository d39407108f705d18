"""Options that several commands share: threads and output."""

from __future__ import annotations

from typing import Any

import click

from .console import Output
from .groups import option, packed

FILE = click.Path(readable=False, allow_dash=True)
"""Type of an option that takes a file: the shell completes its name, the command opens it."""


class _Id(click.types.StringParamType):
    """An id, or a title; blanks round it are left out, as they are in files."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text without blanks round it."""
        text = str(value).strip()
        if not text:
            self.fail("it is empty", param, ctx)
        return text


ID = _Id()
"""Type of an option or argument that is an id."""
OUTPUT = "Output"
"""Heading of the options for what a command prints or writes."""


def _output(quiet: bool, as_json: bool) -> Output:
    output = Output(quiet, as_json)
    output.tell_of_compilation()
    return output


OUTPUT_OPTIONS = (
    option(
        "--json", "as_json", is_flag=True, group=OUTPUT, help="Print the result as one JSON value."
    ),
    option("--quiet", "-q", is_flag=True, group=OUTPUT, help="Print results and errors only."),
)
output_options = packed("output", _output, *OUTPUT_OPTIONS)
"""`--json` and `--quiet`, as `output: Output` that tells when kernels are being compiled."""
light_output_options = packed("output", Output, *OUTPUT_OPTIONS)
"""`--json` and `--quiet`, as `output: Output`, without loading the compiler."""

threads_option = option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of threads; the result does not depend on it.  [default: all processors]",
)
"""The number of threads, as `threads: int | None`."""
