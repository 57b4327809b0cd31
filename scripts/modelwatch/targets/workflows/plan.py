"""Plans dispatches of workflows, and follows their runs.

Each goes through these steps: intent in the register, dispatch, receipt, outcome. After a crash the workflow runs show,
by the key in their names, which step was reached.
"""

from __future__ import annotations

from dataclasses import replace

from ...model.alert import AlertState, Group, Refusal
from ...model.ledger import MODELWATCH, PERSON
from ...model.monitored_model import WorkflowSpec
from ...model.plan import UNOBSERVABLE, ChangeKind, Dispatch, ObservedRun
from ...model.register import DispatchRecord, DispatchState
from ...model.release import RECOVERY_VERBS
from ...model.rule import Mode
from ...model.series import format_labels
from ...model.severity import Severity
from ...model.target import Target
from ...model.unit import ESTIMATE
from ...report.formatting import relative_change, whole_percent
from ...report.next_steps import began_with_version
from ...report.rollback_choice import NO_HEALTHY_VERSION, choose_rollback_target, is_fixed_by_rollback, unfit_reason
from ...timeutil import DAY, HOUR, format_utc
from ..draft import GroupPlan, Situation
from .guards import SINGLE_ATTEMPT_VERBS, DispatchRequest, first_refusal, time_to_start

SERVING_VERBS = frozenset({"rollback", "degrade"})
"""They change what serves everybody."""
SMALL_SEGMENT, HALF = 0.1, 0.5
"""A single segment with a smaller share of the rows starts neither; below the other one it starts no retraining for
what a release broke."""
IMPROVING_WITHIN = DAY
"""A tier starts nothing so long (seconds) after a worse one: the metric is on its way back."""
MAX_LOST_INTENTS = 2
"""After so many lost intents of one verb in an episode, the next dispatch needs approval."""


def workflow_verbs(do: tuple[str, ...]) -> list[str]:
    """The workflows of a ``do`` list; a rollback first, since retraining waits for it."""
    verbs = [verb for verb in do if verb not in ("issue", "page")]
    return sorted(verbs, key=lambda verb: (verb != "rollback", verb != "degrade"))


def attempt_number(key: str) -> int:
    tail = key.rpartition(".")[2]
    return int(tail) if tail.isdecimal() else 0


def sync_runs(draft: GroupPlan) -> None:
    """Update the draft's records from the workflow runs, and note each that ended."""
    for record in draft.dispatches:
        if unobservable := draft.observed.error_for(Target.DISPATCH, record.verb):
            if record.state.is_open:
                draft.add_skip(record.verb, f"{record.name} cannot be followed: {unobservable}", UNOBSERVABLE)
            continue
        _sync_run(draft, record)


def _sync_run(draft: GroupPlan, record: DispatchRecord) -> None:
    run = _find_run(draft, record)
    if record.state is DispatchState.FINISHED:
        if run is None or not _is_run_again(record, run):
            return
        again = max(run.attempt, record.run_attempt + 1)
        record = replace(record, at=draft.now, conclusion="", ended=None, told=False, settled="", run_attempt=again)
    if run is None:
        if record.state.is_open and record.run_id is None and draft.now - record.at >= time_to_start(record):
            draft.put_dispatch(replace(record, state=DispatchState.LOST))
        elif record.state is DispatchState.INTENDED:
            reason = f"waiting: {record.name} was intended, and its workflow run may not be listed yet"
            draft.add_skip(record.verb, reason)
        return
    state = DispatchState.FINISHED if run.status == "completed" else DispatchState.SENT
    if record.state is DispatchState.PROPOSED:  # a person started it by hand
        record = replace(record, at=run.created_at, by=run.by or PERSON)
    record = replace(record, state=state, run_id=run.id, url=run.url or record.url)
    if state is DispatchState.FINISHED:
        record = replace(record, conclusion=run.conclusion, ended=draft.now if run.ended_at is None else run.ended_at)
        draft.add_note("workflow", record.run_name, f"{record.verb} finished: {run.conclusion or 'no conclusion'}")
    draft.put_dispatch(record)


def _find_run(draft: GroupPlan, record: DispatchRecord) -> ObservedRun | None:
    """The run of ``record``. Of several, since a person can start a workflow with the same key, one that is under way,
    else one that succeeded, else the newest."""
    runs = [run for run in draft.observed.runs if run.key == record.key or (record.run_id and run.id == record.run_id)]
    return max(
        runs, key=lambda run: (run.status != "completed", run.conclusion == "success", run.created_at), default=None
    )


