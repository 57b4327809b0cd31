"""The corpus by the ways on which it would come: W&B and its client, comments, incidents, dispatches, errors of
services; and out to issue, page, summary, log and outputs of a real evaluation in GitHub Actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelwatch.model.alert import group_key
from modelwatch.model.keys import key_of
from modelwatch.targets.register import codec
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import issue_actions
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from ..injection.corpus import CORPUS
from ..injection.inert import check_line, check_log, check_markdown, read_outputs
from .world import BEGIN, CONFIG, ERROR, HEALTHY, HOUR, REPOSITORY, WANDB, World

TEXTS = [sample.text for sample in CORPUS if len(sample.text) < 1000 and sample.name != "unicode-surrogate"]
"""JSON carries no lone surrogate."""
LINKS = ("http://127.0.0.1", "https://github.com/", "https://wandb.example/")
MENTIONS = ("@acme/growth-ml",)


@pytest.fixture
def actions(world: World, wandb_server: Server[WandbStandIn]) -> World:
    """In GitHub Actions, with segments in W&B."""
    for name, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "schedule", "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_OUTPUT": str(world.folder / "outputs"), "GITHUB_STEP_SUMMARY": str(world.folder / "page.md"),
    }.items():  # fmt: skip
        world.setenv(name, value)
    text = CONFIG.replace("weight: eval/n", 'weight: eval/n\n        segments: "eval/region=*/accuracy"')
    world.config(text, WANDB)
    return world


def log(server: Server[WandbStandIn], texts: tuple[str, ...], levels: list[float]) -> None:
    """Run names, versions, tags and segments that hold the texts."""
    history = []
    for hour, level in enumerate(levels, 1):
        row: dict[str, Any] = {"_timestamp": BEGIN + hour * HOUR, "_step": hour, "eval/accuracy": level, "eval/n": 5000}
        for text in texts:
            labels = (("region", text),)
            row |= {key_of("eval/accuracy", labels): level, key_of("eval/n", labels): 900}
        history.append(row)
    server.standin.state.add_run(
        "acme", "churn-prod", "day-1", {"model_version": texts[0]}, ["production", *texts[1:3]], history, BEGIN,
        display_name=texts[0],
    )  # fmt: skip


def check_everything(world: World, out: str, err: str) -> None:
    for issue in world.issues:
        check_line(issue.title, 256)
        check_markdown(issue.body, LINKS, MENTIONS)
        assert codec.parse_body(issue.body).error == ""
    for comment in world.github.standin.state.repo(REPOSITORY).comments.items.values():
        if comment.login not in ("alice", "mallory"):
            check_markdown(comment.body, LINKS, MENTIONS)
    for incident in world.incidents:
        check_line(incident.title, 1024)
        for value in incident.event["payload"]["custom_details"].values():
            for text in value if isinstance(value, list) else [value]:
                check_line(text, 10_000)
    check_log(out)
    check_log("\n".join(row for row in err.split("\n") if not row.startswith(("::error", "::warning"))))
    page, outputs = Path(world.folder / "page.md"), Path(world.folder / "outputs")
    check_markdown(page.read_text("utf-8"), LINKS)
    found = read_outputs(outputs.read_bytes().decode())
    assert set(found) <= {
        "firing", "worst-severity", "failures", "plan", "plan-digest", "changes", "receipts"
    }  # fmt: skip
    assert not list(world.folder.rglob("pwned"))


@pytest.mark.parametrize("texts", [tuple(TEXTS[at : at + 12]) for at in range(0, len(TEXTS), 12)])
def test_from_wandb(actions: World, wandb_server: Server[WandbStandIn], texts: tuple[str, ...]) -> None:
    log(wandb_server, texts, [HEALTHY, HEALTHY, ERROR, ERROR])
    actions.at(4)
    ran = actions.run("run")
    assert ran.code == 0, ran.err
    assert any("region=" in issue.body for issue in actions.issues), "the segments are shown"
    check_everything(actions, ran.out, ran.err)


@pytest.fixture
def firing(actions: World, wandb_server: Server[WandbStandIn]) -> World:
    """An open issue and an incident."""
    log(wandb_server, ("v6",), [HEALTHY, ERROR, ERROR, ERROR, ERROR])
    actions.at(3)
    assert actions.run("run").code == 0
    assert len(actions.issues) == len(actions.incidents) == 1
    return actions


@pytest.mark.parametrize("texts", [tuple(TEXTS[at : at + 20]) for at in range(0, len(TEXTS), 20)])
def test_from_comments_and_incident_titles(firing: World, texts: tuple[str, ...]) -> None:
    state = firing.github.standin.state
    repo, number = state.repo(REPOSITORY), firing.issues[0].number
    for text in texts:
        for verb in ("silence 1h", "approve", "rollback", "retrain"):
            issue_actions.add_comment(state, repo, number, "alice", f"/modelwatch {verb} {text}")
        issue_actions.add_comment(state, repo, number, "mallory", f"/modelwatch approve {text}")
        if text.strip():
            issue_actions.add_comment(state, repo, number, "mallory", text)
    for incident in firing.incidents:
        incident.title = "".join(texts)
    firing.at(4)
    ran = firing.run("run")
    assert ran.code in (0, 4), ran.err
    titles = [incident.title for incident in firing.incidents]
    for incident in firing.incidents:
        incident.title = "x"
    check_everything(firing, ran.out, ran.err)
    assert not any(title in json.dumps([issue.body for issue in firing.issues]) for title in titles)


FIELDS = (
    "id",
    "type",
    "occurred_at",
    "verb",
    "incident.id",
    "incident.key",
    "agent.id",
    "agent.type",
    "incident",
    "agent",
)


@pytest.mark.parametrize("place", range(len(FIELDS)), ids=FIELDS)
def test_from_what_pagerduty_tells_through_a_dispatch(firing: World, place: int) -> None:
    """Every text in every field of the payload: whoever may dispatch may send it, past the relay."""
    writes = len(firing.writes())
    first, _, second = FIELDS[place].partition(".")
    told = []
    for text in TEXTS:
        incident = {
            "id": "PINC1",
            "number": 7,
            "status": "triggered",
            "key": group_key("churn", "accuracy"),
            "service": "P1",
        }
        given: dict[str, Any] = {
            "schema": 1, "id": "01EVENT", "type": "incident.acknowledged", "occurred_at": "2026-11-20T03:00:00Z",
            "incident": incident, "agent": {"type": "none", "id": ""}, "verb": "",
        }  # fmt: skip
        if second:
            given[first][second] = text
        else:
            given[first] = text
        ran = firing.run("receive", "--again", "--payload", json.dumps(given))
        assert ran.code in (0, 2), (text, ran.err)
        told.append(ran)
    for ran in told:
        check_log(ran.out)
        errors = [row for row in ran.err.split("\n") if row.startswith("::error")]
        assert len(errors) == (ran.code == 2)
        for row in ran.err.replace("::error::", "").split("\n"):
            check_line(row, 1000)
    found = read_outputs((firing.folder / "outputs").read_bytes().decode())
    assert set(found) <= {
        "done", "reason", "model", "issue", "firing", "worst-severity", "failures", "plan", "plan-digest", "changes",
        "receipts",
    }  # fmt: skip
    assert not list(firing.folder.rglob("pwned"))
    assert sum(ran.code == 2 for ran in told) > len(TEXTS) / 3
    assert len(firing.writes()) - writes <= len(TEXTS), "at most an answer to what was no harm"


@pytest.mark.parametrize("texts", [tuple(TEXTS[at : at + 40]) for at in range(0, len(TEXTS), 40)])
@pytest.mark.parametrize("service", ["github", "pagerduty"])
def test_from_errors_of_the_services(
    actions: World, wandb_server: Server[WandbStandIn], service: str, texts: tuple[str, ...]
) -> None:
    """What a service says of an error is text from outside as well: a proxy may have written it."""
    log(wandb_server, ("v6",), [HEALTHY, ERROR, ERROR, ERROR])
    server: Server[Any] = actions.github if service == "github" else actions.pagerduty
    path = "/issues" if service == "github" else "/v2/enqueue"
    said = {"message": " ".join(texts), "errors": [*texts, {"message": texts[0], "code": texts[1], "field": texts[2]}]}
    server.inject(Fault("status", status=400, path=path, body=json.dumps(said), times=-1))
    actions.at(3)
    ran = actions.run("run")
    server.clear()
    assert ran.code == 4, ran.err
    assert "400" in ran.out + ran.err
    check_everything(actions, ran.out, ran.err)
