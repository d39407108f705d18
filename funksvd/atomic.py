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

from funksvd.errors import WriteError

if sys.platform != "win32":  # a file that is open cannot be removed there
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
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    descriptor = -1
    try:
        with naming(path, target, temporary):
            _check(path, target)
            _remove_leftovers(target)
            descriptor = _create(temporary, target)
            yield temporary
            os.fsync(descriptor)
            if sys.platform == "win32":  # a file that is open cannot be renamed either
                os.close(descriptor)
                descriptor = -1
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if descriptor >= 0:
            os.close(descriptor)
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
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    with naming(path, target, temporary):
        _check(path, target)
        os.close(_create(temporary, target))
        os.unlink(temporary)


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


def _create(temporary: Path, target: Path) -> int:
    """Make a new, empty, locked file, with the permissions of the target if that is there."""
    mode = stat.S_IMODE(os.stat(target).st_mode) if target.exists() else None
    while True:
        # It must not be there yet, so that nobody's link of that name is followed.
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # the file system has no locks
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink == 0:  # taken for a leftover before it was locked
                os.close(descriptor)
                continue
        if mode is not None:
            os.chmod(temporary, mode)
        return descriptor


def _remove_leftovers(target: Path) -> None:
    """Remove what processes that were killed have left of this target's temporary files."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    with contextlib.suppress(OSError):  # the folder cannot be listed
        for name in os.listdir(target.parent):
            if pattern.fullmatch(name):
                with contextlib.suppress(OSError):  # locked, gone, or another user's
                    _remove_unless_locked(target.with_name(name))


def _remove_unless_locked(temporary: Path) -> None:
    if sys.platform == "win32":
        os.unlink(temporary)
        return
    descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.unlink(temporary)
    finally:
        os.close(descriptor)
