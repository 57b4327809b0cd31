"""A model in production, what the user's own commands do to it, and the hours that pass.

What serves is a file that the user's deploy command writes; each hour the version that it names logs its accuracy to
W&B. Whatever else happens is ours: evaluations and moves are workflow runs under act, approvals are comments.
"""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Semaphore

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelwatch.config.templates import render_starter_files
from modelwatch.testing.standins.github import GitHubStandIn, RunControl
from modelwatch.testing.standins.github.act_executor import ActExecutor
from modelwatch.testing.standins.github.issue_actions import Person
from modelwatch.testing.standins.github.records import Issue, WorkflowRun
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from modelwatch.testing.standins.wandb.records import RunRecord
from tests.conftest import wandb_env
from tests.e2e.workplace import ACT, REPOSITORY, ROOT, Workplace
from tests.e2e.workplace import WorkflowRun as Told

HOUR = 3600.0
DAYS = 12
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
COMMAND_SECRET = "cluster-password-1f2e3d"
PEOPLE = "people: [alice, carol]"
CONFIG = f"""\
version: 1
models:
  - name: churn
    owner: "@alice"
    wandb: {{entity: acme, project: churn-prod, version: model_version}}
    pagerduty: {{routing_key: "${{PAGERDUTY_ROUTING_KEY}}", token: "${{PAGERDUTY_TOKEN}}", service: churn}}
    github: {{repository: {REPOSITORY}, {PEOPLE}}}
    workflows:
      retrain: retrain.yml
      rollback: {{file: rollback.yml, mode: propose, settle: 1h}}
      promote: promote.yml
      degrade: degrade.yml
      restore: restore.yml
    measure: {{id: id, label: label, prediction: prediction, files: none/, time: time}}
    release:
      artifact: acme/churn-train/churn
      deploy: ./deploy.sh
      train: ./train.sh
      degrade: ./deploy.sh
      promote: act
      gate: {{holdout: "holdout/{{version}}.parquet"}}
      canary: {{percent: 5, length: 4h, min_predictions: 1000}}
    rules:
      - name: accuracy
        kind: accuracy-drop
        metric: eval/accuracy
        weight: eval/n
        better: higher
        window: 1h
        every: 1h
        for: 2
        hold: 2
        baseline: {{value: 0.92, n: 100000}}
        tiers:
          warning: {{drop: 2%, do: [issue, retrain]}}
          error: {{drop: 5%}}
          critical: {{drop: 10%, do: [issue, page, rollback]}}
"""
DEPLOY = """\
#!/usr/bin/env bash
test "$CLUSTER_PASSWORD" = cluster-password-1f2e3d
echo "deploying $MODELWATCH_VERSION with $CLUSTER_PASSWORD"
printf '%s\\n' "$MODELWATCH_VERB $MODELWATCH_VERSION $MODELWATCH_PERCENT" >>"$E2E_PRODUCTION"
"""
TRAIN = """\
#!/usr/bin/env bash
"$E2E_PYTHON" train.py
"""
TRAINING = """\
import os, shutil, wandb
with wandb.init(entity="acme", project="churn-train") as run:
    made = wandb.Artifact("churn", "model", metadata={"data_version": os.environ["MODELWATCH_WINDOW_END"]})
    with made.new_file("model.bin") as file:
        file.write(os.environ["MODELWATCH_KEY"])
    made = run.log_artifact(made).wait()
    shutil.copy(f"holdout/{os.environ.get('E2E_TRAINED', 'better')}.parquet", f"holdout/{made.version}.parquet")
"""
ON_TIME = """\
#!/usr/bin/env bash
# What starts modelwatch in these workflow runs: the same Python, at the time of the simulation.
exec "$E2E_PYTHON" "$1" "$E2E_ROOT/tests/e2e/clock.py" "${@:2}"
"""


def predictions(right: float, n: int = 4000) -> bytes:
    """A table of predictions of which this share is right, on the same rows whoever predicts."""
    label = np.random.default_rng(0).integers(0, 2, n)
    sure = np.random.default_rng(1).random(n) < right
    rows = {"id": np.arange(n), "label": label, "prediction": np.where(sure, label, 1 - label)}
    written = io.BytesIO()
    pq.write_table(pa.table(rows), written)
    return written.getvalue()


class Awaited(ActExecutor):
    """Tells when a workflow run that was dispatched has ended."""

    def __call__(self, control: RunControl) -> None:
        super().__call__(control)
        self.ended.release()

    ended: Semaphore


