"""What is set up by hand or by tools: escalation policies, services, integrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..http import Response
from . import validation
from .records import Integration, Service
from .request_context import ID_PATTERN, PagerDutyApiError, RequestContext, get_or_404, invalid_input, validated_body


def list_policies(ask: RequestContext) -> Response:
    return ask.page_response(
        "escalation_policies", _matching_by_name(ask, ask.state.policies.values()), ask.serializer.policy
    )


def get_policy(ask: RequestContext) -> Response:
    return Response.of(
        {"escalation_policy": ask.serializer.policy(get_or_404(ask.state.policies, ask.path_parameters[0]))}
    )


def create_policy(ask: RequestContext) -> Response:
    body = validated_body(ask, "escalation_policy", validation.POLICY)
    _check_policy(ask, body)
    policy = {
        "num_loops": 0,
        "on_call_handoff_notifications": "if_has_services",
        "teams": [],
        **_writable_properties(body),
    }
    policy |= {"id": ask.state.new_id("P"), "escalation_rules": _with_rule_ids(ask, body)}
    ask.state.policies[policy["id"]] = policy
    return Response.of({"escalation_policy": ask.serializer.policy(policy)}, 201)


def update_policy(ask: RequestContext) -> Response:
    policy = get_or_404(ask.state.policies, ask.path_parameters[0])
    body = validated_body(ask, "escalation_policy", validation.POLICY)
    _check_policy(ask, body, policy["id"])
    policy.update(_writable_properties(body) | {"escalation_rules": _with_rule_ids(ask, body)})
    return Response.of({"escalation_policy": ask.serializer.policy(policy)})


def _check_policy(ask: RequestContext, body: dict[str, Any], own: str = "") -> None:
    _check_name_is_unique(body, [(policy["id"], policy["name"]) for policy in ask.state.policies.values()], own)
    for rule in body["escalation_rules"]:
        for target in rule["targets"]:
            kind = target["type"].removesuffix("_reference")
            if target["id"] not in (ask.state.users if kind == "user" else ask.state.schedules):
                raise invalid_input(f"Target {target['id']} was not found")
        if rule["escalation_delay_in_minutes"] < 1:
            raise invalid_input("Escalation delay in minutes must be greater than or equal to 1")


def _with_rule_ids(ask: RequestContext, body: dict[str, Any]) -> list[dict[str, Any]]:
    """A rule without an id is a new one."""
    defaults = {"escalation_rule_assignment_strategy": "assign_to_everyone"}
    return [{**defaults, **rule, "id": rule.get("id") or ask.state.new_id("P")} for rule in body["escalation_rules"]]


def list_services(ask: RequestContext) -> Response:
    name = ask.request.first("name").lower()
    services = [
        service
        for service in _matching_by_name(ask, ask.state.services.values())
        if not name or service.name.lower() == name
    ]
    return ask.page_response("services", services, ask.serializer.service)


def get_service(ask: RequestContext) -> Response:
    return Response.of({"service": ask.serializer.service(get_or_404(ask.state.services, ask.path_parameters[0]))})


def create_service(ask: RequestContext) -> Response:
    body = validated_body(ask, "service", validation.SERVICE)
    if body.get("status", "active") != "active":
        raise invalid_input("Status must be active")
    if not body.get("name", "").strip():
        raise invalid_input("Name cannot be empty")
    _check_service(ask, body)
    service = Service(ask.state.new_id("P"), body["name"], "", "", ask.state.clock())
    ask.state.services[service.id] = service
    ask.state.service_settings[service.id] = _service_settings(body)
    return Response.of({"service": ask.serializer.service(service)}, 201)


def update_service(ask: RequestContext) -> Response:
    service = get_or_404(ask.state.services, ask.path_parameters[0])
    body = validated_body(ask, "service", validation.SERVICE)
    _check_service(ask, body, service.id)
    updated = replace(service, name=body.get("name", service.name))
    ask.state.services[updated.id] = updated
    ask.state.service_settings[updated.id] = ask.state.service_settings.get(updated.id, {}) | _service_settings(body)
    return Response.of({"service": ask.serializer.service(updated)})


def _check_service(ask: RequestContext, body: dict[str, Any], own: str = "") -> None:
    _check_name_is_unique(body, [(service.id, service.name) for service in ask.state.services.values()], own)
    if body["escalation_policy"]["id"] not in ask.state.policies:
        raise invalid_input("Escalation policy was not found")


def _service_settings(body: dict[str, Any]) -> dict[str, Any]:
    settings = {
        name: value
        for name, value in _writable_properties(body).items()
        if name not in ("name", "status", "escalation_policy")
    }
    for name in ("auto_resolve_timeout", "acknowledgement_timeout"):
        if name in settings:
            settings[name] = settings[name] or None
    return settings | {"policy": body["escalation_policy"]["id"]}


def create_integration(ask: RequestContext) -> Response:
    service = get_or_404(ask.state.services, ask.path_parameters[0])
    body = validated_body(ask, "integration", validation.INTEGRATION)
    integration = ask.state.add_integration(service, body.get("name", "Integration"), body["type"])
    return Response.of({"integration": ask.serializer.integration(integration)}, 201)


def get_integration(ask: RequestContext) -> Response:
    integration: Integration = get_or_404(ask.state.integrations, ask.path_parameters[1])
    if integration.service != ask.path_parameters[0]:
        raise PagerDutyApiError(404, 2100, "Not Found")
    return Response.of({"integration": ask.serializer.integration(integration)})


def list_schedules(ask: RequestContext) -> Response:
    return ask.page_response("schedules", _matching_by_name(ask, ask.state.schedules.values()), ask.serializer.schedule)


def list_priorities(ask: RequestContext) -> Response:
    return ask.page_response("priorities", list(ask.state.priorities.values()), ask.serializer.priority)


def _writable_properties(body: dict[str, Any]) -> dict[str, Any]:
    """Without what only PagerDuty sets."""
    return {
        name: value
        for name, value in body.items()
        if name not in (*validation.COMMON_PROPERTIES, "type", "escalation_rules")
    }


def _check_name_is_unique(body: dict[str, Any], names: Sequence[tuple[str, str]], own: str) -> None:
    name = body.get("name")
    if name is not None and any(known.lower() == name.lower() for number, known in names if number != own):
        raise invalid_input("Name has already been taken")


def _matching_by_name(ask: RequestContext, rows: Any) -> list[Any]:
    query = ask.request.first("query").lower()

    def name(row: Any) -> str:
        return str(row["name"] if isinstance(row, dict) else row.name).lower()

    return sorted((row for row in rows if query in name(row)), key=name)


ROUTES: tuple[tuple[str, str, Callable[[RequestContext], Response]], ...] = (
    ("GET", "/escalation_policies", list_policies),
    ("POST", "/escalation_policies", create_policy),
    ("GET", f"/escalation_policies/{ID_PATTERN}", get_policy),
    ("PUT", f"/escalation_policies/{ID_PATTERN}", update_policy),
    ("GET", "/services", list_services),
    ("POST", "/services", create_service),
    ("GET", f"/services/{ID_PATTERN}", get_service),
    ("PUT", f"/services/{ID_PATTERN}", update_service),
    ("POST", f"/services/{ID_PATTERN}/integrations", create_integration),
    ("GET", f"/services/{ID_PATTERN}/integrations/{ID_PATTERN}", get_integration),
    ("GET", "/schedules", list_schedules),
    ("GET", "/priorities", list_priorities),
)
