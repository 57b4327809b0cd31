"""Incidents observed through REST, and alerts triggered and resolved through events."""

from __future__ import annotations

from collections.abc import Iterable

from ...clients.pagerduty import ChangeEventsApi, EventsApi, IncidentsApi
from ...errors import ServiceError
from ...model.alert import Group
from ...model.plan import Change, ObservedIncident
from ...model.register import DispatchRecord, PageRecord, Register
from ...model.rendered_text import IncidentText
from ...timeutil import parse_iso
from ..base import TextWriter


def observe_incidents(incidents: IncidentsApi, groups: Iterable[str]) -> tuple[ObservedIncident, ...]:
    """The newest incident of each group that has one. Raises ServiceError."""
    found = []
    for group in groups:
        row = incidents.latest_incident(group)
        if row is None:
            continue
        try:
            by = row.get("last_status_change_by") or {}
            created = parse_iso(str(row["created_at"]))
            changed = row.get("last_status_change_at")
            found.append(
                ObservedIncident(
                    group=group,
                    status=str(row["status"]),
                    url=str(row.get("html_url") or ""),
                    created_at=created,
                    changed_at=parse_iso(str(changed)) if changed else created,
                    by_person=str(by.get("type", "")).startswith("user"),
                )
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ServiceError("PagerDuty's answer is not a list of incidents") from error
    return tuple(found)


def is_recorded(change: Change, register: Register | None, since: float, state: str) -> bool:
    """Whether the register says that PagerDuty has been told this since the plan was made."""
    page = register.page if register else None
    if page is None or page.at < since or page.state != state:
        return False
    return state == "resolved" or page.severity >= change.severity


def trigger_incident(
    events: EventsApi,
    change: Change,
    group: Group | None,
    register: Register | None,
    issue_url: str,
    writer: TextWriter,
    now: float,
) -> PageRecord:
    """Open the incident of the group, or raise its severity. Safe to repeat. Raises UserError, ServiceError."""
    text = incident_text(change, group, register, issue_url, writer, now)
    events.trigger(
        change.group,
        summary=text.summary,
        source=text.source,
        severity=text.severity,
        timestamp=text.timestamp or now,
        component=text.component,
        group=text.group,
        klass=text.klass,
        details=text.details,
        links=text.links,
        client_url=issue_url,
    )
    before = register.page.url if register and register.page else ""
    return PageRecord("triggered", change.severity, now, before)


def resolve_incident(events: EventsApi, change: Change, register: Register | None, now: float) -> PageRecord:
    """Resolve the incident of the group. Safe to repeat. Raises UserError, ServiceError."""
    events.resolve(change.group)
    before = register.page if register else None
    return PageRecord("resolved", before.severity if before else change.severity, now, before.url if before else "")


def notify_workflow_end(
    events: ChangeEventsApi, change: Change, record: DispatchRecord | None, issue_url: str, now: float
) -> None:
    """How a workflow ended, as a change event beside the incident. Raises UserError, ServiceError."""
    to = f" to {record.target_version}" if record and record.target_version else ""
    verb = record.verb if record else change.about
    links = [("Workflow run", record.url if record else ""), ("GitHub issue", issue_url)]
    events.submit(
        f"{change.model}: {verb}{to}: {change.reason}",
        source=f"modelwatch/{change.model}",
        timestamp=record.ended if record and record.ended is not None else now,
        details={"key": change.about, "incident": change.group, "by": record.by if record else ""},
        links=[(text, url) for text, url in links if url],
    )


def incident_text(
    change: Change, group: Group | None, register: Register | None, issue_url: str, writer: TextWriter, now: float
) -> IncidentText:
    """What the page says; where there is nothing to say it with, the bare fact: a poor page is better than none."""
    if group is not None:
        return writer.incident(group, register, issue_url, now)
    links = (("GitHub issue", issue_url),) if issue_url else ()
    summary = f"{change.model}: {change.reason or 'an alert fires'}"
    return IncidentText(summary, str(change.severity), f"modelwatch/{change.model}", timestamp=now, links=links)
