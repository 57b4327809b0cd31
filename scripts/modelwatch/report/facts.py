"""The numbers behind an alert as a table: value and interval, baseline, tier, version, data, links."""

from __future__ import annotations

from collections.abc import Iterator

from ..model.alert import Alert, AlertState, Group
from ..model.finding import Finding
from ..model.rule import HOUR, BaselineKind, Rule
from ..model.unit import FEATURES, IMPORTANCE
from .escape import code, link
from .tables import facts as as_table
from .told import worst_alert
from .units import bare, interval, limit, quantity
from .words import count, duration, number, percent, rows, when


def facts(group: Group, rule: Rule | None) -> str:
    """The table; empty where there is no alert to speak of."""
    alert = worst_alert(group)
    if alert is None:
        return ""
    known = [*_measured(alert.finding, rule, group.unit)]
    if not group.built_in:
        known += _alert(group, alert, rule)
    return as_table([*known, *_around(group)])


def _measured(finding: Finding, rule: Rule | None, unit: str) -> Iterator[tuple[str, str]]:
    if finding.value is not None:
        yield "Value", quantity(finding.value, unit) + (f" over {window(rule.window)}" if rule else "")
        if sure := ", ".join(sureness(finding, unit)):
            yield "How sure" if interval(finding, unit) else "From", sure
    if finding.baseline is not None:
        origin = f" ({baseline_origin(rule)})" if rule else ""
        yield "Baseline", bare(finding.baseline, unit) + origin


def value(finding: Finding, rule: Rule | None, unit: str = "") -> str:
    """``0.8412 over 24 h, 95 % interval 0.836 to 0.846, 12,400 rows``"""
    told = quantity(finding.value, unit) + (f" over {window(rule.window)}" if rule else "")
    return ", ".join((told, *sureness(finding, unit)))


def sureness(finding: Finding, unit: str) -> Iterator[str]:
    """``95 % interval 0.836 to 0.846`` and ``12,400 rows``, where they are known."""
    if sure := interval(finding, unit):
        yield f"95 % interval {sure}"
    if finding.n is not None:
        yield f"{count(finding.n)} features" if unit in (FEATURES, IMPORTANCE) else rows(finding.n)


def window(seconds: float) -> str:
    """In hours up to two days, as people configure it."""
    return f"{seconds / HOUR:g} h" if seconds >= HOUR and seconds <= 48 * HOUR else duration(seconds)


def _alert(group: Group, alert: Alert, rule: Rule | None) -> Iterator[tuple[str, str]]:
    if said := worst(alert, group.unit):
        yield "Worst so far", said
    if group.state is AlertState.FIRING:
        yield "Tier", tier(group, alert, rule)


def worst(alert: Alert, unit: str) -> str:
    """``0.8347 (−9.3 %) at 2026-11-20 03:00 UTC``; empty where the newest is the worst, or looks the same."""
    then, now = alert.worst, alert.finding
    if then.value is None or then.time == now.time or number(then.value) == number(now.value):
        return ""
    change = f" ({percent(then.change)})" if then.change is not None else ""
    return f"{bare(then.value, unit)}{change} at {when(then.time)}"


def tier(group: Group, alert: Alert, rule: Rule | None) -> str:
    """``error (drop 5 %)``, with what the newest window reaches and what was worst where they differ."""
    limits = " or ".join(limit(of, group.unit) for of in group.limits)
    tiers = rule.tiers_for(alert.finding.version) if rule else ()
    if any(found.derived and found.severity is alert.severity for found in tiers):
        limits += ", derived"
    parts = [f"{alert.severity}" + (f" ({limits})" if limits else "")]
    reached = alert.finding.severity
    if reached is not alert.severity:
        parts.append(f"the newest window reaches {reached or 'no tier'}")
    if alert.peak is not alert.severity:
        parts.append(f"worst was {alert.peak}")
    return "; ".join(parts)


def _around(group: Group) -> Iterator[tuple[str, str]]:
    evidence = group.evidence
    if evidence.version:
        yield "Version", f"{code(evidence.version)}, first seen {when(evidence.version_since)}"
    if evidence.previous:
        yield "Healthy before", ", ".join(code(version) for version in evidence.previous[:3])
    if evidence.data and trains(group) and group.state is AlertState.FIRING:
        yield "Data to retrain on", span(group)
    if evidence.links:
        yield "W&B", ", ".join(link(code(text, 60), url) for text, url in evidence.links[:3])


def trains(group: Group) -> bool:
    """Whether anybody would retrain for this: not for what modelwatch raises itself, nor on data that is in doubt."""
    return not group.built_in and group.kind != "data-quality"


def span(group: Group) -> str:
    """``48,000 rows, 2026-11-19 07:00 UTC to 2026-11-20 12:00 UTC``"""
    data = group.evidence.data
    if data is None:
        return ""
    amount = rows(data.n) if data.n is not None else f"{data.points:,} points"
    return f"{amount}, {when(data.since)} to {when(data.until)}"


def baseline_origin(rule: Rule) -> str:
    """Where the baseline comes from, in words."""
    spec = rule.baseline
    match spec.kind:
        case BaselineKind.FILE:
            return f"file {code(spec.path)}"
        case BaselineKind.ROLLING:
            return f"the {duration(spec.length)} that ended a week or more before the window"
        case BaselineKind.SEASONAL:
            return f"the same hours of the week, {duration(spec.length)} back"
        case BaselineKind.VERSION:
            return "the version before" if spec.version == "previous" else f"version {code(spec.version)}"
        case BaselineKind.CONSTANT:
            return "as configured"
        case BaselineKind.NONE:
            return "none"
