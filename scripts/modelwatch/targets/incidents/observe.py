"""Observes incidents through PagerDuty's REST API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...clients.pagerduty import IncidentsApi
from ...errors import ServiceError, UserError
from ...model.alert import AlertState
from ...model.plan import ObservedIncident
from ...model.register import PAGE_TRIGGERED, alert_keys
from ...model.severity import Severity
from ...model.target import Target
from ...timeutil import parse_iso
from ..base import ObservationBuilder
from ..sessions import TargetSessions


def observe_incidents(sessions: TargetSessions, models: Sequence[ObservationBuilder], _now: float | None) -> None:
    """Add the newest incident of each alert of the groups that page or have paged."""
    for builder in models:
        try:
            incidents = sessions.incidents(builder.model)
            if incidents is not None:
                counts = alert_counts(builder)
                keys = [(group, key) for group in paging_groups(builder) for key in alert_keys(group, counts[group])]
                rows = [(group, incidents.latest_incident(key)) for group, key in keys]
                found = [(_read_incident(group, row), row) for group, row in rows if row is not None]
                if _lacks_registers(builder):
                    found = [(_add_severity(incidents, incident, row), row) for incident, row in found]
                builder.incidents = tuple(incident for incident, _ in found)
        except UserError as error:
            builder.add_error(error, Target.PAGE)


def paging_groups(builder: ObservationBuilder) -> list[str]:
    """The groups that page or have paged."""
    groups = builder.groups
    paging = {group.key for group in groups if group.state is AlertState.FIRING and "page" in group.do}
    # A group that has just recovered without an issue can have paged while GitHub could not be observed.
    with_issue = {issue.group for issue in builder.issues}
    paging |= {group.key for group in groups if group.state is AlertState.RESOLVED and group.key not in with_issue}
    for issue in builder.issues:
        register = issue.register
        page = register.page if register else None
        # An open episode can have paged without a receipt.
        if register is not None and (register.closed is None or (page is not None and page.state == PAGE_TRIGGERED)):
            paging.add(issue.group)
    return sorted(paging)


def _lacks_registers(builder: ObservationBuilder) -> bool:
    """Whether the issues, which keep the registers, cannot be read, or the register of one of them."""
    unreadable = any(issue.register is None and issue.trusted for issue in builder.issues)
    return unreadable or any(error.target is Target.ISSUE for error in builder.errors)


def _add_severity(incidents: IncidentsApi, incident: ObservedIncident, row: Mapping[str, Any]) -> ObservedIncident:
    """``incident`` with the severity of its alert, where it is open. Raises ServiceError."""
    if not incident.is_open:
        return incident
    text = incidents.alert_severity(str(row.get("id")))
    return replace(incident, severity=next((severity for severity in Severity if str(severity) == text), None))


def alert_counts(builder: ObservationBuilder) -> Counter[str]:
    """How many alerts of each group were opened, as far as is recorded; at least one. Without registers a second one is
    looked for."""
    least = 2 if _lacks_registers(builder) else 1
    counts = Counter({group.key: least for group in builder.groups})
    for issue in builder.issues:
        page = issue.register.page if issue.register else None
        counts[issue.group] = max(counts[issue.group], page.alerts if page else 1)
    return counts


def _read_incident(group: str, row: Mapping[str, Any]) -> ObservedIncident:
    """Raises ServiceError where ``row`` is not an incident."""
    try:
        by = row.get("last_status_change_by") or {}
        is_person = str(by.get("type", "")).startswith("user")
        created = parse_iso(str(row["created_at"]))
        changed = row.get("last_status_change_at")
        return ObservedIncident(
            group=group,
            status=str(row["status"]),
            url=str(row.get("html_url") or ""),
            created_at=created,
            changed_at=parse_iso(str(changed)) if changed else created,
            by_person=is_person,
            by=str(by.get("summary") or "") if is_person else "",
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ServiceError(
            "PagerDuty's answer is not a list of incidents", hint="A proxy may be in the way."
        ) from error
