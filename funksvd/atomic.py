"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from funksvd.errors import WriteError

if sys.platform != "win32":
    import fcntl

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, quota or file."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty file beside `path` to write to; in the end, put it in the place of `path`.

    The data is on the disk before the rename, so that neither a crash nor a power cut can leave
    half a file. The old file stays until then, or for good if an exception comes; its permissions
    are kept. Where `path` is a symbolic link, its target is replaced.

    A process that is killed leaves its half-written file. The next one to write to `path` removes
    it. A file that another process is writing is locked, and left alone.

    Yields
    ------
    Path
        The file to write to: its content, not another file in its place, which would not be locked.

    Raises
    ------
    WriteError
        If the file cannot be written; the old file is untouched. Also if `path` is a folder or a
        device: a rename would put a file in the place of /dev/null.
    """
    with _temporary(path) as (target, temporary, lock):
        yield temporary
        os.fsync(lock.fileno())
        if sys.platform == "win32":  # a file that is open cannot be renamed
            lock.close()
        os.replace(temporary, target)
    # The rename is safe from a power cut once the folder is on the disk; not all systems can do so.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Find out, before a long work, whether `replacing` can write to a path.

    Raises
    ------
    WriteError
        If it cannot.
    """
    with _temporary(path):
        pass


@contextlib.contextmanager
def naming(path: str | os.PathLike[str], *places: Path) -> Iterator[None]:
    """Turn an error of the operating system that is about writing a file into one that names it.

    Errors of what else is done meanwhile, such as reading another file, are left as they are.

    Parameters
    ----------
    path : path
        The file, as the caller knows it.
    *places : Path
        Names under which the operating system knows it.

    Raises
    ------
    WriteError
        If there was an error about one of these names, or a full disk.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        is_ours = error.filename is not None and Path(error.filename) in places
        if not is_ours and not (error.filename is None and error.errno in NO_ROOM):
            raise
        raise WriteError(f"{path} cannot be written: {error.strerror}", error) from error


def locked_by_another(file: BinaryIO) -> str | None:
    """Lock a file for as long as it is open, unless another process has locked it.

    The lock ends with the process, however that ends. Windows, and file systems without locks, lock
    nothing.

    Parameters
    ----------
    file : file
        Open for writing.

    Returns
    -------
    str or None
        A name for the other process, as far as the system tells: "process 1234".
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(file)
        except OSError:  # the file system has no locks
            pass
    return None


def _holder(file: BinaryIO) -> str:
    with contextlib.suppress(OSError, IndexError):
        inode = os.fstat(file.fileno()).st_ino
        for lock in map(str.split, Path("/proc/locks").read_text().splitlines()):
            if lock[1] == "FLOCK" and lock[5].endswith(f":{inode}") and int(lock[4]) > 0:
                return f"process {lock[4]}"
    return "another process"


@contextlib.contextmanager
def _temporary(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path, BinaryIO]]:
    """Make the file beside a path to write to, and remove it in the end unless it was renamed.

    Yields
    ------
    Path
        The file to replace.
    Path
        The one to write to.
    file
        The same, open and locked.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    lock = None
    try:  # from before it is there: a signal may end the program at any moment
        with naming(path, target, temporary):
            _check(path, target)
            _remove_leftovers(target)
            lock = _create(temporary, target)
            yield target, temporary, lock
    finally:
        if lock is not None and sys.platform == "win32":
            lock.close()
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if lock is not None:
            lock.close()


def _check(path: str | os.PathLike[str], target: Path) -> None:
    """Find out what a rename would only tell in the end, or not at all."""
    number = 0
    if target.is_dir():
        number, why = errno.EISDIR, "is a folder; give a file name"
    elif target.exists() and not target.is_file():
        number, why = errno.EINVAL, "is not a regular file"
    elif _is_mounted(target):
        number, why = errno.EBUSY, "is mounted and cannot be replaced; mount its folder instead"
    elif not target.parent.is_dir():
        number, why = errno.ENOENT, f"cannot be written: the folder {target.parent} does not exist"
    if number:
        raise WriteError(f"{path} {why}", OSError(number, os.strerror(number)))


def _is_mounted(target: Path) -> bool:
    """Whether a file is mounted by itself, as containers have it; only Linux is asked."""
    with contextlib.suppress(OSError):
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
        return str(target).replace(" ", "\\040") in {mount.split()[4] for mount in mounts}
    return False


def _create(temporary: Path, target: Path) -> BinaryIO:
    """Make a new, empty, locked file, with the permissions of the target if that is there."""
    mode = stat.S_IMODE(os.stat(target).st_mode) if target.exists() else None
    while True:
        # It must not be there yet, so that nobody's link of that name is followed.
        file = open(temporary, "xb")  # noqa: SIM115 - the caller closes it
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # the file system has no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink == 0:  # taken for a leftover before it was locked
                file.close()
                continue
        if mode is not None:
            os.chmod(temporary, mode)
        return file


def _remove_leftovers(target: Path) -> None:
    """Remove what processes that were killed have left of this target's temporary files.

    Windows, where nothing tells whether another process uses a file, keeps them.
    """
    if sys.platform == "win32":
        return
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    with contextlib.suppress(OSError):  # the folder cannot be listed
        for name in os.listdir(target.parent):
            if pattern.fullmatch(name):
                with contextlib.suppress(OSError):  # locked, gone, or another user's
                    _remove_unless_locked(target.with_name(name))


def _remove_unless_locked(temporary: Path) -> None:
    descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.unlink(temporary)
    finally:
        os.close(descriptor)
