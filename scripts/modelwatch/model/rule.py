"""Rules: what is checked of a metric, against what, and the actions of each tier."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ..timeutil import DAY, HOUR, WEEK
from .calendar import CalendarSpec
from .control_chart import ChartData, ControlChart
from .keys import KeyPattern
from .series import Labels
from .severity import Severity


class Direction(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


class Aggregate(StrEnum):
    """How the points of a window become one number; MEAN and RATIO weigh by the count where there is one."""

    MEAN = "mean"
    SUM = "sum"
    LAST = "last"
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    RATIO = "ratio"
    """Sum of the metric over sum of ``Rule.denominator``."""


class Interval(StrEnum):
    """How sure a window's value is (95 %)."""

    WILSON = "wilson"
    """A proportion of ``weight`` trials; needs values in [0, 1]. (Wilson 1927.)"""
    AUC = "auc"
    """An area under the ROC curve; ``weight`` counts the rows of the rarer class. It is as sure as a proportion of so
    many trials, at the least. (Birnbaum and Klose 1957; Hoeffding 1963, 5a.)"""
    NORMAL = "normal"
    """Mean +- z standard errors, from the spread of the window's points."""
    NONE = "none"


PROPORTION_INTERVALS = frozenset((Interval.WILSON, Interval.AUC))
"""Of values in [0, 1], by the count behind them."""


class SamplingModel(StrEnum):
    """How the points of a series vary by chance, which says what is proven by each of them."""

    PROPORTION = "proportion"
    """Of trials that are counted: binomial."""
    MEAN = "mean"
    """By the spread of the points: Student's t."""
    COUNT = "count"
    """Sums over time, and ratios of sums: Poisson, times a dispersion."""
    QUANTILE = "quantile"
    """Each point lies beyond the quantile or not."""


class LimitKind(StrEnum):
    """How a limit is stated."""

    DROP = "drop"
    """Relative: worse by this share of the baseline, downwards."""
    RISE = "rise"
    DROP_POINTS = "drop_points"
    """Absolute: lower than the baseline by this much."""
    RISE_POINTS = "rise_points"
    ABOVE = "above"
    """Static: greater than this."""
    BELOW = "below"
    SIGMA = "sigma"
    """This many standard deviations of the baseline away, in the direction that is worse."""


FALL_LIMITS = frozenset((LimitKind.DROP, LimitKind.DROP_POINTS, LimitKind.BELOW))
"""Passed by falling: where they are stated higher is better."""
RISE_LIMITS = frozenset((LimitKind.RISE, LimitKind.RISE_POINTS, LimitKind.ABOVE))
STATIC_LIMITS = frozenset((LimitKind.ABOVE, LimitKind.BELOW))
"""They need no baseline."""
RELATIVE_LIMITS = frozenset((LimitKind.DROP, LimitKind.RISE))


@dataclass(frozen=True, slots=True)
class Limit:
    form: LimitKind
    value: float
    """As a fraction for ``drop`` and ``rise`` (2 % is 0.02), in the metric's unit for the others."""

    @property
    def static_boundary(self) -> float | None:
        """The value at which it is passed, where that needs no baseline."""
        return self.value if self.form in STATIC_LIMITS else None

    def boundary(self, baseline: float) -> float | None:
        """The value at which it is passed; ``None`` for ``sigma``, which is about spread."""
        if self.form is LimitKind.SIGMA:
            return None
        if self.form in STATIC_LIMITS:
            return self.value
        distance = abs(baseline) * self.value if self.form in RELATIVE_LIMITS else self.value
        return baseline - distance if self.form in FALL_LIMITS else baseline + distance

    def is_passed(self, value: float, baseline: float) -> bool:
        """Whether ``value`` lies beyond it, by chance or not; never of ``sigma``."""
        boundary = self.boundary(baseline)
        if boundary is None:
            return False
        if self.form in STATIC_LIMITS and value == boundary:
            return False
        return value <= boundary if self.form in FALL_LIMITS else value >= boundary


class FeatureAggregation(StrEnum):
    """How many features become one number."""

    SHARE = "share"
    """The share of them that drifted."""


MIN_HISTORY = 8
"""Points from which it is known how much more shares, sums and ratios vary than their counts say:
before that sums and ratios are not decided by a budget of false alarms, and shares carefully."""
MIN_MEANS = 3
"""The same of means, whose e-values have heavy tails."""
MEMORY_STEP = 4 * WEEK
"""The past of an anomaly rule begins at a multiple of this, so that it stays the same from one look to the next."""


@dataclass(frozen=True, slots=True)
class AnomalySpec:
    """How a rule finds what is unlike a metric's own past."""

    memory: float = 26 * WEEK
    """Seconds of history before the oldest evaluation."""


class Mode(StrEnum):
    OBSERVE = "observe"
    """Reported only."""
    PROPOSE = "propose"
    """Proposed on the issue; a person approves it."""
    ACT = "act"


