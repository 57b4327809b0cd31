"""What cannot be reached, may not be done or is not there: told in one paragraph, with the right exit code, and nothing
is lost, doubled or closed."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.wandb import WandbStandIn

from .world import BEGIN, CONFIG, CRITICAL, ERROR, HEALTHY, HOUR, WANDB, World, log_to_wandb

FOREVER = -1
DAY = 24 * HOUR


@pytest.fixture
def wandb(world: World, wandb_server: Server[WandbStandIn]) -> Server[WandbStandIn]:
    """The world reads W&B; it is hour 4."""
    world.config(source=WANDB)
    world.at(4)
    return wandb_server


def firing(world: World) -> None:
    """An open issue and incident, from a table."""
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    assert world.run("run").code == 0
    assert (len(world.issues), len(world.incidents)) == (1, 1)


def test_the_whole_line_from_wandb(world: World, wandb: Server[WandbStandIn]) -> None:
    log_to_wandb(wandb, HEALTHY, HEALTHY, CRITICAL, CRITICAL)
    found = world.run("run")
    assert found.code == 0
    (issue,) = world.issues
    assert issue.title == "[critical] churn: accuracy below its baseline (limit 10 %)"
    (incident,) = world.incidents
    assert (incident.status, incident.severity) == ("triggered", "critical")


@pytest.mark.parametrize("what", ["502", "closed"])
def test_a_wandb_that_is_down_ends_in_3_and_closes_nothing(
    world: World, wandb: Server[WandbStandIn], what: str
) -> None:
    world.config()
    firing(world)
    world.config(source=WANDB)
    if what == "502":
        wandb.inject(Fault("status", status=502, times=FOREVER))
    else:
        world.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    before = len(world.writes())
    world.at(5)
    found = world.run("run")
    assert found.code == 3
    assert "1 source down" in found.out
    assert "Traceback" not in found.err
    assert [issue.state for issue in world.issues] == ["open", "open"]
    assert re.search(r"^\[warning\] churn: (W&B|acme/churn)\S* .*cannot be read", world.issues[1].title)
    assert len(world.writes()) == before + 1, "nothing but that issue"
    assert [incident.status for incident in world.incidents] == ["triggered"]
    assert "could not be read" in world.read("modelwatch-out/summary.md")


@pytest.mark.parametrize("command", ["pull", "check"])
@pytest.mark.parametrize("key", ["", "x" * 40])
def test_a_missing_or_wrong_wandb_key_is_told(
    world: World, wandb: Server[WandbStandIn], command: str, key: str
) -> None:
    world.setenv("WANDB_API_KEY", key)
    if key:
        wandb.inject(Fault("status", status=401, times=FOREVER))
    found = world.run(command)
    assert found.code == 3
    told = " ".join((found.out + found.err).split())
    assert "WANDB_API_KEY" in told
    assert key not in told or not key


def test_an_empty_project_is_no_data_and_told_on_an_issue(world: World, wandb: Server[WandbStandIn]) -> None:
    state = wandb.standin.state
    state.add_run("acme", "churn-prod", "other", tags=["training"], history=[], created_at=world.clock.now)
    found = world.run("run")
    assert found.code == 0
    assert "1 without data" in found.out
    groups = world.run("check", "--format", "json").json["groups"]
    (silent,) = [group for group in groups if group["rule"] == "monitoring-silent"]
    assert silent["start"] == silent["newest"], "it was not silent for 30 days"
    (issue,) = world.issues
    assert issue.title == "[warning] churn: accuracy has no data yet"
    assert (world.incidents, world.runs) == ([], [])


def test_a_missing_project_is_told(world: World, wandb: Server[WandbStandIn]) -> None:
    wandb.standin.state.add_project("acme", "churn-live")
    for command in ("pull", "check", "sensitivity", "run"):
        found = world.run(command)
        assert found.code == 2, "nothing is down"
        told = " ".join((found.out + found.err).split())
        assert "there is no project acme/churn-prod, or the API key may not see it. Did you mean `churn-live`?" in told
    assert "1 source not found" in found.out
    (issue,) = world.issues
    assert issue.title == "[warning] churn: acme/churn-prod is not found"
    assert "Did you mean `churn-live`?" in issue.body
    assert world.run("diagnose").code == 2
    captured = world.run("baseline", "capture", "--model", "churn", "--out", "b.json")
    assert captured.code == 2, "a name to correct, and no evaluation of several models"
    assert "there is no project acme/churn-prod" in captured.err


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("tags: production", "tags: producton", "has the tag 'producton'. Did you mean `production`?"),
        ("metric: eval/accuracy", "metric: eval/acuracy", "under eval/acuracy. Did you mean `eval/accuracy`?"),
        (
            "version: model_version",
            "version: model_version, time: end",
            "logs 'end' (`wandb: {time}`), so no row",
        ),
    ],
)
def test_a_wrong_name_is_told_by_the_finding_the_issue_and_the_notes(
    world: World, wandb: Server[WandbStandIn], before: str, after: str, told: str
) -> None:
    log_to_wandb(wandb, HEALTHY, HEALTHY, HEALTHY, HEALTHY)
    world.write("modelwatch.yml", world.read("modelwatch.yml").replace(before, after))
    world.setenv("COLUMNS", "400")
    found = world.run("run")
    assert found.code == 0
    finding, *notes = [line for line in found.out.splitlines() if told in line]
    assert "accuracy: has no data yet" in finding
    assert [note.startswith("note: churn: ") for note in notes] == [True]
    (issue,) = world.issues
    _, _, step = issue.body.partition("### Next step")
    assert step.strip().startswith("Check the configuration: ``no ")
    assert told in step.partition("### ")[0]


def test_a_wrong_version_is_told_where_it_counts(world: World, wandb: Server[WandbStandIn]) -> None:
    log_to_wandb(wandb, HEALTHY, HEALTHY, CRITICAL, CRITICAL)
    world.write("modelwatch.yml", world.read("modelwatch.yml").replace("model_version", "modl_version"))
    found = world.run("run")
    text = "no W&B run has 'modl_version' (`wandb: {version}`) in its config or history. Did you mean `model_version`?"
    assert text in " ".join(found.out.split())
    (issue,) = world.issues
    assert "modl_version" in issue.body.partition("### Notes")[2]


def test_a_wrong_column_is_a_name_to_correct_and_pages_as_an_outage(world: World) -> None:
    """It can have been there yesterday."""
    world.metrics(HEALTHY)
    world.config(source="table: {path: metrics.csv, version: versoin}")
    for command in ("check", "run", "pull"):
        found = world.run(command)
        assert found.code == 2
        assert "the table has no column 'versoin'. Did you mean `version`?" in " ".join((found.out + found.err).split())
    captured = world.run("baseline", "capture", "--model", "churn", "--out", "b.json")
    assert (captured.code, "has no column 'versoin'" in captured.err) == (2, True)
    assert world.incidents == []
    world.at(3)
    assert world.run("run").code == 2
    (incident,) = world.incidents
    assert "metrics.csv cannot be read" in incident.title


def test_one_source_that_is_down_beside_a_wrong_name_is_down(world: World, wandb: Server[WandbStandIn]) -> None:
    text = world.read("modelwatch.yml")
    other = text.partition("models:\n")[2].replace("name: churn\n", "name: other\n").replace("churn-prod", "absent")
    world.write(
        "modelwatch.yml", text.replace("wandb: {entity", "wandb: {base_url: http://127.0.0.1:9, entity") + other
    )
    assert world.run("check").code == 3


def test_numbers_that_are_none_are_counted_in_a_note(world: World, wandb: Server[WandbStandIn]) -> None:
    log_to_wandb(wandb, HEALTHY, float("nan"), HEALTHY, HEALTHY)
    found = world.run("check")
    assert found.code == 0
    assert "note: churn: eval/accuracy: 1 point left out: NaN, infinite or beyond 1e100" in found.out


def test_runs_that_logged_nothing_in_the_watched_time_were_not_silent_for_all_of_it(
    world: World, wandb: Server[WandbStandIn]
) -> None:
    """A rule that looks further back than it is watched finds older points, such as those of a training run."""
    world.write("modelwatch.yml", world.read("modelwatch.yml").replace("{value: 0.92, n: 100000}", "{rolling: 14d}"))
    old = [{"_timestamp": BEGIN - 40 * DAY, "eval/accuracy": HEALTHY, "eval/n": 5000}]
    alive: dict[str, Any] = {"tags": ["production"], "created_at": BEGIN - 40 * DAY, "heartbeat_at": world.clock.now}
    wandb.standin.state.add_run("acme", "churn-prod", "old", history=old, state="running", **alive)
    groups = world.run("check", "--format", "json").json["groups"]
    (silent,) = [group for group in groups if group["rule"] == "monitoring-silent"]
    assert silent["start"] == silent["newest"]
    found = world.run("check")
    assert "no point in the days that are watched, only older ones" in " ".join(found.out.split())
    assert "note: churn: the newest point is 40.2 days old" in found.out


def test_a_missing_table_is_told(world: World) -> None:
    found = world.run("check")
    assert found.code == 3
    assert "metrics.csv: there is no such file" in " ".join(found.out.split())


def test_a_github_that_refuses_the_token_still_gets_the_page_out(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    world.setenv("GITHUB_TOKEN", "ghp_" + "wrong" * 8)
    found = world.run("run")
    assert found.code == 4
    assert [incident.status for incident in world.incidents] == ["triggered"]
    assert world.issues == []
    assert "problem" in found.out
    assert "401" in found.out
    assert "wrongwrong" not in found.out + found.err


def test_without_rest_a_page_sent_while_github_was_down_is_resolved_when_it_is_back(world: World) -> None:
    world.delenv("PAGERDUTY_TOKEN")
    world.config(CONFIG.replace('token: "${PAGERDUTY_TOKEN}", ', ""))
    world.github.inject(Fault("status", status=503, times=FOREVER))
    world.metrics(HEALTHY, ERROR, ERROR, ERROR, *[HEALTHY] * 4)
    for hour in (3, 4):
        world.at(hour)
        assert world.run("run").code == 4
    assert (world.issues, [incident.status for incident in world.incidents]) == ([], ["triggered"])
    world.github.clear()
    world.at(8)
    found = world.run("run")
    assert found.code == 0
    assert "no issue says whether it was paged" in " ".join(found.out.split())
    assert (world.issues, [incident.status for incident in world.incidents]) == ([], ["resolved"])


def test_a_missing_github_token_is_told_and_the_page_still_goes(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    world.delenv("GITHUB_TOKEN")
    found = world.run("run")
    assert found.code == 4
    assert "GITHUB_TOKEN" in found.out
    assert len(world.incidents) == 1


def test_a_pagerduty_that_is_down_is_told_on_the_issue_and_done_later(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR, ERROR)
    world.at(3)
    world.pagerduty.inject(Fault("status", status=500, method="POST", times=FOREVER))
    found = world.run("run")
    assert found.code == 4
    assert "failed" in found.out
    (issue,) = world.issues
    assert "### Not done\n\n- `notifying PagerDuty failed" in (issue.body or "")
    world.pagerduty.clear()
    world.at(4)
    assert world.run("run").code == 0
    (issue,) = world.issues
    assert "### Not done" not in (issue.body or "")
    assert len(world.incidents) == 1


def test_a_missing_routing_key_is_a_mistake_in_the_configuration(world: World) -> None:
    world.metrics(HEALTHY)
    world.delenv("PAGERDUTY_ROUTING_KEY")
    found = world.run("run")
    assert found.code == 2
    assert "PAGERDUTY_ROUTING_KEY" in found.err
    assert "modelwatch.yml:" in found.err


def test_receipts_that_cannot_be_recorded_end_in_4(world: World) -> None:
    world.metrics(HEALTHY, ERROR, ERROR, ERROR)
    world.at(3)
    world.github.inject(Fault("status", status=500, method="PATCH", times=FOREVER))
    found = world.run("run")
    assert found.code == 4
    assert "not recorded on the issue" in " ".join(found.out.split())
    assert "not recorded on the issue" in world.read("modelwatch-out/summary.md")
    assert (len(world.issues), len(world.incidents)) == (1, 1)
    world.github.clear()
    world.at(4)
    assert world.run("run").code == 0
    assert (len(world.issues), len(world.incidents)) == (1, 1)


def test_one_model_down_hides_no_other(world: World) -> None:
    text = world.read("modelwatch.yml")
    other = text.split("models:\n")[1].replace("name: churn", "name: other").replace("metrics.csv", "missing.csv")
    world.write("modelwatch.yml", text + other)
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    found = world.run("run")
    assert found.code == 3
    assert [issue.title for issue in world.issues] == [
        "[error] churn: accuracy below its baseline (limit 5 %)",
        "[warning] other: missing.csv cannot be read",
    ]
    assert "1 firing (error), 1 source down" in found.out


def test_a_bug_is_a_traceback_with_exit_code_1(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"out of order {world.clock.now} {token}")

    token = "planted-" + "0123456789" * 3
    world.setenv("SOME_TOKEN", token)
    monkeypatch.setattr("modelwatch.pipeline.pull", broken)
    found = world.run("check")
    assert found.code == 1
    assert "RuntimeError: out of order" in found.err
    assert "bug in modelwatch" in found.err
    assert token not in found.err


def test_every_secret_may_come_in_one_bundle(world: World) -> None:
    """A fleet's MODELWATCH_SECRETS serves the clients too, and what is set on its own wins."""
    world.metrics(HEALTHY, CRITICAL, CRITICAL)
    world.at(3)
    names = ("GITHUB_TOKEN", "PAGERDUTY_ROUTING_KEY", "PAGERDUTY_TOKEN")
    bundle = "".join(f"{name}={os.environ[name]}\n" for name in names)
    for name in names:
        world.delenv(name)
    ran = world.process("run", "--out", "out", MODELWATCH_SECRETS=bundle)
    assert ran.code == 0, ran.err
    assert [issue.state for issue in world.issues] == ["open"]
    assert [incident.status for incident in world.incidents] == ["triggered"]


@pytest.mark.parametrize("command", ["run --dry-run", "run"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_plan_for_a_github_that_cannot_be_read_ends_in_4(world: World, command: str, token: str) -> None:
    world.metrics(HEALTHY, ERROR, ERROR)
    world.at(3)
    if token:
        world.setenv("GITHUB_TOKEN", token)
    else:
        world.github.inject(Fault("status", status=404, times=FOREVER))
    found = world.run(*command.split())
    assert "problem" in found.out
    assert found.code == 4
