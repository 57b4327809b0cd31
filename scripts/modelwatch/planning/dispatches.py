"""Dispatches: from the verbs of a ``do`` list to intents, receipts and outcomes.

One verb goes through: intent in the register -> dispatch -> receipt -> outcome. What is unclear after a crash is looked
for among the workflow runs, by the key in their names.
"""

from __future__ import annotations

from dataclasses import replace

from ..model.alert import AlertState, Group
from ..model.plan import ChangeKind, Dispatch, ObservedRun, Target
from ..model.register import DispatchRecord, ReceiptState
from ..model.rule import HOUR, Mode
from ..model.series import show_labels
from ..model.severity import Severity
from ..model.watched import WorkflowSpec
from .guards import FOUND_WITHIN, ONCE, refusal, request_for
from .target import choose_target
from .work import Work

LOST_AT_MOST = 2
"""So many intents of one verb may be lost in an episode; then a person is asked instead."""
_NOT_WORKFLOWS = frozenset({"issue", "page"})
_FIRST = {verb: place for place, verb in enumerate(("rollback", "degrade"))}


def verbs_of(do: tuple[str, ...]) -> list[str]:
    """The workflows of a ``do`` list; a rollback first, since retraining waits for it."""
    return sorted((verb for verb in do if verb not in _NOT_WORKFLOWS), key=lambda verb: _FIRST.get(verb, len(_FIRST)))


def attempt_of(key: str) -> int:
    tail = key.rpartition(".")[2]
    return int(tail) if tail.isdecimal() else 0


def follow(work: Work) -> None:
    """Bring the records of the draft up to date with the workflow runs. Notes what ended."""
    if work.register is None:
        return
    unobservable = work.observed.trouble(Target.DISPATCH)
    for record in work.register.dispatches:
        if record.state is ReceiptState.FINISHED:
            continue
        if unobservable:
            if record.state in (ReceiptState.INTENDED, ReceiptState.SENT):
                work.skip(record.verb, f"{record.name} cannot be followed: {unobservable}", "unobservable")
            continue
        _follow(work, record)


def _follow(work: Work, record: DispatchRecord) -> None:
    run = _run_of(work, record)
    if run is None:
        if record.state is not ReceiptState.INTENDED:
            return
        if work.now - record.at < FOUND_WITHIN:
            work.skip(record.verb, f"waiting: {record.name} was intended, and its workflow run may not be listed yet")
        else:
            work.put(replace(record, state=ReceiptState.LOST))
        return
    state = ReceiptState.FINISHED if run.status == "completed" else ReceiptState.SENT
    seen = replace(record, state=state, run_id=run.id, url=run.url or record.url)
    if state is ReceiptState.FINISHED:
        seen = replace(seen, conclusion=run.conclusion, ended=work.now if run.ended_at is None else run.ended_at)
    work.put(seen)
    if state is ReceiptState.FINISHED:
        outcome = run.conclusion or "no conclusion"
        work.note("workflow", record.name, f"{record.verb} finished: {outcome}")


def _run_of(work: Work, record: DispatchRecord) -> ObservedRun | None:
    """By its key; the newest of several, as a person may run a workflow again."""
    found = [run for run in work.runs if run.key == record.key or (record.run_id and run.id == record.run_id)]
    return max(found, key=lambda run: run.created_at, default=None)


def want(work: Work) -> None:
    """Decide about each workflow that the tier asks for: dispatched, proposed, or skipped with the reason."""
    calm = recovering(work.group)
    for verb in verbs_of(work.group.do):
        if calm:
            work.skip(verb, calm, "recovering")
        else:
            _want(work, verb)


def recovering(group: Group) -> str:
    """A milder tier holds on the way down, too: nothing is started for a metric that is healthy again."""
    firing = [alert for alert in group.alerts if alert.state is AlertState.FIRING and not alert.mutes]
    healthy = bool(firing) and all(alert.finding.clear for alert in firing)
    return "it is recovering: the newest finding of everything that fires is healthy" if healthy else ""


