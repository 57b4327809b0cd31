"""The numbers behind an alert as a table: value and interval, baseline, tier, version, data, links."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.alert import Alert, AlertState, Group
from ..model.finding import AnchorPeriod, Finding
from ..model.rule import Aggregate, Rule
from ..model.unit import FEATURES, IMPORTANCE
from ..timeutil import HOUR
from .alert_phrase import pace_text, worst_alert
from .explanation import reference_text
from .formatting import (
    bare_value,
    count,
    duration,
    interval,
    labels_text,
    limit_text,
    number,
    percent,
    quantity,
    row_count,
    start_text,
    utc_time,
)
from .markdown import code, link, two_column_table
from .sensitivity import visible_changes

NOT_RETRAINED = frozenset({"data-quality", "label-quality", "label-delay", "label-drift", "latency", "error-rate"})
"""Kinds that no retraining helps: the data are in doubt, or how the model is served."""


def alert_facts(group: Group, rule: Rule | None) -> str:
    """The table; empty where the group has no alert."""
    alert = worst_alert(group)
    if alert is None:
        return ""
    facts = [*_value_facts(alert.finding, rule, group)]
    if (change := group.evidence.gradual) and group.state is AlertState.FIRING:
        facts.append(("Trend", f"{pace_text(change, group.unit)} since {utc_time(change.since)[:10]}"))
    elif (estimate := group.evidence.estimate) and group.state is AlertState.FIRING:
        sure = f"95 % interval {percent(estimate.low)} to {percent(estimate.high)}"
        facts.append(("On average", f"{percent(estimate.change)} since {utc_time(estimate.since)}, {sure}"))
    if not group.built_in and (worst := worst_so_far(alert, group.unit)):
        facts.append(("Worst so far", worst))
    if not group.built_in and group.state is AlertState.FIRING:
        facts.append(("Tier", tier_text(group, alert, rule)))
    if (money := group.evidence.money) and money.worth:
        facts.append(("Worth", code(money.worth, 200)))
    if seen := group.evidence.sensitivity:
        facts.append(("Sensitivity", visible_changes(seen, group.unit)))
    return two_column_table([*facts, *_context_facts(group)])


def _value_facts(finding: Finding, rule: Rule | None, group: Group) -> Iterator[tuple[str, str]]:
    unit = group.unit
    if finding.value is not None:
        over = f" {window_text(rule, group.evidence.held)}" if rule and finding.past is None else ""
        yield "Value", quantity(finding.value, unit) + over
        if sure := ", ".join(confidence_facts(finding, unit)):
            yield "Confidence" if interval(finding, unit) else "From", sure
    if finding.past is not None:
        yield "Expected", f"{bare_value(finding.baseline, unit)}, from {duration(finding.past)} of history"
    elif finding.baseline is not None:
        spec = rule.baseline if rule else None
        origin = f" ({reference_text(spec.kind, spec.path or spec.version, spec.length, code)})" if spec else ""
        origin = f" ({anchor_text(group.evidence.anchor)})" if group.evidence.anchor else origin
        yield "Baseline", bare_value(finding.baseline, unit) + origin


def anchor_text(period: AnchorPeriod) -> str:
    """``healthy weeks of v6, 2026-09-01 to 2026-09-15``."""
    of = f" of {code(period.version)}" if period.version else ""
    return f"healthy weeks{of}, {utc_time(period.since)[:10]} to {utc_time(period.until)[:10]}"


def confidence_facts(finding: Finding, unit: str) -> Iterator[str]:
    """``95 % interval 0.836 to 0.846`` and ``12,400 rows``, where they are known."""
    if sure := interval(finding, unit):
        yield f"95 % interval {sure}"
    if finding.n is not None:
        yield f"{count(finding.n)} features" if unit in (FEATURES, IMPORTANCE) else row_count(finding.n)


def window_text(rule: Rule, held: float | None = None) -> str:
    """``over 24 h``: what a value is taken from. ``held``: how much of the window (seconds), where that is not all."""
    if rule.aggregate is Aggregate.LAST:
        return "in the newest measurement"
    if held is not None:
        return f"over {duration(held)} (its window of {_window_length(rule.window)} is not full)"
    return f"over {_window_length(rule.window)}"


def _window_length(window: float) -> str:
    """In hours up to two days, as people configure it."""
    return f"{window / HOUR:g} h" if HOUR <= window <= 48 * HOUR else duration(window)


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
    """``error (drop 5 %)``, the tier of the group, with that of the alert, of its newest window and its peak where they
    differ."""
    severity, limits = group.severity or alert.severity, limits_text(group)
    tiers = rule.tiers_for(alert.finding.version) if rule else ()
    if any(tier.derived and tier.severity is severity for tier in tiers):
        limits += ", derived"
    parts = [f"{severity}" + (f" ({limits})" if limits else "")]
    if alert.severity is not severity:
        worst = next((one for one in group.alerts if one.state is group.state and one.severity is severity), alert)
        parts[0] += f" in {_part_text(worst)}"
        parts.append(f"{_part_text(alert)} is at {alert.severity}")
    reached = alert.finding.severity
    if reached is not alert.severity:
        parts.append(f"the newest window reaches {reached or 'no tier'}")
    if alert.peak is not alert.severity:
        parts.append(f"peak: {alert.peak}")
    return "; ".join(parts)


def _part_text(alert: Alert) -> str:
    return code(labels_text(alert.labels)) if alert.labels else "the whole"


def retraining_data(group: Group) -> str:
    """``40,000 rows, 2026-11-20 01:00 UTC to …``: what a retraining could use; empty where it would not help."""
    data = group.evidence.data
    if data is None or group.built_in or group.kind in NOT_RETRAINED or group.state is not AlertState.FIRING:
        return ""
    amount = row_count(data.n) if data.n is not None else f"{data.points:,} points"
    return f"{amount}, {utc_time(data.since)} to {utc_time(data.until)}"


def _context_facts(group: Group) -> Iterator[tuple[str, str]]:
    evidence = group.evidence
    if evidence.version:
        yield "Version", f"{code(evidence.version)}, {start_text(evidence.version_since, evidence.version_origin)}"
    if evidence.previous:
        yield "Last healthy", ", ".join(code(version) for version in evidence.previous[:3])
    if data := retraining_data(group):
        yield "Data to retrain on", data
    if evidence.links:
        yield "W&B", ", ".join(link(code(text, 60), url) for text, url in evidence.links[:3])