def _is_run_again(record: DispatchRecord, run: ObservedRun) -> bool:
    """Whether a person ran the workflow of ``record`` again after it had ended."""
    same = (run.id, run.status, run.conclusion) == (record.run_id, "completed", record.conclusion)
    return not same or run.attempt > record.run_attempt


def plan_dispatches(draft: GroupPlan) -> None:
    """Decide about each workflow among the tier's actions: dispatched, proposed, or skipped with the reason."""
    for group, verb in _wanted_verbs(draft) if draft.firing else ():
        draft.asking, recovering = group, recovery_reason(group) or improvement_reason(group)
        if draft.situation is Situation.MUTED:
            draft.add_skip(verb, draft.guard_reason, draft.guard)
        elif draft.situation is Situation.WITHOUT_ISSUE:
            draft.add_skip(
                verb, f"no dispatch without an issue that keeps its intent: {draft.guard_reason}", draft.guard
            )
        elif draft.situation is not Situation.FIRING:
            continue
        elif recovering:
            draft.add_skip(verb, recovering, "recovering")
        elif verb in RECOVERY_VERBS and group.unit == ESTIMATE:
            draft.add_skip(verb, "an estimate alone is no reason for it: wait for labels", "estimate")
        elif verb in SERVING_VERBS and (reason := small_segment_reason(group)):
            draft.add_skip(verb, reason, "small-segment")
        elif verb == "retrain" and (reason := released_segment_reason(draft, group)):
            draft.add_skip(verb, reason, "release")
        else:
            _plan_dispatch(draft, verb)
    draft.asking = None


def _wanted_verbs(draft: GroupPlan) -> list[tuple[Group, str]]:
    """Each workflow once, with the group that asks for it: the draft's own or one that it leads, the most severe of
    those without a reason against it."""

    def order(group: Group, verb: str) -> tuple[bool, int]:
        is_estimate = verb in RECOVERY_VERBS and group.unit == ESTIMATE
        against = recovery_reason(group) or is_estimate or (verb in SERVING_VERBS and small_segment_reason(group))
        return bool(against), -group.severity.code if group.severity else 0

    wanted = []
    for verb in workflow_verbs(draft.actions):
        groups = [group for group in draft.acting_groups if verb in group.do]
        wanted.append((min(groups, key=lambda group: order(group, verb)), verb))
    return wanted


def recovery_reason(group: Group) -> str:
    """Why nothing is started: the metric of a firing group is healthy again. Empty where it is not."""
    firing = [alert for alert in group.alerts if alert.state is AlertState.FIRING and not alert.mutes]
    healthy = bool(firing) and all(alert.finding.clear for alert in firing)
    return "it is recovering: the newest finding of everything that fires is healthy" if healthy else ""


def improvement_reason(group: Group) -> str:
    """Why a tier starts nothing: a worse one held until lately. Empty where none did."""
    firing = [alert for alert in group.alerts if alert.state is AlertState.FIRING and not alert.mutes]
    peak = max((alert.peak for alert in firing), default=None)
    fell = max((alert.steps[-1].time for alert in firing if alert.steps and alert.peak > alert.severity), default=None)
    if peak is None or group.severity is None or peak <= group.severity or fell is None:
        return ""
    if group.newest - fell >= IMPROVING_WITHIN:
        return ""
    return f"it is getting better: {peak} until {format_utc(fell)}, {group.severity} since"


def released_segment_reason(draft: GroupPlan, group: Group) -> str:
    """Why nothing is retrained: one segment alone broke with a version, which a retraining does not fix. Else empty."""
    if not began_with_version(group, draft.register) or not (reason := small_segment_reason(group, HALF)):
        return ""
    return f"{reason}; it began with version {group.evidence.version}, so look at the release first"


def small_segment_reason(group: Group, limit: float = SMALL_SEGMENT) -> str:
    """Why what serves everybody is not changed: only one segment is this bad, with a share of the rows below ``limit``.
    Empty where it is not so, or where the counts are unknown."""
    worst = [alert for alert in group.alerts if alert.state is AlertState.FIRING and alert.severity is group.severity]
    whole = group.latest
    if len(worst) != 1 or not worst[0].labels or whole is None or whole.labels or not whole.n:
        return ""
    share = (worst[0].finding.n or whole.n) / whole.n
    if share >= limit:
        return ""
    return f"only {format_labels(worst[0].labels)} is {group.severity}, and it has {whole_percent(share)} of the rows"


