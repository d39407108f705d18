"""Files, and folders of files, that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from funksvd.errors import WriteError

if sys.platform != "win32":
    import fcntl

    FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    """How a folder is opened."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, quota or file."""
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
"""Error numbers of a rename over a folder, or of a folder over a file."""
TEMPORARY, ASIDE = ".tmp", ".old"
"""Suffixes of what is being written, and of what it is about to replace."""


MayReplace = Callable[[Path], bool]
"""Says of a folder that is there whether it may be replaced."""


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], *, as_folder: bool = False, may_replace: MayReplace | None = None
) -> Iterator[Path]:
    """Give an empty file beside `path` to write to; in the end, put it in the place of `path`.

    The data is on the disk before the rename, so that neither a crash nor a power cut can leave
    half a file. The old file stays until then, or for good if an exception comes; its permissions
    are kept. Where `path` is a symbolic link, its target is replaced.

    A process that is killed leaves its half-written file. The next one to write to `path` removes
    it. A file that another process is writing is locked, and left alone.

    A folder of files can be written in the same way, and can take a file's place, or a file a
    folder's. No system renames anything over a folder, so the old one is first moved aside, under a
    name that `present` and the next one to write know, and for a moment there is nothing at `path`.

    Parameters
    ----------
    path : path
    as_folder : bool
        Whether to give an empty folder rather than a file.
    may_replace : callable, optional
        Says of a folder that is there whether it may be replaced; by default, none may. Where it is
        given, folders that a process has left are removed, too.

    Yields
    ------
    Path
        The file to write to: its content, not another file in its place, which would not be locked.

    Raises
    ------
    WriteError
        If the file cannot be written; the old file is untouched. Also if `path` is a folder that
        may not be replaced, or a device: a rename would put a file in the place of /dev/null.
    """
    with _temporary(path, as_folder, may_replace) as (target, temporary, lock):
        yield temporary
        if as_folder:
            for name in os.listdir(temporary):
                _flush(temporary / name)
        _flush(temporary)
        if sys.platform == "win32":  # a file that is open cannot be renamed
            lock.close()
        _put(temporary, target, may_replace)


def check_replaceable(
    path: str | os.PathLike[str], *, may_replace: MayReplace | None = None
) -> None:
    """Find out, before a long work, whether `replacing` can write to a path.

    Raises
    ------
    WriteError
        If it cannot.
    """
    with _temporary(path, False, may_replace):
        pass


