"""What people who may not command can do by comments and by closing issues: next to nothing."""

from __future__ import annotations

import pytest

from modelwatch.targets.register.codec import parse_body
from modelwatch.testing.standins.faults import Fault

from .world import CONFIG, CRITICAL, ERROR, HEALTHY, REPOSITORY, World

FLOOD = 320
"""Comments before and after the one that counts."""


@pytest.fixture
def firing(world: World) -> World:
    """An alert with issue and page, which an hour later fires as before."""
    world.metrics(HEALTHY, ERROR, ERROR, ERROR)
    world.at(3)
    assert world.run("run").code == 0
    assert len(world.issues) == len(world.incidents) == 1
    world.at(4)
    return world


def say(world: World, login: str, text: str) -> None:
    world.github.standin.person(REPOSITORY, login).add_comment(1, text)


def flood(world: World, text: str) -> None:
    """Forty strangers comment, again and again."""
    for number in range(FLOOD):
        say(world, f"stranger-{number % 40}", text)


def answers(world: World) -> list[str]:
    return [text for text in world.comments if text.startswith("Command: ")]


def asked(world: World) -> int:
    """How many requests GitHub got for one evaluation, which ends well."""
    before = len(world.github.requests)
    ran = world.run("run")
    assert ran.code == 0, ran.err
    return len(world.github.requests) - before


@pytest.mark.parametrize("verb", ["ack", "retrain"])
@pytest.mark.parametrize("private", [True, False])
def test_a_command_is_obeyed_among_any_number_of_strangers_comments(firing: World, verb: str, private: bool) -> None:
    firing.github.standin.state.repo(REPOSITORY).private = private
    flood(firing, f"/modelwatch {verb}")
    say(firing, "alice", f"/modelwatch {verb}")
    flood(firing, f"/modelwatch {verb}")
    assert asked(firing) < 25, "seven pages of comments, and one answer to everybody"
    found = answers(firing)
    assert len(found) == (2 if private else 1), found
    assert sum("alice" in answer for answer in found) == 1
    register = parse_body(firing.issues[0].body or "").register
    assert register is not None
    if verb == "ack":
        assert register.ack_by == "alice"
        assert [incident.status for incident in firing.incidents] == ["acknowledged"]
    else:
        assert [run.title.split()[1] for run in firing.runs] == ["retrain"]
    firing.at(4.5)
    assert asked(firing) < 10, "what was handled is not read again"
    assert answers(firing) == found


def test_more_comments_than_are_read_are_reported(firing: World) -> None:
    say(firing, "alice", "/modelwatch ack")
    for _ in range(7):
        flood(firing, "me too")
    assert asked(firing) < 53, "twenty pages to read, and to see that it was not reported before or just now"
    assert [text.splitlines()[0] for text in firing.comments if "modelwatch:note" in text] == [
        "Comments: `there are more new comments than are read: post a command again if it has no answer`"
    ]
    say(firing, "alice", "/modelwatch ack")
    assert asked(firing) < 12
    assert "alice acknowledged this" in answers(firing)[0]


@pytest.mark.parametrize("what", ["status", "drop"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_that_fails_is_never_given_twice(firing: World, what: str, when: str) -> None:
    say(firing, "alice", "/modelwatch ack")
    fault = firing.github.inject(Fault(what, when, "POST", "/comments$", status=502))
    assert firing.run("run").code == 0
    assert fault.strike_count == 1
    assert [incident.status for incident in firing.incidents] == ["acknowledged"]
    assert firing.run("run").code == 0
    assert len(answers(firing)) == (1 if when == "after" else 0)


CLOSINGS = [
    ("alice", "not_planned", "closed", "silenced until it recovers or gets worse"),
    ("mallory", "not_planned", "closed", "acknowledged by closing the issue"),
    ("mallory", "completed", "closed", "acknowledged by closing the issue"),
    ("stale[bot]", "not_planned", "open", ""),
    ("github-actions[bot]", "completed", "open", ""),
]


@pytest.mark.parametrize(("login", "reason", "state", "mute"), CLOSINGS)
def test_who_closes_decides_what_is_muted(firing: World, login: str, reason: str, state: str, mute: str) -> None:
    firing.github.standin.person(REPOSITORY, login).close_issue(1, reason)
    assert firing.run("run").code == 0
    (issue,) = firing.issues
    assert issue.state == state
    assert mute in firing.run("status").out
    firing.metrics(HEALTHY, ERROR, ERROR, ERROR, CRITICAL, CRITICAL, CRITICAL)
    firing.at(7)
    assert firing.run("run").code == 0
    (issue,) = firing.issues
    assert issue.state == "open", "whoever closed it, and however: it has become worse"
    assert firing.incidents[-1].severity == "critical"


@pytest.mark.parametrize("rest", [True, False])
def test_closing_and_reopening_keeps_the_on_call_quiet_for_a_day_at_most(world: World, rest: bool) -> None:
    """PagerDuty keeps the acknowledgement that a closing is for ever, and the reopening ends it on the issue."""
    if not rest:
        world.config(CONFIG.replace(', token: "${PAGERDUTY_TOKEN}"', ""))
    world.metrics(HEALTHY, *[ERROR] * 40)
    world.at(3)
    world.run("run")
    mallory = world.github.standin.person(REPOSITORY, "mallory")
    mallory.close_issue(1, "completed")
    world.at(4)
    world.run("run")
    assert [incident.status for incident in world.incidents] == ["acknowledged"]
    mallory.reopen_issue(1)
    for hour, incidents in ((4.5, 1), (27, 1), (29, 2), (35, 2)):
        world.at(hour)
        world.run("run")
        assert len(world.incidents) == incidents, hour
    assert world.incidents[-1].status == "triggered"


def test_the_owner_may_mute(firing: World) -> None:
    firing.github.standin.state.teams["acme", "growth-ml"] = {"carol": "member"}
    firing.github.standin.person(REPOSITORY, "carol").close_issue(1, "not_planned")
    assert firing.run("run").code == 0
    register = parse_body(firing.issues[0].body or "").register
    assert register is not None
    assert register.muted_until_recovery
