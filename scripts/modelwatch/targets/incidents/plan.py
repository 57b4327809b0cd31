"""Pages: triggered when a tier asks for it, again when it gets worse; never downgraded, only resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...model.alert import MONITORING_SILENT, SEGMENT_GONE, SUDDEN_IMPROVEMENT, AlertState
from ...model.monitored_model import RELEASE_RULE_DEFAULTS
from ...model.plan import ChangeKind, ObservedIncident, Target
from ...model.register import PAGE_RESOLVED, PAGE_TRIGGERED, DispatchRecord, DispatchState, PageRecord
from ...model.release import CHANGE_EVENT
from ...model.rule import Mode
from ...model.severity import Severity
from ...timeutil import DAY, HOUR
from ..draft import GroupPlan, Situation
from ..register.recovery import unproven_alerts

RETRIGGER_AFTER = 4 * HOUR
"""An incident that was resolved by hand while the alert fires is triggered again after so many seconds."""
NOTIFY_WITHIN = DAY
_TRIGGER, _RESOLVE = ChangeKind.TRIGGER_INCIDENT, ChangeKind.RESOLVE_INCIDENT


def plan_incident(draft: GroupPlan) -> None:
    """Trigger, keep or resolve the group's incident, as its situation demands."""
    match draft.situation:
        case Situation.FIRING | Situation.WITHOUT_ISSUE:
            plan_page(draft)
        case Situation.MUTED if "page" in draft.group.do:
            draft.add_skip(_TRIGGER, draft.guard_reason, draft.guard)
        case Situation.RECOVERED:
            plan_resolve(draft, "the alert has recovered")
        case Situation.CLOSED:
            resolve_after_close(draft)
        case Situation.NO_ISSUE:
            resolve_without_issue(draft)


def plan_page(draft: GroupPlan) -> None:
    """Trigger an incident for a firing group that is not muted, or skip with the reason."""
    page = draft.register.page if draft.register else None
    if "page" not in draft.group.do and not draft.is_escalated:
        if page is not None and page.state == PAGE_TRIGGERED:
            draft.add_skip(
                _TRIGGER, "this tier does not page; the incident stays: pages are resolved, never downgraded"
            )
        return
    refused = _routing_refusal(draft) or _mode_refusal(draft)
    reason, waits = ("", "") if refused else _trigger_reason(draft, page)
    if not refused and reason:
        refused = draft.counter.page_refusal()
        if refused:
            draft.add_skip(_TRIGGER, refused, "blast-radius")
            return
    if refused or waits:
        draft.add_skip(_TRIGGER, refused or waits)
        return
    draft.counter.pages += 1
    draft.add_change(_TRIGGER, reason, expect=draft.expect_same_issue())


def _routing_refusal(draft: GroupPlan) -> str:
    return "" if draft.model.pagerduty.routing_key else "no PagerDuty routing key is configured for this model"


def _mode_refusal(draft: GroupPlan) -> str:
    mode = draft.model.page_mode
    return "" if mode is Mode.ACT else f"paging is in mode {mode}"


def _trigger_reason(draft: GroupPlan, page: PageRecord | None) -> tuple[str, str]:
    """(why it is triggered, why not): one of the two is empty."""
    incident = draft.incident
    if page is None and draft.register is None and incident is not None:
        return _unrecorded_incident_reason(draft, incident)
    if page is None or page.state != PAGE_TRIGGERED:
        if draft.escalation:
            return draft.escalation, ""
        return f"{draft.group.rule} is {draft.severity} and nobody has been paged for it", ""
    if draft.escalation and (incident is None or incident.status != "resolved"):
        return draft.escalation, ""
    if draft.severity > page.severity:
        return f"worse: {draft.severity}, paged as {page.severity}", ""
    if draft.severity < page.severity:
        kept = f"paged as {page.severity}, now {draft.severity}: pages are never downgraded, only resolved"
    else:
        kept = f"paged already, as {page.severity}"
    if draft.observed.incidents is None:
        return "", kept
    if incident is not None and incident.status != "resolved":
        return "", kept
    if incident is not None and incident.changed_at >= page.at:
        who = "by a person" if incident.by_person else "at PagerDuty"
        return _retrigger_reason(draft, incident.changed_at, f"the incident was resolved {who} while the alert fires")
    # A list that lags does not show the page of a moment ago.
    return _retrigger_reason(draft, page.at, "PagerDuty does not show the incident that was triggered")


