"""Issues of the GitHub stand-in, driven by PyGithub: what is kept, listed, refused and lagging."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import github
import pytest
from github.Repository import Repository

from modelwatch.testing.standins.github import BOT, GitHubStandIn, Repo
from modelwatch.testing.standins.http import Server

from .github_client import connect

Fixture = tuple[Repository, Repo, GitHubStandIn]


@pytest.fixture
def world(github_server: Server[GitHubStandIn]) -> Fixture:
    standin = github_server.standin
    repo = standin.state.add_repo("acme/churn", collaborators={"alice": "write", "carol": "triage"})
    return connect(github_server, standin.state.add_token()).get_repo("acme/churn"), repo, standin


def test_an_issue_is_kept_with_all_its_parts(world: Fixture) -> None:
    hub, repo, _ = world
    repo.milestones[1] = "First"
    made = hub.create_issue("Drop", body="text", labels=["modelwatch", "model:churn/a"], assignees=["alice"])
    seen = hub.get_issue(made.number)
    assert (seen.title, seen.body, seen.state, seen.user.login, seen.user.type) == ("Drop", "text", "open", BOT, "Bot")
    assert [label.name for label in seen.labels] == ["modelwatch", "model:churn/a"]
    assert [person.login for person in seen.assignees] == ["alice"]
    assert seen.author_association == "NONE"
    assert [event.event for event in seen.get_events()] == ["labeled", "labeled", "assigned"]


def test_closing_and_reopening_say_who_and_why(world: Fixture) -> None:
    hub, _, standin = world
    issue = hub.create_issue("Drop")
    standin.person("acme/churn", "alice").close_issue(issue.number, "not_planned")
    seen = hub.get_issue(issue.number)
    assert (seen.state, seen.state_reason) == ("closed", "not_planned")
    assert seen.closed_by is not None
    assert seen.closed_by.login == "alice"
    assert seen.closed_at is not None
    seen.edit(state="open")
    again = hub.get_issue(issue.number)
    assert (again.state, again.state_reason) == ("open", "reopened")
    assert (again.raw_data["closed_at"], again.raw_data["closed_by"]) == (None, None)
    assert [(event.event, event.actor.login) for event in again.get_events()] == [
        ("closed", "alice"),
        ("reopened", BOT),
    ]
    again.edit(state="closed")
    assert hub.get_issue(issue.number).state_reason == "completed"


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"title": "t" * 257}, "title", "title is too long (maximum is 256 characters)"),
        ({"title": "t", "body": "b" * 65_537}, "body", "body is too long (maximum is 65536 characters)"),
        ({"title": "t", "labels": ["l" * 51]}, "name", "name is too long (maximum is 50 characters)"),
        ({"title": "t", "assignees": ["nobody"]}, "assignees", None),
    ],
)
def test_what_github_refuses_in_an_issue(world: Fixture, fields: dict[str, Any], field: str, message: str) -> None:
    hub, repo, _ = world
    with pytest.raises(github.GithubException) as caught:
        hub.create_issue(**fields)
    assert caught.value.status == 422
    assert caught.value.data["message"] == "Validation Failed"
    assert caught.value.data["errors"][0]["field"] == field
    assert caught.value.data["errors"][0].get("message") == message
    assert not repo.issues.items


def test_the_longest_texts_are_accepted(world: Fixture) -> None:
    hub, _, _ = world
    issue = hub.create_issue("t" * 256, body="b" * 65_536)
    issue.create_comment("c" * 65_536)
    with pytest.raises(github.GithubException, match="too long"):
        issue.create_comment("c" * 65_537)
    with pytest.raises(github.GithubException, match="blank"):
        issue.create_comment(" ")
    with pytest.raises(github.GithubException, match="too long"):
        issue.edit(body="b" * 65_537)


def test_lists_filter_and_sort(world: Fixture) -> None:
    hub, _, standin = world
    now = [1_000_000.0]
    standin.state.clock = lambda: now[0]
    for number, labels in enumerate((["a"], ["a", "b"], ["B"]), start=1):
        now[0] += 100
        hub.create_issue(f"Issue {number}", labels=labels)
    now[0] += 100
    standin.person("acme/churn", "alice").close_issue(1)
    standin.person("acme/churn", "alice").open_issue("By hand", labels=["a"])
    assert [issue.number for issue in hub.get_issues(labels=["a"])] == [4, 2]
    assert [issue.number for issue in hub.get_issues(labels=["a", "b"], state="all")] == [2]
    assert [issue.number for issue in hub.get_issues(state="closed")] == [1]
    assert [issue.number for issue in hub.get_issues(state="all", sort="created", direction="asc")] == [1, 2, 3, 4]
    assert [issue.number for issue in hub.get_issues(state="all", sort="updated")] == [4, 1, 3, 2]
    assert [issue.number for issue in hub.get_issues(state="all", creator="alice")] == [4]  # type: ignore[arg-type]
    since = datetime.fromtimestamp(1_000_300, UTC)
    assert {issue.number for issue in hub.get_issues(state="all", since=since)} == {1, 3, 4}


def test_pages_lead_to_every_issue_once(world: Fixture) -> None:
    hub, _, standin = world
    person = standin.person("acme/churn", "alice")
    for number in range(1, 232):
        person.open_issue(f"Issue {number}", labels=["modelwatch"])
    hub._requester.per_page = 100
    listed = hub.get_issues(state="all", labels=["modelwatch"])
    assert sorted(issue.number for issue in listed) == list(range(1, 232))
    for index in range(35):
        person.add_comment(7, f"Comment {index}")
    assert [comment.body for comment in hub.get_issue(7).get_comments()] == [f"Comment {index}" for index in range(35)]
    assert hub.get_issue(7).comments == 35


def test_a_new_issue_is_found_by_number_before_it_is_listed(world: Fixture) -> None:
    hub, _, standin = world
    old = hub.create_issue("Old", labels=["x"])
    standin.state.lag.requests = 2
    new = hub.create_issue("New", labels=["x"])
    old.edit(state="closed")
    assert [issue.number for issue in hub.get_issues(labels=["x"])] == [old.number]
    assert hub.get_issue(new.number).title == "New"
    assert hub.get_issue(old.number).state == "closed"
    assert [issue.number for issue in hub.get_issues(labels=["x"])] == [old.number]
    assert [issue.number for issue in hub.get_issues(labels=["x"])] == [new.number]


def test_a_lag_in_seconds_ends_with_time_or_when_told(world: Fixture) -> None:
    hub, _, standin = world
    now = [5_000.0]
    standin.state.lag.clock = lambda: now[0]
    standin.state.lag.seconds = 60.0
    hub.create_issue("First")
    assert hub.get_issues().totalCount == 0
    now[0] += 61
    assert hub.get_issues().totalCount == 1
    hub.create_issue("Second")
    assert hub.get_issues().totalCount == 1
    standin.state.catch_up_lists()
    assert hub.get_issues().totalCount == 2


def test_labels_are_found_whatever_their_case_and_made_once(world: Fixture) -> None:
    hub, _, _ = world
    hub.create_label("Model:Churn", "ff0000", "of churn")
    with pytest.raises(github.GithubException) as caught:
        hub.create_label("model:churn", "00ff00")
    assert caught.value.data["errors"][0]["code"] == "already_exists"
    issue = hub.create_issue("Drop", labels=["MODEL:CHURN"])
    assert [label.name for label in issue.labels] == ["Model:Churn"]
    issue.add_to_labels("extra")
    issue.remove_from_labels("model:churn")
    assert [label.name for label in hub.get_issue(issue.number).labels] == ["extra"]
    assert {label.name for label in hub.get_labels()} == {"Model:Churn", "extra"}
    with pytest.raises(github.GithubException, match="invalid"):
        hub.create_label("other", "red")


def test_those_who_cannot_be_assigned_are_dropped_when_added(world: Fixture) -> None:
    hub, _, _ = world
    issue = hub.create_issue("Drop")
    issue.add_to_assignees("alice", "nobody")
    assert [person.login for person in hub.get_issue(issue.number).assignees] == ["alice"]
    issue.remove_from_assignees("alice")
    assert hub.get_issue(issue.number).assignees == []
    assert hub.has_in_assignees("alice")
    assert not hub.has_in_assignees("nobody")


def test_labels_of_a_user_who_may_not_triage_are_dropped(github_server: Server[GitHubStandIn]) -> None:
    state = github_server.standin.state
    state.add_repo("acme/open", private=False, collaborators={"carol": "triage"})
    for login, kept in (("stranger", []), ("carol", ["x"])):
        token = state.add_token(login, kind="user")
        hub = connect(github_server, token).get_repo("acme/open")
        issue = hub.create_issue(f"By {login}", labels=["x"], assignees=["carol"])
        assert [label.name for label in issue.labels] == kept
        assert [person.login for person in issue.assignees] == (["carol"] if kept else [])
    stranger = connect(github_server, state.add_token("stranger", kind="user")).get_repo("acme/open")
    stranger.get_issue(1).edit(state="closed")
    with pytest.raises(github.GithubException) as caught:
        stranger.get_issue(2).edit(state="closed")
    assert caught.value.status == 403


def test_the_timeline_has_events_and_comments_in_order(world: Fixture) -> None:
    hub, _, standin = world
    issue = hub.create_issue("Drop", labels=["x"])
    standin.person("acme/churn", "alice").add_comment(issue.number, "seen")
    issue.edit(state="closed")
    assert [entry.event for entry in issue.get_timeline()] == ["labeled", "commented", "closed"]