@dataclass
class World:
    """A user's repository whose workflows are those that `modelwatch init --release` writes."""

    workplace: Workplace
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    wandb: Server[WandbStandIn]
    executor: Awaited
    accuracy: dict[str, float] = field(default_factory=lambda: {"v0": 0.92, "v1": 0.92})
    passed: float = 0.0
    """Seconds by which the simulation is ahead of the clock."""
    runs: dict[str, RunRecord] = field(default_factory=dict)

    def now(self) -> float:
        return time.time() + self.passed

    def begin(self) -> None:
        """Twelve days of v0, of which v1 served the last day; then a deployment that nobody judged brought v2."""
        state = self.wandb.standin.state
        for number, aliases in enumerate((["1.0.0", "previous"], ["1.1.0", "production"])):
            run = state.add_run("acme", "churn-train", f"trainer-{number}", {"lr": 0.1})
            run.commit = f"{number}" * 40
            state.add_artifact(
                "acme", "churn-train", "churn", {"model.bin": f"weights {number}".encode()}, aliases=aliases, run=run,
                created_at=self.now() - DAYS * 24 * HOUR + number, metadata={"data_version": f"2026-0{number}"},
            )  # fmt: skip
        start = self.now() // HOUR * HOUR - DAYS * 24 * HOUR
        for hour in range(DAYS * 24 + 1):
            self._log("v0" if hour < (DAYS - 1) * 24 else "v1", start + hour * HOUR)

    def breaks(self) -> None:
        """Somebody deploys v2 by hand; three hours later everybody can see what it does."""
        state = self.wandb.standin.state
        run = state.add_run("acme", "churn-train", "trainer-2", {"lr": 0.5})
        run.commit = "2" * 40
        collection = state.projects["acme", "churn-train"].collections["churn"]
        before = next(version for version in collection.versions if "production" in version.aliases)
        state.add_artifact(
            "acme", "churn-train", "churn", {"model.bin": b"weights 2"}, aliases=["1.2.0", "production"],
            metadata={"data_version": "2026-02"}, run=run, created_at=self.now(),
        )  # fmt: skip
        state.move_aliases(before, ["previous"])
        self.accuracy["v2"] = 0.78
        (self.workplace.folder / "production").write_text("promote v2 100\n")
        self.hours(3)

    def hours(self, count: int) -> None:
        """So many hours pass; each serving version logs."""
        for _ in range(count):
            self.passed += HOUR
            (self.workplace.folder / "clock").write_text(str(self.passed))
            at = self.now() // HOUR * HOUR
            champion, canary = self.serving()
            self._log(champion, at)
            if canary:
                self._log(canary, at + 1)

    def serving(self) -> tuple[str, str]:
        """Champion and canary, as the user's commands left production."""
        champion, canary = "v1", ""
        for verb, version, percent in (line.split() for line in self.deployed()):
            if verb == "canary" and float(percent) > 0:
                canary = version
            else:
                champion, canary = version, ""
        return champion, canary

    def deployed(self) -> list[str]:
        """What the user's commands were told: verb, version and percentage, oldest first."""
        path = self.workplace.folder / "production"
        return path.read_text().splitlines() if path.exists() else []

    def held(self) -> dict[str, str]:
        """Alias -> version in W&B, numbers and ``latest`` left out."""
        collection = self.wandb.standin.state.projects["acme", "churn-train"].collections["churn"]
        return {
            alias: f"v{version.version}"
            for version in collection.versions
            for alias in version.aliases
            if alias != "latest" and not alias[0].isdigit()
        }

    def scheduled(self, workflow: str = "modelwatch.yml") -> Told:
        """GitHub's schedule starts a workflow."""
        return self.workplace.start(workflow, "schedule", schedule="17 * * * *")

    def asked(self, workflow: str, **inputs: str) -> Told:
        """A person starts a workflow by hand."""
        return self.workplace.start(workflow, inputs=inputs, ref="refs/heads/main")

    def comments(self, login: str, text: str) -> Mapping[str, object]:
        """The payload of the event that GitHub sends for the comment."""
        repo = self.github.standin.state.repo(REPOSITORY)
        made = Person(self.github.standin.state, repo, login).add_comment(self.issue().number, text)
        association = self.github.standin.state.author_association(repo, login)
        comment = {
            "id": made.id,
            "body": text,
            "user": {"login": login, "type": "User"},
            "author_association": association,
        }
        labels = [{"name": name} for name in self.issue().labels]
        return {"action": "created", "comment": comment, "issue": {"number": self.issue().number, "labels": labels}}

    def commented(self, payload: Mapping[str, object]) -> Told:
        """GitHub starts what listens to comments."""
        return self.workplace.start("modelwatch-commands.yml", "issue_comment", **payload)

    def issue(self) -> Issue:
        """The newest that is no pull request."""
        found = self.github.standin.state.repo(REPOSITORY).issues.items.values()
        return [issue for issue in found if not issue.pull][-1]

    def answers(self) -> list[str]:
        """The comments on the newest issue."""
        comments = self.github.standin.state.repo(REPOSITORY).comments.items.values()
        return [comment.body for comment in comments if comment.issue == self.issue().number]

    def dispatched(self) -> list[WorkflowRun]:
        return list(self.github.standin.state.repo(REPOSITORY).runs.items.values())

    def _log(self, version: str, at: float) -> None:
        """1000 predictions of one hour."""
        state = self.wandb.standin.state
        row = {"_timestamp": at, "eval/accuracy": self.accuracy[version], "eval/n": 1000}
        if version not in self.runs:
            config = {"model_version": version}
            self.runs[version] = state.add_run("acme", "churn-prod", version, config, created_at=at, history=[row])
        else:
            state.append_history(self.runs[version], [row])


