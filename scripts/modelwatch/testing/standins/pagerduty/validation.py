"""What bodies must look like: required fields, types and words, as PagerDuty's published description has them.

Stricter than PagerDuty in one point: a field that the description does not know is refused rather than ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """An object."""

    properties: Mapping[str, Any]
    """Field -> ``str``, ``int``, ``bool``, ``dict``; a tuple of words; ``Fields``; ``Many``."""
    required: frozenset[str] = frozenset()
    nullable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ArraySchema:
    """A list."""

    items: Any
    min_items: int = 0
    max_items: int = 1_000
    unique_items: bool = field(default=False)


def field_names(*names: str) -> frozenset[str]:
    return frozenset(names)


def reference_schema(*types: str) -> ObjectSchema:
    plain = dict.fromkeys(("id", "summary", "self", "html_url"), str)
    return ObjectSchema({**plain, "type": types}, field_names("id", "type"), field_names("summary", "self", "html_url"))


COMMON_PROPERTIES = dict.fromkeys(("id", "summary", "self", "html_url"), str)
TARGET = reference_schema("user", "user_reference", "schedule", "schedule_reference")
ESCALATION_RULE = ObjectSchema(
    {
        "id": str,
        "escalation_delay_in_minutes": int,
        "targets": ArraySchema(TARGET, min_items=1, max_items=10),
        "escalation_rule_assignment_strategy": ("round_robin", "assign_to_everyone"),
    },
    field_names("escalation_delay_in_minutes", "targets"),
)
POLICY = ObjectSchema(
    {
        **COMMON_PROPERTIES,
        "type": ("escalation_policy",),
        "name": str,
        "description": str,
        "num_loops": int,
        "on_call_handoff_notifications": ("if_has_services", "always"),
        "escalation_rules": ArraySchema(ESCALATION_RULE, min_items=1),
        "teams": ArraySchema(reference_schema("team_reference"), max_items=1),
    },
    field_names("type", "name", "escalation_rules"),
)
URGENCY = {"type": ("constant", "use_support_hours"), "urgency": ("low", "high", "severity_based")}
SERVICE = ObjectSchema(
    {
        **COMMON_PROPERTIES,
        "type": ("service",),
        "name": str,
        "description": str,
        "auto_resolve_timeout": int,
        "acknowledgement_timeout": int,
        "status": ("active", "warning", "critical", "maintenance", "disabled"),
        "escalation_policy": reference_schema("escalation_policy_reference"),
        "incident_urgency_rule": ObjectSchema(
            {**URGENCY, "during_support_hours": ObjectSchema(URGENCY), "outside_support_hours": ObjectSchema(URGENCY)}
        ),
        "support_hours": dict,
        "scheduled_actions": ArraySchema(dict),
        "alert_creation": ("create_incidents", "create_alerts_and_incidents"),
    },
    field_names("type", "escalation_policy"),
    field_names("auto_resolve_timeout", "acknowledgement_timeout"),
)
INTEGRATION_TYPES = (
    *("aws_cloudwatch", "cloudkick", "event_transformer_api", "generic_email", "generic_events_api", "keynote"),
    *("nagios", "pingdom", "sql_monitor", "events_api_v2"),
)
INTEGRATION = ObjectSchema(
    {
        **COMMON_PROPERTIES,
        "type": tuple(f"{kind}_inbound_integration" for kind in INTEGRATION_TYPES),
        "name": str,
        "service": reference_schema("service_reference"),
        "vendor": reference_schema("vendor_reference"),
    },
    field_names("type"),
)
DELIVERY_METHOD = ObjectSchema(
    {
        "type": ("http_delivery_method",),
        "url": str,
        "custom_headers": ArraySchema(ObjectSchema({"name": str, "value": str})),
    },
    field_names("type", "url"),
)
SUBSCRIPTION_FILTER = ObjectSchema(
    {"type": ("account_reference", "service_reference", "team_reference"), "id": str}, field_names("type")
)
_SUBSCRIPTION_PROPERTIES = {
    "description": str,
    "events": ArraySchema(str, min_items=1, unique_items=True),
    "filter": SUBSCRIPTION_FILTER,
    "active": bool,
}
SUBSCRIPTION = ObjectSchema(
    {**_SUBSCRIPTION_PROPERTIES, "type": ("webhook_subscription",), "delivery_method": DELIVERY_METHOD},
    field_names("type", "delivery_method", "events", "filter"),
)
SUBSCRIPTION_UPDATE = ObjectSchema(
    {**_SUBSCRIPTION_PROPERTIES, "oauth_client_id": str}, frozenset(), field_names("oauth_client_id")
)
RULE_ACTIONS = ObjectSchema(
    {
        "route_to": str,
        "suppress": bool,
        "suspend": int,
        "priority": str,
        "escalation_policy": str,
        "annotate": str,
        "severity": ("info", "error", "warning", "critical"),
        "event_action": ("trigger", "resolve"),
        **dict.fromkeys(
            ("variables", "extractions", "pagerduty_automation_actions", "automation_actions"), ArraySchema(dict)
        ),
        "incident_custom_field_updates": ArraySchema(dict),
    }
)
EVENT_RULE = ObjectSchema(
    {
        "id": str,
        "label": str,
        "conditions": ArraySchema(ObjectSchema({"expression": str}, field_names("expression"))),
        "actions": RULE_ACTIONS,
        "disabled": bool,
    }
)
ORCHESTRATION_PATH = ObjectSchema(
    {
        "type": str,
        "parent": dict,
        "sets": ArraySchema(ObjectSchema({"id": str, "rules": ArraySchema(EVENT_RULE)})),
        "catch_all": ObjectSchema({"actions": RULE_ACTIONS}),
        **dict.fromkeys(("created_at", "updated_at", "version"), str),
        **dict.fromkeys(("created_by", "updated_by"), dict),
    }
)


def find_problems(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Everything that is wrong with ``value``."""
    if isinstance(shape, ObjectSchema):
        yield from _object_problems(value, shape, where)
    elif isinstance(shape, ArraySchema):
        yield from _array_problems(value, shape, where)
    elif isinstance(shape, tuple):
        if value not in shape:
            yield f"{where} must be one of {', '.join(shape)}"
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        yield f"{where} must be of type {shape.__name__}"
    elif shape is int and value < 0:
        yield f"{where} must not be negative"


def _object_problems(value: Any, shape: ObjectSchema, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} must be an object"
        return
    for name in sorted(shape.required - set(value)):
        yield f"{where}.{name} is required"
    for name, item in value.items():
        if name not in shape.properties:
            yield f"{where}.{name} is not known"
        elif item is not None or name not in shape.nullable:
            yield from find_problems(item, shape.properties[name], f"{where}.{name}")


def _array_problems(value: Any, shape: ArraySchema, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where} must be an array"
        return
    if not shape.min_items <= len(value) <= shape.max_items:
        yield f"{where} must have {shape.min_items} to {shape.max_items} items"
    if shape.unique_items and len({str(item) for item in value}) != len(value):
        yield f"{where} must not repeat itself"
    for number, item in enumerate(value):
        yield from find_problems(item, shape.items, f"{where}[{number}]")
