"""The exceptions that a caller may want to tell apart.

Each message is the whole story: what is wrong, where (file and line where there is one) and
what to do about it. All of them are `ValueError`, so that a caller who does not care for the
difference needs to know nothing about this module.

A message that advises to give an argument names it by `argument`::

    raise RatingsError(f"{name} is UTF-16 text; read it with {argument('encoding', 'utf-16')}")

`str(error)` is for Python programs: `read it with encoding="utf-16"`. The command line, which has
options, asks for `error.worded(...)`: `read it with --encoding utf-16`. A message that contains
another error's is made of that one's `template`, in which arguments are still marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_ARGUMENT = re.compile("\x02(\\w+)(?:=([^\x02\x03]*))?\x03")


def argument(name: str, value: str | int | None = None) -> str:
    """The mark for an argument of a function, in the message of a `FunkSVDError`.

    Parameters
    ----------
    name : str
        As the Python function has it, `on_bad_rows`.
    value : str or int, optional
        What to give.
    """
    return f"\x02{name}\x03" if value is None else f"\x02{name}={json.dumps(value)}\x03"


def in_python(name: str, value: str | int | None) -> str:
    """How Python writes an argument: `on_bad_rows="skip"`, or `on_bad_rows=` without a value."""
    return f"{name}=" if value is None else f"{name}={json.dumps(value, ensure_ascii=False)}"


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 user", "2,000 users"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


class UnknownIdWarning(UserWarning):
    """Users or items that the model has never seen are passed over."""


class FunkSVDError(ValueError):
    """Base class of every error that this package raises on purpose."""

    @property
    def template(self) -> str:
        """The message, with marks in the place of arguments."""
        return str(self.args[0]) if self.args else ""

    def worded(self, wording: Callable[[str, str | int | None], str]) -> str:
        """The message, with arguments written in some way.

        Parameters
        ----------
        wording : callable
            Makes text of an argument's name and value, which may be None.
        """

        def written(found: re.Match[str]) -> str:
            name, value = found.groups()
            return wording(name, None if value is None else json.loads(value))

        return _ARGUMENT.sub(written, self.template)

    def __str__(self) -> str:
        return self.worded(in_python)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class UnknownHyperparameterError(FunkSVDError):
    """A name that is not one of a hyperparameter.

    Parameters
    ----------
    message : str
    name : str
        The name.
    """

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class RatingsError(FunkSVDError):
    """Ratings, pairs or titles that cannot be read or make no sense."""


class UnknownIdError(FunkSVDError, KeyError):
    """A user or an item that the model has never seen, where it has to know it."""


class NotFittedError(FunkSVDError, AttributeError):
    """A model that is asked for something it only has after `fit`."""


class DivergenceError(FunkSVDError):
    """Training that diverges however small the learning rate is made."""


class ModelFileError(FunkSVDError):
    """A model file that is missing, truncated, foreign or altered."""


class WriteError(FunkSVDError, OSError):
    """A file that cannot be written; one that was there before is untouched.

    Parameters
    ----------
    message : str
    cause : OSError, optional
        What the operating system said: `errno` and `strerror` are taken from it.
    """

    def __init__(self, message: str, cause: OSError | None = None) -> None:
        super().__init__(message)
        if cause is not None:
            self.errno, self.strerror = cause.errno, cause.strerror


class ModelWriteError(WriteError):
    """A model file that cannot be written."""


class CheckpointError(FunkSVDError):
    """Checkpoints that cannot be gone on from, or that another run has to itself."""


class DataChangedError(FunkSVDError):
    """Ratings that are no longer the ones a model was trained on."""


class GangLostError(FunkSVDError):
    """A worker that is gone, or does not answer or start: all of them must begin anew."""


class ShardError(FunkSVDError):
    """Files of a shard that are damaged, of something else, or in use by another process."""


class DownloadError(FunkSVDError):
    """A data set that cannot be downloaded, or is not what was published."""


def how_to_install(extra: str) -> str:
    """The advice, for a message, on how to install the packages of an extra."""
    return f'in the folder that funksvd was installed from, pip install ".[{extra}]"'
