"""What else is set up for a service: event rules (a service orchestration) and webhook subscriptions.

All of it is kept, checked and shown; event rules are not evaluated, and webhooks not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..http import Response
from . import checked
from .asking import NUMBER, Ask, at, checked_body, invalid
from .records import Service
from .shapes import stamp


def get_rules(ask: Ask) -> Response:
    service = at(ask.state.services, ask.words[0])
    return Response.of({"orchestration_path": _path(ask, service)})


def put_rules(ask: Ask) -> Response:
    """Omitted rules are deleted; one without an id is a new one."""
    service = at(ask.state.services, ask.words[0])
    body = checked_body(ask, "orchestration_path", checked.PATH)
    sets = body.get("sets", [])
    if not any(one.get("id") == "start" for one in sets):
        raise invalid("sets must contain the set start")
    known = {one.get("id") for one in sets}
    for one in sets:
        for rule in one.setdefault("rules", []):
            rule.setdefault("id", ask.state.new_id("r").lower())
            rule.setdefault("conditions", [])
            if rule.get("actions", {}).get("route_to", "start") not in known:
                raise invalid("route_to leads nowhere")
            _check_actions(ask, rule.setdefault("actions", {}))
    catch_all = body.get("catch_all", {"actions": {}})
    ask.state.orchestrations[service.id] = {"sets": sets, "catch_all": catch_all, "changed": ask.state.clock()}
    return Response.of({"orchestration_path": _path(ask, service), "warnings": []})


def _check_actions(ask: Ask, actions: dict[str, Any]) -> None:
    if actions.get("escalation_policy", "PPOLICY") not in ask.state.policies:
        raise invalid("escalation_policy was not found")
    if "priority" in actions and actions["priority"] not in ask.state.priorities:
        raise invalid("priority was not found")


def _path(ask: Ask, service: Service) -> dict[str, Any]:
    kept = ask.state.orchestrations.get(service.id, {})
    at = stamp(kept.get("changed", service.created))
    url = f"{ask.shapes.site}/services/{service.id}"
    return {
        "type": "service",
        "parent": {"id": service.id, "type": "service_reference", "self": url},
        "sets": kept.get("sets", [{"id": "start", "rules": []}]),
        "catch_all": kept.get("catch_all", {"actions": {}}),
        "created_at": stamp(service.created),
        "updated_at": at,
        "version": str(kept.get("changed", 0)),
    }


def get_active(ask: Ask) -> Response:
    service = at(ask.state.services, ask.words[0])
    return Response.of({"active": service.id in ask.state.orchestrated})


def put_active(ask: Ask) -> Response:
    service = at(ask.state.services, ask.words[0])
    ask.may_write()
    body = ask.body()
    if not isinstance(body, dict) or not isinstance(body.get("active"), bool):
        raise invalid("active must be of type bool")
    change = ask.state.orchestrated.add if body["active"] else ask.state.orchestrated.discard
    change(service.id)
    return Response.of({"active": body["active"]})


def list_subscriptions(ask: Ask) -> Response:
    kind, number = ask.request.first("filter_type"), ask.request.first("filter_id")
    if kind not in ("", "account", "service", "team"):
        raise invalid("filter_type is not valid")
    if kind in ("service", "team") and not number:
        raise invalid("filter_id is required")
    found = [
        one
        for one in ask.state.subscriptions.values()
        if (not kind or one["filter"]["type"] == f"{kind}_reference")
        and (not number or one["filter"].get("id") == number)
    ]
    return ask.page("webhook_subscriptions", found, _without_secret)


def get_subscription(ask: Ask) -> Response:
    return Response.of({"webhook_subscription": _without_secret(at(ask.state.subscriptions, ask.words[0]))})


def post_subscription(ask: Ask) -> Response:
    """The only answer that shows the secret."""
    body = checked_body(ask, "webhook_subscription", checked.SUBSCRIPTION)
    if not body["delivery_method"]["url"].startswith(("https://", "http://127.0.0.1")):
        raise invalid("delivery_method.url must be https")
    _check_filter(ask, body)
    number = ask.state.new_id("P")
    delivery = {"id": ask.state.new_id("P"), "temporarily_disabled": False, "custom_headers": []}
    delivery |= body["delivery_method"] | {"secret": f"standin{number}".ljust(64, "x")}
    made = {"active": True, **body, "id": number, "delivery_method": delivery}
    ask.state.subscriptions[number] = made
    return Response.of({"webhook_subscription": made})


def put_subscription(ask: Ask) -> Response:
    """The address cannot be changed."""
    there = at(ask.state.subscriptions, ask.words[0])
    body = checked_body(ask, "webhook_subscription", checked.SUBSCRIPTION_UPDATE)
    _check_filter(ask, body)
    there.update(body)
    return Response.of({"webhook_subscription": _without_secret(there)})


def delete_subscription(ask: Ask) -> Response:
    at(ask.state.subscriptions, ask.words[0])
    ask.may_write()
    del ask.state.subscriptions[ask.words[0]]
    return Response(204)


def _check_filter(ask: Ask, body: dict[str, Any]) -> None:
    wanted = body.get("filter", {"type": "account_reference"})
    if wanted["type"] != "account_reference" and not wanted.get("id"):
        raise invalid("filter.id is required")
    if wanted["type"] == "service_reference" and wanted["id"] not in ask.state.services:
        raise invalid("filter.id was not found")


def _without_secret(subscription: dict[str, Any]) -> dict[str, Any]:
    delivery = {name: value for name, value in subscription["delivery_method"].items() if name != "secret"}
    return {**subscription, "delivery_method": {**delivery, "secret": None}}


ROUTES: tuple[tuple[str, str, Callable[[Ask], Response]], ...] = (
    ("GET", f"/event_orchestrations/services/{NUMBER}", get_rules),
    ("PUT", f"/event_orchestrations/services/{NUMBER}", put_rules),
    ("GET", f"/event_orchestrations/services/{NUMBER}/active", get_active),
    ("PUT", f"/event_orchestrations/services/{NUMBER}/active", put_active),
    ("GET", "/webhook_subscriptions", list_subscriptions),
    ("POST", "/webhook_subscriptions", post_subscription),
    ("GET", f"/webhook_subscriptions/{NUMBER}", get_subscription),
    ("PUT", f"/webhook_subscriptions/{NUMBER}", put_subscription),
    ("DELETE", f"/webhook_subscriptions/{NUMBER}", delete_subscription),
)
