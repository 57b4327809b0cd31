"""What the first five minutes of an incident ask for, on one screen: the answer, why, what changed, what is open, and
one next step. Plain text: everything from outside is one harmless line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..model.alert import AlertState, Group
from ..model.plan import Observed, ObservedIssue
from ..model.register import DispatchRecord, ReceiptState
from ..model.release import PRODUCTION, Registry
from ..model.rule import DAY
from ..model.series import Pull
from ..model.watched import Model
from . import drifted, why
from .escape import line
from .facts import value as measured
from .release import SHORT_COMMIT, differences
from .told import tell, worst_alert
from .units import bare
from .why import part_of
from .words import count, duration, percent, when, where_of

WIDTH = 100
SEGMENTS, CHANGES, DEPLOYMENTS, OTHERS = 5, 6, 3, 5
DRIFTS = ("data-drift", "prediction-drift", "label-drift")


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``firing``: whether anything does; ``down``: why the metrics cannot be read, then only the rest is known."""

    headline: str
    sections: tuple[Section, ...]
    next: str
    firing: bool
    down: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """Everything there is to know of one model; what could not be read is ``None``, and told in ``troubles``."""

    model: Model
    groups: tuple[Group, ...]
    pull: Pull
    observed: Observed | None
    registry: Registry | None
    troubles: tuple[str, ...] = ()


def diagnose(known: Known, now: float) -> Diagnosis:
    firing = [group for group in known.groups if group.state is AlertState.FIRING]
    firing.sort(key=lambda group: (bool(group.mutes), -(group.severity.code if group.severity else 0)))
    if known.pull.error:
        return _blind(known, now)
    if not firing:
        return _healthy(known, now)
    worst = firing[0]
    sections = [
        Section("Also firing", tuple(_others(firing[1:]))),
        Section("Where", tuple(_segments(worst))),
        Section("Why", tuple(_why(worst, firing))),
        Section("Changed", tuple(_changed(known, worst))),
        Section("Labels", tuple(_labels(known, now))),
        Section("Deployed", tuple(_deployments(known, now))),
        Section("Open", tuple(_open(known))),
        Section("Not known", tuple(line(trouble, 300) for trouble in known.troubles)),
    ]
    shown = tuple(section for section in sections if section.lines)
    return Diagnosis(_headline(worst, known.model, now), shown, _next(known, worst), firing=True)


def _headline(group: Group, model: Model, now: float) -> str:
    told, alert = tell(group), worst_alert(group)
    rule = next((one for one in model.rules if one.name == group.rule), None)
    since = f"since {when(group.start)} ({duration(now - group.start)})" if group.start is not None else ""
    size = ""
    if alert is not None and told.value:
        size = f" [{measured(alert.finding, rule, group.unit).removeprefix(told.value).strip(' ,')}]"
    muted = " (muted)" if group.mutes else ""
    name = f"{str(group.severity).upper()}{muted} · {group.model}"
    return line(f"{name}: {told.sentence}, {since}{size if size != ' []' else ''}", 400)


def _others(firing: Sequence[Group]) -> Iterator[str]:
    for group in firing[:OTHERS]:
        told = tell(group)
        muted = f" (muted: {group.mutes[0].reason})" if group.mutes else ""
        yield line(f"{group.severity}: {told.sentence}{muted}", 200)
    if len(firing) > OTHERS:
        yield f"{len(firing) - OTHERS} more: modelwatch check"


def _segments(group: Group) -> Iterator[str]:
    evidence = group.evidence
    if group.built_in or evidence.drifted:
        return
    word = "drop" if evidence.why and evidence.why.total < 0 else "rise"
    for found in evidence.segments[:SEGMENTS]:
        if found.severity is None:
            continue
        part = part_of(evidence.why, found.labels)
        of = f", {part[1]} of the {word}" if part else ""
        n = f", n = {count(found.n)}" if found.n is not None else ""
        change = f" ({percent(found.change)})" if found.change is not None else ""
        yield line(
            f"{where_of(found)}: {bare(found.baseline, group.unit)} → {bare(found.value, group.unit)}{change}{n}{of}"
        )


def _why(worst: Group, firing: Sequence[Group]) -> Iterator[str]:
    if said := why.plain(worst.evidence.why):
        yield said
    for group in (worst, *(one for one in firing if one is not worst and one.kind in DRIFTS)):
        if told := drifted.plain(group.evidence):
            yield f"{line(group.rule)}: {told}"


def _changed(known: Known, worst: Group) -> Iterator[str]:
    """Since the last version that was healthy."""
    evidence = worst.evidence
    before = next(iter(evidence.previous), "")
    if not evidence.version:
        return
    yield line(
        f"version {before or 'unknown'} (healthy) → {evidence.version}, first seen {when(evidence.version_since)}"
    )
    registry = known.registry
    if registry is None or not before:
        return
    old, new = registry.version(before), registry.version(evidence.version) or registry.holder(PRODUCTION)
    if old is None or new is None or old.name == new.name:
        return
    found = [one for one in differences(old, new) if not one.same and one.what != "content"]
    for one in found[:CHANGES]:
        short = SHORT_COMMIT if one.what == "commit" else None
        yield line(f"{one.what}: {one.a[:short] or 'none'} → {one.b[:short] or 'none'}", 160)
    if len(found) > CHANGES:
        yield f"{len(found) - CHANGES} more: modelwatch release diff {line(old.name)} {line(new.name)}"


def _labels(known: Known, now: float) -> Iterator[str]:
    """How old the newest judged points are, where that is more than the rules expect."""
    newest = max((one.times[-1] for one in known.pull.series if len(one)), default=None)
    if newest is None:
        yield "no points at all in the history"
        return
    lag = max((rule.lag + rule.every for rule in known.model.rules), default=DAY)
    late = f", later than the {duration(lag)} that the rules allow" if now - newest > lag else ""
    yield f"the newest judged point is {duration(max(now - newest, 0.0))} old{late}"


