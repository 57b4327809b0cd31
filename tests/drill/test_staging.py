"""A drill in staging: only where it is provably staging, real clients over HTTP, cleaned up whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import pytest

from modelwatch.drill.folder import FOLDER_PREFIX
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.records import Issue
from modelwatch.testing.standins.pagerduty.state import EVENTS_V2
from tests.drill.staging import PRODUCTION, REPOSITORY, STAGING, Staging, open_staging_servers
from tests.stubs import workflows


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with open_staging_servers(tmp_path) as found:
        yield found


REFUSALS = {
    "no mark": (STAGING.replace("    drill: true\n", ""), PRODUCTION, "Set `drill: true`"),
    "mark is false": (STAGING.replace("drill: true", "drill: false"), PRODUCTION, "Set `drill: true`"),
    "project": (STAGING.replace("project: churn-drill", "project: churn-prod"), PRODUCTION, "W&B project 'churn-prod'"),
    "half a word": (STAGING.replace("project: churn-drill", "project: drilling"), PRODUCTION, "W&B project 'drilling'"),
    "offline": (
        STAGING.replace("entity: acme, project: churn-drill", "offline: runs"),
        PRODUCTION,
        "reads no W&B project",
    ),
    "repository": (
        STAGING.replace("repository: acme/churn-drill", "repository: drill/churn"),
        PRODUCTION,
        "repository 'drill/churn'",
    ),
    "another repository": (
        STAGING.replace("retrain: retrain.yml", "retrain: {repository: acme/train, event_type: retrain}"),
        PRODUCTION,
        "dispatched to 'acme/train'",
    ),
    "service": (STAGING.replace("service: churn-drill", "service: churn"), PRODUCTION, "PagerDuty service 'churn'"),
    "artifact": (
        STAGING + "    release: {artifact: acme/churn-prod/churn}\n",
        PRODUCTION,
        "artifact 'acme/churn-prod/churn' of `release`",
    ),
    "same name of the key": (
        STAGING.replace("DRILL_ROUTING_KEY", "PRODUCTION_ROUTING_KEY"),
        PRODUCTION,
        "routing key is that of churn",
    ),
    "same project": (STAGING, PRODUCTION.replace("churn-prod", "churn-drill"), "W&B project is that of churn"),
    "same project in capitals": (
        STAGING,
        PRODUCTION.replace("acme, project: churn-prod", "ACME, project: Churn-Drill"),
        "W&B project is that of churn",
    ),
    "same project by another address": (
        STAGING,
        PRODUCTION.replace("project: churn-prod", "project: churn-drill, base_url: 'https://wandb.example.com'"),
        "W&B project is that of churn",
    ),
    "same artifact": (
        STAGING + "    release: {artifact: acme/churn-drill/churn}\n",
        PRODUCTION + "    release: {artifact: Acme/churn-drill/churn}\n",
        "artifact of its `release` is that of churn",
    ),
    "same repository": (
        STAGING,
        PRODUCTION.replace("acme/churn-model", "Acme/Churn-Drill"),
        "repository acme/churn-drill is that of churn",
    ),
    "production's workflows in the drill's repository": (
        STAGING,
        PRODUCTION + "    workflows: {retrain: {repository: acme/churn-drill, event_type: retrain}}\n",
        "repository acme/churn-drill is that of churn",
    ),
    "the drill's workflows in production's repository": (
        STAGING.replace("retrain: retrain.yml", "retrain: {repository: acme/drill-press, event_type: retrain}"),
        PRODUCTION.replace("acme/churn-model", "acme/drill-press"),
        "repository acme/drill-press is that of churn",
    ),
    "repository unknown": (
        STAGING,
        PRODUCTION.replace("    github: {repository: acme/churn-model}\n", ""),
        "not known",
    ),
    "same service": (
        STAGING,
        PRODUCTION.replace("service: churn}", "service: Churn-Drill}"),
        "PagerDuty service is that of churn",
    ),
    "production marked as a drill": (
        STAGING,
        PRODUCTION.replace("churn-prod", "churn-drill").replace(
            "  - name: churn\n", "  - name: churn\n    drill: true\n"
        ),
        "W&B project is that of churn",
    ),
    "production of drills alone": (
        STAGING,
        PRODUCTION.replace("  - name: churn\n", "  - name: churn\n    drill: true\n"),
        "`--config` has no model of production",
    ),
    "a copy of staging as production": (STAGING, STAGING, "repository acme/churn-drill is that of churn"),
    "another model of the same file": (
        STAGING + PRODUCTION.partition("models:\n")[2].replace("churn", "fraud").replace("fraud-prod", "churn-drill"),
        PRODUCTION,
        "W&B project is that of fraud",
    ),
    "another drill of the same file": (
        STAGING + STAGING.partition("models:\n")[2].replace("name: churn", "name: fraud"),
        PRODUCTION,
        "routing key is that of fraud",
    ),
    "broken production": (STAGING, "version: 1\nmodels: [", "modelwatch.yml"),
}


@pytest.mark.parametrize(("config", "production", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_what_is_not_provably_staging_is_refused(staging: Staging, config: str, production: str, reason: str) -> None:
    staging.write(config, production)
    done = staging.run("--scenario", "accuracy-drop")
    assert done.returncode == 2, done.stdout + done.stderr
    assert reason in done.stderr
    assert staging.writes() == []


def test_one_refusal_gives_every_reason(staging: Staging) -> None:
    staging.write(STAGING.replace("    drill: true\n", ""), PRODUCTION.replace("churn-prod", "churn-drill"))
    done = staging.run(env={"DRILL_ROUTING_KEY": staging.env["PRODUCTION_ROUTING_KEY"]})
    assert done.returncode == 2, done.stderr
    for reason in (
        "Set `drill: true`",
        "W&B project is that of churn",
        "routing key is that of churn",
        "does not page",
    ):
        assert reason in done.stderr
    assert staging.writes() == []


def test_without_a_token_nobody_can_tell_what_is_paged(staging: Staging) -> None:
    staging.write(STAGING.replace('token: "${PAGERDUTY_TOKEN}", ', ""))
    del staging.env["PAGERDUTY_TOKEN"]
    done = staging.run()
    assert done.returncode == 2, done.stderr
    assert "without `pagerduty.token`" in done.stderr
    assert staging.writes() == []


def test_the_value_of_the_key_counts_not_its_name(staging: Staging) -> None:
    done = staging.run(env={"DRILL_ROUTING_KEY": staging.env["PRODUCTION_ROUTING_KEY"]})
    assert done.returncode == 2
    assert "routing key is that of churn" in done.stderr
    assert staging.writes() == []


def test_another_key_of_the_drills_service_pages_it_too(staging: Staging) -> None:
    state = staging.pagerduty.standin.state
    (drill,) = (one for one in state.services.values() if one.name == "churn-drill")
    done = staging.run(env={"PRODUCTION_ROUTING_KEY": state.add_integration(drill, "second", EVENTS_V2).key})
    assert done.returncode == 2, done.stderr
    assert "or pages the same service" in done.stderr
    assert staging.writes() == []


@pytest.mark.parametrize("name", ["churn", "oil-drill-prod"])
def test_pagerduty_itself_says_whom_the_key_pages(staging: Staging, name: str) -> None:
    """The configuration claims that the service is the drill's, and the key is not production's."""
    key = staging.pagerduty.standin.state.add_service(name).routing_key
    done = staging.run(env={"DRILL_ROUTING_KEY": key})
    assert done.returncode == 2, done.stderr
    expected = "pages the service 'oil-drill-prod'" if "drill" in name else "does not page a drill's service"
    assert expected in done.stderr
    assert staging.writes() == []


def test_a_key_that_is_not_known_needs_another_proof(staging: Staging) -> None:
    """PagerDuty's word on the drill's service, and that production names another one."""
    staging.write(production=PRODUCTION.replace(", service: churn}", "}"))
    done = staging.run("--scenario", "accuracy-drop", env={"PRODUCTION_ROUTING_KEY": ""})
    assert done.returncode == 2, done.stdout + done.stderr
    assert "PRODUCTION_ROUTING_KEY, the routing key of churn" in done.stderr
    assert staging.writes() == []
    staging.write()
    done = staging.run("--scenario", "accuracy-drop", env={"PRODUCTION_ROUTING_KEY": ""})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "reason"),
    [("modelwatchh.yml", "there is no such file"), ("staging.yml", "`--config` has no model of production")],
)
def test_without_production_nothing_is_proved(staging: Staging, path: str, reason: str) -> None:
    done = staging.run("--config", path)
    assert done.returncode == 2, done.stderr
    assert reason in done.stderr
    assert staging.writes() == []


def test_a_drill_sends_no_messages(staging: Staging) -> None:
    """The section may be a copy of production's, and its channel has real readers."""
    staging.write(STAGING + '    messages: {to: ["${CHANNEL}"]}\n')
    channel = f"{staging.github.url.replace('http://', 'json://')}/channel"
    done = staging.run("--scenario", "accuracy-drop", env={"CHANNEL": channel})
    assert done.returncode == 0, done.stdout + done.stderr
    assert staging.writes()
    assert [one for one in staging.writes() if "/channel" in one] == []


