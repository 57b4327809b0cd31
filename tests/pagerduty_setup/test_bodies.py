"""What is sent has every field that PagerDuty's published description requires, and none that it sets itself.

The names below were read in that description (REST API 2.0.0).
"""

from __future__ import annotations

from typing import Any

import pytest

from .world import CHANGED, World

REQUIRED = {
    "escalation_policy": {"type", "name", "escalation_rules"},
    "service": {"type", "escalation_policy"},
    "integration": {"type", "name"},
    "webhook_subscription": {"type", "delivery_method", "events", "filter"},
    "orchestration_path": {"sets"},
}
SET_BY_PAGERDUTY = {"id", "summary", "self", "html_url", "created_at", "updated_at", "secret", "integration_key"}
UPDATE_OF_A_SUBSCRIPTION = {"description", "events", "filter", "active", "oauth_client_id"}


@pytest.fixture
def sent(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and body of every write of a first apply and of one after a change."""
    world.apply()
    world.config(CHANGED)
    world.apply()
    return [(one.method, one.path, one.json()) for one in world.server.requests if one.method in ("POST", "PUT")]


def test_every_kind_of_body_was_sent(sent: list[tuple[str, str, dict[str, Any]]]) -> None:
    names = {(method, next(iter(body))) for method, _, body in sent}
    assert names == {
        ("POST", "escalation_policy"), ("PUT", "escalation_policy"), ("POST", "service"), ("PUT", "service"),
        ("POST", "integration"), ("PUT", "orchestration_path"), ("PUT", "active"), ("POST", "webhook_subscription"),
        ("PUT", "webhook_subscription"),
    }  # fmt: skip


def test_what_is_required_is_there(sent: list[tuple[str, str, dict[str, Any]]]) -> None:
    for method, path, body in sent:
        (name,) = body
        if name == "active" or (method, name) == ("PUT", "webhook_subscription"):
            continue
        assert REQUIRED[name] <= set(body[name]), (method, path)
    for _, _, body in sent:
        for rule in body.get("escalation_policy", {}).get("escalation_rules", ()):
            assert {"escalation_delay_in_minutes", "targets"} <= set(rule)
            assert 1 <= len(rule["targets"]) <= 10
            assert all({"id", "type"} <= set(target) for target in rule["targets"])
        for one in body.get("orchestration_path", {}).get("sets", ()):
            assert all({"label", "conditions", "actions"} <= set(rule) for rule in one["rules"])


def test_what_pagerduty_sets_is_not_sent(sent: list[tuple[str, str, dict[str, Any]]]) -> None:
    for method, path, body in sent:
        (name,) = body
        if name != "active":
            assert not SET_BY_PAGERDUTY & set(body[name]), (method, path)


def test_of_a_subscription_only_what_can_be_changed_is_sent(sent: list[tuple[str, str, dict[str, Any]]]) -> None:
    updates = [
        body["webhook_subscription"] for method, _, body in sent if method == "PUT" and "webhook_subscription" in body
    ]
    assert updates
    assert all(set(update) <= UPDATE_OF_A_SUBSCRIPTION for update in updates)


def test_the_headers_are_as_described(world: World) -> None:
    world.apply()
    for one in world.server.requests:
        assert one.headers["accept"] == "application/vnd.pagerduty+json;version=2", one.path
        assert one.headers["content-type"] == "application/json", one.path
        assert one.headers["authorization"] == f"Token token={world.token}"
