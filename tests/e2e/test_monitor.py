"""Whole workflow runs: the scheduled example and the reusable workflow, the steps on their own, a fleet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from modelwatch.distribution import PIN, SLUG
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.e2e.workplace import REPOSITORY, ROOT, WorkflowRun, Workplace
from tests.stubs import workflows
from tests.targets.messages.test_messages import Chat

HOUR = 3600.0
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
WANDB_KEY = "plantedkeyofwandb" + "7c1e" * 6


def model(name: str, project: str) -> str:
    return f"""\
  - name: {name}
    owner: "@alice"
    wandb: {{entity: acme, project: {project}, version: model_version}}
    github: {{repository: {REPOSITORY}}}
    pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}", service: churn}}
    workflows: {{retrain: retrain.yml}}
    rules:
      - name: latency
        kind: latency
        metric: serving/latency
        better: lower
        window: 1h
        tiers: {{critical: {{above: 100, do: [issue, page, retrain]}}}}
"""


def config(*models: str) -> str:
    return "version: 1\nmodels:\n" + "".join(models)


@dataclass
class Scene:
    """A user's repository, and the three services around it."""

    workplace: Workplace
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    wandb: Server[WandbStandIn]

    def log_latency(self, project: str, newest: float) -> None:
        """Two days of hourly points that end an hour ago; the last three hours are ``newest``."""
        now = time.time()
        rows = [
            {"_step": step, "_timestamp": now - (48 - step) * HOUR, "serving/latency": newest if step > 45 else 20.0}
            for step in range(48)
        ]
        self.wandb.standin.state.add_run("acme", project, "serving", {"model_version": "v7"}, history=rows)

    def issues(self) -> list[tuple[str, str]]:
        return [
            (issue.title, issue.state) for issue in self.github.standin.state.repo(REPOSITORY).issues.items.values()
        ]

    def dispatched(self) -> list[str]:
        return [run.title for run in self.github.standin.state.repo(REPOSITORY).runs.items.values()]

    def incidents(self) -> list[str]:
        return [incident.status for incident in self.pagerduty.standin.state.incidents]

    def writes(self) -> list[str]:
        """Requests that may change something; a query by GraphQL changes nothing."""
        sent = [*self.github.requests, *self.pagerduty.requests]
        changing = (one for one in sent if one.method != "GET" and b'{"query": "query ' not in one.body)
        return [f"{request.method} {request.path}" for request in changing]


@pytest.fixture
def scene(
    workplace: Workplace,
    github_server: Server[GitHubStandIn],
    pagerduty_server: Server[PagerDutyStandIn],
) -> Iterator[Scene]:
    state = github_server.standin.state
    state.add_repo(REPOSITORY, files=workflows("retrain"), collaborators={"alice": "write"})
    pagerduty_server.standin.state.add_service("churn", ROUTING_KEY)
    workplace.secrets = {
        "GITHUB_TOKEN": state.add_token(),
        "WANDB_API_KEY": WANDB_KEY,
        "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
    }
    workplace.variables = {"MODELWATCH_CONFIG": "modelwatch.yml"}
    with Server(WandbStandIn()) as wandb:
        workplace.env |= {
            "GITHUB_API_URL": github_server.url,
            "PAGERDUTY_EVENTS_URL": pagerduty_server.url,
            "WANDB_BASE_URL": wandb.url,
            "MODELWATCH_WAIT_SCALE": "0.01",
        }
        yield Scene(workplace, github_server, pagerduty_server, wandb)
    assert wandb.errors == []


def scheduled() -> str:
    """Our scheduled example, as a user copies it."""
    text = (ROOT / ".github/workflows/scheduled.yml").read_text()
    ours = f"{SLUG}/.github/workflows/monitor.yml@{PIN}"
    assert "uses: ./.github/workflows/monitor.yml" in text
    return text.replace("./.github/workflows/monitor.yml", ours)


def adopt(scene: Scene, text: str, workflow: str = "") -> None:
    files = {"modelwatch.yml": text, **workflows("retrain")}
    scene.workplace.write({**files, ".github/workflows/monitoring.yml": workflow or scheduled()})


def results(scene: Scene, shard: str = "1") -> dict[str, str]:
    folder = scene.workplace.artifacts / f"modelwatch-{shard}"
    return {path.name: path.read_text() for path in folder.iterdir()}


def succeeded(done: WorkflowRun) -> None:
    assert done.code == 0, done.told
    assert set(done.jobs.values()) == {"success"}, done.told


