"""What becomes of a group's issue: opened, updated, reopened, closed, or left alone with a reason."""

from __future__ import annotations

from dataclasses import replace

from ...model.plan import ChangeKind, Target
from ...model.register import STALE_SINCE, Register
from ...model.rule import Mode
from ...timeutil import DAY, HOUR
from ..draft import GroupPlan
from ..incidents import plan as incidents_plan
from ..register.recovery import missing_proof
from ..workflows import escalation
from ..workflows import plan as workflows_plan
from .commands import apply_commands

REOPEN_WITHIN = DAY
"""A group that fires again so soon (seconds) after closing reopens its episode; later it is the next one."""
REFRESH_INTERVAL = 6 * HOUR
"""The evidence of a firing group is written anew this often (seconds), without a comment."""


def plan_group(draft: GroupPlan) -> None:
    """Fill ``work.changes`` and ``work.skips``: issue, then page, then dispatches; to close, first the incident."""
    if draft.blocked_reason:
        _plan_blocked(draft)
        return
    detect_manual_changes(draft)
    workflows_plan.sync_runs(draft)
    incidents_plan.notify_workflow_ends(draft)
    apply_commands(draft)
    _record_rule_change(draft)
    if draft.firing:
        _plan_firing(draft)
    elif draft.issue is not None:
        _plan_not_firing(draft)
    else:
        incidents_plan.resolve_without_issue(draft)
        draft.changes.extend(draft.page_changes)


def _plan_blocked(draft: GroupPlan) -> None:
    """The issue cannot be touched. A page too many is better than none."""
    draft.register = None
    if draft.firing:
        guard, reason = muted_reason(draft)
        if guard:
            _skip_muted(draft, guard, reason)
        else:
            _plan_without_issue(draft, draft.blocked_reason, draft.blocking_guard)
    elif draft.blocking_guard == "mode":
        incidents_plan.resolve_without_issue(draft)
        draft.changes.extend(draft.page_changes)
    elif draft.incident is not None or any(i.group == draft.group.key and i.trusted for i in draft.observed.issues):
        draft.add_skip(ChangeKind.CLOSE_ISSUE, f"nothing is closed: {draft.blocked_reason}", draft.blocking_guard)


def _plan_without_issue(draft: GroupPlan, reason: str, guard: str) -> None:
    """No issue is opened for a firing group, so nothing remembers what is done: the page goes, a workflow does not."""
    draft.add_skip(ChangeKind.OPEN_ISSUE, reason, guard)
    draft.register, draft.notes = None, []
    incidents_plan.plan_page(draft)
    draft.changes.extend(draft.page_changes)
    for verb in workflows_plan.workflow_verbs(draft.group.do):
        draft.add_skip(verb, f"no dispatch without an issue that keeps its intent: {reason}", guard)


def _record_rule_change(draft: GroupPlan) -> None:
    """A changed rule: what was proved under the old one proves nothing now."""
    register = draft.register
    if register is not None and register.closed is None and register.config != draft.group.config:
        draft.update_register(config=draft.group.config, config_since=draft.now)


def _plan_firing(draft: GroupPlan) -> None:
    guard, reason = muted_reason(draft)
    if guard:
        _skip_muted(draft, guard, reason)
        _update_issue(draft, f"muted ({guard})")
        draft.changes.extend(draft.page_changes)
        workflows_plan.add_dispatch_changes(draft)  # what a person asks for goes, muted or not
        return
    if not draft.group.do and not draft.issue_open:
        draft.add_skip(ChangeKind.OPEN_ISSUE, f"the tier that holds ({draft.severity}) asks for nothing")
        _update_issue(draft, "")
        draft.changes.extend(draft.page_changes)
        workflows_plan.add_dispatch_changes(draft)
        return
    kind, why = _choose_change(draft)
    refused = "" if kind is ChangeKind.UPDATE_ISSUE else draft.counter.issue_refusal()
    if refused:
        _plan_without_issue(draft, refused, "blast-radius")
        return
    _record_findings(draft, kind)
    escalation.escalate_if_unrecovered(draft)
    incidents_plan.plan_page(draft)
    workflows_plan.plan_dispatches(draft)
    if kind is ChangeKind.UPDATE_ISSUE:
        _update_issue(draft, "")
    else:
        draft.counter.issues += 1
        _write_issue(draft, kind, why)
    draft.changes.extend(draft.page_changes)
    workflows_plan.add_dispatch_changes(draft)


def _skip_muted(draft: GroupPlan, guard: str, reason: str) -> None:
    known = draft.issue is not None
    draft.add_skip(ChangeKind.UPDATE_ISSUE if known else ChangeKind.OPEN_ISSUE, reason, guard)
    if "page" in draft.group.do:
        draft.add_skip(ChangeKind.TRIGGER_INCIDENT, reason, guard)
    for verb in workflows_plan.workflow_verbs(draft.group.do):
        draft.add_skip(verb, reason, guard)


