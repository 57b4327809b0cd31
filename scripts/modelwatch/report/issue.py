"""The issue of a group as Markdown: the answer first, then the evidence, then what to do."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.alert import Alert, AlertState, Evidence, Group, TrendPoint
from ..model.finding import Finding
from ..model.register import DispatchRecord, ReceiptState, Register
from ..model.rule import BaselineKind, Rule
from ..model.series import show_labels
from .escape import code, line, link, mermaid
from .words import compared, count, duration, interval, limit, number, percent, when, where_of


def title(group: Group, register: Register) -> str:
    """``[error] churn: accuracy 8.6 % below its baseline 0.9203``; at most 200 characters, one line."""
    alert = worst_alert(group)
    if group.state is not AlertState.FIRING:
        return line(f"[recovered] {group.model}: {group.rule} (was {register.peak})")
    what = compared(alert.finding) if alert else "was not healthy"
    where = f" ({show_labels(alert.labels)})" if alert and alert.labels else ""
    return line(f"[{group.severity}] {group.model}: {group.rule}{where} {what}")


def body(
    group: Group, register: Register, now: float, *, rule: Rule | None = None, owner: str = "", run_url: str = ""
) -> str:
    """Everything but the register itself, which the target adds. ``rule`` is the group's, where it is configured."""
    alert = worst_alert(group)
    parts = [headline(group, register, now)]
    if owner and group.state is AlertState.FIRING:
        parts.append(f"Owner: {owner}")
    if alert:
        parts.append(facts(group, alert, rule))
    parts.append(next_steps(group, register))
    if group.evidence.trend:
        parts.append("### Trend\n\n" + chart(group, group.evidence.trend))
    if group.evidence.segments:
        parts.append(segments(group.evidence))
    done = what_was_done(register)
    if done:
        parts.append("### What was done\n\n" + done)
    parts.append(silencing())
    notes = [*register.troubles, *group.evidence.notes]
    if notes:
        parts.append("### Good to know\n\n" + "\n".join(f"- {code(note, 400)}" for note in notes))
    source = f" by {link('this workflow run', run_url)}" if run_url else ""
    parts.append(f"<sub>Written{source} at {when(now)}, episode {register.episode}.</sub>")
    return "\n\n".join(parts)


def worst_alert(group: Group) -> Alert | None:
    """The alert that the headline speaks of: alerts stand worst first."""
    return group.alerts[0] if group.alerts else None


def headline(group: Group, register: Register, now: float) -> str:
    alert = worst_alert(group)
    name = f"{code(group.model)} {code(group.rule)}"
    if group.state is AlertState.FIRING and alert:
        where = f" in {code(show_labels(alert.labels))}" if alert.labels else ""
        finding = alert.finding
        since = f"since {when(register.start)} ({duration(now - register.start)})"
        severity = str(register.severity).upper()
        return f"**{severity}** · {name}{where} is **{number(finding.value)}**, {compared(finding)}, {since}."
    ended = f" at {when(group.end)}" if group.end else ""
    return f"**RECOVERED** · {name} is healthy again{ended}; it began at {when(register.start)}."


def facts(group: Group, alert: Alert, rule: Rule | None) -> str:
    finding, evidence = alert.finding, group.evidence
    rows: list[tuple[str, str]] = [("Value", _value(finding, rule))]
    if finding.baseline is not None:
        origin = f" ({baseline_origin(rule)})" if rule else ""
        rows.append(("Baseline", number(finding.baseline) + origin))
    if finding.change is not None:
        rows.append(("Change", percent(finding.change)))
    rows.append(("Worst so far", f"{number(alert.worst.value)} at {when(alert.worst.time)}"))
    worst = f"; worst was {alert.peak}" if alert.peak != alert.severity else ""
    reached = f" ({tier_limits(rule, alert)})" if rule and tier_limits(rule, alert) else ""
    rows.append(("Tier", f"{alert.severity}{reached}{worst}"))
    if evidence.version:
        rows.append(("Version", f"{code(evidence.version)}, first seen {when(evidence.version_since)}"))
    if evidence.previous:
        healthy = ", ".join(code(version) for version in evidence.previous[:3])
        rows.append(("Healthy before", healthy))
    if evidence.data:
        amount = f"{count(evidence.data.n)} rows" if evidence.data.n is not None else f"{evidence.data.points:,} points"
        rows.append(("Data to retrain on", f"{amount}, {when(evidence.data.since)} to {when(evidence.data.until)}"))
    if evidence.links:
        rows.append(("W&B", ", ".join(link(code(text, 60), url) for text, url in evidence.links[:3])))
    return table(("", ""), rows)