def _retrigger_reason(draft: GroupPlan, since: float, what: str) -> tuple[str, str]:
    if draft.now - since >= RETRIGGER_AFTER:
        return f"{what}, {RETRIGGER_AFTER / HOUR:g} h ago", ""
    return "", f"{what}; it is triggered again {RETRIGGER_AFTER / HOUR:g} h after that, or at once when it gets worse"


def _unrecorded_incident_reason(draft: GroupPlan, incident: ObservedIncident) -> tuple[str, str]:
    """No issue says what was paged, but PagerDuty shows an incident."""
    if incident.status != "resolved":
        return "", "an incident is open, and no issue says more"
    return _retrigger_reason(draft, incident.changed_at, "the incident was resolved while the alert fires")


def notify_workflow_ends(draft: GroupPlan) -> None:
    """Tell the incident how workflows ended, resolved or not; what ended long ago is no news."""
    register = draft.register
    if register is None or register.page is None:
        return
    if _routing_refusal(draft) or _mode_refusal(draft):
        return
    for record in register.dispatches:
        ended = record.ended if record.ended is not None else record.at
        if record.state is not DispatchState.FINISHED or record.told or draft.now - ended > NOTIFY_WITHIN:
            continue
        if _is_announced(draft, record):
            draft.put_dispatch(replace(record, told=True))
        else:
            reason = f"{record.name} ended: {record.conclusion or 'no conclusion'}"
            draft.add_change(ChangeKind.TELL_INCIDENT, reason, expect=draft.expect_same_issue(), about=record.key)


def _is_announced(draft: GroupPlan, record: DispatchRecord) -> bool:
    """Whether the move itself told PagerDuty, with a text of its own: one change is one change event."""
    moves = draft.observed.registry.moves if draft.observed.registry else ()
    return any(move.key == record.key and CHANGE_EVENT in move.told for move in moves)


def plan_resolve(draft: GroupPlan, reason: str) -> None:
    """Resolve the group's incident where one may be open."""
    page = draft.register.page if draft.register else None
    incident = draft.incident
    if incident is not None and incident.status == "resolved":
        if page is not None and page.state == PAGE_TRIGGERED and incident.changed_at >= page.at:
            draft.update_register(page=replace(page, state=PAGE_RESOLVED, at=incident.changed_at))
            return
        incident = None
    if incident is not None or (page is not None and page.state == PAGE_TRIGGERED):
        _add_resolve(draft, reason)
    elif _may_be_unrecorded(draft) and _add_resolve(draft, reason):
        _assume_paged(draft)


def _assume_paged(draft: GroupPlan) -> None:
    """The closed issue says that PagerDuty was paged, so that a resolve that fails now is repeated later."""
    register = draft.register
    if register is not None:
        draft.update_register(page=PageRecord(PAGE_TRIGGERED, register.peak, register.began))


def _add_resolve(draft: GroupPlan, reason: str) -> bool:
    """Whether the incident is resolved now or, where PagerDuty cannot be observed, later."""
    unobservable = draft.observed.error_for(Target.PAGE)
    if unobservable:
        why = f"PagerDuty cannot be observed: {unobservable}"
        draft.add_skip(_RESOLVE, why, "unobservable")
        draft.troubles.append(f"telling PagerDuty failed: the incident stays, since {why}"[:300])
        return True
    refused = _routing_refusal(draft) or _mode_refusal(draft)
    if refused:
        draft.add_skip(_RESOLVE, refused)
        return False
    draft.add_change(_RESOLVE, reason, expect=draft.expect_same_issue())
    return True