def _choose_change(draft: GroupPlan) -> tuple[ChangeKind, str]:
    """What a firing, unmuted group asks of its issue, and why."""
    register = draft.register
    if draft.issue_open:
        return ChangeKind.UPDATE_ISSUE, ""
    if register is None:
        return ChangeKind.OPEN_ISSUE, f"{draft.group.rule} is {draft.severity}"
    if closed_by_person(draft):
        why = "it got worse" if draft.severity > register.severity else "24 h have passed"
        return ChangeKind.REOPEN_ISSUE, f"a person closed the issue, the alert still fires, and {why}"
    if register.closed is not None and draft.now - register.closed <= REOPEN_WITHIN:
        return ChangeKind.REOPEN_ISSUE, "it fires again within 24 h of closing: the same episode"
    past = f"the issue of episode {register.episode} was closed more than 24 h ago"
    return ChangeKind.OPEN_ISSUE, f"{draft.group.rule} is {draft.severity}; {past}"


def _record_findings(draft: GroupPlan, kind: ChangeKind) -> None:
    """Write into the draft what the evaluation says, and note what changed."""
    group, register, severity = draft.group, draft.register, draft.severity
    fired = {alert.fingerprint for alert in group.alerts if alert.state is group.state}
    if kind is ChangeKind.OPEN_ISSUE or register is None:
        _start_episode(draft, tuple(sorted(fired)))
        return
    if kind is ChangeKind.REOPEN_ISSUE:
        ended = register.closed if register.closed is not None else (draft.issue.closed_at if draft.issue else None)
        if register.closed is not None:
            draft.update_register(refired=draft.now)
        draft.add_note("reopened", int(ended or 0))
        if register.config != group.config:
            draft.update_register(config=group.config, config_since=draft.now)
        draft.update_register(closed=None, ack_until=None, muted_until_recovery=False, verdict="")
    elif severity != register.severity:
        draft.add_note("worse" if severity > register.severity else "better", f"{severity}-{_severity_since(draft)}")
    if severity > register.severity:
        draft.update_register(ack_until=None)
    peak = max(register.peak, severity, *(alert.peak for alert in group.alerts if alert.state is group.state))
    draft.update_register(severity=severity, peak=peak, alerts=tuple(sorted({*register.alerts, *fired})))


def _severity_since(draft: GroupPlan) -> int:
    """When the present severity began to hold: the same number until it changes, however often this is planned."""
    times = [
        step.time
        for alert in draft.group.alerts
        if alert.severity is draft.severity and not alert.mutes
        for step in alert.steps[-1:]
    ]
    return int(min(times, default=draft.group.newest))


def _start_episode(draft: GroupPlan, fired: tuple[str, ...]) -> None:
    group = draft.group
    start = group.newest if group.start is None else group.start
    peaks = [alert.peak for alert in group.alerts if alert.state is group.state]
    old = draft.register
    draft.issue, draft.previous_register, draft.notes = None, None, []
    draft.register = Register(
        group=group.key,
        model=group.model,
        rule=group.rule,
        episode=old.episode + 1 if old else 1,
        start=start,
        severity=draft.severity,
        peak=max([draft.severity, *peaks]),
        config=group.config,
        config_since=start,
        alerts=fired,
    )


def _plan_not_firing(draft: GroupPlan) -> None:
    register = draft.register
    if register is None:
        return
    if closed_by_us(draft):
        incidents_plan.resolve_after_close(draft)
        _update_issue(draft, "what became of the workflows")
        draft.changes.extend(draft.page_changes)
        return
    missing = missing_proof(draft.group, register)
    if missing:
        draft.add_skip(ChangeKind.CLOSE_ISSUE, f"recovery is not proved: {missing}", "proof")
        _update_issue(draft, "")
        draft.changes.extend(draft.page_changes)
        return
    incidents_plan.plan_resolve(draft, "the alert has recovered")
    draft.changes.extend(draft.page_changes)
    by_person = closed_by_person(draft)
    began = max(time for time in (register.start, register.refired, register.reopened) if time is not None)
    draft.update_register(closed=draft.now, reopened=None, ack_until=None, muted_until_recovery=False)
    if by_person:
        _update_issue(draft, "it recovered; a person had closed the issue already")
    else:
        draft.add_note("recovered", int(began))
        _write_issue(draft, ChangeKind.CLOSE_ISSUE, "recovery is proved for every alert of the episode")


