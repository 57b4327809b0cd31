"""Renders the title and body of an issue, with the trend as a Mermaid chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ...model.alert import (
    BUSINESS_DIVERGENCE,
    CANARY_FAILED,
    FREQUENT_ROLLBACKS,
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    RETRAINING_FAILED,
    ROLLBACK_FAILED,
    SEGMENT_GONE,
    SOURCE_OUTAGE,
    SUDDEN_IMPROVEMENT,
    WATCHDOG_SILENT,
    AlertState,
    Evidence,
    Group,
)
from ...model.alert_scope import FEATURE_LABELS
from ...model.finding import Finding, Outcome
from ...model.ledger import LedgerEntry
from ...model.monitored_model import Model
from ...model.plan import Note
from ...model.register import Register
from ...model.rule import Rule
from ...report.affected_alerts import affected_table, cause_sentence
from ...report.alert_phrase import (
    describe_alert,
    onset_text,
    proof_text,
    recovery_streak,
    recovery_time,
    subject_of,
    worst_alert,
)
from ...report.calibration import calibration_section
from ...report.chart import trend_chart
from ...report.comments import (
    actions_table,
    comment_text,
    flap_sentence,
    issue_title,
    mute_sentence,
    next_page_sentence,
)
from ...report.drill import DRILL_NOTICE, mark_drill
from ...report.explanation import contribution_of, drift_section, explanation_section
from ...report.facts_table import alert_facts
from ...report.formatting import (
    bare_value,
    column_heading,
    count,
    duration,
    finding_labels,
    labels_text,
    percent,
    utc_time,
)
from ...report.ledger_table import ledger_section
from ...report.markdown import bullet_list, code, link, mention, table
from ...report.money import impact_sentence
from ...report.next_steps import SILENCING_HELP, began_with_version, next_steps, required_healthy_evaluations
from ...report.past_episodes import past_episodes_section
from ...report.recent_changes import recent_changes_section
from ...report.rollback_choice import candidate_table
from ...report.team_links import alert_page, links_section, team_links
from ..base import GroupRun


def issue_text(run: GroupRun, register: Register) -> tuple[str, str]:
    """(title, body) without secrets and without the register's block; both empty where the group is not known."""
    group = run.group
    if group is None:
        return "", ""
    model = run.model(group.model)
    body = issue_body(group, register, run.now, model=model, run_url=run.run_url, followers=run.groups)
    return run.redact(mark_drill(issue_title(group, register), model)), run.redact(body)


def note_text(run: GroupRun, note: Note, register: Register, entries: Sequence[LedgerEntry] = ()) -> str:
    """The comment for ``note``, without secrets. ``entries``: the ledger of the episode."""
    return run.redact(comment_text(note, run.group, register, run.now, run.model(register.model), entries))


MAX_OTHER_FEATURES = 4
NOT_READ = (
    "<sub>PagerDuty is not read, without a REST token (`pagerduty: {token}`): who acknowledges or resolves the "
    "incident there is not shown here.</sub>"
)
PERCENT_SIGN, NO_BREAK_PERCENT = " %", "\u00a0%"
"""A table cell breaks at any other space on a phone."""
_RECOVERED_PHRASES = {
    MONITORING_SILENT: "is judged again",
    SEGMENT_GONE: "sends data again",
    SUDDEN_IMPROVEMENT: "is back to normal",
    IMPLAUSIBLE_METRIC: "is plausible again",
    BUSINESS_DIVERGENCE: "is healthy again, or a technical metric explains it",
    SOURCE_OUTAGE: "is read again",
    WATCHDOG_SILENT: "has succeeded again",
    ROLLBACK_FAILED: "was followed by a successful move",
    RETRAINING_FAILED: "was followed by a successful one",
    CANARY_FAILED: "was withdrawn a day ago",
    FREQUENT_ROLLBACKS: "are rare again",
}