def adopt(workplace: Workplace, environment: str) -> dict[str, str]:
    """The files of the user's repository: what `init` writes, and what the user wrote instead. Gives the workflows."""
    written = render_starter_files(
        model="churn", entity="acme", project="churn-prod", repository=REPOSITORY, owner="@alice", release=True
    )
    flows = {name: text for name, text in written.items() if name.startswith(".github/")}
    for name, text in flows.items():
        if name.endswith("rollback.yml"):
            flows[name] = text.replace("# environment: production", f"environment: {environment}")
        flows[name] = flows[name].replace("# baseline:", "baseline:")
    holdout = workplace.repository / "holdout"
    holdout.mkdir(parents=True)
    for name, right in {"v1": 0.85, "better": 0.95, "same": 0.85}.items():
        (holdout / f"{name}.parquet").write_bytes(predictions(right))
    for name in ("deploy.sh", "train.sh"):
        (workplace.repository / name).write_text({"deploy.sh": DEPLOY, "train.sh": TRAIN}[name])
        (workplace.repository / name).chmod(0o755)
    workplace.write({**flows, "modelwatch.yml": CONFIG, "train.py": TRAINING})
    return flows


@contextmanager
def open_world(folder: Path, published: Path, environment: str = "production") -> Iterator[World]:
    """Servers up, nothing logged yet; rollbacks wait for bob where ``environment`` is ``production``."""
    workplace = Workplace(folder / "place", published)
    flows = adopt(workplace, environment)
    with ExitStack() as stack:
        wandb = stack.enter_context(Server(WandbStandIn()))
        github = stack.enter_context(Server(GitHubStandIn()))
        pagerduty = stack.enter_context(Server(PagerDutyStandIn()))
        state = github.standin.state
        repo = state.add_repo(
            REPOSITORY, files=flows, collaborators={"alice": "write", "bob": "write", "carol": "write"}
        )
        repo.environments["production"] = ("bob",)
        pagerduty.standin.state.add_service("churn", ROUTING_KEY)
        python = workplace.folder / "on-time"
        python.write_text(ON_TIME)
        python.chmod(0o755)
        (workplace.folder / "clock").write_text("0")
        workplace.secrets = {
            "GITHUB_TOKEN": state.add_token(),
            "WANDB_API_KEY": "plantedkeyofwandb" + "7c1e" * 6,
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY_TOKEN": pagerduty.standin.state.add_token(),
            "COMMAND_ENVIRONMENT": f"CLUSTER_PASSWORD={COMMAND_SECRET}",
        }
        quiet = wandb_env(wandb.url, workplace.folder / "wandb")
        quiet.pop("WANDB_API_KEY")
        workplace.env |= quiet | {
            "GITHUB_API_URL": github.url,
            "PAGERDUTY_EVENTS_URL": pagerduty.url,
            "PAGERDUTY_API_URL": pagerduty.url,
            "MODELWATCH_WAIT_SCALE": "0.01",
            "MODELWATCH_PYTHON": str(python),
            "E2E_PYTHON": sys.executable,
            "E2E_ROOT": str(ROOT),
            "E2E_CLOCK": str(workplace.folder / "clock"),
            "E2E_PRODUCTION": str(workplace.folder / "production"),
        }
        kept = workplace.arguments(workplace.folder / "dispatched")
        executor = Awaited(workplace.repository, ACT, workplace.env, workplace.secrets, arguments=kept)
        executor.ended = Semaphore(0)
        state.executor = executor
        stack.callback(executor.close)
        world = World(workplace, github, pagerduty, wandb, executor)
        for standin in (state, pagerduty.standin.state, wandb.standin.state):
            standin.clock = world.now
        world.begin()
        yield world
    assert wandb.errors == github.errors == pagerduty.errors == []


def moves(world: World) -> list[tuple[str, str, str]]:
    """Verb, version and state of every move in W&B's history, oldest first."""
    found = []
    for project in world.wandb.standin.state.projects.values():
        for run in project.runs.values():
            if run.job_type == "modelwatch-release":
                config = {key: entry["value"] for key, entry in run.config.items()}
                told = config
                found.append((run.created_at, str(told["verb"]), str(told["target"]), str(run.summary.get("state"))))
    return [(verb, target, state) for _, verb, target, state in sorted(found)]


def plain(text: str) -> str:
    """One line, without what is only for machines."""
    return " ".join(re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).split())


def dump(world: World) -> str:
    """Everything that dispatched workflow runs told, to be shown when a test fails."""
    return json.dumps([(run.title, run.status, run.conclusion, run.log) for run in world.dispatched()], indent=1)