def _update_issue(draft: GroupPlan, why: str) -> None:
    """Update the issue where its register changes, something is to be said, or the evidence has grown old."""
    before, register = draft.previous_register, draft.register
    if before is None or register is None:
        return
    changed = _changed_fields(before, register)
    if draft.notes and not changed:
        changed = "there is something to say"
    if not changed and draft.firing and draft.issue_open and not _is_muted(draft) and before.told is not None:
        old = draft.now - before.told >= REFRESH_INTERVAL
        changed = f"the evidence is {REFRESH_INTERVAL / HOUR:g} h old" if old else ""
        changed = "fresh evidence was asked for" if before.told == STALE_SINCE else changed
    if not changed and before.troubles != tuple(draft.troubles) and not draft.page_changes and not draft.intents:
        changed = "what cannot be done" if draft.troubles else "what could not be done is done or not needed any more"
    if changed:
        _write_issue(draft, ChangeKind.UPDATE_ISSUE, f"{why}: {changed}" if why else changed)


def _is_muted(draft: GroupPlan) -> bool:
    return bool(muted_reason(draft)[0])


def _changed_fields(before: Register, register: Register) -> str:
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


def _write_issue(draft: GroupPlan, kind: ChangeKind, reason: str) -> None:
    if draft.register is None:
        return
    draft.register = replace(draft.register, told=draft.now, troubles=tuple(draft.troubles))
    draft.changes.append(
        draft.make_change(
            kind, reason, expect=draft.expect_unchanged(), register=draft.register, notes=tuple(draft.notes)
        )
    )


def issues_unavailable(draft: GroupPlan) -> tuple[str, str]:
    """(guard, why) the issues of a model cannot be touched at all; ("", "") where they can."""
    trouble = draft.observed.error_for(Target.ISSUE)
    if trouble:
        return "unobservable", f"issues cannot be observed: {trouble}"
    if not draft.model.github.repository:
        return "unobservable", "no GitHub repository is configured for this model"
    if draft.model.issue_mode is not Mode.ACT:
        return "mode", f"issues are in mode {draft.model.issue_mode}: reported only"
    return "", ""


ACKNOWLEDGEMENT_LENGTH = DAY
"""Closing an issue while its alert fires acknowledges the alert this long (seconds)."""


def closed_by_person(draft: GroupPlan) -> bool:
    return (
        draft.issue is not None
        and draft.issue.state == "closed"
        and draft.register is not None
        and draft.register.closed is None
    )


def closed_by_us(draft: GroupPlan) -> bool:
    return (
        draft.issue is not None
        and draft.issue.state == "closed"
        and draft.register is not None
        and draft.register.closed is not None
    )


def detect_manual_changes(draft: GroupPlan) -> None:
    """Write into the draft what a person did since the register was written."""
    register = draft.register
    if register is None or draft.issue is None:
        return
    if draft.issue.state == "open":
        if register.closed is not None:
            # We close with one write of body and state, so an open issue whose register says "closed" was reopened.
            draft.update_register(closed=None, reopened=draft.now)
        if register.muted_until_recovery:
            draft.update_register(muted_until_recovery=False)
    elif closed_by_person(draft) and draft.firing and draft.issue.state_reason == "not_planned":
        draft.update_register(muted_until_recovery=True)


def muted_reason(draft: GroupPlan) -> tuple[str, str]:
    """(guard, reason) of what keeps a firing group from sending messages, pages and dispatches; ("", "") if nothing."""
    if draft.group.mutes:
        mute = draft.group.mutes[0]
        return mute.by, f"muted by {mute.by}: {mute.reason}"
    register = draft.register
    if register is None:
        return "", ""
    if register.silence_until is not None and draft.now < register.silence_until:
        return "silence", f"silenced on the issue by {register.silence_by}: {register.silence_reason}"
    if register.muted_until_recovery and register.closed is None:
        return "silence", 'a person closed the issue as "not planned": silenced until it recovers'
    if register.verdict == "false-positive" and register.closed is None:
        return "silence", "a person called it a false positive: silenced until it recovers"
    until = _acknowledged_until(draft)
    if until is not None and draft.now < until and draft.severity <= register.severity:
        return (
            "ack",
            f"a person acknowledged it for {(until - draft.now) / HOUR:.0f} more hours, or until it gets worse",
        )
    return "", ""


def _acknowledged_until(draft: GroupPlan) -> float | None:
    """By the command ``ack``, or by closing the issue while the alert fires."""
    register, issue = draft.register, draft.issue
    if register is None or issue is None or register.closed is not None:
        return None
    closed_at = issue.created_at if issue.closed_at is None else issue.closed_at
    by_closing = closed_at + ACKNOWLEDGEMENT_LENGTH if closed_by_person(draft) else None
    known = [until for until in (register.ack_until, by_closing) if until is not None]
    return max(known, default=None)
