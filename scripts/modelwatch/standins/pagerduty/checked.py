"""What bodies must look like: required fields, types and words, as PagerDuty's published description has them.

Stricter than PagerDuty in one point: a field that the description does not know is refused rather than ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fields:
    """An object."""

    known: Mapping[str, Any]
    """Field -> ``str``, ``int``, ``bool``, ``dict``; a tuple of words; ``Fields``; ``Many``."""
    required: frozenset[str] = frozenset()
    nullable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    item: Any
    least: int = 0
    most: int = 1_000
    unique: bool = field(default=False)


def need(*names: str) -> frozenset[str]:
    return frozenset(names)


def reference(*types: str) -> Fields:
    plain = dict.fromkeys(("id", "summary", "self", "html_url"), str)
    return Fields({**plain, "type": types}, need("id", "type"), need("summary", "self", "html_url"))


EVERY = dict.fromkeys(("id", "summary", "self", "html_url"), str)
TARGET = reference("user", "user_reference", "schedule", "schedule_reference")
ESCALATION_RULE = Fields(
    {
        "id": str,
        "escalation_delay_in_minutes": int,
        "targets": Many(TARGET, least=1, most=10),
        "escalation_rule_assignment_strategy": ("round_robin", "assign_to_everyone"),
    },
    need("escalation_delay_in_minutes", "targets"),
)
POLICY = Fields(
    {
        **EVERY,
        "type": ("escalation_policy",),
        "name": str,
        "description": str,
        "num_loops": int,
        "on_call_handoff_notifications": ("if_has_services", "always"),
        "escalation_rules": Many(ESCALATION_RULE, least=1),
        "teams": Many(reference("team_reference"), most=1),
    },
    need("type", "name", "escalation_rules"),
)
URGENCY = {"type": ("constant", "use_support_hours"), "urgency": ("low", "high", "severity_based")}
SERVICE = Fields(
    {
        **EVERY,
        "type": ("service",),
        "name": str,
        "description": str,
        "auto_resolve_timeout": int,
        "acknowledgement_timeout": int,
        "status": ("active", "warning", "critical", "maintenance", "disabled"),
        "escalation_policy": reference("escalation_policy_reference"),
        "incident_urgency_rule": Fields(
            {**URGENCY, "during_support_hours": Fields(URGENCY), "outside_support_hours": Fields(URGENCY)}
        ),
        "support_hours": dict,
        "scheduled_actions": Many(dict),
        "alert_creation": ("create_incidents", "create_alerts_and_incidents"),
    },
    need("type", "escalation_policy"),
    need("auto_resolve_timeout", "acknowledgement_timeout"),
)
INBOUND = (
    *("aws_cloudwatch", "cloudkick", "event_transformer_api", "generic_email", "generic_events_api", "keynote"),
    *("nagios", "pingdom", "sql_monitor", "events_api_v2"),
)
INTEGRATION = Fields(
    {
        **EVERY,
        "type": tuple(f"{kind}_inbound_integration" for kind in INBOUND),
        "name": str,
        "service": reference("service_reference"),
        "vendor": reference("vendor_reference"),
    },
    need("type"),
)
DELIVERY = Fields(
    {
        "type": ("http_delivery_method",),
        "url": str,
        "custom_headers": Many(Fields({"name": str, "value": str})),
    },
    need("type", "url"),
)
FILTER = Fields({"type": ("account_reference", "service_reference", "team_reference"), "id": str}, need("type"))
_TOLD = {"description": str, "events": Many(str, least=1, unique=True), "filter": FILTER, "active": bool}
SUBSCRIPTION = Fields(
    {**_TOLD, "type": ("webhook_subscription",), "delivery_method": DELIVERY},
    need("type", "delivery_method", "events", "filter"),
)
SUBSCRIPTION_UPDATE = Fields({**_TOLD, "oauth_client_id": str}, frozenset(), need("oauth_client_id"))
ACTIONS = Fields(
    {
        "route_to": str,
        "suppress": bool,
        "suspend": int,
        "priority": str,
        "escalation_policy": str,
        "annotate": str,
        "severity": ("info", "error", "warning", "critical"),
        "event_action": ("trigger", "resolve"),
        **dict.fromkeys(("variables", "extractions", "pagerduty_automation_actions", "automation_actions"), Many(dict)),
        "incident_custom_field_updates": Many(dict),
    }
)
EVENT_RULE = Fields(
    {
        "id": str,
        "label": str,
        "conditions": Many(Fields({"expression": str}, need("expression"))),
        "actions": ACTIONS,
        "disabled": bool,
    }
)
PATH = Fields(
    {
        "type": str,
        "parent": dict,
        "sets": Many(Fields({"id": str, "rules": Many(EVENT_RULE)})),
        "catch_all": Fields({"actions": ACTIONS}),
        **dict.fromkeys(("created_at", "updated_at", "version"), str),
        **dict.fromkeys(("created_by", "updated_by"), dict),
    }
)


def problems(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Everything that is wrong with ``value``."""
    if isinstance(shape, Fields):
        yield from _object(value, shape, where)
    elif isinstance(shape, Many):
        yield from _list(value, shape, where)
    elif isinstance(shape, tuple):
        if value not in shape:
            yield f"{where} must be one of {', '.join(shape)}"
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        yield f"{where} must be of type {shape.__name__}"
    elif shape is int and value < 0:
        yield f"{where} must not be negative"


def _object(value: Any, shape: Fields, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} must be an object"
        return
    for name in sorted(shape.required - set(value)):
        yield f"{where}.{name} is required"
    for name, item in value.items():
        if name not in shape.known:
            yield f"{where}.{name} is not known"
        elif item is not None or name not in shape.nullable:
            yield from problems(item, shape.known[name], f"{where}.{name}")


def _list(value: Any, shape: Many, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where} must be an array"
        return
    if not shape.least <= len(value) <= shape.most:
        yield f"{where} must have {shape.least} to {shape.most} items"
    if shape.unique and len({str(item) for item in value}) != len(value):
        yield f"{where} must not repeat itself"
    for number, item in enumerate(value):
        yield from problems(item, shape.item, f"{where}[{number}]")
