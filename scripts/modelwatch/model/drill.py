"""A drill: a degradation made on purpose, and what became of it link by link. Times are in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

DRILL_PREFIX = "[DRILL]"
"""How every title begins that people see."""
DRILL_WORD = "drill"
"""The word by which a project, a repository and a service are known to exist for drills."""


def is_drill_name(name: str) -> bool:
    """Whether one of the words of ``name`` is ``drill``: ``churn-drill``, not ``drilling``."""
    return DRILL_WORD in re.split(r"[^a-z0-9]+", name.lower())


class Link(StrEnum):
    """The links of the chain from a row of the serving job to a closed issue."""

    LOGGED = "rows logged"
    PULLED = "rows pulled"
    FOUND = "finding"
    FIRED = "alert fires"
    ISSUE = "issue opened"
    INCIDENT = "incident triggered"
    NOTIFIED = "somebody notified"
    RECEIVED = "webhook received"
    DISPATCHED = "workflow dispatched"
    ENDED = "workflow run ended"
    RECOVERED = "alert recovered"
    CLOSED = "issue and incident closed"


class LinkState(StrEnum):
    PASSED = "pass"
    FAILED = "FAIL"
    NOT_REACHED = "not reached"
    """A link before it is broken."""
    NOT_PART = "not part"
    """The scenario, or the configuration, has no such link."""


@dataclass(frozen=True, slots=True)
class LinkResult:
    """What a drill found of one link."""

    link: Link
    state: LinkState
    expected: str
    """In one sentence; of a link that is not part, the reason."""
    found: str = ""
    look_at: str = ""
    """Where to look, if it is broken."""
    took: float | None = None
    promised: float | None = None
    is_event_time: bool = False
    """Whether ``took`` and ``promised`` are of the metrics' time, not of the clock on the wall."""


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What a drill took away again, and what it could not; a sentence each."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrillReport:
    """The result of one drill."""

    model: str
    scenario: str
    rule: str
    place: str
    """Where it took place: ``stand-ins``, or the staging project."""
    at: float
    links: tuple[LinkResult, ...]
    notes: tuple[str, ...] = ()
    earlier: Cleanup = Cleanup()
    """Of a drill before this one, which was killed."""
    cleanup: Cleanup = Cleanup()

    @property
    def broken(self) -> LinkResult | None:
        """The first broken link."""
        return next((link for link in self.links if link.state is LinkState.FAILED), None)

    @property
    def passed(self) -> bool:
        return self.broken is None and not self.cleanup.left

    def link(self, link: Link) -> LinkResult:
        return next(result for result in self.links if result.link is link)


@dataclass(frozen=True, slots=True)
class GameDayTimes:
    """How long each part of a rollback took, the last time that it was rehearsed. ``None``: not measured."""

    at: float
    place: str
    detection: float | None = None
    """Event time, from the first bad row to the alert; the others by the clock of the services."""
    decision: float | None = None
    """From the alert to the proposal, or the dispatch."""
    approval: float | None = None
    """From the proposal to a person's approval; ``None`` where none is needed."""
    move: float | None = None
    """From the dispatch to the end of the workflow run."""
    recovery: float | None = None
    """Event time, from the end of the move until issue and incident were closed."""

    def parts(self) -> Mapping[str, float | None]:
        return {
            "detection": self.detection,
            "decision": self.decision,
            "approval": self.approval,
            "move": self.move,
            "recovery": self.recovery,
        }
