"""Services: what incidents belong to, and how loud they are."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb, Urgency, ownership_mark
from .owned import named, refusal
from .wanted import WantedService

PATH = "/services"
URGENCIES = {Urgency.SEVERITY: "severity_based", Urgency.HIGH: "high", Urgency.LOW: "low"}


def look(admin: Admin, name: str) -> Row | None:
    """Raises ServiceError."""
    return named(admin.all(PATH, "services", f"look for the service {name!r}", query=name), name)


def compare(wanted: WantedService, row: Row | None, policy: str) -> SetupChange | SetupRefusal | None:
    """``policy`` is the id of its escalation policy; empty where that is still to be made."""
    refused = refusal(row, wanted.owner, SetupKind.SERVICE, wanted.name) if row is not None else None
    if refused is not None:
        return refused
    after = (wanted.escalation.policy, str(wanted.urgency), "never")
    before = ("", "", "") if row is None else (_policy(row, wanted, policy), _urgency(row), _timeout(row))
    names = ("escalation policy", "urgency", "resolves by itself")
    pairs = zip(names, before, after, strict=True)
    fields = tuple(FieldChange(name, old, new) for name, old, new in pairs if old != new)
    if not fields:
        return None
    verb = SetupVerb.CREATE if row is None else SetupVerb.UPDATE
    return SetupChange(verb, SetupKind.SERVICE, wanted.name, fields, str(row["id"]) if row is not None else "")


def _policy(row: Row, wanted: WantedService, policy: str) -> str:
    found = row.get("escalation_policy") or {}
    number = str(found.get("id") or "")
    if policy and number == policy:
        return wanted.escalation.policy
    return f"{found.get('summary') or 'another one'} ({number})"


def _urgency(row: Row) -> str:
    rule = row.get("incident_urgency_rule") or {}
    if rule.get("type") != "constant":
        return "by support hours" if rule else "high"
    words = {word: str(urgency) for urgency, word in URGENCIES.items()}
    return words.get(str(rule.get("urgency")), str(rule.get("urgency")))


def _timeout(row: Row) -> str:
    seconds = row.get("auto_resolve_timeout")
    return f"after {seconds / 3600:g} h" if isinstance(seconds, int) and seconds else "never"


def carry_out(admin: Admin, wanted: WantedService, row: Row | None, policy: str) -> str:
    """Create or replace; gives the id. Raises ServiceError."""
    sent = body(wanted, row, policy)
    if row is None:
        return str(admin.post(PATH, "service", sent, f"create the service {wanted.name!r}").get("id"))
    admin.put(f"{PATH}/{row['id']}", "service", sent, f"update the service {wanted.name!r}")
    return str(row["id"])


def body(wanted: WantedService, row: Row | None, policy: str) -> dict[str, Any]:
    """What is sent. That no incident resolves by itself is on purpose: recovery needs proof."""
    sent: dict[str, Any] = {
        "type": "service",
        "name": wanted.name,
        "escalation_policy": {"id": policy, "type": "escalation_policy_reference"},
        "incident_urgency_rule": {"type": "constant", "urgency": URGENCIES[wanted.urgency]},
        "auto_resolve_timeout": 0,
    }
    if row is None:
        return sent | {
            "description": f"Models in production: {', '.join(wanted.models)}; {ownership_mark(wanted.owner)}"
        }
    return sent | {key: row[key] for key in ("name", "description", "acknowledgement_timeout") if row.get(key)}