def _plan_dispatch(draft: GroupPlan, verb: str) -> None:
    workflow = draft.model.workflow(verb)
    if workflow is not None and workflow.mode is Mode.OBSERVE:
        draft.add_skip(verb, f"workflow {verb!r} is in mode observe: reported only", "mode")
        return
    records = [record for record in draft.dispatches if record.verb == verb]
    newest = _newest_record(draft, verb)
    if newest is not None and newest.state.is_open:
        draft.add_skip(verb, f"{newest.name} is under way: {newest.url or newest.state}", "one-at-a-time")
        return
    if newest is not None and newest.state is DispatchState.PROPOSED:
        newest = _renew_target(draft, newest)
        reason = f"{newest.name} is proposed already and waits for approval{_nobody_clause(draft)}"
        draft.add_skip(verb, reason, "proposed")
        return
    if newest is not None and newest.state is DispatchState.REJECTED:
        draft.add_skip(verb, f"{newest.by or 'a person'} rejected {newest.name}: not proposed again here", "rejected")
        return
    target, no_target_reason = choose_target_version(draft) if verb == "rollback" else ("", "")
    approval_reason = _approval_reason(draft, verb, workflow)
    lost = sum(record.state is DispatchState.LOST for record in records)
    if (
        newest is not None
        and newest.state is DispatchState.LOST
        and (verb in SINGLE_ATTEMPT_VERBS or lost >= MAX_LOST_INTENTS)
    ):
        _propose_dispatch(
            draft, verb, target, f"{newest.key} was dispatched, but no workflow run with that key was ever found"
        )
    elif approval_reason:
        if newest is None:
            _propose_dispatch(draft, verb, target, approval_reason, no_target_reason)
        else:
            draft.add_skip(verb, f"{newest.name} has ended: {newest.conclusion or newest.state}", "once-per-episode")
    else:
        _add_dispatch(draft, verb, target, no_target_reason)


def _approval_reason(draft: GroupPlan, verb: str, workflow: WorkflowSpec | None) -> str:
    """Why the dispatch needs approval; empty where it does not."""
    if workflow is None:
        return ""
    if workflow.mode is Mode.PROPOSE:
        return "mode: propose"
    if verb != "rollback":
        return ""
    group = draft.asking_group
    if (group.severity or draft.severity) < Severity.CRITICAL and group.kind != "error-rate":
        return "a rollback starts automatically only for a critical tier or an error rate"
    since, period = group.evidence.version_since, f"{workflow.automatic / HOUR:g} h after a deployment"
    if since is None:
        return f"a rollback starts automatically only within {period}, and the time of this one is not known"
    age = group.newest - since
    if age <= workflow.automatic:
        return ""
    return f"a rollback starts automatically only within {period}; this one is {age / HOUR:.0f} h old"


def choose_target_version(draft: GroupPlan) -> tuple[str, str]:
    """The version to go back to (empty: none will do), and why each better candidate will not do."""
    evidence = draft.asking_group.evidence
    if draft.observed.registry_error:
        return "", f"the registry cannot be read: {draft.observed.registry_error}"
    choice = choose_rollback_target(draft.observed.registry, evidence.version, evidence.health)
    return choice.target, choice.reason


def request_refusal(draft: GroupPlan, verb: str, target: str, by: str, no_target_reason: str = "") -> tuple[str, str]:
    """(guard, reason) why a person cannot start the workflow now; ("", "") where that is accepted."""
    newest = _newest_record(draft, verb)
    workflow = draft.model.workflow(verb)
    if workflow is not None and workflow.mode is Mode.OBSERVE:
        return "mode", f"workflow {verb!r} is in mode observe"
    if newest is not None and newest.state.is_open:
        return "one-at-a-time", f"{newest.name} is under way already{f': {newest.url}' if newest.url else ''}"
    if not draft.issue_open and draft.situation is not Situation.FIRING:
        return "issue", "the issue is closed, and an intent can be written on an open one only"
    if verb == "rollback" and target and (unfit := _unfit_reason(draft, target)):
        return "rollback-target", unfit
    return first_refusal(DispatchRequest(draft, verb, target, by, no_target_reason))


def _unfit_reason(draft: GroupPlan, target: str) -> str:
    """Why the registry, where it is known, speaks against the version."""
    registry, evidence = draft.observed.registry, draft.asking_group.evidence
    version = registry.version(target) if registry else None
    if registry is None or version is None:
        return ""
    reason = unfit_reason(version, registry, evidence.version, evidence.health)
    return f"{version.title} {reason}" if reason else ""


