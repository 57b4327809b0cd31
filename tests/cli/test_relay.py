"""Events from PagerDuty, as the relay passes them on, against the stand-ins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelwatch.inbound.decide import event_command_id
from modelwatch.model.alert import group_key
from modelwatch.model.register import MAX_REMEMBERED, MAX_REMEMBERED_BUTTONS, remember_command
from modelwatch.relay.pagerduty_webhook import WebhookEvent, dispatch_payload

from .world import BEGIN, CONFIG, ERROR, HEALTHY, REPOSITORY, World

KEY = group_key("churn", "accuracy")


def event(kind: str, name: str = "01EVENT", *, key: str = KEY, agent: str = "PUSER1", by: str = "user", verb: str = "",
          incident: str = "PINC1") -> dict[str, Any]:  # fmt: skip
    """Exactly what the relay would send."""
    told = WebhookEvent(name, f"incident.{kind}", BEGIN, "PSERVICE", incident, 7, "triggered", key, by, agent)
    return dispatch_payload(told, verb)


def receive(world: World, given: Any, *more: str) -> Any:
    return world.run("receive", "--payload", given if isinstance(given, str) else json.dumps(given), *more)


@pytest.fixture
def firing(world: World) -> World:
    """An open issue and an incident."""
    people = "service: churn-model, people: {PUSER1: alice, bob@example.com: bob}}"
    world.config(CONFIG.replace("service: churn-model}", people))
    world.metrics(HEALTHY, ERROR, ERROR, ERROR)
    world.at(3)
    assert world.run("run").code == 0
    assert len(world.issues) == len(world.incidents) == 1
    return world


def test_triggered_refreshes_the_issue_and_annotates_the_incident(firing: World) -> None:
    before = firing.issues[0].body
    firing.at(4)
    found = receive(firing, event("triggered"))
    assert found.code == 0, found.err
    assert found.out.startswith("refresh: the incident was triggered; the issue has fresh evidence")
    assert firing.issues[0].body != before
    (told,) = firing.pagerduty.standin.state.change_events
    (link,) = told.event["links"]
    assert link["href"].endswith(f"/{REPOSITORY}/issues/{firing.issues[0].number}")
    assert told.event["payload"]["custom_details"]["incident"] == "PINC1"


def test_acknowledged_assigns_the_issue(firing: World) -> None:
    found = receive(firing, event("acknowledged"))
    assert found.code == 0, found.err
    assert "assigned to alice" in found.out
    assert list(firing.issues[0].assignees) == ["alice"]
    assert receive(firing, event("acknowledged")).code == 0
    assert list(firing.issues[0].assignees) == ["alice"]


def test_acknowledged_by_address(firing: World) -> None:
    user = firing.pagerduty.standin.state.add_user("Bob@example.com")
    found = receive(firing, event("acknowledged", agent=user.id))
    assert found.code == 0, found.err
    assert any("does not let this issue be assigned" in text for text in firing.comments), "bob has no access"


def test_acknowledged_by_somebody_unknown_is_told(firing: World) -> None:
    for _ in range(2):
        found = receive(firing, event("acknowledged", agent="PNOBODY"))
        assert found.code == 0, found.err
    assert sum("PagerDuty user `PNOBODY` acknowledged" in text for text in firing.comments) == 1
    assert list(firing.issues[0].assignees) == []


def test_resolved_by_a_person_asks_why_and_evaluates(firing: World) -> None:
    firing.at(4)
    for _ in range(2):
        found = receive(firing, event("resolved"))
        assert found.code == 0, found.err
    assert sum("**Why?**" in text for text in firing.comments) == 1
    assert firing.issues[0].state == "open"


@pytest.mark.parametrize("what", ["acknowledged", "resolved"])
def test_what_services_do_is_ignored(firing: World, what: str) -> None:
    """An `ack` on the issue comes back from PagerDuty as an acknowledgement by an integration, which is no person."""
    writes = len(firing.writes())
    for by in ("integration", "service", "none", "workflow"):
        found = receive(firing, event(what, by=by))
        assert (found.code, found.out) == (0, f"ignore: the incident was {what}, but not by a person\n")
    assert len(firing.writes()) == writes


@pytest.mark.parametrize("verb", ["retrain", "rollback"])
def test_a_button_is_a_command(firing: World, verb: str) -> None:
    before = len(firing.runs)
    pressed = event("workflow.started", verb=verb)
    found = receive(firing, pressed)
    assert found.code == 0, found.err
    answers = [text for text in firing.comments if text.startswith("Command: ")]
    assert len(answers) == 1
    if verb == "retrain":
        assert "alice requested retrain" in answers[0]
        assert len(firing.runs) == before + 1
    else:
        assert "refused" in answers[0], "the guards of a rollback: no healthy version is on record"
    runs = len(firing.runs)
    again = receive(firing, pressed)
    assert again.code == 0
    assert len(firing.runs) == runs, "the same press is one command, even where two workflow runs got through"
    assert len([text for text in firing.comments if text.startswith("Command: ")]) == 1


def test_a_button_pressed_by_a_stranger_is_refused(firing: World) -> None:
    before = len(firing.runs)
    for name, agent in (("01A", "PNOBODY"), ("01B", firing.pagerduty.standin.state.add_user("bob@example.com").id)):
        assert receive(firing, event("workflow.started", name, verb="retrain", agent=agent)).code == 0
    answers = [text for text in firing.comments if "refused" in text]
    assert len(answers) == 2
    assert any("bob is not in `github.people`" in text for text in answers)
    assert len(firing.runs) == before


def test_a_verb_without_a_workflow_is_refused(firing: World) -> None:
    assert receive(firing, event("workflow.started", verb="degrade")).code == 0
    assert any("refused" in text for text in firing.comments)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (event("triggered", key="0123456789abcdef"), "not ours"),
        (event("triggered", key="", incident=""), "no key"),
        (event("delegated"), "need no action"),
        (event("workflow.started", verb=""), "no verb"),
        (event("workflow.started", verb="retrain", by="workflow"), "no person"),
    ],
)
def test_what_is_not_ours_is_ignored_with_a_reason(firing: World, given: dict[str, Any], why: str) -> None:
    writes = len(firing.writes())
    found = receive(firing, given)
    assert found.code == 0, found.err
    assert found.out.startswith("ignore: ")
    assert why in found.out
    assert len(firing.writes()) == writes


def test_an_incident_without_a_key_is_looked_up(firing: World) -> None:
    (incident,) = firing.incidents
    found = receive(firing, event("acknowledged", key="", incident=incident.id))
    assert "assigned to alice" in found.out
    unknown = receive(firing, event("acknowledged", key="", incident="PNOWHERE"))
    assert unknown.code == 0
    assert "no key" in unknown.out


def test_without_an_issue_it_says_so(world: World) -> None:
    world.metrics(HEALTHY, HEALTHY, HEALTHY)
    world.at(3)
    found = receive(world, event("acknowledged"))
    assert found.code == 0
    assert "there is no open issue" in found.out


@pytest.mark.parametrize(
    "given",
    [
        "", "{", "[]", "null", '"x"', "{}", '{"schema": 2}', "[" * 9000,
        json.dumps(event("triggered") | {"id": "a\n::add-mask::b"}),
        json.dumps(event("triggered") | {"id": ["x"]}),
        json.dumps(event("triggered") | {"type": "incident.triggered; rm"}),
        json.dumps(event("triggered") | {"occurred_at": "soon"}),
        json.dumps(event("triggered") | {"occurred_at": "2026-11-20T00:00:00"}),
        json.dumps(event("triggered") | {"incident": "x"}),
        json.dumps(event("triggered") | {"incident": {"key": "$(touch pwned)"}}),
        json.dumps(event("triggered") | {"agent": {"type": "user", "id": "../../x"}}),
        json.dumps(event("triggered") | {"verb": "promote"}),
        json.dumps(event("triggered") | {"padding": "x" * 70_000}),
    ],
)  # fmt: skip
def test_what_is_no_event_is_refused(world: World, given: str) -> None:
    found = receive(world, given)
    assert found.code == 2
    assert "Traceback" not in found.err
    assert world.writes() == []


def test_of_two_workflow_runs_the_first_proceeds(firing: World) -> None:
    """As in GitHub: the second stands down, by the id in the name of the first."""
    state = firing.github.standin.state
    name = "on-pagerduty.yml"
    text = """
