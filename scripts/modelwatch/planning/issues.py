"""What becomes of a group's issue: opened, updated, reopened, closed, or left alone with a reason."""

from __future__ import annotations

from dataclasses import replace

from ..model.plan import ChangeKind, Target
from ..model.register import Register
from ..model.rule import DAY, HOUR, Mode
from . import dispatches, pages, people, settling
from .commands import obey
from .people import closed_by_person, closed_by_us
from .proof import missing_proof
from .receiving import STALE
from .work import Work

REFIRES_WITHIN = DAY
"""A group that fires again so soon (seconds) after closing reopens its episode; later it is the next one."""
REFRESH = 6 * HOUR
"""The evidence of a firing group is written anew this often (seconds), without a comment."""


def plan_group(work: Work) -> None:
    """Fill ``work.changes`` and ``work.skips``: issue, then page, then dispatches; to close, first the incident."""
    if work.blocked:
        _blocked(work)
        return
    people.notice(work)
    dispatches.follow(work)
    pages.tell(work)
    obey(work)
    _config(work)
    if work.firing:
        _firing(work)
    elif work.issue is not None:
        _not_firing(work)
    else:
        pages.resolve_orphan(work)
        work.changes.extend(work.pages)


def _blocked(work: Work) -> None:
    """The issue cannot be touched. A page too many is better than none."""
    work.register = None
    if work.firing:
        guard, reason = people.hush(work)
        if guard:
            _muted(work, guard, reason)
        else:
            _without_issue(work, work.blocked, work.guard)
    elif work.guard == "mode":
        pages.resolve_orphan(work)
        work.changes.extend(work.pages)
    elif work.incident is not None or any(i.group == work.group.key and i.trusted for i in work.observed.issues):
        work.skip(ChangeKind.CLOSE_ISSUE, f"nothing is closed: {work.blocked}", work.guard)


def _without_issue(work: Work, reason: str, guard: str) -> None:
    """No issue is opened for a firing group, so nothing remembers what is done: the page goes, a workflow does not."""
    work.skip(ChangeKind.OPEN_ISSUE, reason, guard)
    work.register, work.notes = None, []
    pages.want(work)
    work.changes.extend(work.pages)
    for verb in dispatches.verbs_of(work.group.do):
        work.skip(verb, f"no dispatch without an issue that keeps its intent: {reason}", guard)


def _config(work: Work) -> None:
    """A changed rule: what was proved under the old one proves nothing now."""
    register = work.register
    if register is not None and register.closed is None and register.config != work.group.config:
        work.amend(config=work.group.config, config_since=work.now)


def _firing(work: Work) -> None:
    guard, reason = people.hush(work)
    if guard:
        _muted(work, guard, reason)
        _update(work, f"muted ({guard})")
        work.changes.extend(work.pages)
        dispatches.send(work)  # what a person asks for goes, muted or not
        return
    if not work.group.do and not work.issue_open:
        work.skip(ChangeKind.OPEN_ISSUE, f"the tier that holds ({work.severity}) asks for nothing")
        _update(work, "")
        work.changes.extend(work.pages)
        dispatches.send(work)
        return
    kind, why = _wanted(work)
    refused = "" if kind is ChangeKind.UPDATE_ISSUE else work.ledger.refuses_issue()
    if refused:
        _without_issue(work, refused, "blast-radius")
        return
    _tell(work, kind)
    settling.watch(work)
    pages.want(work)
    dispatches.want(work)
    if kind is ChangeKind.UPDATE_ISSUE:
        _update(work, "")
    else:
        work.ledger.issues += 1
        _write(work, kind, why)
    work.changes.extend(work.pages)
    dispatches.send(work)


def _muted(work: Work, guard: str, reason: str) -> None:
    known = work.issue is not None
    work.skip(ChangeKind.UPDATE_ISSUE if known else ChangeKind.OPEN_ISSUE, reason, guard)
    if "page" in work.group.do:
        work.skip(ChangeKind.TRIGGER_INCIDENT, reason, guard)
    for verb in dispatches.verbs_of(work.group.do):
        work.skip(verb, reason, guard)


def _wanted(work: Work) -> tuple[ChangeKind, str]:
    """What a firing, unmuted group asks of its issue, and why."""
    register = work.register
    if work.issue_open:
        return ChangeKind.UPDATE_ISSUE, ""
    if register is None:
        return ChangeKind.OPEN_ISSUE, f"{work.group.rule} is {work.severity}"
    if closed_by_person(work):
        why = "it got worse" if work.severity > register.severity else "24 h have passed"
        return ChangeKind.REOPEN_ISSUE, f"a person closed the issue, the alert still fires, and {why}"
    if register.closed is not None and work.now - register.closed <= REFIRES_WITHIN:
        return ChangeKind.REOPEN_ISSUE, "it fires again within 24 h of closing: the same episode"
    past = f"the issue of episode {register.episode} was closed more than 24 h ago"
    return ChangeKind.OPEN_ISSUE, f"{work.group.rule} is {work.severity}; {past}"


