"""What the GitHub stand-in says about the past: runs, how they failed, releases, how far commits are apart."""

from __future__ import annotations

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.run_lifecycle import run_schedule
from modelwatch.testing.standins.http import Server
from tests.stubs import workflows

from .test_github_access import raw

REPO = "/repos/acme/churn"


def begin(server: Server[GitHubStandIn], **more: str) -> str:
    """A private repository with a workflow; returns a token that may read runs, and ``more``."""
    server.standin.state.add_repo("acme/churn", files=workflows("retrain"))
    return server.standin.state.add_token(permissions={"actions": "read", "contents": "read", **more})


def test_a_failed_job_is_annotated_with_its_exit_code(github_server: Server[GitHubStandIn]) -> None:
    state, token = github_server.standin.state, begin(github_server, checks="read")
    run = run_schedule(state, state.repo("acme/churn"), "retrain.yml")
    assert run.event == "schedule"
    state.finish_run(run.id, "failure", exit_code=4)
    _, _, jobs = raw(github_server, "GET", f"{REPO}/actions/runs/{run.id}/jobs", token)
    path = f"{REPO}/check-runs/{jobs['jobs'][0]['id']}/annotations"
    assert jobs["jobs"][0]["check_run_url"].endswith(path.removesuffix("/annotations"))
    _, _, notes = raw(github_server, "GET", path, token)
    assert [note["message"] for note in notes] == ["Process completed with exit code 4."]
    assert notes[0]["annotation_level"] == "failure"
    weak = state.add_token(permissions={"actions": "read"})
    assert raw(github_server, "GET", path, weak)[0] == 403
    assert raw(github_server, "GET", f"{REPO}/check-runs/{run.id * 100 + 7}/annotations", token)[0] == 404
    state.finish_run(run.id)
    assert raw(github_server, "GET", path, token)[2] == []


def test_releases_come_newest_first_and_commits_are_counted(github_server: Server[GitHubStandIn]) -> None:
    state, token = github_server.standin.state, begin(github_server)
    repo = state.repo("acme/churn")
    first = repo.git.branches["main"]
    for tag in ("v1", "v2"):
        state.add_file(repo, tag, tag)
        state.add_release(repo, tag, prerelease=tag == "v2")
    _, _, found = raw(github_server, "GET", f"{REPO}/releases", token)
    assert {(one["tag_name"], one["prerelease"]) for one in found} == {("v1", False), ("v2", True)}
    _, _, span = raw(github_server, "GET", f"{REPO}/compare/{first}...v2", token)
    assert (span["status"], span["ahead_by"], span["behind_by"], len(span["commits"])) == ("ahead", 2, 0, 2)
    _, _, span = raw(github_server, "GET", f"{REPO}/compare/v2...v1", token)
    assert (span["status"], span["ahead_by"], span["behind_by"]) == ("behind", 0, 1)
    assert raw(github_server, "GET", f"{REPO}/compare/v1...v1", token)[2]["status"] == "identical"
    for wrong in ("v1...v9", "v1"):
        assert raw(github_server, "GET", f"{REPO}/compare/{wrong}", token)[0] == 404


def test_only_personal_tokens_with_an_end_name_it(github_server: Server[GitHubStandIn]) -> None:
    state, end = github_server.standin.state, 1_800_000_000.0
    name = "github-authentication-token-expiration"
    tokens = {
        state.add_token("alice", kind="user", expires=end): "2027-01-15 08:00:00 UTC",
        state.add_token("alice", kind="user"): None,
        state.add_token(expires=end): None,
    }
    for token, told in tokens.items():
        assert raw(github_server, "GET", "/rate_limit", token)[1].get(name) == told


def test_a_workflow_is_as_old_as_its_file(github_server: Server[GitHubStandIn]) -> None:
    state, token = github_server.standin.state, begin(github_server)
    repo = state.repo("acme/churn")
    made = repo.git.commits[repo.git.branches["main"]].at
    state.clock = lambda: made + 1000
    state.add_file(repo, "other", "other")
    state.add_file(repo, ".github/workflows/new.yml", workflows("rollback")[".github/workflows/rollback.yml"])
    _, _, found = raw(github_server, "GET", f"{REPO}/actions/workflows", token)
    ages = {one["path"].rpartition("/")[2]: one["created_at"] for one in found["workflows"]}
    assert ages["retrain.yml"] < ages["new.yml"]
