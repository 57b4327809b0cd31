"""What a replay of history gives. Times are seconds since the epoch (UTC)."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.alert import SeverityChange
from ..model.plan import ChangeKind
from ..model.series import Labels
from ..model.severity import Severity


@dataclass(frozen=True, slots=True)
class Span:
    """The evaluations that are replayed: at ``since``, then every ``every`` seconds, the last not after ``until``."""

    since: float
    until: float
    every: float

    @property
    def times(self) -> tuple[float, ...]:
        count = int((self.until - self.since) // self.every) + 1 if self.until >= self.since else 0
        return tuple(self.since + place * self.every for place in range(count))


@dataclass(frozen=True, slots=True)
class ReplayedEpisode:
    """One firing of one group, as the evaluations of the replay saw it."""

    model: str
    rule: str
    kind: str
    start: float
    """When the breach began."""
    fired: float
    """The first evaluation at which it fired: from then on somebody could know."""
    end: float | None
    """The evaluation that proved its recovery; ``None``: it still fired at the end of the span."""
    peak: Severity
    steps: tuple[SeverityChange, ...] = ()
    """Severity of the group as evaluations saw it: ``None`` from where it does not fire."""
    labels: tuple[Labels, ...] = ()
    """Of the alerts that fired; ``()`` among them is the whole."""


@dataclass(frozen=True, slots=True)
class ReplayedEffect:
    """One change that an evaluation would have made."""

    at: float
    kind: ChangeKind
    model: str
    rule: str
    reason: str
    severity: Severity | None = None
    verb: str = ""
    """Of a dispatch: ``retrain``, ``rollback`` or what the configuration names; the same of an issue's change that
    proposes one."""
    notifies: bool = False
    """Of a page: whether it calls somebody, rather than update an incident that is open."""


@dataclass(frozen=True, slots=True)
class ReplayedRefusal:
    """One change that an evaluation would not have made, and why. Of the same refusal in a row the first."""

    at: float
    action: str
    """As in ``Skip.what``: a ``ChangeKind``, or a verb."""
    model: str
    rule: str
    guard: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What the evaluations of a span would have found and done, oldest first."""

    config: str
    """Digest of the configuration."""
    span: Span
    evaluations: int
    episodes: tuple[ReplayedEpisode, ...]
    effects: tuple[ReplayedEffect, ...] = ()
    refusals: tuple[ReplayedRefusal, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    """``(model, reason)`` of models that could not be replayed."""
    notes: tuple[str, ...] = ()
