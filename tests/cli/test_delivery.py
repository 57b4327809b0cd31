"""What could not be delivered reaches a person through the channel that works, once, until it is delivered."""

from __future__ import annotations

from typing import Any

from modelwatch.model.alert import DELIVERY_FAILED, group_key
from modelwatch.testing.standins.faults import Fault

from .world import CONFIG, CRITICAL, ERROR, HEALTHY, TABLE, WARNING, World

KEY = group_key("churn", DELIVERY_FAILED)
PARTIAL = 4
NO_WRITE = Fault("status", method="POST", path="/issues$", status=403, times=-1, body='{"message": "Not accessible"}')


def told(world: World) -> list[str]:
    return [body for body in world.comments if body.startswith("**Not delivered.**")]


def incident(world: World) -> Any:
    """The newest incident of kind delivery-failed."""
    return next((one for one in reversed(world.incidents) if one.key == KEY), None)


def evaluate(world: World, hour: float, code: int = 0) -> None:
    world.at(hour)
    ran = world.run("run")
    assert ran.code == code, ran.out


def test_a_page_that_was_not_delivered_is_one_comment_until_it_is(world: World) -> None:
    world.metrics(HEALTHY, *[ERROR] * 9)
    world.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, times=3))
    for hour in (3, 4, 5):
        evaluate(world, hour, PARTIAL)
        assert len(told(world)) == 1
    assert "notifying PagerDuty failed" in told(world)[0]
    assert "/delivery-failed.md)" in told(world)[0]
    assert "cc @acme/growth-ml" in told(world)[0]
    assert world.incidents == []
    evaluate(world, 6)
    assert [one.status for one in world.incidents] == ["triggered"]
    words = [entry["what"] for entry in world.run("audit", "--format", "json").json]
    assert words.count("notifying PagerDuty failed") == words.count("notifying PagerDuty works again") == 1
    assert "### Not done" not in world.issues[0].body
    evaluate(world, 7)
    assert len(told(world)) == 1


def test_a_crash_after_the_comment_does_not_repeat_it(world: World) -> None:
    world.metrics(HEALTHY, *[ERROR] * 9)
    world.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, times=2))
    world.github.inject(Fault("drop", method="PATCH", path="/issues/1$", times=4))
    evaluate(world, 3, PARTIAL)
    evaluate(world, 4, PARTIAL)
    assert len(told(world)) == 1


def test_a_dispatch_that_failed_is_told(world: World) -> None:
    world.metrics(HEALTHY, *[WARNING] * 5)
    world.github.inject(Fault("status", path="/dispatches$", status=422, times=-1, body='{"message": "No ref found"}'))
    evaluate(world, 3, PARTIAL)
    assert ["the dispatch of retrain failed" in body for body in told(world)] == [True]


def test_a_page_says_that_github_could_not_be_written(world: World) -> None:
    world.metrics(HEALTHY, *[ERROR] * 9)
    for fault in (NO_WRITE, Fault("status", status=503, times=-1)):
        world.github.faults.clear()
        world.github.inject(fault)
        world.pagerduty.standin.state.incidents.clear()
        evaluate(world, 3, PARTIAL)
        (paged,) = world.incidents
        assert paged.event["payload"]["custom_details"]["issue"].startswith("not written: ")
        assert incident(world) is None


def test_issues_that_cannot_be_written_are_one_incident_until_they_can(world: World) -> None:
    world.metrics(HEALTHY, *[WARNING] * 9)
    world.github.inject(NO_WRITE)
    for hour in (3, 4):
        evaluate(world, hour, PARTIAL)
    (found,) = world.incidents
    payload = found.event["payload"]
    assert (found.key, found.status, payload["severity"]) == (KEY, "triggered", "warning")
    assert payload["class"] == DELIVERY_FAILED
    assert payload["summary"].startswith("churn: no issue could be written for accuracy (warning): ")
    assert "403" in payload["custom_details"]["problem"]
    assert len(world.pagerduty.standin.state.notifications) == 1
    world.github.faults.clear()
    evaluate(world, 5)
    assert (found.status, len(world.issues)) == ("resolved", 1)
    sent = [write for write in world.writes() if write.startswith("POST")]
    evaluate(world, 6)
    assert [write for write in world.writes() if write.startswith("POST")] == sent


def test_github_that_cannot_be_read_is_told_too(world: World) -> None:
    world.config(CONFIG.replace(', token: "${PAGERDUTY_TOKEN}"', ""), TABLE)
    world.metrics(HEALTHY, *[WARNING] * 9)
    world.github.inject(Fault("status", status=503, times=-1))
    evaluate(world, 3, PARTIAL)
    assert incident(world).status == "triggered"
    world.github.faults.clear()
    evaluate(world, 4)
    assert incident(world).status == "resolved"


def test_what_is_healthy_or_pages_raises_nothing(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY, HEALTHY)
    world.github.inject(Fault("status", status=503, times=-1))
    evaluate(world, 3, PARTIAL)
    world.metrics(HEALTHY, *[CRITICAL] * 4)
    evaluate(world, 4, PARTIAL)
    assert incident(world) is None
