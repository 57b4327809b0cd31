"""How modelwatch itself is watched: the heartbeat of its evaluations, and the watchdog workflow, which it watches, too.

Both are about the whole configuration, not about one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..timeutil import HOUR
from .secret import Secret


class HeartbeatMethod(StrEnum):
    """The HTTP method by which a monitor is called."""

    POST = "post"
    """With the reason in the body, which healthchecks.io and Better Stack show."""
    GET = "get"


@dataclass(frozen=True, slots=True)
class HeartbeatSpec:
    """The monitor outside that expects to be called by every evaluation."""

    url: Secret
    """Empty where its variable is not set."""
    failed_url: Secret | None = None
    method: HeartbeatMethod = HeartbeatMethod.POST


@dataclass(frozen=True, slots=True)
class WatchdogSpec:
    """The workflow that runs ``modelwatch watchdog``, and how often (seconds)."""

    workflow: str = ""
    every: float = 6 * HOUR
    repository: str = ""
    """``owner/name``; empty: that of the first model."""


@dataclass(frozen=True, slots=True)
class WatchdogRuns:
    """What GitHub knows about the watchdog workflow. Times in seconds (UTC)."""

    repository: str
    succeeded: float | None = None
    """When its newest successful workflow run ended; ``None``: it has none."""
    since: float | None = None
    """The same; of a workflow that has never succeeded, when it was made. ``None``: there is no such workflow."""
    error: str = ""
    """Why it cannot be read."""
