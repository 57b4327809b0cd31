"""What changed in the hours before an alert began: candidates for its cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..timeutil import HOUR

LOOKBACK = 12 * HOUR
"""How long (seconds) before an alert began changes are looked for."""
MAX_CHANGES = 10


class RecentChangeKind(StrEnum):
    COMMIT = "commit"
    CONFIGURATION = "configuration"
    """A commit that changed the configuration of modelwatch."""
    DEPLOYMENT = "deployment"
    VERSION = "version"
    """A model version was made, or served for the first time."""
    MOVE = "move"
    """A move of the release."""
    FINDING = "finding"
    """Another rule began to fire."""
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True)
class RecentChange:
    """One change; all texts are from outside."""

    at: float
    kind: RecentChangeKind
    text: str
    by: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class RecentChanges:
    """Newest first, at most ten; what could not be read is in ``problems``, a line each."""

    changes: tuple[RecentChange, ...] = ()
    problems: tuple[str, ...] = ()
