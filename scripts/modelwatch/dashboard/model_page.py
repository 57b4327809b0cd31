"""The page of one model, from everything that was read of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model.alert import AlertState, Group
from ..model.severity import Severity
from ..model.site_paths import alert_path
from ..report.alert_phrase import describe_alert
from ..report.model_health import Health, group_health
from .annotations import model_annotations
from .answers import answers
from .business import business_answer, business_view
from .data_science import data_science_view
from .ground_truth import ground_truth_view
from .health import ModelHealth, diagnose, model_health, urgent_since
from .operations import operations_view
from .page import AlertLink, ModelPage, View, ViewName
from .snapshot import ModelSnapshot

VIEWS: Mapping[ViewName, Callable[[ModelSnapshot], View]] = {
    ViewName.DATA_SCIENCE: data_science_view,
    ViewName.BUSINESS: business_view,
    ViewName.OPERATIONS: operations_view,
    ViewName.GROUND_TRUTH: ground_truth_view,
}
"""How each view is made."""


def model_page(snapshot: ModelSnapshot) -> tuple[ModelPage, ModelHealth]:
    """The page, and the health that the fleet's row shares with it."""
    said = diagnose(snapshot)
    health = model_health(snapshot, said)
    page = ModelPage(
        model=snapshot.model.name,
        owner=snapshot.model.owner,
        health=health.health,
        since=health.since,
        headline=health.headline,
        doing=health.doing,
        answers=answers(snapshot, health, said, business_answer(snapshot)),
        alerts=tuple(_alert_link(snapshot, group) for group in snapshot.groups if group.alerts),
        annotations=model_annotations(snapshot),
        views=tuple(VIEWS[name](snapshot) for name in ViewName),
        links=(*snapshot.model.links, *snapshot.pull.links),
        as_of=snapshot.now,
        problems=snapshot.problems,
    )
    return page, health


def _alert_link(snapshot: ModelSnapshot, group: Group) -> AlertLink:
    register = snapshot.registers.get(group.key)
    observed = snapshot.observation
    issue = next((one.url for one in observed.issues if one.group == group.key), "") if observed else ""
    incidents = (observed.incidents or ()) if observed else ()
    incident = next((one.url for one in incidents if one.group == group.key), "")
    episode = register.episode if register else 1
    return AlertLink(
        group=group.key,
        episode=episode,
        title=describe_alert(group).sentence,
        health=group_health(group),
        severity=group.severity,
        since=group.start if group.start is not None else group.alerts[0].start,
        until=group.end if group.state is AlertState.RESOLVED else None,
        page="" if group.state is AlertState.PENDING else alert_path(snapshot.model.name, group.key, episode),
        issue_url=issue,
        incident_url=incident or (register.page.url if register and register.page else ""),
        urgent_since=_urgent_since(group),
    )


def _urgent_since(group: Group) -> float | None:
    """When a group that fires became an error, where it was milder before."""
    if group.state is not AlertState.FIRING or group_health(group) is not Health.RED:
        return None
    firing = [alert for alert in group.alerts if alert.state is AlertState.FIRING and alert.severity >= Severity.ERROR]
    since = min(map(urgent_since, firing), default=None)
    return since if since is not None and group.start is not None and since > group.start else None
