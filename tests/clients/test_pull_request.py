"""A file proposed by pull request: once, whatever is lost on the way; never what is so already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.clients.github import GitHubClient
from modelwatch.clients.pull_request import FileProposal, propose_file
from modelwatch.clients.redaction import Redactor
from modelwatch.errors import ServiceError
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.standin import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .test_github import QUICK, MovedRepository

REPO = "acme/churn"
PROPOSAL = FileProposal(
    "modelwatch/baseline-churn-v2-1", "baselines/churn one.json", b'{"entries": []}\n', "Baseline", "New."
)
WRITES = ("/git/refs$", "/contents/", "/pulls$")


class World:
    """A repository, and whoever proposes files in it."""

    def __init__(self, server: Server[GitHubStandIn]) -> None:
        self.github, self.state = server, server.standin.state
        self.state.add_repo(REPO)
        self.client = GitHubClient(server.url, self.state.add_token(), QUICK, redactor=Redactor(["hunter22"]))


@pytest.fixture
def world(github_server: Server[GitHubStandIn]) -> World:
    return World(github_server)


def make(world: World, proposal: FileProposal = PROPOSAL) -> str:
    return propose_file(world.client, REPO, proposal)


def there(world: World) -> list[tuple[str, str]]:
    """Title and state of every pull request, and the file on its branch is the proposed one."""
    repo = world.state.repo(REPO)
    found = [issue for issue in repo.issues.items.values() if issue.pull]
    for issue in found:
        assert issue.pull is not None
        assert repo.git.files_at(issue.pull.head)[PROPOSAL.path] == PROPOSAL.content
    return [(issue.title, issue.state) for issue in found]


def test_the_same_proposal_is_made_once(world: World) -> None:
    first = make(world)
    assert first.endswith("/pull/1")
    assert make(world) == first
    assert there(world) == [("Baseline", "open")]
    assert PROPOSAL.path not in world.state.repo(REPO).git.files_at("main")


def test_one_that_was_closed_is_not_opened_again(world: World) -> None:
    first = make(world)
    world.client.write("PATCH", f"/repos/{REPO}/pulls/1", "close it", {"state": "closed"})
    assert make(world) == first
    assert there(world) == [("Baseline", "closed")]


def test_what_is_so_already_is_not_proposed(world: World) -> None:
    world.state.add_file(world.state.repo(REPO), PROPOSAL.path, PROPOSAL.content.decode())
    assert make(world) == ""
    assert there(world) == []


def test_a_file_that_is_there_is_replaced(world: World) -> None:
    world.state.add_file(world.state.repo(REPO), PROPOSAL.path, "old")
    make(world)
    assert there(world) == [("Baseline", "open")]


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("what", ["drop", "reset", "broken-json"])
def test_an_answer_that_was_lost_is_looked_for(world: World, path: str, what: str) -> None:
    fault = Fault(what, when="after", method="PUT" if "contents" in path else "POST", path=path)
    world.github.inject(fault)
    try:
        make(world)
    except ServiceError:
        assert fault.strike_count
    make(world)
    assert there(world) == [("Baseline", "open")]


@pytest.mark.parametrize("path", WRITES)
def test_one_that_was_interrupted_is_gone_on_with(world: World, path: str) -> None:
    world.github.inject(Fault("status", status=502, method="PUT" if "contents" in path else "POST", path=path))
    with pytest.raises(ServiceError):
        make(world)
    assert make(world)
    assert there(world) == [("Baseline", "open")]


def test_a_repository_that_lets_no_workflow_open_pull_requests_is_told_so(world: World) -> None:
    world.state.repo(REPO).actions_may_open_pulls = False
    with pytest.raises(ServiceError, match="not permitted to create or approve pull requests"):
        make(world)


def test_another_branch_is_another_proposal(world: World) -> None:
    make(world)
    assert make(world, replace(PROPOSAL, branch="modelwatch/baseline-churn-v3-2", title="Later"))
    assert there(world) == [("Baseline", "open"), ("Later", "open")]


def test_secrets_in_title_and_text_are_masked(world: World) -> None:
    make(world, replace(PROPOSAL, title="Baseline hunter22", body="It needs hunter22."))
    [issue] = world.state.repo(REPO).issues.items.values()
    assert (issue.title, issue.body) == ("Baseline ***", "It needs ***.")


def test_a_repository_that_has_moved_is_named_and_nothing_is_proposed() -> None:
    with Server(MovedRepository(301)) as server, pytest.raises(ServiceError, match="has moved to acme/loyalty"):
        propose_file(GitHubClient(server.url, "secret-token", QUICK), REPO, PROPOSAL)
    assert all(method == "GET" for method, _, _ in server.standin.asked)


def test_a_file_that_changed_on_the_default_branch_is_not_taken_back(world: World) -> None:
    repo = world.state.repo(REPO)
    world.state.add_file(repo, PROPOSAL.path, "mine")
    with pytest.raises(ServiceError, match="is another one on the branch main of acme/churn than here"):
        make(world, replace(PROPOSAL, before=b"older"))
    assert there(world) == []
    assert make(world, replace(PROPOSAL, before=b"mine")).endswith("/pull/1")
