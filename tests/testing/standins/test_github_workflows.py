"""Dispatches and workflow runs of the GitHub stand-in, driven by PyGithub."""

from __future__ import annotations

import threading
from typing import Any

import github
import pytest
from github.Repository import Repository

from modelwatch.testing.standins.github import GitHubStandIn, Repo, RunControl
from modelwatch.testing.standins.http import Server

from .github_client import connect

RETRAIN = """
name: Retrain
run-name: modelwatch retrain ${{ inputs.model }} ${{ inputs.key }}
on:
  workflow_dispatch:
    inputs:
      model: {required: true}
      key: {required: true}
      size: {type: choice, options: [small, large], default: small}
      dry: {type: boolean}
jobs: {train: {name: Train it, runs-on: ubuntu-latest, environment: production, steps: [{run: "true"}]}}
"""
ROLLBACK = """
name: Roll back
run-name: modelwatch rollback ${{ github.event.client_payload.model }} ${{ github.event.client_payload.key || 'none' }}
on:
  repository_dispatch: {types: [rollback, other]}
jobs: {back: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
"""
PLAIN = "on: push\njobs: {}\n"
FILES = {
    f".github/workflows/{name}.yml": text
    for name, text in (("retrain", RETRAIN), ("rollback", ROLLBACK), ("plain", PLAIN))
}
INPUTS = {"model": "churn", "key": "g.1.retrain.1"}

Fixture = tuple[Repository, Repo, GitHubStandIn]


@pytest.fixture
def world(github_server: Server[GitHubStandIn]) -> Fixture:
    state = github_server.standin.state
    repo = state.add_repo("acme/churn", files=FILES, collaborators={"alice": "write"})
    hub = connect(github_server, state.add_token()).get_repo("acme/churn")
    return hub, repo, github_server.standin


def refused(hub: Repository, ref: str, inputs: dict[str, Any], workflow: str = "retrain.yml") -> str:
    """GitHub's message for a dispatch that it does not take."""
    with pytest.raises(github.GithubException) as caught:
        hub.get_workflow(workflow).create_dispatch(ref, inputs, throw=True)
    assert caught.value.status == 422
    return str(caught.value.data["message"])


def test_a_dispatch_gives_a_run_that_is_named(world: Fixture) -> None:
    hub, _, _ = world
    run = hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True, return_run_details=True)
    seen = hub.get_workflow_run(run.id)
    assert seen.display_title == "modelwatch retrain churn g.1.retrain.1"
    assert (seen.event, seen.status, seen.head_branch) == ("workflow_dispatch", "queued", "main")
    assert seen.raw_data["conclusion"] is None
    assert seen.html_url == run.html_url
    assert [job.name for job in seen.jobs()] == ["Train it"]


def test_without_details_the_run_is_found_by_its_name(world: Fixture) -> None:
    hub, _, _ = world
    assert hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True) is True
    found = [run for run in hub.get_workflow_runs(event="workflow_dispatch") if INPUTS["key"] in run.display_title]
    assert len(found) == 1


def test_an_older_server_refuses_the_question_for_details(world: Fixture) -> None:
    hub, repo, standin = world
    standin.state.is_old_server = True
    with pytest.raises(github.GithubException) as caught:
        hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True, return_run_details=True)
    assert caught.value.status == 422
    assert '"return_run_details" is not a permitted key' in caught.value.data["message"]
    assert not repo.runs.items
    assert hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True) is True
    assert len(repo.runs.items) == 1


def test_what_github_refuses_in_a_dispatch(world: Fixture) -> None:
    hub, repo, _ = world
    assert refused(hub, "main", INPUTS | {"more": "x", "yet": "y"}) == 'Unexpected inputs provided: ["more", "yet"]'
    assert refused(hub, "main", {"model": "churn"}) == "Required input 'key' not provided"
    assert "No more than 25 properties" in refused(hub, "main", {f"i{n}": "x" for n in range(26)})
    assert "is not a string" in refused(hub, "main", INPUTS | {"dry": True})
    assert "not in the list of allowed values" in refused(hub, "main", INPUTS | {"size": "huge"})
    assert "boolean" in refused(hub, "main", INPUTS | {"dry": "maybe"})
    assert "too large" in refused(hub, "main", INPUTS | {"model": "x" * 65_536})
    assert refused(hub, "nowhere", INPUTS) == "No ref found for: nowhere"
    assert "No ref found" in refused(hub, repo.git.branches["main"], INPUTS)
    assert "does not have 'workflow_dispatch' trigger" in refused(hub, "main", {}, "plain.yml")
    hub.get_workflow("retrain.yml").disable()
    assert "disabled workflow" in refused(hub, "main", INPUTS)
    with pytest.raises(github.UnknownObjectException):
        hub.get_workflow("gone.yml")
    assert not repo.runs.items


def test_a_dispatch_reads_the_file_of_its_ref(world: Fixture) -> None:
    hub, repo, standin = world
    changed = RETRAIN.replace("modelwatch retrain", "elsewhere")
    standin.state.add_file(repo, ".github/workflows/retrain.yml", changed, branch="next")
    run = hub.get_workflow("retrain.yml").create_dispatch("next", INPUTS, throw=True, return_run_details=True)
    assert hub.get_workflow_run(run.id).display_title.startswith("elsewhere churn")
    assert hub.get_workflow_run(run.id).head_sha == repo.git.branches["next"]


