"""The rule that a drill takes, the tier that it aims at, and the values that the serving job will log."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from ..errors import UserError
from ..model.drift import drift_spec
from ..model.drill import Link
from ..model.keys import KeyPattern
from ..model.monitored_model import Model
from ..model.rule import (
    PROPORTION_INTERVALS,
    Aggregate,
    BaselineKind,
    Direction,
    Limit,
    LimitKind,
    Rule,
    Tier,
    rolling_gap,
)
from ..timeutil import WEEK
from .scenarios import Degradation, Scenario

ROWS = 10_000.0
"""Rows behind each point, so that chance explains nothing."""
SPREAD = 0.01
"""Of the values of a metric that is no proportion, relative."""
BEYOND = 1.5
"""How far past its limit the metric goes, in times the distance to it, where no severer tier is in the way."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What is logged of one metric: ``key`` is W&B's."""

    key: str
    healthy: float
    degraded: float
    spread: float
    """Standard deviation of the points."""
    count_key: str = ""
    """The key of the rows behind a point; empty for none."""
    is_total: bool = False
    """A ratio's points are sums, whose denominator is logged under ``count_key``."""
    is_histogram: bool = False


def find_rules(model: Model, scenario: Scenario) -> list[Rule]:
    """The rules that ``scenario`` can drill, those of the best kind first; any rule will do where it names none."""
    drifts = scenario.degradation is Degradation.DRIFTED
    rules = [rule for rule in model.rules if (drift_spec(rule.metric) is not None) == drifts and not rule.optional]
    if not scenario.kinds:
        return rules
    return [rule for kind in scenario.kinds for rule in rules if rule.kind == kind]


def choose_rule(model: Model, scenario: Scenario, severity: str = "") -> tuple[Rule, Tier]:
    """The rule that the scenario drills, and the tier it aims at: that of ``severity``, else the best. Raises UserError
    where the model has none."""
    rules = find_rules(model, scenario)
    if not rules:
        kinds = " or ".join(f"`{kind}`" for kind in scenario.kinds)
        raise UserError(
            f"{model.name} has no rule of kind {kinds}, which `{scenario.name}` needs."
            if kinds
            else f"{model.name} has no rule that can be drilled.",
            hint="`modelwatch drill --list` says what each scenario needs.",
            where=model.where,
        )
    need = scenario.needs
    able = [rule for rule in rules if not need or any(need in tier.do for tier in _tiers(rule, severity))]
    rule = (able or rules)[0]
    tiers = _tiers(rule, severity)
    if not tiers:
        hint = f"It has {', '.join(str(tier.severity) for tier in rule.tiers)}."
        raise UserError(f"`{rule.name}` has no tier {severity}.", hint=hint, where=rule.where)
    if not able:
        names = " or ".join(f"`{one.name}`" for one in rules)
        does = "pages" if need == "page" else "rolls back"
        hint = f"Add `{need}` to the `do` of a tier."
        raise UserError(f"no tier of {names} {does}, so there is nothing to drill.", hint=hint, where=rule.where)
    return rule, aim([tier for tier in tiers if not need or need in tier.do], scenario)


def _tiers(rule: Rule, severity: str) -> list[Tier]:
    return [tier for tier in rule.tiers if severity in ("", str(tier.severity))]


def missing_part(model: Model, scenario: Scenario, severity: str = "") -> str:
    """What the model lacks of what the scenario drills; empty for nothing."""
    try:
        choose_rule(model, scenario, severity)
    except UserError as error:
        return error.message
    return ""


def aim(tiers: Sequence[Tier], scenario: Scenario) -> Tier:
    """The tier with the most links of the chain (a page, a workflow that the scenario is about); of equals the
    severest."""

    def links(tier: Tier) -> int:
        return ("page" in tier.do) + any(is_wanted_verb(verb, scenario) for verb in tier.do)

    return max(tiers, key=lambda tier: (links(tier), tier.severity))


def find_companions(model: Model, rule: Rule, scenario: Scenario) -> tuple[tuple[Rule, Tier], ...]:
    """Of missing data the first rule that would retrain, and the tier that does: it must be refused."""
    if Link.DISPATCHED not in scenario.must_not or not scenario.kinds:
        return ()
    others = (one for one in model.rules if one is not rule and drift_spec(one.metric) is None)
    found = ((one, tier) for one in others for tier in one.tiers if "retrain" in tier.do)
    return tuple(islice(found, 1))


def is_wanted_verb(verb: str, scenario: Scenario) -> bool:
    """Whether the action is a workflow that the scenario should start."""
    if verb in ("issue", "page"):
        return False
    return verb in scenario.verbs if scenario.verbs else verb != "rollback"


