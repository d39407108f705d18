"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty file beside `path` to write to; in the end, put it in the place of `path`.

    The data is on the disk before the rename, so that neither a crash nor a power cut can leave
    half a file. The old file stays until then, or for good if an exception comes; its permissions
    are kept. Where `path` is a symbolic link, its target is replaced.

    Yields
    ------
    Path
        The file to write to.

    Raises
    ------
    OSError
        If the file cannot be written; the old file is untouched. Also if `path` is a folder or a
        device: a rename would put a file in the place of /dev/null.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    # It must not be there yet, so that nobody's link of that name is followed.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        mode = stat.S_IMODE(os.stat(target if target.exists() else temporary).st_mode)
        yield temporary
        os.chmod(temporary, mode)  # safetensors makes a file of its own, for its owner only
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    # The rename is safe from a power cut once the folder is on the disk; not all systems can do so.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
