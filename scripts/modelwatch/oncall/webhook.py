"""Webhook subscriptions: where PagerDuty tells of a service's incidents.

PagerDuty shows the signing secret once, in the answer to the creation, and does not let a subscription change its
address. So a new one is made inactive and marked as unfinished; only when its secret is stored it becomes active. What
was cut off in between is deleted and made anew; what has another address is made anew, and the old one inactive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..clients.failure import ServiceError
from ..clients.pagerduty_admin import Admin, Row
from ..model.oncall import (
    FieldChange,
    SetupChange,
    SetupKind,
    SetupRefusal,
    SetupVerb,
    WebhookSpec,
    owner_in_mark,
    ownership_mark,
)
from .wanted import WantedService

PATH = "/webhook_subscriptions"
UNFINISHED = " (being set up)"
NAME = "webhook_subscription"


def look(admin: Admin, wanted: WantedService, service: str) -> list[Row]:
    """Every subscription to this service. Raises ServiceError."""
    what = f"look at the webhook subscriptions of the service {wanted.name!r}"
    rows = admin.all(PATH, "webhook_subscriptions", what, filter_type="service", filter_id=service)
    return [row for row in rows if (row.get("filter") or {}).get("id") == service]


def compare(wanted: WantedService, rows: list[Row]) -> list[SetupChange | SetupRefusal]:
    mine = [row for row in rows if owner_in_mark(_text(row)) == wanted.owner]
    cut_off = [row for row in mine if _text(row).endswith(UNFINISHED)]
    done = [row for row in mine if row not in cut_off]
    hook = wanted.webhook
    here = [row for row in done if hook is not None and _url(row) == hook.url]
    here.sort(key=lambda row: not _active(row))
    found: list[SetupChange | SetupRefusal] = [*_deleted(wanted, cut_off)]
    if hook is not None:
        change = _updated(wanted, hook, here[0]) if here else _created(wanted, hook, rows, mine)
        found += [change] if change else []
    found += _ended(wanted, [row for row in done if row not in here[:1]])
    return found


def _deleted(wanted: WantedService, rows: list[Row]) -> Iterator[SetupChange]:
    why = "its making was cut off, and its secret is lost"
    for row in rows:
        yield SetupChange(
            SetupVerb.DELETE, SetupKind.WEBHOOK, wanted.name, (FieldChange("to", _url(row), ""),), str(row["id"]), why
        )


def _created(wanted: WantedService, hook: WebhookSpec, rows: list[Row], mine: list[Row]) -> SetupChange | SetupRefusal:
    if any(_url(row) == hook.url and row not in mine for row in rows):
        reason = f"the service has a subscription to {hook.url} already, and modelwatch did not make it"
        hint = f"Delete it at PagerDuty, or hand it over: add `{ownership_mark(wanted.owner)}` to its description."
        return SetupRefusal(SetupKind.WEBHOOK, wanted.name, reason, hint)
    fields = (FieldChange("to", "", hook.url), FieldChange("events", "", _listed(hook.events)))
    return SetupChange(SetupVerb.CREATE, SetupKind.WEBHOOK, wanted.name, fields)


def _updated(wanted: WantedService, hook: WebhookSpec, row: Row) -> SetupChange | None:
    fields = []
    before = [str(event) for event in row.get("events") or ()]
    if set(before) != set(hook.events):
        fields.append(FieldChange("events", _listed(before), _listed(hook.events)))
    if not _active(row):
        fields.append(FieldChange("active", "no", "yes"))
    if not fields:
        return None
    return SetupChange(SetupVerb.UPDATE, SetupKind.WEBHOOK, wanted.name, tuple(fields), str(row["id"]))


def _ended(wanted: WantedService, rows: list[Row]) -> Iterator[SetupChange]:
    for row in rows:
        if _active(row):
            fields = (FieldChange("active", "yes", "no"),)
            why = f"{_url(row)} is not in the configuration" if not _still(wanted, row) else "there are two of them"
            yield SetupChange(SetupVerb.UPDATE, SetupKind.WEBHOOK, wanted.name, fields, str(row["id"]), why)


def _still(wanted: WantedService, row: Row) -> bool:
    return wanted.webhook is not None and wanted.webhook.url == _url(row)


def carry_out(
    admin: Admin, wanted: WantedService, service: str, change: SetupChange, store: Callable[[str, str], None]
) -> None:
    """``store`` is given the name and the value of a new secret. Raises ServiceError, UserError."""
    what = f"{change.verb} the webhook subscription of the service {wanted.name!r}"
    match change.verb:
        case SetupVerb.DELETE:
            admin.delete(f"{PATH}/{change.id}", what)
        case SetupVerb.UPDATE:
            admin.put(f"{PATH}/{change.id}", NAME, _update(wanted, change), what)
        case SetupVerb.CREATE:
            _create(admin, wanted, service, store, what)


def _create(admin: Admin, wanted: WantedService, service: str, store: Callable[[str, str], None], what: str) -> None:
    hook = wanted.webhook or WebhookSpec("")
    made = admin.post(PATH, NAME, body(wanted, hook, service), what)
    secret = (made.get("delivery_method") or {}).get("secret")
    if not isinstance(secret, str) or not secret:
        text = f"could not {what}: PagerDuty did not tell its signing secret"
        raise ServiceError(text, uncertain=True, hint="The same command makes it anew.")
    store(hook.secret_name, secret)
    finished = {"active": True, "description": described(wanted)}
    admin.put(f"{PATH}/{made['id']}", NAME, finished, what)


def _update(wanted: WantedService, change: SetupChange) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for one in change.fields:
        if one.field == "active":
            sent["active"] = one.after == "yes"
        elif one.field == "events" and wanted.webhook is not None:
            sent["events"] = list(wanted.webhook.events)
    return sent


def body(wanted: WantedService, hook: WebhookSpec, service: str) -> dict[str, Any]:
    return {
        "type": "webhook_subscription",
        "active": False,
        "description": described(wanted) + UNFINISHED,
        "delivery_method": {"type": "http_delivery_method", "url": hook.url},
        "events": list(hook.events),
        "filter": {"type": "service_reference", "id": service},
    }


def described(wanted: WantedService) -> str:
    return f"Incidents of {wanted.name}; {ownership_mark(wanted.owner)}"


def _text(row: Row) -> str:
    return str(row.get("description") or "")


def _url(row: Row) -> str:
    return str((row.get("delivery_method") or {}).get("url") or "")


def _active(row: Row) -> bool:
    return row.get("active") is not False


def _listed(events: Any) -> str:
    return ", ".join(sorted(events))