name: on-pagerduty
run-name: PagerDuty ${{ github.event.client_payload.type }} ${{ github.event.client_payload.id }}
on: {repository_dispatch: {types: [pagerduty]}}
jobs: {receive: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
"""
    repo = state.repo(REPOSITORY)
    state.add_file(repo, f".github/workflows/{name}", text)
    given = event("acknowledged")
    for _ in range(2):
        sent = firing.github.url + f"/repos/{REPOSITORY}/dispatches"
        _post(
            sent, {"event_type": "pagerduty", "client_payload": given}, state.add_token("relay", {"contents": "write"})
        )
    first, second = [run for run in firing.runs if run.title.startswith("PagerDuty")]
    output = firing.folder / "output"
    for variable, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "repository_dispatch", "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/{name}@refs/heads/main", "GITHUB_OUTPUT": str(output),
    }.items():  # fmt: skip
        firing.setenv(variable, value)
    told = []
    for run in sorted((first, second), key=lambda one: -one.id):
        firing.setenv("GITHUB_RUN_ID", str(run.id))
        found = receive(firing, given, "--settle", "0")
        assert found.code == 0, found.err
        told.append(found.out)
    assert told[0].startswith("duplicate: ")
    assert told[1].startswith("assign: ")
    assert "done<<" in output.read_text("utf-8")


def _post(url: str, body: dict[str, Any], token: str) -> None:
    import urllib.request

    asked = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 204


def test_buttons_and_comments_are_remembered_apart() -> None:
    known: tuple[int, ...] = tuple(range(1, MAX_REMEMBERED + 1))
    for number in range(30):
        known = remember_command(known, event_command_id(f"event-{number}"))
    assert [one for one in known if one > 0] == list(range(1, MAX_REMEMBERED + 1)), (
        "no comment is forgotten for a button"
    )
    assert len([one for one in known if one < 0]) == MAX_REMEMBERED_BUTTONS
    assert known[MAX_REMEMBERED_BUTTONS - 1] == event_command_id("event-29")
    assert remember_command(known, MAX_REMEMBERED + 1)[-1] == MAX_REMEMBERED + 1
