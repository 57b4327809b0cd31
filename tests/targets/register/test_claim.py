"""Evaluations at the same time: one acts, and what is certainly not sent is no attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from modelwatch.clients.retry import Clock
from modelwatch.model.monitored_model import Config
from modelwatch.model.plan import ChangeKind, Plan, Receipts
from modelwatch.model.register import DispatchRecord, DispatchState, Register
from modelwatch.targets.apply import apply_plan
from modelwatch.targets.register.claim import CLAIM_SECONDS, withdraw_intent
from modelwatch.targets.register.client import LISTED_WITHIN
from modelwatch.targets.register.codec import parse_body, render_body
from modelwatch.targets.sessions import TargetSessions
from modelwatch.testing.standins.faults import Fault

from ..world import (
    ALL,
    KEY,
    NOW,
    REPO,
    World,
    change,
    dispatching_again,
    intent,
    opening,
    plan,
    register,
    results,
)


class WatchedClock(Clock):
    """A clock that goes ahead by ``step`` whenever it is read, and calls ``meanwhile`` instead of waiting."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None, step: float = 0.0) -> None:
        self.meanwhile, self.step, self.time = meanwhile, step, 0.0
        self.slept: list[float] = []
        super().__init__()

    def monotonic(self) -> float:
        self.time += self.step
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.meanwhile()


def apply(world: World, wanted: Plan, writer: str, clock: Clock | None = None) -> Receipts:
    sessions = TargetSessions(Config((world.model,), "digest"), world.env, clock=clock)
    return apply_plan(wanted, "digest", sessions, ALL, NOW, writer=writer)


def opened(world: World) -> None:
    apply(world, plan(change(ChangeKind.OPEN_ISSUE, register=register())), "earlier")


def held(world: World, number: int = 1) -> Register:
    found = parse_body(str(world.issues()[number - 1]["body"])).register
    assert found is not None
    return found


def states(world: World) -> list[tuple[object, object]]:
    return [(issue["state"], issue["reason"]) for issue in world.issues()]


def write_as(world: World, writer: str) -> None:
    """Another evaluation, which read the issue earlier, writes it."""
    body = str(world.issues()[0]["body"])
    world.github.standin.person(REPO, "alice").edit_issue(
        1, body=render_body(body, "", replace(held(world), writer=writer))
    )


# --- one issue


def test_who_wrote_the_issue_last_acts_after_a_while(world: World) -> None:
    opened(world)
    clock = WatchedClock()
    assert results(apply(world, dispatching_again(world), "one", clock)) == ["done", "done", "done"]
    assert clock.slept == [pytest.approx(CLAIM_SECONDS * 0.001)], "MODELWATCH_WAIT_SCALE"
    assert held(world).writer == "one"


def test_who_was_overwritten_does_not_act(world: World) -> None:
    opened(world)
    clock = WatchedClock(meanwhile=lambda: write_as(world, "two"))
    receipts = apply(world, dispatching_again(world), "one", clock)
    assert results(receipts) == ["done", "done", "already"]
    assert "another evaluation" in receipts.receipts[2].detail
    assert world.runs() == []
    assert held(world).dispatches[0].state is DispatchState.INTENDED, "that of the other one, which acts"
    assert held(world).page is None, "nor does it write over what the other one records"


def test_who_was_too_slow_does_not_act_and_that_is_no_attempt(world: World) -> None:
    opened(world)
    receipts = apply(world, dispatching_again(world), "one", WatchedClock(step=CLAIM_SECONDS + 1))
    assert results(receipts) == ["refused", "done", "refused"]
    assert "another evaluation may have written it" in receipts.receipts[0].detail
    assert world.runs() == []
    assert held(world).dispatches == ()
    assert held(world).page is not None
    assert results(apply(world, dispatching_again(world), "two")) == ["done", "already", "done"]
    assert world.runs() == [f"modelwatch retrain churn {KEY}"], "the next evaluation, with the same key"


