"""Observes incidents through PagerDuty's REST API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...clients.pagerduty import IncidentsApi
from ...errors import ServiceError, UserError
from ...model.alert import AlertState
from ...model.plan import ObservedIncident, Target
from ...model.register import PAGE_TRIGGERED
from ...timeutil import parse_iso
from ..base import ObservationBuilder
from ..sessions import TargetSessions


def observe_incidents(sessions: TargetSessions, models: Sequence[ObservationBuilder], _now: float | None) -> None:
    """Add the incidents of the groups that page or have paged."""
    for builder in models:
        _observe_model(sessions, builder)


def _observe_model(sessions: TargetSessions, builder: ObservationBuilder) -> None:
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
    try:
        incidents = sessions.incidents(builder.model)
        if incidents is not None:
            builder.incidents = newest_incidents(incidents, sorted(paging))
    except UserError as error:
        builder.add_error(error, Target.PAGE)


def newest_incidents(incidents: IncidentsApi, groups: Iterable[str]) -> tuple[ObservedIncident, ...]:
    """The newest incident of each group that has one. Raises ServiceError."""
    observed = []
    for group in groups:
        row = incidents.latest_incident(group)
        if row is None:
            continue
        try:
            by = row.get("last_status_change_by") or {}
            created = parse_iso(str(row["created_at"]))
            changed = row.get("last_status_change_at")
            observed.append(
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
    return tuple(observed)
