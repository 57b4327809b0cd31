"""The PagerDuty incident of a group: a summary that fits a lock screen, and the facts beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..model.alert import Alert, Group
from ..model.finding import Finding
from ..model.register import Register
from ..model.rule import Rule
from ..model.watched import Model
from .drifted import plain as drifted
from .escape import line
from .facts import sureness, worst
from .steps import first
from .told import tell, worst_alert
from .units import bare, limit, quantity
from .why import plain
from .words import duration, percent, rows, when, where_of


def summary(group: Group, start: float) -> str:
    """``churn accuracy (region=eu) 0.8412, 8.6 % below its baseline 0.9203, since 2026-11-20 14:00 UTC``"""
    told = tell(group)
    return line(f"{group.model} {told.headline}, since {when(start)}", 1000)


def details(
    group: Group, register: Register | None, now: float, *, rule: Rule | None = None, model: Model | None = None
) -> dict[str, Any]:
    """``custom_details``: flat, in the order in which they are read; what is not known is left out."""
    alert, told = worst_alert(group), tell(group)
    start = register.start if register else group.start if group.start is not None else now
    facts: dict[str, Any] = {}
    if step := first(group, register, model, now):
        facts["next"] = step
    if reasons := plain(group.evidence.why):
        facts["why"] = reasons
    if moved := drifted(group.evidence):
        facts["what_drifted"] = moved
    if alert:
        facts |= dict(_numbers(alert, group))
    facts["since"] = f"{when(start)} ({duration(now - start)})"
    facts |= {"model": group.model, "rule": told.rule}
    if rule:
        facts["metric"] = line(rule.metric.text)
    if told.where:
        facts["where"] = line(told.where)
    limits = " or ".join(limit(of, group.unit) for of in group.limits)
    facts["tier"] = f"{group.severity or ''}" + (f" ({limits})" if limits else "")
    return facts | dict(_around(group))


def _numbers(alert: Alert, group: Group) -> Iterator[tuple[str, str]]:
    finding, told = alert.finding, tell(group)
    if told.value:
        yield "value", told.phrase
    if sure := ", ".join(sureness(finding, group.unit)):
        yield "how_sure", sure
    if finding.baseline is not None and "baseline" not in told.phrase:
        yield "baseline", bare(finding.baseline, group.unit)
    if not group.built_in and (said := worst(alert, group.unit)):
        yield "worst_so_far", said


def _around(group: Group) -> Iterator[tuple[str, Any]]:
    evidence = group.evidence
    if evidence.version:
        yield "version", f"{line(evidence.version)}, first seen {when(evidence.version_since)}"
    if evidence.previous:
        yield "healthy_before", ", ".join(line(version) for version in evidence.previous[:3])
    if evidence.segments and not group.built_in:
        yield "worst_segments", "; ".join(_segment(found, group.unit) for found in evidence.segments[:5])


def _segment(finding: Finding, unit: str) -> str:
    change = f"{percent(finding.change)}, " if finding.change is not None else ""
    size = f"{rows(finding.n)}, " if finding.n is not None else ""
    state = finding.severity or str(finding.outcome).replace("_", " ")
    return line(f"{where_of(finding)}: {quantity(finding.value, unit)} ({change}{size}{state})")