def test_who_comes_later_refuses_and_leaves_the_record_alone(world: World) -> None:
    opened(world)
    issue, *others = dispatching_again(world).changes
    assert issue.register is not None
    late = plan(replace(issue, register=replace(issue.register, told=NOW + 1)), *others)
    apply(world, dispatching_again(world), "one")
    before = world.issues()
    assert results(apply(world, late, "two")) == ["refused", "already", "refused"]
    assert world.issues() == before
    assert len(world.runs()) == len(world.pagerduty.standin.state.incidents) == 1


def test_an_intent_that_is_written_late_counts_as_written_then(world: World) -> None:
    opened(world)
    world.github.inject(Fault("drop", when="after", method="POST", path="/dispatches$"))
    world.state.lag.seconds = 3600.0
    apply(world, dispatching_again(world), "one", WatchedClock(step=0.5))
    assert NOW < held(world).dispatches[0].at < NOW + 30


# --- two issues


def test_the_later_of_two_issues_is_closed_before_anything_is_dispatched(world: World) -> None:
    world.state.lag.seconds = 10.0
    assert results(apply(world, opening(), "one")) == ["done", "done", "done"]
    before = world.issues()[0]
    receipts = apply(world, opening(), "two")
    assert results(receipts) == ["already", "already", "already"]
    assert "#1 was opened at the same time" in receipts.receipts[0].detail
    assert states(world) == [("open", None), ("closed", "duplicate")]
    assert held(world, 2).dispatches == (), "its intents are those of the first one"
    assert world.issues()[0] == before
    assert len(world.runs()) == len(world.pagerduty.standin.state.incidents) == 1


def test_other_issues_and_deleted_ones_in_between_do_not_hide_it(world: World) -> None:
    world.state.lag.seconds = 10.0
    apply(world, opening(), "one")
    alice = world.github.standin.person(REPO, "alice")
    for _ in range(2):
        alice.open_issue("A question")
    world.state.repo(REPO).issues.remove(2)
    assert results(apply(world, opening(), "two"))[0] == "already"
    assert states(world)[0] == ("open", None)
    assert states(world)[-1] == ("closed", "duplicate")
    assert len(world.runs()) == 1


def test_nothing_is_dispatched_where_the_issues_before_cannot_be_read(world: World) -> None:
    world.state.lag.seconds = 10.0
    apply(world, plan(change(ChangeKind.OPEN_ISSUE, register=register())), "one")
    world.github.inject(Fault("status", status=403, method="GET", path="/issues/1$"))
    receipts = apply(world, opening(), "two")
    assert results(receipts) == ["refused", "done", "refused"]
    assert "403" in receipts.receipts[0].detail
    assert world.runs() == []
    assert held(world, 2).dispatches == ()


def test_only_issues_that_no_list_can_show_yet_are_read(world: World) -> None:
    alice = world.github.standin.person(REPO, "alice")
    for _ in range(3):
        alice.open_issue("A question")
    repo = world.state.repo(REPO)
    for issue in list(repo.issues.items.values()):
        repo.issues.put(issue.number, replace(issue, created=issue.created - LISTED_WITHIN - 1))
    repo.issues.catch_up()
    world.github.clear()
    assert results(apply(world, opening(), "one")) == ["done", "done", "done"]
    assert not [line for line in world.requests() if line.startswith("GET") and line.endswith(("/1", "/2", "/3"))]


# --- intents of which nothing was sent


def test_only_an_own_intent_is_withdrawn() -> None:
    mine = register(writer="one", dispatches=(intent(),))
    assert withdraw_intent(mine, KEY, "one").dispatches == ()
    assert withdraw_intent(mine, KEY, "two") == mine
    sent = register(writer="one", dispatches=(intent(state=DispatchState.SENT),))
    assert withdraw_intent(sent, KEY, "one") == sent


def test_what_a_person_requested_waits_for_approval_again() -> None:
    asked = register(writer="one", dispatches=(replace(intent(), by="alice", target_version="v6"),))
    (record,) = withdraw_intent(asked, KEY, "one").dispatches
    assert record == DispatchRecord(KEY, "retrain", DispatchState.PROPOSED, NOW, version="v7", target_version="v6")
