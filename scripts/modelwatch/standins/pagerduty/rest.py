"""PagerDuty's REST API: incidents, their alerts, log entries and notes; users, abilities; and what is set up there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..http import Request, Response
from . import setup, wired
from .asking import Ask, Refusal, invalid
from .records import Actor, Incident
from .shapes import Shapes
from .state import REST_PER_MINUTE, PagerDutyState

STATUSES = ("triggered", "acknowledged", "resolved")
_MONTH = 31 * 86_400.0
_SORTS: dict[str, Callable[[Incident], Any]] = {
    "incident_number": lambda incident: incident.number,
    "created_at": lambda incident: incident.created,
    "resolved_at": lambda incident: incident.resolved or 0.0,
    "urgency": lambda incident: incident.urgency,
}


def list_incidents(ask: Ask) -> Response:
    statuses, services, urgencies = ask.many("statuses"), ask.many("service_ids"), ask.many("urgencies")
    for status in statuses:
        if status not in STATUSES:
            raise invalid(f"Status {status} is not valid")
    key = ask.request.first("incident_key")
    since, until = _range(ask)
    found = [
        incident
        for incident in ask.state.incidents
        if (not statuses or incident.status in statuses)
        and (not services or incident.service.id in services)
        and (not urgencies or incident.urgency in urgencies)
        and (not key or incident.key == key)
        and since <= incident.created <= until
    ]
    for part in reversed(",".join(ask.many("sort_by") or ["incident_number:asc"]).split(",")):
        name, _, direction = part.partition(":")
        if name not in _SORTS or direction not in ("", "asc", "desc"):
            raise invalid(f"sort_by {part} is not valid")
        found.sort(key=_SORTS[name], reverse=direction == "desc")
    return ask.page("incidents", found, ask.shapes.incident)


def _range(ask: Ask) -> tuple[float, float]:
    """Without dates only the last month is searched; ``date_range=all`` lifts that."""
    if ask.request.first("date_range") == "all":
        return 0.0, float("inf")
    now = ask.state.clock()
    until = _moment(ask.request.first("until"), now)
    since = _moment(ask.request.first("since"), until - _MONTH)
    if until - since > 6 * _MONTH:
        raise invalid("The time range must not exceed 6 months")
    return since, until


def _moment(text: str, default: float) -> float:
    if not text:
        return default
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise invalid(f"{text} is not a valid date") from error


def get_incident(ask: Ask) -> Response:
    return Response.of({"incident": ask.shapes.incident(ask.incident())})


def put_incident(ask: Ask) -> Response:
    by = ask.requester()
    incident, wanted = ask.incident(), ask.field("incident")
    _change(ask, incident, wanted, by)
    return Response.of({"incident": ask.shapes.incident(incident)})


def put_incidents(ask: Ask) -> Response:
    """Change several at once."""
    by = ask.requester()
    body = json.loads(ask.request.body or b"{}")
    wanted = body.get("incidents") if isinstance(body, dict) else None
    if not isinstance(wanted, list):
        raise invalid("incidents is required")
    changed: list[Incident] = []
    for item in wanted:
        incident = ask.state.find(str(item.get("id")))
        if incident is None:
            raise Refusal(404, 2100, "Not Found")
        _change(ask, incident, item, by)
        changed.append(incident)
    return ask.page("incidents", changed, ask.shapes.incident)


def _change(ask: Ask, incident: Incident, wanted: dict[str, Any], by: Actor) -> None:
    if wanted.get("type") not in ("incident", "incident_reference"):
        raise invalid("Incident type is required")
    status, title = wanted.get("status"), wanted.get("title")
    if status is not None:
        if status not in STATUSES:
            raise invalid(f"Status {status} is not valid")
        ask.state.change(incident, status, by, "website", str(wanted.get("resolution", "")))
    if title is not None:
        incident.title = str(title)


def alerts(ask: Ask) -> Response:
    incident = ask.incident()
    key, statuses = ask.request.first("alert_key"), ask.many("statuses")
    status = "triggered" if incident.open else "resolved"
    fits = (not key or key == incident.key) and (not statuses or status in statuses)
    return ask.page("alerts", [incident] if fits else [], ask.shapes.alert)


def log_entries(ask: Ask) -> Response:
    incident = ask.incident()
    newest_first = list(reversed(incident.log))
    return ask.page("log_entries", newest_first, lambda entry: ask.shapes.log_entry(incident, entry))


def get_notes(ask: Ask) -> Response:
    return Response.of({"notes": [ask.shapes.note(note) for note in ask.incident().notes]})


def post_note(ask: Ask) -> Response:
    by = ask.requester()
    content = ask.field("note").get("content")
    if not isinstance(content, str) or not content.strip():
        raise invalid("Content cannot be empty")
    return Response.of({"note": ask.shapes.note(ask.state.annotate(ask.incident(), by, content))})


def users(ask: Ask) -> Response:
    query = ask.request.first("query").lower()
    found = [user for user in ask.state.users.values() if query in f"{user.name} {user.email}".lower()]
    return ask.page("users", found, ask.shapes.user)


def user(ask: Ask) -> Response:
    wanted = ask.token.user if ask.words[0] == "me" else ask.words[0]
    if not wanted:
        raise invalid("Account-level tokens have no current user")
    if wanted not in ask.state.users:
        raise Refusal(404, 2100, "Not Found")
    return Response.of({"user": ask.shapes.user(ask.state.users[wanted])})


def abilities(_: Ask) -> Response:
    return Response.of({"abilities": ["urgencies", "teams"]})


_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[[Ask], Response]], ...] = tuple(
    (method, re.compile(path), handler)
    for method, path, handler in (
        ("GET", r"/incidents", list_incidents),
        ("PUT", r"/incidents", put_incidents),
        ("GET", r"/incidents/([^/]+)", get_incident),
        ("PUT", r"/incidents/([^/]+)", put_incident),
        ("GET", r"/incidents/([^/]+)/alerts", alerts),
        ("GET", r"/incidents/([^/]+)/log_entries", log_entries),
        ("GET", r"/incidents/([^/]+)/notes", get_notes),
        ("POST", r"/incidents/([^/]+)/notes", post_note),
        ("GET", r"/users", users),
        ("GET", r"/users/([^/]+)", user),
        ("GET", r"/abilities", abilities),
        *setup.ROUTES,
        *wired.ROUTES,
    )
)


def answer(state: PagerDutyState, request: Request) -> Response:
    """Answer one REST request."""
    try:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        token = state.tokens.get(value.strip().removeprefix("token=").strip('"')) if scheme == "Token" else None
        if token is None or not value.startswith("token="):
            raise Refusal(401, 2006, "Unauthorized")
        if state.over_limit(token.value, REST_PER_MINUTE):
            raise Refusal(429, 2020, "Too Many Requests")
        shapes = Shapes(state, f"http://{request.headers.get('host', '127.0.0.1')}")
        for method, pattern, handler in _ROUTES:
            match = pattern.fullmatch(request.path) if method == request.method else None
            if match is not None:
                return handler(Ask(state, request, token, shapes, match.groups()))
        raise Refusal(404, 2100, "Not Found")
    except Refusal as refusal:
        return Response.of(refusal.body, refusal.status)
