"""The starter's drill, run whole under act: the caller, the reusable workflow, the action, the services of staging."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelwatch.config.templates import DRILL_FILE, render_starter_files
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server
from modelwatch.testing.standins.pagerduty import PagerDutyStandIn
from modelwatch.testing.standins.wandb import WandbStandIn
from tests.conftest import wandb_env
from tests.e2e.workplace import REPOSITORY, Workplace
from tests.stubs import workflows

STAGING = f"{REPOSITORY}-drill"


@dataclass(frozen=True)
class Scene:
    """The production repository that starts drills, and the services of staging."""

    workplace: Workplace
    github: Server[GitHubStandIn]
    pagerduty: Server[PagerDutyStandIn]
    wandb: Server[WandbStandIn]

    def leftovers(self) -> list[str]:
        found = [f"W&B run {name}" for one in self.wandb.standin.state.projects.values() for name in one.runs]
        found += [f"incident {one.number}" for one in self.pagerduty.standin.state.incidents if one.is_open]
        return found + [title for title, state in self.issues() if state == "open"]

    def issues(self) -> list[tuple[str, str]]:
        issues = self.github.standin.state.repo(STAGING).issues.items.values()
        return [(issue.title, issue.state) for issue in issues]


@pytest.fixture
def scene(
    workplace: Workplace,
    tmp_path: Path,
    github_server: Server[GitHubStandIn],
    pagerduty_server: Server[PagerDutyStandIn],
) -> Iterator[Scene]:
    state, services = github_server.standin.state, pagerduty_server.standin.state
    state.add_repo(REPOSITORY)
    state.add_repo(STAGING, files=workflows("retrain", "rollback"), collaborators={"ada": "write"})
    state.auto_finish = "success"
    routing_key = services.add_service("churn-drill").routing_key
    with Server(WandbStandIn()) as wandb:
        env = wandb_env(wandb.url, tmp_path / "wandb")
        workplace.secrets = {
            "GITHUB_TOKEN": state.add_token(repositories=[REPOSITORY]),
            "DRILL_GITHUB_TOKEN": state.add_token(),
            "WANDB_API_KEY": env.pop("WANDB_API_KEY"),
            "PAGERDUTY_TOKEN": services.add_token(read_only=True),
            "MODELWATCH_SECRETS": f"DRILL_ROUTING_KEY={routing_key}",
        }
        workplace.env |= env | {
            "MODELWATCH_WAIT_SCALE": "0.02",
            "GITHUB_API_URL": github_server.url,
            "PAGERDUTY_EVENTS_URL": pagerduty_server.url,
            "PAGERDUTY_API_URL": pagerduty_server.url,
        }
        files = render_starter_files(
            model="churn", entity="acme", project="churn-prod", repository=REPOSITORY, owner="@ada", drill=True
        )
        names = (f".github/workflows/{DRILL_FILE}", "staging.yml", "modelwatch.yml")
        workplace.write({name: files[name] for name in names} | {".github/workflows/drill.yml": OUR_WORKFLOW})
        yield Scene(workplace, github_server, pagerduty_server, wandb)


OUR_WORKFLOW = (Path(__file__).parents[2] / ".github/workflows/drill.yml").read_text("utf-8")


def test_a_monthly_drill_passes_and_a_broken_chain_is_an_issue(scene: Scene) -> None:
    """The caller in the starter calls our reusable workflow at the release; act runs it from the repository."""
    caller = scene.workplace.repository / ".github/workflows" / DRILL_FILE
    text = caller.read_text("utf-8")
    used = next(line.split("uses: ")[1] for line in text.splitlines() if "uses: " in line)
    here = re.sub(
        r"(?m)^(      scenarios:) .*", r"\1 accuracy-drop", text.replace(used, "./.github/workflows/drill.yml")
    )
    scene.workplace.write({f".github/workflows/{DRILL_FILE}": here})
    done = scene.workplace.start(DRILL_FILE)
    assert done.code == 0, done.told
    assert done.outputs["drill"]["passed"] == "true"
    assert "## ✅ `churn`: accuracy-drop" in done.summary
    assert "| 12 | issue and incident closed | pass |" in done.summary
    assert scene.leftovers() == []
    assert [state for _, state in scene.issues()] == ["closed"]

    scene.pagerduty.standin.state.on_call_is_reachable = False
    done = scene.workplace.start(DRILL_FILE)
    assert done.code != 0
    assert done.outputs["drill"]["broken-link"] == "somebody notified"
    assert done.outputs["drill"]["exit-code"] == "4"
    assert "BROKEN at link 7, somebody notified" in done.summary
    open_ones = [title for title, state in scene.issues() if state == "open"]
    assert open_ones == ["[DRILL] churn: accuracy-drop: BROKEN at link 7, somebody notified."]
