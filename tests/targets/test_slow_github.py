"""A GitHub that is slow, hangs or drips delays pages by a bounded time; what they lack follows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.alert import group_key
from modelwatch.model.plan import Change, ChangeKind, Plan
from modelwatch.model.target import Target
from modelwatch.testing.standins.faults import Fault

from .world import REPO, World, change, group, plan, register, results


@pytest.fixture
def world(world: World) -> World:
    """GitHub may cost 1.5 s in all and 1.25 s a call; pages wait for 0.5 s."""
    return replace(world, timeout_scale=0.05)


def openings(*rules: str) -> Plan:
    """For each rule an issue to open, and a page."""
    changes: list[Change] = []
    for rule in rules:
        key = group_key("churn", rule)
        opened = register(group=key, rule=rule)
        changes.append(replace(change(ChangeKind.OPEN_ISSUE, register=opened), group=key))
        changes.append(replace(change(ChangeKind.TRIGGER_INCIDENT), group=key))
    groups = tuple(replace(group(), rule=rule) for rule in rules)
    return plan(*changes, groups=groups)


def events(world: World) -> list[Any]:
    return [json.loads(request.body) for request in world.pagerduty.requests if request.path == "/v2/enqueue"]


def has_issue(event: Any) -> bool:
    return any(link["text"] == "GitHub issue" for link in event.get("links", ()))


@pytest.mark.parametrize("fault", [Fault("drip", seconds=0.1, times=-1), Fault("delay", seconds=0.6, times=-1)])
def test_github_is_left_alone_when_it_has_cost_its_time(world: World, fault: Fault) -> None:
    rules = [f"rule{number}" for number in range(12)]
    world.github.inject(fault)
    receipts = world.apply(openings(*rules)).receipts
    assert [receipt.result.value for receipt in receipts if receipt.kind is ChangeKind.TRIGGER_INCIDENT] == [
        "done"
    ] * 12
    assert "it is slow, and has delayed this run by" in receipts[-2].detail
    assert {event["dedup_key"] for event in events(world)} == {group_key("churn", rule) for rule in rules}


def test_pages_do_not_wait_for_a_slow_issue_and_get_its_link_later(world: World) -> None:
    world.github.inject(Fault("delay", method="POST", path="/issues$", seconds=0.6, times=1))
    receipts = world.apply(openings("first", "second", "third"))
    assert results(receipts) == ["done"] * 6
    keys: dict[str, list[bool]] = {event["dedup_key"]: [] for event in events(world)}
    for event in events(world):
        keys[event["dedup_key"]].append(has_issue(event))
    assert keys == {
        group_key("churn", "first"): [True],
        group_key("churn", "second"): [False, True],
        group_key("churn", "third"): [False, True],
    }
    early = next(event for event in events(world) if not has_issue(event))
    assert "the link follows" in early["payload"]["custom_details"]["issue"]
    assert len(world.pagerduty.standin.state.notifications) == 3, "nobody is called twice"


def test_a_fast_github_is_waited_for(world: World) -> None:
    world = replace(world, timeout_scale=1.0)
    world.apply(openings("first", "second"))
    assert [has_issue(event) for event in events(world)] == [True, True]


def test_where_only_issues_are_applied_no_page_is_sent(world: World) -> None:
    world.github.inject(Fault("delay", method="POST", path="/issues$", seconds=0.6, times=1))
    world.apply(openings("first", "second"), {Target.ISSUE})
    assert events(world) == []


def test_comments_that_cannot_be_read_block_their_own_group_alone(world: World) -> None:
    world = replace(world, timeout_scale=1.0)
    world.apply(openings("first", "second"))
    alice = world.github.standin.person(REPO, "alice")
    for issue in (1, 2):
        alice.add_comment(issue, "Looking.")
    world.github.inject(Fault("status", path="/issues/1/comments$", status=503, times=-1))
    seen = world.observe_model()
    assert seen.errors == ()
    blocked, other = seen.issues
    assert blocked.register is None
    assert blocked.register_error.startswith("what people did on it cannot be read: GitHub")
    assert other.register is not None
    assert other.register_error == ""