def test_a_schedule_opens_pages_and_dispatches_once(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    adopt(scene, config(model("churn", "churn-prod")))
    for _ in range(2):
        done = scene.workplace.start("monitoring.yml", "schedule", schedule="17 * * * *")
        succeeded(done)
        assert [state for _, state in scene.issues()] == ["open"]
        assert scene.incidents() == ["triggered"]
        assert len(scene.dispatched()) == 1
        assert re.fullmatch(r"modelwatch retrain churn \S+", scene.dispatched()[0])
    assert done.outputs["monitor"]["worst-severity"] == "critical"
    assert done.outputs["gather"]["firing"] == "1"
    assert "churn" in done.summary
    assert set(results(scene)) == {"alerts.json", "plan.json", "receipts.json", "summary.md"}


def test_healthy_metrics_change_nothing(scene: Scene) -> None:
    scene.log_latency("churn-prod", 21.0)
    adopt(scene, config(model("churn", "churn-prod")))
    done = scene.workplace.start("monitoring.yml", "schedule")
    succeeded(done)
    assert scene.writes() == []
    assert done.outputs["gather"] == {"firing": "0", "worst-severity": "none", "failures": "0", "exit-code": "0"} | {
        "report": done.outputs["gather"]["report"]
    }


def test_another_branch_is_only_planned(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    adopt(scene, config(model("churn", "churn-prod")))
    scene.workplace.branch("proposal")
    done = scene.workplace.start("monitoring.yml", "workflow_dispatch", inputs={"dry-run": "false"})
    succeeded(done)
    assert scene.writes() == []
    assert len(json.loads(results(scene)["plan.json"])["changes"]) >= 3


def test_a_person_may_ask_for_the_plan_alone(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    adopt(scene, config(model("churn", "churn-prod")))
    done = scene.workplace.start("monitoring.yml", "workflow_dispatch", inputs={"dry-run": "true"})
    succeeded(done)
    assert scene.writes() == []


def test_the_example_sleeps_until_a_configuration_is_named(scene: Scene) -> None:
    adopt(scene, config(model("churn", "churn-prod")))
    scene.workplace.variables = {}
    done = scene.workplace.start("monitoring.yml", "schedule")
    assert done.code == 0, done.told
    assert done.jobs == {}


def test_one_model_that_fails_hides_no_other_and_fails_the_job(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    scene.log_latency("fraud-prod", 20.0)
    models = (model("churn", "churn-prod"), model("lost", "no-such-project"), model("fraud", "fraud-prod"))
    fleet = scheduled().replace("config: ${{ vars", "shards: 2\n      config: ${{ vars")
    adopt(scene, config(*models), fleet)
    done = scene.workplace.start("monitoring.yml", "schedule")
    assert done.code != 0
    assert [state for _, state in scene.issues()] == ["open", "open"], "what is wrong with churn, and what is not read"
    assert scene.incidents() == ["triggered"]
    assert {path.name for path in scene.workplace.artifacts.iterdir()} == {"modelwatch-1", "modelwatch-2"}
    assert done.outputs["shards"]["shards"] == "2"
    assert done.outputs["gather"]["failures"] == "1"
    assert done.outputs["gather"]["firing"] == "1"
    assert "no-such-project" in done.summary


def test_no_secret_is_written_anywhere(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    adopt(scene, config(model("churn", "churn-prod")))
    done = scene.workplace.start("monitoring.yml", "schedule")
    succeeded(done)
    written = [done.told, done.summary, *results(scene).values()]
    written += [
        body
        for issue in scene.github.standin.state.repo(REPOSITORY).issues.items.values()
        for body in [issue.body or ""]
    ]
    written += [request.body.decode() for request in scene.github.requests]
    for secret in scene.workplace.secrets.values():
        assert not any(secret in text for text in written)


def steps(*, chat: str = "", tamper: str = "") -> str:
    """The steps on their own, in one job; the digest travels as an output."""

    def ours(name: str, inputs: dict[str, str]) -> dict[str, object]:
        given = {"config": "modelwatch.yml", "out": "results", **inputs}
        return {"id": name, "uses": f"{SLUG}/actions/{name}@{PIN}", "with": given}

    keys = {"pagerduty-routing-key": "${{ secrets.PAGERDUTY_ROUTING_KEY }}", "secrets": f"CHAT_URL={chat}"}
    wandb = {
        "wandb-api-key": "${{ secrets.WANDB_API_KEY }}",
        "secrets": f"PAGERDUTY_ROUTING_KEY=${{{{ secrets.PAGERDUTY_ROUTING_KEY }}}}\nCHAT_URL={chat}",
    }
    plan = {"plan": "${{ steps.evaluate.outputs.plan }}", "plan-digest": "${{ steps.evaluate.outputs.plan-digest }}"}
    return json.dumps(
        {
            "name": "steps",
            "on": {"workflow_dispatch": None},
            "permissions": {},
            "jobs": {
                "steps": {
                    "runs-on": "ubuntu-latest",
                    "steps": [
                        {"uses": "actions/checkout@v7"},
                        ours("pull-metrics", wandb),
                        ours("evaluate", {"series": "${{ steps.pull-metrics.outputs.series }}", **keys}),
                        {"run": tamper or "true", "shell": "bash"},
                        ours("open-issue", plan | keys),
                        ours("raise-incident", plan | keys),
                        ours("dispatch-workflow", plan | keys),
                        ours("send-messages", plan | keys),
                    ],
                }
            },
        }
    )


def test_the_steps_on_their_own_do_the_same(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    messages = '    messages: {to: "${CHAT_URL}"}\n'
    with Server(Chat()) as chat:
        address = f"{chat.url.replace('http', 'json')}/room"
        adopt(scene, config(model("churn", "churn-prod") + messages), steps(chat=address))
        done = scene.workplace.start("monitoring.yml")
    succeeded(done)
    assert [message["type"] for message in chat.standin.messages] == ["failure"]
    assert [state for _, state in scene.issues()] == ["open"]
    assert scene.incidents() == ["triggered"]
    assert len(scene.dispatched()) == 1
    for name in ("open-issue", "raise-incident", "dispatch-workflow", "send-messages"):
        assert done.outputs[name]["exit-code"] == "0"
    for heading in (
        "modelwatch pull-metrics",
        "1 firing",
        "modelwatch issue",
        "modelwatch page",
        "modelwatch dispatch",
        "modelwatch message",
    ):
        assert heading in done.summary


def test_a_plan_that_was_altered_on_its_way_is_not_carried_out(scene: Scene) -> None:
    scene.log_latency("churn-prod", 150.0)
    tamper = "sed -i s/churn/other/ results/plan.json"
    adopt(scene, config(model("churn", "churn-prod")), steps(tamper=tamper))
    done = scene.workplace.start("monitoring.yml")
    assert done.code != 0
    assert done.outputs["open-issue"]["exit-code"] == "2"
    assert scene.writes() == []


MEASURED = """\
version: 1
models:
  - name: churn
    wandb: {entity: acme, project: churn-prod, version: model_version}
    pagerduty: {routing_key: "${PAGERDUTY_ROUTING_KEY}"}
    measure: {files: log.csv, id: id, time: at, version: release, prediction: said, label: was, window: 1h}
    rules:
      - {name: accuracy, kind: accuracy-drop, metric: eval/accuracy, window: 1h, tiers: {critical: {below: 0.9}}}
"""


def test_predictions_are_measured_and_then_judged(scene: Scene) -> None:
    """A log in the repository, five hours of it; the secrets of other services are not needed to measure."""
    hour = time.time() // HOUR * HOUR
    times = [hour - place * 60 for place in range(1, 301)]
    rows = [
        f"r{place},{at:.0f},v7,{place % 2},{place % 2 if at < hour - HOUR else 0}" for place, at in enumerate(times)
    ]
    wandb = {"wandb-api-key": "${{ secrets.WANDB_API_KEY }}"}

    def ours(name: str, inputs: dict[str, str]) -> dict[str, object]:
        return {"id": name, "uses": f"{SLUG}/actions/{name}@{PIN}", "with": inputs}

    steps: list[dict[str, object]] = [
        {"uses": "actions/checkout@v7"},
        ours("measure-predictions", wandb),
        ours("pull-metrics", wandb),
        ours("evaluate", {"series": "${{ steps.pull-metrics.outputs.series }}", "plan": "false"}),
    ]
    job = {"runs-on": "ubuntu-latest", "steps": steps}
    workflow = {"name": "measured", "on": {"workflow_dispatch": None}, "permissions": {}, "jobs": {"measured": job}}
    scene.workplace.write(
        {
            "modelwatch.yml": MEASURED,
            "log.csv": "\n".join(["id,at,release,said,was", *rows]) + "\n",
            ".github/workflows/monitoring.yml": json.dumps(workflow),
        }
    )
    done = scene.workplace.start("monitoring.yml")
    succeeded(done)
    assert done.outputs["measure-predictions"]["exit-code"] == "0"
    assert "churn: 300 rows, 5 windows; " in done.log
    assert done.outputs["evaluate"]["worst-severity"] == "critical"


def test_what_init_writes_works_as_it_is(scene: Scene) -> None:
    """`modelwatch init`, the secrets, a W&B run: the first schedule judges, and has nothing to complain about."""
    folder = scene.workplace.repository
    names = [
        "--model",
        "churn",
        "--entity",
        "acme",
        "--project",
        "churn-prod",
        "--repository",
        REPOSITORY,
        "--owner",
        "@alice",
    ]
    subprocess.run([sys.executable, "-m", "modelwatch", "init", str(folder), *names], check=True)
    scene.workplace.write({})
    assert "latency" not in (folder / "modelwatch.yml").read_text()
    now = time.time()
    rows = [
        {"_step": step, "_timestamp": now - (24 * 20 - step) * HOUR, "eval/accuracy": 0.9, "eval/n": 1000}
        for step in range(24 * 20)
    ]
    scene.wandb.standin.state.add_run(
        "acme", "churn-prod", "serving", {"model_version": "v7"}, tags=["production"], history=rows
    )
    done = scene.workplace.start("modelwatch.yml", "schedule")
    succeeded(done)
    assert done.outputs["modelwatch"]["failures"] == "0"
    kept = {path.name for path in (scene.workplace.artifacts / "modelwatch").rglob("*")}
    assert kept == {"alerts.json", "plan.json", "receipts.json", "summary.md"}, (
        "the metrics themselves are not uploaded"
    )
