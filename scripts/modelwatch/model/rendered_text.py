"""What a writer of texts hands to the targets: already escaped, ready to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class IssueText:
    title: str
    body: str
    """Markdown, without the register's block."""


@dataclass(frozen=True, slots=True)
class IncidentText:
    """The fields of a PagerDuty Events API v2 trigger that people read."""

    summary: str
    severity: str
    source: str
    component: str = ""
    group: str = ""
    klass: str = ""
    """Sent as ``class``."""
    timestamp: float = 0.0
    """Seconds, UTC."""
    details: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    """``(text, href)``."""
