"""How old what is judged is: labels that come late, and jobs that stopped logging, look like this."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..model.alert import AlertState, Group
from ..model.drift import drift_spec
from ..model.monitored_model import Model
from ..model.plan import ModelObservation, ObservedIssue
from ..model.register import DispatchRecord, DispatchState
from ..model.release import PRODUCTION, MoveState, MoveVerb, Registry
from ..model.rule import Rule
from ..model.series import PulledSeries
from ..timeutil import HOUR
from . import explanation
from .alert_phrase import describe_alert, recovery_streak, worst_alert
from .explanation import contribution_of
from .facts_table import confidence_facts, window_text
from .formatting import bare_value, duration, finding_labels, percent, quantity, row_count, utc_time
from .markdown import plain_line
from .next_steps import first_step
from .release import version_differences


def describe_freshness(pull: PulledSeries, rules: Sequence[Rule], now: float, rule_name: str = "") -> str:
    """Of the rule whose points are furthest behind what it allows; where none is late, of the one ``asked`` about."""
    ages = {rule.name: _newest_age(pull, rule, now) for rule in rules}
    behind = {rule.name: age - rule.lag - rule.every for rule in rules if (age := ages[rule.name]) is not None}
    if not behind:
        return "no points at all in the history"
    worst = max(behind, key=lambda name: behind[name])
    told = rule_name if behind[worst] <= 0 and rule_name in behind else worst
    age = ages[told] or 0.0
    old = f"{duration(age)} old" if age >= 60 else "less than a minute old"
    allowed = age - behind[told]
    late = f", later than the {duration(allowed)} that rule {plain_line(told)} allows" if behind[told] > 0 else ""
    return f"the newest judged point is {old}{late}"


def _newest_age(pull: PulledSeries, rule: Rule, now: float) -> float | None:
    """Seconds since the newest point of the rule's metric."""
    scalars = {pattern.name for pattern in (rule.metric, *rule.segments)}
    asked = drift_spec(rule)
    bins = {pattern.name for pattern in asked.patterns} if asked else set()
    times = [one.times[-1] for one in pull.series if one.name in scalars and len(one)]
    times += [one.times[-1] for one in pull.histograms if one.name in bins and not one.source and len(one)]
    return max(now - max(times), 0.0) if times else None


MIN_WIDTH, MAX_WIDTH = 60, 100
INDENT = 10
"""Columns of a section's title."""
MAX_SEGMENTS, MAX_CHANGES, MAX_DEPLOYMENTS, MAX_OTHER_ALERTS, MAX_FEATURES = 5, 6, 3, 5, 5
DEFAULT_SETTLE = 2 * HOUR
"""For so long a move that no workflow made is given to help."""
RECOVERY_VERBS = (MoveVerb.ROLLBACK, MoveVerb.PROMOTE, MoveVerb.DEGRADE)
DRIFT_KINDS = ("data-drift", "prediction-drift", "label-drift")


