"""Comments: ours are posted once, and what people comment is read as commands."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from modelwatch.model.plan import ANSWER, ChangeResult, Note
from modelwatch.model.severity import Severity
from modelwatch.targets.issues.observe import MISPLACED_REFUSAL
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import BOT, issue_actions
from modelwatch.testing.standins.http import Request, Response
from modelwatch.timeutil import DAY

from ..world import GROUP, NOW, REPO, World, plan, results
from .test_apply import opened, update

WORSE = Note(f"{GROUP}.1.worse.critical", "worse", "now critical")


def test_a_comment_is_posted_once(world: World) -> None:
    opened(world)
    world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL)))
    world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL, peak=Severity.CRITICAL)))
    (issue,) = world.issues()
    assert len(issue["comments"]) == 1  # type: ignore[arg-type]
    assert "Worse: now critical" in issue["comments"][0]  # type: ignore[index]


@pytest.mark.parametrize("what", ["drop", "reset", "broken-json"])
def test_a_comment_whose_answer_was_lost_is_not_posted_again(world: World, what: str) -> None:
    opened(world)
    world.github.inject(Fault(what, when="after", method="POST", path="/comments$"))
    assert results(world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL)))) == ["done"]
    assert len(world.issues()[0]["comments"]) == 1  # type: ignore[arg-type]


def test_only_our_own_account_says_what_was_posted(world: World) -> None:
    """Anybody can write the invisible marker of the comment that comes next."""
    opened(world)
    body = f"nice weather <!-- modelwatch:note {WORSE.key} -->"
    world.github.standin.person(REPO, "mallory").add_comment(1, body)
    world.github.inject(Fault("drop", when="after", method="POST", path="/comments$"))
    assert results(world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL)))) == ["done"]
    client = world.connect().issue_client(world.spec)
    assert client.comment_once(1, "a failure", "Not delivered.", frozenset({BOT}))
    assert not client.comment_once(1, "a failure", "Not delivered.", frozenset({BOT}))
    world.github.standin.person(REPO, "mallory").add_comment(1, client.find_comment(1, "Not", frozenset({BOT}))["body"])  # type: ignore[index]
    assert [body.splitlines()[0][:14] for body in world.issues()[0]["comments"]] == [  # type: ignore[attr-defined]
        "nice weather <", "**Worse: now c", "Not delivered.", "Not delivered."]  # fmt: skip


def test_an_answer_is_posted_when_the_register_has_it_and_never_twice(world: World) -> None:
    before = opened(world)
    note = Note(f"{GROUP}.1.command.7", ANSWER, "alice acknowledged this")
    world.github.inject(Fault("status", status=502, method="POST", path="/comments$"))
    world.github.requests.clear()
    (receipt,) = world.apply(plan(update(world, notes=(note,), last_comment=7))).receipts
    assert receipt.result is ChangeResult.DONE, "what follows, perhaps a dispatch, does not depend on it"
    assert "an answer to a command could not be posted" in receipt.detail
    writes = [asked for asked in world.requests() if not asked.startswith("GET")]
    assert writes[:2] == [f"PATCH /repos/{REPO}/issues/1", f"POST /repos/{REPO}/issues/1/comments"]
    (seen,) = world.observe()
    assert seen.register == replace(before, last_comment=7)


def test_the_newest_comments_are_read_first_and_those_that_were_handled_not_again(world: World) -> None:
    opened(world)
    mallory = world.github.standin.person(REPO, "mallory")
    ids = [mallory.add_comment(1, f"comment {number}").id for number in range(350)]
    client = world.connect().issue_client(world.spec)
    assert [row["id"] for row in client.list_comments(1)] == ids[::-1]
    world.github.requests.clear()
    assert [row["id"] for row in client.list_comments(1, ids[320])] == ids[:320:-1]
    assert len(world.requests()) == 2, "the first page says which is the last"
    world.state.repo(REPO).comments.remove(ids[5])
    assert [row["id"] for row in client.list_comments(1, ids[3])] == [*ids[:5:-1], ids[4]]


@pytest.mark.parametrize("what", ["an old one is edited", "a new one is deleted"])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_no_command_is_missed_or_read_twice_where_others_move_meanwhile(world: World, what: str, moment: int) -> None:
    """Anybody can edit and delete comments of their own, at any moment between two pages."""
    opened(world)
    world.spec = replace(world.spec, people=("alice",))
    mallory, alice = (world.github.standin.person(REPO, login) for login in ("mallory", "alice"))
    old = mallory.add_comment(1, "an old one")
    comments, handle = world.state.repo(REPO).comments, world.github.standin.handle
    comments.put(old.id, replace(old, created=NOW - 30 * DAY, updated=NOW - 30 * DAY))
    for number in range(1, 251):
        (alice if number in (100, 101, 200, 201) else mallory).add_comment(1, "/modelwatch ack")
    pages: list[Request] = []

    def meddle(request: Request) -> Response:
        response = handle(request)
        if request.path.endswith("/comments"):
            pages.append(request)
            if len(pages) == moment and what == "an old one is edited":
                comments.put(old.id, replace(old, created=NOW - 30 * DAY, updated=NOW))
            elif len(pages) == moment:
                comments.remove(old.id + 1)
        return response

    world.github.standin.handle = meddle  # type: ignore[method-assign]
    (issue,) = world.observe()
    allowed = [command.comment for command in issue.commands if command.allowed]
    assert [comment - old.id for comment in allowed] == [100, 101, 200, 201]
    assert issue.last_comment == old.id + 250
    assert not issue.comments_left_out


def test_a_comment_that_failed_is_planned_again_because_the_register_was_not_written(world: World) -> None:
    before = opened(world)
    world.github.inject(Fault("status", status=502, method="POST", path="/comments$"))
    assert results(world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL)))) == ["failed"]
    (seen,) = world.observe()
    assert seen.register == before


def test_a_locked_conversation_does_not_stop_the_rest(world: World) -> None:
    opened(world)
    world.github.inject(Fault("status", status=403, method="POST", path="/comments$", body='{"message": "locked"}'))
    (receipt,) = world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL))).receipts
    assert receipt.result is ChangeResult.FAILED, "a refusal that may pass: the comment is not to be lost"
    github = world.connect().github(world.spec, REPO)
    locked = github.get(f"/repos/{REPO}/issues/1", "read it") | {"locked": True}
    world.github.inject(Fault("status", status=200, method="GET", path="/issues/1$", body=json.dumps(locked)))
    world.github.inject(Fault("status", status=403, method="POST", path="/comments$", body='{"message": "locked"}'))
    (receipt,) = world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL))).receipts
    assert receipt.result is ChangeResult.DONE
    assert "could not be posted" in receipt.detail


def test_commands_of_people(world: World) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("Alice",))
    alice, bob = (world.github.standin.person(REPO, login) for login in ("alice", "bob"))
    alice.add_comment(1, "\r\n/modelwatch silence 24h upstream is down  \r\nthanks")
    bob.add_comment(1, "/modelwatch ack")
    bob.add_comment(1, "see `/modelwatch ack` above")
    bob.add_comment(1, "I would say /modelwatch ack")
    first, second = world.observe()[0].commands
    assert (first.author, first.verb, first.argument, first.allowed) == (
        "alice",
        "silence",
        "24h upstream is down",
        True,
    )
    assert (second.author, second.verb, second.argument, second.allowed) == ("bob", "ack", "", False)
    assert (first.by_stranger, second.by_stranger) == (False, True)
    world.apply(plan(update(world, last_comment=second.comment)))
    assert world.observe()[0].commands == ()


def test_a_comment_that_was_edited_commands_nothing(world: World) -> None:
    """Whoever may write in the repository can put words into the mouth of somebody who is on the list."""
    opened(world)
    world.spec = replace(world.spec, people=("alice",))
    said = world.github.standin.person(REPO, "alice").add_comment(1, "this looks bad")
    repo = world.state.repo(REPO)
    repo.comments.put(said.id, replace(said, body="/modelwatch approve", updated=said.created + 60))
    (command,) = world.observe()[0].commands
    assert (command.author, command.allowed) == ("alice", False)
    assert command.refused.startswith("edited comments are ignored")


@pytest.mark.parametrize(
    ("body", "verbs"),
    [
        ("for example:\n```\n/modelwatch approve\n```", []),
        ("~~~~ sh\n/modelwatch approve\n~~~\n/modelwatch reject\n~~~~\n/modelwatch ack", ["ack"]),
        ("fine <!--\n/modelwatch approve\n-->", []),
        ("a fence that never ends\n```\n/modelwatch approve", []),
        ("> /modelwatch approve\n\nI would not", []),
        ("    /modelwatch approve", []),
        ("/modelwatch approve", ["approve"]),
    ],
)
def test_only_what_everybody_sees_as_said_is_a_command(world: World, body: str, verbs: list[str]) -> None:
    opened(world)
    world.github.standin.person(REPO, "alice").add_comment(1, body)
    assert [command.verb for command in world.observe()[0].commands] == verbs


@pytest.mark.parametrize(
    ("body", "is_hinted"),
    [
        ("I look at it.\n/modelwatch ack\nthanks", True),
        ("I would say /modelwatch ack", True),
        ("done, /modelwatch silence 2h a deployment", True),
        ("see `/modelwatch ack` above", False),
        ("> /modelwatch ack\n\nI would not", False),
        ("see https://example.org/modelwatch ack", False),
        ("the /modelwatch documentation says so", False),
    ],
)
def test_a_command_within_a_comment_gets_a_hint(world: World, body: str, is_hinted: bool) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("alice",))
    for login in ("alice", "mallory", "helper[bot]"):
        world.github.standin.person(REPO, login).add_comment(1, body)
    found = [(command.author, command.allowed, command.refused) for command in world.observe()[0].commands]
    assert found == ([("alice", False, MISPLACED_REFUSAL)] if is_hinted else []), "a hint for who may command"


def test_bots_never_command(world: World) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("alice", "helper[bot]"))
    world.github.standin.person(REPO, "helper[bot]").add_comment(1, "/modelwatch approve")
    assert world.observe()[0].commands == ()


def test_a_comment_asks_for_one_thing(world: World) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("alice",))
    world.github.standin.person(REPO, "alice").add_comment(1, "/modelwatch reject\n/modelwatch rollback v3")
    (command,) = world.observe()[0].commands
    assert not command.allowed
    assert command.refused == "it has several commands: write one comment for each"


def test_members_of_a_team_may_command(world: World) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("acme/oncall",))
    world.state.teams[("acme", "oncall")] = {"ada": "member"}
    for login in ("ada", "bob"):
        world.github.standin.person(REPO, login).add_comment(1, "/modelwatch ack")
    ada, bob = world.observe()[0].commands
    assert (ada.author, ada.allowed, ada.refused) == ("ada", True, "")
    assert not bob.allowed
    assert bob.refused.endswith("nor, as far as this token can see, in the team @acme/oncall")


def test_a_team_is_read_once_however_many_strangers_comment(world: World) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("acme/oncall",))
    world.state.teams[("acme", "oncall")] = {f"member-{number}": "member" for number in range(120)}
    for number in range(40):
        world.github.standin.person(REPO, f"stranger-{number}").add_comment(1, "/modelwatch ack")
    world.github.standin.person(REPO, "Member-7").add_comment(1, "/modelwatch ack")
    world.github.requests.clear()
    assert [command.author for command in world.observe()[0].commands if command.allowed] == ["Member-7"]
    assert len([asked for asked in world.requests() if "/orgs/" in asked]) == 2, "a page for each hundred members"


def test_a_team_that_cannot_be_read_lets_nobody_in(world: World) -> None:
    opened(world)
    world.spec = replace(world.spec, people=("acme/oncall",))
    world.github.standin.person(REPO, "ada").add_comment(1, "/modelwatch approve")
    world.github.inject(Fault("status", status=403, times=-1, path="/orgs/"))
    (command,) = world.observe()[0].commands
    assert not command.allowed
    assert "membership of @acme/oncall cannot be read" in command.refused


def test_our_own_comments_are_no_commands(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    monkeypatch.setattr("modelwatch.targets.issues.apply.note_text", lambda *_: "\n/modelwatch ack")
    note = Note("n", "command")
    world.apply(plan(update(world, notes=(note,), severity=Severity.CRITICAL)))
    assert "\n/modelwatch ack" in world.issues()[0]["comments"][0]  # type: ignore[index]
    assert world.observe()[0].commands == ()


@pytest.mark.parametrize("topic", ["worse", ANSWER])
@pytest.mark.parametrize("lag", [0, 1])
def test_of_two_evaluations_that_comment_at_once_the_later_one_deletes_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, topic: str, lag: int
) -> None:
    """Neither has seen the comment of the other when it posts; the list may lag behind for a moment."""
    opened(world)
    body = f"**Worse** <!-- modelwatch:note {WORSE.key} -->"
    _comment_first(world, monkeypatch, BOT, body, lag)
    world.apply(plan(update(world, notes=(replace(WORSE, topic=topic),), severity=Severity.CRITICAL)))
    assert world.issues()[0]["comments"] == [body]
    assert world.observe()[0].register is not None


def test_what_a_person_comments_at_the_same_time_deletes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    _comment_first(world, monkeypatch, "mallory", f"<!-- modelwatch:note {WORSE.key} -->")
    world.apply(plan(update(world, notes=(WORSE,), severity=Severity.CRITICAL)))
    assert len(world.issues()[0]["comments"]) == 2  # type: ignore[arg-type]


def test_of_two_reports_of_a_failure_the_later_one_is_deleted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(world)
    client = world.connect().issue_client(world.spec)
    assert client.comment_once(1, "a failure", "Not delivered.", frozenset({BOT}))
    body: str = world.issues()[0]["comments"][0]  # type: ignore[index]
    world.state.repo(REPO).comments.remove(next(iter(world.state.repo(REPO).comments.items)))
    _comment_first(world, monkeypatch, BOT, body)
    client.comment_once(1, "a failure", "Not delivered.", frozenset({BOT}))
    assert world.issues()[0]["comments"] == [body]


def _comment_first(world: World, monkeypatch: pytest.MonkeyPatch, login: str, body: str, lag: int = 0) -> None:
    """Just before the next comment is posted, somebody else posts one; the next ``lag`` lists do not show both."""
    standin, state = world.github.standin, world.github.standin.state
    handle = standin.handle
    met: list[Request] = []

    def comment_first(request: Request) -> Response:
        if request.method == "POST" and request.path.endswith("/comments") and not met:
            met.append(request)
            state.lag.requests = lag
            issue_actions.add_comment(state, state.repo(REPO), 1, login, body)
        return handle(request)

    monkeypatch.setattr(standin, "handle", comment_first)