def levels_of(rule: Rule, tier: Tier) -> Levels:
    """What makes ``tier`` hold, and no severer one."""
    key = rule.metric.text.replace("*", "drill")
    if spec := drift_spec(rule.metric):
        pattern = spec.patterns[0] if spec.patterns else KeyPattern(key)
        return Levels(pattern.text.replace("*", "drill"), 0.0, 1.0, 1.0, is_histogram=True)
    is_share = rule.interval in PROPORTION_INTERVALS
    healthy = _healthy_level(rule, tier, is_share=is_share)
    spread = math.sqrt(healthy * (1 - healthy) / ROWS) if is_share else abs(healthy) * SPREAD
    degraded = _degraded_level(rule, tier, healthy, spread)
    if is_share:
        degraded = min(max(degraded, 0.0), 1.0)
    is_total = rule.aggregate is Aggregate.RATIO and rule.denominator is not None
    count_key = rule.denominator.text if is_total and rule.denominator else (rule.weight or "")
    return Levels(key, healthy, degraded, spread, count_key, is_total)


def _healthy_level(rule: Rule, tier: Tier, *, is_share: bool) -> float:
    """Of the baseline where it has a value, else well within the limits."""
    spec = rule.baseline
    if spec.kind is BaselineKind.CONSTANT:
        return spec.value
    entry = next((one for one in spec.entries if one.name == rule.metric.name and not one.labels), None)
    if entry is not None:
        return entry.value
    mildest = rule.tiers[0] if rule.tiers else tier
    for limit in mildest.limits:
        if limit.form is LimitKind.ABOVE:
            return limit.value / 2
        if limit.form is LimitKind.BELOW:
            return (1 + limit.value) / 2 if is_share else limit.value * 1.5
    if is_share:
        return 0.02 if rule.better is Direction.LOWER else 0.9
    return 100.0


def _degraded_level(rule: Rule, tier: Tier, healthy: float, spread: float) -> float:
    limit = next(iter(tier.limits), None)
    if limit is None:  # a control chart, or unlike its past
        return healthy * (1.5 if rule.better is Direction.LOWER else 0.6)
    own = _boundary(limit, rule, healthy, spread)
    severer = [other for other in rule.tiers if other.severity > tier.severity and other.limits]
    following = (
        _boundary(severer[0].limits[0], rule, healthy, spread) if severer else healthy + BEYOND * (own - healthy)
    )
    return (own + following) / 2 if severer else following


def _boundary(limit: Limit, rule: Rule, healthy: float, spread: float) -> float:
    boundary = limit.boundary(healthy)
    if boundary is not None:
        return boundary
    sign = 1.0 if rule.better is Direction.LOWER else -1.0
    return healthy + sign * limit.value * spread


@dataclass(frozen=True, slots=True)
class Timeline:
    """When what happens, in event time: seconds, UTC, multiples of ``step``."""

    start: float
    """Of the healthy history."""
    degraded: float
    """After this time rows are bad."""
    alert: float
    """By then the alert has to fire: the promise."""
    recovered: float
    """By then it has to be over, if all is healthy after ``alert``."""
    step: float
    """Between two rows."""

    @property
    def detection(self) -> float:
        return self.alert - self.degraded

    @property
    def recovery(self) -> float:
        return self.recovered - self.alert


MAX_HEALTHY_ROWS = 800
"""Of the history before the degradation; older rows are further apart then."""
HEALTHY_WINDOWS = 24
"""Windows of history where the baseline needs none, and at least a week: then it is known how the metric varies."""
SILENT_WINDOWS = 3
"""After so many windows without a row, and one evaluation more, silence is an alert."""


def make_timeline(rule: Rule, scenario: Scenario, now: float) -> Timeline:
    """The times of a drill whose alert fires at ``now``, or at the evaluation before."""
    step = rule.every
    for_ = max([rule.for_, *(one.for_ or 0 for one in rule.tiers)])
    # A window has to fill with bad rows; then so many evaluations must agree, and one more can lie between.
    detection = rule.total_lag + rule.window + (for_ + 1) * step
    if scenario.degradation is Degradation.SILENT:
        detection += SILENT_WINDOWS * max(rule.window, step)
    # Healthy windows that share no data prove the recovery.
    recovery = rule.total_lag + (rule.hold + 1) * max(rule.window, step) + (rule.hold + 1) * step
    alert = now // step * step
    degraded = alert - math.ceil(detection / step) * step
    history = max(_baseline_reach(rule), HEALTHY_WINDOWS * max(rule.window, step), WEEK) + 2 * rule.window
    start = degraded - math.ceil(history / step) * step
    return Timeline(start, degraded, alert, alert + math.ceil(recovery / step) * step, step)


def _baseline_reach(rule: Rule) -> float:
    if rule.baseline.kind is BaselineKind.ROLLING:
        return rule.baseline.length + rolling_gap(rule.window)
    return rule.baseline.length if rule.baseline.kind is BaselineKind.SEASONAL else 0.0
