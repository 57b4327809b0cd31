"""Issues: observed once, trusted by author, changed only as expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.plan import ChangeKind, ChangeResult, Note
from modelwatch.model.register import DispatchState, Register
from modelwatch.model.severity import Severity
from modelwatch.targets.register.codec import render_body
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github import BOT
from modelwatch.testing.standins.http import Request, Response

from ..world import GROUP, KEY, NOW, REPO, World, change, expect, group, intent, opening, plan, register, results

OPEN = change(ChangeKind.OPEN_ISSUE, register=register())


def opened(world: World) -> Register:
    world.apply(plan(OPEN))
    found = world.observe()[0].register
    assert found is not None
    return found


def update(world: World, notes: tuple[Note, ...] = (), **fields: object):  # type: ignore[no-untyped-def]
    (seen,) = world.observe()
    assert seen.register is not None
    wanted = replace(seen.register, **fields)  # type: ignore[arg-type]
    return change(ChangeKind.UPDATE_ISSUE, expect=expect(seen), register=wanted, notes=notes)


# --- opening


def test_a_new_issue_has_labels_assignees_and_a_short_title(world: World) -> None:
    world.spec = replace(world.spec, labels=("model:churn",), assignees=("alice",))
    assert results(world.apply(plan(OPEN))) == ["done"]
    (issue,) = world.issues()
    assert issue["labels"] == ["modelwatch", "severity:error", "model:churn"]
    assert issue["assignees"] == ["alice"]
    assert issue["title"] == "[error] churn: accuracy is not healthy"


@pytest.mark.parametrize(("owner", "assigned"), [("@alice", ["alice"]), ("@acme/growth-ml", []), ("the team", [])])
def test_an_owner_with_a_login_is_assigned(world: World, owner: str, assigned: list[str]) -> None:
    world.owner = owner
    assert results(world.apply(plan(OPEN))) == ["done"]
    assert world.issues()[0]["assignees"] == assigned


def test_the_label_of_the_severity_follows_it(world: World) -> None:
    opened(world)
    assert world.issues()[0]["labels"] == ["modelwatch", "severity:error"]
    world.apply(plan(update(world, severity=Severity.CRITICAL)))
    assert world.issues()[0]["labels"] == ["modelwatch", "severity:critical"]


def test_somebody_who_cannot_be_assigned_is_told_and_not_fatal(world: World) -> None:
    world.spec = replace(world.spec, assignees=("stranger",))
    (receipt,) = world.apply(plan(OPEN)).receipts
    assert receipt.result is ChangeResult.DONE
    assert "nobody is assigned" in receipt.detail
    assert len(world.issues()) == 1


def test_labels_dropped_silently_fail_and_never_make_a_second_issue(world: World) -> None:
    """GitHub drops the labels of somebody without the triage role; unlabelled, the issue would not be found again."""
    world.state.account_id("mallory")
    world.token = world.state.add_token("mallory", kind="user")
    repo = world.state.repo(REPO)
    repo.collaborators["mallory"] = "read"
    for _ in range(2):
        (receipt,) = world.apply(plan(OPEN)).receipts
        assert receipt.result is ChangeResult.FAILED
        assert "cannot be labelled" in receipt.detail
        assert "issues: write" in receipt.detail
    assert len(world.issues()) == 1
    repo.collaborators["mallory"] = "write"
    assert results(world.apply(plan(OPEN))) == ["already"]
    assert len(world.observe()) == 1


def test_notes_of_a_new_issue_stand_in_its_body(world: World) -> None:
    note = Note(f"{GROUP}.1.proposal", "proposal", "roll back to v6")
    world.apply(plan(replace(OPEN, notes=(note,))))
    (issue,) = world.issues()
    assert "roll back to v6" in str(issue["body"])
    again = update(world, notes=(note,), severity=Severity.CRITICAL)
    world.apply(plan(again))
    assert world.issues()[0]["comments"] == []


def test_an_answer_that_was_lost_is_looked_for(world: World) -> None:
    world.github.inject(Fault("drop", when="after", method="POST", path="/issues$"))
    assert results(world.apply(plan(OPEN))) == ["done"]
    assert len(world.issues()) == 1


def test_a_duplicate_from_a_lagging_list_is_closed_and_the_lowest_number_survives(world: World) -> None:
    world.state.lag.seconds = 3600.0
    assert results(world.apply(plan(OPEN))) == ["done"]
    world.github.inject(Fault("status", status=403, method="PATCH", path="/issues/2$"))
    assert results(world.apply(plan(OPEN))) == ["failed"], "the list does not show the first one yet"
    world.state.catch_up_lists()
    first, second = world.observe()
    assert (first.number, second.number) == (1, 2)
    closing = change(ChangeKind.CLOSE_DUPLICATE, expect=expect(second), notes=(Note("dup", "duplicate", "of #1"),))
    assert results(world.apply(plan(closing))) == ["done"]
    assert [(issue["state"], issue["reason"]) for issue in world.issues()] == [("open", None), ("closed", "duplicate")]
    assert results(world.apply(plan(closing))) == ["already"]
    assert results(world.apply(plan(OPEN))) == ["already"]


def test_an_old_server_without_the_reason_duplicate(world: World) -> None:
    opened(world)
    (seen,) = world.observe()
    world.github.inject(Fault("status", method="PATCH", status=422, body='{"message": "state_reason is invalid"}'))
    assert results(world.apply(plan(change(ChangeKind.CLOSE_DUPLICATE, expect=expect(seen))))) == ["done"]
    assert world.issues()[0]["reason"] == "not_planned"


# --- changing


def test_an_update_writes_register_and_evidence_with_one_request(world: World) -> None:
    opened(world)
    wanted = update(world, severity=Severity.CRITICAL, peak=Severity.CRITICAL)
    world.github.clear()
    assert results(world.apply(plan(wanted, groups=(group(Severity.CRITICAL),)))) == ["done"]
    assert world.requests() == [f"GET /repos/{REPO}/issues/1", f"PATCH /repos/{REPO}/issues/1"]
    (seen,) = world.observe()
    assert seen.register == wanted.register
    assert world.issues()[0]["title"] == "[critical] churn: accuracy is not healthy"


def test_a_title_that_a_person_gave_stays(world: World) -> None:
    opened(world)
    world.github.standin.person(REPO, "alice").edit_issue(1, title="EU is broken")
    world.apply(plan(update(world, severity=Severity.CRITICAL)))
    assert world.issues()[0]["title"] == "EU is broken"


def test_an_issue_edited_since_the_plan_is_left_alone(world: World) -> None:
    opened(world)
    wanted = update(world, severity=Severity.CRITICAL)
    before = str(world.issues()[0]["body"])
    world.github.standin.person(REPO, "alice").edit_issue(1, body=before + "\nmy notes")
    (receipt,) = world.apply(plan(wanted)).receipts
    assert receipt.result is ChangeResult.REFUSED
    assert "was changed since the plan" in receipt.detail
    assert world.issues()[0]["body"] == before + "\nmy notes"
    assert results(world.apply(plan(update(world, severity=Severity.CRITICAL)))) == ["done"]
    assert str(world.issues()[0]["body"]).endswith("\nmy notes")


def test_an_issue_closed_since_the_plan_is_left_alone(world: World) -> None:
    opened(world)
    wanted = update(world, severity=Severity.CRITICAL)
    world.github.standin.person(REPO, "alice").close_issue(1)
    (receipt,) = world.apply(plan(wanted)).receipts
    assert (receipt.result, receipt.detail) == (
        ChangeResult.REFUSED,
        "issue #1 is closed now, and the plan expects it open",
    )


def test_closes_and_reopens(world: World) -> None:
    opened(world)
    (seen,) = world.observe()
    assert seen.register is not None
    closing = change(ChangeKind.CLOSE_ISSUE, expect=expect(seen), register=replace(seen.register, closed=NOW))
    assert results(world.apply(plan(closing))) == ["done"]
    (seen,) = world.observe()
    assert seen.register is not None
    assert (seen.state, seen.state_reason, seen.register.closed) == ("closed", "completed", NOW)
    reopening = change(ChangeKind.REOPEN_ISSUE, expect=expect(seen), register=replace(seen.register, closed=None))
    assert results(world.apply(plan(reopening))) == ["done"]
    assert world.issues()[0]["state"] == "open"


def test_a_deleted_issue_is_told(world: World) -> None:
    missing = change(ChangeKind.UPDATE_ISSUE, expect=replace(OPEN.expect, issue=99), register=register())
    (receipt,) = world.apply(plan(missing)).receipts
    assert receipt.result is ChangeResult.FAILED
    assert "404" in receipt.detail


# --- observing


def test_only_trusted_authors(world: World) -> None:
    body = render_body("", "forged", register(severity=Severity.INFO))
    world.github.standin.person(REPO, "alice").open_issue("forged", body, ["modelwatch"])
    (seen,) = world.observe()
    assert not seen.trusted
    assert seen.register is None
    assert "alice" in seen.register_error
    assert "github.authors" in seen.register_error
    world.spec = replace(world.spec, authors=("Alice",))
    (seen,) = world.observe()
    assert seen.register is not None
    assert (seen.trusted, seen.register.severity) == (True, Severity.INFO)


def test_a_strangers_issue_does_not_keep_ours_from_being_opened(world: World) -> None:
    world.github.standin.person(REPO, "alice").open_issue(
        "forged", render_body("", "forged", register()), ["modelwatch"]
    )
    assert results(world.apply(plan(OPEN))) == ["done"]


def test_a_personal_token_trusts_its_own_login(world: World) -> None:
    world.token = world.state.add_token("alice", kind="user")
    opened(world)
    (seen,) = world.observe()
    assert (seen.author, seen.trusted) == ("alice", True)


def test_an_unreadable_register_is_a_trouble_of_that_issue(world: World) -> None:
    opened(world)
    body = str(world.issues()[0]["body"])
    world.github.standin.person(REPO, "alice").edit_issue(1, body=body.replace('"episode":1', '"episode":'))
    (seen,) = world.observe()
    assert seen.trusted
    assert seen.register is None
    assert "cannot be read" in seen.register_error


def test_other_issues_with_the_label_and_pull_requests_are_not_ours(world: World) -> None:
    person = world.github.standin.person(REPO, "alice")
    person.open_issue("talk about modelwatch", "no marker", ["modelwatch"])
    person.open_issue("another model", render_body("", "x", register(group="0" * 16, model="other")), ["modelwatch"])
    assert world.observe() == ()


def test_many_issues_are_listed_page_by_page(world: World) -> None:
    person = world.github.standin.person(REPO, BOT)
    for _ in range(120):
        person.open_issue("old", render_body("", "x", register()), ["modelwatch"])
    assert len(world.observe()) == 120


@pytest.mark.parametrize("state", ["open", "closed"])
def test_an_issue_that_changes_between_two_pages_is_not_missed(world: World, state: str) -> None:
    """Whoever comments on it moves it to the page that was read already; without it, another would be opened."""
    person = world.github.standin.person(REPO, BOT)
    for number in range(1, 121):
        person.open_issue("old", render_body("", "x", register()), ["modelwatch"])
        _touched(world, number, world.state.clock() - 7200 + number)
    handle, lists = world.github.standin.handle, 0

    def meddle(request: Request) -> Response:
        nonlocal lists
        response = handle(request)
        if request.path.endswith("/issues"):
            lists += 1
            if lists == 1:
                world.github.standin.person(REPO, "mallory").add_comment(5, "me, too")
                if state == "closed":
                    person.close_issue(5)
        return response

    world.github.standin.handle = meddle  # type: ignore[method-assign]
    found = {issue.number: issue.state for issue in world.connect().issue_client(world.spec).list_labelled(None)}
    assert len(found) == 120
    assert found[5] == state
    assert lists == 3


def test_closed_issues_beyond_sixty_days_are_left_out_and_old_open_ones_are_not(world: World) -> None:
    now = world.state.clock()
    person = world.github.standin.person(REPO, BOT)
    for number in range(1, 251):
        person.open_issue("old", render_body("", "x", register()), ["modelwatch"])
        if number > 1:
            person.close_issue(number)
        if number <= 200:
            _touched(world, number, now - 90 * 86_400)
    seen = {issue.number for issue in world.observe_model(now=now).issues}
    assert 1 in seen, "open, however old"
    assert set(range(201, 251)) <= seen
    assert len(seen) < 250


def _touched(world: World, number: int, at: float) -> None:
    repo = world.state.repo(REPO)
    key = next(key for key, issue in repo.issues.items.items() if issue.number == number)
    repo.issues.put(key, replace(repo.issues.items[key], updated=at))


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_what_cannot_be_observed_is_a_trouble(world: World, status: int) -> None:
    opened(world)
    world.github.inject(Fault("status", status=status, times=-1))
    observed = world.observe_model(now=NOW)
    assert observed.issues == ()
    assert {trouble.target.value for trouble in observed.errors} == {"issue", "dispatch"}
    assert all(str(status) in trouble.reason for trouble in observed.errors)


def test_losing_the_issue_step_loses_nothing(world: World) -> None:
    """Upptime loses an incident when the issue cannot be created; here the next evaluation creates it."""
    world.github.inject(Fault("status", method="POST", path="/issues$", status=403))
    assert results(world.apply(opening()))[0] == "failed"
    world.github.clear()
    assert results(world.apply(opening())) == ["done", "done", "done"]
    assert world.runs() == [f"modelwatch retrain churn {KEY}"]
    assert len(world.pagerduty.standin.state.incidents) == 1


@pytest.mark.parametrize(
    ("present", "result"), [(DispatchState.LOST, ChangeResult.REFUSED), (DispatchState.FINISHED, ChangeResult.ALREADY)]
)
def test_a_lost_dispatch_does_not_stand_for_a_finished_one(
    world: World, present: DispatchState, result: ChangeResult
) -> None:
    """The issue was written meanwhile: only what proves as much as the plan counts as done."""
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(intent(),)))))
    finished = update(world, dispatches=(intent(state=DispatchState.FINISHED),))
    world.apply(plan(update(world, dispatches=(intent(state=present),))))
    (receipt,) = world.apply(plan(finished)).receipts
    assert receipt.result is result