def _want(work: Work, verb: str) -> None:
    register = work.register
    workflow = work.model.workflow(verb)
    if workflow is not None and workflow.mode is Mode.OBSERVE:
        work.skip(verb, f"workflow {verb!r} is in mode observe: reported only", "mode")
        return
    if register is None:
        work.skip(verb, "there is no issue to write the intent to", "no-issue")
        return
    mine = [record for record in register.dispatches if record.verb == verb]
    newest = mine[-1] if mine else None
    if newest is not None and newest.state in (ReceiptState.INTENDED, ReceiptState.SENT):
        work.skip(verb, f"{newest.name} is under way: {newest.url or newest.state}", "one-at-a-time")
        return
    if newest is not None and newest.state is ReceiptState.PROPOSED:
        work.skip(verb, f"{newest.name} is proposed already and waits for a person", "proposed")
        return
    if newest is not None and newest.state is ReceiptState.REJECTED:
        work.skip(verb, f"{newest.by or 'a person'} rejected {newest.name}: not proposed again here", "rejected")
        return
    target, why_none = target_of(work) if verb == "rollback" else ("", "")
    later = _not_automatic(work, verb, workflow)
    lost = sum(record.state is ReceiptState.LOST for record in mine)
    if newest is not None and newest.state is ReceiptState.LOST and (verb in ONCE or lost >= LOST_AT_MOST):
        _propose(work, verb, target, f"{newest.key} was intended, but no workflow run with that key was ever seen")
    elif later:
        if newest is None:
            _propose(work, verb, target, later, why_none)
        else:
            work.skip(verb, f"{newest.name} has ended: {newest.conclusion or newest.state}", "once-per-episode")
    else:
        _dispatch(work, verb, target, why_none)


def _not_automatic(work: Work, verb: str, workflow: WorkflowSpec | None) -> str:
    """Why a person has to say yes first; empty where nobody has to."""
    if workflow is None:
        return ""
    if workflow.mode is Mode.PROPOSE:
        return f"workflow {verb!r} is in mode propose"
    if verb != "rollback":
        return ""
    if work.severity < Severity.CRITICAL and work.group.kind != "error-rate":
        return "a rollback goes by itself only for a critical tier or an error rate"
    since, most = work.group.evidence.version_since, f"{workflow.automatic / HOUR:g} h after a deployment"
    if since is None:
        return f"a rollback goes by itself only within {most}, and when this version was deployed is not known"
    age = work.group.newest - since
    return (
        f"a rollback goes by itself only within {most}; this one is {age / HOUR:.0f} h old"
        if age > workflow.automatic
        else ""
    )


def target_of(work: Work) -> tuple[str, str]:
    """The version to go back to, and why those before it, or all, will not do."""
    healthy, registry = work.group.evidence.previous, work.observed.registry
    if work.observed.registry_trouble:
        return "", f"the registry cannot be read: {work.observed.registry_trouble}"
    if registry is None:
        return next(iter(healthy), ""), ""
    choice = choose_target(registry, work.group.evidence.version, healthy)
    return (choice.target.name if choice.target else ""), choice.reason


def start(work: Work, verb: str, target: str, by: str, why_none: str = "") -> tuple[str, str]:
    """Dispatch what a person asks for, with no regard to the mode: (its name, "") or ("", why not)."""
    register = work.register
    mine = [record for record in register.dispatches if record.verb == verb] if register else []
    newest = mine[-1] if mine else None
    if newest is not None and newest.state in (ReceiptState.INTENDED, ReceiptState.SENT):
        return "", f"{newest.name} is under way already{f': {newest.url}' if newest.url else ''}"
    if not work.issue_open:
        return "", "the issue is closed, and an intent has to stand on an open one"
    workflow = work.model.workflow(verb)
    _, reason = refusal(request_for(work, verb, target, by, why_none))
    if reason or workflow is None or register is None:
        return "", reason or "there is no issue to write the intent to"
    proposed = newest if newest is not None and newest.state is ReceiptState.PROPOSED else None
    record, _ = (proposed, None) if proposed else _next_record(work, verb, target)
    begun = replace(record, state=ReceiptState.INTENDED, at=work.now, target_version=target, by=by)
    _intend(work, workflow, begun)
    return begun.name, ""


