"""The numbers behind an alert as a table: value and interval, baseline, tier, version, data, links."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.alert import Alert, AlertState, Group
from ..model.finding import Finding
from ..model.rule import BaselineKind, Rule
from ..model.unit import FEATURES, IMPORTANCE
from ..timeutil import HOUR
from .alert_phrase import worst_alert
from .formatting import (
    bare_value,
    count,
    duration,
    interval,
    limit_text,
    number,
    percent,
    quantity,
    row_count,
    utc_time,
)
from .markdown import code, link, two_column_table


def alert_facts(group: Group, rule: Rule | None) -> str:
    """The table; empty where the group has no alert."""
    alert = worst_alert(group)
    if alert is None:
        return ""
    facts = [*_value_facts(alert.finding, rule, group.unit)]
    if not group.built_in:
        facts += _alert_facts(group, alert, rule)
    return two_column_table([*facts, *_context_facts(group)])


def _value_facts(finding: Finding, rule: Rule | None, unit: str) -> Iterator[tuple[str, str]]:
    if finding.value is not None:
        yield "Value", quantity(finding.value, unit) + (f" over {window_text(rule.window)}" if rule else "")
        if sure := ", ".join(confidence_facts(finding, unit)):
            yield "Confidence" if interval(finding, unit) else "From", sure
    if finding.baseline is not None:
        origin = f" ({baseline_origin(rule)})" if rule else ""
        yield "Baseline", bare_value(finding.baseline, unit) + origin


def confidence_facts(finding: Finding, unit: str) -> Iterator[str]:
    """``95 % interval 0.836 to 0.846`` and ``12,400 rows``, where they are known."""
    if sure := interval(finding, unit):
        yield f"95 % interval {sure}"
    if finding.n is not None:
        yield f"{count(finding.n)} features" if unit in (FEATURES, IMPORTANCE) else row_count(finding.n)


def window_text(seconds: float) -> str:
    """The length of a window: in hours up to two days, as people configure it."""
    return f"{seconds / HOUR:g} h" if seconds >= HOUR and seconds <= 48 * HOUR else duration(seconds)


def _alert_facts(group: Group, alert: Alert, rule: Rule | None) -> Iterator[tuple[str, str]]:
    if worst := worst_so_far(alert, group.unit):
        yield "Worst so far", worst
    if group.state is AlertState.FIRING:
        yield "Tier", tier_text(group, alert, rule)


def worst_so_far(alert: Alert, unit: str) -> str:
    """``0.8347 (−9.3 %) at 2026-11-20 03:00 UTC``; empty where the newest is the worst, or looks the same."""
    then, now = alert.worst, alert.finding
    if then.value is None or then.time == now.time or number(then.value) == number(now.value):
        return ""
    change = f" ({percent(then.change)})" if then.change is not None else ""
    return f"{bare_value(then.value, unit)}{change} at {utc_time(then.time)}"


def limits_text(group: Group) -> str:
    """``drop 5 % or above 250 ms``: the limits of the tier that fires."""
    return " or ".join(limit_text(limit, group.unit) for limit in group.limits)


def tier_text(group: Group, alert: Alert, rule: Rule | None) -> str:
    """``error (drop 5 %)``, with the tier of the newest window and the peak where they differ."""
    limits = limits_text(group)
    tiers = rule.tiers_for(alert.finding.version) if rule else ()
    if any(tier.derived and tier.severity is alert.severity for tier in tiers):
        limits += ", derived"
    parts = [f"{alert.severity}" + (f" ({limits})" if limits else "")]
    reached = alert.finding.severity
    if reached is not alert.severity:
        parts.append(f"the newest window reaches {reached or 'no tier'}")
    if alert.peak is not alert.severity:
        parts.append(f"peak: {alert.peak}")
    return "; ".join(parts)


def _context_facts(group: Group) -> Iterator[tuple[str, str]]:
    evidence = group.evidence
    if evidence.version:
        yield "Version", f"{code(evidence.version)}, first seen {utc_time(evidence.version_since)}"
    if evidence.previous:
        yield "Last healthy", ", ".join(code(version) for version in evidence.previous[:3])
    if evidence.data and is_retrainable(group) and group.state is AlertState.FIRING:
        yield "Data to retrain on", training_data_span(group)
    if evidence.links:
        yield "W&B", ", ".join(link(code(text, 60), url) for text, url in evidence.links[:3])


def is_retrainable(group: Group) -> bool:
    """Whether retraining could help: not for built-in alerts, and not on data that is in doubt."""
    return not group.built_in and group.kind != "data-quality"


def training_data_span(group: Group) -> str:
    """``48,000 rows, 2026-11-19 07:00 UTC to 2026-11-20 12:00 UTC``"""
    data = group.evidence.data
    if data is None:
        return ""
    amount = row_count(data.n) if data.n is not None else f"{data.points:,} points"
    return f"{amount}, {utc_time(data.since)} to {utc_time(data.until)}"


def baseline_origin(rule: Rule) -> str:
    """Where the baseline comes from."""
    spec = rule.baseline
    match spec.kind:
        case BaselineKind.FILE:
            return f"file {code(spec.path)}"
        case BaselineKind.ROLLING:
            return f"the {duration(spec.length)} up to a week before the window"
        case BaselineKind.SEASONAL:
            return f"the same hours of the week, {duration(spec.length)} back"
        case BaselineKind.VERSION:
            return "the previous version" if spec.version == "previous" else f"version {code(spec.version)}"
        case BaselineKind.CONSTANT:
            return "as configured"
        case BaselineKind.NONE:
            return "none"
