"""Plans the incident: triggered when a tier pages and again when it gets worse; resolved, but never downgraded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...model.acknowledgement import ACKNOWLEDGEMENT_LENGTH, mute_text, person_mute
from ...model.alert import (
    BUSINESS_DIVERGENCE,
    IMPLAUSIBLE_METRIC,
    MONITORING_SILENT,
    SEGMENT_GONE,
    SOURCE_OUTAGE,
    SUDDEN_IMPROVEMENT,
    AlertState,
    Mute,
)
from ...model.ledger import PAGERDUTY
from ...model.monitored_model import RELEASE_RULE_DEFAULTS
from ...model.pagerduty_setup import EscalationPolicy
from ...model.plan import STEP_PREFIX, UNOBSERVABLE, ChangeKind
from ...model.register import (
    ACKNOWLEDGED,
    PAGE_RESOLVED,
    PAGE_TRIGGERED,
    DispatchRecord,
    DispatchState,
    PageRecord,
    alert_keys,
)
from ...model.release import CHANGE_EVENT
from ...model.rule import Mode
from ...model.severity import Severity
from ...model.target import Target
from ...report.formatting import duration
from ...report.next_steps import WAIT, first_step
from ...timeutil import DAY, HOUR, MINUTE, format_utc
from ..draft import GroupPlan, Situation
from ..register.flapping import damping_reason, limit_reason
from ..register.muting import page_hold
from ..register.recovery import unproven_alerts

RETRIGGER_AFTER = 4 * HOUR
"""An incident that was resolved by hand while the alert fires is triggered again after this time (seconds)."""
ADDRESS_AFTER = 10 * MINUTE
"""The address of a new incident is read this long after its page: a second evaluation at once has nothing to write."""
NOTIFYING_LENGTH = 30 * MINUTE
"""For so long (seconds) PagerDuty calls people about an incident that nobody acknowledges, where the policy is not
configured here: one step, as in the policy that each account begins with."""
NOTIFY_WITHIN = DAY
"""Workflow runs that ended longer ago (seconds) are not reported to PagerDuty."""
_TRIGGER, _RESOLVE = ChangeKind.TRIGGER_INCIDENT, ChangeKind.RESOLVE_INCIDENT


def plan_incident(draft: GroupPlan) -> None:
    """Trigger, keep or resolve the group's incident, as its situation demands."""
    fires = draft.situation in (Situation.FIRING, Situation.WITHOUT_ISSUE)
    hold = page_hold(draft) if fires else None
    draft.update_register(page_after=None)
    match draft.situation:
        case Situation.FIRING | Situation.WITHOUT_ISSUE:
            plan_page(draft, hold)
        case Situation.MUTED:
            if "page" in draft.actions:
                draft.add_skip(_TRIGGER, draft.guard_reason, draft.guard)
            plan_acknowledgement(draft)
        case Situation.RECOVERED:
            plan_resolve(draft, "the alert has recovered")
        case Situation.CLOSED | Situation.NO_ISSUE:
            resolve_remaining(draft)


def plan_page(draft: GroupPlan, hold: Mute | None = None) -> None:
    """Trigger an incident for a firing group that is not muted, or skip with the reason. ``hold``: why it waits."""
    page = draft.page
    if "page" not in draft.actions and not draft.is_escalated:
        if page is not None and page.state == PAGE_TRIGGERED:
            reason = "this tier does not page; the incident stays: pages are resolved, never downgraded"
            draft.add_skip(_TRIGGER, reason)
        return
    skip_reason = _paging_refusal(draft)
    if not skip_reason:
        _repeat_page(draft)
    reason, skip_reason = ("", skip_reason) if skip_reason else _trigger_reason(draft, page)
    if skip_reason:
        draft.add_skip(_TRIGGER, skip_reason)
    elif hold:
        draft.update_register(page_after=hold.until)
        draft.add_skip(_TRIGGER, mute_text(hold), hold.by)
    elif held_back := limit_reason(draft):
        draft.add_skip(_TRIGGER, held_back, "flapping")
        draft.troubles.append(held_back)
    elif refused := draft.counter.page_refusal():
        draft.add_skip(_TRIGGER, refused, "blast-radius")
    else:
        draft.counter.pages += 1
        draft.add_change(_TRIGGER, reason, about=_further_alert(draft))


