"""The requests that we send to GitHub, and the simulated answers, are as GitHub's REST description has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelwatch.clients.github import GitHubClient
from modelwatch.clients.pull_request import FileProposal, propose_file
from modelwatch.clients.retry import RetryPolicy
from modelwatch.clients.workflow_dispatch import dispatch_repository, dispatch_workflow
from modelwatch.relay.github_dispatch import Dispatcher, StaticTokenProvider
from modelwatch.relay.settings import RelaySettings
from modelwatch.relay.telemetry import Metrics
from modelwatch.targets.recent_changes import read_repository_changes
from modelwatch.targets.register.authorization import Authorizer
from modelwatch.targets.register.client import IssueClient
from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Request, Response, Server
from tests.stubs import workflows

from .github_contract import OPERATIONS, REPO, check, compare


class CheckedGitHub(GitHubStandIn):
    """The stand-in, which remembers what was not as described."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.problems: list[str] = []

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        if request.path != "/graphql":
            name, problems = check(request, response)
            self.seen.add(name)
            self.problems += problems
        return response


QUICK = RetryPolicy(max_attempts=1, timeout=5.0, wait_scale=0.001)


@pytest.fixture
def server() -> Iterator[Server[CheckedGitHub]]:
    with Server(CheckedGitHub()) as server:
        repo = server.standin.state.add_repo("acme/churn", files=workflows("retrain"), collaborators={"alice": "write"})
        repo.git.commit("main", {"a.txt": b"a"}, "A commit", "alice", 1.8e9)
        server.standin.state.teams["acme", "ml"] = {"alice": "maintainer"}
        yield server


def use_everything(server: Server[CheckedGitHub]) -> None:
    """Every kind of request that we send to GitHub's REST API."""
    state = server.standin.state
    github = GitHubClient(server.url, state.add_token("modelwatch[bot]"), QUICK)
    person = GitHubClient(server.url, state.add_token("alice", kind="user"), QUICK)
    assert person.login() == "alice"
    issues = IssueClient(github, "acme/churn")
    issue = issues.create("title", "body", ["modelwatch"], ["alice"])
    issues.create_label("another")
    issues.add_labels(issue.number, ["another"])
    issues.assign(issue.number, "alice")
    authors = frozenset({"modelwatch[bot]"})
    issues.comment_once(issue.number, "key", "text", authors)
    comment = issues.add_comment(issue.number, "text <!-- m -->", "<!-- m -->", authors)
    issues.edit_comment(comment["id"], "other text")
    assert issues.get_comment(comment["id"])
    issues.delete_comment(comment["id"])
    issues.update(issue.number, {"title": "other", "body": "text", "labels": ["modelwatch"]})
    issues.update(issue.number, {"state": "closed", "state_reason": "completed"})
    assert issues.get(issue.number).state == "closed"
    assert issues.list_labelled(2e9)
    assert issues.list_closed(1.0).issues
    assert list(issues.list_newest(1.0))
    issues.is_public()
    assert Authorizer(person, ["acme/ml"]).denial_reason("alice") == ""
    inputs = {"key": "k", "model": "churn"}
    accepted = dispatch_workflow(github, "acme/churn", "retrain.yml", "", inputs)
    assert github.get(f"/repos/acme/churn/actions/runs/{accepted.run_id}", "read it")
    for path in ("actions/workflows/retrain.yml/runs", "actions/runs"):
        query = {"event": "workflow_dispatch", "created": ">=2020-01-01"}
        assert next(github.paginate(f"/repos/acme/churn/{path}", "list", query, item="workflow_runs"))
    dispatch_repository(github, "acme/churn", "retrain", inputs)
    asyncio.run(relay_dispatch(server.url, state.add_token("relay")))
    proposal = FileProposal("modelwatch/b", "baselines/churn.json", b"{}\n", "Baseline", "New.")
    assert propose_file(github, "acme/churn", proposal)
    assert propose_file(github, "acme/churn", replace(proposal, branch="modelwatch/c", content=b"{ }\n"))
    changes = read_repository_changes(github, "acme/churn", "modelwatch.yml", 1.0, 4e9)
    assert changes.changes
    assert not changes.problems


async def relay_dispatch(url: str, token: str) -> None:
    settings = RelaySettings({}, Path("none"), url, token=token)
    dispatcher = Dispatcher(settings, StaticTokenProvider(token, None), Metrics())
    assert (await dispatcher.dispatch("acme/churn", {"schema": 1})).accepted
    await dispatcher.close()


def test_what_is_sent_and_answered_is_as_described(server: Server[CheckedGitHub]) -> None:
    use_everything(server)
    assert server.errors == []
    assert server.standin.problems == []
    assert server.standin.seen == set(OPERATIONS), "the summary has what is used, and nothing else"


def test_what_is_not_as_described_is_seen() -> None:
    path = "/repos/acme/churn/issues"
    asked = Request("POST", path, {"page": ["1"]}, {}, b'{"title": 5, "colour": "red"}')
    _, problems = check(asked, Response.of({"number": "1"}, 201))
    text = "\n".join(problems)
    for word in ("unknown parameter page", "5 is not of type 'string'", "colour", "'1' is not of type", "'html_url'"):
        assert word in text
    assert check(Request("POST", "/elsewhere", {}, {}, b""), Response())[1] == ["POST /elsewhere is not described"]


def test_a_difference_from_the_description_is_found() -> None:
    body = {"type": "object", "properties": {"body": {"type": "integer"}, "kind": {}}, "required": ["body", "kind"]}
    answer = {"type": "object", "properties": {"id": {"type": "integer", "nullable": True}}, "required": ["id"]}
    described = {
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"201": {"content": {"application/json": {"schema": answer}}}},
    }
    count, found = compare({"paths": {f"{REPO}/issues/{{issue_number}}/comments": {"post": described}}})
    assert count == 1
    for words in (".body: integer, not string", ".kind is required", ".id can be null", ".html_url is not described"):
        assert any(words in problem for problem in found), (words, found)
