"""A folder of shards: who may write to it, and whether there is room."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
import weakref
from pathlib import Path

from funksvd.atomic import naming
from funksvd.errors import ShardError, WriteError
from funksvd.ratings.io.folders import SHARDS_LOCK as LOCK

if sys.platform != "win32":
    import fcntl

OF_WORKER = re.compile(r"worker-\d+-of-(\d+)")
"""Names of the workers' folders in a folder of shards."""


class Claim:
    """A folder that nobody else may use, as long as this object is there or until it is closed.

    Parameters
    ----------
    folder : Path
        Made, if it is not there.
    patience : float
        Seconds to wait for a process that has the folder, and is about to end.

    Raises
    ------
    ShardError
        If it is in use, is a file, or holds files of something else.
    WriteError
        If it cannot be made, or written to.
    """

    def __init__(self, folder: Path, patience: float = 0) -> None:
        lock = folder / LOCK
        if folder.exists() and not folder.is_dir():
            raise ShardError(f"{folder} is a file; ratings in shards need a folder")
        with naming(folder, folder, lock):
            folder.mkdir(parents=True, exist_ok=True)
            if not lock.exists() and any(folder.iterdir()):
                raise ShardError(
                    f"{folder} holds other files than ratings in shards; give an empty folder, or "
                    "one that does not exist"
                )
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        self.close = weakref.finalize(self, os.close, descriptor)
        if sys.platform == "win32":
            return
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                self.close()
                raise ShardError(f"{folder} is in use by another process") from None
            except OSError:
                pass  # the file system has no locks
            return


def folder_of_worker(folder: Path, number: int, n_workers: int) -> Path:
    """The folder of one worker in a folder of shards."""
    return folder / f"worker-{number + 1}-of-{n_workers}"


def remove_others(folder: Path, n_workers: int) -> None:
    """Remove the folders of workers that were of another number, unless they are in use.

    Parameters
    ----------
    folder : Path
        That of a worker, beside which they are.
    n_workers : int
    """
    for other in folder.parent.iterdir():
        found = OF_WORKER.fullmatch(other.name)
        if found is None or int(found[1]) == n_workers or not (other / LOCK).is_file():
            continue
        with contextlib.suppress(ShardError, WriteError, OSError):
            claim = Claim(other)
            shutil.rmtree(other, ignore_errors=True)
            claim.close()


def require_room(folder: Path, n_bytes: int) -> None:
    """Raise a `WriteError` if the disk of a folder has less than `n_bytes` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise WriteError(
            f"{folder}: ratings in shards need about {n_bytes / 1e6:,.0f} MB here, but only "
            f"{free / 1e6:,.0f} MB are free"
        )
