"""What becomes of a dispatched workflow: never started, never ended, ended in every way, run again, deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.register import CallRecord, DispatchRecord, Register
from modelwatch.targets.register.codec import parse_body
from modelwatch.testing.standins.faults import Fault
from modelwatch.testing.standins.github.records import WorkflowRun

from .world import CONFIG, CRITICAL, HEALTHY, REPOSITORY, Ran, World

ACT = CONFIG.replace("rollback: rollback.yml", "rollback: {file: rollback.yml, mode: act, automatic_within: 99h}")
PAGING_NOTHING = ACT.replace("[issue, page, rollback]", "[issue, rollback]")
ELSEWHERE = "acme/serving"


@pytest.fixture
def falling(world: World) -> World:
    """A version that is critical from its first hour on, after one that was healthy; a rollback starts by itself."""
    world.config(ACT)
    world.metrics(HEALTHY, *[CRITICAL] * 40, before="v5")
    return world


def evaluate(world: World, hour: float, code: int = 0) -> Ran:
    world.at(hour)
    ran = world.run("run")
    assert ran.code == code, ran.err
    return ran


def started(world: World) -> WorkflowRun:
    """The workflow run of the rollback, which the first evaluation starts."""
    evaluate(world, 3)
    (run,) = world.runs
    assert isinstance(run, WorkflowRun)
    return run


def register(world: World) -> Register:
    found = parse_body(world.issues[-1].body or "").register
    assert found is not None
    return found


def rollbacks(world: World) -> list[DispatchRecord]:
    return [record for record in register(world).dispatches if record.verb == "rollback"]


def states(world: World) -> list[str]:
    return [f"{record.state} {record.conclusion}".strip() for record in rollbacks(world)]


def calls(world: World) -> list[str]:
    def text(call: CallRecord) -> str:
        return f"{call.key}: {call.reason}"

    return [text(call) for call in register(world).calls]


def comments(world: World, start: str) -> list[str]:
    return [text for text in world.comments if text.startswith(start)]


# --- never started


def test_a_204_without_a_workflow_run_is_lost_after_an_hour_proposed_and_reported(falling: World) -> None:
    falling.github.standin.state.add_repo(ELSEWHERE)
    config = ACT.replace("file: rollback.yml", f"event_type: roll, repository: {ELSEWHERE}")
    falling.config(config)
    evaluate(falling, 3)
    assert states(falling) == ["sent"]
    evaluate(falling, 3.9)
    assert (states(falling), calls(falling)) == (["sent"], [])
    evaluate(falling, 4.1)
    assert states(falling) == ["lost", "proposed"]
    assert [call.partition(":")[0] for call in calls(falling)] == ["escalated.rollback.1"]
    assert len(comments(falling, "**Never started.**")) == 1
    assert len(falling.incidents) == 2, "the on-call hears of it anew"
    evaluate(falling, 5)
    assert states(falling) == ["lost", "proposed"]
    assert len(falling.incidents) == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=403, path="/workflows/rollback.yml/runs", times=-1, skip=1),
        Fault("status", status=502, path="/workflows/rollback.yml/runs", times=-1, skip=1),
        Fault("status", status=404, method="POST", path="/dispatches$"),
        Fault("status", status=403, method="POST", path="/dispatches$"),
        Fault("status", status=422, method="POST", path="/dispatches$"),
        Fault("status", status=429, method="POST", path="/dispatches$"),
    ],
    ids=lambda fault: f"{fault.method}{fault.status}",
)
def test_what_was_certainly_not_sent_uses_up_no_rollback(falling: World, fault: Fault) -> None:
    falling.github.inject(replace(fault))
    evaluate(falling, 3, code=4)
    assert (states(falling), falling.runs) == ([], [])
    assert len(comments(falling, "**Not delivered.**")) == 1
    falling.github.clear()
    evaluate(falling, 4)
    assert states(falling) == ["sent"]
    assert [run.title.rpartition(".")[2] for run in falling.runs] == ["1"]


def test_a_rollback_does_not_wait_for_the_workflow_runs_of_another_workflow(falling: World) -> None:
    """Somebody deleted ``retrain.yml``."""
    falling.config(ACT.replace("[issue, page, rollback]", "[issue, page, retrain, rollback]"))
    falling.github.inject(Fault("status", status=404, path="/workflows/retrain.yml/", times=-1))
    evaluate(falling, 3, code=4)
    assert [run.title.split()[1] for run in falling.runs] == ["rollback"]


def test_the_default_branch_may_be_renamed(falling: World) -> None:
    git = falling.github.standin.state.repo(REPOSITORY).git
    git.branches["trunk"] = git.branches.pop("main")
    git.default_branch = "trunk"
    assert started(falling).branch == "trunk"


# --- never ended


@pytest.mark.parametrize("status", ["queued", "waiting", "in_progress"])
@pytest.mark.parametrize("config", [ACT, PAGING_NOTHING])
def test_a_rollback_that_does_not_end_calls_a_person_once(falling: World, status: str, config: str) -> None:
    falling.config(config)
    run = started(falling)
    falling.github.standin.state.repo(REPOSITORY).runs.put(run.id, replace(run, status=status))
    before = len(falling.incidents)
    evaluate(falling, 4)
    assert (calls(falling), len(falling.incidents)) == ([], before)
    evaluate(falling, 4.5)
    (call,) = calls(falling)
    assert call.startswith("stuck.rollback.1: rollback.1 has not ended since 2026-11-20 03:05 UTC; it may wait for")
    assert len(comments(falling, "**Does not end.**")) == 1
    assert len(falling.incidents) == before + 1
    evaluate(falling, 5.4)
    assert (len(calls(falling)), len(falling.incidents)) == (1, before + 1)
    evaluate(falling, 30)
    assert len([text for text in calls(falling) if text.startswith("stuck.")]) == 1, "others repeat the page"


def test_a_stuck_rollback_that_then_fails_calls_again(falling: World) -> None:
    run = started(falling)
    evaluate(falling, 5)
    falling.github.standin.state.finish_run(run.id, "cancelled")
    evaluate(falling, 6)
    assert [call.partition(":")[0] for call in calls(falling)] == ["stuck.rollback.1", "escalated.rollback.1"]
    assert len(falling.incidents) == 3


def test_a_workflow_run_that_somebody_deleted_has_ended(falling: World) -> None:
    run = started(falling)
    falling.github.standin.state.repo(REPOSITORY).runs.remove(run.id)
    evaluate(falling, 3.1)
    assert states(falling) == ["sent"], "GitHub may not have it everywhere yet"
    evaluate(falling, 3.5)
    assert states(falling) == ["finished deleted"]
    assert calls(falling) == ["escalated.rollback.1: rollback.1 ended in deleted"]
    falling.github.standin.person(REPOSITORY, "alice").add_comment(1, "/modelwatch rollback")
    evaluate(falling, 4)
    assert states(falling) == ["finished deleted", "sent"], "a person is not told that it is under way"


def test_a_workflow_run_that_the_list_does_not_have_is_read_by_its_number(falling: World) -> None:
    """Its list is too long or lags, or somebody changed the ``run-name`` of the workflow."""
    run = started(falling)
    state = falling.github.standin.state
    state.repo(REPOSITORY).runs.put(run.id, replace(run, title="Roll back", name="Roll back"))
    state.finish_run(run.id, "success")
    evaluate(falling, 4)
    assert states(falling) == ["finished success"]


# --- ended


@pytest.mark.parametrize(
    "conclusion", ["cancelled", "skipped", "timed_out", "action_required", "stale", "neutral", "startup_failure"]
)
def test_a_rollback_that_ends_in_anything_but_success_calls_a_person(falling: World, conclusion: str) -> None:
    falling.github.standin.state.finish_run(started(falling).id, conclusion)
    evaluate(falling, 4)
    assert states(falling) == [f"finished {conclusion}"]
    assert calls(falling) == [f"escalated.rollback.1: rollback.1 ended in {conclusion}"]
    evaluate(falling, 9)
    assert (len(calls(falling)), len(falling.runs)) == (1, 1)


def test_a_workflow_run_that_a_person_ran_again_is_followed(falling: World) -> None:
    run, state = started(falling), falling.github.standin.state
    state.finish_run(run.id, "failure")
    evaluate(falling, 4)
    state.start_run(run.id)
    evaluate(falling, 6)
    assert states(falling) == ["sent"]
    assert calls(falling) == ["escalated.rollback.1: rollback.1 ended in failure"], "it has just begun"
    state.finish_run(run.id, "success")
    evaluate(falling, 7)
    assert states(falling) == ["finished success"]
    assert [text.splitlines()[0].split(" ([")[0] for text in comments(falling, "**rollback")] == [
        "**rollback to `v5` ended: failure**",
        "**rollback to `v5` ended: success**",
    ]
    assert "Find out why the rollback" not in falling.issues[0].body
    evaluate(falling, 10)
    assert calls(falling)[1:] == ["escalated.again-2.rollback.1: not recovered 2 h after rollback.1 succeeded"], (
        "the second outcome counts as the first one did"
    )
    finished = [entry.what for entry in register(falling).ledger.recent if entry.key.endswith("rollback.1.finished")]
    assert finished == ["rollback finished: failure", "rollback finished: success"]


def test_of_several_workflow_runs_with_one_key_the_one_that_succeeded_counts(falling: World) -> None:
    run, state = started(falling), falling.github.standin.state
    other = replace(run, id=run.id + 5000, created=run.created + 60)
    state.repo(REPOSITORY).runs.put(other.id, other)
    state.finish_run(other.id, "failure")
    evaluate(falling, 3.5)
    assert states(falling) == ["sent"], "one of them is under way"
    state.finish_run(run.id, "success")
    evaluate(falling, 4)
    assert states(falling) == ["finished success"]
    assert calls(falling) == []
