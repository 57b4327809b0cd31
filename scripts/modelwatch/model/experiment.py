"""A/B experiments: what the configuration says of one, and what was found in its data.

``config/experiments.py`` documents each key; here is what it does not say. Lengths of time are in seconds, times
seconds since the epoch (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .keys import escape_label
from .rule import Direction

AUTO_LAG = -1.0
"""The lag is measured: the age at which cohorts have 95 % of the outcomes that come."""


class MissingOutcome(StrEnum):
    """What it means that a prediction has no row among the outcomes."""

    UNKNOWN = "unknown"
    ZERO = "zero"


class RepeatedOutcome(StrEnum):
    """What several rows with the id of one prediction are."""

    LAST = "last"
    """The same outcome, corrected: the later one counts."""
    ADD = "add"
    """Several outcomes, such as purchases: all count."""


@dataclass(frozen=True, slots=True)
class BusinessOutcomesSpec:
    """A table with what predictions brought. Exactly one of ``files``, ``artifact`` and ``query`` is set."""

    id: str
    files: str = ""
    artifact: str = ""
    query: str = ""
    time: str = ""
    """When the outcome was known; empty: with its prediction."""
    missing: MissingOutcome = MissingOutcome.UNKNOWN
    repeated: RepeatedOutcome = RepeatedOutcome.LAST


@dataclass(frozen=True, slots=True)
class CohortsSpec:
    """The value of predictions by cohort and age."""

    value: str
    window: float = 7 * 86400.0
    """The predictions of so long are one cohort."""


class MetricForm(StrEnum):
    """How the rows of a unit become its value."""

    SUM = "sum"
    SHARE = "share"
    """Whether any of its predictions brought something."""
    MEAN = "mean"
    """Of all predictions of an arm: the sum of values over their number."""


@dataclass(frozen=True, slots=True)
class ExperimentMetric:
    name: str
    value: str
    form: MetricForm = MetricForm.SUM
    per: str = ""
    """A column: the metric is the sum of values over the sum of this."""
    better: Direction = Direction.HIGHER
    cap: float | None = None
    """A unit counts at most so much."""
    margin: float = 0.0
    """Of a guardrail: how much worse it may be, as a share of the control's value."""

    @property
    def is_ratio(self) -> bool:
        return bool(self.per) or self.form is MetricForm.MEAN


@dataclass(frozen=True, slots=True)
class ExperimentSpec:
    name: str
    start: float
    arm: str
    arms: tuple[tuple[str, float], ...]
    """Names and weights; their shares are these over their sum."""
    control: str
    metrics: tuple[ExperimentMetric, ...]
    """The first decides."""
    guardrails: tuple[ExperimentMetric, ...] = ()
    until: float | None = None
    unit: str = ""
    """Empty: each prediction is a unit."""
    follow_up: float = AUTO_LAG
    """For how long each unit is followed; ``AUTO_LAG``: for the lag of the outcomes."""
    covariates: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    alpha: float = 0.05
    units: int = 10_000
    """For which intervals are the narrowest."""

    @property
    def shares(self) -> tuple[float, ...]:
        total = sum(weight for _, weight in self.arms)
        return tuple(weight / total for _, weight in self.arms)

    @property
    def arm_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.arms)

    @property
    def treatments(self) -> tuple[str, ...]:
        return tuple(name for name in self.arm_names if name != self.control)


class GuardrailState(StrEnum):
    PASSED = "passed"
    """It is proven not to be worse than its margin allows."""
    OPEN = "open"
    BREACHED = "breached"
    """It is proven to be worse."""


class ExperimentDecision(StrEnum):
    SHIP = "ship"
    STOP = "stop"
    GO_ON = "go on"


class DecisionReason(StrEnum):
    """Why. The first ones are about the whole experiment, the others about an arm."""

    SAMPLE_RATIO = "sample-ratio"
    """Units were not shared out as planned."""
    ATTRITION = "attrition"
    """Outcomes are missing more often in one arm."""
    MIXED = "mixed"
    """Too many units were in several arms."""
    TOO_EARLY = "too-early"
    """There is no interval yet."""
    BETTER = "better"
    BETTER_UNGUARDED = "better-unguarded"
    """The metric is better, and some guardrail is not proven yet."""
    WORSE = "worse"
    GUARDRAIL = "guardrail"
    """A guardrail is breached."""
    UNDECIDED = "undecided"
    ENDED = "ended"
    """Nothing is decided, and all units that count were followed."""


@dataclass(frozen=True, slots=True)
class ArmVerdict:
    arm: str
    decision: ExperimentDecision
    reason: DecisionReason


@dataclass(frozen=True, slots=True)
class ArmCounts:
    name: str
    share: float
    """Planned."""
    entered: int
    followed: int
    """Units whose follow-up is over."""
    analysed: int
    """Those of them that have a value of the first metric."""


EFFECT_PARTS = ("difference", "low", "high", "lift")
"""The fields of an effect that are published, under their names."""


@dataclass(frozen=True, slots=True)
class MetricEffect:
    """One metric in one arm against the control, at one look. ``None``: not known (yet)."""

    metric: str
    arm: str
    control: float | None = None
    treatment: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    lift: float | None = None
    """The difference as a share of the control's value."""
    lift_low: float | None = None
    lift_high: float | None = None
    reduction: float = 0.0
    """The share of the variance that covariates took off."""