def _may_be_unrecorded(draft: GroupPlan) -> bool:
    """On closing: whether a crash can have come between a page and its receipt.

    It can where the episode paged, the register knows of no open incident, and without REST nobody can look: the
    record of an incident that was resolved can be older than the page. PagerDuty drops a resolve where nothing is open.
    """
    register = draft.register
    if register is None or register.closed is not None or draft.observed.incidents is not None:
        return False
    # The issue may have missed how far an alert came: its change can fail, and the page goes all the same.
    peak = max([register.peak, *(alert.peak for alert in draft.group.alerts)])
    return draft.is_escalated or _reached_paging_tier(draft, peak)


def _reached_paging_tier(draft: GroupPlan, peak: Severity) -> bool:
    """Whether an alert that came as far as ``peak`` has been at a tier that pages."""
    return any("page" in do and severity <= peak for severity, do in _tier_actions(draft))


def _tier_actions(draft: GroupPlan) -> Iterator[tuple[Severity, tuple[str, ...]]]:
    """What every tier of the group's rule asks for, and what modelwatch's own rules do."""
    own = {
        MONITORING_SILENT: draft.model.silent,
        SUDDEN_IMPROVEMENT: draft.model.improvement,
        SEGMENT_GONE: draft.model.gone,
        **RELEASE_RULE_DEFAULTS,
    }
    if found := own.get(draft.group.rule):
        yield found.severity, found.do
    for rule in draft.model.rules:
        if rule.name == draft.group.rule:
            for tier in (*rule.tiers, *(tier for override in rule.overrides for tier in override.tiers)):
                yield tier.severity, tier.do


def resolve_after_close(draft: GroupPlan) -> None:
    """The issue is closed already, but the incident may be open: the crash between the two, or a page that was sent
    while GitHub was down. One that began after the closing has to be proved healthy itself."""
    began, closed = _incident_start(draft), draft.register.closed if draft.register else None
    if began is not None and closed is not None and began > closed:
        _resolve_if_recovered(draft, began)
    else:
        plan_resolve(draft, "the issue is closed: the alert has recovered")


def resolve_without_issue(draft: GroupPlan) -> None:
    """An incident without an issue: it was paged while GitHub was down. Every series has to be clear since."""
    began = _incident_start(draft)
    if began is not None:
        _resolve_if_recovered(draft, began)


def _incident_start(draft: GroupPlan) -> float | None:
    """When the open incident began, as far as can be known (seconds, UTC); ``None``: there is none.

    REST shows it. Without REST an alert that fired at a tier that pages may have been paged while GitHub was down, and
    no issue remembers it: then it is resolved again at each evaluation of the 24 h for which a resolved alert is kept,
    since PagerDuty drops a resolve where nothing is open.
    """
    if draft.observed.incidents is not None:
        incident = draft.incident
        return incident.created_at if incident is not None and incident.status != "resolved" else None
    register = draft.register
    page = register.page if register else None
    if page is not None and page.state == PAGE_TRIGGERED:
        return None
    known = max(register.closed or 0.0 if register else 0.0, page.at if page else 0.0)
    fired = (
        a.fired for a in draft.group.alerts if a.state is AlertState.RESOLVED and _reached_paging_tier(draft, a.peak)
    )
    return max((time for time in fired if time is not None and time > known), default=None)


def _resolve_if_recovered(draft: GroupPlan, began: float) -> None:
    series = {clear.fingerprint for clear in draft.group.clear} | {a.fingerprint for a in draft.group.alerts}
    missing = unproven_alerts(draft.group, tuple(sorted(series)), began, draft.group.hold)
    if missing:
        draft.add_skip(_RESOLVE, f"recovery is not proved: {missing}", "proof")
    elif draft.observed.incidents is None:
        _add_resolve(draft, "every series of the rule is clear again, and no issue says whether it was paged")
    else:
        _add_resolve(draft, "every series of the rule is clear since the incident began")
