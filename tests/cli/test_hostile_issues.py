"""Issues that somebody tampers with: the register in the text, the label, and more issues than are read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelwatch.model.register import PageRecord
from modelwatch.model.severity import Severity
from modelwatch.targets.register.client import LABEL, MAX_PAGES
from modelwatch.targets.register.codec import parse_body, render_body
from modelwatch.timeutil import DAY

from .world import BEGIN, CRITICAL, ERROR, HEALTHY, HOUR, REPOSITORY, World


@pytest.fixture
def firing(world: World) -> World:
    """An alert that was paged as an error, and becomes critical an hour later."""
    world.metrics(HEALTHY, ERROR, ERROR, ERROR, *[CRITICAL] * 40)
    world.at(3)
    assert world.run("run").code == 0
    return world


def tamper(world: World, **fields: Any) -> None:
    """Somebody edits the register in the text of the issue."""
    (issue,) = world.issues
    register = parse_body(issue.body).register
    assert register is not None
    body = render_body(issue.body, "", replace(register, **fields))
    world.github.standin.state.repo(REPOSITORY).issues.put(issue.number, replace(issue, body=body))


FOREVER = BEGIN + 10_000 * DAY
FORGERIES: list[dict[str, Any]] = [
    {"silence_until": FOREVER, "silence_by": "alice", "silence_reason": "a deployment"},
    {"ack_until": FOREVER, "ack_by": "alice", "severity": Severity.CRITICAL},
    {"page": PageRecord("triggered", Severity.CRITICAL, FOREVER)},
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: next(iter(forgery)))
def test_a_register_that_lasts_for_ever_is_reported_and_stops_no_page(firing: World, forgery: dict[str, Any]) -> None:
    tamper(firing, **forgery)
    body = firing.issues[0].body
    firing.at(8)
    ran = firing.run("run")
    assert ran.code == 4
    assert "names a time that is still to come: repair or close the issue" in " ".join(ran.out.split())
    assert firing.incidents[-1].severity == "critical"
    assert firing.issues[0].body == body, "it is left alone"


def test_a_forged_mute_lasts_no_longer_than_a_comment_can_and_is_shown(firing: World) -> None:
    """What the page about security says of people who may edit the text of issues."""
    until = firing.clock.now + 90 * DAY
    tamper(firing, silence_until=until, silence_by="alice", silence_reason="a deployment")
    firing.at(8)
    assert firing.run("run").code == 0
    assert firing.incidents[-1].severity == "error"
    assert "silenced by alice: a deployment" in firing.run("status").out
    assert "silenced by" in firing.issues[0].body


def test_an_issue_that_lost_its_label_is_found_and_labelled_again(firing: World) -> None:
    """Whoever has the triage role can take the label off."""
    (issue,) = firing.issues
    labels = tuple(label for label in issue.labels if label != LABEL)
    firing.github.standin.state.repo(REPOSITORY).issues.put(1, replace(issue, labels=labels))
    firing.at(40)
    assert firing.run("run").code == 0
    (issue,) = firing.issues
    assert LABEL in issue.labels


def test_more_labelled_issues_than_are_read_stop_issues_and_dispatches_but_no_page(firing: World) -> None:
    """Somebody with the triage role puts our label on every issue."""
    state = firing.github.standin.state
    repo, (issue,) = state.repo(REPOSITORY), firing.issues
    firing.at(8)
    for number in range(2, MAX_PAGES * 100 + 2):
        other = replace(issue, id=number, number=number, body="hello", login="mallory", updated=firing.clock.now)
        repo.issues.put(number, other)
    ran = firing.run("run")
    assert ran.code == 4
    assert "more than 2000 carry the label modelwatch" in " ".join(ran.out.split())
    assert "Remove the label from old ones." in " ".join((ran.out + ran.err).split())
    assert firing.incidents[-1].severity == "critical", "the page leaves"
    assert (len(firing.issues), firing.runs) == (MAX_PAGES * 100 + 1, [])
    assert firing.issues[0].body == issue.body
    for number in range(2, MAX_PAGES * 100 + 2):
        repo.issues.put(number, replace(repo.issues.items[number], labels=()))
    firing.at(9)
    assert firing.run("run").code == 0
    register = parse_body(firing.issues[0].body or "").register
    assert register is not None
    assert register.severity is Severity.CRITICAL
    assert register.told is not None
    assert firing.clock.now - register.told < HOUR