def present(path: str | os.PathLike[str]) -> Path:
    """Where to read what is at a path that `replacing` writes folders to.

    Returns
    -------
    Path
        The path itself, unless there is nothing but what a process, which is at work or was killed
        there, has moved aside to put another in its place.
    """
    target = Path(os.path.realpath(path))
    if not target.exists() and (aside := _left_by(target, ASIDE)):
        return aside[0]
    return Path(path)


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
def _temporary(
    path: str | os.PathLike[str], as_folder: bool, may_replace: MayReplace | None
) -> Iterator[tuple[Path, Path, contextlib.ExitStack]]:
    """Make the file beside a path to write to, and remove it in the end unless it was renamed.

    Yields
    ------
    Path
        The file to replace.
    Path
        The one to write to.
    ExitStack
        Holds it open and locked until it is closed.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{TEMPORARY}")
    lock = contextlib.ExitStack()
    try:  # from before it is there: a signal may end the program at any moment
        with naming(path, target, temporary):
            _check(path, target, may_replace)
            _clean_up(target, with_folders=may_replace is not None)
            _create(temporary, target, as_folder, lock)
            yield target, temporary, lock
    finally:
        if sys.platform == "win32":
            lock.close()
        _remove(temporary)
        lock.close()


def _put(temporary: Path, target: Path, may_replace: MayReplace | None) -> None:
    """Rename, also over a folder that may be replaced, and have that on the disk."""
    aside = temporary.with_suffix(ASIDE)
    try:
        while True:
            try:
                os.replace(temporary, target)
                break
            except OSError as error:
                is_kept = target.is_dir() and not _may_go(target, may_replace)
                if error.errno not in TAKEN or is_kept:
                    raise
            _remove(aside)  # that of the turn before: another process came between
            with contextlib.suppress(FileNotFoundError):
                os.rename(target, aside)
        # The rename is safe from a power cut once the folder is on the disk.
        _flush(target.parent)
    finally:
        if target.exists():
            _remove(aside)
        else:
            with contextlib.suppress(OSError):
                os.rename(aside, target)


def _may_go(folder: Path, may_replace: MayReplace | None) -> bool:
    return may_replace is not None and may_replace(folder)


def _flush(path: Path) -> None:
    """Have a file on the disk, or the names in a folder, where the system can do that."""
    if path.is_dir():
        with contextlib.suppress(OSError):
            _sync(os.open(path, os.O_RDONLY))
    else:
        _sync(os.open(path, os.O_WRONLY))


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a file, or a folder of files, as far as that can be done."""
    with contextlib.suppress(OSError):
        if not _is_folder(path):
            os.unlink(path)
            return
        for name in os.listdir(path):
            with contextlib.suppress(OSError):
                os.unlink(path / name)
        os.rmdir(path)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _check(path: str | os.PathLike[str], target: Path, may_replace: MayReplace | None) -> None:
    """Find out what a rename would only tell in the end, or not at all."""
    number = 0
    if target.is_dir() and not _may_go(target, may_replace):
        what = "" if may_replace is None else " with other files in it"
        number, why = errno.EISDIR, f"is a folder{what}; give another name"
    elif target.exists() and not target.is_file() and not target.is_dir():
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


def _create(temporary: Path, target: Path, as_folder: bool, lock: contextlib.ExitStack) -> None:
    """Make a new, empty, locked file or folder, with the permissions of the target if there."""
    mode = stat.S_IMODE(os.stat(target).st_mode) if target.exists() else None
    if mode is not None and target.is_dir() != as_folder:
        # A folder can be looked into by all who could read a file in its place; no file can be run.
        mode = mode | (mode & 0o444) >> 2 if as_folder else mode & 0o666
    while True:
        # It must not be there yet, so that nobody's link of that name is followed.
        if as_folder:
            os.mkdir(temporary)
        if not as_folder or sys.platform != "win32":  # which opens no folders
            flags = FOLDER if as_folder else os.O_WRONLY | os.O_CREAT | os.O_EXCL
            file = os.open(temporary, flags, 0o666)
            lock.callback(os.close, file)
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # the file system has no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink == 0:  # taken for a leftover before it was locked
                lock.close()
                continue
        if mode is not None:
            os.chmod(temporary, mode)
        return


def _left_by(target: Path, suffix: str) -> list[Path]:
    """Files and folders of this suffix that processes have left beside a target."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}{re.escape(suffix)}")
    try:
        names = sorted(os.listdir(target.parent))
    except OSError:  # the folder cannot be listed
        return []
    return [target.with_name(name) for name in names if pattern.fullmatch(name)]


def _clean_up(target: Path, with_folders: bool) -> None:
    """Remove what processes that were killed have left of this target's temporary files.

    What one was about to replace, and has moved aside, comes back. Windows, where nothing tells
    whether another process uses a file, keeps them.
    """
    if sys.platform == "win32":
        return
    if with_folders:
        for aside in _left_by(target, ASIDE):
            if target.exists():
                _remove(aside)
            else:
                with contextlib.suppress(OSError):
                    os.rename(aside, target)
    for temporary in _left_by(target, TEMPORARY):
        if with_folders or not _is_folder(temporary):
            with contextlib.suppress(OSError):  # locked, gone, or another user's
                _remove_unless_locked(temporary)


def _remove_unless_locked(temporary: Path) -> None:
    flags = FOLDER if _is_folder(temporary) else os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(temporary, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            _remove(temporary)
    finally:
        os.close(descriptor)