def _value(finding: Finding, rule: Rule | None) -> str:
    parts = [number(finding.value) + (f" over {duration(rule.window)}" if rule else "")]
    sure = interval(finding)
    if sure:
        parts.append(f"95 % interval {sure}")
    if finding.n is not None:
        parts.append(f"n = {count(finding.n)}")
    return ", ".join(parts)


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


def tier_limits(rule: Rule, alert: Alert) -> str:
    """The limits of the tier that holds: ``drop 10 %``."""
    tiers = rule.tiers_for(alert.finding.version)
    return " or ".join(limit(of) for tier in tiers if tier.severity == alert.severity for of in tier.limits)


def next_steps(group: Group, register: Register) -> str:
    steps: list[str] = []
    if group.runbook:
        steps.append(f"Open the runbook: {link(code(group.kind), group.runbook)}.")
    for record in register.dispatches:
        if record.state is ReceiptState.PROPOSED:
            to = f" to {code(record.target_version)}" if record.target_version else ""
            steps.append(
                f"Decide about the proposed **{line(record.verb)}**{to}: nothing happens until a person starts it."
            )
        elif record.state is ReceiptState.SENT:
            steps.append(f"Watch the **{line(record.verb)}** {link('workflow run', record.url)}.")
    if group.state is not AlertState.FIRING:
        steps = ["Nothing: the metric has recovered."]
    elif not steps:
        steps.append("Look at the worst segments below, then at what was deployed last.")
    return "### Next step\n\n" + "\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1))


def chart(group: Group, trend: Sequence[TrendPoint]) -> str:
    """A Mermaid ``xychart-beta`` of value and baseline; points without a value repeat the one before."""
    known = [point for point in trend if point.value is not None]
    if len(known) < 2:
        return "Too few points to draw."
    values = [point.value for point in known if point.value is not None]
    baselines = [point.baseline for point in known]
    drawn = [value for value in (*values, *baselines) if value is not None]
    low, high = min(drawn), max(drawn)
    pad = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    lines = [
        "```mermaid",
        "xychart-beta",
        f'    title "{mermaid(group.model)} {mermaid(group.rule)}"',
        f'    x-axis "{mermaid(when(known[0].time))} to {mermaid(when(known[-1].time))}" 0 --> {len(known) - 1}',
        f'    y-axis "{mermaid(group.rule)}" {low - pad:.6g} --> {high + pad:.6g}',
        "    line [" + ", ".join(f"{value:.6g}" for value in values) + "]",
    ]
    if all(baseline is not None for baseline in baselines):
        lines.append("    line [" + ", ".join(f"{baseline:.6g}" for baseline in baselines) + "]")
    return "\n".join([*lines, "```"])


def segments(evidence: Evidence) -> str:
    rows = [
        (
            code(where_of(found)),
            number(found.value),
            number(found.baseline),
            percent(found.change),
            count(found.n),
            _state(found),
        )
        for found in evidence.segments
    ]
    more = evidence.segments_seen - len(rows)
    rest = f"\n\n{more} more are not shown." if more > 0 else ""
    return "### Worst segments\n\n" + table(("Segment", "Value", "Baseline", "Change", "n", "State"), rows) + rest


def _state(finding: Finding) -> str:
    if finding.severity is not None:
        return str(finding.severity)
    return f"{finding.outcome}".replace("_", " ")


def what_was_done(register: Register) -> str:
    rows: list[tuple[str, str, str]] = []
    if register.page:
        rows.append(
            (
                when(register.page.at),
                f"Incident {register.page.state} ({register.page.severity})",
                _link(register.page.url),
            )
        )
    rows += [
        (when(record.at), f"{code(record.verb)} {_progress(record)}", _link(record.url))
        for record in register.dispatches
    ]
    return table(("When", "What", "Where"), rows) if rows else ""


def _link(url: str) -> str:
    return link("open", url) if url else "—"


def _progress(record: DispatchRecord) -> str:
    words = {
        ReceiptState.INTENDED: "intended; no proof yet that it was dispatched",
        ReceiptState.SENT: "dispatched",
        ReceiptState.PROPOSED: "proposed",
        ReceiptState.LOST: "intended, but never found among the workflow runs",
        ReceiptState.FINISHED: f"finished: {line(record.conclusion, 40)}",
    }
    to = f", to {code(record.target_version)}" if record.target_version else ""
    return words[record.state] + to


def silencing() -> str:
    return (
        "<details><summary>How to silence or acknowledge</summary>\n\n"
        "- Comment `/modelwatch silence 24h <reason>` (people on the configured list).\n"
        "- Close this issue: acknowledged for 24 h, or until it gets worse.\n"
        "- Close it as *not planned*: silent until it has recovered.\n"
        "- For longer: an entry under `silences:` in the configuration, with `until`, `owner` and `reason`.\n\n"
        "</details>"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines)
