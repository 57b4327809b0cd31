"""What is set up by hand or by tools: escalation policies, services, integrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..http import Response
from . import checked
from .asking import NUMBER, Ask, Refusal, at, checked_body, invalid
from .records import Integration, Service


def list_policies(ask: Ask) -> Response:
    return ask.page("escalation_policies", _named(ask, ask.state.policies.values()), ask.shapes.policy)


def get_policy(ask: Ask) -> Response:
    return Response.of({"escalation_policy": ask.shapes.policy(at(ask.state.policies, ask.words[0]))})


def post_policy(ask: Ask) -> Response:
    body = checked_body(ask, "escalation_policy", checked.POLICY)
    _check_policy(ask, body)
    made = {"num_loops": 0, "on_call_handoff_notifications": "if_has_services", "teams": [], **_plain(body)}
    made |= {"id": ask.state.new_id("P"), "escalation_rules": _rules(ask, body)}
    ask.state.policies[made["id"]] = made
    return Response.of({"escalation_policy": ask.shapes.policy(made)}, 201)


def put_policy(ask: Ask) -> Response:
    there = at(ask.state.policies, ask.words[0])
    body = checked_body(ask, "escalation_policy", checked.POLICY)
    _check_policy(ask, body, there["id"])
    there.update(_plain(body) | {"escalation_rules": _rules(ask, body)})
    return Response.of({"escalation_policy": ask.shapes.policy(there)})


def _check_policy(ask: Ask, body: dict[str, Any], own: str = "") -> None:
    _unique(body, [(one["id"], one["name"]) for one in ask.state.policies.values()], own)
    for rule in body["escalation_rules"]:
        for target in rule["targets"]:
            kind = target["type"].removesuffix("_reference")
            if target["id"] not in (ask.state.users if kind == "user" else ask.state.schedules):
                raise invalid(f"Target {target['id']} was not found")
        if rule["escalation_delay_in_minutes"] < 1:
            raise invalid("Escalation delay in minutes must be greater than or equal to 1")


def _rules(ask: Ask, body: dict[str, Any]) -> list[dict[str, Any]]:
    """A rule without an id is a new one."""
    usual = {"escalation_rule_assignment_strategy": "assign_to_everyone"}
    return [{**usual, **rule, "id": rule.get("id") or ask.state.new_id("P")} for rule in body["escalation_rules"]]


def list_services(ask: Ask) -> Response:
    exact = ask.request.first("name").lower()
    found = [one for one in _named(ask, ask.state.services.values()) if not exact or one.name.lower() == exact]
    return ask.page("services", found, ask.shapes.service)


def get_service(ask: Ask) -> Response:
    return Response.of({"service": ask.shapes.service(at(ask.state.services, ask.words[0]))})


def post_service(ask: Ask) -> Response:
    body = checked_body(ask, "service", checked.SERVICE)
    if body.get("status", "active") != "active":
        raise invalid("Status must be active")
    if not body.get("name", "").strip():
        raise invalid("Name cannot be empty")
    _check_service(ask, body)
    made = Service(ask.state.new_id("P"), body["name"], "", "", ask.state.clock())
    ask.state.services[made.id] = made
    ask.state.settings[made.id] = _settings(body)
    return Response.of({"service": ask.shapes.service(made)}, 201)


def put_service(ask: Ask) -> Response:
    there = at(ask.state.services, ask.words[0])
    body = checked_body(ask, "service", checked.SERVICE)
    _check_service(ask, body, there.id)
    made = replace(there, name=body.get("name", there.name))
    ask.state.services[made.id] = made
    ask.state.settings[made.id] = ask.state.settings.get(made.id, {}) | _settings(body)
    return Response.of({"service": ask.shapes.service(made)})


def _check_service(ask: Ask, body: dict[str, Any], own: str = "") -> None:
    _unique(body, [(one.id, one.name) for one in ask.state.services.values()], own)
    if body["escalation_policy"]["id"] not in ask.state.policies:
        raise invalid("Escalation policy was not found")


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in _plain(body).items() if name not in ("name", "status", "escalation_policy")}
    for name in ("auto_resolve_timeout", "acknowledgement_timeout"):
        if name in found:
            found[name] = found[name] or None
    return found | {"policy": body["escalation_policy"]["id"]}


def post_integration(ask: Ask) -> Response:
    service = at(ask.state.services, ask.words[0])
    body = checked_body(ask, "integration", checked.INTEGRATION)
    made = ask.state.add_integration(service, body.get("name", "Integration"), body["type"])
    return Response.of({"integration": ask.shapes.integration(made)}, 201)


def get_integration(ask: Ask) -> Response:
    made: Integration = at(ask.state.integrations, ask.words[1])
    if made.service != ask.words[0]:
        raise Refusal(404, 2100, "Not Found")
    return Response.of({"integration": ask.shapes.integration(made)})


def list_schedules(ask: Ask) -> Response:
    return ask.page("schedules", _named(ask, ask.state.schedules.values()), ask.shapes.schedule)


def list_priorities(ask: Ask) -> Response:
    return ask.page("priorities", list(ask.state.priorities.values()), ask.shapes.priority)


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Without what only PagerDuty sets."""
    return {name: value for name, value in body.items() if name not in (*checked.EVERY, "type", "escalation_rules")}


def _unique(body: dict[str, Any], names: Sequence[tuple[str, str]], own: str) -> None:
    name = body.get("name")
    if name is not None and any(known.lower() == name.lower() for number, known in names if number != own):
        raise invalid("Name has already been taken")


def _named(ask: Ask, rows: Any) -> list[Any]:
    query = ask.request.first("query").lower()

    def name(row: Any) -> str:
        return str(row["name"] if isinstance(row, dict) else row.name).lower()

    return sorted((row for row in rows if query in name(row)), key=name)


ROUTES: tuple[tuple[str, str, Callable[[Ask], Response]], ...] = (
    ("GET", "/escalation_policies", list_policies),
    ("POST", "/escalation_policies", post_policy),
    ("GET", f"/escalation_policies/{NUMBER}", get_policy),
    ("PUT", f"/escalation_policies/{NUMBER}", put_policy),
    ("GET", "/services", list_services),
    ("POST", "/services", post_service),
    ("GET", f"/services/{NUMBER}", get_service),
    ("PUT", f"/services/{NUMBER}", put_service),
    ("POST", f"/services/{NUMBER}/integrations", post_integration),
    ("GET", f"/services/{NUMBER}/integrations/{NUMBER}", get_integration),
    ("GET", "/schedules", list_schedules),
    ("GET", "/priorities", list_priorities),
)
