"""Somebody who has the routing key: pages and resolved alerts, and nothing else."""

from __future__ import annotations

import os

import pytest
import requests

from modelwatch.clients.pagerduty import EventsApi, pagerduty_retry_policy
from modelwatch.model.alert import group_key
from modelwatch.targets.register.codec import parse_body

from ..injection.inert import check_markdown
from .world import ERROR, HEALTHY, World

KEY = group_key("churn", "accuracy")
HOSTILE = "<img src=x onerror=alert(1)> @acme/everyone ::error::x `$(id)` [now](javascript:alert(1))"


@pytest.fixture
def firing(world: World) -> World:
    world.metrics(HEALTHY, *[ERROR] * 20)
    world.at(3)
    assert world.run("run").code == 0
    assert [incident.status for incident in world.incidents] == ["triggered"]
    return world


def thief() -> EventsApi:
    return EventsApi(
        os.environ["PAGERDUTY_ROUTING_KEY"], os.environ["PAGERDUTY_EVENTS_URL"], pagerduty_retry_policy(os.environ)
    )


def test_an_alert_that_a_thief_resolves_is_paged_again_while_it_fires(firing: World) -> None:
    thief().resolve(KEY)
    assert [incident.status for incident in firing.incidents] == ["resolved"]
    for hour in (4, 8):
        firing.at(hour)
        assert firing.run("run").code == 0
    assert firing.incidents[-1].status == "triggered"
    register = parse_body(firing.issues[0].body or "").register
    assert register is not None
    assert (register.ack_until, register.silence_until, register.verdict) == (None, None, ""), "it mutes nothing"


def test_what_a_thief_sends_reaches_no_issue_and_starts_nothing(firing: World) -> None:
    for key, severity in ((KEY, "info"), (f"{KEY}.2", "critical"), ("of-nobody", "critical")):
        thief().trigger(
            key, summary=HOSTILE, source=HOSTILE, severity=severity, timestamp=firing.clock.now, details={"x": HOSTILE}
        )
    comments = list(firing.comments)
    firing.at(4)
    ran = firing.run("run")
    assert ran.code == 0, ran.err
    assert "onerror" not in ran.out + ran.err + firing.issues[0].body
    check_markdown(firing.issues[0].body, ("http://127.0.0.1", "https://github.com/"), ("@acme/growth-ml",))
    assert (len(firing.issues), firing.runs, firing.comments) == (1, [], comments)


def test_pagerduty_does_not_answer_a_thief_with_data(firing: World) -> None:
    """As far as the simulation goes: PagerDuty's documents say the same."""
    routing_key, url = os.environ["PAGERDUTY_ROUTING_KEY"], firing.pagerduty.url
    event = {"routing_key": routing_key, "event_action": "acknowledge", "dedup_key": KEY}
    answer = requests.post(f"{url}/v2/enqueue", json=event, timeout=10)
    assert answer.status_code == 202
    assert set(answer.json()) <= {"status", "message", "dedup_key"}
    for path in ("/incidents", "/users", "/services", "/abilities"):
        given = {"Authorization": f"Token token={routing_key}"}
        assert requests.get(f"{url}{path}", headers=given, timeout=10).status_code == 401
