"""After a rollback the metric is looked at again: recovered, or a person is told what was tried."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.plan import Change, ChangeKind, ModelObservation, ObservationError, ObservedRun, Plan
from modelwatch.model.register import DispatchRecord, DispatchState, PageRecord, Register
from modelwatch.model.release import CHANGE_EVENT, Move, MoveState, MoveVerb, Registry
from modelwatch.model.severity import Severity
from modelwatch.model.target import Target
from modelwatch.targets.plan import make_plan
from modelwatch.timeutil import HOUR

from ...alerts.making import at, tier
from ..issues.test_plan import WHOLE
from ..making import GROUP, ROLLBACK, RULE, World, config, issue, judged, later, register, seen

NOW = later("..c")
DONE = DispatchRecord(
    f"{GROUP}.1.rollback.1",
    "rollback",
    DispatchState.FINISHED,
    NOW - 3 * HOUR,
    conclusion="success",
    target_version="v1",
    ended=NOW - 2 * HOUR,
)
QUIET = replace(RULE, tiers=tuple(replace(one, do=("issue",)) for one in RULE.tiers))
"""No tier pages."""


def held(*records: DispatchRecord, **more: object) -> Register:
    return register(alerts=(WHOLE,), severity=Severity.CRITICAL, peak=Severity.CRITICAL, dispatches=records, **more)


def plan_for(of: Register, text: str = "..c", now: float = NOW, **more: object) -> Plan:
    among = config(QUIET)
    seen = {"churn": ModelObservation("churn", (issue(of),), **more)}  # type: ignore[arg-type]
    return make_plan(judged(text, among), among, seen, now)


def pages(plan: Plan) -> list[Change]:
    return [change for change in plan.changes if change.kind is ChangeKind.TRIGGER_INCIDENT]


def told(plan: Plan) -> list[str]:
    return [note.detail for change in plan.changes for note in change.notes if note.topic == "escalated"]


def test_not_recovered_in_time_pages_with_what_was_tried() -> None:
    plan = plan_for(held(DONE))
    assert pages(plan)[0].reason == "not recovered 2 h after rollback.1 succeeded"
    assert told(plan) == ["not recovered 2 h after rollback.1 succeeded. Tried so far: rollback.1 to v1 (success)"]


def test_there_is_time_to_settle() -> None:
    plan = plan_for(held(replace(DONE, ended=NOW - 2 * HOUR + 60)))
    assert (pages(plan), told(plan)) == ([], [])


def test_a_rollback_that_failed_is_told_at_once() -> None:
    plan = plan_for(held(replace(DONE, conclusion="failure", ended=NOW)))
    assert pages(plan)[0].reason == "rollback.1 ended in failure"


def test_what_serves_since_another_workflow_is_that_ones() -> None:
    """The rollback is not to blame for what the fallback does; a fallback that failed changed nothing."""
    fallback = replace(
        DONE, key=f"{GROUP}.1.degrade.1", verb="degrade", target_version="", at=NOW - HOUR, ended=NOW - HOUR
    )
    assert [page.reason for page in pages(plan_for(held(DONE, fallback)))] == []
    running = replace(fallback, state=DispatchState.SENT, conclusion="", at=NOW - 60, ended=None)
    assert pages(plan_for(held(DONE, running))) == []
    later_on = pages(plan_for(held(DONE, fallback), now=NOW + HOUR))
    assert [page.reason for page in later_on] == ["not recovered 2 h after degrade.1 succeeded"]
    failed = replace(fallback, conclusion="failure", settled="escalated")
    assert [page.reason for page in pages(plan_for(held(DONE, failed)))] == [
        "not recovered 2 h after rollback.1 succeeded"
    ]


def test_a_retraining_takes_its_time() -> None:
    slow = replace(DONE, key=f"{GROUP}.1.retrain.1", verb="retrain")
    assert pages(plan_for(held(slow))) == []


def test_once_for_each_workflow_run() -> None:
    plan = plan_for(held(DONE))
    after = plan.changes[0].register
    assert after is not None
    assert after.dispatches[0].settled == "escalated"
    paged = replace(after, page=PageRecord("triggered", Severity.CRITICAL, NOW))
    assert (pages(plan_for(paged)), told(plan_for(paged))) == ([], [])


def test_a_page_that_did_not_get_through_is_sent_again() -> None:
    after = plan_for(held(DONE)).changes[0].register
    assert after is not None
    assert len(pages(plan_for(after, now=NOW + HOUR))) == 1


def test_who_was_paged_already_is_told_again() -> None:
    plan = plan_for(held(DONE, page=PageRecord("triggered", Severity.CRITICAL, NOW - HOUR)))
    assert pages(plan)[0].reason == "not recovered 2 h after rollback.1 succeeded"


def test_on_the_way_up_nobody_is_paged() -> None:
    """The newest finding is healthy; it takes more of them to be a recovery."""
    assert pages(plan_for(held(DONE), text="..c.")) == []


def test_runs_that_cannot_be_seen_change_nothing() -> None:
    seen = (ObservationError(Target.DISPATCH, "503"),)
    running = replace(DONE, state=DispatchState.SENT, conclusion="", ended=None)
    assert pages(plan_for(held(running), errors=seen)) == []


def test_the_end_of_a_workflow_run_is_kept() -> None:
    running = replace(DONE, state=DispatchState.SENT, conclusion="", ended=None)
    run = ObservedRun(1, "u", DONE.key, "rollback", "churn", "completed", "success", NOW - HOUR, NOW - 60)
    after = plan_for(held(running), runs=(run,)).changes[0].register
    assert after is not None
    assert after.dispatches[0].ended == NOW - 60


def test_the_whole_way_to_a_person() -> None:
    rule = replace(RULE, tiers=(tier("critical", ("issue", "rollback")),))
    world = World(config(rule, workflows=(ROLLBACK,)))
    for text in ("..c", "..cc", "..ccc", "..cccc", "..ccccc"):
        world.evaluate(text, later(text))
        world.finish_runs()
    assert [run.verb for run in world.runs] == ["rollback"]
    assert world.paged == ["critical"]
    assert len([key for key in world.notes[1] if ".escalated." in key]) == 1
    assert at(4) < later("..ccccc")


# --- the incident is told how workflows ended


def tells(plan: Plan) -> list[str]:
    return [change.reason for change in plan.changes if change.kind is ChangeKind.TELL_INCIDENT]


FRESH = replace(DONE, ended=NOW - 60)
PAGED = PageRecord("triggered", Severity.CRITICAL, NOW - HOUR)


def test_the_incident_is_told_how_a_workflow_ended() -> None:
    assert tells(plan_for(held(FRESH, page=PAGED))) == ["rollback.1 ended: success"]
    assert tells(plan_for(held(replace(FRESH, told=True), page=PAGED))) == []


def test_also_on_the_way_to_recovery() -> None:
    assert tells(plan_for(held(FRESH, page=PAGED), text="..c.")) == ["rollback.1 ended: success"]


def test_nobody_is_told_where_nobody_was_paged_or_long_after() -> None:
    assert tells(plan_for(held(FRESH))) == []
    assert tells(plan_for(held(replace(FRESH, ended=NOW - 25 * HOUR), page=PAGED))) == []


def test_told_once_through_a_whole_episode() -> None:
    world = World(config(workflows=(ROLLBACK,)))
    for text in ("..c", "..cc", "..cc.", "..cc..", "..cc..."):
        world.evaluate(text)
        world.finish_runs()
    assert world.told == [f"{GROUP}.1.rollback.1"]


def test_what_pagerduty_did_not_hear_is_told_after_the_incident_was_resolved() -> None:
    resolved = replace(PAGED, state="resolved")
    assert tells(plan_for(held(FRESH, page=resolved))) == ["rollback.1 ended: success"]
    closed = held(FRESH, page=resolved, closed=NOW - 30)
    among = config(QUIET)
    over = issue(closed, state="closed", closed_at=NOW - 30)
    plan = make_plan(judged("..c..", among), among, seen(over), NOW)
    assert tells(plan) == ["rollback.1 ended: success"]
    long_ago = make_plan(judged("..c..", among), among, seen(over), NOW + 25 * HOUR)
    assert tells(long_ago) == []


def test_what_the_move_told_itself_is_told_once() -> None:
    """A rollback of ours is a change event of its own, with versions and the history: a second one tells no more."""
    move = Move(
        FRESH.key,
        MoveVerb.ROLLBACK,
        "churn",
        "v2",
        "v1",
        "it fell",
        "ana",
        NOW,
        state=MoveState.DONE,
        told=(CHANGE_EVENT,),
    )
    silent = replace(move, told=())
    seen = Registry("churn", "acme/train/churn", (), (move,))
    plan = plan_for(held(FRESH, page=PAGED), registry=seen)
    assert tells(plan) == []
    after = next(change.register for change in plan.changes if change.register is not None)
    assert [one.told for one in after.dispatches] == [True]
    assert tells(plan_for(held(FRESH, page=PAGED), registry=replace(seen, moves=(silent,)))) == [
        "rollback.1 ended: success"
    ]
    failed = replace(FRESH, conclusion="failure")
    assert tells(plan_for(held(failed, page=PAGED), registry=replace(seen, moves=()))) == ["rollback.1 ended: failure"]
