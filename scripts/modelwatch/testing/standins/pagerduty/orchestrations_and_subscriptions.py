"""What else is set up for a service: event rules (a service orchestration) and webhook subscriptions.

All of it is kept, checked and shown; event rules are not evaluated, and webhooks not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..http import Response
from . import validation
from .records import Service
from .request_context import ID_PATTERN, RequestContext, get_or_404, invalid_input, validated_body
from .rest_json import format_time


def get_rules(ask: RequestContext) -> Response:
    service = get_or_404(ask.state.services, ask.path_parameters[0])
    return Response.of({"orchestration_path": _orchestration_path_json(ask, service)})


def replace_rules(ask: RequestContext) -> Response:
    """Omitted rules are deleted; one without an id is a new one."""
    service = get_or_404(ask.state.services, ask.path_parameters[0])
    body = validated_body(ask, "orchestration_path", validation.ORCHESTRATION_PATH)
    sets = body.get("sets", [])
    if not any(one.get("id") == "start" for one in sets):
        raise invalid_input("sets must contain the set start")
    known = {one.get("id") for one in sets}
    for one in sets:
        for rule in one.setdefault("rules", []):
            rule.setdefault("id", ask.state.new_id("r").lower())
            rule.setdefault("conditions", [])
            if rule.get("actions", {}).get("route_to", "start") not in known:
                raise invalid_input("route_to leads nowhere")
            _check_actions(ask, rule.setdefault("actions", {}))
    catch_all = body.get("catch_all", {"actions": {}})
    ask.state.orchestrations[service.id] = {"sets": sets, "catch_all": catch_all, "changed": ask.state.clock()}
    return Response.of({"orchestration_path": _orchestration_path_json(ask, service), "warnings": []})


def _check_actions(ask: RequestContext, actions: dict[str, Any]) -> None:
    if actions.get("escalation_policy", "PPOLICY") not in ask.state.policies:
        raise invalid_input("escalation_policy was not found")
    if "priority" in actions and actions["priority"] not in ask.state.priorities:
        raise invalid_input("priority was not found")


def _orchestration_path_json(ask: RequestContext, service: Service) -> dict[str, Any]:
    kept = ask.state.orchestrations.get(service.id, {})
    at = format_time(kept.get("changed", service.created))
    url = f"{ask.serializer.site}/services/{service.id}"
    return {
        "type": "service",
        "parent": {"id": service.id, "type": "service_reference", "self": url},
        "sets": kept.get("sets", [{"id": "start", "rules": []}]),
        "catch_all": kept.get("catch_all", {"actions": {}}),
        "created_at": format_time(service.created),
        "updated_at": at,
        "version": str(kept.get("changed", 0)),
    }


def get_orchestration_status(ask: RequestContext) -> Response:
    service = get_or_404(ask.state.services, ask.path_parameters[0])
    return Response.of({"active": service.id in ask.state.active_orchestrations})


def set_orchestration_status(ask: RequestContext) -> Response:
    service = get_or_404(ask.state.services, ask.path_parameters[0])
    ask.require_write()
    body = ask.json_body()
    if not isinstance(body, dict) or not isinstance(body.get("active"), bool):
        raise invalid_input("active must be of type bool")
    change = ask.state.active_orchestrations.add if body["active"] else ask.state.active_orchestrations.discard
    change(service.id)
    return Response.of({"active": body["active"]})


def list_subscriptions(ask: RequestContext) -> Response:
    kind, number = ask.request.first("filter_type"), ask.request.first("filter_id")
    if kind not in ("", "account", "service", "team"):
        raise invalid_input("filter_type is not valid")
    if kind in ("service", "team") and not number:
        raise invalid_input("filter_id is required")
    found = [
        one
        for one in ask.state.subscriptions.values()
        if (not kind or one["filter"]["type"] == f"{kind}_reference")
        and (not number or one["filter"].get("id") == number)
    ]
    return ask.page_response("webhook_subscriptions", found, _without_secret)


def get_subscription(ask: RequestContext) -> Response:
    return Response.of(
        {"webhook_subscription": _without_secret(get_or_404(ask.state.subscriptions, ask.path_parameters[0]))}
    )


def create_subscription(ask: RequestContext) -> Response:
    """The only answer that shows the secret."""
    body = validated_body(ask, "webhook_subscription", validation.SUBSCRIPTION)
    if not body["delivery_method"]["url"].startswith(("https://", "http://127.0.0.1")):
        raise invalid_input("delivery_method.url must be https")
    _check_filter(ask, body)
    number = ask.state.new_id("P")
    delivery = {"id": ask.state.new_id("P"), "temporarily_disabled": False, "custom_headers": []}
    delivery |= body["delivery_method"] | {"secret": f"standin{number}".ljust(64, "x")}
    made = {"active": True, **body, "id": number, "delivery_method": delivery}
    ask.state.subscriptions[number] = made
    return Response.of({"webhook_subscription": made})


def update_subscription(ask: RequestContext) -> Response:
    """The address cannot be changed."""
    there = get_or_404(ask.state.subscriptions, ask.path_parameters[0])
    body = validated_body(ask, "webhook_subscription", validation.SUBSCRIPTION_UPDATE)
    _check_filter(ask, body)
    there.update(body)
    return Response.of({"webhook_subscription": _without_secret(there)})


def delete_subscription(ask: RequestContext) -> Response:
    get_or_404(ask.state.subscriptions, ask.path_parameters[0])
    ask.require_write()
    del ask.state.subscriptions[ask.path_parameters[0]]
    return Response(204)


def _check_filter(ask: RequestContext, body: dict[str, Any]) -> None:
    wanted = body.get("filter", {"type": "account_reference"})
    if wanted["type"] != "account_reference" and not wanted.get("id"):
        raise invalid_input("filter.id is required")
    if wanted["type"] == "service_reference" and wanted["id"] not in ask.state.services:
        raise invalid_input("filter.id was not found")


def _without_secret(subscription: dict[str, Any]) -> dict[str, Any]:
    delivery = {name: value for name, value in subscription["delivery_method"].items() if name != "secret"}
    return {**subscription, "delivery_method": {**delivery, "secret": None}}


ROUTES: tuple[tuple[str, str, Callable[[RequestContext], Response]], ...] = (
    ("GET", f"/event_orchestrations/services/{ID_PATTERN}", get_rules),
    ("PUT", f"/event_orchestrations/services/{ID_PATTERN}", replace_rules),
    ("GET", f"/event_orchestrations/services/{ID_PATTERN}/active", get_orchestration_status),
    ("PUT", f"/event_orchestrations/services/{ID_PATTERN}/active", set_orchestration_status),
    ("GET", "/webhook_subscriptions", list_subscriptions),
    ("POST", "/webhook_subscriptions", create_subscription),
    ("GET", f"/webhook_subscriptions/{ID_PATTERN}", get_subscription),
    ("PUT", f"/webhook_subscriptions/{ID_PATTERN}", update_subscription),
    ("DELETE", f"/webhook_subscriptions/{ID_PATTERN}", delete_subscription),
)
