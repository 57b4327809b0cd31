"""A dotenv file that only its owner reads, for secrets that PagerDuty tells once."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import UserError


class SecretsFile:
    """``NAME=value`` lines; a name that is there already gets the new value, other lines stay."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ensure_writable(self) -> None:
        """Make sure, before anything is created at PagerDuty, that it can be written. Raises UserError."""
        self._write(self._lines())

    def store(self, name: str, value: str) -> None:
        """On disk when this returns. Raises UserError."""
        kept = [line for line in self._lines() if not re.match(rf"(?:export\s+)?{re.escape(name)}\s*=", line)]
        self._write([*kept, f"{name}={value}"])

    def remove_if_empty(self) -> bool:
        """Whether it holds anything; an empty one is taken away again."""
        lines = self._lines()
        if not lines:
            self._path.unlink(missing_ok=True)
        return bool(lines)

    def _lines(self) -> list[str]:
        try:
            if self._path.is_symlink() or (self._path.exists() and not self._path.is_file()):
                raise self._error("it is not a plain file")
            return self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        except (OSError, ValueError) as error:
            raise self._error(type(error).__name__) from error

    def _write(self, lines: list[str]) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise self._error(error.strerror or type(error).__name__) from error

    def _error(self, reason: str) -> UserError:
        return UserError(f"secrets cannot be kept there: {reason}.", where=str(self._path))