def _repeat_page(draft: GroupPlan) -> None:
    """Notify the on-call again of what still fires a day after it was acknowledged at PagerDuty, or after the page; of
    what nobody acknowledges next time after twice as long. A critical alert cannot get worse, and PagerDuty says
    nothing more about an incident that is acknowledged, or whose escalation policy has ended."""
    register, page, incident = draft.register, draft.page, draft.incident
    if register is None or page is None or page.state != PAGE_TRIGGERED or page.status == PAGE_RESOLVED:
        return
    if draft.due_calls or (incident is not None and not incident.is_open):
        return
    acknowledged = page.status == ACKNOWLEDGED
    wait = ACKNOWLEDGEMENT_LENGTH if acknowledged else max(ACKNOWLEDGEMENT_LENGTH, page.at - register.began)
    if draft.now - page.known_since < wait:
        return
    by = f" by {page.status_person}" if page.status_person else ""
    text = f"still firing {duration(draft.now - page.at)} after the last page"
    if acknowledged:
        length = f"{ACKNOWLEDGEMENT_LENGTH / HOUR:g} h"
        text = f"still firing: the {length} acknowledgement at PagerDuty{by} has expired"
    draft.call_person(f"repeated.{page.known_since:.0f}", text)


def _further_alert(draft: GroupPlan) -> str:
    """The key of another alert where the open one would notify nobody; empty where it does, or none is open.

    PagerDuty notifies nobody of a further trigger of an open alert. Only while its escalation policy is at work on an
    incident that nobody acknowledged, and at the same urgency, is another one superfluous.
    """
    page, incident = draft.page, draft.incident
    if draft.register is None and incident is not None and incident.status == ACKNOWLEDGED:
        return alert_keys(draft.group.key, 2)[-1]
    if page is None or page.state != PAGE_TRIGGERED or (incident is not None and not incident.is_open):
        return ""
    calling = draft.now - page.at < notifying_length(draft.model.pagerduty.escalation)
    known = incident is not None and incident.status == "triggered"
    if known and calling and _is_urgent(page.severity) == _is_urgent(draft.severity):
        return ""
    return alert_keys(draft.group.key, page.alerts + 1)[-1]


def notifying_length(policy: EscalationPolicy | None) -> float:
    """For how long (seconds) the policy calls people about an incident that nobody acknowledges. After its last step
    and repetition PagerDuty notifies nobody any more, and a further trigger of the same alert does not start it anew
    (https://support.pagerduty.com/main/docs/escalation-policies)."""
    if policy is None or not policy.steps:
        return NOTIFYING_LENGTH
    return sum(step.wait for step in policy.steps) * (policy.repeat + 1)


def _is_urgent(severity: Severity) -> bool:
    """Whether PagerDuty's severity-based urgency is high."""
    return severity >= Severity.ERROR


def _paging_refusal(draft: GroupPlan) -> str:
    """Why the model does not page; empty where it does."""
    if reason := draft.model.pagerduty.missing_key_reason:
        return reason
    mode = draft.model.page_mode
    return "" if mode is Mode.ACT else f"paging is in mode {mode}"


def _trigger_reason(draft: GroupPlan, page: PageRecord | None) -> tuple[str, str]:
    """(why to trigger, why not): one of the two is empty."""
    incident, due = draft.incident, draft.due_calls
    if draft.register is None and incident is not None:
        if incident.is_open and incident.severity is not None and draft.severity > incident.severity:
            return f"worse: {draft.severity}, paged as {incident.severity}", ""
        if incident.is_open:
            return "", "an incident is open, and no issue says more"
        return _retrigger_reason(draft, incident.changed_at, "the incident was resolved while the alert fires")
    if damped := damping_reason(draft):
        return "", damped
    if page is None or page.state != PAGE_TRIGGERED:
        called = due[-1].reason if due else ""
        if page is not None and draft.flap is not None:
            called = called or f"{draft.group.rule} flaps and is {draft.severity}, paged before as {page.severity}"
        return called or _first_page_reason(draft, page), ""
    if due and (incident is None or incident.is_open):
        return due[-1].reason, ""
    if draft.severity > page.severity:
        return f"worse: {draft.severity}, paged as {page.severity}", ""
    if draft.severity < page.severity:
        skip_reason = f"paged as {page.severity}, now {draft.severity}: pages are never downgraded, only resolved"
    else:
        skip_reason = f"paged already, as {page.severity}"
    if draft.observed.incidents is None or (incident is not None and incident.status != "resolved"):
        return "", skip_reason
    if incident is not None and incident.changed_at >= page.at:
        by = "by a person" if incident.by_person else "at PagerDuty"
        return _retrigger_reason(draft, incident.changed_at, f"the incident was resolved {by} while the alert fires")
    # The list of incidents lags: it does not show one triggered a moment ago.
    return _retrigger_reason(draft, page.at, "PagerDuty does not show the incident that was triggered")


def _first_page_reason(draft: GroupPlan, page: PageRecord | None) -> str:
    """Why to trigger where no incident is open: nobody was paged in this episode, or the incident was resolved."""
    reason = draft.severity_text
    if page is None:
        return f"{reason} and nobody has been paged for it"
    return f"{reason}, and its incident was resolved at {format_utc(page.at)}"