@dataclass(frozen=True, slots=True)
class DiagnosisSection:
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``firing``: whether anything does; ``down``: why the metrics cannot be read, then only the rest is known."""

    headline: str
    sections: tuple[DiagnosisSection, ...]
    next: str
    firing: bool
    down: str = ""


@dataclass(frozen=True, slots=True)
class DiagnosisInput:
    """Everything there is to know of one model; what could not be read is ``None``, and told in ``troubles``."""

    model: Model
    groups: tuple[Group, ...]
    pull: PulledSeries
    observed: ModelObservation | None
    registry: Registry | None
    problems: tuple[str, ...] = ()


def diagnose(known: DiagnosisInput, now: float) -> Diagnosis:
    firing = [group for group in known.groups if group.state is AlertState.FIRING]
    firing.sort(key=lambda group: (bool(group.mutes), -(group.severity.code if group.severity else 0)))
    if known.pull.error:
        return _diagnose_without_metrics(known, now)
    if not firing:
        return _diagnose_healthy(known, now)
    worst = firing[0]
    sections = [
        DiagnosisSection("Since", tuple(_onset_lines(worst, known.model, now))),
        DiagnosisSection("Also", tuple(_other_alerts(firing[1:]))),
        DiagnosisSection("Where", tuple(_segment_lines(worst))),
        DiagnosisSection("Why", tuple(filter(None, (explanation.explanation_text(worst.evidence.why, inputs=False),)))),
        DiagnosisSection("Drifted", tuple(_drift_lines(worst, firing))),
        DiagnosisSection("Changed", tuple(_version_changes(known, worst))),
        DiagnosisSection("Data", (describe_freshness(known.pull, known.model.rules, now, worst.rule),)),
        DiagnosisSection("Deployed", tuple(_deployment_lines(known, now))),
        DiagnosisSection("Open", tuple(_open_items(known))),
        DiagnosisSection("Unknown", tuple(plain_line(trouble, 300) for trouble in known.problems)),
    ]
    shown = tuple(section for section in sections if section.lines)
    return Diagnosis(_headline(worst), shown, _next_step(known, worst, now), firing=True)


def _headline(group: Group) -> str:
    muted = " (muted)" if group.mutes else ""
    calmer = ", recovering" if recovery_streak(group) else ""
    return plain_line(
        f"{str(group.severity).upper()}{calmer}{muted} · {group.model}: {describe_alert(group).sentence}", 400
    )


def _onset_lines(group: Group, model: Model, now: float) -> Iterator[str]:
    """Since when, over how long, and how sure."""
    alert = worst_alert(group)
    rule = next((one for one in model.rules if one.name == group.rule), None)
    parts = [f"{utc_time(group.start)} ({duration(now - group.start)})"] if group.start is not None else []
    if alert is not None and alert.finding.value is not None and not group.built_in:
        parts += [f"over {window_text(rule.window)}"] if rule else []
        parts += confidence_facts(alert.finding, group.unit)
    if parts:
        yield plain_line(", ".join(parts))


def _other_alerts(firing: Sequence[Group]) -> Iterator[str]:
    for group in firing[:MAX_OTHER_ALERTS]:
        told = describe_alert(group)
        muted = f" (muted: {group.mutes[0].reason})" if group.mutes else ""
        yield plain_line(f"{group.severity}: {told.sentence}{muted}", 200)
    if len(firing) > MAX_OTHER_ALERTS:
        yield f"{len(firing) - MAX_OTHER_ALERTS} more: modelwatch check"


def _segment_lines(group: Group) -> Iterator[str]:
    evidence = group.evidence
    if group.built_in or evidence.drifted or group.kind in DRIFT_KINDS:
        return
    word = "drop" if evidence.why and evidence.why.total < 0 else "rise"
    for found in evidence.segments[:MAX_SEGMENTS]:
        if found.severity is None:
            continue
        part = contribution_of(evidence.why, found.labels)
        of = f", {part[1]} of the {word}" if part else ""
        n = f", {row_count(found.n)}" if found.n is not None else ""
        change = f" ({percent(found.change)})" if found.change is not None else ""
        before = f"{bare_value(found.baseline, group.unit)} → " if found.baseline is not None else ""
        yield plain_line(f"{finding_labels(found)}: {before}{bare_value(found.value, group.unit)}{change}{n}{of}")


def _drift_lines(worst: Group, firing: Sequence[Group]) -> Iterator[str]:
    """The features that moved most: as the drift rules say it, else as inputs that moved at the same time."""
    told: set[str] = set()
    for group in (worst, *(one for one in firing if one is not worst and one.kind in DRIFT_KINDS)):
        for one in group.evidence.drifted[:MAX_FEATURES]:
            told.add(one.feature)
            yield explanation.drift_sentence(one, plain_line)
        if group.kind in DRIFT_KINDS and not group.evidence.drifted:  # measured by whoever logs
            bad = [one for one in group.evidence.segments[:MAX_FEATURES] if one.severity is not None]
            told.update(finding_labels(one) for one in bad)
            yield from (plain_line(f"{finding_labels(one)}: {quantity(one.value, group.unit)}") for one in bad)
    moved = worst.evidence.why.features if worst.evidence.why else ()
    for found in [one for one in moved if one.feature not in told][:MAX_FEATURES]:
        lies = f", {found.share * 100:.0f} % of the change lies where it moved" if found.share is not None else ""
        yield plain_line(f"{found.feature}: {quantity(found.value, found.unit)}, rule {found.rule}{lies}")


def _version_changes(known: DiagnosisInput, worst: Group) -> Iterator[str]:
    """Since the last version that was healthy."""
    evidence = worst.evidence
    before = next(iter(evidence.previous), "")
    if not evidence.version:
        return
    served = f"{evidence.version}, first seen {utc_time(evidence.version_since)}"
    yield plain_line(f"{f'version {before} (healthy)' if before else 'none known as healthy'} → {served}")
    registry = known.registry
    if registry is None or not before:
        return
    old, new = registry.version(before), registry.version(evidence.version) or registry.holder(PRODUCTION)
    if old is None or new is None or old.name == new.name:
        return
    found = [one for one in version_differences(old, new) if not one.same and one.what != "content"]
    for one in found[:MAX_CHANGES]:
        what, a, b = one.cells
        yield plain_line(f"{what}: {a or 'none'} → {b or 'none'}", 160)
    if len(found) > MAX_CHANGES:
        yield f"{len(found) - MAX_CHANGES} more: modelwatch release diff {plain_line(old.name)} {plain_line(new.name)}"


def _deployment_lines(known: DiagnosisInput, now: float) -> Iterator[str]:
    for one in sorted(known.pull.deployments, key=lambda one: -one.since)[:MAX_DEPLOYMENTS]:
        yield plain_line(f"{one.version} at {utc_time(one.since)}, {duration(now - one.since)} ago")
    for move in known.pull.moves[:MAX_DEPLOYMENTS]:
        to = f" to {move.target}" if move.target else ""
        by = f" by {move.by}" if move.by else ""
        yield plain_line(f"{move.verb}{to}{by} at {utc_time(move.at)}: {move.state}")


def _open_items(known: DiagnosisInput) -> Iterator[str]:
    observed = known.observed
    if observed is None:
        return
    for issue in observed.issues:
        if issue.state == "open" and issue.register is not None:
            yield f"issue {plain_line(issue.register.rule)}: {issue.url}"
            page = issue.register.page
            if page is not None and page.state == "triggered" and observed.incidents is None:
                yield f"incident ({page.severity}): {page.url or 'at PagerDuty'}"
            yield from (_dispatch_line(record) for record in issue.register.dispatches if record.state in _OPEN_STATES)
    for incident in observed.incidents or ():
        if incident.status != "resolved" and incident.url:
            yield f"incident {incident.status}: {incident.url}"


_OPEN_STATES = (DispatchState.PROPOSED, DispatchState.INTENDED, DispatchState.SENT)


def _dispatch_line(record: DispatchRecord) -> str:
    to = f" to {record.target_version}" if record.target_version else ""
    return plain_line(f"{record.name}{to}: {record.state}{f' {record.url}' if record.url else ''}", 200)


def _next_step(known: DiagnosisInput, worst: Group, now: float) -> str:
    """One step, the most useful one."""
    issue = _issue_of(known, worst)
    register, where = (issue.register, plain_line(issue.url)) if issue else (None, "the GitHub issue")
    page = f"Read the runbook: modelwatch runbooks render {plain_line(worst.kind)} --model {plain_line(worst.model)}"
    return _recent_move_step(known, worst, now) or first_step(worst, register, known.model, now, where) or page


def _recent_move_step(known: DiagnosisInput, worst: Group, now: float) -> str:
    """A release was moved since it began, by whomever: what serves now has to be judged before anything else."""
    newest = max(known.pull.moves, key=lambda move: move.at, default=None)
    if newest is None or newest.verb not in RECOVERY_VERBS or worst.start is None or newest.at < worst.start:
        return ""
    workflow = known.model.workflow(newest.verb)
    if now - newest.at >= (workflow.settle if workflow else DEFAULT_SETTLE):
        return ""
    if newest.state is not MoveState.DONE:
        return f"See to the {newest.verb} of {utc_time(newest.at)}, which is {newest.state}: modelwatch release status"
    to = f" to {plain_line(newest.target)}" if newest.target else ""
    return f"Wait: the {newest.verb}{to} was made at {utc_time(newest.at)}; the next windows tell whether it helped."


def _issue_of(known: DiagnosisInput, group: Group) -> ObservedIssue | None:
    issues = known.observed.issues if known.observed else ()
    return next((one for one in issues if one.group == group.key and one.state == "open"), None)


def _diagnose_healthy(known: DiagnosisInput, now: float) -> Diagnosis:
    pending = [group for group in known.groups if group.state is AlertState.PENDING]
    judged = sum(group.latest is not None for group in known.groups)
    version = max(known.pull.deployments, key=lambda one: one.since, default=None)
    head = f"HEALTHY · {known.model.name}: nothing fires; {judged} rules judged at {utc_time(now)}"
    soon = ", ".join(plain_line(group.rule) for group in pending)
    state = (
        f"Pending: {soon}." if pending else f"{describe_freshness(known.pull, known.model.rules, now).capitalize()}."
    )
    serving = (
        f"Version {plain_line(version.version)} since {utc_time(version.since)}."
        if version
        else "No version is logged."
    )
    return Diagnosis(plain_line(head, 300), (DiagnosisSection("", (state, serving)),), "", firing=False)


def _ago(time: float | None, now: float) -> str:
    if time is None:
        return "at an unknown time"
    return f"{duration(now - time)} ago" if now - time >= 60 else "less than a minute ago"


def _diagnose_without_metrics(known: DiagnosisInput, now: float) -> Diagnosis:
    """The source is down: what GitHub, PagerDuty and the registry still say."""
    issues = [one for one in (known.observed.issues if known.observed else ()) if one.state == "open" and one.register]
    last = [
        plain_line(f"{one.register.rule} was {one.register.severity} when last judged, "
             f"{_ago(one.register.told, now)}")
        for one in issues if one.register
    ]  # fmt: skip
    sections = (
        DiagnosisSection("Before", tuple(last) or ("no open issue says that anything fired",)),
        DiagnosisSection("Open", tuple(_open_items(known))),
        DiagnosisSection("Unknown", tuple(plain_line(trouble, 300) for trouble in known.problems)),
    )
    shown = tuple(section for section in sections if section.lines)
    head = f"UNKNOWN · {known.model.name}: the metrics cannot be read: {known.pull.error}"
    step = (
        "Nothing closes or starts while the source is down. Mend what the first line says, or, if W&B itself is down "
        "(status.wandb.com), wait; then run this again."
    )
    return Diagnosis(plain_line(head, 400), shown, step, firing=bool(issues), down=known.pull.error)


def diagnosis_text(found: Diagnosis, width: int = MAX_WIDTH) -> str:
    """For a terminal of ``width`` columns: at most a screen."""
    across = min(max(width, MIN_WIDTH), MAX_WIDTH)
    parts = [_wrap("", found.headline, across)]
    parts += [""] if any(section.title for section in found.sections) else []
    for section in found.sections:
        indent = f"{section.title:<{INDENT}}" if section.title else ""
        blank = " " * len(indent)
        parts += [_wrap(indent if at == 0 else blank, one, across) for at, one in enumerate(section.lines)]
    if found.next:
        parts += ["", f"{'Next':<{INDENT}}{found.next}"]  # whole: it is there to be copied
    return "\n".join(parts)


def _wrap(indent: str, said: str, width: int) -> str:
    return textwrap.fill(
        said,
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