def _newest_record(draft: GroupPlan, verb: str) -> DispatchRecord | None:
    return next((record for record in reversed(draft.dispatches) if record.verb == verb), None)


def add_refusals(draft: GroupPlan) -> None:
    """Write into the evidence of a firing group which workflows a person could not start now: what issue, page and
    ``diagnose`` offer has to be accepted. What this evaluation has used up is free again in the next one."""
    proposed = {record.verb: record for record in draft.dispatches if record.state is DispatchState.PROPOSED}
    verbs = dict.fromkeys(
        (*proposed, *(record.verb for record in draft.dispatches if record.state is DispatchState.LOST))
    )
    if is_fixed_by_rollback(draft.group) and (draft.model.workflow("rollback") or draft.model.release):
        verbs["rollback"] = None
    refusals = []
    for verb in verbs if draft.firing else ():
        record, reason = proposed.get(verb), ""
        target = record.target_version if record else ""
        if verb == "rollback" and record is None:
            target, reason = choose_target_version(draft)
        if verb == "rollback" and not target:
            reason = reason or NO_HEALTHY_VERSION
            refusals.append(Refusal(verb, "rollback-target", reason))
            continue
        guard, reason = request_refusal(draft, verb, target, "a person")
        if guard and guard != "blast-radius":
            refusals.append(Refusal(verb, guard, reason))
    draft.group = replace(draft.group, evidence=replace(draft.group.evidence, refusals=tuple(refusals)))


def start_requested(draft: GroupPlan, verb: str, target: str, by: str, no_target_reason: str = "") -> tuple[str, str]:
    """Dispatch what a person requested, whatever the mode: (its name, "") or ("", why not)."""
    newest, workflow = _newest_record(draft, verb), draft.model.workflow(verb)
    _, reason = request_refusal(draft, verb, target, by, no_target_reason)
    if reason or workflow is None:
        return "", reason
    proposed = newest if newest is not None and newest.state is DispatchState.PROPOSED else None
    record, _ = (proposed, None) if proposed else _next_record(draft, verb, target)
    record = replace(record, state=DispatchState.INTENDED, at=draft.now, target_version=target, by=by)
    record = _name_serving_version(draft, record)
    _record_intent(draft, workflow, record)
    return record.name, ""


def _add_dispatch(draft: GroupPlan, verb: str, target: str, no_target_reason: str) -> None:
    if _adopt_run(draft, verb, target):
        return
    guard, reason = first_refusal(DispatchRequest(draft, verb, target, no_target_reason=no_target_reason))
    workflow = draft.model.workflow(verb)
    if guard == "rollback-target":
        _propose_fallback(draft, reason)
        return
    if guard or workflow is None or draft.register is None:
        draft.add_skip(verb, reason, guard)
        _report_data_in_doubt(draft, verb, guard, reason)
        return
    record, _ = _next_record(draft, verb, target)
    _record_intent(draft, workflow, record)


def _adopt_run(draft: GroupPlan, verb: str, target: str) -> bool:
    """Record the workflow run with the key of the next attempt, if there is one: the register has lost the intent, but
    nothing is sent twice."""
    record, run = _next_record(draft, verb, target) if draft.register else (None, None)
    if record is None or run is None:
        return False
    draft.put_dispatch(replace(record, state=DispatchState.SENT, at=run.created_at, run_id=run.id, url=run.url))
    draft.add_skip(verb, f"a workflow run with the key {record.key} exists: {run.url or run.id}", "one-at-a-time")
    return True


def _report_data_in_doubt(draft: GroupPlan, verb: str, guard: str, reason: str) -> None:
    if guard == "data-quality":
        draft.troubles.append(f"{verb} is blocked: {reason}"[:300])


def _renew_target(draft: GroupPlan, proposal: DispatchRecord) -> DispatchRecord:
    """The open proposal: another one where the proposed version will not do any more. It has a name of its own, so that
    nobody approves a version that they have not seen."""
    unfit = _unfit_reason(draft, proposal.target_version) if proposal.verb == "rollback" else ""
    target = choose_target_version(draft)[0] if unfit else ""
    if not target:
        current = _name_serving_version(draft, proposal)
        if current != proposal:
            draft.put_dispatch(current)
        return current
    record = replace(_next_record(draft, proposal.verb, target)[0], state=DispatchState.PROPOSED)
    draft.put_dispatch(replace(proposal, state=DispatchState.REJECTED, by=MODELWATCH))
    draft.put_dispatch(record)
    draft.add_note("proposal", record.name, f"instead of {proposal.name}: {unfit}")
    return record


