"""Pages: triggered when a tier asks for it, again when it gets worse; never downgraded, only resolved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..model.alert import GONE, IMPROVEMENT, SILENT, AlertState
from ..model.plan import ChangeKind, ObservedIncident, Target
from ..model.register import DispatchRecord, PageRecord, ReceiptState
from ..model.release import CHANGE_EVENT
from ..model.rule import DAY, HOUR, Mode
from ..model.severity import Severity
from ..model.watched import RELEASE_ALERTS
from .proof import lacking
from .settling import escalated
from .work import Work

AGAIN = 4 * HOUR
"""An incident that was resolved by hand while the alert fires is triggered again after so many seconds."""
NEWS = DAY
_TRIGGER, _RESOLVE = ChangeKind.TRIGGER_INCIDENT, ChangeKind.RESOLVE_INCIDENT


def want(work: Work) -> None:
    """Trigger an incident for a firing group that is not muted, or skip with the reason."""
    page = work.register.page if work.register else None
    if "page" not in work.group.do and not escalated(work):
        if page is not None and page.state == "triggered":
            work.skip(_TRIGGER, "this tier does not page; the incident stays: pages are resolved, never downgraded")
        return
    refused = _unable(work) or _mode(work)
    reason, waits = ("", "") if refused else _wanted(work, page)
    if not refused and reason:
        refused = work.ledger.refuses_page()
        if refused:
            work.skip(_TRIGGER, refused, "blast-radius")
            return
    if refused or waits:
        work.skip(_TRIGGER, refused or waits)
        return
    work.ledger.pages += 1
    work.pages.append(work.change(_TRIGGER, reason, expect=work.beside()))


def _unable(work: Work) -> str:
    return "" if work.model.pagerduty.routing_key else "no PagerDuty routing key is configured for this model"


def _mode(work: Work) -> str:
    mode = work.model.page_mode
    return "" if mode is Mode.ACT else f"paging is in mode {mode}"


def _wanted(work: Work, page: PageRecord | None) -> tuple[str, str]:
    """(why it is triggered, why not): one of the two is empty."""
    incident = work.incident
    if page is None and work.register is None and incident is not None:
        return _unrecorded(work, incident)
    if page is None or page.state != "triggered":
        if work.escalation:
            return work.escalation, ""
        return f"{work.group.rule} is {work.severity} and nobody has been paged for it", ""
    if work.escalation and (incident is None or incident.status != "resolved"):
        return work.escalation, ""
    if work.severity > page.severity:
        return f"worse: {work.severity}, paged as {page.severity}", ""
    if work.severity < page.severity:
        kept = f"paged as {page.severity}, now {work.severity}: pages are never downgraded, only resolved"
    else:
        kept = f"paged already, as {page.severity}"
    if work.observed.incidents is None:
        return "", kept
    if incident is not None and incident.status != "resolved":
        return "", kept
    if incident is not None and incident.changed_at >= page.at:
        who = "by a person" if incident.by_person else "at PagerDuty"
        return _again(work, incident.changed_at, f"the incident was resolved {who} while the alert fires")
    # A list that lags does not show the page of a moment ago.
    return _again(work, page.at, "PagerDuty does not show the incident that was triggered")


def _again(work: Work, since: float, what: str) -> tuple[str, str]:
    if work.now - since >= AGAIN:
        return f"{what}, {AGAIN / HOUR:g} h ago", ""
    return "", f"{what}; it is triggered again {AGAIN / HOUR:g} h after that, or at once when it gets worse"


def _unrecorded(work: Work, incident: ObservedIncident) -> tuple[str, str]:
    """No issue says what was paged, but PagerDuty shows an incident."""
    if incident.status != "resolved":
        return "", "an incident is open, and no issue says more"
    return _again(work, incident.changed_at, "the incident was resolved while the alert fires")


def tell(work: Work) -> None:
    """Tell the incident how workflows ended, resolved or not; what ended long ago is no news."""
    register = work.register
    if register is None or register.page is None:
        return
    if _unable(work) or _mode(work):
        return
    for record in register.dispatches:
        ended = record.ended if record.ended is not None else record.at
        if record.state is not ReceiptState.FINISHED or record.told or work.now - ended > NEWS:
            continue
        if _announced(work, record):
            work.put(replace(record, told=True))
        else:
            reason = f"{record.name} ended: {record.conclusion or 'no conclusion'}"
            work.pages.append(work.change(ChangeKind.TELL_INCIDENT, reason, expect=work.beside(), about=record.key))


def _announced(work: Work, record: DispatchRecord) -> bool:
    """Whether the move itself told PagerDuty, in words of its own: one change is one change event."""
    moves = work.observed.registry.moves if work.observed.registry else ()
    return any(move.key == record.key and CHANGE_EVENT in move.told for move in moves)


def resolve(work: Work, reason: str) -> None:
    """Resolve the group's incident where one may be open."""
    page = work.register.page if work.register else None
    incident = work.incident
    if incident is not None and incident.status == "resolved":
        if page is not None and page.state == "triggered" and incident.changed_at >= page.at:
            work.amend(page=replace(page, state="resolved", at=incident.changed_at))
            return
        incident = None
    if incident is not None or (page is not None and page.state == "triggered") or _may_be_forgotten(work):
        _send(work, reason)


