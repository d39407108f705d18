"""Checks of the files that a command is to write, before it begins its work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import click


def refuse_to_overwrite(
    path: str | None,
    inputs: Iterable[str | None],
    option: str = "-o",
    *,
    even_a_model: bool = False,
    why: str = "is read by this command too",
) -> None:
    """Refuse to write to a file that the command reads, or to a model.

    Parameters
    ----------
    path : str or None
        File to write; None for standard output.
    inputs : iterable of (str or None)
        Files that the command reads.
    option : str
        Option that names the file to write, for the message.
    even_a_model : bool
        Whether the place of another model may be taken: by a model.
    why : str
        What is said of one of `inputs`.

    Raises
    ------
    click.BadParameter
        If one of `inputs` is the file to write, whatever it is called there, or it is a model.
    """
    if path is None or not os.path.exists(path):
        return
    for name in inputs:
        if name and os.path.exists(name) and os.path.samefile(path, name):
            raise click.BadParameter(f"{path} {why}", param_hint=option)
    if even_a_model:
        return
    from funksvd.learned.storage import is_model

    if is_model(path):
        raise click.BadParameter(
            f"{path} is a model; remove it first, or give another name", param_hint=option
        )


def check_output(
    path: str | None,
    inputs: Iterable[str | None],
    option: str = "-o",
    *,
    device: bool = False,
    may_replace: Callable[[str | os.PathLike[str]], bool] | None = None,
) -> None:
    """Find out before a long work, not after it, that its result cannot be written.

    Parameters
    ----------
    path : str or None
        File to write; None for standard output.
    inputs : iterable of (str or None)
        Files that the command reads, and that must not be overwritten.
    option : str
        Option that names the file to write, for the message.
    device : bool
        Whether a device or a named pipe will do.
    may_replace : callable, optional
        Says whether a folder that is there may be replaced; where it is given, so may a model.

    Raises
    ------
    click.BadParameter
        If the file cannot be written, or must not be.
    WriteError
        If there is no room for any file.
    """
    from funksvd.atomic import NO_ROOM, check_replaceable
    from funksvd.errors import WriteError

    refuse_to_overwrite(path, inputs, option, even_a_model=may_replace is not None)
    if path is None or (device and os.path.exists(path) and _is_special(path)):
        return
    try:
        check_replaceable(path, may_replace=may_replace)
    except WriteError as error:
        if error.errno in NO_ROOM:
            raise
        raise click.BadParameter(str(error), param_hint=option) from None


def check_writable(
    path: str,
    inputs: Iterable[str | None],
    is_ours: Callable[[str | os.PathLike[str]], bool],
    what: str,
) -> None:
    """Find out before a long work that its result cannot be saved; see `check_output`.

    Parameters
    ----------
    path, inputs
        As for `check_output`.
    is_ours : callable
        Says of what is there whether it may be replaced.
    what : str
        Name of such a file, for the message: "a model".

    Raises
    ------
    click.BadParameter
        If the file cannot be written, or must not be.
    """
    check_output(path, inputs, may_replace=is_ours)
    if os.path.isfile(path) and os.path.getsize(path) and not is_ours(path):
        raise click.BadParameter(
            f"{path} is there already and is not {what}; remove it first, or give another name",
            param_hint="-o",
        )


def _is_special(path: str) -> bool:
    return not os.path.isfile(path) and not os.path.isdir(path)
