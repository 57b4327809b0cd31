"""PagerDuty's REST API: incidents, their alerts, log entries and notes; users, abilities; and what is set up there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..http import Request, Response
from . import orchestrations_and_subscriptions, setup_api
from .records import Actor, Incident
from .request_context import PagerDutyApiError, RequestContext, invalid_input
from .rest_json import Serializer
from .state import REST_PER_MINUTE, PagerDutyState

STATUSES = ("triggered", "acknowledged", "resolved")
_MONTH = 31 * 86_400.0
_SORTS: dict[str, Callable[[Incident], Any]] = {
    "incident_number": lambda incident: incident.number,
    "created_at": lambda incident: incident.created,
    "resolved_at": lambda incident: incident.resolved or 0.0,
    "urgency": lambda incident: incident.urgency,
}


def list_incidents(ask: RequestContext) -> Response:
    statuses, services, urgencies = (
        ask.list_parameter("statuses"),
        ask.list_parameter("service_ids"),
        ask.list_parameter("urgencies"),
    )
    for status in statuses:
        if status not in STATUSES:
            raise invalid_input(f"Status {status} is not valid")
    key = ask.request.first("incident_key")
    since, until = _time_range(ask)
    found = [
        incident
        for incident in ask.state.incidents
        if (not statuses or incident.status in statuses)
        and (not services or incident.service.id in services)
        and (not urgencies or incident.urgency in urgencies)
        and (not key or incident.key == key)
        and since <= incident.created <= until
    ]
    for part in reversed(",".join(ask.list_parameter("sort_by") or ["incident_number:asc"]).split(",")):
        name, _, direction = part.partition(":")
        if name not in _SORTS or direction not in ("", "asc", "desc"):
            raise invalid_input(f"sort_by {part} is not valid")
        found.sort(key=_SORTS[name], reverse=direction == "desc")
    return ask.page_response("incidents", found, ask.serializer.incident)


def _time_range(ask: RequestContext) -> tuple[float, float]:
    """Without dates only the last month is searched; ``date_range=all`` lifts that."""
    if ask.request.first("date_range") == "all":
        return 0.0, float("inf")
    now = ask.state.clock()
    until = _parse_time(ask.request.first("until"), now)
    since = _parse_time(ask.request.first("since"), until - _MONTH)
    if until - since > 6 * _MONTH:
        raise invalid_input("The time range must not exceed 6 months")
    return since, until


def _parse_time(text: str, default: float) -> float:
    if not text:
        return default
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise invalid_input(f"{text} is not a valid date") from error


def get_incident(ask: RequestContext) -> Response:
    return Response.of({"incident": ask.serializer.incident(ask.find_incident())})


def update_incident(ask: RequestContext) -> Response:
    by = ask.requester()
    incident, wanted = ask.find_incident(), ask.body_object("incident")
    _change_incident(ask, incident, wanted, by)
    return Response.of({"incident": ask.serializer.incident(incident)})


def update_incidents(ask: RequestContext) -> Response:
    """Change several at once."""
    by = ask.requester()
    body = ask.json_body()
    wanted = body.get("incidents") if isinstance(body, dict) else None
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise invalid_input("incidents is required")
    changed: list[Incident] = []
    for item in wanted:
        incident = ask.state.find_incident(str(item.get("id")))
        if incident is None:
            raise PagerDutyApiError(404, 2100, "Not Found")
        _change_incident(ask, incident, item, by)
        changed.append(incident)
    return ask.page_response("incidents", changed, ask.serializer.incident)


def _change_incident(ask: RequestContext, incident: Incident, wanted: dict[str, Any], by: Actor) -> None:
    if wanted.get("type") not in ("incident", "incident_reference"):
        raise invalid_input("Incident type is required")
    status, title = wanted.get("status"), wanted.get("title")
    if status is not None:
        if status not in STATUSES:
            raise invalid_input(f"Status {status} is not valid")
        ask.state.change_status(incident, status, by, "website", str(wanted.get("resolution", "")))
    if title is not None:
        incident.title = str(title)


def list_alerts(ask: RequestContext) -> Response:
    incident = ask.find_incident()
    key, statuses = ask.request.first("alert_key"), ask.list_parameter("statuses")
    status = "triggered" if incident.is_open else "resolved"
    fits = (not key or key == incident.key) and (not statuses or status in statuses)
    return ask.page_response("alerts", [incident] if fits else [], ask.serializer.alert)


def list_log_entries(ask: RequestContext) -> Response:
    incident = ask.find_incident()
    entries = sorted([*incident.log, *ask.state.notification_entries(incident)], key=lambda entry: entry.at)
    newest_first = list(reversed(entries))
    return ask.page_response("log_entries", newest_first, lambda entry: ask.serializer.log_entry(incident, entry))


def list_notes(ask: RequestContext) -> Response:
    return Response.of({"notes": [ask.serializer.note(note) for note in ask.find_incident().notes]})


def create_note(ask: RequestContext) -> Response:
    by = ask.requester()
    content = ask.body_object("note").get("content")
    if not isinstance(content, str) or not content.strip():
        raise invalid_input("Content cannot be empty")
    return Response.of({"note": ask.serializer.note(ask.state.add_note(ask.find_incident(), by, content))})


def list_users(ask: RequestContext) -> Response:
    query = ask.request.first("query").lower()
    found = [user for user in ask.state.users.values() if query in f"{user.name} {user.email}".lower()]
    return ask.page_response("users", found, ask.serializer.user)


def get_user(ask: RequestContext) -> Response:
    wanted = ask.token.user if ask.path_parameters[0] == "me" else ask.path_parameters[0]
    if not wanted:
        raise invalid_input("Account-level tokens have no current user")
    if wanted not in ask.state.users:
        raise PagerDutyApiError(404, 2100, "Not Found")
    return Response.of({"user": ask.serializer.user(ask.state.users[wanted])})


def list_abilities(_: RequestContext) -> Response:
    return Response.of({"abilities": ["urgencies", "teams"]})


_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[[RequestContext], Response]], ...] = tuple(
    (method, re.compile(path), handler)
    for method, path, handler in (
        ("GET", r"/incidents", list_incidents),
        ("PUT", r"/incidents", update_incidents),
        ("GET", r"/incidents/([^/]+)", get_incident),
        ("PUT", r"/incidents/([^/]+)", update_incident),
        ("GET", r"/incidents/([^/]+)/alerts", list_alerts),
        ("GET", r"/incidents/([^/]+)/log_entries", list_log_entries),
        ("GET", r"/incidents/([^/]+)/notes", list_notes),
        ("POST", r"/incidents/([^/]+)/notes", create_note),
        ("GET", r"/users", list_users),
        ("GET", r"/users/([^/]+)", get_user),
        ("GET", r"/abilities", list_abilities),
        *setup_api.ROUTES,
        *orchestrations_and_subscriptions.ROUTES,
    )
)


def answer_request(state: PagerDutyState, request: Request) -> Response:
    """Answer one REST request."""
    try:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        token = state.tokens.get(value.strip().removeprefix("token=").strip('"')) if scheme == "Token" else None
        if token is None or not value.startswith("token="):
            raise PagerDutyApiError(401, 2006, "Unauthorized")
        if state.over_limit(token.value, REST_PER_MINUTE):
            raise PagerDutyApiError(429, 2020, "Too Many Requests")
        shapes = Serializer(state, f"http://{request.headers.get('host', '127.0.0.1')}")
        for method, pattern, handler in _ROUTES:
            match = pattern.fullmatch(request.path) if method == request.method else None
            if match is not None:
                return handler(RequestContext(state, request, token, shapes, match.groups()))
        raise PagerDutyApiError(404, 2100, "Not Found")
    except PagerDutyApiError as refusal:
        return Response.of(refusal.body, refusal.status)
