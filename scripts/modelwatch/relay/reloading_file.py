"""A file that is read again whenever it changes: that is how secrets rotate without a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_BYTES = 64 * 1024


class ReloadingFile(Generic[T]):
    """``read`` turns the file's text into a value; ValueError where it is none.

    A file that cannot be read, or makes no sense, leaves the last good value in place: an editor that empties a file
    before it writes must not make us deaf. ``trouble`` says so until it is readable again.
    """

    def __init__(self, path: Path, read: Callable[[str], T]) -> None:
        self.path = path
        self.problem = "it was not read yet"
        self.reload_count = 0
        """How often a new value was taken."""
        self._read = read
        self._value: T | None = None
        self._file_stamp: tuple[int, int, int] | None = None

    def value(self) -> T | None:
        """The newest good value, ``None`` where there never was one. Costs one ``stat`` while nothing changes."""
        try:
            about = self.path.stat()
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            if stamp != self._file_stamp:
                if about.st_size > MAX_BYTES:
                    raise ValueError("it is too large")
                self._value = self._read(self.path.read_text("utf-8"))
                self._file_stamp, self.problem = stamp, ""
                self.reload_count += 1
        except (OSError, ValueError) as error:
            # Neither a value of the file nor, where a decoder failed, a piece of it.
            self.problem = error.strerror or "it cannot be read" if isinstance(error, OSError) else _safe_message(error)
            self._file_stamp = None
        return self._value


def _safe_message(error: ValueError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """One webhook secret a line; ValueError where there is none."""
    found = tuple(dict.fromkeys(line.strip().encode() for line in text.splitlines() if line.strip()))
    if not found:
        raise ValueError("it holds no secret")
    return found


def parse_token(text: str) -> str:
    """The one word in the file; ValueError where there is none, or several."""
    words = text.split()
    if len(words) != 1 or not words[0].isascii() or not words[0].isprintable():
        raise ValueError("it does not hold exactly one token")
    return words[0]


def parse_private_key(text: str) -> str:
    """A private key in PEM form; ValueError where it is none."""
    if "-----BEGIN " not in text or "PRIVATE KEY-----" not in text:
        raise ValueError("it does not hold a private key in PEM form")
    return text
