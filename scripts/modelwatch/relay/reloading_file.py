"""A file that is read again when it changes, so that secrets rotate without a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_BYTES = 64 * 1024
MIN_SECRET_LENGTH = 32
"""In bytes: RFC 2104 discourages keys shorter than their hash. PagerDuty makes the secrets, and documents no length;
one made up by a person could be guessed from a webhook."""


class ReloadingFile(Generic[T]):
    """A value that ``read`` parses from the file's text; it raises ValueError for an invalid one.

    While the file is unreadable or invalid, the last good value stays: an editor can empty a file before it writes.
    ``problem`` says so until the file is readable again.
    """

    def __init__(self, path: Path, read: Callable[[str], T]) -> None:
        self.path = path
        self.problem = "it has not been read yet"
        self.reload_count = 0
        """How often a new value was read."""
        self._read = read
        self._value: T | None = None
        self._file_stamp: tuple[int, int, int] | None = None

    def value(self) -> T | None:
        """The newest good value, ``None`` where there never was one. Costs one ``stat`` while the file is unchanged."""
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._file_stamp:
                if status.st_size > MAX_BYTES:
                    raise ValueError("it is too large")
                self._value = self._read(self.path.read_text("utf-8"))
                self._file_stamp, self.problem = stamp, ""
                self.reload_count += 1
        except (OSError, ValueError) as error:
            # Never a value from the file, nor a piece of it from a decoder's error.
            self.problem = error.strerror or "it cannot be read" if isinstance(error, OSError) else _safe_message(error)
            self._file_stamp = None
        return self._value


def _safe_message(error: ValueError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeError) else str(error)


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """One webhook secret a line; ValueError where there is none, or one that PagerDuty has not made."""
    secrets = tuple(dict.fromkeys(line.strip().encode() for line in text.splitlines() if line.strip()))
    if not secrets:
        raise ValueError("it contains no secret")
    if any(len(secret) < MIN_SECRET_LENGTH for secret in secrets):
        raise ValueError(f"it contains a secret of less than {MIN_SECRET_LENGTH} characters: PagerDuty's are longer")
    return secrets


def parse_token(text: str) -> str:
    """The one word in the file; ValueError where there is none, or several."""
    words = text.split()
    if len(words) != 1 or not words[0].isascii() or not words[0].isprintable():
        raise ValueError("it does not contain exactly one token")
    return words[0]


def parse_private_key(text: str) -> str:
    """A private key in PEM form; ValueError where it is none."""
    if "-----BEGIN " not in text or "PRIVATE KEY-----" not in text:
        raise ValueError("it does not contain a private key in PEM form")
    return text
