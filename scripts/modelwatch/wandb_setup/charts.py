"""The charts of a model's rules, in a section for each audience: what W&B can draw of them, as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ..model.keys import KeyPattern
from ..model.monitored_model import Model
from ..model.prediction_log import MeasureSpec
from ..model.rule import BaselineKind, BaselineSpec, Rule
from ..report.formatting import limit_text, number
from ..report.markdown import plain_line
from .expressions import derived_expression

MAX_CHARTS = 12
"""In a section; further rules are named in its text."""
MAX_TITLE = 160
_BUSINESS_KINDS = frozenset({"business-metric"})
_OPERATIONS_KINDS = frozenset({"error-rate", "latency"})
_GROUND_TRUTH_KINDS = frozenset({"data-quality", "label-delay", "label-drift", "label-quality"})


class Audience(StrEnum):
    DATA_SCIENCE = "Data science"
    BUSINESS = "Business"
    OPERATIONS = "Operations"
    GROUND_TRUTH = "Ground truth"


QUESTIONS = {
    Audience.DATA_SCIENCE: "Is the model as good as its baseline, which part of the traffic is worse, what drifted?",
    Audience.BUSINESS: "What is the model worth, and does that follow its technical metrics?",
    Audience.OPERATIONS: "Does it answer, fast enough, and how many predictions does it make?",
    Audience.GROUND_TRUTH: "Do labels and data arrive, and can they be trusted?",
}
"""What each section answers."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart of ``key``, or of every key that ``pattern`` (a regular expression) matches; with constant lines."""

    title: str
    key: str = ""
    pattern: str = ""
    expression: str = ""
    """Is drawn instead of ``key``, which is then one of its own."""
    levels: tuple[float, ...] = ()
    """Where a baseline or a limit stands still."""


@dataclass(frozen=True, slots=True)
class ChartSection:
    audience: Audience
    charts: tuple[Chart, ...]
    left_out: tuple[str, ...] = ()
    """Titles of charts beyond ``MAX_CHARTS``."""

    @property
    def question(self) -> str:
        return QUESTIONS[self.audience]


def chart_sections(model: Model) -> tuple[ChartSection, ...]:
    """A section for each audience that has a chart: those of the rules first, then what `measure` publishes besides."""
    charts: dict[Audience, list[Chart]] = {audience: [] for audience in Audience}
    for rule in model.rules:
        charts[audience_of(rule)] += _derived_charts(model, rule) if is_derived(model, rule) else _rule_charts(rule)
    charts[Audience.OPERATIONS] += _count_charts(model)
    drawn = {rule.metric.text for rule in model.rules}
    for audience, key, title in _measured(model.measure) if model.measure else ():
        if key not in drawn:
            pattern = KeyPattern(key)
            charts[audience].append(_chart(f"{title}: {key}", key, pattern.regex, pattern.is_plain, ()))
    return tuple(
        ChartSection(audience, tuple(found[:MAX_CHARTS]), tuple(chart.title for chart in found[MAX_CHARTS:]))
        for audience, found in charts.items()
        if found
    )


def is_derived(model: Model, rule: Rule) -> bool:
    """Whether the metric of a rule is computed by modelwatch, so that W&B has no key for it."""
    return model.business is not None and model.business.derived_metric(rule.metric.name) is not None


def _derived_charts(model: Model, rule: Rule) -> Iterator[Chart]:
    """What W&B can compute it draws; of another derived metric the keys behind it."""
    business = model.business
    derived = business.derived_metric(rule.metric.name) if business else None
    if business is None or derived is None:
        return
    inputs = business.inputs_of(rule.metric.name)
    expression = derived_expression(derived, business)
    title = plain_line(f"{rule.name}: {rule.metric.text}{_limits(rule)}", MAX_TITLE)
    if expression and inputs:
        yield Chart(title, key=inputs[0], expression=expression, levels=_levels(rule))
    else:
        title = plain_line(f"{rule.name}: what {rule.metric.text} is computed from", MAX_TITLE)
        yield Chart(title, pattern=f"^({'|'.join(map(re.escape, inputs))})$")


