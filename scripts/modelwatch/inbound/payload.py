"""Parses the ``client_payload`` of an event from PagerDuty, and checks all of it: it can come from anybody who can
dispatch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..errors import UserError
from ..model.pagerduty_event import BUTTON_VERBS, PagerDutyEvent

SCHEMA = 1
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TYPE = re.compile(r"[a-z_]{1,40}(\.[a-z_]{1,40}){1,4}")
_KEY = re.compile(r"[A-Za-z0-9_.:/=-]{1,255}")
_WORD = re.compile(r"[a-z]{1,20}")


def parse_payload(payload: Any) -> PagerDutyEvent:
    """The event in a ``client_payload`` of the relay. Raises UserError for any other payload."""
    if not isinstance(payload, Mapping) or payload.get("schema") != SCHEMA:
        raise UserError(f"the payload is not one of schema {SCHEMA}", hint="The relay and this action must agree.")
    incident, agent = _read_object(payload, "incident"), _read_object(payload, "agent")
    event = PagerDutyEvent(
        id=_read_text(payload, "id", _ID),
        type=_read_text(payload, "type", _TYPE),
        occurred=_parse_time(payload.get("occurred_at")),
        incident=_read_text(incident, "id", _ID, optional=True),
        key=_read_text(incident, "key", _KEY, optional=True),
        agent_type=_read_text(agent, "type", _WORD, optional=True) or "none",
        agent=_read_text(agent, "id", _ID, optional=True),
        verb=_read_text(payload, "verb", _WORD, optional=True),
    )
    if event.verb and event.verb not in BUTTON_VERBS:
        raise UserError("the payload's `verb` is not one that an incident can request", hint=", ".join(BUTTON_VERBS))
    return event


def _read_object(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = payload.get(name, {})
    if not isinstance(value, Mapping):
        raise UserError(f"the payload's `{name}` is not an object")
    return value


def _read_text(payload: Mapping[str, Any], name: str, pattern: re.Pattern[str], optional: bool = False) -> str:
    value = payload.get(name)
    if optional and value in (None, ""):
        return ""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise UserError(f"the payload's `{name}` has an invalid format")
    return value


def _parse_time(value: Any) -> float:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise UserError("the payload's `occurred_at` is not a time") from error
    if time.tzinfo is None:
        raise UserError("the payload's `occurred_at` names no time zone")
    return time.timestamp()
