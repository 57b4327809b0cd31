"""From a critical alert over a person's approval and a reviewer's to the version before, and back to quiet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelwatch.testing.standins.github import run_lifecycle
from tests.e2e.release_world import COMMAND_SECRET, World, dump, moves, open_world, plain

HOSTILE = "$(touch${IFS}pwned)"


@pytest.fixture
def world(tmp_path: Path, published: Path) -> Iterator[World]:
    with open_world(tmp_path, published) as opened:
        yield opened


def test_a_critical_alert_is_answered_by_a_rollback_that_people_approved(world: World) -> None:
    world.executor.env["MODELWATCH_WAIT_SCALE"] = "1"  # Of two with one key the second waits as long as it should.
    world.breaks()

    # The schedule notices, tells and proposes; nothing is moved.
    told = world.scheduled()
    assert told.code == 0, told.told
    assert world.issue().state == "open"
    assert [one.status for one in world.pagerduty.standin.state.incidents] == ["triggered"]
    assert "Decide on the proposed **rollback** to `v1`" in (world.issue().body or "")
    assert world.dispatched() == []

    # Strangers, nonsense and hostile texts are refused; of two approvals one counts, whoever answers them.
    assert world.commented(world.comments("mallory", "/modelwatch approve")).code == 0
    assert len(world.answers()) == 1, "a stranger starts no evaluation, so nobody answers"
    world.comments("alice", f"/modelwatch rollback {HOSTILE}")
    world.comments("alice", "/modelwatch rollback v9")
    world.comments("alice", f"/modelwatch approve `{HOSTILE}`; {HOSTILE}")
    payload = world.comments("carol", "/modelwatch approve")
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(world.commented, (payload, payload)))
    assert 0 in {told.code for told in both}, [told.told for told in both]
    answers = "\n".join(plain(text) for text in world.answers())
    assert "mallory is not in `github.people`" in answers
    assert "there is no version '$(touch${IFS}pwned)'" in answers
    assert "there is no version 'v9'" in answers
    assert "alice approved" in answers
    assert "refused: rollback.1 is under way already" in answers or "started already by alice" in answers, answers
    assert not list(world.workplace.folder.rglob("pwned"))
    runs = world.dispatched()
    assert {run.title for run in runs} == {runs[0].title}, "one key, so one move"
    assert runs[0].title.startswith("modelwatch rollback churn ")

    # The environment of the workflow waits for its reviewer: still nothing has moved.
    assert {run.status for run in runs} == {"waiting"}
    assert world.held()["production"] == "v2"
    for run in runs:
        run_lifecycle.review_deployments(world.github.standin.state, run.id, {"production"}, approved=True)
    assert all(world.executor.ended.acquire(timeout=120) for _ in runs)
    for run in world.dispatched():
        assert run.conclusion == "success", dump(world)
        assert COMMAND_SECRET not in run.log
    assert world.deployed()[0] == "promote v2 100"
    assert world.deployed()[1:] == ["rollback v1 100"], "once, however many workflow runs carry the key"
    assert world.held() == {"production": "v1", "previous": "v2"}
    assert moves(world) == [("rollback", "v1", "done")]

    # Production recovers, and the loop is closed.
    world.hours(4)
    told = world.scheduled()
    assert told.code == 0, told.told
    assert world.issue().state == "closed", world.issue().body
    assert [one.status for one in world.pagerduty.standin.state.incidents] == ["resolved"]
    answers = "\n".join(plain(text) for text in world.answers())
    assert "**rollback to `v1` ended: success**" in answers
    assert "**Recovered** after" in answers
    assert "to v1: accuracy is critical: 15.2 % below its baseline; requested by alice" in answers
    changes = [change.event["payload"]["summary"] for change in world.pagerduty.standin.state.change_events]
    moved = [text for text in changes if "the next step is now" not in text]
    assert [text.startswith("churn rolled back to 1.1.0 (v1) from 1.2.0 (v2)") for text in moved] == [True], changes


def test_two_workflow_runs_of_one_key_deploy_once(world: World) -> None:
    """GitHub's concurrency would let one wait for the other; here nothing does but W&B."""
    world.workplace.env["MODELWATCH_WAIT_SCALE"] = "1"
    world.breaks()
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(world.asked, "rollback.yml", key="k1", target_version="v1") for _ in range(2)]
        ended = [one.result() for one in both]
    assert [told.code for told in ended] == [0, 0], [told.told for told in ended]
    assert world.deployed()[1:] == ["rollback v1 100"]
    assert moves(world) == [("rollback", "v1", "done")]
    assert world.held() == {"production": "v1", "previous": "v2"}


def test_a_version_that_the_check_refuses_is_passed_over_unless_the_caller_wants_no_other(world: World) -> None:
    """`fallback: false` of the reusable workflow: this version or none."""
    world.breaks()
    place = world.workplace
    config = (place.repository / "modelwatch.yml").read_text()
    caller = (place.repository / ".github/workflows/rollback.yml").read_text()
    alone = caller.replace("      # environment:", "      fallback: false\n      # environment:")
    alone = alone.replace("      environment:", "      fallback: false\n      environment:")
    checked = config.replace("deploy: ./deploy.sh", "check: bash check.sh\n      deploy: ./deploy.sh", 1)
    files = {"modelwatch.yml": checked, "check.sh": 'test "$MODELWATCH_VERSION" != v1\n'}
    place.write({**files, ".github/workflows/rollback.yml": alone})
    told = world.asked("rollback.yml", key="k1", target_version="v1")
    assert told.outputs["move"]["exit-code"] == "2", told.told
    assert "there is no version to go back to" in "".join(told.errors())
    assert world.held()["production"] == "v2"

    place.write({".github/workflows/rollback.yml": caller})
    told = world.asked("rollback.yml", key="k2", target_version="v1")
    assert told.code == 0, told.told
    assert world.held()["production"] == "v0"


def test_something_simpler_serves_for_a_while(world: World) -> None:
    """Degraded by hand and taken back; who was asked about another version than serves by now is told so."""
    told = world.asked("degrade.yml", version="v0", reason="nothing to go back to")
    assert told.outputs["move"]["exit-code"] == "2", told.told
    assert "degrade was requested while 1.0.0 (v0) was in production; now 1.1.0 (v1) is" in "".join(told.errors())
    for workflow in ("degrade.yml", "restore.yml"):
        told = world.asked(workflow, version="v1", reason="nothing to go back to")
        assert told.code == 0, told.told
    assert world.deployed() == ["degrade v1 100", "restore v1 100"]
    assert moves(world) == [("degrade", "v1", "done"), ("restore", "v1", "done")]
    assert world.held() == {"production": "v1", "previous": "v0"}