def _deployments(known: Known, now: float) -> Iterator[str]:
    for one in sorted(known.pull.deployments, key=lambda one: -one.since)[:DEPLOYMENTS]:
        yield line(f"{one.version} at {when(one.since)}, {duration(now - one.since)} ago")
    for move in known.pull.moves[:DEPLOYMENTS]:
        to = f" to {move.target}" if move.target else ""
        yield line(f"{move.verb}{to} by {move.by or 'unknown'} at {when(move.at)}: {move.state}")


def _open(known: Known) -> Iterator[str]:
    observed = known.observed
    if observed is None:
        return
    for issue in observed.issues:
        if issue.state == "open" and issue.register is not None:
            yield f"issue {line(issue.register.rule)}: {issue.url}"
            page = issue.register.page
            if page is not None and page.state == "triggered" and observed.incidents is None:
                yield f"incident ({page.severity}): {page.url or 'at PagerDuty'}"
            yield from (_record(record) for record in issue.register.dispatches if record.state in _OPEN)
    for incident in observed.incidents or ():
        if incident.status != "resolved" and incident.url:
            yield f"incident {incident.status}: {incident.url}"


_OPEN = (ReceiptState.PROPOSED, ReceiptState.INTENDED, ReceiptState.SENT)


def _record(record: DispatchRecord) -> str:
    to = f" to {record.target_version}" if record.target_version else ""
    return line(f"{record.name}{to}: {record.state}{f' {record.url}' if record.url else ''}", 200)


def _next(known: Known, worst: Group) -> str:
    """One step, the most useful one."""
    issue = _issue_of(known, worst)
    proposed = [
        record for record in (issue.register.dispatches if issue and issue.register else ())
        if record.state is ReceiptState.PROPOSED
    ]  # fmt: skip
    if issue is not None and proposed:
        to = f" to {line(proposed[0].target_version)}" if proposed[0].target_version else ""
        verb = line(proposed[0].verb)
        return f"Decide about the {verb}{to}: comment `/modelwatch approve {line(proposed[0].name)}` on {issue.url}"
    running = [
        record for record in (issue.register.dispatches if issue and issue.register else ())
        if record.state in (ReceiptState.INTENDED, ReceiptState.SENT)
    ]  # fmt: skip
    if running:
        return f"Wait for {line(running[0].name)}{f': {running[0].url}' if running[0].url else ''}"
    if worst.kind == "data-quality":
        return "Mend the data, not the model: until then retraining is blocked."
    if worst.runbook:
        return f"Follow the runbook: {worst.runbook}"
    return f"Read the runbook: modelwatch runbooks render {line(worst.kind)} --model {line(worst.model)}"


def _issue_of(known: Known, group: Group) -> ObservedIssue | None:
    issues = known.observed.issues if known.observed else ()
    return next((one for one in issues if one.group == group.key and one.state == "open"), None)


def _healthy(known: Known, now: float) -> Diagnosis:
    pending = [group for group in known.groups if group.state is AlertState.PENDING]
    judged = sum(group.latest is not None for group in known.groups)
    version = max(known.pull.deployments, key=lambda one: one.since, default=None)
    head = f"HEALTHY · {known.model.name}: nothing fires; {judged} rules judged at {when(now)}"
    soon = ", ".join(line(group.rule) for group in pending)
    state = f"Pending: {soon}." if pending else _labels_line(known, now)
    serving = f"Version {line(version.version)} since {when(version.since)}." if version else "No version is logged."
    return Diagnosis(line(head, 300), (Section("", (state, serving)),), "", firing=False)


def _labels_line(known: Known, now: float) -> str:
    return next(_labels(known, now)).capitalize() + "."


def _blind(known: Known, now: float) -> Diagnosis:
    """The source is down: what GitHub, PagerDuty and the registry still say."""
    issues = [one for one in (known.observed.issues if known.observed else ()) if one.state == "open" and one.register]
    last = [
        line(f"{one.register.rule} was {one.register.severity} when last judged, "
             f"{duration(now - one.register.told) if one.register.told else 'at an unknown time'} ago")
        for one in issues if one.register
    ]  # fmt: skip
    sections = (
        Section("Last known", tuple(last) or ("no open issue says that anything fired",)),
        Section("Open", tuple(_open(known))),
        Section("Not known", tuple(line(trouble, 300) for trouble in known.troubles)),
    )
    shown = tuple(section for section in sections if section.lines)
    head = f"UNKNOWN · {known.model.name}: the metrics cannot be read: {known.pull.error}"
    step = "Nothing closes or starts while the source is down: look at W&B's own status, then run this again."
    return Diagnosis(line(head, 400), shown, step, firing=bool(issues), down=known.pull.error)


def text(found: Diagnosis) -> str:
    """For a terminal: at most a screen."""
    parts = [_wrapped("", found.headline)]
    for section in found.sections:
        indent = f"{section.title:<12}" if section.title else ""
        blank = " " * len(indent)
        parts += [_wrapped(indent if place == 0 else blank, one) for place, one in enumerate(section.lines)]
    if found.next:
        parts.append(f"\n{'Next':<12}{found.next}")
    return "\n".join(parts)


def _wrapped(indent: str, said: str) -> str:
    """Prose wraps at words, under itself; what holds an address stays whole, so that it can be clicked and copied."""
    if "://" in said:
        return indent + said
    rows = textwrap.wrap(said, WIDTH - len(indent), break_long_words=False, break_on_hyphens=False) or [""]
    return indent + ("\n" + " " * len(indent)).join(rows)
