"""Arrays in files: written piece by piece with a checksum, and mapped into memory."""

from __future__ import annotations

import contextlib
import json
import math
import mmap
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from funksvd.atomic import naming, replacing
from funksvd.cluster.folder import Claim
from funksvd.errors import ShardError

CHECKED_AT_ONCE = 1 << 24
"""Bytes of a file that are checked at a time."""
REMEDY = "Delete the folder and prepare the ratings again"
Entry = dict[str, Any]
"""What a manifest says of a file: type and number of its values, and their checksum."""


@contextlib.contextmanager
def making_sense(folder: Path) -> Iterator[None]:
    """Turn what content that makes no sense leads to into an error that names the folder.

    Raises
    ------
    ShardError
    """
    try:
        yield
    except ShardError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ShardError(f"{folder} is damaged or was altered ({error}). {REMEDY}") from error


def require(is_so: Any, what: str) -> None:
    """Raise a `ValueError` unless something is so: for `making_sense`."""
    if not is_so:
        raise ValueError(f"{what} makes no sense")


class ArrayWriter:
    """A new file of numbers that is appended to.

    One of that name before is removed, and not written over: it may be mapped into memory.

    Parameters
    ----------
    path : Path
    dtype : dtype-like
    """

    def __init__(self, path: Path, dtype: Any) -> None:
        self._path, self._dtype = path, np.dtype(dtype)
        self._n = self._checksum = 0
        with naming(path, path):
            path.unlink(missing_ok=True)
            self._file = open(path, "wb")  # noqa: SIM115 (closed by `entry`, or by `__exit__`)

    def append(self, array: np.ndarray) -> None:
        """Append some numbers, of the file's type.

        Raises
        ------
        WriteError
            If the disk is full.
        """
        assert array.dtype == self._dtype, (self._path, array.dtype)
        data = np.ascontiguousarray(array).data.cast("B") if array.size else memoryview(b"")
        with naming(self._path, self._path):
            self._file.write(data)
        self._checksum = zlib.crc32(data, self._checksum)
        self._n += array.size

    def entry(self) -> Entry:
        """Close the file, and give its line of a manifest."""
        with naming(self._path, self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return {"dtype": self._dtype.str, "size": self._n, "crc32": self._checksum}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, whatever has happened."""
        self._file.close()


class Store:
    """Named arrays in files of a folder, and a manifest of them, which is written last.

    Parameters
    ----------
    folder : Path
    manifest : str
        Its name; those of the files begin with its stem.
    claim : Claim, optional
        On the folder.

    Attributes
    ----------
    folder : Path
    claim : Claim or None
    entries : dict of str to Entry
        Of the arrays that are complete.
    """

    def __init__(self, folder: Path, manifest: str, claim: Claim | None = None) -> None:
        self.folder, self._manifest, self.claim = folder, folder / manifest, claim
        self.entries: dict[str, Entry] = {}
        self._checked: set[str] = set()

    def path(self, name: str) -> Path:
        """The file of an array."""
        return self.folder / f"{self._manifest.stem}-{name}.bin"

    def remove(self) -> None:
        """Remove the manifest, and then all files of the store, complete or not."""
        self._manifest.unlink(missing_ok=True)
        for path in self.folder.glob(f"{self._manifest.stem}-*.bin"):
            path.unlink()
        self.entries = {}

    def writer(self, name: str, dtype: Any) -> ArrayWriter:
        """A new file; `entries` is to be given what its `entry` returns."""
        self._checked.discard(name)
        return ArrayWriter(self.path(name), dtype)

    def write(self, name: str, array: np.ndarray) -> None:
        """Write a whole array."""
        with self.writer(name, array.dtype) as writer:
            writer.append(array.reshape(-1))
            self.entries[name] = writer.entry() | {"shape": list(array.shape)}

    def read(self, name: str) -> np.ndarray:
        """Map an array into memory; what is written to it stays in memory.

        Its checksum is compared the first time.

        Raises
        ------
        ShardError
            If its file is missing, or is not as it was written.
        """
        path = self.path(name)
        with making_sense(self.folder):
            entry = self.entries[name]
            dtype = np.dtype(entry["dtype"])
            shape = entry.get("shape", [entry["size"]])
            require(dtype.kind in "biuf" and math.prod(shape) == entry["size"], name)
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size != entry["size"] * dtype.itemsize:
                    raise ShardError(f"{path} is damaged: it has another size. {REMEDY}")
                checksum = entry["crc32"] if name in self._checked else 0
                while name not in self._checked and (part := file.read(CHECKED_AT_ONCE)):
                    checksum = zlib.crc32(part, checksum)
                if checksum != entry["crc32"]:
                    raise ShardError(f"{path} is damaged: its checksum is another one. {REMEDY}")
                self._checked.add(name)
                if not entry["size"]:
                    return np.empty(shape, dtype)
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise ShardError(f"{path} cannot be read: {error.strerror}. {REMEDY}") from None
        return np.frombuffer(mapped, dtype).reshape(shape)

    def commit(self, more: dict[str, Any]) -> None:
        """Write the manifest: from now on the folder is complete."""
        plain = more | {"files": self.entries}
        with replacing(self._manifest) as file:
            file.write_text(json.dumps(plain | {"crc32": _checksum(plain)}, indent=1))

    def opened(self) -> dict[str, Any] | None:
        """What was committed with the manifest; None where there is none.

        Raises
        ------
        ShardError
            If it is damaged.
        """
        try:
            text = self._manifest.read_text()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            text = ""
        try:
            found = json.loads(text)
            if found.pop("crc32") != _checksum(found):
                raise ValueError("it is not as it was written")
            self.entries = found.pop("files")
        except (ValueError, KeyError, AttributeError, TypeError):
            raise ShardError(f"{self._manifest} is damaged. {REMEDY}") from None
        return dict(found)


def _checksum(plain: dict[str, Any]) -> int:
    """Checksum of what a manifest says."""
    return zlib.crc32(json.dumps(plain).encode())
