"""Renders a PagerDuty incident: a summary that fits a lock screen, and the details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...clients.pagerduty import EventImage
from ...model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, can_get_worse
from ...model.alert import Alert, Group
from ...model.finding import Finding, Outcome, is_beyond_limits
from ...model.monitored_model import Model
from ...model.plan import Change
from ...model.register import Register
from ...model.rule import Rule
from ...report.affected_alerts import affected_text, worse_follower
from ...report.alert_phrase import describe_alert, onset_text, overall_value, worst_alert
from ...report.calibration import calibration_sentence
from ...report.comments import attempts_text
from ...report.drill import mark_drill
from ...report.explanation import drift_text, explanation_text
from ...report.facts_table import confidence_facts, limits_text, retraining_data, worst_so_far
from ...report.formatting import (
    bare_value,
    finding_labels,
    percent,
    quantity,
    row_count,
    start_text,
    utc_time,
)
from ...report.markdown import plain_line, safe_url
from ...report.money import impact_sentence
from ...report.move_effect import runbook_url
from ...report.next_steps import first_step
from ...report.past_episodes import past_episodes_text
from ...report.team_links import alert_page, commands, dashboards, team_links
from ...timeutil import HOUR
from ..base import GroupRun


def incident_fields(change: Change, run: GroupRun) -> dict[str, Any]:
    """What PagerDuty's client sends to trigger a page, without secrets; for an unknown group the reason alone."""
    group, register, links = run.group, run.register, _incident_links(run)
    fields: dict[str, Any] = {
        "source": f"modelwatch/{change.model}",
        "timestamp": run.now,
        "links": links,
        "images": _incident_images(run),
    }
    if group is None:
        summary = mark_drill(f"{change.model}: {change.reason or 'an alert fires'}", run.model(change.model))
        return fields | {"summary": summary, "severity": str(change.severity)}
    model = run.model(group.model)
    rule = next((rule for rule in model.rules if rule.name == group.rule), None) if model else None
    start = register.start if register else group.start if group.start is not None else run.now
    fields |= {
        "summary": mark_drill(incident_summary(group, start, register, _call_reason(change, register)), model),
        "severity": str(change.severity),
        "component": model.pagerduty.service if model else "",
        "group": group.model,
        "klass": group.kind,
        "timestamp": group.newest or run.now,
        "details": incident_details(
            group,
            register,
            run.now,
            rule=rule,
            model=model,
            earlier=_earlier_alert(change, run),
            followers=run.groups,
            issue_problem=run.issue_problem,
        ),
    }
    return {name: run.sessions.redactor.redact(value) for name, value in fields.items()}


def _incident_links(run: GroupRun) -> tuple[tuple[str, str], ...]:
    links = [("GitHub issue", run.issue_url)]
    if run.register and run.register.page:
        links.append(("Earlier incident", run.register.page.url))
    if run.group is not None:
        model = run.model(run.group.model)
        links = [("Runbook", runbook_url(run.group, run.register, model)), *links, ("Workflow run", run.run_url)]
        links.append(("This alert on the dashboard", _page_address(run)))
        links += dashboards(team_links(model, run.group.rule))
        links += [(f"W&B {text}", url) for text, url in run.group.evidence.links[:3]]
    return tuple((text, url) for text, url in links if safe_url(url))


def _page_address(run: GroupRun, suffix: str = ".html") -> str:
    """Of the alert on the dashboard; empty where there is none."""
    if run.group is None or run.register is None:
        return ""
    return alert_page(run.model(run.group.model), run.group.key, run.register.episode, suffix)


def _incident_images(run: GroupRun) -> list[EventImage]:
    """The chart of the alert. PagerDuty fetches it when somebody looks at the incident, so that it shows once the
    dashboard is published."""
    if run.group is None or not safe_url(source := _page_address(run, ".png")):
        return []
    alt = describe_alert(run.group).sentence
    return [EventImage(source, href=_page_address(run), alt=plain_line(alt, 300))]


def _call_reason(change: Change, register: Register | None) -> str:
    """What the on-call is called for beside the severity: the newest call, where the page is about one."""
    calls = register.calls if register else ()
    return next((call.reason for call in reversed(calls) if call.reason == change.reason), "")


def _earlier_alert(change: Change, run: GroupRun) -> str:
    """What was paged before this alert; empty for the first."""
    page = run.register.page if run.register else None
    if not change.about or page is None:
        return ""
    by = f" by {page.status_person}" if page.status_person else ""
    status = f", {page.status}{by}" if page.status else ""
    return f"{page.severity}, {utc_time(page.at)}{status}"


