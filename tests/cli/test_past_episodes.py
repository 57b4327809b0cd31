"""Earlier episodes: on issue, page, diagnosis and review, from our closed issues, read only when an alert begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.testing.standins.faults import Fault

from .world import BEGIN, CRITICAL, ERROR, HEALTHY, HOUR, REPOSITORY, WARNING, World

SECOND = 60
"""The hour at which the second episode begins."""


def log(world: World, *spans: tuple[int, float, str]) -> None:
    """Accuracies an hour: each (hours, level, version) in turn, from hour 1 on."""
    levels = [(level, version) for hours, level, version in spans for _ in range(hours)]
    rows = [f"{BEGIN + hour * HOUR:.0f},{version},{level},5000" for hour, (level, version) in enumerate(levels, 1)]
    world.write("metrics.csv", "\n".join(["time,version,eval/accuracy,eval/n", *rows]) + "\n")


def evaluate(world: World, *hours: float) -> None:
    for hour in hours:
        world.at(hour)
        assert world.run("run").code == 0


def first_episode(world: World) -> None:
    """v6 is broken at hour 9, alice rolls back to v5, and the metric recovers."""
    log(world, (8, HEALTHY, "v5"), (3, CRITICAL, "v6"), (49, HEALTHY, "v5"), (6, ERROR, "v7"))
    alice, state = world.github.standin.person(REPOSITORY, "alice"), world.github.standin.state
    evaluate(world, 10)
    alice.add_comment(1, "/modelwatch rollback v5")
    evaluate(world, 11)
    state.finish_run(world.runs[0].id, "success")
    evaluate(world, 12, 13, 14, 15)
    assert [issue.state for issue in world.issues] == ["closed"]


def reads(world: World) -> int:
    return sum(asked.query.get("state") == ["closed"] for asked in world.github.requests)


def section(world: World) -> str:
    return str(world.issues[-1].body).partition("### Seen before\n\n")[2].partition("\n\n###")[0]


def test_the_second_time_says_what_helped_the_first_time(world: World) -> None:
    first_episode(world)
    assert (reads(world), section(world)) == (1, "")  # when the first one began
    evaluate(world, 40, SECOND)
    assert reads(world) == 1
    evaluate(world, SECOND + 2)
    url = f"{world.github.url}/{REPOSITORY}/issues/1"
    first, second = section(world).split("\n\n")
    assert first == "Second time since 2026-11-20."
    helped = "`rollback` to `v5` helped, it recovered 1 h 55 min later"
    assert second == f"- Last time: 2026-11-20 09:00 UTC, for 4 h: {helped} ([open]({url}))"
    paged = world.incidents[-1].event["payload"]["custom_details"]["seen_before"]
    assert paged == (
        "Second time since 2026-11-20. Last time (2026-11-20 09:00 UTC): rollback to v5 helped, "
        f"it recovered 1 h 55 min later. {url}"
    )
    shown = " ".join(world.run("diagnose").out.split())
    assert "Earlier Second time since 2026-11-20. Last time: 2026-11-20 09:00 UTC, for 4 h: rollback to v5" in shown
    evaluate(world, SECOND + 3, SECOND + 5)
    assert reads(world) == 2
    review = world.run("review", "2").out
    assert "## Seen before\n\nSecond time since 2026-11-20." in review
    assert "It is the second time since 2026-11-20: why does it come back?" in review
    assert "## Seen before" not in world.run("review", "1").out


def test_only_our_own_issues_count(world: World) -> None:
    first_episode(world)
    issues = world.github.standin.state.repo(REPOSITORY).issues
    issues.put(1, replace(issues.items[1], login="mallory"))
    world.at(SECOND + 2)
    assert "issue #1 is ignored: opened by mallory" in world.run("run").out
    assert (len(world.issues), section(world)) == (2, "")


def test_what_cannot_be_read_is_told_and_the_page_is_sent(world: World) -> None:
    first_episode(world)
    world.github.inject(Fault("status", method="GET", path="/issues$", status=403, skip=1))
    evaluate(world, SECOND + 2)
    assert "could not list the closed issues of acme/churn-model: 403" in section(world)
    details = world.incidents[-1].event["payload"]["custom_details"]
    assert details["seen_before"].startswith("earlier episodes cannot be read: ")
    log(world, (8, HEALTHY, "v5"), (3, CRITICAL, "v6"), (49, HEALTHY, "v5"), (4, ERROR, "v7"), (4, CRITICAL, "v7"))
    evaluate(world, SECOND + 7)  # it got worse: read again
    assert section(world).startswith("Second time since 2026-11-20.")


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        ("/modelwatch false-positive", "it was called a false positive"),
        ("/modelwatch ack", "it recovered without an action on record"),
    ],
)
def test_how_it_ended(world: World, command: str, ending: str) -> None:
    log(world, (8, HEALTHY, "v5"), (3, WARNING, "v5"), (49, HEALTHY, "v5"), (6, ERROR, "v5"))
    world.config(world.read("modelwatch.yml").replace("do: [issue, retrain]", "do: [issue]"), "")
    evaluate(world, 10)
    world.github.standin.person(REPOSITORY, "alice").add_comment(1, command)
    evaluate(world, 11, 12, 13, 14, SECOND + 2)
    assert ending in section(world)