def issue_body(
    group: Group,
    register: Register,
    now: float,
    *,
    model: Model | None = None,
    run_url: str = "",
    followers: Mapping[str, Group] | None = None,
) -> str:
    """The body without the register, which the target adds. ``model`` is the group's, where it is configured;
    ``followers`` are the groups that it leads, by key."""
    rule = _configured_rule(group, model)
    parts = [headline(group, register, now), next_steps(group, register, model, now)]
    if model and model.drill:
        parts[0] = f"{DRILL_NOTICE}\n\n{parts[0]}"
    if group.state is AlertState.FIRING and (money := impact_sentence(group.evidence.money)):
        parts[0] += f" **{money}**"
    if model and model.owner and group.state is AlertState.FIRING:
        parts[0] += f" Owner: {mention(model.owner)}."
    if group.state is AlertState.FIRING and (muted := mute_sentence(group, register, now)):
        parts[0] += f" Muted: {code(muted, 300)}."
    if group.state is AlertState.FIRING and (waiting := next_page_sentence(register, model, now, code)):
        parts[0] += f" {waiting}"
    if flapping := flap_sentence(register, model, now):
        parts[0] += f"\n\n{flapping}"
    if register.troubles:
        parts.append("### Not done\n\n" + bullet_list(register.troubles))
    if affected := affected_table(register, followers or {}):
        parts.append("### Also affected\n\n" + affected)
    if past := past_episodes_section(register.past_episodes):
        parts.append("### Seen before\n\n" + past)
    drift = drift_section(group.evidence)
    shown = group.evidence.segments and not drift and not group.built_in
    segmented = bool(shown) and group.state is AlertState.FIRING
    if reasons := explanation_section(group.evidence.why, words_only=segmented, gradual=group.evidence.is_gradual):
        parts.append("### Why\n\n" + reasons)
    if calibration := calibration_section(group.evidence.calibration):
        parts.append("### Calibration\n\n" + calibration)
    if drift:
        parts.append("### What drifted\n\n" + drift)
    if changed := recent_changes_section(register.recent_changes):
        parts.append("### What changed before\n\n" + changed)
    if facts := alert_facts(group, rule):
        parts.append("### Evidence\n\n" + facts)
    if group.evidence.trend:
        parts.append(trend_chart(_chart_title(group), group, rule))
    if segmented:
        parts.append(segments_table(group.evidence, group.unit))
    page = alert_page(model, group.key, register.episode)
    own = (("This alert on the dashboard", page),) if page else ()
    if links := links_section((*own, *team_links(model, group.rule))):
        parts.append(links)
    if group.evidence.rollback and group.state is AlertState.FIRING:
        parts.append("### Versions to go back to\n\n" + candidate_table(group.evidence.rollback))
    if actions := actions_table(register):
        parts.append("### Actions taken\n\n" + actions)
    if group.evidence.notes:
        parts.append("### Notes\n\n" + bullet_list(group.evidence.notes))
    if record := ledger_section(register.ledger):
        parts.append(record)
    if register.closed is None:
        parts.append(SILENCING_HELP)
        if register.page is not None and model is not None and model.pagerduty.token is None:
            parts.append(NOT_READ)
    source = f" by {link('this workflow run', run_url)}" if run_url else ""
    parts.append(f"<sub>Written{source} at {utc_time(now)}, episode {register.episode}.</sub>")
    return "\n\n".join(parts)


def _chart_title(group: Group) -> str:
    alert = worst_alert(group)
    rule, labels = subject_of(group.rule, alert.labels if alert else ())
    where = f" {labels_text(labels)}" if labels else ""
    return f"{group.model} {rule}{where}"


def _configured_rule(group: Group, model: Model | None) -> Rule | None:
    """The configured rule that the group is about."""
    name = subject_of(group.rule, group.alerts[0].labels)[0] if group.alerts else group.rule
    return next((rule for rule in model.rules if rule.name == name), None) if model else None