def _tell(work: Work, kind: ChangeKind) -> None:
    """Write into the draft what the evaluation says, and note what changed."""
    group, register, severity = work.group, work.register, work.severity
    fired = {alert.fingerprint for alert in group.alerts if alert.state is group.state}
    if kind is ChangeKind.OPEN_ISSUE or register is None:
        _fresh(work, tuple(sorted(fired)))
        return
    if kind is ChangeKind.REOPEN_ISSUE:
        ended = register.closed if register.closed is not None else (work.issue.closed_at if work.issue else None)
        if register.closed is not None:
            work.amend(refired=work.now)
        work.note("reopened", int(ended or 0))
        if register.config != group.config:
            work.amend(config=group.config, config_since=work.now)
        work.amend(closed=None, ack_until=None, muted_until_recovery=False, verdict="")
    elif severity != register.severity:
        work.note("worse" if severity > register.severity else "better", f"{severity}-{_since(work)}")
    if severity > register.severity:
        work.amend(ack_until=None)
    peak = max(register.peak, severity, *(alert.peak for alert in group.alerts if alert.state is group.state))
    work.amend(severity=severity, peak=peak, alerts=tuple(sorted({*register.alerts, *fired})))


def _since(work: Work) -> int:
    """When the present severity began to hold: the same number until it changes, however often this is planned."""
    times = [
        step.time
        for alert in work.group.alerts
        if alert.severity is work.severity and not alert.mutes
        for step in alert.steps[-1:]
    ]
    return int(min(times, default=work.group.newest))


def _fresh(work: Work, fired: tuple[str, ...]) -> None:
    group = work.group
    start = group.newest if group.start is None else group.start
    peaks = [alert.peak for alert in group.alerts if alert.state is group.state]
    old = work.register
    work.issue, work.before, work.notes = None, None, []
    work.register = Register(
        group=group.key,
        model=group.model,
        rule=group.rule,
        episode=old.episode + 1 if old else 1,
        start=start,
        severity=work.severity,
        peak=max([work.severity, *peaks]),
        config=group.config,
        config_since=start,
        alerts=fired,
    )


def _not_firing(work: Work) -> None:
    register = work.register
    if register is None:
        return
    if closed_by_us(work):
        pages.resolve_late(work)
        _update(work, "what became of the workflows")
        work.changes.extend(work.pages)
        return
    missing = missing_proof(work.group, register)
    if missing:
        work.skip(ChangeKind.CLOSE_ISSUE, f"recovery is not proved: {missing}", "proof")
        _update(work, "")
        work.changes.extend(work.pages)
        return
    pages.resolve(work, "the alert has recovered")
    work.changes.extend(work.pages)
    by_person = closed_by_person(work)
    began = max(time for time in (register.start, register.refired, register.reopened) if time is not None)
    work.amend(closed=work.now, reopened=None, ack_until=None, muted_until_recovery=False)
    if by_person:
        _update(work, "it recovered; a person had closed the issue already")
    else:
        work.note("recovered", int(began))
        _write(work, ChangeKind.CLOSE_ISSUE, "recovery is proved for every alert of the episode")


def _update(work: Work, why: str) -> None:
    """Update the issue where its register changes, something is to be said, or the evidence has grown old."""
    before, register = work.before, work.register
    if before is None or register is None:
        return
    changed = _what_changed(before, register)
    if work.notes and not changed:
        changed = "there is something to say"
    if not changed and work.firing and work.issue_open and not _is_hushed(work) and before.told is not None:
        old = work.now - before.told >= REFRESH
        changed = f"the evidence is {REFRESH / HOUR:g} h old" if old else ""
        changed = "fresh evidence was asked for" if before.told == STALE else changed
    if not changed and before.troubles != tuple(work.troubles) and not work.pages and not work.intents:
        changed = "what cannot be done" if work.troubles else "what could not be done is done or not needed any more"
    if changed:
        _write(work, ChangeKind.UPDATE_ISSUE, f"{why}: {changed}" if why else changed)


def _is_hushed(work: Work) -> bool:
    return bool(people.hush(work)[0])


def _what_changed(before: Register, register: Register) -> str:
    """The fields that a reader would see change; what an update writes anyway is no reason for one."""
    names = {
        "severity": "severity",
        "peak": "worst severity",
        "alerts": "alerts",
        "config": "a changed rule",
        "page": "page",
        "dispatches": "workflows",
        "closed": "recovery",
        "reopened": "reopening by a person",
        "silence_until": "silence",
        "commands": "commands",
        "ack_until": "acknowledgement",
        "muted_until_recovery": "silence until recovery",
        "refired": "firing again",
        "verdict": "what a person said of it",
    }
    changed = [text for name, text in names.items() if getattr(before, name) != getattr(register, name)]
    return f"news of {', '.join(changed)}" if changed else ""


def _write(work: Work, kind: ChangeKind, reason: str) -> None:
    if work.register is None:
        return
    work.register = replace(work.register, told=work.now, troubles=tuple(work.troubles))
    work.changes.append(
        work.change(kind, reason, expect=work.expect(), register=work.register, notes=tuple(work.notes))
    )


def unable(work: Work) -> tuple[str, str]:
    """(guard, why) the issues of a model cannot be touched at all; ("", "") where they can."""
    trouble = work.observed.trouble(Target.ISSUE)
    if trouble:
        return "unobservable", f"issues cannot be observed: {trouble}"
    if not work.model.github.repository:
        return "unobservable", "no GitHub repository is configured for this model"
    if work.model.issue_mode is not Mode.ACT:
        return "mode", f"issues are in mode {work.model.issue_mode}: reported only"
    return "", ""
