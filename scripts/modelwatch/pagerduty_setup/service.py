"""Services, which incidents belong to, and their integrations, which events arrive by."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..model.pagerduty_setup import Urgency, ownership_mark
from ..model.setup_plan import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb
from ..timeutil import HOUR
from .desired_state import DesiredService
from .lookup import create_or_replace, find_by_name, ownership_refusal, plan_change, same_name

SERVICES_PATH = "/services"
URGENCIES = {Urgency.SEVERITY: "severity_based", Urgency.HIGH: "high", Urgency.LOW: "low"}


def fetch_service(admin: AdminClient, name: str) -> Resource | None:
    """Raises ServiceError."""
    return find_by_name(admin.list_all(SERVICES_PATH, "services", f"look for the service {name!r}", query=name), name)


def plan_service(desired: DesiredService, row: Resource | None, policy: str) -> SetupChange | SetupRefusal | None:
    """``policy`` is the id of its escalation policy; empty where that is still to be created."""
    if refused := ownership_refusal(row, desired.owner, SetupKind.SERVICE, desired.name):
        return refused
    fields = (
        FieldChange("escalation policy", _policy_text(row, desired, policy) if row else "", desired.escalation.policy),
        FieldChange("urgency", _urgency_text(row) if row else "", str(desired.urgency)),
        FieldChange("resolves automatically", _timeout_text(row) if row else "", "never"),
    )
    return plan_change(SetupKind.SERVICE, desired.name, row, (field for field in fields if field.before != field.after))


def _policy_text(row: Resource, desired: DesiredService, policy: str) -> str:
    current = row.get("escalation_policy") or {}
    number = str(current.get("id") or "")
    if policy and number == policy:
        return desired.escalation.policy
    return f"{current.get('summary') or 'another one'} ({number})"


def _urgency_text(row: Resource) -> str:
    rule = row.get("incident_urgency_rule") or {}
    if rule.get("type") != "constant":
        return "by support hours" if rule else "high"
    words = {word: str(urgency) for urgency, word in URGENCIES.items()}
    return words.get(str(rule.get("urgency")), str(rule.get("urgency")))


def _timeout_text(row: Resource) -> str:
    seconds = row.get("auto_resolve_timeout")
    return f"after {seconds / HOUR:g} h" if isinstance(seconds, int) and seconds else "never"


def apply_service(admin: AdminClient, desired: DesiredService, row: Resource | None, policy: str) -> str:
    """Create or replace; returns the id. No incident resolves automatically, on purpose: recovery needs proof.

    Raises ServiceError.
    """
    payload: dict[str, Any] = {
        "type": "service",
        "name": desired.name,
        "escalation_policy": {"id": policy, "type": "escalation_policy_reference"},
        "incident_urgency_rule": {"type": "constant", "urgency": URGENCIES[desired.urgency]},
        "auto_resolve_timeout": 0,
    }
    if row is None:
        payload["description"] = f"Models in production: {', '.join(desired.models)}; {ownership_mark(desired.owner)}"
    else:
        payload |= {key: row[key] for key in ("name", "description", "acknowledgement_timeout") if row.get(key)}
    return create_or_replace(admin, SERVICES_PATH, "service", row, payload, f"the service {desired.name!r}")


INTEGRATION_NAME = "modelwatch"
"""An integration has no description for a mark; its service has one."""
INTEGRATION_TYPE = "events_api_v2_inbound_integration"


def fetch_integrations(admin: AdminClient, service: Resource) -> list[Resource]:
    """Every integration of the service, in full. Raises ServiceError."""
    action = f"read an integration of the service {service.get('name')!r}"
    path = f"/services/{service['id']}/integrations"
    return [admin.get(f"{path}/{row['id']}", "integration", action) for row in service.get("integrations") or ()]


def plan_integration(desired: DesiredService, rows: list[Resource]) -> SetupChange | SetupRefusal | None:
    managed = _managed_integration(rows)
    if managed is None:
        return SetupChange(
            SetupVerb.CREATE, SetupKind.INTEGRATION, desired.name, (FieldChange("type", "", "Events API v2"),)
        )
    if managed.get("type") != INTEGRATION_TYPE:
        reason = f"the service has an integration {INTEGRATION_NAME!r} of another type ({managed.get('type')})"
        return SetupRefusal(SetupKind.INTEGRATION, desired.name, reason, "Rename it at PagerDuty.")
    return None


def _managed_integration(rows: list[Resource]) -> Resource | None:
    named = [row for row in rows if same_name(row.get("name") or row.get("summary"), INTEGRATION_NAME)]
    return next((row for row in named if row.get("type") == INTEGRATION_TYPE), named[0] if named else None)


def routing_key(rows: list[Resource]) -> str:
    """The key of our integration; empty where PagerDuty does not show it."""
    managed = _managed_integration(rows) or {}
    return str(managed.get("integration_key") or "") if managed.get("type") == INTEGRATION_TYPE else ""


def create_integration(admin: AdminClient, desired: DesiredService, service: str) -> Resource:
    """Raises ServiceError."""
    action = f"create the integration of the service {desired.name!r}"
    body = {"type": INTEGRATION_TYPE, "name": INTEGRATION_NAME}
    return admin.post(f"/services/{service}/integrations", "integration", body, action)