def headline(group: Group, register: Register, now: float) -> str:
    """The state of the alert in one or two sentences."""
    alert = describe_alert(group)
    # Once it is over, it is over for every part that fired.
    place = alert.place(code) if group.state is AlertState.FIRING or len(register.alerts) < 2 else ""
    name = f"{code(group.model)} {code(alert.rule)}" + (f" in {place}" if place else "")
    if group.state is AlertState.FIRING:
        since = onset_text(group, register.start, now)
        phrase = f"**{alert.value}**, {alert.predicate}" if alert.value else f"**{alert.predicate}**"
        text = f"**{str(register.severity).upper()}** · {name}{alert.connector}{phrase}, {since}."
        text += f" Overall: {alert.overall}." if alert.overall else ""
        text += _other_features(group) + cause_sentence(group, register, now)
        if began_with_version(group, register):
            text += f" It began with version {code(group.evidence.version)}."
        if healthy := recovery_streak(group):
            need = required_healthy_evaluations(group, register)
            text += f" Recovering: {healthy} of {need} {proof_text(group)}."
        return f"{text} As of {utc_time(group.newest)}."
    if register.closed is None:
        text = f"**RECOVERING** · {name} stopped firing; it began at {utc_time(register.start)}."
        return text + cause_sentence(group, register, now)
    end = recovery_time(group, register, register.closed)
    lasted = duration(end - register.start)
    again = _RECOVERED_PHRASES.get(group.rule, "is healthy again")
    return f"**RECOVERED** · {name} {again} since {utc_time(end)}, after {lasted} (peak: {register.peak})."


def _other_features(group: Group) -> str:
    """The other features that are firing, worst first."""
    firing = {alert.labels for alert in group.alerts[1:] if alert.state is AlertState.FIRING}
    features = [finding for finding in group.evidence.segments if finding.labels in firing]
    if not features or group.built_in or not _are_features(group.evidence):
        return ""
    shown = features[:MAX_OTHER_FEATURES]
    names = [f"{code(finding_labels(finding))} {bare_value(finding.value, group.unit)}" for finding in shown]
    more = f" and {len(firing) - len(names)} more" if len(firing) > len(names) else ""
    return f" Also firing: {', '.join(names)}{more}."


def segments_table(evidence: Evidence, unit: str = "") -> str:
    """Segments or features, worst first, each with its part in the change where it is known."""
    rows = [tuple(cell for _, cell in _segment_cells(evidence, finding, unit)) for finding in evidence.segments]
    head = tuple(name for name, _ in _segment_cells(evidence, evidence.segments[0], unit))
    more = evidence.segments_seen - len(rows)
    rest = f"\n\n{more} more are not shown." if more > 0 else ""
    return f"### Worst {'features' if _are_features(evidence) else 'segments'}\n\n" + table(head, rows) + rest


def _segment_cells(evidence: Evidence, finding: Finding, unit: str) -> Iterator[tuple[str, str]]:
    """A row as (head, cell): the same heads for every finding, at most four, to fit a phone."""
    name = code(finding_labels(finding))
    features = _are_features(evidence)
    yield "Feature" if features else "Segment", f"{name} {_finding_state(finding)}".rstrip()
    yield column_heading(unit), _segment_value(evidence, finding, unit)
    why = evidence.why
    sizes, share = contribution_of(why, finding) or ("", "—")
    parted = any(contribution_of(why, row) for row in evidence.segments)
    if parted:
        yield "Of the drop" if why and why.total < 0 else "Of the rise", share.replace(PERCENT_SIGN, NO_BREAK_PERCENT)
    if any(row.n is not None for row in evidence.segments):
        yield "Rows (share)" if parted else "Rows", count(finding.n) + (f" ({sizes})" if sizes else "")


def _segment_value(evidence: Evidence, finding: Finding, unit: str) -> str:
    """``0.9103 → 0.7963 (−12.5 %)``; a baseline that all share is in the section Evidence instead."""
    own = len({row.baseline for row in evidence.segments}) > 1 and finding.baseline is not None
    before = f"{bare_value(finding.baseline, unit)} → " if own else ""
    change = ""
    if finding.change is not None:
        change = f" ({percent(finding.change)})".replace(PERCENT_SIGN, NO_BREAK_PERCENT)
    return before + bare_value(finding.value, unit) + change


def _are_features(evidence: Evidence) -> bool:
    return all(name in FEATURE_LABELS for finding in evidence.segments for name, _ in finding.labels)


def _finding_state(finding: Finding) -> str:
    """The severity of the finding, or why it cannot be judged; empty where it is healthy."""
    if finding.severity is not None:
        return f"**{finding.severity}**"
    if finding.outcome is Outcome.OK:
        return ""
    words = f"{finding.outcome}".replace("_", " ")
    return f"{words}: {finding.reason}" if finding.reason else words
