"""The integration of a service: the Events API v2, and its routing key."""

from __future__ import annotations

from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..model.oncall import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb
from .owned import same_name
from .wanted import DesiredService

INTEGRATION_NAME = "modelwatch"
"""An integration has no description that could bear a mark; it stands in a service that does."""
INTEGRATION_TYPE = "events_api_v2_inbound_integration"


def fetch_integrations(admin: AdminClient, service: Resource) -> list[Resource]:
    """Every integration of the service, whole. Raises ServiceError."""
    found = []
    for reference in service.get("integrations") or ():
        what = f"look at an integration of the service {service.get('name')!r}"
        found.append(admin.get(f"/services/{service['id']}/integrations/{reference['id']}", "integration", what))
    return found


def plan_integration(desired: DesiredService, rows: list[Resource]) -> SetupChange | SetupRefusal | None:
    mine = _managed_integration(rows)
    if mine is None:
        return SetupChange(
            SetupVerb.CREATE, SetupKind.INTEGRATION, desired.name, (FieldChange("type", "", "Events API v2"),)
        )
    if mine.get("type") != INTEGRATION_TYPE:
        reason = f"the service has an integration {INTEGRATION_NAME!r} of another type ({mine.get('type')})"
        return SetupRefusal(SetupKind.INTEGRATION, desired.name, reason, "Rename it at PagerDuty.")
    return None


def _managed_integration(rows: list[Resource]) -> Resource | None:
    named = [row for row in rows if same_name(row.get("name") or row.get("summary"), INTEGRATION_NAME)]
    return next((row for row in named if row.get("type") == INTEGRATION_TYPE), named[0] if named else None)


def routing_key(rows: list[Resource]) -> str:
    """The key of ours; empty where it is not shown."""
    mine = _managed_integration(rows)
    return str(mine.get("integration_key") or "") if mine is not None and mine.get("type") == INTEGRATION_TYPE else ""


def create_integration(admin: AdminClient, desired: DesiredService, service: str) -> Resource:
    """Create. Raises ServiceError."""
    what = f"create the integration of the service {desired.name!r}"
    return admin.post(f"/services/{service}/integrations", "integration", integration_payload(), what)


def integration_payload() -> dict[str, Any]:
    return {"type": INTEGRATION_TYPE, "name": INTEGRATION_NAME}
