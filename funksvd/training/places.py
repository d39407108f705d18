"""Folders in which checkpoints are kept: local ones, and those at an address that fsspec knows.

A file is written under a new name and never changed, so that a store of objects, which cannot
rename, does as well as a local disk. Who may write is settled by a lock on a local disk, and
elsewhere by a token: whoever came last has it, and all others find that out before they commit.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from funksvd.atomic import locked_by_another, replacing
from funksvd.errors import CheckpointError, WriteError, argument, how_to_install

LOCK, OWNER = "funksvd.lock", "funksvd.owner"
"""Files by which two runs keep apart."""


class Place(ABC):
    """A folder that one run may write to.

    Parameters
    ----------
    address : str
        As the caller knows it.

    Attributes
    ----------
    mark : str
        A part for the names of files, by which they differ from those of another run that writes to
        the folder at the same time; empty where no other can.
    """

    mark = ""

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    def names(self) -> list[str]:
        """Names of the files that are there."""

    @abstractmethod
    def writing(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """A new file to write to; after an exception, there is none.

        Raises
        ------
        WriteError
            If it cannot be written.
        """

    @abstractmethod
    def reading(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        """A file to read.

        Raises
        ------
        CheckpointError
            If it is missing, or cannot be read.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file, if that is possible."""

    @abstractmethod
    def check_owner(self) -> None:
        """Find out that another run has taken the folder over.

        Raises
        ------
        CheckpointError
            If it has.
        """

    @abstractmethod
    def release(self) -> None:
        """Let others have the folder."""

    def path(self, name: str) -> str:
        """The address of a file."""
        return f"{self.address.rstrip('/')}/{name}"

    def unwritable(self, name: str, error: Exception) -> WriteError:
        """The error of a file that cannot be written."""
        cause = error if isinstance(error, OSError) else None
        return WriteError(f"{self.path(name)} cannot be written: {_reason(error)}", cause)

    def unreadable(self, name: str, error: Exception) -> CheckpointError:
        """The error of a file that cannot be read."""
        if isinstance(error, FileNotFoundError):
            return CheckpointError(
                f"{self.path(name)} is missing, a part of a checkpoint: remove {self.address}, and "
                "training starts from the beginning"
            )
        return CheckpointError(f"{self.path(name)} cannot be read: {_reason(error)}")


def place_of(address: str | os.PathLike[str]) -> Place:
    """The folder at a path, or at an address with "://".

    Raises
    ------
    CheckpointError
        If it cannot be made or reached, or another process is writing to it.
    """
    text = os.fspath(address)
    return RemotePlace(text) if "://" in text else LocalPlace(text)


class LocalPlace(Place):
    """A folder on a disk, locked for as long as the process lives.

    Parameters
    ----------
    address : str
        It is made if it is not there.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._folder = Path(address)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
        except FileExistsError:
            raise CheckpointError(
                f"{address} is a file; give a folder as {argument('checkpoint')}"
            ) from None
        except OSError as error:
            raise CheckpointError(
                f"{address}: no checkpoint can be kept there: {error.strerror}"
            ) from error

    def _locked(self) -> BinaryIO:
        while True:
            file = open(self._folder / LOCK, "ab")  # noqa: SIM115 - open as long as it is locked
            if holder := locked_by_another(file):
                file.close()
                raise CheckpointError(
                    f"{self.address}: {holder} keeps checkpoints there; wait until it has ended, "
                    f"or give another {argument('checkpoint')}"
                )
            if os.fstat(file.fileno()).st_nlink or sys.platform == "win32":
                return file
            file.close()  # removed by a run that ended meanwhile

    def names(self) -> list[str]:
        """Names of the files that are there."""
        return os.listdir(self._folder)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A new file to write to; on the disk, and in its place, only once all is written."""
        path = self._folder / name
        with replacing(path) as temporary, open(temporary, "wb") as file:
            yield file

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """A file to read."""
        try:
            file = open(self._folder / name, "rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise self.unreadable(name, error) from error
        with file:
            yield file

    def remove(self, name: str) -> None:
        """Remove a file, if that is possible."""
        with contextlib.suppress(OSError):
            os.unlink(self._folder / name)

    def check_owner(self) -> None:
        """Nothing: the lock keeps others away."""

    def release(self) -> None:
        """Let others have the folder; remove it if it is empty."""
        if sys.platform == "win32":  # a file that is open cannot be removed
            self._lock.close()
        self.remove(LOCK)
        with contextlib.suppress(OSError):
            self._folder.rmdir()
        self._lock.close()


class RemotePlace(Place):
    """A folder at an address that fsspec knows, such as s3://bucket/folder.

    Parameters
    ----------
    address : str
        The run takes it over from any other.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise CheckpointError(
                f"{address}: addresses need fsspec, which is not installed: "
                f"{how_to_install('cluster')}"
            ) from error
        self._token = secrets.token_hex(16).encode()
        self.mark = f"-{self._token[:8].decode()}"
        try:
            self._files, self._root = url_to_fs(address)
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(self._at(OWNER), self._token)
        except Exception as error:  # each kind of store has its own errors
            raise CheckpointError(
                f"{address}: no checkpoint can be kept there: {_reason(error)}"
            ) from error

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    def names(self) -> list[str]:
        """Names of the files that are there."""
        try:
            self._files.invalidate_cache()
            found = self._files.ls(self._root, detail=False)
        except Exception as error:
            raise CheckpointError(f"{self.address} cannot be read: {_reason(error)}") from error
        return [name.rstrip("/").rpartition("/")[2] for name in found]

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A new file to write to; half of it is removed."""
        with self._naming(name):
            file = self._files.open(self._at(name), "wb")
        try:
            yield cast(BinaryIO, file)
            with self._naming(name):
                file.close()
        except BaseException:
            with contextlib.suppress(Exception):
                file.close()
            self.remove(name)
            raise

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise self.unwritable(name, error) from error

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """A file to read."""
        try:
            file = self._files.open(self._at(name), "rb")
        except Exception as error:
            raise self.unreadable(name, error) from error
        with file:
            yield file

    def remove(self, name: str) -> None:
        """Remove a file, if that is possible."""
        with contextlib.suppress(Exception):
            self._files.rm_file(self._at(name))

    def check_owner(self) -> None:
        """Find out that another run has taken the folder over."""
        try:
            found = self._files.cat_file(self._at(OWNER))
        except FileNotFoundError:
            found = b""
        except Exception as error:
            raise self.unwritable(OWNER, error) from error
        if found != self._token:
            raise CheckpointError(
                f"{self.address}: another run has taken over its checkpoints, so that this one ends"
            )

    def release(self) -> None:
        """Let others have the folder.

        It stays, even if it is empty: to remove one may mean to remove a bucket.
        """
        with contextlib.suppress(Exception):
            if self._files.cat_file(self._at(OWNER)) == self._token:
                self.remove(OWNER)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