def incident_summary(group: Group, start: float, register: Register | None = None, call: str = "") -> str:
    """``churn accuracy (region=eu alone) 0.8412, 8.6 % below its baseline 0.9203; overall 0.9103 (−1.1 %), since
    2026-11-20 14:00 UTC, with 2 more alerts``, after the reason of a further call."""
    phrase = describe_alert(group)
    overall = f"; overall {phrase.overall}" if phrase.overall else ""
    more = len(register.firing_followers) if register else 0
    others = f", with {more} more {'alert' if more == 1 else 'alerts'}" if more else ""
    others += f": {worse}" if (worse := worse_follower(group, register)) else ""
    since = f"since {utc_time(start)}" if group.evidence.gradual is None else onset_text(group, start, group.newest)
    text = f"{group.model} {phrase.headline}{overall}, {since}{others}"
    return plain_line(f"{call[0].upper()}{call[1:]}: {text}" if call else text, 1000)


def incident_details(
    group: Group,
    register: Register | None,
    now: float,
    *,
    rule: Rule | None = None,
    model: Model | None = None,
    earlier: str = "",
    followers: Mapping[str, Group] | None = None,
    issue_problem: str = "",
) -> dict[str, Any]:
    """The flat ``custom_details``, the most important first; unknown ones are left out. ``earlier``: the alert before
    this one. ``followers``: the groups that this one leads, by key. ``issue_problem``: why no issue was written."""
    alert, phrase = worst_alert(group), describe_alert(group)
    start = register.start if register else group.start if group.start is not None else now
    facts: dict[str, Any] = {}
    if step := first_step(group, register, model, now):
        facts["next"] = step
        current = "the GitHub issue has the current step" if register and not issue_problem else "it can change"
        facts["next_as_of"] = f"{utc_time(now)}; {current}"
    if tried := attempts_text(register) if register else "":
        facts["tried"] = plain_line(tried, 400)
    if issue_problem:
        facts["issue"] = plain_line(f"not written: {issue_problem}", 400)
    if money := impact_sentence(group.evidence.money):
        facts["money"] = money
    if register and register.flap:
        facts["flapping"] = f"fired {register.flap.fired} times since {utc_time(register.flap.since)}"
    if earlier:
        facts["earlier_alert"] = plain_line(earlier)
    if register and (past := past_episodes_text(register.past_episodes)):
        facts["seen_before"] = past
    if reasons := explanation_text(group.evidence.why, gradual=group.evidence.is_gradual):
        facts["why"] = reasons
    if calibration := calibration_sentence(group.evidence.calibration):
        facts["calibration"] = calibration
    if drift := drift_text(group.evidence):
        facts["what_drifted"] = drift
    if alert:
        facts |= dict(_value_details(alert, group))
    if register and (affected := affected_text(register, followers or {})):
        facts["also_affected"] = affected
        facts |= {"cause": plain_line(register.shared_cause, 500)} if register.shared_cause else {}
    facts["since"] = onset_text(group, start, now).removeprefix("since ")
    facts |= {"model": group.model, "rule": phrase.rule}
    if rule:
        facts["metric"] = plain_line(rule.metric.text)
    if place := phrase.place(str):
        facts["where"] = plain_line(place)
    limits = limits_text(group)
    facts["tier"] = f"{group.severity or ''}" + (f" ({limits})" if limits else "")
    facts["acknowledging"] = f"holds for {ACKNOWLEDGEMENT_LENGTH / HOUR:g} h" + (
        ", or until it gets worse" if group.severity is not None and can_get_worse(group.severity) else ""
    )
    if own := commands(team_links(model, group.rule)):
        facts["commands"] = own
    return facts | dict(_context_details(group, rule))


def _value_details(alert: Alert, group: Group) -> Iterator[tuple[str, str]]:
    finding, phrase = alert.finding, describe_alert(group).phrase
    if describe_alert(group).value:
        yield "value", phrase
    if overall := overall_value(group):
        yield "overall", overall
    if sure := ", ".join(confidence_facts(finding, group.unit)):
        yield "how_sure", sure
    if finding.baseline is not None and "baseline" not in phrase:
        yield "baseline", bare_value(finding.baseline, group.unit)
    if not group.built_in and (worst := worst_so_far(alert, group.unit)):
        yield "worst_so_far", worst


def _context_details(group: Group, rule: Rule | None) -> Iterator[tuple[str, Any]]:
    evidence = group.evidence
    if evidence.version:
        yield (
            "version",
            f"{plain_line(evidence.version)}, {start_text(evidence.version_since, evidence.version_origin)}",
        )
    if evidence.previous:
        yield "healthy_before", ", ".join(plain_line(version) for version in evidence.previous[:3])
    if data := retraining_data(group):
        yield "retrain_on", data
    if evidence.segments and not group.built_in:
        yield "worst_segments", "; ".join(_segment_text(finding, group.unit, rule) for finding in evidence.segments[:5])


def _segment_text(finding: Finding, unit: str, rule: Rule | None) -> str:
    change = f"{percent(finding.change)}, " if finding.change is not None else ""
    size = f"{row_count(finding.n)}, " if finding.n is not None else ""
    state = finding.severity or str(finding.outcome).replace("_", " ")
    if finding.outcome is Outcome.OK and rule is not None and is_beyond_limits(finding, rule):
        state = "beyond a limit, not proven"
    return plain_line(f"{finding_labels(finding)}: {quantity(finding.value, unit)} ({change}{size}{state})")
