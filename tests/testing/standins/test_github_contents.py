"""Files, branches and pull requests of the GitHub stand-in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import github
import pytest
from github.Repository import Repository

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.github.git_repo import blob_sha
from modelwatch.testing.standins.http import Server

PERMISSIONS = {"contents": "write", "pull_requests": "write", "issues": "write"}


def connect(server: Server[GitHubStandIn], **permissions: str) -> Repository:
    """The repository through PyGithub without its pauses and repetitions."""
    auth = github.Auth.Token(server.standin.state.add_token(permissions=PERMISSIONS | permissions))
    hub = github.Github(
        base_url=server.url, auth=auth, retry=None, seconds_between_requests=0, seconds_between_writes=0
    )
    return hub.get_repo("acme/churn")


def test_a_branch_a_file_and_a_pull_request(github_server: Server[GitHubStandIn]) -> None:
    repo = github_server.standin.state.add_repo("acme/churn", files={"baselines/churn.json": "{}"})
    hub = connect(github_server)
    hub.create_git_ref("refs/heads/baseline", hub.get_branch("main").commit.sha)
    with pytest.raises(github.GithubException, match="No commits between main and baseline"):
        hub.create_pull(base="main", head="baseline", title="Empty")
    old = hub.get_contents("baselines/churn.json", ref="baseline")
    assert not isinstance(old, list)
    hub.update_file(old.path, "Capture", '{"new": 1}', old.sha, branch="baseline")
    pull = hub.create_pull(base="main", head="baseline", title="Capture", body="why")
    assert (pull.number, pull.head.ref, pull.base.ref, pull.state) == (1, "baseline", "main", "open")
    assert [found.number for found in hub.get_pulls(head="acme:baseline")] == [1]
    assert hub.get_issue(1).pull_request is not None
    with pytest.raises(github.GithubException, match="already exists"):
        hub.create_pull(base="main", head="baseline", title="Again")
    assert repo.git.files_at("main")["baselines/churn.json"] == b"{}"
    assert repo.git.files_at("baseline")["baselines/churn.json"] == b'{"new": 1}'
    pull.edit(state="closed")
    assert hub.get_pulls().totalCount == 0
    hub.get_git_ref("heads/baseline").delete()
    assert "baseline" not in repo.git.branches


def test_a_write_over_somebody_elses_is_refused(github_server: Server[GitHubStandIn]) -> None:
    github_server.standin.state.add_repo("acme/churn", files={"a.txt": "one"})
    hub = connect(github_server)
    with pytest.raises(github.GithubException) as caught:
        hub.update_file("a.txt", "m", "two", blob_sha(b"zero"))
    assert caught.value.status == 409
    with pytest.raises(github.GithubException, match="sha"):
        hub.create_file("a.txt", "m", "two")
    with pytest.raises(github.UnknownObjectException):
        hub.get_contents("b.txt")
    with pytest.raises(github.GithubException, match="No commit found for the ref nowhere"):
        hub.get_contents("a.txt", ref="nowhere")


def test_a_workflow_file_needs_a_permission_of_its_own(github_server: Server[GitHubStandIn]) -> None:
    github_server.standin.state.add_repo("acme/churn")
    with pytest.raises(github.GithubException, match="without `workflows` permission") as caught:
        connect(github_server).create_file(".github/workflows/x.yml", "m", "on: push")
    assert caught.value.status == 403
    connect(github_server, workflows="write").create_file(".github/workflows/x.yml", "m", "on: push")


def test_actions_may_be_forbidden_to_open_pull_requests(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    repo = state.add_repo("acme/churn")
    repo.actions_may_open_pulls = False
    state.add_file(repo, "x", "y", branch="next")
    with pytest.raises(github.GithubException, match="not permitted to create or approve pull requests"):
        connect(github_server).create_pull(base="main", head="next", title="No")


def test_files_come_from_a_git_working_tree(github_server: Server[GitHubStandIn], tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q", "-b", "main")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir/a.txt").write_text("ä" * 100)
    (tmp_path / "untracked").write_text("x")
    git("add", "dir")
    git("commit", "-q", "-m", "x")
    repo = github_server.standin.state.add_repo("acme/churn", worktree=tmp_path)
    hub = connect(github_server)
    content = hub.get_contents("dir/a.txt")
    assert not isinstance(content, list)
    assert content.decoded_content.decode() == "ä" * 100
    assert content.sha == git("hash-object", "dir/a.txt").strip()
    assert [entry.path for entry in hub.get_contents("")] == ["dir"]  # type: ignore[union-attr]
    assert repo.git.branches["main"] == git("rev-parse", "HEAD").strip()
