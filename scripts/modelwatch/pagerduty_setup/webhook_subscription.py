"""Webhook subscriptions: where PagerDuty sends a service's incidents.

PagerDuty shows the signing secret once, when a subscription is created, and does not let its address change. So a new
one starts inactive and marked as unfinished, and becomes active once its secret is stored. One that was interrupted in
between is deleted and created anew; for another address a new one is created, and the old one becomes inactive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import WebhookSpec, owner_in_mark, ownership_mark
from ..model.setup_plan import FieldChange, SetupChange, SetupKind, SetupRefusal, SetupVerb
from .desired_state import DesiredService
from .lookup import plan_change

SUBSCRIPTIONS_PATH = "/webhook_subscriptions"
UNFINISHED_SUFFIX = " (being set up)"
RESOURCE_NAME = "webhook_subscription"


def fetch_subscriptions(admin: AdminClient, desired: DesiredService, service: str) -> list[Resource]:
    """Every subscription to this service. Raises ServiceError."""
    action = f"read the webhook subscriptions of the service {desired.name!r}"
    rows = admin.list_all(SUBSCRIPTIONS_PATH, "webhook_subscriptions", action, filter_type="service", filter_id=service)
    return [row for row in rows if (row.get("filter") or {}).get("id") == service]


def plan_subscriptions(desired: DesiredService, rows: list[Resource]) -> list[SetupChange | SetupRefusal]:
    managed = [row for row in rows if owner_in_mark(_description(row)) == desired.owner]
    unfinished = [row for row in managed if _description(row).endswith(UNFINISHED_SUFFIX)]
    finished = [row for row in managed if row not in unfinished]
    hook = desired.webhook
    matches = [row for row in finished if hook is not None and _url(row) == hook.url]
    matches.sort(key=lambda row: not _active(row))
    items: list[SetupChange | SetupRefusal] = [*_plan_deletions(desired, unfinished)]
    if hook is not None:
        change = _plan_update(desired, hook, matches[0]) if matches else _plan_creation(desired, hook, rows, managed)
        items += [change] if change else []
    items += _plan_deactivations(desired, [row for row in finished if row not in matches[:1]])
    return items


def _plan_deletions(desired: DesiredService, rows: list[Resource]) -> Iterator[SetupChange]:
    why = "its creation was interrupted, and its secret is lost"
    for row in rows:
        yield SetupChange(
            SetupVerb.DELETE, SetupKind.WEBHOOK, desired.name, (FieldChange("to", _url(row), ""),), str(row["id"]), why
        )


def _plan_creation(
    desired: DesiredService, hook: WebhookSpec, rows: list[Resource], managed: list[Resource]
) -> SetupChange | SetupRefusal:
    if any(_url(row) == hook.url and row not in managed for row in rows):
        reason = f"the service has a subscription to {hook.url} that modelwatch did not create"
        mark = ownership_mark(desired.owner)
        hint = f"Delete it at PagerDuty, or let modelwatch manage it: add `{mark}` to its description."
        return SetupRefusal(SetupKind.WEBHOOK, desired.name, reason, hint)
    fields = (FieldChange("to", "", hook.url), FieldChange("events", "", _listed(hook.events)))
    return SetupChange(SetupVerb.CREATE, SetupKind.WEBHOOK, desired.name, fields)


def _plan_update(desired: DesiredService, hook: WebhookSpec, row: Resource) -> SetupChange | None:
    fields = []
    before = [str(event) for event in row.get("events") or ()]
    if set(before) != set(hook.events):
        fields.append(FieldChange("events", _listed(before), _listed(hook.events)))
    if not _active(row):
        fields.append(FieldChange("active", "no", "yes"))
    return plan_change(SetupKind.WEBHOOK, desired.name, row, fields)


def _plan_deactivations(desired: DesiredService, rows: list[Resource]) -> Iterator[SetupChange]:
    configured = desired.webhook.url if desired.webhook is not None else None
    for row in rows:
        if _active(row):
            fields = (FieldChange("active", "yes", "no"),)
            why = "it is a duplicate" if _url(row) == configured else f"{_url(row)} is not in the configuration"
            yield SetupChange(SetupVerb.UPDATE, SetupKind.WEBHOOK, desired.name, fields, str(row["id"]), why)


def apply_subscription(
    admin: AdminClient, desired: DesiredService, service: str, change: SetupChange, store: Callable[[str, str], None]
) -> None:
    """``store`` receives the name and the value of a new secret. Raises ServiceError, UserError."""
    action = f"{change.verb} the webhook subscription of the service {desired.name!r}"
    match change.verb:
        case SetupVerb.DELETE:
            admin.delete(f"{SUBSCRIPTIONS_PATH}/{change.id}", action)
        case SetupVerb.UPDATE:
            admin.put(f"{SUBSCRIPTIONS_PATH}/{change.id}", RESOURCE_NAME, _update_payload(desired, change), action)
        case SetupVerb.CREATE:
            _create_subscription(admin, desired, service, store, action)


def _create_subscription(
    admin: AdminClient, desired: DesiredService, service: str, store: Callable[[str, str], None], action: str
) -> None:
    hook = desired.webhook or WebhookSpec("")
    description = f"Incidents of {desired.name}; {ownership_mark(desired.owner)}"
    draft = {
        "type": "webhook_subscription",
        "active": False,
        "description": description + UNFINISHED_SUFFIX,
        "delivery_method": {"type": "http_delivery_method", "url": hook.url},
        "events": list(hook.events),
        "filter": {"type": "service_reference", "id": service},
    }
    subscription = admin.post(SUBSCRIPTIONS_PATH, RESOURCE_NAME, draft, action)
    secret = (subscription.get("delivery_method") or {}).get("secret")
    if not isinstance(secret, str) or not secret:
        text = f"could not {action}: PagerDuty did not return its signing secret"
        raise ServiceError(text, uncertain=True, hint="The same command creates it anew.")
    store(hook.secret_name, secret)
    finished = {"active": True, "description": description}
    admin.put(f"{SUBSCRIPTIONS_PATH}/{subscription['id']}", RESOURCE_NAME, finished, action)


def _update_payload(desired: DesiredService, change: SetupChange) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for field in change.fields:
        if field.field == "active":
            sent["active"] = field.after == "yes"
        elif field.field == "events" and desired.webhook is not None:
            sent["events"] = list(desired.webhook.events)
    return sent


def _description(row: Resource) -> str:
    return str(row.get("description") or "")


def _url(row: Resource) -> str:
    return str((row.get("delivery_method") or {}).get("url") or "")


def _active(row: Resource) -> bool:
    return row.get("active") is not False


def _listed(events: Any) -> str:
    return ", ".join(sorted(events))
