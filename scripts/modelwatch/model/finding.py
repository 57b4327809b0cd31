"""Findings: one rule on one series at one time. Always emitted; kept in columns (a Track), seen as rows (a Finding)."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from .control_chart import ChartSignal
from .drift import FeatureDrift
from .rule import STATIC_LIMITS, LimitKind, Rule
from .sensitivity import SeriesNoise
from .series import Labels, doubles
from .severity import CodedEnum, DescribedEnum, Severity


class Outcome(CodedEnum):
    OK = "ok"
    BREACH = "breach"
    UNDECIDED = "undecided"
    """Neither advances nor resets anything."""
    NO_DATA = "no_data"


class Cause(DescribedEnum):
    """Why a finding is undecided or has no data, why its value is implausible, or why its source cannot be read."""

    NONE = "none", ""
    NO_POINTS = "no-points", "no points in the window"
    NO_DATA_YET = "no-data-yet", "no data yet (nothing in the history that is read)"
    NOTHING_WATCHED = "nothing-watched", "no point in the days that are watched, only older ones"
    TOO_FEW_POINTS = "too-few-points", "too few points in the window"
    TOO_SMALL_COUNT = "too-small-count", "the count in the window is too small"
    NOT_CLEARED = "not-cleared", "a limit is passed, but the interval does not clear the baseline"
    NO_BASELINE = "no-baseline", "no baseline to compare with"
    ZERO_BASELINE = (
        "zero-baseline",
        "the baseline is 0, of which there is no share; write `rise_points` or `above` for `rise`, or both",
    )
    NEW_SEGMENT = "new-segment", "the segment is new"
    NOT_A_PROPORTION = (
        "not-a-proportion",
        "values outside [0, 1] have no Wilson interval; set `interval: normal` on the rule",
    )
    ONLY_BAD_VALUES = "only-bad-values", "every value in the window is NaN, infinite or beyond 1e100"
    TOO_FEW_FEATURES = (
        "too-few-features",
        "no feature could be judged: too few values, nothing to compare with, or no importance",
    )
    UNKNOWN_DAY = "unknown-day", "a day of the calendar with too few earlier ones to know what it does"
    UNKNOWN_COUNT = "unknown-count", "the count is not logged with any point in the window"
    TOO_YOUNG = "too-young", "the series is too short to know what is usual"
    OVERDUE = "overdue", "no new point for more than twice the usual time between two"
    CONSTANT = "constant", "the same value for hours, which it never had for so long before"
    PERFECT = "perfect", "exactly perfect for hours, which it was not before"
    TOO_GOOD = "too-good", "four times nearer to perfect than usual, and better than ever, for half a day"
    MOVED_BASELINE = "moved-baseline", "today's baseline lies within the incident: compared with that of its beginning"
    UNKNOWN_SOURCE = "unknown-source", "the configuration names a source that is not there"
    TECHNICAL_FINE = "technical-fine", "got worse, and no technical metric did"
    TECHNICAL_BETTER = "technical-better", "got worse while a technical metric got better"


@dataclass(frozen=True, slots=True)
class Grid:
    """Evaluation times ``start + i * step`` for i in 0..count-1; seconds, UTC, multiples of ``step``."""

    start: float
    step: float
    count: int

    def time(self, index: int) -> float:
        return self.start + index * self.step

    @property
    def last(self) -> float:
        return self.time(self.count - 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of a track."""

    model: str
    rule: str
    kind: str
    labels: Labels
    time: float
    outcome: Outcome
    severity: Severity | None
    """The tier that is reached; ``None`` unless the outcome is BREACH."""
    value: float | None
    baseline: float | None
    low: float | None
    high: float | None
    """95 % interval of ``value``."""
    change: float | None
    """(value - baseline) / |baseline|; ``None`` without a baseline or where it is 0."""
    n: float | None
    """Count in the window."""
    points: int
    version: str
    improved: bool
    clear: bool
    """Decided, and beyond ``recover``: counts towards falling."""
    cause: Cause = Cause.NONE
    signal: ChartSignal = ChartSignal.NONE
    """Of the control chart that reached the tier."""
    past: float | None = None
    """Of rules with ``anomaly``: the length of the history (seconds) that the value is compared with."""

    @property
    def reason(self) -> str:
        return self.cause.text


def is_within_limits(finding: Finding, rule: Rule) -> bool:
    """Whether the value, as it stands, passes no limit of ``rule``. It proves nothing. Never of a rule without limits,
    or with one that is about spread."""
    limits = [limit for tier in rule.tiers_for(finding.version) for limit in tier.limits]
    if finding.value is None or not limits or any(limit.form is LimitKind.SIGMA for limit in limits):
        return False
    if finding.baseline is None and any(limit.form not in STATIC_LIMITS for limit in limits):
        return False
    return not any(limit.is_passed(finding.value, finding.baseline or 0.0) for limit in limits)


def is_beyond_limits(finding: Finding, rule: Rule) -> bool:
    """Whether the value, as it stands, passes a limit of ``rule``, proved or not; never one that is about spread."""
    limits = [limit for tier in rule.tiers_for(finding.version) for limit in tier.limits]
    known = [limit for limit in limits if finding.baseline is not None or limit.form in STATIC_LIMITS]
    return finding.value is not None and any(limit.is_passed(finding.value, finding.baseline or 0.0) for limit in known)


@dataclass(frozen=True, slots=True)
class ChangeEstimate:
    """How much has changed since the moment that speaks most for a change; no window has to fill up first."""

    since: float
    change: float
    """Mean of (value - expected) / |baseline|."""
    low: float
    high: float
    """95 % interval of ``change``."""