def _name_serving_version(draft: GroupPlan, record: DispatchRecord) -> DispatchRecord:
    """``record`` with the version that serves now: another one may have been deployed since it was proposed."""
    serving = draft.asking_group.evidence.version
    return replace(record, version=serving) if serving not in ("", record.target_version) else record


def _propose_fallback(draft: GroupPlan, reason: str) -> None:
    """Propose to degrade instead, where there is no version to go back to."""
    degrade = draft.model.workflow("degrade")
    tried = any(record.verb == "degrade" for record in draft.dispatches)
    draft.add_skip("rollback", reason, "rollback-target")
    draft.troubles.append(f"no rollback: {reason}"[:300])
    if degrade is not None and degrade.mode is not Mode.OBSERVE and not tried:
        _propose_dispatch(draft, "degrade", "", f"no rollback: {reason}")


def _record_intent(draft: GroupPlan, workflow: WorkflowSpec, record: DispatchRecord) -> None:
    """Write the intent into the register, and add the dispatch."""
    draft.put_dispatch(record)
    dispatch = Dispatch(
        key=record.key,
        verb=record.verb,
        workflow=workflow.file,
        repository=workflow.repository or draft.model.github.repository,
        event_type=workflow.event_type,
        ref=workflow.ref,
        model=draft.model.name,
        version=record.version,
        target_version=record.target_version,
        reason=dispatch_reason(draft) + (f"; requested by {record.by}" if record.by else ""),
        inputs=workflow.inputs,
    )
    draft.counter.dispatches.append(dispatch)
    starts = f"{record.by} requested" if record.by else "that tier starts"
    draft.add_change(
        ChangeKind.DISPATCH_WORKFLOW,
        f"{draft.asking_group.rule} is {draft.asking_group.severity}, and {starts} {dispatch.verb}",
        dispatch=dispatch,
        repository=dispatch.repository,
    )


def _next_record(draft: GroupPlan, verb: str, target: str) -> tuple[DispatchRecord, ObservedRun | None]:
    """The record of the next attempt, and the workflow run of this episode that already has its key, if any.

    Runs with such keys from before the episode began belong to a deleted issue: their numbers are not used again.
    """
    register = draft.register
    assert register is not None  # noqa: S101 - the guard `configured` checks it
    prefix = f"{draft.group.key}.{register.episode}.{verb}."
    runs = [run for run in draft.observed.runs if run.key.startswith(prefix)]
    used = [attempt_number(record.key) for record in register.dispatches if record.verb == verb]
    used += [attempt_number(run.key) for run in runs if run.created_at < register.start]
    attempt = max(used, default=0) + 1
    record = DispatchRecord(
        key=f"{prefix}{attempt}",
        verb=verb,
        state=DispatchState.INTENDED,
        at=draft.now,
        version=draft.asking_group.evidence.version,
        target_version=target,
    )
    return record, next((run for run in runs if run.key == record.key), None)


def _propose_dispatch(draft: GroupPlan, verb: str, target: str, reason: str, no_target_reason: str = "") -> None:
    """Propose the dispatch, unless its approval would be refused. ``no_target_reason``: why versions will not do."""
    guard, refused = request_refusal(draft, verb, target, "a person", no_target_reason)
    if guard == "rollback-target":
        _propose_fallback(draft, refused)
        return
    if guard:
        draft.add_skip(verb, f"not proposed: {refused}", guard)
        _report_data_in_doubt(draft, verb, guard, refused)
        return
    record, _ = _next_record(draft, verb, target)
    draft.put_dispatch(replace(record, state=DispatchState.PROPOSED))
    text = f"{reason}; {no_target_reason}" if no_target_reason else reason
    draft.add_note("proposal", record.name, text)
    draft.add_skip(verb, f"needs approval ({text}){_nobody_clause(draft)}", "proposed")


def _nobody_clause(draft: GroupPlan) -> str:
    return "" if draft.model.github.people else "; nobody may give it: github.people is empty"


def dispatch_reason(draft: GroupPlan) -> str:
    """One line for the workflow's input ``reason``."""
    group = draft.asking_group
    alert = group.alerts[0] if group.alerts else None
    where = f" ({format_labels(alert.labels)})" if alert and alert.labels else ""
    change = alert.finding.change if alert else None
    by = "" if change is None else f": {relative_change(change)} its baseline"
    return f"{group.rule}{where} is {group.severity or draft.severity}{by}"
