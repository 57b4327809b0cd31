"""A dispatch at the GitHub stand-in really runs the workflow, under act."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from modelwatch.testing.standins.github import GitHubStandIn, RunControl
from modelwatch.testing.standins.github.act_executor import ActExecutor
from modelwatch.testing.standins.http import Server

from .github_client import connect

ACT = Path(sys.executable).parent / "act"
WORKFLOW = """
name: Try
run-name: try ${{ inputs.key }}
on:
  workflow_dispatch: {inputs: {key: {required: true}, code: {default: "0"}}}
  repository_dispatch: {types: [try]}
jobs:
  try:
    runs-on: ubuntu-latest
    steps:
      - env:
          KEY: ${{ inputs.key }}${{ github.event.client_payload.key }}
          PASSWORD: ${{ secrets.PASSWORD }}
        run: |
          echo "$KEY|$GITHUB_REPOSITORY|$GITHUB_RUN_ID|$ADDRESS|$PASSWORD" > "$WHERE/$KEY"
          echo "the password is $PASSWORD"
          sleep "${{ inputs.key == 'slow' && '60' || '0' }}"
          exit ${{ inputs.code || '0' }}
"""


class Waiting(ActExecutor):
    """Tells when a workflow run has ended."""

    ended = threading.Semaphore(0)

    def __call__(self, control: RunControl) -> None:
        super().__call__(control)
        self.ended.release()


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / ".github/workflows").mkdir(parents=True)
    (tree / ".github/workflows/try.yml").write_text(WORKFLOW)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", *words], cwd=tree, check=True)
    return tree


def test_dispatches_run_under_act(github_server: Server[GitHubStandIn], worktree: Path, tmp_path: Path) -> None:
    state = github_server.standin.state
    environment = {"WHERE": str(tmp_path), "ADDRESS": github_server.url}
    executor = Waiting(worktree, ACT, environment, {"PASSWORD": "hunter2hunter2"}, timeout=100)
    executor.ended = threading.Semaphore(0)
    state.executor = executor
    state.add_repo("acme/churn", worktree=worktree)
    hub = connect(github_server, state.add_token()).get_repo("acme/churn")
    workflow = hub.get_workflow("try.yml")
    good = workflow.create_dispatch("main", {"key": "good"}, throw=True, return_run_details=True)
    bad = workflow.create_dispatch("main", {"key": "bad", "code": "3"}, throw=True, return_run_details=True)
    assert hub.create_repository_dispatch("try", {"key": "payload"})
    assert all(executor.ended.acquire(timeout=120) for _ in range(3))
    assert hub.get_workflow_run(good.id).conclusion == "success"
    assert hub.get_workflow_run(bad.id).conclusion == "failure"
    written = (tmp_path / "good").read_text().strip()
    assert written == f"good|acme/churn|{good.id}|{github_server.url}|hunter2hunter2"
    assert (tmp_path / "payload").read_text().startswith("payload|acme/churn|")
    log = state.run(good.id)[1].log
    assert "the password is ***" in log
    assert "hunter2hunter2" not in log


def test_cancelling_ends_the_process(github_server: Server[GitHubStandIn], worktree: Path, tmp_path: Path) -> None:
    state = github_server.standin.state
    executor = Waiting(worktree, ACT, {"WHERE": str(tmp_path)}, {"PASSWORD": ""}, timeout=100)
    executor.ended = threading.Semaphore(0)
    state.executor = executor
    state.add_repo("acme/churn", worktree=worktree)
    hub = connect(github_server, state.add_token()).get_repo("acme/churn")
    run = hub.get_workflow("try.yml").create_dispatch("main", {"key": "slow"}, throw=True, return_run_details=True)
    until = time.monotonic() + 60
    while not (tmp_path / "slow").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert hub.get_workflow_run(run.id).status == "in_progress"
    assert hub.get_workflow_run(run.id).cancel()
    assert executor.ended.acquire(timeout=30)
    assert hub.get_workflow_run(run.id).conclusion == "cancelled"


def test_a_missing_act_is_a_startup_failure(github_server: Server[GitHubStandIn], worktree: Path) -> None:
    state = github_server.standin.state
    executor = Waiting(worktree, worktree / "no-act")
    executor.ended = threading.Semaphore(0)
    state.executor = executor
    state.add_repo("acme/churn", worktree=worktree)
    hub = connect(github_server, state.add_token()).get_repo("acme/churn")
    run = hub.get_workflow("try.yml").create_dispatch("main", {"key": "x"}, throw=True, return_run_details=True)
    assert executor.ended.acquire(timeout=30)
    assert hub.get_workflow_run(run.id).conclusion == "startup_failure"