def _send(work: Work, reason: str) -> None:
    unobservable = work.observed.trouble(Target.PAGE)
    if unobservable:
        why = f"PagerDuty cannot be observed: {unobservable}"
        work.skip(_RESOLVE, why, "unobservable")
        work.troubles.append(f"telling PagerDuty failed: the incident stays, since {why}"[:300])
        return
    refused = _unable(work) or _mode(work)
    if refused:
        work.skip(_RESOLVE, refused)
        return
    work.pages.append(work.change(_RESOLVE, reason, expect=work.beside()))


def _may_be_forgotten(work: Work) -> bool:
    """On closing: a crash may have come between a page and its receipt.

    So it is where the episode reached a tier that pages, the issue knows of no page, and without REST nobody can look.
    PagerDuty drops a resolve where nothing is open.
    """
    register = work.register
    if register is None or register.page is not None or register.closed is not None:
        return False
    return work.observed.incidents is None and _pages(work, register.peak)


def _pages(work: Work, peak: Severity) -> bool:
    """Whether an alert that came as far as ``peak`` has been at a tier that pages."""
    return any("page" in do and severity <= peak for severity, do in _asked(work))


def _asked(work: Work) -> Iterator[tuple[Severity, tuple[str, ...]]]:
    """What every tier of the group's rule asks for, and what modelwatch's own rules do."""
    own = {SILENT: work.model.silent, IMPROVEMENT: work.model.improvement, GONE: work.model.gone, **RELEASE_ALERTS}
    if found := own.get(work.group.rule):
        yield found.severity, found.do
    for rule in work.model.rules:
        if rule.name == work.group.rule:
            for tier in (*rule.tiers, *(tier for override in rule.overrides for tier in override.tiers)):
                yield tier.severity, tier.do


def resolve_late(work: Work) -> None:
    """The issue is closed already, but the incident may be open: the crash between the two, or a page that was sent
    while GitHub was down. One that began after the closing has to be proved healthy itself."""
    began, closed = _began(work), work.register.closed if work.register else None
    if began is not None and closed is not None and began > closed:
        _resolve_proved(work, began)
    else:
        resolve(work, "the issue is closed: the alert has recovered")


def resolve_orphan(work: Work) -> None:
    """An incident without an issue: it was paged while GitHub was down. Every series has to be clear since."""
    began = _began(work)
    if began is not None:
        _resolve_proved(work, began)


def _began(work: Work) -> float | None:
    """When the open incident began, as far as can be known (seconds, UTC); ``None``: there is none.

    REST shows it. Without REST an alert that fired at a tier that pages may have been paged while GitHub was down, and
    no issue remembers it: then it is told to be over at each evaluation of the 24 h for which a resolved alert is kept,
    since PagerDuty drops a resolve where nothing is open.
    """
    if work.observed.incidents is not None:
        incident = work.incident
        return incident.created_at if incident is not None and incident.status != "resolved" else None
    register = work.register
    page = register.page if register else None
    if page is not None and page.state == "triggered":
        return None
    known = max(register.closed or 0.0 if register else 0.0, page.at if page else 0.0)
    fired = (a.fired for a in work.group.alerts if a.state is AlertState.RESOLVED and _pages(work, a.peak))
    return max((time for time in fired if time is not None and time > known), default=None)


def _resolve_proved(work: Work, began: float) -> None:
    series = {clear.fingerprint for clear in work.group.clear} | {a.fingerprint for a in work.group.alerts}
    missing = lacking(work.group, tuple(sorted(series)), began, work.group.hold)
    if missing:
        work.skip(_RESOLVE, f"recovery is not proved: {missing}", "proof")
    elif work.observed.incidents is None:
        _send(work, "every series of the rule is clear again, and no issue says whether it was paged")
    else:
        _send(work, "every series of the rule is clear since the incident began")
