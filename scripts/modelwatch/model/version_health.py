"""How the versions of a model did while they served: what counts against each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .series import Labels
from .severity import Severity


@dataclass(frozen=True, slots=True)
class VersionFailure:
    """An alert about the model that lasted while the version served."""

    rule: str
    labels: Labels
    severity: Severity
    """The worst that was reached."""
    since: float
    until: float
    """The first and the last finding of error or worse (seconds, UTC)."""


@dataclass(frozen=True, slots=True)
class VersionHealth:
    """What the current rules say of one version in the history that is evaluated."""

    version: str
    """As the metrics call it."""
    since: float
    """When it began to serve, the last time (seconds, UTC)."""
    until: float | None = None
    """When another version took its place; ``None`` while it serves."""
    judged: int = 0
    """Findings that decided something about it."""
    failures: tuple[VersionFailure, ...] = ()
    """What counts against it, oldest first."""
    excused: int = 0
    """Alerts that do not count: explained by an alert about the data, or false positives."""
    at_least: bool = False
    """``since`` is the edge of the history: it served before, too."""
    rolled_back: str = ""
    """Why it was rolled back from; empty where it was not, or was promoted again since."""

    @property
    def healthy(self) -> bool:
        return self.judged > 0 and not self.failures and not self.rolled_back


def healthy_names(health: Sequence[VersionHealth], failing: str) -> tuple[str, ...]:
    """Versions that were healthy, newest service first, without ``failing`` and the one that serves now."""
    return tuple(
        record.version for record in health if record.healthy and record.until is not None and record.version != failing
    )


@dataclass(frozen=True, slots=True)
class RollbackCandidate:
    """A version that could be rolled back to. ``objection`` is empty where nothing speaks against it."""

    version: str
    """``Version.name`` where the registry is known, else as the metrics call it."""
    title: str = ""
    """For people: ``1.4.0 (v7)``."""
    objection: str = ""
    record: str = ""
    """Its record while it served, as text."""
