"""The starter's workflows, run whole: the evaluation with its heartbeat, and the watchdog from outside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from modelwatch.config.templates import WATCHDOG_FILE, render_starter_files
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.run_lifecycle import run_schedule
from modelwatch.testing.standins.http import Request, Response, Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from tests.e2e.test_monitor import scheduled
from tests.e2e.workplace import REPOSITORY, WorkflowRun, Workplace

HOUR = 3600.0
MAIN = "modelwatch.yml"
CONFIG = f"""\
version: 1
heartbeat: {{url: "${{HEARTBEAT_URL}}"}}
models:
  - name: churn
    table: {{path: metrics.csv}}
    github: {{repository: {REPOSITORY}}}
    rules:
      - name: latency
        kind: latency
        metric: latency
        better: lower
        tiers: {{warning: {{above: 100, do: [issue]}}}}
"""


class Monitor:
    """The cron monitor outside."""

    name = "monitor"

    def handle(self, _: Request) -> Response:
        return Response.of({})


@dataclass
class Scene:
    workplace: Workplace
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    monitor: Server[Monitor]
    starter: dict[str, str]
    ago: float = 0.0
    """By how much the clock of the services is behind."""

    def write(self, *names: str, **files: str) -> None:
        """Into the user's repository, at both places."""
        found = {f".github/workflows/{name}": self.starter[f".github/workflows/{name}"] for name in names} | files
        self.workplace.write(found)
        state = self.github.standin.state
        for name, text in found.items():
            state.add_file(state.repo(REPOSITORY), name, text)

    def evaluated(self, conclusion: str = "success", exit_code: int = 1) -> None:
        """The main workflow has run."""
        state = self.github.standin.state
        run = run_schedule(state, state.repo(REPOSITORY), MAIN)
        state.finish_run(run.id, conclusion, exit_code=exit_code)

    def look(self) -> WorkflowRun:
        return self.workplace.start(WATCHDOG_FILE, "schedule")

    def issues(self) -> list[tuple[str, str]]:
        kept = self.github.standin.state.repo(REPOSITORY).issues.items.values()
        return [(issue.title, issue.state) for issue in kept]


@pytest.fixture
def scene(workplace: Workplace) -> Iterator[Scene]:
    def clock() -> float:
        return time.time() - made.ago

    with (
        Server(GitHubStandIn(clock=clock)) as github,
        Server(PagerDutyStandIn()) as pagerduty,
        Server(Monitor()) as monitor,
    ):
        starter = render_starter_files(
            model="churn", entity="a", project="p", repository=REPOSITORY, owner="@ada", watchdog=True
        )
        caller = f".github/workflows/{WATCHDOG_FILE}"
        starter[caller] = starter[caller].replace("      wandb: a/p\n", "      without: wandb-data pinned-actions\n")
        made = Scene(workplace, github, pagerduty, monitor, starter)
        github.standin.state.add_repo(REPOSITORY)
        key = pagerduty.standin.state.add_service("modelwatch").routing_key
        token = github.standin.state.add_token()
        workplace.secrets = {"GITHUB_TOKEN": token, "PAGERDUTY_ROUTING_KEY": key}
        workplace.env |= {"GITHUB_API_URL": github.url, "PAGERDUTY_EVENTS_URL": pagerduty.url}
        yield made


def test_the_watchdog_keeps_one_issue_and_one_page(scene: Scene) -> None:
    scene.ago = 5 * HOUR
    scene.write(MAIN, WATCHDOG_FILE)
    scene.evaluated()
    scene.ago = 0.0
    for _ in range(2):
        done = scene.look()
        assert done.code == 0, done.told
    assert scene.issues() == [("Watchdog: evaluations have stopped", "open")]
    assert [incident.status for incident in scene.pagerduty.standin.state.incidents] == ["triggered"]
    assert done.outputs["watch"]["state"] == "broken"
    assert done.outputs["watch"]["exit-code"] == "11"
    assert "modelwatch watchdog: evaluations have stopped" in done.summary
    scene.evaluated("failure", exit_code=4)
    assert scene.look().outputs["watch"]["state"] == "broken"
    scene.evaluated()
    done = scene.look()
    assert done.outputs["watch"]["state"] == "ok", done.told
    assert scene.issues() == [("Watchdog: evaluations have stopped, and 1 more", "closed")]
    assert [incident.status for incident in scene.pagerduty.standin.state.incidents] == ["resolved"]


def test_a_watchdog_that_cannot_deliver_fails(scene: Scene) -> None:
    scene.write(MAIN, WATCHDOG_FILE)
    scene.workplace.secrets["GITHUB_TOKEN"] = "ghs_nobody_knows_this_one"
    done = scene.look()
    assert done.code != 0
    assert done.jobs == {"Watch": "failure"}
    assert any("the issue cannot be read" in text for text in done.errors()), done.told


def healthy() -> str:
    """A table of two days."""
    now = time.time()
    return "time,latency\n" + "".join(f"{now - hour * HOUR:.0f},20\n" for hour in range(48, 0, -1))


def test_an_evaluation_sends_its_heartbeat(scene: Scene) -> None:
    scene.write(MAIN, **{"modelwatch.yml": CONFIG, "metrics.csv": healthy()})
    scene.workplace.secrets["HEARTBEAT_URL"] = f"{scene.monitor.url}/0f3c9b1a-ping"
    done = scene.workplace.start(MAIN, "schedule")
    assert done.code == 0, done.told
    assert [request.path for request in scene.monitor.requests] == ["/0f3c9b1a-ping"]
    assert "watchdog: firing, heartbeat sent" in done.summary
    assert "0f3c9b1a-ping" not in done.told


def test_a_fleet_in_two_jobs_sends_one_when_both_did_everything(scene: Scene) -> None:
    second = CONFIG[CONFIG.index("  - name: churn") :].replace("churn\n", "fraud\n", 1).replace("metrics", "fraud")
    caller = scheduled().replace("config: ${{ vars", "shards: 2\n      config: ${{ vars")
    files = {"modelwatch.yml": CONFIG + second, "metrics.csv": healthy(), "fraud.csv": healthy()}
    scene.workplace.write({".github/workflows/monitoring.yml": caller, **files})
    scene.workplace.variables = {"MODELWATCH_CONFIG": "modelwatch.yml"}
    scene.workplace.secrets["HEARTBEAT_URL"] = f"{scene.monitor.url}/0f3c9b1a-ping"
    done = scene.workplace.start("monitoring.yml", "schedule")
    assert done.code == 0, done.told
    assert done.outputs["shards"]["shards"] == "2"
    assert done.summary.count("heartbeat not sent: only some of the models were evaluated") == 2
    assert done.summary.count("watchdog: firing, heartbeat sent") == 1
    assert [request.path for request in scene.monitor.requests] == ["/0f3c9b1a-ping"]
    scene.workplace.write({"fraud.csv": "no table\n"})
    assert scene.workplace.start("monitoring.yml", "schedule").code != 0
    assert len(scene.monitor.requests) == 1
