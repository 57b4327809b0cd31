"""Webhook subscriptions: where PagerDuty tells of a service's incidents.

PagerDuty shows the signing secret once, in the answer to the creation, and does not let a subscription change its
address. So a new one is made inactive and marked as unfinished; only when its secret is stored it becomes active. What
was cut off in between is deleted and made anew; what has another address is made anew, and the old one inactive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..clients.pagerduty_admin import AdminClient, Resource
from ..errors import ServiceError
from ..model.pagerduty_setup import (
    FieldChange,
    SetupChange,
    SetupKind,
    SetupRefusal,
    SetupVerb,
    WebhookSpec,
    owner_in_mark,
    ownership_mark,
)
from .desired_state import DesiredService

SUBSCRIPTIONS_PATH = "/webhook_subscriptions"
UNFINISHED_SUFFIX = " (being set up)"
RESOURCE_NAME = "webhook_subscription"


def fetch_subscriptions(admin: AdminClient, desired: DesiredService, service: str) -> list[Resource]:
    """Every subscription to this service. Raises ServiceError."""
    what = f"look at the webhook subscriptions of the service {desired.name!r}"
    rows = admin.list_all(SUBSCRIPTIONS_PATH, "webhook_subscriptions", what, filter_type="service", filter_id=service)
    return [row for row in rows if (row.get("filter") or {}).get("id") == service]


def plan_subscriptions(desired: DesiredService, rows: list[Resource]) -> list[SetupChange | SetupRefusal]:
    mine = [row for row in rows if owner_in_mark(_description(row)) == desired.owner]
    cut_off = [row for row in mine if _description(row).endswith(UNFINISHED_SUFFIX)]
    done = [row for row in mine if row not in cut_off]
    hook = desired.webhook
    here = [row for row in done if hook is not None and _url(row) == hook.url]
    here.sort(key=lambda row: not _active(row))
    found: list[SetupChange | SetupRefusal] = [*_plan_deletions(desired, cut_off)]
    if hook is not None:
        change = _plan_update(desired, hook, here[0]) if here else _plan_creation(desired, hook, rows, mine)
        found += [change] if change else []
    found += _plan_deactivations(desired, [row for row in done if row not in here[:1]])
    return found


def _plan_deletions(wanted: DesiredService, rows: list[Resource]) -> Iterator[SetupChange]:
    why = "its making was cut off, and its secret is lost"
    for row in rows:
        yield SetupChange(
            SetupVerb.DELETE, SetupKind.WEBHOOK, wanted.name, (FieldChange("to", _url(row), ""),), str(row["id"]), why
        )


def _plan_creation(
    wanted: DesiredService, hook: WebhookSpec, rows: list[Resource], mine: list[Resource]
) -> SetupChange | SetupRefusal:
    if any(_url(row) == hook.url and row not in mine for row in rows):
        reason = f"the service has a subscription to {hook.url} already, and modelwatch did not make it"
        hint = f"Delete it at PagerDuty, or hand it over: add `{ownership_mark(wanted.owner)}` to its description."
        return SetupRefusal(SetupKind.WEBHOOK, wanted.name, reason, hint)
    fields = (FieldChange("to", "", hook.url), FieldChange("events", "", _listed(hook.events)))
    return SetupChange(SetupVerb.CREATE, SetupKind.WEBHOOK, wanted.name, fields)


def _plan_update(wanted: DesiredService, hook: WebhookSpec, row: Resource) -> SetupChange | None:
    fields = []
    before = [str(event) for event in row.get("events") or ()]
    if set(before) != set(hook.events):
        fields.append(FieldChange("events", _listed(before), _listed(hook.events)))
    if not _active(row):
        fields.append(FieldChange("active", "no", "yes"))
    if not fields:
        return None
    return SetupChange(SetupVerb.UPDATE, SetupKind.WEBHOOK, wanted.name, tuple(fields), str(row["id"]))


def _plan_deactivations(wanted: DesiredService, rows: list[Resource]) -> Iterator[SetupChange]:
    for row in rows:
        if _active(row):
            fields = (FieldChange("active", "yes", "no"),)
            why = (
                f"{_url(row)} is not in the configuration"
                if not _is_configured(wanted, row)
                else "there are two of them"
            )
            yield SetupChange(SetupVerb.UPDATE, SetupKind.WEBHOOK, wanted.name, fields, str(row["id"]), why)


def _is_configured(wanted: DesiredService, row: Resource) -> bool:
    return wanted.webhook is not None and wanted.webhook.url == _url(row)


def apply_subscription(
    admin: AdminClient, desired: DesiredService, service: str, change: SetupChange, store: Callable[[str, str], None]
) -> None:
    """``store`` is given the name and the value of a new secret. Raises ServiceError, UserError."""
    what = f"{change.verb} the webhook subscription of the service {desired.name!r}"
    match change.verb:
        case SetupVerb.DELETE:
            admin.delete(f"{SUBSCRIPTIONS_PATH}/{change.id}", what)
        case SetupVerb.UPDATE:
            admin.put(f"{SUBSCRIPTIONS_PATH}/{change.id}", RESOURCE_NAME, _update_payload(desired, change), what)
        case SetupVerb.CREATE:
            _create_subscription(admin, desired, service, store, what)


def _create_subscription(
    admin: AdminClient, desired: DesiredService, service: str, store: Callable[[str, str], None], what: str
) -> None:
    hook = desired.webhook or WebhookSpec("")
    made = admin.post(SUBSCRIPTIONS_PATH, RESOURCE_NAME, subscription_payload(desired, hook, service), what)
    secret = (made.get("delivery_method") or {}).get("secret")
    if not isinstance(secret, str) or not secret:
        text = f"could not {what}: PagerDuty did not tell its signing secret"
        raise ServiceError(text, uncertain=True, hint="The same command makes it anew.")
    store(hook.secret_name, secret)
    finished = {"active": True, "description": subscription_description(desired)}
    admin.put(f"{SUBSCRIPTIONS_PATH}/{made['id']}", RESOURCE_NAME, finished, what)


def _update_payload(desired: DesiredService, change: SetupChange) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for one in change.fields:
        if one.field == "active":
            sent["active"] = one.after == "yes"
        elif one.field == "events" and desired.webhook is not None:
            sent["events"] = list(desired.webhook.events)
    return sent


def subscription_payload(desired: DesiredService, hook: WebhookSpec, service: str) -> dict[str, Any]:
    return {
        "type": "webhook_subscription",
        "active": False,
        "description": subscription_description(desired) + UNFINISHED_SUFFIX,
        "delivery_method": {"type": "http_delivery_method", "url": hook.url},
        "events": list(hook.events),
        "filter": {"type": "service_reference", "id": service},
    }


def subscription_description(desired: DesiredService) -> str:
    return f"Incidents of {desired.name}; {ownership_mark(desired.owner)}"


def _description(row: Resource) -> str:
    return str(row.get("description") or "")


def _url(row: Resource) -> str:
    return str((row.get("delivery_method") or {}).get("url") or "")


def _active(row: Resource) -> bool:
    return row.get("active") is not False


def _listed(events: Any) -> str:
    return ", ".join(sorted(events))
