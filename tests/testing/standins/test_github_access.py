"""Who may do what at the GitHub stand-in, and how often."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import github
import pytest

from modelwatch.testing.standins.github import GitHubStandIn
from modelwatch.testing.standins.http import Server

from .github_client import connect

READ = {"issues": "read", "contents": "read", "actions": "read"}


def raw(server: Server[GitHubStandIn], method: str, path: str, token: str, body: bytes = b"") -> tuple[int, Any, Any]:
    """Status, headers and JSON of one request."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.loads(error.read())


def test_a_wrong_token_is_bad_credentials(github_server: Server[GitHubStandIn]) -> None:
    github_server.standin.state.add_repo("acme/churn")
    with pytest.raises(github.BadCredentialsException) as caught:
        connect(github_server, "ghs_wrong").get_repo("acme/churn")
    assert caught.value.data["message"] == "Bad credentials"
    with pytest.raises(github.GithubException, match="Requires authentication") as none:
        github.Github(
            base_url=github_server.url, retry=None, seconds_between_requests=0, seconds_between_writes=0
        ).get_repo("acme/churn")
    assert none.value.status == 401


def test_a_token_without_the_permission_is_told_so(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    wf = "on: {workflow_dispatch: }\njobs: {}\n"
    repo = state.add_repo("acme/churn", files={".github/workflows/w.yml": wf})
    hub = connect(github_server, state.add_token(permissions=READ)).get_repo("acme/churn")
    assert hub.get_issues().totalCount == 0
    dispatch = hub.get_workflow("w.yml")
    for attempt in (
        lambda: hub.create_issue("x"),
        lambda: dispatch.create_dispatch("main", throw=True),
        lambda: hub.create_file("a", "m", "c"),
    ):
        with pytest.raises(github.GithubException) as caught:
            attempt()
        assert caught.value.status == 403
        assert caught.value.data["message"] == "Resource not accessible by integration"
    assert hub.create_repository_dispatch("go", {}) is False
    assert not repo.issues.items
    assert not repo.runs.items
    status, headers, _ = raw(
        github_server, "POST", "/repos/acme/churn/issues", next(iter(state.tokens)), b'{"title":"x"}'
    )
    assert (status, headers["x-accepted-github-permissions"]) == (403, "issues=write")


def test_what_a_token_does_not_reach_does_not_exist(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    state.add_repo("acme/hidden")
    state.add_repo("acme/open", private=False)
    hub = connect(github_server, state.add_token(repositories=["acme/mine"]))
    with pytest.raises(github.UnknownObjectException):
        hub.get_repo("acme/hidden")
    assert hub.get_repo("acme/open").get_issues().totalCount == 0
    with pytest.raises(github.GithubException) as caught:
        hub.get_repo("acme/open").create_issue("x")
    assert caught.value.status == 403
    stranger = connect(github_server, state.add_token("mallory", kind="user"))
    with pytest.raises(github.UnknownObjectException):
        stranger.get_repo("acme/hidden")
    assert stranger.get_user().login == "mallory"


def test_answers_carry_the_address_and_prefix_that_was_asked(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    token = state.add_token()
    state.add_repo("acme/churn")
    for prefix in ("", "/api/v3"):
        hub = connect(github_server, token, prefix).get_repo("acme/churn")
        issue = hub.create_issue("Drop")
        assert issue.url == f"{github_server.url}{prefix}/repos/acme/churn/issues/{issue.number}"
        assert issue.html_url == f"{github_server.url}/acme/churn/issues/{issue.number}"
        issue.create_comment("over the URL of the answer")
    assert hub.get_issues().totalCount == 2


def test_every_answer_counts_against_the_hour(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    token = state.add_token()
    state.add_repo("acme/churn")
    _, first, _ = raw(github_server, "GET", "/repos/acme/churn", token)
    _, second, _ = raw(github_server, "GET", "/repos/acme/nope", token)
    assert first["x-ratelimit-limit"] == "1000"
    assert int(first["x-ratelimit-remaining"]) - int(second["x-ratelimit-remaining"]) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_an_exhausted_limit_refuses_and_says_until_when(github_server: Server[GitHubStandIn], status: int) -> None:
    state = github_server.standin.state
    now = [1_000_000.0]
    state.limits.clock = lambda: now[0]
    token = state.add_token()
    state.add_repo("acme/churn")
    state.limits.exhaust_primary(600, status)
    seen, headers, body = raw(github_server, "GET", "/repos/acme/churn", token)
    assert seen == status
    assert "API rate limit exceeded" in body["message"]
    assert (headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"]) == ("0", "1000600")
    now[0] += 601
    assert raw(github_server, "GET", "/repos/acme/churn", token)[0] == 200


def test_eighty_contents_a_minute_and_no_more(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    now = [1_000_000.0]
    state.limits.clock = lambda: now[0]
    token = state.add_token()
    repo = state.add_repo("acme/churn")
    state.limits.enforce = True
    path = "/repos/acme/churn/issues"
    answers = [raw(github_server, "POST", path, token, b'{"title":"x"}') for _ in range(81)]
    assert [status for status, _, _ in answers] == [201] * 80 + [403]
    _, headers, body = answers[-1]
    assert "secondary rate limit" in body["message"]
    assert headers["retry-after"] == "60"
    assert len(repo.issues.items) == 80
    assert raw(github_server, "GET", path, token)[0] == 200
    now[0] += 61
    assert raw(github_server, "POST", path, token, b'{"title":"x"}')[0] == 201


def test_bodies_that_are_no_json_object_are_refused(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    token = state.add_token()
    state.add_repo("acme/churn")
    path = "/repos/acme/churn/issues"
    assert raw(github_server, "POST", path, token, b"{")[::2] == (
        400,
        {"message": "Problems parsing JSON", "documentation_url": "https://docs.github.com/rest", "status": "400"},
    )
    assert raw(github_server, "POST", path, token, b"[1]")[0] == 400
    assert (
        raw(github_server, "POST", path, token, b"{}")[2]["message"] == 'Invalid request.\n\n"title" wasn\'t supplied.'
    )
    assert raw(github_server, "GET", "/repos/acme/churn/nothing", token)[0] == 404


def test_teams_and_roles(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    state.organisations["acme"] = {"alice"}
    state.teams["acme", "ml"] = {"alice": "maintainer"}
    state.add_repo("acme/churn", collaborators={"alice": "triage"})
    token = state.add_token()
    path = "/orgs/acme/teams/ml/members"
    assert [member["login"] for member in raw(github_server, "GET", path, token)[2]] == ["alice"]
    assert raw(github_server, "GET", "/orgs/acme/teams/other/members", token)[0] == 404
    hub = connect(github_server, token).get_repo("acme/churn")
    assert hub.get_collaborator_permission("alice") == "read"
    assert hub.has_in_collaborators("alice")
    assert not hub.has_in_collaborators("bob")
    poor = state.add_token(permissions={"issues": "read"})
    assert raw(github_server, "GET", path, poor)[0] == 403
