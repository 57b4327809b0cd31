"""Alerts: lasting breaches, and the groups in which they travel as one issue and one incident."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from .calibration import CalibrationChange
from .cause import SharedCause
from .drift import FeatureDrift
from .explanation import Explanation
from .finding import AnchorPeriod, Cause, ChangeEstimate, Finding, GradualChange
from .money import MoneyImpact
from .release import Move
from .rule import Limit
from .sensitivity import Sensitivity
from .series import FailureScope, Labels, StartOrigin
from .severity import Severity
from .version_health import RollbackCandidate, VersionHealth

MONITORING_SILENT, SUDDEN_IMPROVEMENT, SEGMENT_GONE = "monitoring-silent", "sudden-improvement", "segment-gone"
IMPLAUSIBLE_METRIC, SOURCE_OUTAGE = "implausible-metric", "source-outage"
BUSINESS_DIVERGENCE, WATCHDOG_SILENT = "business-divergence", "watchdog-silent"
"""Names of the rules that modelwatch adds to the configured ones."""
ROLLBACK_FAILED, RETRAINING_FAILED = "rollback-failed", "retraining-failed"
CANARY_FAILED, FREQUENT_ROLLBACKS = "canary-failed", "frequent-rollbacks"
"""The same, from the moves of a release."""
WATCHDOG = "watchdog"
"""The rule that always fires: its delivery is the heartbeat, so people are never told of it."""
DELIVERY_FAILED = "delivery-failed"
"""The kind of what could not be delivered, which no rule finds: see ``targets/delivery.py``."""
RELEASE_RULES = (ROLLBACK_FAILED, RETRAINING_FAILED, CANARY_FAILED, FREQUENT_ROLLBACKS)
BUILT_IN_RULES = frozenset(
    {
        *(MONITORING_SILENT, SUDDEN_IMPROVEMENT, SEGMENT_GONE, IMPLAUSIBLE_METRIC, SOURCE_OUTAGE, BUSINESS_DIVERGENCE),
        WATCHDOG_SILENT,
        *RELEASE_RULES,
    }
)


MAX_KNOWN_KEYS = 4096
"""Groups and alerts whose identities are not computed again."""


@lru_cache(MAX_KNOWN_KEYS)
def group_key(model: str, rule: str) -> str:
    """Identity of a group: the PagerDuty ``dedup_key`` and the issue's marker. 16 hex characters."""
    return _hash("group", model, rule)


@lru_cache(MAX_KNOWN_KEYS)
def fingerprint(model: str, rule: str, labels: Labels) -> str:
    """Identity of one alert: never value, severity or time. 16 hex characters."""
    return _hash("alert", model, rule, *(part for pair in labels for part in pair))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


class AlertState(StrEnum):
    QUIET = "quiet"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class SeverityChange:
    """The severity that holds from ``time`` on; ``None``: none any more."""

    time: float
    severity: Severity | None


@dataclass(frozen=True, slots=True)
class Mute:
    """Why an alert sends no message and no dispatch."""

    by: str
    """``silence``, ``inhibition``, ``ack`` (an acknowledgement), or ``hours``: a page waits for working hours."""
    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One lasting breach on one series."""

    model: str
    rule: str
    kind: str
    labels: Labels
    state: AlertState
    severity: Severity
    """The tier that holds (pending: that is reached; resolved: that held last)."""
    peak: Severity
    """The worst tier that has held since ``start``."""
    start: float
    """Time of the first finding of the breach (seconds, UTC)."""
    fired: float | None
    end: float | None
    steps: tuple[SeverityChange, ...]
    finding: Finding
    """The newest decided finding."""
    worst: Finding
    """The finding with the largest change since ``start``."""
    mutes: tuple[Mute, ...] = ()
    gone: bool = False
    """The series has been absent for three windows."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.model, self.rule, self.labels)


@dataclass(frozen=True, slots=True)
class NewestLevel:
    """How a series with a rolling baseline looks now."""

    labels: Labels
    value: float
    """The mean of the values of the newest day (or of the newest window, where that is longer)."""
    baseline: float | None
    """Of the newest finding."""


@dataclass(frozen=True, slots=True)
class HealthyStreak:
    """Proof of health of one series of a rule: its unbroken run of newest decided findings beyond ``recover``."""

    fingerprint: str
    times: tuple[float, ...]
    """Newest first, at most twice the rule's ``hold``. Empty: the newest decided finding is not clear."""
    newest_value: float | None = None
    """Of the newest finding."""
    apart: float = 0.0
    """Seconds that two of ``times`` are apart at least, where windows prove recovery: they share no data."""
    newest_level: NewestLevel | None = None
    """Of a series with a rolling baseline that has values in the newest day."""


@dataclass(frozen=True, slots=True)
class TrendPoint:
    time: float
    value: float | None
    baseline: float | None


@dataclass(frozen=True, slots=True)
class DataSpan:
    """The data to retrain on: rows with labels since the version in production was deployed."""

    since: float
    until: float
    points: int
    n: float | None
    """Sum of the counts, where they are logged."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A workflow that nobody can start now by a comment on the issue."""

    verb: str
    guard: str
    """The name of the guard that refuses it."""
    reason: str