def _retrigger_reason(draft: GroupPlan, since: float, event: str) -> tuple[str, str]:
    if draft.now - since >= RETRIGGER_AFTER:
        return f"{event}, {RETRIGGER_AFTER / HOUR:g} h ago", ""
    return "", f"{event}; it is triggered again {RETRIGGER_AFTER / HOUR:g} h after that, or at once when it gets worse"


def plan_acknowledgement(draft: GroupPlan) -> None:
    """Let PagerDuty know what a person decided on the issue: an acknowledgement and a silence acknowledge the incident,
    a verdict that nothing is wrong resolves it."""
    page, mute = draft.page, person_mute(draft.register, draft.severity, draft.now) if draft.register else None
    if page is None or mute is None or page.state != PAGE_TRIGGERED or page.status == PAGE_RESOLVED:
        return
    if _paging_refusal(draft) or (draft.incident is not None and not draft.incident.is_open):
        return
    if mute.until is None:
        draft.add_change(_RESOLVE, mute.reason)
    elif not page.status:
        draft.add_change(ChangeKind.ACKNOWLEDGE_INCIDENT, mute.reason)


def sync_incident(draft: GroupPlan) -> None:
    """Write into the draft what people did at PagerDuty, and report there how workflows ended."""
    page, incident = draft.page, draft.incident
    if page is not None and incident is not None and page.state == PAGE_TRIGGERED and incident.changed_at >= page.at:
        status = incident.status if incident.status != "triggered" else ""
        if status != "resolved" or incident.by_person:
            nobody = "" if incident.by_person else PAGERDUTY
            by = incident.by or (page.status_by if status == page.status else nobody)
            known = replace(page, status=status, status_by=by if status else "", url=incident.url or page.url)
            known = replace(known, status_at=incident.changed_at if status else None)
            is_next = draft.now >= page.at + ADDRESS_AFTER
            addressed = replace(page, url=page.url or incident.url) if is_next else page
            draft.update_register(page=known if status != page.status else addressed)
    notify_workflow_ends(draft)


def notify_workflow_ends(draft: GroupPlan) -> None:
    """Report on the incident, open or resolved, how workflows ended in the last day."""
    if draft.page is None or _paging_refusal(draft):
        return
    for record in draft.dispatches:
        ended = record.ended if record.ended is not None else record.at
        if record.state is not DispatchState.FINISHED or record.told or draft.now - ended > NOTIFY_WITHIN:
            continue
        if _is_announced(draft, record):
            draft.put_dispatch(replace(record, told=True))
        else:
            reason = f"{record.name} ended: {record.conclusion or 'no conclusion'}"
            draft.add_change(ChangeKind.TELL_INCIDENT, reason, about=record.key)


def report_next_step(draft: GroupPlan, step: str) -> None:
    """Report that the next step is another than when the on-call was paged: an event cannot rewrite a page, and a
    further trigger would open a new incident if somebody has just resolved this one. ``step``: its digest."""
    before, page, incident = draft.previous_register, draft.page, draft.incident
    if before is None or not before.step or before.step == step or draft.situation is not Situation.FIRING:
        return
    if page is None or page.state != PAGE_TRIGGERED or page.status == PAGE_RESOLVED or _paging_refusal(draft):
        return
    if (incident is not None and not incident.is_open) or any(one.kind is _TRIGGER for one in draft.changes):
        return
    text = first_step(draft.group, draft.register, draft.model, draft.now)
    if not text.startswith(WAIT):  # then nothing is to be done
        draft.add_change(ChangeKind.TELL_INCIDENT, text, about=f"{STEP_PREFIX}{step}")


def _is_announced(draft: GroupPlan, record: DispatchRecord) -> bool:
    """Whether the move itself sent a change event to PagerDuty: a second one would repeat it."""
    moves = draft.observed.registry.moves if draft.observed.registry else ()
    return any(move.key == record.key and CHANGE_EVENT in move.told for move in moves)


def plan_resolve(draft: GroupPlan, reason: str) -> None:
    """Resolve the group's incident where one can be open."""
    page, incident = draft.page, draft.incident
    if incident is not None and incident.status == "resolved":
        if page is not None and page.state == PAGE_TRIGGERED and incident.changed_at >= page.at:
            draft.update_register(page=replace(page, state=PAGE_RESOLVED, at=incident.changed_at))
            return
        incident = None
    if incident is not None or (page is not None and page.state == PAGE_TRIGGERED):
        _add_resolve(draft, reason)
    elif draft.register is not None and _may_be_unrecorded(draft) and _add_resolve(draft, reason):
        # A page on record: a resolve that fails now is repeated later.
        draft.update_register(page=PageRecord(PAGE_TRIGGERED, draft.register.peak, draft.register.began))


