"""Services: what incidents belong to, and how loud they are."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..model.oncall import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb, Urgency, ownership_mark
from .owned import find_by_name, ownership_refusal
from .wanted import DesiredService

SERVICES_PATH = "/services"
URGENCIES = {Urgency.SEVERITY: "severity_based", Urgency.HIGH: "high", Urgency.LOW: "low"}


def fetch_service(admin: AdminClient, name: str) -> Resource | None:
    """Raises ServiceError."""
    return find_by_name(admin.list_all(SERVICES_PATH, "services", f"look for the service {name!r}", query=name), name)


def plan_service(desired: DesiredService, row: Resource | None, policy: str) -> SetupChange | SetupRefusal | None:
    """``policy`` is the id of its escalation policy; empty where that is still to be made."""
    refused = ownership_refusal(row, desired.owner, SetupKind.SERVICE, desired.name) if row is not None else None
    if refused is not None:
        return refused
    after = (desired.escalation.policy, str(desired.urgency), "never")
    before = (
        ("", "", "") if row is None else (_policy_text(row, desired, policy), _urgency_text(row), _timeout_text(row))
    )
    names = ("escalation policy", "urgency", "resolves by itself")
    pairs = zip(names, before, after, strict=True)
    fields = tuple(FieldChange(name, old, new) for name, old, new in pairs if old != new)
    if not fields:
        return None
    verb = SetupVerb.CREATE if row is None else SetupVerb.UPDATE
    return SetupChange(verb, SetupKind.SERVICE, desired.name, fields, str(row["id"]) if row is not None else "")


def _policy_text(row: Resource, desired: DesiredService, policy: str) -> str:
    found = row.get("escalation_policy") or {}
    number = str(found.get("id") or "")
    if policy and number == policy:
        return desired.escalation.policy
    return f"{found.get('summary') or 'another one'} ({number})"


def _urgency_text(row: Resource) -> str:
    rule = row.get("incident_urgency_rule") or {}
    if rule.get("type") != "constant":
        return "by support hours" if rule else "high"
    words = {word: str(urgency) for urgency, word in URGENCIES.items()}
    return words.get(str(rule.get("urgency")), str(rule.get("urgency")))


def _timeout_text(row: Resource) -> str:
    seconds = row.get("auto_resolve_timeout")
    return f"after {seconds / 3600:g} h" if isinstance(seconds, int) and seconds else "never"


def apply_service(admin: AdminClient, desired: DesiredService, row: Resource | None, policy: str) -> str:
    """Create or replace; gives the id. Raises ServiceError."""
    sent = service_payload(desired, row, policy)
    if row is None:
        return str(admin.post(SERVICES_PATH, "service", sent, f"create the service {desired.name!r}").get("id"))
    admin.put(f"{SERVICES_PATH}/{row['id']}", "service", sent, f"update the service {desired.name!r}")
    return str(row["id"])


def service_payload(desired: DesiredService, row: Resource | None, policy: str) -> dict[str, Any]:
    """What is sent. That no incident resolves by itself is on purpose: recovery needs proof."""
    sent: dict[str, Any] = {
        "type": "service",
        "name": desired.name,
        "escalation_policy": {"id": policy, "type": "escalation_policy_reference"},
        "incident_urgency_rule": {"type": "constant", "urgency": URGENCIES[desired.urgency]},
        "auto_resolve_timeout": 0,
    }
    if row is None:
        return sent | {
            "description": f"Models in production: {', '.join(desired.models)}; {ownership_mark(desired.owner)}"
        }
    return sent | {key: row[key] for key in ("name", "description", "acknowledgement_timeout") if row.get(key)}