@dataclass(frozen=True, slots=True)
class UnconfirmedTier:
    """A tier that a window passes, but that is not proved, or not for long enough."""

    severity: Severity
    limit: Limit


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the people who handle an alert need to know beside it."""

    trend: tuple[TrendPoint, ...] = ()
    """The series of the worst alert, oldest first, at most 60 points."""
    segments: tuple[Finding, ...] = ()
    """Segments, worst first, at most 10."""
    segments_seen: int = 0
    version: str = ""
    version_since: float | None = None
    """When it began to serve; by ``version_origin`` a move, its first point, or before that time."""
    version_origin: StartOrigin = StartOrigin.POINT
    previous: tuple[str, ...] = ()
    """Earlier versions, newest first, that were healthy under this rule while they served."""
    data: DataSpan | None = None
    links: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    why: Explanation | None = None
    sensitivity: Sensitivity | None = None
    """What the rule can see on the series of the worst alert."""
    drifted: tuple[FeatureDrift, ...] = ()
    """Of a rule about drift: features against their references, worst first, at most 10."""
    features: int = 0
    """Of a rule across features: how many were judged."""
    estimate: ChangeEstimate | None = None
    """Of the series of the worst alert."""
    health: tuple[VersionHealth, ...] = ()
    """The record of each version that served in the history, newest service first."""
    rollback: tuple[RollbackCandidate, ...] = ()
    """The versions that could be rolled back to, as the plan ranks them."""
    anchor: AnchorPeriod | None = None
    """What the worst alert's newest finding is compared with, where that is not the rule's own baseline."""
    unconfirmed: UnconfirmedTier | None = None
    """Of the worst alert, while it fires: the most severe tier that its newest window passes and that does not hold."""
    gradual: GradualChange | None = None
    """How it came about, where it came day by day and no worse alert of the group came at once."""
    affected: DataSpan | None = None
    """The points of the worst alert's series since it began, where their rows are counted."""
    move: Move | None = None
    """The newest move of the release since it began that should fix it."""
    refusals: tuple[Refusal, ...] = ()
    """Workflows that the issue could offer, but must not."""
    calibration: CalibrationChange | None = None
    """Of a rule about scores: whether the model is less confident, or worse."""
    held: float | None = None
    """How much (seconds) of its window the worst alert's newest value comes from, where that is not all of it: the
    version or the series is younger."""
    money: MoneyImpact | None = None
    """What the change is worth, where the model has a ``business:`` section."""

    @property
    def is_gradual(self) -> bool:
        """Whether the change came day by day, and not at once."""
        return self.gradual is not None


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of one rule of one model, which share one issue and one incident."""

    model: str
    rule: str
    kind: str
    state: AlertState
    severity: Severity | None
    """The worst tier that holds; ``None`` while quiet."""
    start: float | None
    """The earliest start among the firing alerts (or of the newest resolved one)."""
    end: float | None
    alerts: tuple[Alert, ...]
    """Firing first, worst first; then pending; then resolved ones of the last 24 h."""
    clear: tuple[HealthyStreak, ...]
    """For every series of the rule."""
    hold: int
    """How many clear findings prove recovery."""
    newest: float
    """The last evaluation time (seconds, UTC)."""
    config: str
    """The rule's digest."""
    do: tuple[str, ...] = ()
    """The actions of the tier that holds."""
    mutes: tuple[Mute, ...] = ()
    """Set where every firing alert is muted."""
    evidence: Evidence = Evidence()
    runbook: str = ""
    limits: tuple[Limit, ...] = ()
    """The limits of the tier that holds."""
    latest: Finding | None = None
    """The newest finding of the whole (or of the first series where there is no whole), decided or not."""
    unit: str = ""
    """How its values read, see ``unit``; empty: as plain numbers, or of different rules."""

    @property
    def outlasts_history(self) -> bool:
        """Whether it fires by the baseline of when it began, since today's lies within the incident."""
        return any(alert.finding.cause is Cause.MOVED_BASELINE for alert in self.alerts)

    @property
    def built_in(self) -> bool:
        """Raised by modelwatch itself; each alert's label ``rule`` names the configured rule that it is about."""
        return self.rule in BUILT_IN_RULES

    @property
    def key(self) -> str:
        return group_key(self.model, self.rule)


@dataclass(frozen=True, slots=True)
class SourceFailure:
    model: str
    error: str
    scope: FailureScope = FailureScope.EVALUATOR


FORMAT = 1
"""Version of alerts.json, plan.json and receipts.json."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result of one evaluation: the content of ``alerts.json``."""

    at: float
    """``now`` of the evaluation (seconds, UTC)."""
    config: str
    """Digest of the whole configuration."""
    groups: tuple[Group, ...]
    failures: tuple[SourceFailure, ...] = ()
    notes: tuple[str, ...] = ()
    causes: tuple[SharedCause, ...] = ()
    """Causes that several of the groups share."""
    watchdog: Group | None = None
    """The group of the rule that always fires, where a heartbeat is configured. It is not among ``groups``: nothing
    counts it, and no person sees it."""
    format: int = FORMAT

    @property
    def firing(self) -> tuple[Group, ...]:
        return tuple(group for group in self.groups if group.state is AlertState.FIRING)

    @property
    def worst_severity(self) -> Severity | None:
        """The worst of the groups that fire; ``None`` where none does."""
        return max((group.severity for group in self.firing if group.severity is not None), default=None)
