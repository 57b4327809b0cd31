"""The real planner against the stand-ins: one evaluation after another, with a fault in between, comes out the same."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from modelwatch.model.alert import Alert, AlertState, Group, HealthyStreak, Judgement, SeverityChange, fingerprint
from modelwatch.model.finding import Finding, Outcome
from modelwatch.model.plan import Plan, Receipts
from modelwatch.model.register import DispatchState
from modelwatch.model.severity import Severity
from modelwatch.targets.observe import observe_models
from modelwatch.targets.plan import make_plan
from modelwatch.testing.standins.faults import Fault

from .world import NOW, World, fresh_world, group, results


def judged(now: float, *, firing: bool) -> Judgement:
    found = Finding(
        "churn", "accuracy", "accuracy-drop", (), now, Outcome.BREACH, Severity.ERROR, 0.8, 0.9, 0.79, 0.81, -0.11,
        1000.0, 24, "v7", False, False,
    )  # fmt: skip
    state = AlertState.FIRING if firing else AlertState.RESOLVED
    alert = Alert(
        "churn", "accuracy", "accuracy-drop", (), state, Severity.ERROR, Severity.ERROR, NOW - 7200, NOW - 3600,
        None if firing else now, (SeverityChange(NOW - 3600, Severity.ERROR),), found, found,
    )  # fmt: skip
    times = () if firing else (now, now - 60, now - 120)
    clear = (HealthyStreak(fingerprint("churn", "accuracy", ()), times),)
    one: Group = replace(group(state=state), alerts=(alert,), clear=clear, newest=now)
    return Judgement(now, "digest", (one,))


def evaluate(world: World, now: float, *, firing: bool = True) -> tuple[Plan, Receipts]:
    targets = world.connect()
    judgement = judged(now, firing=firing)
    made = make_plan(
        judgement, targets.config, observe_models(targets, targets.config.models, judgement, judgement.at), now
    )
    return made, world.apply(made, now=now)


def check(world: World, state: str) -> None:
    (issue,) = world.issues()
    assert issue["state"] == state
    (incident,) = world.pagerduty.standin.state.incidents
    assert incident.status == ("triggered" if state == "open" else "resolved")
    assert len(world.runs()) <= 1


def test_the_whole_line(world: World) -> None:
    _, receipts = evaluate(world, NOW)
    assert results(receipts) == ["done", "done", "done"]
    check(world, "open")
    made, _ = evaluate(world, NOW + 3600)
    assert made.changes == (), "nothing changed, nothing is said"
    _, receipts = evaluate(world, NOW + 7200, firing=False)
    assert set(results(receipts)) == {"done"}
    check(world, "closed")
    made, _ = evaluate(world, NOW + 7260, firing=False)
    assert made.changes == ()


KINDS = [("status", 403), ("status", 500), ("drop", 0)]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("what", "status"), KINDS)
def test_a_fault_anywhere_and_the_next_evaluations_converge(what: str, status: int, when: str) -> None:
    for step in range(9):
        with fresh_world() as world:
            world.github.inject(Fault(what, when=when, status=status, skip=step, times=1))
            evaluate(world, NOW)
            world.github.clear()
            evaluate(world, NOW + 60)
            evaluate(world, NOW + 3600)
            evaluate(world, NOW + 3660)
            check(world, "open")
            (seen,) = world.observe()
            assert seen.register is not None
            assert seen.register.page is not None
            assert [record.state for record in seen.register.dispatches][-1] is DispatchState.SENT, step
            assert len(world.runs()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("what", "status"), KINDS)
def test_a_fault_while_closing_and_the_next_evaluations_converge(what: str, status: int, when: str) -> None:
    for step in range(9):
        with fresh_world() as world:
            evaluate(world, NOW)
            world.github.clear()
            world.github.inject(Fault(what, when=when, status=status, skip=step, times=1))
            evaluate(world, NOW + 7200, firing=False)
            world.github.clear()
            evaluate(world, NOW + 7260, firing=False)
            evaluate(world, NOW + 7320, firing=False)
            check(world, "closed")
            made, _ = evaluate(world, NOW + 7380, firing=False)
            assert made.changes == (), step
            (issue,) = world.issues()
            assert len([body for body in issue["comments"] if "recovered" in body]) == 1  # type: ignore[attr-defined]


def test_a_page_sent_while_github_was_down_is_resolved_when_the_alert_recovers_meanwhile(world: World) -> None:
    world.rest_token = world.pagerduty.standin.state.add_token(read_only=True)
    world.github.inject(Fault("status", status=503, times=-1))
    evaluate(world, NOW)
    assert [incident.status for incident in world.pagerduty.standin.state.incidents] == ["triggered"]
    world.github.clear()
    evaluate(world, time.time() + 3 * 3600, firing=False)
    assert world.issues() == [], "what is over is reported, not acted on"
    assert [incident.status for incident in world.pagerduty.standin.state.incidents] == ["resolved"]


@pytest.mark.parametrize("rest", [False, True])
def test_a_page_whose_receipt_was_never_written_is_resolved(world: World, rest: bool) -> None:
    world.rest_token = world.pagerduty.standin.state.add_token(read_only=True) if rest else ""
    world.github.inject(Fault("status", status=500, method="PATCH", times=-1))
    evaluate(world, NOW)
    (seen,) = world.observe()
    assert seen.register is not None
    assert seen.register.page is None
    check(world, "open")
    world.github.clear()
    evaluate(world, time.time() + 3600, firing=False)
    check(world, "closed")


def test_an_app_knows_its_own_issues(world: World) -> None:
    world.token = world.state.add_token("modelwatch-app[bot]")
    for now in (NOW, NOW + 60, NOW + 3600):
        made, _ = evaluate(world, now)
        assert made.troubles == ()
    (found,) = world.observe()
    assert (found.author, found.register is not None) == ("modelwatch-app[bot]", True)


def test_an_app_that_is_not_named_as_author_opens_one_issue_and_no_more(world: World) -> None:
    """Where GitHub does not tell whose token this is, an App's issue must not be taken for a stranger's."""
    world.github.inject(Fault("status", status=404, path="/graphql", times=-1))
    world.token = world.state.add_token("modelwatch-app[bot]")
    evaluate(world, NOW)
    made, _ = evaluate(world, NOW + 60)
    evaluate(world, NOW + 3600)
    assert len(world.issues()) == 1
    told = " ".join(skip.reason for skip in made.skips) + " ".join(trouble for _, trouble in made.troubles)
    assert "modelwatch-app[bot]" in told
    assert "github.authors" in told
    world.spec = replace(world.spec, authors=("modelwatch-app[bot]",))
    evaluate(world, NOW + 7200)
    assert [found.register is not None for found in world.observe()] == [True]


def test_an_account_that_the_authors_leave_out_opens_one_issue_and_no_more(world: World) -> None:
    """Somebody runs at a terminal what Actions runs, too: the next run must not open and page once more."""
    world.spec = replace(world.spec, authors=("github-actions[bot]",))
    world.token = world.state.add_token("alice", kind="user")
    evaluate(world, NOW)
    made, _ = evaluate(world, NOW + 60)
    assert len(world.issues()) == 1
    assert len(world.pagerduty.standin.state.incidents) == 1
    assert any("opened by alice, not by github-actions[bot]" in skip.reason for skip in made.skips)
    world.spec = replace(world.spec, authors=("github-actions[bot]", "Alice"))
    evaluate(world, NOW + 7200)
    assert [found.register is not None for found in world.observe()] == [True]
