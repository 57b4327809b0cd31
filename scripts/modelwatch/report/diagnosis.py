"""What the first five minutes of an incident ask for, on one screen: the answer, why, what changed, what is open, and
one next step. Plain text: everything from outside is one harmless line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..model.alert import AlertState, Group
from ..model.plan import ModelObservation, ObservedIssue
from ..model.register import DispatchRecord, DispatchState
from ..model.release import PRODUCTION, MoveState, MoveVerb, Registry
from ..model.rule import HOUR
from ..model.series import PulledSeries
from ..model.watched import Model
from . import drifted, why
from .escape import line
from .facts import sureness, window
from .freshness import freshness
from .release import differences
from .steps import first
from .told import recovering, tell, worst_alert
from .units import bare, quantity
from .why import part_of
from .words import duration, percent, rows, when, where_of

NARROWEST, WIDEST = 60, 100
INDENT = 10
"""Columns of a section's title."""
SEGMENTS, CHANGES, DEPLOYMENTS, OTHERS, FEATURES = 5, 6, 3, 5, 5
SETTLE = 2 * HOUR
"""For so long a move that no workflow made is given to help."""
WAYS_OUT = (MoveVerb.ROLLBACK, MoveVerb.PROMOTE, MoveVerb.DEGRADE)
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
    pull: PulledSeries
    observed: ModelObservation | None
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
        Section("Since", tuple(_measured(worst, known.model, now))),
        Section("Also", tuple(_others(firing[1:]))),
        Section("Where", tuple(_segments(worst))),
        Section("Why", tuple(filter(None, (why.plain(worst.evidence.why, inputs=False),)))),
        Section("Drifted", tuple(_drifted(worst, firing))),
        Section("Changed", tuple(_changed(known, worst))),
        Section("Data", (freshness(known.pull, known.model.rules, now, worst.rule),)),
        Section("Deployed", tuple(_deployments(known, now))),
        Section("Open", tuple(_open(known))),
        Section("Unknown", tuple(line(trouble, 300) for trouble in known.troubles)),
    ]
    shown = tuple(section for section in sections if section.lines)
    return Diagnosis(_headline(worst), shown, _next(known, worst, now), firing=True)


def _headline(group: Group) -> str:
    muted = " (muted)" if group.mutes else ""
    calmer = ", recovering" if recovering(group) else ""
    return line(f"{str(group.severity).upper()}{calmer}{muted} · {group.model}: {tell(group).sentence}", 400)


def _measured(group: Group, model: Model, now: float) -> Iterator[str]:
    """Since when, over how long, and how sure."""
    alert = worst_alert(group)
    rule = next((one for one in model.rules if one.name == group.rule), None)
    parts = [f"{when(group.start)} ({duration(now - group.start)})"] if group.start is not None else []
    if alert is not None and alert.finding.value is not None and not group.built_in:
        parts += [f"over {window(rule.window)}"] if rule else []
        parts += sureness(alert.finding, group.unit)
    if parts:
        yield line(", ".join(parts))


def _others(firing: Sequence[Group]) -> Iterator[str]:
    for group in firing[:OTHERS]:
        told = tell(group)
        muted = f" (muted: {group.mutes[0].reason})" if group.mutes else ""
        yield line(f"{group.severity}: {told.sentence}{muted}", 200)
    if len(firing) > OTHERS:
        yield f"{len(firing) - OTHERS} more: modelwatch check"


def _segments(group: Group) -> Iterator[str]:
    evidence = group.evidence
    if group.built_in or evidence.drifted or group.kind in DRIFTS:
        return
    word = "drop" if evidence.why and evidence.why.total < 0 else "rise"
    for found in evidence.segments[:SEGMENTS]:
        if found.severity is None:
            continue
        part = part_of(evidence.why, found.labels)
        of = f", {part[1]} of the {word}" if part else ""
        n = f", {rows(found.n)}" if found.n is not None else ""
        change = f" ({percent(found.change)})" if found.change is not None else ""
        before = f"{bare(found.baseline, group.unit)} → " if found.baseline is not None else ""
        yield line(f"{where_of(found)}: {before}{bare(found.value, group.unit)}{change}{n}{of}")


def _drifted(worst: Group, firing: Sequence[Group]) -> Iterator[str]:
    """The features that moved most: as the drift rules say it, else as inputs that moved at the same time."""
    told: set[str] = set()
    for group in (worst, *(one for one in firing if one is not worst and one.kind in DRIFTS)):
        for one in group.evidence.drifted[:FEATURES]:
            told.add(one.feature)
            yield drifted.sentence(one, line)
        if group.kind in DRIFTS and not group.evidence.drifted:  # measured by whoever logs
            bad = [one for one in group.evidence.segments[:FEATURES] if one.severity is not None]
            told.update(where_of(one) for one in bad)
            yield from (line(f"{where_of(one)}: {quantity(one.value, group.unit)}") for one in bad)
    moved = worst.evidence.why.features if worst.evidence.why else ()
    for found in [one for one in moved if one.feature not in told][:FEATURES]:
        lies = f", {found.share * 100:.0f} % of the change lies where it moved" if found.share is not None else ""
        yield line(f"{found.feature}: {quantity(found.value, found.unit)}, rule {found.rule}{lies}")


