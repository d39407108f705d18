"""Errors of the library in the words of the command line: options in the place of arguments."""

from __future__ import annotations

OPTIONS = {
    "at_least": "--with-probability",
    "biases": "--no-biases",
    "folder": "--dir",
    "include_seen": "--include-seen",
    "n_threads": "--threads",
    "path": "-o/--output",
    "refit": "--no-refit",
    "source": "--from",
    "validation": "--valid",
    "validation_fraction": "--valid-fraction",
}
"""Options whose names differ from those of the arguments; that of `item_col` is `--item-col`."""


def as_option(name: str, value: str | int | None = None) -> str:
    """The option for an argument of the library, with its value if there is one."""
    option = OPTIONS.get(name, f"--{name.replace('_', '-')}")
    return option if value is None else f"{option} {value}"


def message_of(error: BaseException) -> str:
    """The message of an error, for someone at the command line."""
    from funksvd.errors import FunkSVDError

    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    return error.worded(as_option) if isinstance(error, FunkSVDError) else str(error)
