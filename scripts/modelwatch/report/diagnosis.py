"""The diagnosis of one model: what fires, since when, where and why, what is open, and the one next step."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..model.acknowledgement import ACK, CLOSING, INHIBITION, person_mute
from ..model.alert import AlertState, Group
from ..model.cadence import series_overdue_after, usual_gap
from ..model.drift import drift_spec
from ..model.finding import Outcome, is_beyond_limits
from ..model.monitored_model import Model
from ..model.past_episode import PastEpisodes
from ..model.plan import ModelObservation, ObservedIssue
from ..model.recent_change import RecentChangeKind, RecentChanges
from ..model.register import ACKNOWLEDGED, DispatchState, Register
from ..model.release import FALLBACK, Registry
from ..model.rule import Rule
from ..model.series import PulledSeries, StartOrigin
from ..timeutil import MINUTE
from .alert_phrase import describe_alert, is_recovering, limit_comparison, onset_text, recovery_streak, worst_alert
from .calibration import calibration_sentence
from .comments import mute_sentence, next_page_sentence
from .explanation import contribution_of, drift_sentence, drift_share_text, explanation_text
from .facts_table import confidence_facts, window_text
from .formatting import bare_value, duration, finding_labels, percent, quantity, row_count, start_text, utc_time
from .markdown import plain_line
from .money import impact_clause
from .next_steps import first_step, target_clause, version_lead
from .past_episodes import past_episode_lines
from .recent_changes import recent_change_lines
from .release import version_differences
from .rollback_choice import add_rollback_choice, candidate_rows

MIN_WIDTH, MAX_WIDTH = 60, 100
INDENT = 10
"""Columns of a section's title."""
MAX_SEGMENTS, MAX_CHANGES, MAX_DEPLOYMENTS, MAX_OTHER_ALERTS, MAX_FEATURES = 5, 6, 3, 5, 5
MAX_STEPS = 50
"""The newest points whose distances show how often one is logged."""
MAX_CANDIDATES = 3
_LASTING_TITLES = ("Data", "Deployed", "Go back", "Open", "Unknown")
SECTION_TITLES = frozenset(
    ("Page", "Since", "Earlier", "Also", "Where", "Why", "Drifted", "Changed", "Before", *_LASTING_TITLES)
)
_COMMAND, _NO_BREAK = re.compile("`[^`]*`"), "\ue000"
"""The second stands for a space at which no line breaks."""
NO_HEALTHY_VERSION = "no healthy version on record"
DRIFT_KINDS = ("data-drift", "prediction-drift", "label-drift")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``down`` says why the metrics cannot be read; the rest of the diagnosis is then what other services show."""

    headline: str
    sections: Mapping[str, tuple[str, ...]]
    """Title -> lines; of a healthy model the title is empty."""
    next: str
    firing: bool
    down: str = ""


@dataclass(frozen=True, slots=True)
class DiagnosisInput:
    """Everything known of one model; what could not be read is ``None``, with the reason in ``problems``."""

    model: Model
    groups: tuple[Group, ...]
    pull: PulledSeries
    observed: ModelObservation | None
    registry: Registry | None
    problems: tuple[str, ...] = ()
    others: tuple[Group, ...] = ()
    """Those of other models."""
    recent_changes: RecentChanges = field(default_factory=RecentChanges)
    """What changed before the shown group began to fire."""
    past_episodes: PastEpisodes = field(default_factory=PastEpisodes)
    """The earlier episodes of the shown group."""
    registers: Mapping[str, Register] = field(default_factory=dict)
    """By group key the register with what has happened since its issue was written; those of the issues by default."""
    shown: str = ""
    """Key of the group to show, where it fires; by default the worst."""
    other_issues: tuple[ObservedIssue, ...] = ()
    """Those of other models, which can lead its alerts."""


def rank_firing_groups(
    groups: Iterable[Group], registers: Mapping[str, Register], now: float, shown: str = ""
) -> list[tuple[Group, str]]:
    """Those that fire, each with what mutes it: ``shown`` first, then what calls for action; of these, and of the rest,
    the worst first, muted or not. Last comes what another alert mutes, since that one explains it."""
    firing = [group for group in groups if group.state is AlertState.FIRING]
    muted = [(group, mute_sentence(group, registers.get(group.key), now)) for group in firing]

    def order(pair: tuple[Group, str]) -> tuple[bool, bool, bool, int, bool]:
        group, mute = pair
        is_rest = not calls_for_action(group, registers.get(group.key), now)
        is_explained = any(one.by == INHIBITION for one in group.mutes)
        severity = group.severity.code if group.severity else 0
        return group.key != shown, is_rest, is_explained, -severity, bool(mute)

    return sorted(muted, key=order)


def calls_for_action(group: Group, register: Register | None, now: float) -> bool:
    """Whether the firing group has actions, and nobody has set it aside: who acknowledges it works on it."""
    if not group.do or not mute_sentence(group, register, now):
        return bool(group.do)
    if group.mutes or register is None or register.ack_by == CLOSING:
        return False
    mute = person_mute(register, group.severity or register.severity, now)
    return mute is not None and mute.by == ACK


def diagnose(known: DiagnosisInput, now: float) -> Diagnosis:
    kept = {**_issue_registers(known), **known.registers}
    ranked = rank_firing_groups(known.groups, kept, now, known.shown)
    firing, mutes = [group for group, _ in ranked], {group.key: mute for group, mute in ranked}
    if known.pull.error:
        return _diagnose_without_metrics(known, now)
    if not firing:
        return _diagnose_healthy(known, now)
    registers = [issue.register for issue in known.observed.issues if issue.trusted] if known.observed else []
    worst = add_rollback_choice(firing[0], known.registry, registers)
    sections = {
        "Muted": filter(None, (plain_line(mutes[worst.key], 300),)),
        "Page": filter(None, (next_page_sentence(kept.get(worst.key), known.model, now),)),
        "Since": _onset_lines(worst, known.model, now),
        "Earlier": past_episode_lines(known.past_episodes),
        "Also": _other_alerts(firing[1:], mutes),
        "Where": _segment_lines(worst),
        "Why": filter(None, (explanation_text(worst.evidence.why, inputs=False, gradual=worst.evidence.is_gradual),)),
        "Calibration": filter(None, (calibration_sentence(worst.evidence.calibration),)),
        "Drifted": _drift_lines(worst, firing),
        "Changed": _version_changes(known, worst, kept.get(worst.key)),
        "Before": recent_change_lines(_not_deployed(_without_known_problems(known))),
        "Data": (describe_freshness(known.pull, known.model.rules, now, worst.rule),),
        "Deployed": _deployment_lines(known, now),
        "Go back": _rollback_lines(worst),
        **_observed_sections(known),
        "Elsewhere": _other_models(known.others),
    }
    state = str(worst.severity).upper() + (", recovering" if recovery_streak(worst) or is_recovering(worst) else "")
    state += " (muted)" if mutes[worst.key] else ""
    cost = f"; {clause}" if (clause := impact_clause(worst.evidence.money)) else ""
    headline = plain_line(f"{state} · {worst.model}: {describe_alert(worst).sentence}{cost}", 400)
    return Diagnosis(headline, _non_empty(sections), _next_step(known, worst, now), firing=True)


def _issue_registers(known: DiagnosisInput) -> dict[str, Register]:
    """By group key the register of the newest issue, whether a person closed it or not."""
    issues = sorted(known.observed.issues if known.observed else (), key=lambda issue: issue.number)
    return {issue.group: issue.register for issue in issues if issue.register}


def _observed_sections(known: DiagnosisInput) -> dict[str, Iterable[str]]:
    return {"Open": _open_items(known), "Unknown": (plain_line(trouble, 300) for trouble in known.problems)}


def _non_empty(sections: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    all_lines = {title: tuple(lines) for title, lines in sections.items()}
    return {title: lines for title, lines in all_lines.items() if lines}


def _onset_lines(group: Group, model: Model, now: float) -> Iterator[str]:
    """Since when, over which window, and with what confidence."""
    alert = worst_alert(group)
    rule = next((rule for rule in model.rules if rule.name == group.rule), None)
    parts = [onset_text(group, group.start, now).removeprefix("since ")] if group.start is not None else []
    if alert is not None and alert.finding.value is not None and not group.built_in:
        parts += [window_text(rule, group.evidence.held)] if rule and rule.anomaly is None else []
        parts += confidence_facts(alert.finding, group.unit)
    if parts:
        yield plain_line(", ".join(parts))


def _other_alerts(firing: Sequence[Group], mutes: Mapping[str, str]) -> Iterator[str]:
    for group in firing[:MAX_OTHER_ALERTS]:
        muted = f" (muted: {mutes[group.key]})" if mutes[group.key] else ""
        yield plain_line(f"{group.severity}: {describe_alert(group).sentence}{muted}", 200)
    if len(firing) > MAX_OTHER_ALERTS:
        yield f"{len(firing) - MAX_OTHER_ALERTS} more: modelwatch check"


def _without_known_problems(known: DiagnosisInput) -> RecentChanges:
    """What changed before, without the error that keeps the issues from being read, too."""
    name = f"{known.model.github.repository}: "
    errors = [problem.rpartition(name)[2] for problem in known.problems if name in problem]
    problems = [one for one in known.recent_changes.problems if one.rpartition(name)[2] not in errors]
    return replace(known.recent_changes, problems=tuple(problems))


def _not_deployed(recent: RecentChanges) -> RecentChanges:
    """Without the versions, which the deployments show."""
    return replace(recent, changes=tuple(one for one in recent.changes if one.kind is not RecentChangeKind.VERSION))


def _other_models(groups: Sequence[Group]) -> Iterator[str]:
    """Other models that fire, with the worst alert of each."""
    firing = [group for group in groups if group.state is AlertState.FIRING and group.severity]
    firing.sort(key=lambda group: -(group.severity.code if group.severity else 0))
    worst = {group.model: group for group in reversed(firing)}
    shown = sorted(worst.values(), key=firing.index)
    for group in shown[:MAX_OTHER_ALERTS]:
        yield plain_line(f"{group.model}: {group.severity}, {describe_alert(group).sentence}", 200)
    if len(shown) > MAX_OTHER_ALERTS:
        yield f"{len(shown) - MAX_OTHER_ALERTS} more models: modelwatch check"


def _segment_lines(group: Group) -> Iterator[str]:
    evidence = group.evidence
    if group.built_in or evidence.drifted or group.kind in DRIFT_KINDS:
        return
    word = "drop" if evidence.why and evidence.why.total < 0 else "rise"
    for finding in evidence.segments[:MAX_SEGMENTS]:
        if finding.severity is None:
            continue
        part = contribution_of(evidence.why, finding)
        share = f", {part[1]} of the {word}" if part else ""
        n = f", {row_count(finding.n)}" if finding.n is not None else ""
        change = f" ({percent(finding.change)})" if finding.change is not None else ""
        before = f"{bare_value(finding.baseline, group.unit)} → " if finding.baseline is not None else ""
        value = bare_value(finding.value, group.unit)
        yield plain_line(f"{finding_labels(finding)}: {before}{value}{change}{n}{share}")


def _drift_lines(worst: Group, firing: Sequence[Group]) -> Iterator[str]:
    """The features that drifted most: by the drift rules, else as inputs that drifted at the same time."""
    names: set[str] = set()
    for group in (worst, *(group for group in firing if group is not worst and group.kind in DRIFT_KINDS)):
        for feature in group.evidence.drifted[:MAX_FEATURES]:
            names.add(feature.feature)
            yield drift_sentence(feature, plain_line)
        if group.kind in DRIFT_KINDS and not group.evidence.drifted:  # a score that the serving job logged
            breaches = [finding for finding in group.evidence.segments[:MAX_FEATURES] if finding.severity is not None]
            names.update(map(finding_labels, breaches))
            yield from (plain_line(f"{finding_labels(row)}: {quantity(row.value, group.unit)}") for row in breaches)
    inputs = worst.evidence.why.features if worst.evidence.why else ()
    for drifted in [drifted for drifted in inputs if drifted.feature not in names][:MAX_FEATURES]:
        share = f", {drift_share_text(drifted.share, 'change')}" if drifted.share is not None else ""
        yield plain_line(f"{drifted.feature}: {quantity(drifted.value, drifted.unit)}, rule {drifted.rule}{share}")


def _version_changes(known: DiagnosisInput, worst: Group, register: Register | None) -> Iterator[str]:
    """What changed since the last healthy version, or with the rollback from the version before."""
    evidence = worst.evidence
    if not evidence.version:
        return
    others = [record for record in evidence.health if record.version not in (evidence.version, FALLBACK)]
    replaced = next(iter(others), None)
    is_rollback = replaced is not None and replaced.rolled_back != ""
    before = replaced.version if replaced and is_rollback else next(iter(evidence.previous), "")
    line = f"version {before} {'(rolled back)' if is_rollback else '(healthy)'}" if before else NO_HEALTHY_VERSION
    lead, start = version_lead(worst, register), start_text(evidence.version_since, evidence.version_origin)
    when = start if lead is None else f"{duration(lead)} before it began" if lead >= MINUTE else "right before it began"
    yield plain_line(f"{line} → {evidence.version}, {when}")
    registry = known.registry
    if registry is None or not before:
        return
    old, new = registry.version(before), registry.version(evidence.version)
    if old is None or new is None or old.name == new.name:
        return
    changes = [change for change in version_differences(old, new) if not change.same and change.what != "content"]
    for change in changes[:MAX_CHANGES]:
        what, a, b = change.cells
        yield plain_line(f"{what}: {a or 'none'} → {b or 'none'}", 160)
    if len(changes) > MAX_CHANGES:
        command = f"modelwatch release diff {plain_line(old.name)} {plain_line(new.name)}"
        yield f"{len(changes) - MAX_CHANGES} more: {command}"


def _rollback_lines(worst: Group) -> Iterator[str]:
    """The versions to go back to, ranked, with the reasons."""
    for rank, title, reason in candidate_rows(worst.evidence.rollback)[:MAX_CANDIDATES]:
        yield plain_line(f"{rank} {title} {reason}", 300)


def _deployment_lines(known: DiagnosisInput, now: float) -> Iterator[str]:
    newest = sorted(known.pull.deployments, key=lambda deployment: -deployment.since)
    for deployment in newest[:MAX_DEPLOYMENTS]:
        start = known.pull.start_of(deployment)
        more = "more than " if start.origin is StartOrigin.EDGE else ""
        age = _age_text(now - start.began)
        yield plain_line(f"{deployment.version} {start_text(start.began, start.origin)}, {more}{age} ago")
    for move in known.pull.moves[:MAX_DEPLOYMENTS]:
        to = f" to {move.destination}" if move.destination else ""
        by = f" by {move.by}" if move.by else ""
        yield plain_line(f"{move.verb}{to}{by} at {utc_time(move.at)}: {move.state}")


def _open_items(known: DiagnosisInput) -> Iterator[str]:
    observed = known.observed
    if observed is None:
        return
    for issue in observed.issues:
        if issue.is_under_way and issue.register is not None:
            by_hand = "" if issue.state == "open" else " (closed by hand)"
            yield f"issue {plain_line(issue.register.rule)}{by_hand}: {issue.url}"
            page = issue.register.page
            if page is not None and page.state == "triggered" and observed.incidents is None:
                yield f"incident ({page.severity}): {page.url or 'at PagerDuty'}"
            for record in issue.register.dispatches:
                if record.state in _OPEN_STATES:
                    to = target_clause(record, plain_line)
                    yield plain_line(f"{record.name}{to}: {record.state} {record.url}", 200)
    for incident in observed.incidents or ():
        if incident.status != "resolved" and incident.url:
            by = f" by {plain_line(incident.by, 60)}" if incident.by and incident.status == ACKNOWLEDGED else ""
            yield f"incident {incident.status}{by}: {incident.url}"


_OPEN_STATES = (DispatchState.PROPOSED, DispatchState.INTENDED, DispatchState.SENT)


def _next_step(known: DiagnosisInput, worst: Group, now: float) -> str:
    """One step, the most useful one: that of the issue that is about the group, or of the one that leads it."""
    own = known.observed.issues if known.observed else ()
    issues = [issue for issue in (*own, *known.other_issues) if issue.is_under_way]
    registers = {issue.group: known.registers.get(issue.group, issue.register) for issue in issues}
    groups = {group.key: group for group in known.groups} | {worst.key: worst}

    def rank(issue: ObservedIssue) -> tuple[bool, int]:
        return issue.group != worst.key, -issue.number

    for issue in sorted(issues, key=rank):
        register = registers[issue.group]
        if register is None or not (issue.group == worst.key or register.leads(worst.key)):
            continue
        leader = groups.get(issue.group)
        if leader is None or leader.state is not AlertState.FIRING:
            return f"Work on the issue that leads: {plain_line(issue.url, 300)}."
        return first_step(leader, register, known.model, now, plain_line(issue.url))
    return first_step(worst, None, known.model, now)


def describe_freshness(pull: PulledSeries, rules: Sequence[Rule], now: float, rule_name: str = "") -> str:
    """How old the newest judged point is, of the rule that is latest; where none is late, of ``rule_name``.

    Labels that come late, and jobs that stopped logging, look like this. A rule is late by ``cadence.overdue_after``,
    the lag of its labels aside.
    """
    known = {rule.name: (rule, times) for rule in rules if (times := _judged_times(pull, rule))}
    if not known:
        return "no data yet: the history has no point of any rule"
    ages = {name: max(now - times[-1], 0.0) for name, (_, times) in known.items()}
    behind = {name: _seconds_overdue(rule, times, now) for name, (rule, times) in known.items()}
    worst = max(behind, key=lambda name: behind[name])
    shown = rule_name if behind[worst] <= 0 and rule_name in behind else worst
    late = f"; rule {plain_line(shown)} expects one every {_step_text(*known[shown])}" if behind[shown] > 0 else ""
    return f"the newest judged point is {_age_text(ages[shown])} old{late}"


def _step_text(rule: Rule, times: Sequence[float]) -> str:
    lag = f", {duration(rule.total_lag)} later" if rule.total_lag else ""
    return f"{duration(usual_gap(times[-MAX_STEPS - 1 :]) or rule.every)}{lag}"


def _seconds_overdue(rule: Rule, times: Sequence[float], now: float) -> float:
    """How long a point is overdue; negative where none is."""
    return max(now - times[-1], 0.0) - rule.total_lag - series_overdue_after(times, rule.every)


def _overdue_rules(known: DiagnosisInput, now: float) -> Iterator[str]:
    """The names of the rules whose metric lacks a point."""
    for rule in known.model.rules:
        times = _judged_times(known.pull, rule)
        if times and _seconds_overdue(rule, times, now) > 0:
            yield plain_line(rule.name)


def _judged_times(pull: PulledSeries, rule: Rule) -> Sequence[float]:
    """The times of the points of the rule's metric, ascending: those of the series that is the most recent."""
    scalars = {pattern.name for pattern in (rule.metric, *rule.segments)}
    spec = drift_spec(rule.metric)
    bins = {pattern.name for pattern in spec.patterns} if spec else set()
    found = [series.times for series in pull.series if series.name in scalars and len(series)]
    found += [series.times for series in pull.histograms if series.name in bins and not series.source and len(series)]
    return max(found, key=lambda times: times[-1]) if found else ()


