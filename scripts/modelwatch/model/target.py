"""Where changes are made: the targets of a plan."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """Also the words of ``apply --only``."""

    ISSUE = "issue"
    PAGE = "page"
    DISPATCH = "dispatch"
    MESSAGE = "message"
    HEARTBEAT = "heartbeat"
