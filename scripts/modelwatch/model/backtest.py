"""What a backtest says of a configuration: its alerts over history, compared with what people marked there.

Times are seconds since the epoch (UTC), lengths of time are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..timeutil import WEEK
from .severity import Severity


@dataclass(frozen=True, slots=True)
class MarkedIncident:
    """Something that went wrong with a model, as people marked it: what its rules should find."""

    model: str
    start: float
    end: float
    name: str = ""
    """What people call it: ``the 5 November drop``."""
    rules: tuple[str, ...] = ()
    """The rules that should find it; none: any rule of the model."""

    def is_about(self, rule: str) -> bool:
        return not self.rules or rule in self.rules


@dataclass(frozen=True, slots=True)
class FalseMark:
    """A time in which people called the alert of a rule a false alarm."""

    model: str
    rule: str
    """Empty: any rule of the model."""
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Marks:
    """Everything that people marked, and where it was read."""

    incidents: tuple[MarkedIncident, ...] = ()
    false_marks: tuple[FalseMark, ...] = ()
    sources: tuple[str, ...] = ()
    """What was read: ``2 incidents and 1 false alarm in incidents.yml``."""
    problems: tuple[str, ...] = ()
    """What could not be read: nothing is called true or false by it."""


class AlertVerdict(StrEnum):
    """What the marks say of an alert."""

    INCIDENT = "incident"
    """It fired or got worse within a marked incident, or began within it and fired soon after."""
    FALSE = "false"
    """People called an alert of this rule at this time a false alarm."""
    UNMARKED = "unmarked"
    """Nobody marked anything: nothing is known."""


@dataclass(frozen=True, slots=True)
class ScoredAlert:
    """One alert of the replay: a firing of one rule, over all segments."""

    model: str
    rule: str
    start: float
    """When the breach began."""
    fired: float
    """The first evaluation that could report it."""
    end: float | None
    """The evaluation that proved its recovery; ``None``: it still fired at the end."""
    peak: Severity
    verdict: AlertVerdict


@dataclass(frozen=True, slots=True)
class RuleScore:
    """One rule over the whole span."""

    model: str
    rule: str
    kind: str
    alerts: int = 0
    per_week: float = 0.0
    median_duration: float | None = None
    """From the first evaluation that fires; of an alert that still fires at the end up to there."""
    longest_duration: float | None = None
    still_firing: bool = False
    detected: int = 0
    """Marked incidents that it found while they lasted."""
    missed: int = 0
    """Marked incidents that name this rule and that it did not find."""
    median_delay: float | None = None
    """From the start of an incident to its detection."""
    false_alarms: int = 0
    unmarked: int = 0
    issues: int = 0
    """Opened, or opened again."""
    pages: int = 0
    """Calls to people."""
    dispatches: tuple[tuple[str, int], ...] = ()
    """``(verb, how many workflows)``."""
    proposals: int = 0
    """Workflows that a person would have had to approve."""
    messages: int = 0


@dataclass(frozen=True, slots=True)
class IncidentScore:
    """When a marked incident was found, and by what."""

    incident: MarkedIncident
    found: float | None = None
    """The first evaluation in it at which a rule fired or got worse; ``None``: none did while it lasted."""
    rule: str = ""
    """That rule."""
    paged: float | None = None
    """The first call to a person in it, by one of the rules that should find it."""
    by_rule: tuple[tuple[str, float], ...] = ()
    """When each rule found it, the earliest first."""
    firing_before: tuple[str, ...] = ()
    """Rules that fired already when it began, which is no detection."""
    under_way: bool = False
    """Whether it lasted longer than the replay: then not found means not found yet."""

    @property
    def is_counted(self) -> bool:
        """Whether it is known if it was found."""
        return self.found is not None or not self.under_way

    @property
    def delay(self) -> float | None:
        """From its start to the first evaluation that could report it."""
        return None if self.found is None else self.found - self.incident.start

    @property
    def page_delay(self) -> float | None:
        return None if self.paged is None else self.paged - self.incident.start


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What one configuration would have found and done."""

    config: str
    """Its digest."""
    since: float
    until: float
    every: float
    """Between two evaluations."""
    evaluations: int
    models: tuple[str, ...]
    rules: tuple[RuleScore, ...]
    incidents: tuple[IncidentScore, ...] = ()
    alerts: tuple[ScoredAlert, ...] = ()
    """Oldest first."""
    marks: Marks = Marks()
    """Those within the span."""
    errors: tuple[tuple[str, str], ...] = ()
    """``(model, reason)`` of models that could not be replayed."""
    notes: tuple[str, ...] = ()

    @property
    def weeks(self) -> float:
        return (self.until - self.since) / WEEK

    @property
    def issues(self) -> int:
        return sum(score.issues for score in self.rules)

    @property
    def pages(self) -> int:
        return sum(score.pages for score in self.rules)

    @property
    def workflows(self) -> int:
        return sum(count for score in self.rules for _, count in score.dispatches)

    @property
    def proposals(self) -> int:
        return sum(score.proposals for score in self.rules)

    @property
    def messages(self) -> int:
        return sum(score.messages for score in self.rules)


class RuleStatus(StrEnum):
    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule under both configurations; a side is ``None`` where it does not have the rule."""

    model: str
    rule: str
    status: RuleStatus
    before: RuleScore | None
    after: RuleScore | None


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """One marked incident under both configurations."""

    before: IncidentScore
    after: IncidentScore


@dataclass(frozen=True, slots=True)
class AlertShift:
    """An alert that both configurations raise, at different times."""

    before: ScoredAlert
    after: ScoredAlert

    @property
    def earlier(self) -> float:
        """By how many seconds it fires earlier than before; negative: later."""
        return self.before.fired - self.after.fired


@dataclass(frozen=True, slots=True)
class BacktestComparison:
    """Two configurations over the same history: ``before`` is that of ``ref``, ``after`` the present one."""

    ref: str
    after: BacktestReport
    before: BacktestReport | None = None
    """``None`` where there is nothing to compare with: ``reason`` says why."""
    reason: str = ""
    rules: tuple[RuleChange, ...] = ()
    incidents: tuple[IncidentChange, ...] = ()
    only_before: tuple[ScoredAlert, ...] = ()
    only_after: tuple[ScoredAlert, ...] = ()
    shifts: tuple[AlertShift, ...] = ()
