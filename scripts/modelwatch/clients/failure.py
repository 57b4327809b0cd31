"""What went wrong at a service, in words a person can act on, with what a machine needs to decide."""

from __future__ import annotations

from ..errors import TargetError


class ServiceError(TargetError):
    """A request to GitHub or PagerDuty failed.

    ``status`` is the HTTP status, 0 where there was no answer or none that could be read. ``uncertain`` says that a
    write may have taken effect nevertheless: then look before doing it again.
    """

    def __init__(
        self, message: str, *, status: int = 0, uncertain: bool = False, hint: str = "", where: str = ""
    ) -> None:
        super().__init__(message, hint=hint, where=where)
        self.status = status
        self.uncertain = uncertain


def shorten(text: object, limit: int = 300) -> str:
    """``text`` on one line, at most ``limit`` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
