"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """An empty file beside `path` to write to; on success it takes its place, else it is removed.

    The data is on the disk before the rename, so that neither a crash nor a power cut can leave
    half a file, and the old one stays until then; its permissions are kept. Where `path` is a
    symbolic link, its target is replaced.

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
    # Made here, and only if it is not there, so that nobody's link of that name is followed.
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
    # The rename itself is safe only once the folder is on the disk; not every system can do that.
    with contextlib.suppress(OSError):
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