def _measured(spec: MeasureSpec) -> Iterator[tuple[Audience, str, str]]:
    """Audience, key and title of what `measure` publishes for this log."""
    science, operations, truth = Audience.DATA_SCIENCE, Audience.OPERATIONS, Audience.GROUND_TRUTH
    if spec.score or spec.scores:
        yield science, "predictions/confidence", "Confidence"
    if spec.calibration is not None:
        yield science, "calibration/ece", "Calibration error"
        yield science, "predictions/score/*", "Deciles of the score"
    if spec.estimates is not None:
        yield science, "estimated/*", "Estimated performance"
    if spec.agreement:
        yield science, "agreement/*", "Agreement of versions"
    if spec.operations is not None:
        columns = spec.operations
        found = [("latency/*", "Latency", columns.latency), ("errors/rate", "Error rate", columns.error)]
        found += [("cost/mean", "Cost of a prediction", columns.cost), ("throughput", "Rows an hour", "always")]
        yield from ((operations, key, title) for key, title, column in found if column)
    if spec.label or spec.outcomes is not None:
        yield truth, "labels/coverage", "Share of rows with a label"
        yield truth, "labels/class=*/class_share", "Labels by class"
    if spec.label_time_column:
        yield truth, "labels/delay_days/*", "Days until labels come"
    if spec.annotations is not None:
        yield truth, "labels/agreement", "Agreement of annotators"


def audience_of(rule: Rule) -> Audience:
    if rule.kind in _BUSINESS_KINDS:
        return Audience.BUSINESS
    if rule.kind in _OPERATIONS_KINDS:
        return Audience.OPERATIONS
    return Audience.GROUND_TRUTH if rule.kind in _GROUND_TRUTH_KINDS else Audience.DATA_SCIENCE


def _rule_charts(rule: Rule) -> Iterator[Chart]:
    title = f"{rule.name}: {rule.metric.text}{_limits(rule)}"
    yield _chart(title, rule.metric.text, rule.metric.regex, rule.metric.is_plain, _levels(rule))
    for segment in rule.segments:
        yield _chart(
            f"{rule.name} by segment: {segment.text}", segment.text, segment.regex, segment.is_plain, _levels(rule)
        )


def _chart(title: str, key: str, pattern: str, is_plain: bool, levels: tuple[float, ...]) -> Chart:
    """Constant lines need a key to compute them from: a chart of many keys has none."""
    text = plain_line(title, MAX_TITLE)
    return Chart(text, key=key, levels=levels) if is_plain else Chart(text, pattern=pattern)


def _count_charts(model: Model) -> Iterator[Chart]:
    """How many rows stand behind the values."""
    for key in dict.fromkeys(rule.weight for rule in model.rules if rule.weight):
        if "*" not in key:
            yield Chart(plain_line(f"Rows behind each value: {key}", MAX_TITLE), key=key)


def _limits(rule: Rule) -> str:
    """``; baseline 0.92; warning drop 2 %, error drop 5 %``"""
    value = baseline_value(rule)
    parts = [f"baseline {number(value)}" if value is not None else _MOVING.get(rule.baseline.kind, "")]
    tiers = [
        f"{tier.severity.name.lower()} {' or '.join(limit_text(limit) for limit in tier.limits)}"
        for tier in rule.tiers
        if tier.limits and not tier.derived
    ]
    parts.append(", ".join(tiers))
    return "".join(f"; {part}" for part in parts if part)


_MOVING = {
    BaselineKind.ROLLING: "baseline moves (rolling)",
    BaselineKind.SEASONAL: "baseline moves (seasonal)",
    BaselineKind.VERSION: "baseline: another version",
}


def baseline_value(rule: Rule) -> float | None:
    """The baseline of the whole where it is one number that stands still."""
    spec: BaselineSpec = rule.baseline
    if spec.kind is BaselineKind.CONSTANT:
        return spec.value
    if spec.kind is BaselineKind.FILE:
        return next(
            (entry.value for entry in spec.entries if entry.name == rule.metric.name and not entry.labels), None
        )
    return None


def _levels(rule: Rule) -> tuple[float, ...]:
    baseline = baseline_value(rule)
    levels = [] if baseline is None else [baseline]
    for limit in (limit for tier in rule.tiers if not tier.derived for limit in tier.limits):
        boundary = limit.boundary(baseline) if baseline is not None else limit.static_boundary
        levels += [boundary] if boundary is not None else []
    return tuple(dict.fromkeys(levels))