def test_one_file_may_have_both(staging: Staging) -> None:
    """The drilled model is not compared with itself, by whatever path the file is named."""
    staging.write(STAGING + PRODUCTION.partition("models:\n")[2].replace("name: churn", "name: real"))
    done = staging.run("--scenario", "accuracy-drop", "--config", str(staging.folder / "staging.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_pagerduty_that_cannot_be_asked_refuses(staging: Staging) -> None:
    staging.pagerduty.inject(Fault("status", path="/services", status=503, times=-1))
    done = staging.run()
    assert done.returncode == 4, done.stderr
    assert staging.writes() == []


def test_a_wrong_token_is_named_as_the_configuration_names_it(staging: Staging) -> None:
    done = staging.run(env={"PAGERDUTY_TOKEN": "wrong"})
    assert done.returncode == 4, done.stderr
    assert "Is `pagerduty.token` a REST token" in done.stderr
    assert "PAGERDUTY_WRITE_TOKEN" not in done.stderr
    assert staging.writes() == []


def test_a_drill_passes_again_and_again(staging: Staging) -> None:
    """The second one begins afresh: no flapping, and no dispatch that counts as done already."""
    runs: set[int] = set()
    for number in (1, 2):
        done = staging.run("--scenario", "accuracy-drop", "--format", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        (report,) = json.loads(done.stdout)["drills"]
        states = {one["link"]: one["state"] for one in report["links"]}
        assert states.pop("webhook received") == "not part"
        assert set(states.values()) == {"pass"}
        assert staging.leftovers() == []
        runs.update(staging.github.standin.state.repo(REPOSITORY).runs.items)
        assert len(runs) == number, "of each drill its own"
    assert len(staging.pagerduty.standin.state.notifications) == 2
    titles = [one.title for one in staging.github.standin.state.repo(REPOSITORY).issues.items.values()]
    assert len(titles) == 2
    assert all(title.startswith("[DRILL] ") for title in titles)


def _start(staging: Staging) -> subprocess.Popen[str]:
    return subprocess.Popen(
        staging.command("--scenario", "accuracy-drop"),
        cwd=staging.folder,
        env=staging.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_drill_is_cleaned_up_by_the_next(staging: Staging) -> None:
    pids: list[int] = []
    staging.github.inject(Fault("kill", "after", method="POST", path="/dispatches$", pid=lambda: pids[0]))
    killed = _start(staging)
    pids.append(killed.pid)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(staging.leftovers()) == 3, "a W&B run, an issue and an incident"
    folders = f"{FOLDER_PREFIX}{killed.pid}-*"
    assert list(Path(gettempdir()).glob(folders))
    done = staging.run("--scenario", "accuracy-drop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "Left by an earlier drill, and removed: incident 1 resolved; issue #1 closed; 1 W&B run deleted" in done.stdout
    )
    assert staging.leftovers() == []
    assert not list(Path(gettempdir()).glob(folders))


def test_an_interrupted_drill_cleans_up(staging: Staging) -> None:
    staging.github.inject(Fault("hang", method="POST", path="/dispatches$", seconds=60))
    process = _start(staging)
    until = time.monotonic() + 60
    while not any(one.is_open for one in staging.pagerduty.standin.state.incidents) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "The drill ends early, and cleans up." in told
    assert "Cleaned up: " in told
    assert "incident 1 resolved" in told
    assert "Nothing is left behind." in told
    assert "the drill was interrupted." in told
    assert "Traceback" not in told
    assert staging.leftovers() == []


def test_a_second_interrupt_leaves_the_rest_and_names_it(staging: Staging) -> None:
    staging.github.inject(Fault("hang", method="POST", path="/dispatches$", seconds=60))
    staging.github.inject(Fault("hang", method="PATCH", path="/issues/1$", seconds=60))
    process = _start(staging)
    until = time.monotonic() + 60
    while not any(one.is_open for one in staging.pagerduty.standin.state.incidents) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    while any(one.is_open for one in staging.pagerduty.standin.state.incidents) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)  # it is closing the issue, which hangs
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    issues = sum(one.path.endswith("/issues") for one in staging.github.requests)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 4, told
    assert sum(one.path.endswith("/issues") for one in staging.github.requests) > issues, "SIGTERM is no further wish"
    assert "A further Ctrl-C leaves the rest" in told
    assert "left behind: issue #1 is open: " in told
    assert "W&B run " in told
    assert "incident" not in told.partition("left behind")[2]
    assert "Traceback" not in told
    assert len(staging.leftovers()) == 2


def test_one_issue_tells_of_a_broken_chain(staging: Staging) -> None:
    staging.pagerduty.standin.state.on_call_is_reachable = False
    words = ("--scenario", "accuracy-drop", "--issue")
    for _ in range(2):
        done = staging.run(*words)
        assert done.returncode == 4, done.stdout + done.stderr
        (issue,) = _reports(staging)
        assert issue.title == "[DRILL] churn: accuracy-drop: BROKEN at link 7, somebody notified."
        assert "escalation policy" in (issue.body or "")
        assert issue.state == "open"
    staging.pagerduty.standin.state.on_call_is_reachable = True
    assert staging.run(*words).returncode == 0
    (issue,) = _reports(staging)
    assert issue.state == "closed"


def _reports(staging: Staging) -> list[Issue]:
    issues = staging.github.standin.state.repo(REPOSITORY).issues.items.values()
    return [one for one in issues if "modelwatch-drill-failed" in one.labels]


ROLLBACK = STAGING.replace("retrain: retrain.yml", "rollback: {file: rollback.yml, mode: propose, remind: 0}").replace(
    "do: [issue, page, retrain]", "do: [issue, page, rollback]"
)


def test_a_game_day_waits_for_a_real_person(staging: Staging) -> None:
    """The drill approves nothing itself: ada does, on the issue."""
    staging.write(ROLLBACK)
    state = staging.github.standin.state
    repo = state.repo(REPOSITORY)
    for path, text in workflows("rollback").items():
        state.add_file(repo, path, text)
    process = subprocess.Popen(
        staging.command("--game-day", "--authority", "WHO-MAY.md", "--format", "json"),
        cwd=staging.folder,
        env=staging.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and not any("rollback.1" in (one.body or "") for one in repo.issues.items.values()):
        time.sleep(0.05)
    assert not repo.runs.items, "nothing starts before she has spoken"
    time.sleep(1.1)  # GitHub's times are whole seconds, and an answer in that of the proposal is no answer to it
    staging.github.standin.person(REPOSITORY, "ada").add_comment(1, "/modelwatch approve rollback.1")
    told, problems = process.communicate(timeout=60)
    assert process.returncode == 0, told + problems
    (report,) = json.loads(told)["drills"]
    (dispatched,) = (one for one in report["links"] if one["link"] == "workflow dispatched")
    assert "after an approval" in dispatched["found"]
    page = (staging.folder / "WHO-MAY.md").read_text("utf-8")
    assert "| `rollback` | waits for approval | @ada |" in page
    assert "approval: from the proposal to a person's word" in page
    assert staging.leftovers() == []


def test_an_issue_about_a_broken_chain_shows_no_secret(staging: Staging) -> None:
    """What a service answers is quoted, and a service may quote what it was sent."""
    key = staging.env["DRILL_ROUTING_KEY"]
    body = json.dumps({"status": "invalid event", "message": f"no such key {key}", "errors": []})
    staging.pagerduty.inject(Fault("status", path="/v2/enqueue", status=400, body=body, times=-1))
    done = staging.run("--scenario", "accuracy-drop", "--issue")
    assert done.returncode == 4
    (issue,) = _reports(staging)
    assert "no such key" in (issue.body or "")
    for text in (issue.body or "", done.stdout, done.stderr):
        assert key not in text


def test_a_scenario_without_a_rule_is_refused(staging: Staging) -> None:
    done = staging.run("--scenario", "latency")
    assert done.returncode == 2
    assert "churn has no rule of kind `latency`" in done.stderr
    assert staging.writes() == []
