"""Severities, in the words and the order of the PagerDuty Events API v2."""

from __future__ import annotations

from functools import total_ordering

from .coded import CodedEnum


@total_ordering
class Severity(CodedEnum):
    """info < warning < error < critical; ``Severity("error")`` parses, ``str()`` gives the word back."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Severity):
            return NotImplemented
        return self.code < other.code