def _dispatch(work: Work, verb: str, target: str, why_none: str) -> None:
    guard, reason = refusal(request_for(work, verb, target, no_target=why_none))
    workflow = work.model.workflow(verb)
    if guard == "rollback-target":
        _without_target(work, reason)
        return
    if guard or workflow is None or work.register is None:
        work.skip(verb, reason, guard)
        if guard == "data-quality":
            work.troubles.append(f"{verb} is blocked: {reason}"[:300])
        return
    record, seen = _next_record(work, verb, target)
    if seen is not None:
        # The intent was forgotten, the workflow run was not: it is the receipt, and nothing is sent twice.
        work.put(replace(record, state=ReceiptState.SENT, run_id=seen.id, url=seen.url))
        work.skip(verb, f"a workflow run with the key {record.key} exists: {seen.url or seen.id}", "one-at-a-time")
        return
    _intend(work, workflow, record)


def _without_target(work: Work, reason: str) -> None:
    """Nothing to go back to: degrade instead, where that is possible, and a person decides."""
    register, degrade = work.register, work.model.workflow("degrade")
    tried = register is not None and any(record.verb == "degrade" for record in register.dispatches)
    if degrade is None or degrade.mode is Mode.OBSERVE or tried:
        _propose(work, "rollback", "", reason)
        return
    work.skip("rollback", reason, "rollback-target")
    _propose(work, "degrade", "", f"there is no version to go back to: {reason}")


def _intend(work: Work, workflow: WorkflowSpec, record: DispatchRecord) -> None:
    """The intent into the register, the dispatch after it."""
    work.put(record)
    dispatch = Dispatch(
        key=record.key,
        verb=record.verb,
        workflow=workflow.file,
        repository=workflow.repository or work.model.github.repository,
        event_type=workflow.event_type,
        ref=workflow.ref,
        model=work.model.name,
        version=record.version,
        target_version=record.target_version,
        reason=reason_of(work) + (f"; {record.by} asked for it" if record.by else ""),
        inputs=workflow.inputs,
    )
    work.intents.append(dispatch)
    work.ledger.dispatches.append(dispatch)


def _next_record(work: Work, verb: str, target: str) -> tuple[DispatchRecord, ObservedRun | None]:
    """The next attempt's record, and a workflow run of this episode that already has its key.

    Runs of the same name from before the episode began belong to an issue that is no more: their numbers are used up.
    """
    register = work.register
    assert register is not None  # noqa: S101 - asked by the guard `configured`
    prefix = f"{work.group.key}.{register.episode}.{verb}."
    runs = [run for run in work.runs if run.key.startswith(prefix)]
    used = [attempt_of(record.key) for record in register.dispatches if record.verb == verb]
    used += [attempt_of(run.key) for run in runs if run.created_at < register.start]
    attempt = max(used, default=0) + 1
    record = DispatchRecord(
        key=f"{prefix}{attempt}",
        verb=verb,
        state=ReceiptState.INTENDED,
        at=work.now,
        version=work.group.evidence.version,
        target_version=target,
    )
    return record, next((run for run in runs if run.key == record.key), None)


def _propose(work: Work, verb: str, target: str, reason: str, why_none: str = "") -> None:
    """``why_none``: of the versions that were passed over, or of every one."""
    record, _ = _next_record(work, verb, target)
    work.put(replace(record, state=ReceiptState.PROPOSED))
    passed = f"; {why_none}" if why_none else ""
    work.note("proposal", record.name, f"{reason}{passed}")
    work.skip(verb, f"only proposed: {reason}{passed}", "proposed")


def send(work: Work) -> None:
    """The dispatch changes, after the issue change that carries their intents."""
    for dispatch in work.intents:
        record = (
            next((one for one in work.register.dispatches if one.key == dispatch.key), None) if work.register else None
        )
        asks = f"{record.by} asks for" if record and record.by else "that tier asks for"
        reason = f"{work.group.rule} is {work.severity}, and {asks} {dispatch.verb}"
        work.changes.append(
            work.change(
                ChangeKind.DISPATCH_WORKFLOW,
                reason,
                expect=work.beside(),
                dispatch=dispatch,
                repository=dispatch.repository,
            )
        )


def reason_of(work: Work) -> str:
    """One line for the workflow's input ``reason``."""
    group = work.group
    alert = group.alerts[0] if group.alerts else None
    where = f" ({show_labels(alert.labels)})" if alert and alert.labels else ""
    change = alert.finding.change if alert else None
    by = "" if change is None else f": {abs(change) * 100:.1f} % {'below' if change < 0 else 'above'} its baseline"
    return f"{group.rule}{where} is {work.severity}{by}"