def _diagnose_healthy(known: DiagnosisInput, now: float) -> Diagnosis:
    pending = [group for group in known.groups if group.state is AlertState.PENDING]
    decided = (Outcome.OK, Outcome.BREACH)
    judged = sum(group.latest is not None and group.latest.outcome in decided for group in known.groups)
    version = max(known.pull.deployments, key=lambda deployment: deployment.since, default=None)
    stale = list(_overdue_rules(known, now))
    rules = "1 rule" if judged == 1 else f"{judged} rules"
    head = f"HEALTHY · {known.model.name}: nothing is firing; {rules} judged at {utc_time(now)}"
    if unproven := list(_unproven_rules(known)):
        head = f"NOT PROVEN · {known.model.name}: nothing is firing, but beyond a limit: {'; '.join(unproven)}"
    if stale:
        head = f"STALE · {known.model.name}: nothing is firing, but data is overdue: {', '.join(stale)}"
    state = f"Pending: {', '.join(plain_line(group.rule) for group in pending)}."
    if not pending:
        state = f"{describe_freshness(known.pull, known.model.rules, now).capitalize()}."
    serving = "No version is logged."
    if version:
        start = known.pull.start_of(version)
        serving = f"Version {plain_line(version.version)}, {start_text(start.began, start.origin)}."
    step = "Check the job that logs the metric; the rules are judged by old data until it does." if stale else ""
    return Diagnosis(plain_line(head, 300), {"": (state, serving)}, step, firing=False)


