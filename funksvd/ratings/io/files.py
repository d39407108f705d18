"""Sources by name: paths, standard input, compressed files, members of archives."""

from __future__ import annotations

import bz2
import difflib
import gzip
import lzma
import os
import shutil
import stat
import struct
import sys
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from funksvd.errors import RatingsError

BLOCK_SIZE = 1 << 20
MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
DAMAGE = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    # What `zipfile` does not foresee in names and lengths.
    UnicodeDecodeError,
    LookupError,
    OverflowError,
    struct.error,
)
"""Exceptions of reading a truncated or corrupt file."""


@dataclass(frozen=True)
class Source:
    """A file that can be opened again and again, always at its start and decompressed.

    Parameters
    ----------
    name : str
        For messages.
    open : callable
        Returns a new binary file.
    path : str, optional
        Path of a file that is neither compressed nor a member of an archive.
    note : str
        Kind of packing, for people ("gzip", "zip, gzip").
    seekable : bool
        Whether another file than one with a path can be read from any place, without what is
        before: one at an address.
    origin : str
        Path or address of the file that it is in; empty where it cannot be read once more, by
        another process or later: a pipe.
    """

    name: str
    open: Callable[[], BinaryIO]
    path: str | None = None
    note: str = ""
    seekable: bool = False
    origin: str = ""

    def head(self, size: int) -> bytes:
        """The first bytes.

        Raises
        ------
        RatingsError
            If the file cannot be decompressed.
        """
        with damage_explained(self.name), self.open() as file:
            parts = []
            while size > 0 and (part := file.read(size)):
                parts.append(part)
                size -= len(part)
            return b"".join(parts)


class damage_explained:  # noqa: N801 (reads as a statement, like contextlib.suppress)
    """Context that turns the errors of truncated and corrupt files into a `RatingsError`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PermissionError):
            raise RatingsError(f"{self.name}: you are not allowed to read this file") from None
        if isinstance(error, RuntimeError) and "encrypted" in str(error):
            raise RatingsError(f"{self.name} has a password; unpack it first") from None
        if isinstance(error, DAMAGE):
            raise RatingsError(
                f"{self.name} is damaged or incomplete ({str(error) or type(error).__name__}). "
                "Copy or download it again"
            ) from error


class _Layered:
    """A file read through others, which are closed with it."""

    def __init__(self, file: Any, *below: Any) -> None:
        self._files = (file, *below)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files[0], name)

    def __enter__(self) -> _Layered:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for file in self._files:
            file.close()


def _layered(file: Any, *below: Any) -> BinaryIO:
    return cast(BinaryIO, _Layered(file, *below))


def open_path(path: str | os.PathLike[str]) -> Source:
    """A source for a path, or for "-" (standard input); it is not decompressed yet.

    Raises
    ------
    RatingsError
        If there is no such file; the message says where it was looked for and what is near.
    """
    name = os.fspath(path)
    if name == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise RatingsError("standard input is closed; give a file instead of -")
        return _spooled(getattr(sys.stdin, "buffer", cast(BinaryIO, sys.stdin)), "standard input")
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        raise RatingsError(_missing(name)) from None
    if not stat.S_ISREG(mode):  # a pipe or a device can be read only once
        with damage_explained(name), open(name, "rb") as pipe:
            return _spooled(pipe, name)
    return Source(name, lambda: open(name, "rb"), path=name, origin=name)


def decompressed(source: Source) -> Source:
    """The source, decompressed where its first bytes say so; zip archives stay as they are."""
    for _ in range(2):  # a .csv.gz inside a .zst is odd, but costs nothing
        kind = compression(source)
        if kind is None or kind == "zip":
            return source
        source = Source(
            source.name,
            _opener(source, kind),
            note=f"{source.note}, {kind}" if source.note else kind,
            origin=source.origin,
        )
    return source


def compression(source: Source) -> str | None:
    """Kind of compression by the first bytes, such as "gzip"; None if there is none."""
    head = source.head(8)
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def member(source: Source, name: str) -> Source:
    """A member of a zip archive."""

    def opened() -> BinaryIO:
        file = source.open()
        try:
            with damage_explained(source.name):
                archive = zipfile.ZipFile(file)
                return _layered(archive.open(name), archive, file)
        except BaseException:
            file.close()
            raise

    packing = f"{source.note}, zip" if source.note else "zip"
    return Source(f"{source.name}:{name}", opened, note=packing, origin=source.origin)


def member_names(source: Source) -> list[str]:
    """Names of the files in a zip archive, without what operating systems leave there."""
    with damage_explained(source.name), source.open() as file, zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    return [n for n in names if not n.startswith("__MACOSX/") and not Path(n).name.startswith(".")]


def _opener(source: Source, kind: str) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        file = source.open()
        if kind == "zstd":
            import pyarrow

            return _layered(pyarrow.CompressedInputStream(file, kind), file)
        module = {"gzip": gzip, "bzip2": bz2, "xz": lzma}[kind]
        return _layered(module.open(file, "rb"), file)

    return opened


def _spooled(stream: BinaryIO, name: str) -> Source:
    """A source with a copy of a stream: detection and error messages read it again."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the source)
    with damage_explained(name):
        shutil.copyfileobj(stream, spool, BLOCK_SIZE)
    spool.flush()

    def opened() -> BinaryIO:
        file = open(os.dup(spool.fileno()), "rb")  # noqa: SIM115
        file.seek(0)
        return file

    weakref.finalize(opened, spool.close)
    return Source(name, opened)


def _missing(name: str) -> str:
    path = Path(name)
    folder = path.parent if path.parent.parts else Path(".")
    if not folder.is_dir():
        return f"{name}: no such file; its folder {folder} does not exist either"
    try:
        there = [entry.name for entry in folder.iterdir()]
    except OSError:
        there = []
    message = f"{name}: no such file in {folder.resolve()}"
    near = difflib.get_close_matches(path.name, there, n=1, cutoff=0.5)
    if not near:  # Ratings.CSV against ratings.csv
        near = [entry for entry in there if entry.lower() == path.name.lower()]
    return f"{message}. Did you mean {folder / near[0]}?" if near else message
