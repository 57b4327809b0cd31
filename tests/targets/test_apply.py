"""Opening, paging and dispatching, healthy and with every fault at every request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.plan import ChangeKind, ChangeResult, Plan, Precondition
from modelwatch.model.register import DispatchState, PageRecord
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.testing.standins.faults import Fault

from .world import (
    GROUP,
    KEY,
    NOW,
    REPO,
    World,
    change,
    dispatch,
    dispatching_again,
    expect,
    fresh_world,
    group,
    intent,
    opening,
    plan,
    register,
    results,
)


def test_opens_pages_and_dispatches_with_few_requests(world: World) -> None:
    receipts = world.apply(opening())

    assert results(receipts) == ["done", "done", "done"], receipts
    (issue,) = world.issues()
    assert issue["state"] == "open"
    assert "modelwatch" in str(issue["labels"])
    assert world.runs() == [f"modelwatch retrain churn {KEY}"]
    (incident,) = world.pagerduty.standin.state.incidents
    assert incident.status == "triggered"
    (seen,) = world.observe()
    assert seen.trusted
    assert seen.register is not None
    assert seen.register.page == PageRecord("triggered", Severity.ERROR, NOW)
    (record,) = seen.register.dispatches
    assert record.state is DispatchState.SENT
    assert record.run_id is not None
    assert record.url == receipts.receipts[2].url
    assert "dispatched" in str(issue["body"]), "the evidence was rendered again with the receipt"


def test_the_number_of_requests(world: World) -> None:
    world.apply(opening())
    verbs = [line.replace("/repos/acme/churn", "") for line in world.requests()]
    assert verbs == [
        "GET /issues",
        "POST /issues",
        "GET /actions/workflows/retrain.yml/runs",
        "GET ",
        "POST /actions/workflows/retrain.yml/dispatches",
        "GET /issues/1",
        "PATCH /issues/1",
    ]
    world.github.clear()
    world.observe()
    assert len(world.requests()) == 2  # the list of issues, and (without a judgement) the workflow's runs


def test_applying_a_plan_twice_changes_nothing(world: World) -> None:
    world.apply(opening())
    before = world.issues()
    again = world.apply(opening())

    assert results(again) == ["already", "already", "already"]
    assert world.issues() == before
    assert len(world.runs()) == 1
    assert len(world.pagerduty.standin.state.incidents[0].log) == 1


@pytest.mark.parametrize(
    "order", [(Target.ISSUE, Target.PAGE, Target.DISPATCH), (Target.ISSUE, Target.DISPATCH, Target.PAGE)]
)
def test_a_plan_applied_in_parts_by_separate_processes(world: World, order: tuple[Target, ...]) -> None:
    told = [world.apply(opening(), {target}) for target in order]

    assert sorted(results(told[0])) == ["done", "not-asked", "not-asked"]
    assert all(results(part).count("done") == 1 for part in told)
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.page is not None
    assert seen.register.dispatches[0].state is DispatchState.SENT
    assert len(world.runs()) == 1


def test_no_dispatch_without_a_written_intent(world: World) -> None:
    lonely = plan(change(ChangeKind.DISPATCH_WORKFLOW, dispatch=dispatch()))
    assert results(world.apply(lonely)) == ["refused"]

    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register())))
    (receipt,) = world.apply(lonely).receipts
    assert receipt.result is ChangeResult.REFUSED
    assert "intent is not written" in receipt.detail
    assert world.runs() == []


@pytest.mark.parametrize("state", [DispatchState.PROPOSED, DispatchState.LOST])
def test_a_proposed_or_lost_dispatch_is_not_sent(world: World, state: DispatchState) -> None:
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register(dispatches=(intent(state=state),)))))
    assert results(world.apply(plan(change(ChangeKind.DISPATCH_WORKFLOW, dispatch=dispatch())))) == ["refused"]
    assert world.runs() == []


def test_github_down_the_page_still_goes(world: World) -> None:
    world.github.inject(Fault("status", status=503, times=-1))
    receipts = world.apply(opening())
    assert results(receipts) == ["failed", "done", "refused"]
    assert [incident.status for incident in world.pagerduty.standin.state.incidents] == ["triggered"]


def test_pagerduty_down_the_issue_says_so(world: World) -> None:
    world.pagerduty.inject(Fault("status", status=503, times=-1))
    receipts = world.apply(opening())
    assert results(receipts) == ["done", "failed", "done"]
    assert "503" in receipts.receipts[1].detail
    (issue,) = world.issues()
    assert "notifying PagerDuty failed" in str(issue["body"])
    assert len(world.runs()) == 1


def test_no_token_the_page_still_goes(world: World) -> None:
    world.token = ""
    receipts = world.apply(opening())
    assert results(receipts) == ["failed", "done", "refused"]
    assert "GITHUB_TOKEN" in receipts.receipts[0].detail


def test_no_routing_key_is_told(world: World) -> None:
    world.routing_key = ""
    receipts = world.apply(opening())
    assert results(receipts) == ["done", "failed", "done"]
    assert receipts.receipts[1].detail == (
        "the environment variable PAGERDUTY_ROUTING_KEY, the PagerDuty routing key, is not set"
    )


def test_a_text_that_fails_does_not_keep_the_page_from_going(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr("modelwatch.targets.issues.apply.issue_text", fail)
    receipts = world.apply(opening())
    assert results(receipts) == ["failed", "done", "refused"]
    assert "a bug in modelwatch" in receipts.receipts[0].detail


def test_a_plan_without_the_evidence_still_pages(world: World) -> None:
    receipts = world.apply(replace(opening(), groups=()))
    assert results(receipts) == ["done", "done", "done"]
    assert "because" in world.pagerduty.standin.state.incidents[0].title


def test_a_stale_escalation_is_no_downgrade_and_a_new_one_is_sent(world: World) -> None:
    world.apply(opening())
    worse = change(ChangeKind.TRIGGER_INCIDENT, severity=Severity.CRITICAL, expect=expect(world.observe()[0]))
    receipts = world.apply(plan(worse, at=NOW + 60, groups=(group(Severity.CRITICAL),)), now=NOW + 60)
    assert results(receipts) == ["done"]
    assert world.pagerduty.standin.state.incidents[0].severity == "critical"
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.page == PageRecord("triggered", Severity.CRITICAL, NOW + 60)


def closing(world: World, later: float) -> Plan:
    """As it is planned: first the incident, then the issue."""
    (seen,) = world.observe()
    assert seen.register is not None
    return plan(
        change(ChangeKind.RESOLVE_INCIDENT, expect=Precondition(seen.number)),
        change(ChangeKind.CLOSE_ISSUE, expect=expect(seen), register=replace(seen.register, closed=later)),
        at=later,
    )


def test_resolves_and_closes(world: World) -> None:
    world.apply(opening())
    later = NOW + 3600
    wanted = closing(world, later)
    world.github.clear()
    assert results(world.apply(wanted, now=later)) == ["done", "done"]
    assert [line.partition(" ")[0] for line in world.requests()] == ["GET", "GET", "PATCH"]
    (issue,) = world.issues()
    assert (issue["state"], issue["reason"]) == ("closed", "completed")
    assert world.pagerduty.standin.state.incidents[0].status == "resolved"
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.page is not None
    assert (seen.register.page.state, seen.register.closed) == ("resolved", later)
    assert results(world.apply(wanted, now=later)) == ["already", "already"]
    assert len(world.pagerduty.requests) == 2


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize(
    ("when", "what", "status"), [("before", "status", 500), ("before", "drop", 0), ("after", "drop", 0)]
)
def test_closing_converges_after_a_fault(world: World, step: int, when: str, what: str, status: int) -> None:
    world.apply(opening())
    later = NOW + 3600
    wanted = closing(world, later)
    world.github.clear()
    world.github.inject(Fault(what, when=when, status=status, skip=step, times=4))
    world.apply(wanted, now=later)
    world.github.clear()
    if world.issues()[0]["state"] == "open":
        wanted = closing(world, later)  # the next evaluation plans on what it finds
    assert set(results(world.apply(wanted, now=later))) <= {"done", "already"}
    assert world.issues()[0]["state"] == "closed"
    (incident,) = world.pagerduty.standin.state.incidents
    assert incident.status == "resolved"


def test_a_trouble_is_over_once_it_is_done(world: World) -> None:
    world.pagerduty.inject(Fault("status", status=503, times=-1))
    world.apply(opening())
    world.pagerduty.clear()
    world.apply(plan(change(ChangeKind.TRIGGER_INCIDENT, expect=Precondition(1)), at=NOW + 60), now=NOW + 60)
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.troubles == ()


STATUSES = (401, 403, 404, 422, 429, 500, 502, 503)
FAULTS = [("status", status) for status in STATUSES] + [("drop", 0), ("reset", 0), ("broken-json", 0)]


AFTER = [("status", 422), ("status", 500), ("drop", 0), ("reset", 0), ("broken-json", 0)]
"""The request takes effect, and the answer is lost or replaced."""


@pytest.mark.parametrize(
    ("when", "what", "status"),
    [("before", *fault) for fault in FAULTS] + [("after", *fault) for fault in AFTER],
)
def test_every_fault_at_every_request_converges(what: str, status: int, when: str) -> None:
    """One fault at request k, then the same plan again (with the intent, where nothing was sent): one issue, one
    incident, one dispatch, everything recorded."""
    for step in range(7):
        with fresh_world() as world:
            fault = world.github.inject(Fault(what, when=when, status=status, skip=step, times=1))
            first = world.apply(opening())
            assert fault.strike_count == 1, step
            assert [found.change for found in first.receipts[:3]] == [wanted.id for wanted in opening().changes]
            recorded = [issue.register and issue.register.page for issue in world.observe()]
            assert recorded != [None] or "failed" in results(first), "what is not recorded is told"
            world.github.clear()
            assert len(world.pagerduty.standin.state.incidents) == 1, "the page went out whatever GitHub did"
            withdrawn = [not issue.register.dispatches for issue in world.observe() if issue.register] == [True]
            again = world.apply(dispatching_again(world) if withdrawn else opening())
            assert set(results(again)) <= {"done", "already"}, (step, again)
            (issue,) = world.issues()
            assert issue["state"] == "open"
            assert len(world.runs()) == 1, step
            (seen,) = world.observe()
            assert seen.register is not None
            assert seen.register.page is not None
            assert seen.register.dispatches[0].state is DispatchState.SENT


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_what_cannot_be_recorded_is_told_and_found_next_time(world: World, method: str) -> None:
    world.github.inject(Fault("status", status=403, method=method, path="/issues/1$"))
    receipts = world.apply(opening())
    assert results(receipts) == ["done", "done", "done", "failed"]
    told = receipts.receipts[-1]
    assert told.change == f"record:{GROUP}"
    assert "not recorded on the issue" in told.detail
    assert "403" in told.detail
    again = world.apply(opening())
    assert results(again) == ["already", "done", "already"]
    assert len(world.pagerduty.standin.state.incidents) == 1
    assert len(world.runs()) == 1


@pytest.mark.parametrize(("what", "status"), FAULTS)
def test_every_fault_at_pagerduty(world: World, what: str, status: int) -> None:
    world.pagerduty.inject(Fault(what, status=status, times=-1))
    assert results(world.apply(opening())) == ["done", "failed", "done"]
    world.pagerduty.clear()
    assert results(world.apply(opening())) == ["already", "done", "already"]
    assert len(world.pagerduty.standin.state.incidents) == 1


def test_what_differs_from_the_plan_is_refused_alone(world: World) -> None:
    """ "Each change carries a precondition ...: different -> that change alone is refused." """
    world.apply(plan(change(ChangeKind.OPEN_ISSUE, register=register())))
    (seen,) = world.observe()
    assert seen.register is not None
    worse = replace(seen.register, severity=Severity.CRITICAL)
    other = replace(group(), rule="latency")
    theirs = replace(register(), group=other.key, rule="latency")
    planned = plan(
        change(ChangeKind.UPDATE_ISSUE, expect=expect(seen), register=worse),
        change(ChangeKind.TRIGGER_INCIDENT),
        change(ChangeKind.OPEN_ISSUE, group=other.key, register=theirs),
        groups=(group(), other),
    )
    person = world.github.standin.person(REPO, "alice")
    person.edit_issue(1, body=str(world.issues()[0]["body"]) + "\nmy notes")
    receipts = world.apply(planned).receipts
    asked = {receipt.change: receipt.result.value for receipt in receipts}
    assert [asked[one.id] for one in planned.changes] == ["refused", "done", "done"]
    assert len(world.issues()) == 2