def _changed(known: Known, worst: Group) -> Iterator[str]:
    """Since the last version that was healthy."""
    evidence = worst.evidence
    before = next(iter(evidence.previous), "")
    if not evidence.version:
        return
    served = f"{evidence.version}, first seen {when(evidence.version_since)}"
    yield line(f"{f'version {before} (healthy)' if before else 'none known as healthy'} → {served}")
    registry = known.registry
    if registry is None or not before:
        return
    old, new = registry.version(before), registry.version(evidence.version) or registry.holder(PRODUCTION)
    if old is None or new is None or old.name == new.name:
        return
    found = [one for one in differences(old, new) if not one.same and one.what != "content"]
    for one in found[:CHANGES]:
        what, a, b = one.cells
        yield line(f"{what}: {a or 'none'} → {b or 'none'}", 160)
    if len(found) > CHANGES:
        yield f"{len(found) - CHANGES} more: modelwatch release diff {line(old.name)} {line(new.name)}"


def _deployments(known: Known, now: float) -> Iterator[str]:
    for one in sorted(known.pull.deployments, key=lambda one: -one.since)[:DEPLOYMENTS]:
        yield line(f"{one.version} at {when(one.since)}, {duration(now - one.since)} ago")
    for move in known.pull.moves[:DEPLOYMENTS]:
        to = f" to {move.target}" if move.target else ""
        by = f" by {move.by}" if move.by else ""
        yield line(f"{move.verb}{to}{by} at {when(move.at)}: {move.state}")


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


_OPEN = (DispatchState.PROPOSED, DispatchState.INTENDED, DispatchState.SENT)


def _record(record: DispatchRecord) -> str:
    to = f" to {record.target_version}" if record.target_version else ""
    return line(f"{record.name}{to}: {record.state}{f' {record.url}' if record.url else ''}", 200)


def _next(known: Known, worst: Group, now: float) -> str:
    """One step, the most useful one."""
    issue = _issue_of(known, worst)
    register, where = (issue.register, line(issue.url)) if issue else (None, "the GitHub issue")
    page = f"Read the runbook: modelwatch runbooks render {line(worst.kind)} --model {line(worst.model)}"
    return _moved(known, worst, now) or first(worst, register, known.model, now, where) or page


def _moved(known: Known, worst: Group, now: float) -> str:
    """A release was moved since it began, by whomever: what serves now has to be judged before anything else."""
    newest = max(known.pull.moves, key=lambda move: move.at, default=None)
    if newest is None or newest.verb not in WAYS_OUT or worst.start is None or newest.at < worst.start:
        return ""
    workflow = known.model.workflow(newest.verb)
    if now - newest.at >= (workflow.settle if workflow else SETTLE):
        return ""
    if newest.state is not MoveState.DONE:
        return f"See to the {newest.verb} of {when(newest.at)}, which is {newest.state}: modelwatch release status"
    to = f" to {line(newest.target)}" if newest.target else ""
    return f"Wait: the {newest.verb}{to} was made at {when(newest.at)}; the next windows tell whether it helped."


def _issue_of(known: Known, group: Group) -> ObservedIssue | None:
    issues = known.observed.issues if known.observed else ()
    return next((one for one in issues if one.group == group.key and one.state == "open"), None)


def _healthy(known: Known, now: float) -> Diagnosis:
    pending = [group for group in known.groups if group.state is AlertState.PENDING]
    judged = sum(group.latest is not None for group in known.groups)
    version = max(known.pull.deployments, key=lambda one: one.since, default=None)
    head = f"HEALTHY · {known.model.name}: nothing fires; {judged} rules judged at {when(now)}"
    soon = ", ".join(line(group.rule) for group in pending)
    state = f"Pending: {soon}." if pending else f"{freshness(known.pull, known.model.rules, now).capitalize()}."
    serving = f"Version {line(version.version)} since {when(version.since)}." if version else "No version is logged."
    return Diagnosis(line(head, 300), (Section("", (state, serving)),), "", firing=False)


def _ago(time: float | None, now: float) -> str:
    if time is None:
        return "at an unknown time"
    return f"{duration(now - time)} ago" if now - time >= 60 else "less than a minute ago"


def _blind(known: Known, now: float) -> Diagnosis:
    """The source is down: what GitHub, PagerDuty and the registry still say."""
    issues = [one for one in (known.observed.issues if known.observed else ()) if one.state == "open" and one.register]
    last = [
        line(f"{one.register.rule} was {one.register.severity} when last judged, "
             f"{_ago(one.register.told, now)}")
        for one in issues if one.register
    ]  # fmt: skip
    sections = (
        Section("Before", tuple(last) or ("no open issue says that anything fired",)),
        Section("Open", tuple(_open(known))),
        Section("Unknown", tuple(line(trouble, 300) for trouble in known.troubles)),
    )
    shown = tuple(section for section in sections if section.lines)
    head = f"UNKNOWN · {known.model.name}: the metrics cannot be read: {known.pull.error}"
    step = (
        "Nothing closes or starts while the source is down. Mend what the first line says, or, if W&B itself is down "
        "(status.wandb.com), wait; then run this again."
    )
    return Diagnosis(line(head, 400), shown, step, firing=bool(issues), down=known.pull.error)


def text(found: Diagnosis, width: int = WIDEST) -> str:
    """For a terminal of ``width`` columns: at most a screen."""
    across = min(max(width, NARROWEST), WIDEST)
    parts = [_wrapped("", found.headline, across)]
    parts += [""] if any(section.title for section in found.sections) else []
    for section in found.sections:
        indent = f"{section.title:<{INDENT}}" if section.title else ""
        blank = " " * len(indent)
        parts += [_wrapped(indent if at == 0 else blank, one, across) for at, one in enumerate(section.lines)]
    if found.next:
        parts += ["", f"{'Next':<{INDENT}}{found.next}"]  # whole: it is there to be copied
    return "\n".join(parts)


def _wrapped(indent: str, said: str, width: int) -> str:
    return textwrap.fill(
        said,
        width,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
