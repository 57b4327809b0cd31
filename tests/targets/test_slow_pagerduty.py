"""A PagerDuty that hangs or drips delays a run by a bounded time; what is slow, and works, loses no page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.errors import ServiceError
from modelwatch.model.alert import group_key
from modelwatch.model.plan import ChangeKind, ChangeResult, Plan, Receipt
from modelwatch.testing.standins.faults import Fault

from .world import World, change, group, plan

RULES = [f"rule{number}" for number in range(10)]


@pytest.fixture
def world(world: World) -> World:
    """A request may take 0.2 s and a call 0.8 s; in all events may cost 1.2 s, and reading 0.6 s."""
    return replace(world, timeout_scale=0.02)


def pages(*rules: str) -> Plan:
    changes = [replace(change(ChangeKind.TRIGGER_INCIDENT), group=group_key("churn", rule)) for rule in rules]
    return plan(*changes, groups=tuple(replace(group(), rule=rule) for rule in rules))


def results(receipts: tuple[Receipt, ...]) -> list[ChangeResult]:
    return [receipt.result for receipt in receipts if receipt.kind is ChangeKind.TRIGGER_INCIDENT]


@pytest.mark.parametrize("fault", [Fault("drip", seconds=0.01, times=-1), Fault("hang", seconds=5, times=-1)])
def test_pagerduty_is_left_alone_when_it_has_cost_its_time(world: World, fault: Fault) -> None:
    world.pagerduty.inject(fault)
    receipts = world.apply(pages(*RULES)).receipts
    assert results(receipts) == [ChangeResult.FAILED] * len(RULES)
    assert fault.strike_count < 2 * len(RULES)
    assert "no usable answer" in receipts[0].detail
    assert "it is slow, and has delayed this run by" in receipts[-1].detail


def test_what_is_slow_and_works_loses_no_page(world: World) -> None:
    """Not even where pages are sent ahead of the issues, and once more with the link."""
    world.pagerduty.inject(Fault("delay", seconds=0.15, times=-1))
    assert results(world.apply(pages(*RULES)).receipts) == [ChangeResult.DONE] * len(RULES)
    assert {incident.key for incident in world.pagerduty.standin.state.incidents} == {
        group_key("churn", rule) for rule in RULES
    }


def test_what_can_wait_leaves_the_rest_of_the_time_to_pages(world: World) -> None:
    world.pagerduty.inject(Fault("hang", seconds=5, times=2))
    resolved = [
        replace(change(ChangeKind.RESOLVE_INCIDENT), group=group_key("churn", rule)) for rule in ("first", "second")
    ]
    receipts = world.apply(plan(*resolved, *pages("third").changes)).receipts
    assert [receipt.result for receipt in receipts] == [ChangeResult.DONE, ChangeResult.FAILED, ChangeResult.DONE]
    assert "only pages are still sent" in receipts[1].detail


def test_reading_incidents_is_bounded_too(world: World) -> None:
    """Pages leave without what was read."""
    world = replace(world, rest_token="token")
    fault = world.pagerduty.inject(Fault("drip", seconds=0.01, times=-1))
    sessions, problems = world.connect(), []
    for rule in RULES:
        incidents = sessions.incidents(world.model)
        assert incidents is not None
        with pytest.raises(ServiceError) as caught:
            incidents.latest_incident(group_key("churn", rule))
        problems.append(caught.value.message)
    assert fault.strike_count < len(RULES)
    assert "it is slow, and has delayed this run by" in problems[-1]
