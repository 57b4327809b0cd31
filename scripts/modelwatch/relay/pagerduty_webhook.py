"""PagerDuty's webhooks: check the signature, read the event, and make the dispatch's payload from it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..timeutil import format_iso, parse_iso_or_none

SIGNATURE_HEADER = "x-pagerduty-signature"
_SIGNATURE_VALUE = re.compile(r"v1=([0-9a-fA-F]{64})")


def parse_signatures(header: str) -> tuple[bytes, ...]:
    """The digest of every ``v1=`` value. Spaces around a value are tolerated; other versions are ignored."""
    matches = (_SIGNATURE_VALUE.fullmatch(part.strip(" \t")) for part in header.split(","))
    return tuple(bytes.fromhex(match[1]) for match in matches if match)


def is_authentic(body: bytes, header: str, secrets: Iterable[bytes]) -> bool:
    """Whether any ``v1=`` value is the body's HMAC-SHA256 with any of ``secrets``.

    There are several while a secret is rotated; every pair is compared, each in constant time.
    """
    signatures = parse_signatures(header)
    if not signatures:
        return False
    matches = False
    for secret in secrets:
        digest = hmac.digest(secret, body, "sha256")
        for signature in signatures:
            matches |= hmac.compare_digest(digest, signature)
    return matches


PING = "pagey.ping"
WORKFLOW_STARTED = "incident.workflow.started"
AGENTS = {
    "user_reference": "user",
    "service_reference": "service",
    "integration_reference": "integration",
    "inbound_integration_reference": "integration",
    "workflow_reference": "workflow",
    "incident_workflow_reference": "workflow",
}
PAYLOAD_SCHEMA = 1
"""Version of :func:`dispatch_payload`."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DEDUP_KEY = re.compile(r"[A-Za-z0-9_.:/=-]{1,255}")
_TYPE = re.compile(r"[a-z_]{1,40}(\.[a-z_]{1,40}){1,4}")
_STATUS = re.compile(r"triggered|acknowledged|resolved")
_MAX_NUMBER = 2**53


class InvalidEventError(Exception):
    """The body is not a PagerDuty event; the message contains nothing of the body."""


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event. Every text has passed a pattern of its own, or is empty."""

    id: str
    type: str
    occurred_at: float | None
    """Seconds UTC."""
    service: str = ""
    incident: str = ""
    number: int = 0
    status: str = ""
    dedup_key: str = ""
    """The incident's deduplication key."""
    agent_type: str = "none"
    """``user``, ``service``, ``integration``, ``workflow``, ``other``, or ``none`` for automation."""
    agent: str = ""
    incident_workflow: tuple[str, ...] = ()
    """``incident.workflow.started``: names and ids of the incident workflow, *raw*: for look-ups only."""


def read_event(body: bytes) -> WebhookEvent:
    """The event in a webhook's body. Raises :class:`InvalidEventError`, and nothing else, whatever ``body`` is."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidEventError("the body is not JSON") from error
    event = _object(document).get("event")
    if not isinstance(event, dict):
        raise InvalidEventError("there is no event in the body")
    kind = event.get("event_type")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise InvalidEventError("the event has no type")
    raw_id = event.get("id")
    if not isinstance(raw_id, str) or not raw_id:
        raise InvalidEventError("the event has no id")
    data, agent = _object(event.get("data")), event.get("agent")
    incident = data if data.get("type") == "incident" else _object(data.get("incident"))
    service = _object(data.get("service")) or _object(incident.get("service"))
    return WebhookEvent(
        id=safe_id(raw_id),
        type=kind,
        occurred_at=_parse_event_time(event.get("occurred_at")),
        service=_text(service.get("id"), _ID),
        incident=_text(incident.get("id"), _ID),
        number=_number(incident.get("number")),
        status=_text(incident.get("status"), _STATUS),
        dedup_key=_text(incident.get("incident_key"), _DEDUP_KEY),
        agent_type=_agent_type(agent),
        agent=_text(_object(agent).get("id"), _ID),
        incident_workflow=_incident_workflow(data) if kind == WORKFLOW_STARTED else (),
    )


def safe_id(raw: str) -> str:
    """``raw`` where it is a plain word, else a hash of it: an id of another form is still one id."""
    if _ID.fullmatch(raw):
        return raw
    return "h" + hashlib.sha256(raw.encode("utf-8", errors="surrogatepass")).hexdigest()[:40]


def dispatch_payload(event: WebhookEvent, verb: str) -> dict[str, Any]:
    """The ``client_payload``: always these seven keys, with values of these forms, far below GitHub's 64 KB."""
    return {
        "schema": PAYLOAD_SCHEMA,
        "id": event.id,
        "type": event.type,
        "occurred_at": format_time(event.occurred_at) if event.occurred_at is not None else "",
        "incident": {
            "id": event.incident,
            "number": event.number,
            "status": event.status,
            "key": event.dedup_key,
            "service": event.service,
        },
        "agent": {"type": event.agent_type, "id": event.agent},
        "verb": verb,
    }


def format_time(at: float) -> str:
    return format_iso(int(at))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any, pattern: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""


def _number(value: Any) -> int:
    return value if type(value) is int and 0 <= value < _MAX_NUMBER else 0


def _agent_type(value: Any) -> str:
    if not isinstance(value, dict):
        return "none"
    kind = value.get("type")
    return AGENTS.get(kind, "other") if isinstance(kind, str) else "other"


def _incident_workflow(data: Mapping[str, Any]) -> tuple[str, ...]:
    workflow = _object(data.get("incident_workflow"))
    names = (workflow.get("id"), workflow.get("summary"))
    return tuple(name for name in names if isinstance(name, str) and name)


def _parse_event_time(value: Any) -> float | None:
    """Seconds of an ISO 8601 time; one without a zone is UTC."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    at = parse_iso_or_none(value)
    return at if at is not None and 0 <= at < 253_402_300_799 else None