def _unproven_rules(known: DiagnosisInput) -> Iterator[str]:
    """The rules whose newest value is beyond a limit, and has too few rows to prove anything."""
    for group in known.groups:
        rule = next((rule for rule in known.model.rules if rule.name == group.rule), None)
        newest = group.latest
        if rule is None or newest is None or newest.outcome is not Outcome.OK or not is_beyond_limits(newest, rule):
            continue
        rows = f" ({row_count(newest.n)})" if newest.n is not None else ""
        yield f"{plain_line(rule.name)} {limit_comparison(newest, (), group.unit)}{rows}"


def _age_text(seconds: float) -> str:
    return duration(seconds) if seconds >= 60 else "less than a minute"


def _diagnose_without_metrics(known: DiagnosisInput, now: float) -> Diagnosis:
    """The diagnosis while the source is down: what GitHub, PagerDuty and the registry show."""
    issues = known.observed.issues if known.observed else ()
    registers = [issue.register for issue in issues if issue.state == "open" and issue.register]
    last = []
    for register in registers:
        judged = "at an unknown time" if register.told is None else f"{_age_text(now - register.told)} ago"
        last.append(plain_line(f"{register.rule} was {register.severity} when last judged, {judged}"))
    sections = {"Before": last or ["no open issue reports an alert"], **_observed_sections(known)}
    head = f"UNKNOWN · {known.model.name}: the metrics cannot be read: {known.pull.error}"
    step = (
        "Nothing closes or starts while the source is down. Fix the problem in the first line, or wait if W&B itself "
        "is down (status.wandb.com); then run this again."
    )
    return Diagnosis(plain_line(head, 400), _non_empty(sections), step, firing=bool(registers), down=known.pull.error)


def diagnosis_text(diagnosis: Diagnosis, width: int = MAX_WIDTH) -> str:
    """For a terminal of ``width`` columns: at most a screen."""
    across = min(max(width, MIN_WIDTH), MAX_WIDTH)
    parts = [_wrap("", diagnosis.headline, across)]
    parts += [""] if any(diagnosis.sections) else []
    for title, lines in diagnosis.sections.items():
        indent = f"{title:<{INDENT}}" if title else ""
        parts += [_wrap(indent if at == 0 else " " * len(indent), line, across) for at, line in enumerate(lines)]
    if diagnosis.next:
        parts += ["", _wrap(f"{'Next':<{INDENT}}", diagnosis.next, across)]
    return "\n".join(parts)


def _wrap(indent: str, text: str, width: int) -> str:
    """Lines of ``width`` columns; a command in backticks stays on one line, so that it can be copied."""
    whole = _COMMAND.sub(lambda match: match[0].replace(" ", _NO_BREAK), text)
    filled = textwrap.fill(
        whole,
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(_NO_BREAK, " ")