def test_a_repository_dispatch_starts_the_workflows_of_its_type(world: Fixture) -> None:
    hub, _, _ = world
    assert hub.create_repository_dispatch("rollback", {"model": "churn", "key": "k1"})
    assert hub.create_repository_dispatch("rollback", {"model": "churn"})
    assert hub.create_repository_dispatch("unheard", {})
    titles = [run.display_title for run in hub.get_workflow_runs(event="repository_dispatch")]
    assert titles == ["modelwatch rollback churn none", "modelwatch rollback churn k1"]


def test_the_limits_of_a_repository_dispatch(world: Fixture) -> None:
    hub, repo, _ = world
    assert hub.create_repository_dispatch("r" * 100, {f"k{n}": "x" for n in range(10)})
    assert not hub.create_repository_dispatch("r" * 101, {})
    assert not hub.create_repository_dispatch("rollback", {f"k{n}": "x" for n in range(11)})
    assert not hub.create_repository_dispatch("rollback", {"model": "x" * 65_536})
    assert not repo.runs.items


def test_runs_are_listed_by_what_they_are(world: Fixture) -> None:
    hub, _, standin = world
    now = [1_767_225_600.0]  # 2026-01-01
    standin.state.clock = lambda: now[0]
    workflow = hub.get_workflow("retrain.yml")
    ids = []
    for key in ("one", "two", "three"):
        now[0] += 3600
        run = workflow.create_dispatch("main", INPUTS | {"key": key}, throw=True, return_run_details=True)
        ids.append(run.id)
    hub.create_repository_dispatch("rollback", {})
    standin.state.start_run(ids[0])
    standin.state.finish_run(ids[1], "failure")
    assert [run.id for run in workflow.get_runs()] == ids[::-1]
    assert hub.get_workflow_runs().totalCount == 4
    assert [run.id for run in hub.get_workflow_runs(status="in_progress")] == [ids[0]]
    assert [run.id for run in hub.get_workflow_runs(status="failure")] == [ids[1]]
    assert [run.id for run in workflow.get_runs(status="queued")] == [ids[2]]
    assert [run.id for run in workflow.get_runs(created=">=2026-01-01T02:00:00Z")] == ids[:0:-1]
    assert [run.id for run in workflow.get_runs(created="<2026-01-01T02:00:00Z")] == ids[:1]
    assert [run.id for run in workflow.get_runs(created="2026-01-01")] == ids[::-1]
    assert workflow.get_runs(created=">2026-01-01").totalCount == 0
    assert workflow.get_runs(branch="other").totalCount == 0
    assert hub.get_workflow_run(ids[1]).conclusion == "failure"


def test_run_lists_lag_like_issue_lists(world: Fixture) -> None:
    hub, _, standin = world
    standin.state.lag.requests = 1
    run = hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True, return_run_details=True)
    assert [seen.id for seen in hub.get_workflow_runs()] == []
    assert hub.get_workflow_run(run.id).status == "queued"
    assert [seen.id for seen in hub.get_workflow_runs()] == [run.id]


def test_cancelling(world: Fixture) -> None:
    hub, _, _ = world
    run = hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True, return_run_details=True)
    assert hub.get_workflow_run(run.id).cancel()
    assert hub.get_workflow_run(run.id).conclusion == "cancelled"
    assert not hub.get_workflow_run(run.id).cancel()


def test_a_protected_environment_waits_for_its_reviewer(world: Fixture, github_server: Server[GitHubStandIn]) -> None:
    hub, repo, standin = world
    repo.environments["production"] = ("alice",)
    standin.state.auto_finish = "success"
    run = hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True, return_run_details=True)
    assert hub.get_workflow_run(run.id).status == "waiting"
    path = f"/repos/acme/churn/actions/runs/{run.id}/pending_deployments"
    _, pending = hub._requester.requestJsonAndCheck("GET", path)
    decision = {"environment_ids": [pending[0]["environment"]["id"]], "state": "approved", "comment": "go"}
    with pytest.raises(github.GithubException, match="not a reviewer"):
        hub._requester.requestJsonAndCheck("POST", path, input=decision)
    alice = connect(github_server, standin.state.add_token("alice", kind="user"))
    alice.requester.requestJsonAndCheck("POST", path, input=decision)
    assert hub.get_workflow_run(run.id).conclusion == "success"


def test_an_executor_runs_what_is_dispatched(world: Fixture) -> None:
    hub, _, standin = world
    done = threading.Event()
    seen: list[tuple[str, Any]] = []

    def execute(control: RunControl) -> None:
        control.start()
        seen.append((control.repository, control.run.payload["inputs"]))
        control.finish("failure", "no luck")
        done.set()

    standin.state.executor = execute
    run = hub.get_workflow("retrain.yml").create_dispatch("main", INPUTS, throw=True, return_run_details=True)
    assert done.wait(10)
    assert seen == [("acme/churn", INPUTS | {"size": "small", "dry": "false"})]
    assert hub.get_workflow_run(run.id).conclusion == "failure"
    assert standin.state.run(run.id)[1].log == "no luck"