def _add_resolve(draft: GroupPlan, reason: str) -> bool:
    """Whether the incident is resolved now or, where PagerDuty cannot be observed, later."""
    unobservable = draft.observed.error_for(Target.PAGE)
    if unobservable:
        reason = f"PagerDuty cannot be observed: {unobservable}"
        draft.add_skip(_RESOLVE, reason, UNOBSERVABLE)
        draft.troubles.append(f"notifying PagerDuty failed: the incident stays, since {reason}"[:300])
        return True
    if refused := _paging_refusal(draft):
        draft.add_skip(_RESOLVE, refused)
        return False
    draft.add_change(_RESOLVE, reason)
    return True


def _may_be_unrecorded(draft: GroupPlan) -> bool:
    """Whether, on closing, an incident can be open that a crash between the page and its receipt left unrecorded.

    It can where the episode paged, the register records no open incident, and REST is not configured: the record of a
    resolved incident can be older than the page. PagerDuty ignores a resolve where nothing is open.
    """
    register = draft.register
    if register is None or register.closed is not None or draft.observed.incidents is not None:
        return False
    # The register can miss the peak of an alert: the page is sent even when the change of the issue fails.
    peak = max([register.peak, *(alert.peak for alert in draft.group.alerts)])
    led = any(record.page for record in register.followers)
    return draft.is_escalated or led or _reached_paging_tier(draft, peak)


def _reached_paging_tier(draft: GroupPlan, peak: Severity) -> bool:
    """Whether an alert with this ``peak`` has reached a tier that pages."""
    return any("page" in do and severity <= peak for severity, do in _tier_actions(draft))


def _tier_actions(draft: GroupPlan) -> Iterator[tuple[Severity, tuple[str, ...]]]:
    """(severity, actions) of every tier of the group's rule, built-in rules included."""
    built_in = {
        MONITORING_SILENT: draft.model.silent,
        SUDDEN_IMPROVEMENT: draft.model.improvement,
        IMPLAUSIBLE_METRIC: draft.model.implausible,
        BUSINESS_DIVERGENCE: draft.model.divergence,
        SEGMENT_GONE: draft.model.gone,
        SOURCE_OUTAGE: draft.model.outage,
        **RELEASE_RULE_DEFAULTS,
    }
    if tier := built_in.get(draft.group.rule):
        yield tier.severity, tier.do
    for rule in draft.model.rules:
        if rule.name == draft.group.rule:
            for tiers in (rule.tiers, *(override.tiers for override in rule.overrides)):
                yield from ((tier.severity, tier.do) for tier in tiers)


def resolve_remaining(draft: GroupPlan) -> None:
    """Resolve an incident that is open without an issue, or after its issue was closed: by a crash, or since it was
    triggered while GitHub was down. If it began after the closing, its own recovery has to be confirmed."""
    began, closed = _incident_start(draft), draft.register.closed if draft.register else None
    if began is not None and (closed is None or began > closed):
        _resolve_if_recovered(draft, began)
    elif closed is not None:
        plan_resolve(draft, "the issue is closed: the alert has recovered")


def _incident_start(draft: GroupPlan) -> float | None:
    """When the open incident began, as far as is known (seconds, UTC); ``None`` if there is none.

    REST shows it. Without REST, an alert at a tier that pages can have been paged while GitHub was down, with no record
    on an issue. It is then resolved again at each evaluation for 24 h, as long as a resolved alert is kept: PagerDuty
    ignores a resolve where nothing is open.
    """
    if draft.observed.incidents is not None:
        incident = draft.incident
        return incident.created_at if incident is not None and incident.status != "resolved" else None
    register, page = draft.register, draft.page
    if draft.has_recovered_with_leader or (page is not None and page.state == PAGE_TRIGGERED):
        return None
    recorded = max(register.closed or 0.0 if register else 0.0, page.at if page else 0.0)
    alerts = [alert for alert in draft.group.alerts if alert.state is AlertState.RESOLVED]
    times = [alert.fired for alert in alerts if _reached_paging_tier(draft, alert.peak)]
    return max((time for time in times if time is not None and time > recorded), default=None)


def _resolve_if_recovered(draft: GroupPlan, began: float) -> None:
    series = {clear.fingerprint for clear in draft.group.clear} | {a.fingerprint for a in draft.group.alerts}
    missing = unproven_alerts(draft.group, tuple(sorted(series)), began, draft.group.hold)
    if missing:
        draft.add_skip(_RESOLVE, f"recovery is not confirmed: {missing}", "proof")
    elif draft.observed.incidents is None:
        _add_resolve(draft, "every series of the rule is clear again, and no issue says whether it was paged")
    else:
        _add_resolve(draft, "every series of the rule is clear since the incident began")