@dataclass(frozen=True, slots=True)
class FalseAlarmBudget:
    """Mean time between false alarms (seconds), by what an alarm does."""

    warnings: float = 90 * DAY
    """Issues and retraining: a retraining has a cooldown and a budget of its own."""
    pages: float = 365 * DAY
    actions: float = 5 * 365 * DAY
    """Workflows that start without anybody's approval."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of severity: reached when any of its limits is passed, or its chart signals."""

    severity: Severity
    limits: tuple[Limit, ...]
    do: tuple[str, ...]
    """The whole list of this tier: ``issue``, ``page`` and names of workflows. Every ``do`` implies ``issue``."""
    for_: int | None = None
    """Overrides the rule's ``for_``."""
    derived: bool = False
    """True for the warning at 90 % of the way that exists where only a critical limit was given."""
    budget: float | None = None
    """Mean time (seconds) between false alarms, as the configuration states it for this tier."""
    false_alarms: float | None = None
    """The one in effect, which is a share of the rule's or the model's where none is stated; ``None``: each window is
    decided alone, at 95 %."""
    chart: ControlChart | None = None
    """Reaches the tier, too, point by point."""


class BaselineKind(StrEnum):
    NONE = "none"
    FILE = "file"
    ROLLING = "rolling"
    SEASONAL = "seasonal"
    VERSION = "version"
    CONSTANT = "constant"


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """A captured reference statistic of one series; ``sd`` is the spread of its points around ``value``."""

    name: str
    labels: Labels
    value: float
    n: float | None = None
    """Count behind the value (trials, rows); ``None`` where unknown: then the value is taken as exact."""
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    percentiles: tuple[tuple[str, float], ...] = ()
    """``("p50", 0.91)`` and so on, of the points."""
    points: int = 0
    version: str = ""
    source: str = ""
    """Where it came from: W&B run, period, table."""
    captured: float = 0.0
    """When (seconds, UTC)."""
    edges: tuple[float, ...] = ()
    """Of a feature that a drift rule looks at: ends of the bins of its histogram; ``value`` is then its mean (of
    categories how many there are)."""
    counts: tuple[float, ...] = ()
    model: str = ""
    """The model that it was captured for."""
    shared: bool = False
    """Captured with ``--force``: models that read something else may use it, too."""


@dataclass(frozen=True, slots=True)
class BaselineSpec:
    """What a rule compares with. Only the fields of its ``kind`` are used."""

    kind: BaselineKind = BaselineKind.NONE
    path: str = ""
    """FILE: as written in the config; ``entries`` is its content, read by ``config``."""
    entries: tuple[BaselineEntry, ...] = ()
    profile: str = ""
    """FILE: hash of the content, where the file is a profile (``baseline capture --from-table``) and not entries."""
    place: str = ""
    """FILE: where a profile is read from."""
    length: float = 28 * DAY
    """ROLLING: seconds of history; SEASONAL: how far back the same hour of the week is looked at."""
    version: str = "previous"
    """VERSION: a version's name, or ``previous``: the one deployed before the version in the window."""
    value: float = 0.0
    """CONSTANT."""
    n: float | None = None
    """CONSTANT: the count behind ``value``, where known."""
    anchor: bool = True
    """ROLLING: whether windows are compared with the version's first healthy weeks, too."""

    @property
    def is_yearly(self) -> bool:
        """SEASONAL: whether it compares with the same period of earlier years."""
        return self.kind is BaselineKind.SEASONAL and self.length >= YEAR


