"""The PagerDuty incident of a group: a summary that fits a lock screen, and the facts beside it."""

from __future__ import annotations

from typing import Any

from ..model.alert import Group
from ..model.finding import Finding
from ..model.register import Register
from .escape import line
from .issue import worst_alert
from .words import compared, count, duration, interval, iso, number, percent, when, where_of


def summary(group: Group, start: float) -> str:
    """``churn accuracy 0.8412, 8.6 % below its baseline 0.9203, since 2026-11-20 14:00 UTC (region=eu)``."""
    alert = worst_alert(group)
    if alert is None:
        return line(f"{group.model} {group.rule} is not healthy", 1000)
    where = f" ({where_of(alert.finding)})" if alert.labels else ""
    finding = alert.finding
    now = f"{group.model} {group.rule} {number(finding.value)}, {compared(finding)}"
    return line(f"{now}, since {when(start)}{where}", 1000)


def details(group: Group, register: Register | None, now: float) -> dict[str, Any]:
    """``custom_details``: flat, in the order in which they are read."""
    alert = worst_alert(group)
    start = register.start if register else group.start or now
    facts: dict[str, Any] = {"model": group.model, "metric": group.rule, "tier": str(group.severity or "")}
    if alert:
        facts |= _numbers(alert.finding)
        if alert.labels:
            facts["where"] = line(where_of(alert.finding))
        facts["worst_so_far"] = f"{number(alert.worst.value)} at {when(alert.worst.time)}"
    facts["since"] = f"{iso(start)} ({duration(now - start)})"
    evidence = group.evidence
    if evidence.version:
        facts["version"] = f"{line(evidence.version)}, first seen {when(evidence.version_since)}"
    if evidence.previous:
        facts["healthy_before"] = ", ".join(line(version) for version in evidence.previous[:3])
    if evidence.segments:
        facts["worst_segments"] = [_segment(found) for found in evidence.segments[:5]]
    if evidence.data:
        amount = count(evidence.data.n) + " rows" if evidence.data.n is not None else f"{evidence.data.points} points"
        facts["data_to_retrain_on"] = f"{amount}, {when(evidence.data.since)} to {when(evidence.data.until)}"
    return facts


def _numbers(finding: Finding) -> dict[str, str]:
    facts = {"value": number(finding.value), "baseline": number(finding.baseline), "change": percent(finding.change)}
    sure = interval(finding)
    if sure:
        facts["interval_95"] = sure
    if finding.n is not None:
        facts["n"] = count(finding.n)
    return facts


def _segment(finding: Finding) -> str:
    return line(f"{where_of(finding)}: {number(finding.value)} ({percent(finding.change)}, n = {count(finding.n)})")