@dataclass(frozen=True, slots=True)
class GuardrailEffect:
    effect: MetricEffect
    margin: float
    worst: float | None
    """The most that it is worse, as a share of the control's value: the always-valid bound."""
    state: GuardrailState


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """The first metric in one segment."""

    column: str
    value: str
    units: int
    effect: MetricEffect
    is_harmed: bool
    """Worse beyond chance, corrected for all segments and arms."""


@dataclass(frozen=True, slots=True)
class ExperimentLook:
    """What was known at one time."""

    time: float
    units: int
    srm_p: float
    effects: tuple[MetricEffect, ...]
    guardrails: tuple[GuardrailEffect, ...]


@dataclass(frozen=True, slots=True)
class RequiredUnits:
    """Of the first metric: how long it takes."""

    units: int
    """Analysed so far."""
    daily: float
    """That come in a day."""
    minimal_effect: float
    """The smallest difference that those of today find with a probability of 80 %."""
    days_for_half: float | None
    """How many more days until half of that is found as well; ``None``: beyond ten years."""


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    spec: ExperimentSpec
    as_of: float
    follow_up: float
    arms: tuple[ArmCounts, ...]
    mixed_units: int
    """Units that were in several arms: they are left out."""
    srm_p: float
    attrition_p: float
    """The same test of the units that have a value: whether outcomes are missing more often in one arm."""
    looks: tuple[ExperimentLook, ...]
    """One a day, oldest first; at least one."""
    segments: tuple[SegmentEffect, ...]
    required: RequiredUnits | None
    decision: ExperimentDecision = ExperimentDecision.GO_ON
    reason: DecisionReason = DecisionReason.TOO_EARLY
    verdicts: tuple[ArmVerdict, ...] = ()
    """One for each treatment."""
    chosen: str = ""
    """The arm to ship."""
    notes: tuple[str, ...] = ()

    @property
    def newest(self) -> ExperimentLook:
        return self.looks[-1]


@dataclass(frozen=True, slots=True)
class PlannedEffect:
    """How long it takes to find an effect with a probability of 80 %, at most. ``None``: never."""

    lift: float
    difference: float
    units: int | None
    """In all arms."""
    days: float | None
    """With the follow-up of the last unit."""


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """What an experiment that has not begun can find, by the first metric of the last weeks."""

    spec: ExperimentSpec
    as_of: float
    follow_up: float
    value: float
    daily: float
    """Units with a value in a day."""
    reduction: float
    """The share of the variance that covariates take off."""
    effects: tuple[PlannedEffect, ...]


@dataclass(frozen=True, slots=True)
class CohortCurve:
    """One cohort: the value of a prediction, on average, by age."""

    begin: float
    end: float
    predictions: int
    ages: tuple[float, ...]
    values: tuple[float, ...]
    is_mature: bool
    as_usual: float | None
    """Of a young one: its newest value over that of mature cohorts at the same age."""

    @property
    def end_of_ages(self) -> float:
        """The age until which its value is known; 0 where it is at none."""
        return self.ages[-1] if self.ages else 0.0

    def value_at(self, age: float) -> float:
        """At an age (seconds) that was reached: between two ages that are known on a straight line."""
        place = next(place for place, known in enumerate(self.ages) if known >= age)
        before, value = (self.ages[place - 1], self.values[place - 1]) if place else (0.0, 0.0)
        return value + (self.values[place] - value) * (age - before) / (self.ages[place] - before)


@dataclass(frozen=True, slots=True)
class CohortValues:
    value: str
    lag: float
    is_lag_stated: bool
    curves: tuple[CohortCurve, ...]
    """Oldest first."""
    total: float | None
    """The value of mature cohorts in all; ``None`` where none is mature."""
    predictions: int
    """Of mature cohorts."""
    notes: tuple[str, ...] = ()


def experiment_key(experiment: str, *parts: str) -> str:
    """The W&B key of a figure of an experiment."""
    return "/".join(("experiment", escape_label(experiment), *(escape_label(part) for part in parts)))


def cohort_key(value: str, *parts: str) -> str:
    """The W&B key of a figure of cohorts; ``value``: their column. Parts are not escaped."""
    return "/".join(("cohorts", escape_label(value), *parts))


def published_keys(experiments: tuple[ExperimentSpec, ...], cohorts: CohortsSpec | None) -> tuple[str, ...]:
    """The W&B keys of all figures, as patterns: what pages show although no rule reads it."""
    keys = []
    for spec in experiments:
        keys += [experiment_key(spec.name, part) for part in ("units", "srm_p", "guardrails_breached")]
        for arm in spec.treatments:
            for metric in (*spec.metrics, *spec.guardrails):
                parts = [*EFFECT_PARTS, *(("worst",) if metric in spec.guardrails else ())]
                keys += [experiment_key(spec.name, arm, metric.name, part) for part in parts]
    if cohorts is not None:
        keys += [cohort_key(cohorts.value, part) for part in ("mature", "as_usual", "day=*/value")]
    return tuple(keys)
