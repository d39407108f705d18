"""What is said of model files that are not what they should be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from funksvd.errors import ModelFileError
from funksvd.learned.base import UnknownArrayError

MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""Errors that a file of the right kind with the wrong content leads to."""


def altered(path: str | os.PathLike[str], why: str | Exception) -> ModelFileError:
    """The error for a file that funksvd has written, but not like this."""
    if isinstance(why, KeyError):
        why = f"{why} is missing"
    return ModelFileError(
        f"{path}: the model file is damaged or was altered ({why}); train again or restore a copy"
    )


@contextlib.contextmanager
def telling_of_damage(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn whatever the content of a file leads to into an error that names the file."""
    try:
        yield
    except ModelFileError:
        raise
    except UnknownArrayError as error:
        raise newer(path, f"a tensor {str(error)!r}") from error
    except MALFORMED as error:
        raise altered(path, error) from error


def newer(path: str | os.PathLike[str], what: str) -> ModelFileError:
    """The error for a file that holds something this program does not know."""
    return ModelFileError(
        f"{path}: the model file has {what}, which this version of funksvd does not know; use the "
        "version that wrote it, or train again"
    )


def reason(error: Exception) -> str:
    """What the operating system, or the error itself, says."""
    return getattr(error, "strerror", None) or str(error)