@dataclass(frozen=True, slots=True)
class VersionOverride:
    """Other tiers for one model version (the rule loosens or tightens for it)."""

    version: str
    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One configured check of one metric; ``config/rules.py`` documents each key. Times in seconds."""

    name: str
    kind: str
    """Names the runbook: ``accuracy-drop``, ``data-quality``, ``data-drift``, ``latency``, ..."""
    metric: KeyPattern
    tiers: tuple[Tier, ...]
    """From the mildest to the most severe."""
    better: Direction | None = None
    """``None`` where neither direction is the good one."""
    weight: str | None = None
    denominator: KeyPattern | None = None
    aggregate: Aggregate = Aggregate.MEAN
    interval: Interval = Interval.NONE
    """WILSON by default where a weight is given."""
    window: float = DAY
    every: float = HOUR
    lag: float = 0.0
    for_: int = 1
    hold: int = 2
    recover: Limit | None = None
    baseline: BaselineSpec = field(default_factory=BaselineSpec)
    also: tuple[BaselineSpec, ...] = ()
    """Drift: further references; each feature is compared with the one from which it is furthest."""
    budget: FalseAlarmBudget | None = None
    """Its own, instead of a share of the model's."""
    false_alarms: float | None = None
    """Drift: how often chance alone may pass, per window; ``None``: 1 %."""
    across: FeatureAggregation | None = None
    """Drift: judged is one number for all features; ``None``: each feature."""
    importances: tuple[tuple[str, float], ...] = ()
    """Drift, ``across``: what features weigh, by name; the others weigh nothing. Empty: all have the same weight."""
    anomaly: AnomalySpec | None = None
    """Tiers are reached by points unlike the metric's own past, as seldom as each tier's budget says: no limits."""
    segments: tuple[KeyPattern, ...] = ()
    min_points: int = 1
    min_weight: float = 0.0
    overrides: tuple[VersionOverride, ...] = ()
    improvement: float | None = None
    """Better than the baseline by this fraction is a finding of its own; ``None``: as far as the severest tier."""
    runbook: str = ""
    links: tuple[tuple[str, str], ...] = ()
    """As those of the model, which follow after them."""
    unit: str = ""
    """Of its values, as ``business: units`` states it or the expression of a derived metric has it (``EUR/order``);
    empty: by the metric's name."""
    optional: bool = False
    """Its series need not exist (no column is of that kind): then nothing is judged or reported."""
    where: str = ""
    """``file:line:column`` in the configuration."""
    timezone: str = ""
    """IANA name; hours and days are those of its clocks. Empty: the model's."""
    calendar: CalendarSpec | None = None
    """``None``: the model's."""
    digest: str = ""
    """Hash of everything here that decides; written to the register, so that a changed rule is noticed."""
    settings: str = ""
    """The same without what baseline and calendar files contain; empty where there are none."""
    label_age: float = 0.0
    """Seconds that its windows lie further back than by ``lag``, so that their labels have come; as measured, and set
    when it is evaluated."""

    @property
    def total_lag(self) -> float:
        """Seconds between the end of its newest window and the time of an evaluation."""
        return self.lag + self.label_age

    @property
    def sampling_model(self) -> SamplingModel | None:
        """How its points vary; ``None`` where nothing says how sure they are."""
        if self.aggregate in (Aggregate.P50, Aggregate.P95, Aggregate.P99):
            return SamplingModel.QUANTILE
        if self.interval in PROPORTION_INTERVALS:
            return SamplingModel.PROPORTION if self.aggregate is not Aggregate.SUM else SamplingModel.COUNT
        if self.aggregate in (Aggregate.SUM, Aggregate.RATIO):
            return SamplingModel.COUNT
        is_mean = self.aggregate is Aggregate.MEAN and self.interval is Interval.NORMAL
        return SamplingModel.MEAN if is_mean else None

    def can_prove(self, limit: Limit) -> bool:
        """Whether points can prove a limit passed. A share above 0, or a sum beyond a static limit, is a fact."""
        if limit.form not in STATIC_LIMITS:
            return self.sampling_model is not None and self.baseline.kind is not BaselineKind.NONE
        match self.sampling_model:
            case SamplingModel.PROPORTION:
                return 0 < limit.value < 1
            case SamplingModel.COUNT:
                return self.aggregate is Aggregate.RATIO and limit.value > 0
            case model:
                return model is not None

    @property
    def has_anchor(self) -> bool:
        """Whether windows are compared with the version's first healthy weeks, too. Sums follow the traffic."""
        spec = self.baseline
        return spec.kind is BaselineKind.ROLLING and spec.anchor and self.aggregate is not Aggregate.SUM

    @property
    def has_steady_baseline(self) -> bool:
        """Whether neighbouring windows are compared with the same level, not each with that of its own time."""
        return self.baseline.kind is not BaselineKind.SEASONAL and self.calendar is None and self.anomaly is None

    @property
    def compares(self) -> bool:
        """Whether some tier compares with the baseline (by a limit or a control chart) or the past (`anomaly`)."""
        return self.anomaly is not None or any(
            tier.chart is not None or any(limit.form not in STATIC_LIMITS for limit in tier.limits)
            for tier in self.tiers
        )

    def tiers_for(self, version: str) -> tuple[Tier, ...]:
        for override in self.overrides:
            if override.version == version:
                return override.tiers
        return self.tiers

    def chart_data(self, chart: ControlChart) -> ChartData:
        """What the points of a chart are: as it says, else as the interval says."""
        return chart.data or (ChartData.LANEY_P if self.interval is Interval.WILSON else ChartData.INDIVIDUALS)


YEAR = 52 * WEEK
"""After it the same date has nearly come again, on the same weekday."""
LEVEL_LENGTH = 28 * DAY
"""History over which levels are compared with those of a year before."""


def yearly_reach(window: float) -> float:
    """Seconds of history before the windows of a year ago that a yearly baseline needs: the week before, the level."""
    return WEEK + rolling_gap(window) + LEVEL_LENGTH


def rolling_gap(window: float) -> float:
    """Seconds between the end of a rolling baseline and the window that is compared with it."""
    return max(window, WEEK)
