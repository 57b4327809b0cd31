"""Reading a file that a configuration names. A pipe or a device would never end, a huge file would not fit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from .errors import SourceError


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """The content. Raises OSError, also for what is no regular file and for more than ``max_bytes``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
    with open(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is a device or a pipe, no regular file", str(path))
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {max_bytes:,} bytes", str(path))
    return content


def require_regular_file(path: str) -> None:
    """Before a reader opens it. Raises SourceError."""
    if not Path(path).is_file():
        raise SourceError("this is no regular file.", hint="Name a file that can be read to its end.", where=path)
