"""Checks of the files that a command is to write, before it begins its work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import click


def refuse_to_overwrite(path: str | None, inputs: Iterable[str | None], option: str = "-o") -> None:
    """Refuse to write to a file that the command reads.

    Parameters
    ----------
    path : str or None
        File to write; None for standard output.
    inputs : iterable of (str or None)
        Files that the command reads.
    option : str
        Option that names the file to write, for the message.

    Raises
    ------
    click.BadParameter
        If one of `inputs` is the file to write, whatever it is called there.
    """
    if path is None or not os.path.exists(path):
        return
    for name in inputs:
        if name and os.path.exists(name) and os.path.samefile(path, name):
            raise click.BadParameter(f"{path} is read by this command too", param_hint=option)


def check_writable(
    path: str, inputs: Iterable[str | None], is_ours: Callable[[str], bool], what: str
) -> None:
    """Find out before a long work, not after it, that its result cannot be saved.

    Parameters
    ----------
    path : str
        File to write.
    inputs : iterable of (str or None)
        Files that the command reads, and that must not be overwritten.
    is_ours : callable
        Says of an existing file whether it may be overwritten.
    what : str
        Name of such a file, for the message: "a model".

    Raises
    ------
    click.BadParameter
        If the file cannot be written, or must not be.
    """
    refuse_to_overwrite(path, inputs)
    target = os.path.realpath(path)
    if os.path.isfile(target) and os.path.getsize(target) and not is_ours(target):
        raise click.BadParameter(
            f"{path} is there already and is not {what}; remove it first, or give another name",
            param_hint="-o",
        )
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise click.BadParameter(f"{target} is a folder; give a file name", param_hint="-o")
    if os.path.exists(target) and not os.path.isfile(target):
        raise click.BadParameter(f"{target} is not a regular file", param_hint="-o")
    if not os.path.isdir(folder):
        raise click.BadParameter(f"the folder {folder} does not exist", param_hint="-o")
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"the folder {folder} cannot be written to", param_hint="-o")
