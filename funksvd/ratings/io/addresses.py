"""Files at addresses such as s3://bucket/ratings/, by fsspec and what it finds installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from funksvd.errors import RatingsError, how_to_install
from funksvd.ratings.io.files import Source


def is_address(path: str) -> bool:
    """Whether a path is an address, which has a protocol in front."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path) is not None


def files(address: str) -> dict[str, Source]:
    """The files at an address, not decompressed, by their names below it.

    The only one is called "" if the address is its own.

    Raises
    ------
    RatingsError
        If there is nothing there, or it cannot be read from there.
    """
    with _explained(address):
        system, root = _system(address)
        if system.isfile(root):
            return {"": _source(system, root, address)}
        there = sorted(system.find(root))
    if not there:
        raise RatingsError(f"{address}: there is no such file, and no folder with files in it")
    below = [PurePosixPath(path).relative_to(PurePosixPath(root)).as_posix() for path in there]
    folder = address.rstrip("/")
    return {
        name: _source(system, path, f"{folder}/{name}")
        for name, path in zip(below, there, strict=True)
        if not PurePosixPath(name).name.startswith(".")
    }


def stamp(address: str) -> list[str]:
    """What changes if the file at an address is written again: its size, and what else is known."""
    with _explained(address):
        system, root = _system(address)
        found = system.info(root)
    more = ("mtime", "LastModified", "updated", "ETag", "etag", "created")
    return [str(found["size"] or 0), *(str(found[name]) for name in more if name in found)]


def _system(address: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise RatingsError(
            f"{address}: addresses are read by fsspec, which is not installed; "
            f"{how_to_install('cluster')}"
        ) from None
    system, root = url_to_fs(address)
    return system, root


def _source(system: Any, path: str, name: str) -> Source:
    return Source(name, partial(_opened, system, path, name), seekable=True, origin=name)


def _opened(system: Any, path: str, name: str) -> BinaryIO:
    with _explained(name):
        file: BinaryIO = system.open(path, "rb")
        return file


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Context for what a storage may raise: its errors are of any kind."""
    try:
        yield
    except (RatingsError, MemoryError):
        raise
    except Exception as error:
        what = str(error) or type(error).__name__
        raise RatingsError(f"{address} cannot be read: {what}") from error