@dataclass(frozen=True, slots=True)
class AnchorPeriod:
    """The healthy weeks with which a window is compared instead of a rolling baseline (seconds, UTC)."""

    since: float
    until: float
    version: str = ""


@dataclass(frozen=True, slots=True)
class GradualChange:
    """A change that has come day by day, not at once."""

    since: float
    """The day on which it began (seconds, UTC)."""
    a_day: float
    """Median change a day, in the metric's unit."""
    is_share: bool = False
    """Whether the metric is a share: then a hundredth is a point."""
    is_older: bool = False
    """Whether it was under way when the history that is read began."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """All findings of one rule on one series over the grid. Every column has ``grid.count`` rows."""

    model: str
    rule: Rule
    labels: Labels
    grid: Grid
    outcome: array[int]
    """Typecode b: ``Outcome.code``."""
    severity: array[int]
    """Typecode b: ``Severity.code`` reached, -1 for none."""
    clear: array[int]
    """Typecode b, 0 or 1."""
    improved: array[int]
    """Typecode b, 0 or 1."""
    cause: array[int]
    """Typecode b: ``Cause.code``."""
    value: array[float]
    """Typecode d; NaN where there is none, here and below."""
    baseline: array[float]
    low: array[float]
    high: array[float]
    n: array[float]
    points: array[int]
    """Typecode i."""
    version: array[int]
    """Typecode i: index into ``versions``, -1 for unknown."""
    versions: tuple[str, ...] = ()
    bad_points: int = 0
    """Points left out for a value that is NaN, infinite or beyond 1e100."""
    late_points: int = 0
    """Points left out because they lie more than 5 min in the future."""
    baseline_n: array[float] = field(default_factory=doubles)
    """Count behind the baseline; no rows at all: unknown throughout."""
    fresh: array[int] = field(default_factory=lambda: array("b"))
    """Typecode b: 1 where the window holds points that the finding before did not know; looking again at the same
    points counts for nothing. No rows at all: 1 throughout."""
    overdue: array[int] = field(default_factory=lambda: array("b"))
    """Typecode b: 1 where the newest point is older than the series' own cadence allows (``cadence.overdue_after``). No
    rows at all: too few points to know a cadence."""
    implausible: array[int] = field(default_factory=lambda: array("b"))
    """Typecode b: ``Cause.code`` of why the series' own past makes the newest value implausible. No rows: none."""
    drifted: tuple[FeatureDrift, ...] = ()
    """Of rules about drift judged by histograms: the feature against its references, in the newest window that has a
    value; of a rule across features those that drifted, worst first."""
    signal: array[int] = field(default_factory=lambda: array("b"))
    """Typecode b: ``ChartSignal.code``; no rows at all: no charts."""
    features: int = 0
    """Of a rule across features: how many could be judged in that window."""
    estimate: ChangeEstimate | None = None
    """Of a tier that holds at the end, where it was decided by a detector."""
    anchor: AnchorPeriod | None = None
    """What the newest finding is compared with, where that is not the rule's rolling baseline."""
    gradual: GradualChange | None = None
    """How the metric got worse, where a tier holds at the end and it was not at once."""
    noise: SeriesNoise | None = None
    """Where limits are decided by detectors: what they work with."""
    level_noise: SeriesNoise | None = None
    """The same of static limits and quantiles, which need no baseline: at the level of the newest week."""
    budget_share: float = 1.0
    """How many series share the rule's budget of false alarms, each as much as this one."""
    past_since: float | None = None
    """Of rules with ``anomaly``: when the history began (seconds, UTC) that values are compared with."""

    def is_fresh(self, index: int) -> bool:
        return not self.fresh or bool(self.fresh[index])

    def finding(self, index: int) -> Finding:
        """Row ``index``; negative counts from the end. Raises ``IndexError`` beyond the grid."""
        if not -self.grid.count <= index < self.grid.count:
            raise IndexError(f"row {index} of {self.grid.count}")
        if index < 0:
            index += self.grid.count
        outcome = Outcome.from_code(self.outcome[index])
        reached = self.severity[index]
        value, baseline = _none_if_nan(self.value[index]), _none_if_nan(self.baseline[index])
        change = (value - baseline) / abs(baseline) if value is not None and baseline else None
        version = self.version[index]
        return Finding(
            model=self.model,
            rule=self.rule.name,
            kind=self.rule.kind,
            labels=self.labels,
            time=self.grid.time(index),
            outcome=outcome,
            severity=Severity.from_code(reached) if reached >= 0 else None,
            value=value,
            baseline=baseline,
            low=_none_if_nan(self.low[index]),
            high=_none_if_nan(self.high[index]),
            change=change,
            n=_none_if_nan(self.n[index]),
            points=self.points[index],
            version=self.versions[version] if version >= 0 else "",
            improved=bool(self.improved[index]),
            clear=bool(self.clear[index]),
            cause=Cause.from_code(self.cause[index]),
            signal=ChartSignal.from_code(self.signal[index]) if self.signal else ChartSignal.NONE,
            past=None if self.past_since is None else max(0.0, self.grid.time(index) - self.past_since),
        )


@dataclass(frozen=True, slots=True)
class ModelFindings:
    """Everything that the rules of one model found: of each rule the whole first, then its segments by labels."""

    tracks: tuple[Track, ...]
    notes: tuple[str, ...] = ()
    """What readers should know, such as how many segments were left out."""

    def by_rule(self) -> dict[str, list[Track]]:
        """The tracks of each rule that has some."""
        tracks: dict[str, list[Track]] = {}
        for track in self.tracks:
            tracks.setdefault(track.rule.name, []).append(track)
        return tracks


def _none_if_nan(value: float) -> float | None:
    return None if value != value else value
