"""``/v2/enqueue`` and ``/v2/change/enqueue``: what an event must look like."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..http import Request, Response
from .records import SEVERITIES, ChangeEvent, Service
from .state import EVENTS_PER_MINUTE, PagerDutyState

MAX_BYTES = 512 * 1024
MAX_SUMMARY = 1024
MAX_KEY = 255
ACTIONS = ("trigger", "acknowledge", "resolve")
_TEXTS = ("component", "group", "class")


def enqueue_event(state: PagerDutyState, request: Request) -> Response:
    """Accept an alert event (202), or say everything that is wrong with it (400)."""
    event = _parse_event(request)
    if isinstance(event, Response):
        return event
    problems = _key_problems(event) + _event_problems(event)
    service = state.service_by_routing_key(str(event.get("routing_key", "")))
    refused = _refusal(state, service, problems)
    if refused is not None or service is None:
        return refused or _invalid_event(["Invalid routing key"])
    event = dict(event)
    event["dedup_key"] = event.get("dedup_key") or uuid.uuid4().hex
    state.receive_event(service, event)
    return Response.of({"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}, 202)


def enqueue_change_event(state: PagerDutyState, request: Request) -> Response:
    """Accept a change event (202), or say everything that is wrong with it (400)."""
    event = _parse_event(request)
    if isinstance(event, Response):
        return event
    problems = _key_problems(event) + _summary_problems(event.get("payload")) + _attachment_problems(event)
    service = state.service_by_routing_key(str(event.get("routing_key", "")))
    refused = _refusal(state, service, problems)
    if refused is not None or service is None:
        return refused or _invalid_event(["Invalid routing key"])
    state.change_events.append(ChangeEvent(service, state.clock(), event))
    return Response.of({"status": "success", "message": "Change event processed"}, 202)


def _parse_event(request: Request) -> dict[str, Any] | Response:
    if len(request.body) > MAX_BYTES:
        problem = f"Event size must not exceed {MAX_BYTES} bytes"
        return Response.of({"status": "invalid event", "message": "Event is too large", "errors": [problem]}, 413)
    try:
        event = json.loads(request.body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        body = {"status": "Unrecognized object", "message": "Event object format is unrecognized"}
        return Response.of(body | {"errors": ["JSON parse error"]}, 400)
    return event


def _refusal(state: PagerDutyState, service: Service | None, problems: list[str]) -> Response | None:
    if problems or service is None:
        return _invalid_event(problems or ["Invalid routing key"])
    if state.over_limit(service.routing_key, EVENTS_PER_MINUTE):
        message = "Requests for this service are arriving too quickly. Please retry later."
        body = {"status": "throttle exceeded", "message": message, "errors": ["Enhance Your Calm."]}
        return Response.of(body, 429)
    return None


def _invalid_event(problems: list[str]) -> Response:
    return Response.of({"status": "invalid event", "message": "Event object is invalid", "errors": problems}, 400)


def _key_problems(event: Mapping[str, Any]) -> list[str]:
    key = event.get("routing_key")
    if not key:
        return ["'routing_key' is missing or blank"]
    if not isinstance(key, str):
        return ["'routing_key' is invalid (must be a string)"]
    return [] if len(key) == 32 else ["Length of 'routing_key' is incorrect (should be 32 characters)"]


def _event_problems(event: Mapping[str, Any]) -> list[str]:
    action = event.get("event_action")
    if action not in ACTIONS:
        what = (
            "is missing or blank"
            if not action
            else f"is invalid (must be one of the following: {_quote_words(ACTIONS)})"
        )
        return [f"'event_action' {what}"]
    problems: list[str] = []
    key = event.get("dedup_key")
    if key is not None and not isinstance(key, str):
        problems.append("'dedup_key' is invalid (must be a string)")
    elif key and len(key) > MAX_KEY:
        problems.append(f"'dedup_key' is too long (maximum is {MAX_KEY} characters)")
    elif not key and action != "trigger":
        problems.append("'dedup_key' is missing or blank")
    if action == "trigger":
        problems += _payload_problems(event.get("payload")) + _attachment_problems(event)
        problems += [
            f"'{name}' is invalid (must be a string)"
            for name in ("client", "client_url")
            if not isinstance(event.get(name, ""), str)
        ]
    return problems


def _payload_problems(payload: Any) -> list[str]:
    problems = _summary_problems(payload)
    if not isinstance(payload, dict):
        return problems
    if not payload.get("severity"):
        problems.append("'payload.severity' is missing or blank")
    elif payload["severity"] not in SEVERITIES:
        problems.append(f"'payload.severity' is invalid (must be one of the following: {_quote_words(SEVERITIES)})")
    if not payload.get("source"):
        problems.append("'payload.source' is missing or blank")
    names = [name for name in ("source", *_TEXTS) if payload.get(name) is not None]
    return problems + [
        f"'payload.{name}' is invalid (must be a string)" for name in names if not isinstance(payload[name], str)
    ]


def _summary_problems(payload: Any) -> list[str]:
    """What alert and change events have in common: summary, timestamp, details."""
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank" if not payload else "'payload' is invalid (must be an object)"]
    problems: list[str] = []
    summary = payload.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        problems.append("'payload.summary' is missing or blank")
    elif len(summary) > MAX_SUMMARY:
        problems.append(f"'payload.summary' is too long (maximum is {MAX_SUMMARY} characters)")
    if payload.get("timestamp") is not None and not _is_timestamp(payload["timestamp"]):
        problems.append("'payload.timestamp' is invalid (must be in ISO 8601 format)")
    if not isinstance(payload.get("custom_details", {}), dict):
        problems.append("'payload.custom_details' is invalid (must be an object)")
    return problems


def _is_timestamp(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return "T" in value or " " in value


def _attachment_problems(event: Mapping[str, Any]) -> list[str]:
    problems: list[str] = []
    for name, needed in (("links", "href"), ("images", "src")):
        items = event.get(name, [])
        if not isinstance(items, list):
            problems.append(f"'{name}' is invalid (must be an array)")
            continue
        for index, item in enumerate(items):
            address = item.get(needed) if isinstance(item, dict) else None
            if not isinstance(address, str) or "://" not in address:
                problems.append(f"'{name}[{index}].{needed}' is missing or not a URL")
            elif name == "images" and not address.startswith("https://"):
                problems.append(f"'{name}[{index}].{needed}' is invalid (must be served via HTTPS)")
    return problems


def _quote_words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)
