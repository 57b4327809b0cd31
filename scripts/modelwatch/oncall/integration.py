"""The integration of a service: the Events API v2, and its routing key."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb
from .owned import same
from .wanted import WantedService

NAME = "modelwatch"
"""An integration has no description that could bear a mark; it stands in a service that does."""
TYPE = "events_api_v2_inbound_integration"


def look(admin: Admin, service: Row) -> list[Row]:
    """Every integration of the service, whole. Raises ServiceError."""
    found = []
    for reference in service.get("integrations") or ():
        what = f"look at an integration of the service {service.get('name')!r}"
        found.append(admin.get(f"/services/{service['id']}/integrations/{reference['id']}", "integration", what))
    return found


def compare(wanted: WantedService, rows: list[Row]) -> SetupChange | SetupRefusal | None:
    mine = _mine(rows)
    if mine is None:
        return SetupChange(
            SetupVerb.CREATE, SetupKind.INTEGRATION, wanted.name, (FieldChange("type", "", "Events API v2"),)
        )
    if mine.get("type") != TYPE:
        reason = f"the service has an integration {NAME!r} of another type ({mine.get('type')})"
        return SetupRefusal(SetupKind.INTEGRATION, wanted.name, reason, "Rename it at PagerDuty.")
    return None


def _mine(rows: list[Row]) -> Row | None:
    named = [row for row in rows if same(row.get("name") or row.get("summary"), NAME)]
    return next((row for row in named if row.get("type") == TYPE), named[0] if named else None)


def routing_key(rows: list[Row]) -> str:
    """The key of ours; empty where it is not shown."""
    mine = _mine(rows)
    return str(mine.get("integration_key") or "") if mine is not None and mine.get("type") == TYPE else ""


def carry_out(admin: Admin, wanted: WantedService, service: str) -> Row:
    """Create. Raises ServiceError."""
    what = f"create the integration of the service {wanted.name!r}"
    return admin.post(f"/services/{service}/integrations", "integration", body(), what)


def body() -> dict[str, Any]:
    return {"type": TYPE, "name": NAME}
