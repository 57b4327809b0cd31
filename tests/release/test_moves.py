"""Moves against a W&B on loopback, through the real client."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from modelwatch.clients.retry import RetryPolicy
from modelwatch.errors import SourceError, UserError
from modelwatch.model.release import JOB_TYPE, Move, MoveState, MoveVerb
from modelwatch.release.move_records import HEARTBEAT_TIMEOUT, run_id
from modelwatch.release.move_request import MoveInProgressError, MoveInterruptedError
from modelwatch.release.moves import MoveExecutor
from modelwatch.release.registry import open_access
from modelwatch.testing.standins.faults import Fault

from .world import DEPLOY, World

LONG_AFTER = HEARTBEAT_TIMEOUT + 60
START = {"production": "v2", "previous": "v1", "candidate": "v3"}
PROMOTED = {"production": "v3", "previous": "v2"}


def test_a_promotion_moves_the_aliases_runs_the_command_and_is_on_record(world: World) -> None:
    made = world.move(MoveVerb.PROMOTE, "candidate", "k1", issue="https://github.com/acme/churn/issues/7")
    assert (made.state, made.source, made.target) == (MoveState.DONE, "v2", "v3")
    assert world.held() == PROMOTED
    assert world.deployed() == ["promote v3 100"]
    run = world.wandb.standin.state.run("acme", "train", run_id("churn", "k1"))
    assert run is not None
    assert (run.job_type, run.tags) == (JOB_TYPE, ["modelwatch", "churn"])
    written = {name: value["value"] for name, value in run.config.items()}
    assert written == {
        "format": 1,
        "key": "k1",
        "verb": "promote",
        "model": "churn",
        "source": "v2",
        "target": "v3",
        "reason": "because",
        "by": "ana",
        "at": world.now,
        "before": {"candidate": "v3", "previous": "v1", "production": "v2"},
        "after": {"candidate": "", "previous": "v2", "production": "v3"},
        "percent": None,
        "issue": "https://github.com/acme/churn/issues/7",
    }
    assert run.summary["state"] == "done"
    assert run.state == "finished"
    assert world.registry().moves == (made,)


def test_nothing_of_a_version_but_its_aliases_is_written(world: World) -> None:
    world.move(MoveVerb.PROMOTE, "v3")
    world.move(MoveVerb.ROLLBACK, "v2")
    assert world.asked("UpdateArtifact") == 0
    assert {one.metadata["data_version"] for one in world.wandb.standin.state.artifacts.values()} == {
        f"2026-0{number}" for number in range(4)
    }
    assert world.wandb.standin.unknown_requests == []


def test_a_rollback_goes_back(world: World) -> None:
    world.move(MoveVerb.PROMOTE, "v3")
    made = world.move(MoveVerb.ROLLBACK, "1.1.0")
    assert (made.state, made.source, made.target) == (MoveState.DONE, "v3", "v2")
    assert world.held() == {"production": "v2", "previous": "v3"}
    assert world.deployed()[-1] == "rollback v2 100"
    assert world.registry().served_versions == ("v2", "v3", "v1")


def test_the_same_key_is_the_same_move(world: World) -> None:
    first = world.move(MoveVerb.PROMOTE, "candidate", "k1")
    again = world.move(MoveVerb.PROMOTE, "candidate", "k1")  # The alias names nobody any more.
    assert again == first
    assert world.deployed() == ["promote v3 100"]
    with pytest.raises(UserError, match="the key 'k1' belongs to another move: promote v3"):
        world.move(MoveVerb.ROLLBACK, "v2", "k1")


def test_what_is_so_already_is_answered_and_written_nowhere(world: World) -> None:
    made = world.move(MoveVerb.PROMOTE, "v2")
    assert (made.state, made.detail, made.url) == (MoveState.DONE, "1.1.0 (v2) is in production already", "")
    assert world.move(MoveVerb.ABORT).detail == "there is no canary"
    assert world.move(MoveVerb.RESTORE).detail == "the model is not degraded"
    assert world.states() == []
    assert world.deployed() == []


@pytest.mark.parametrize(
    ("verb", "target", "told"),
    [
        (MoveVerb.PROMOTE, "v9", r"there is no version 'v9'.*Existing versions: 1\.2\.0 \(v3\)"),
        (MoveVerb.PROMOTE, "candidte", "Did you mean `candidate`"),
        (MoveVerb.PROMOTE, "v3; rm -rf /", "there is no version"),
        (MoveVerb.ROLLBACK, "", "there is no version ''"),
        (MoveVerb.CANARY, "production", "in production already: it cannot be its own canary"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    world: World, verb: MoveVerb, target: str, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        world.move(verb, target)
    assert world.states() == []
    assert world.held() == START


def test_a_version_that_w_b_lost_cannot_be_gone_back_to(world: World) -> None:
    world.move(MoveVerb.PROMOTE, "v3")
    state = world.wandb.standin.state
    version = state.projects["acme", "train"].collections["churn"].versions.pop(2)
    del state.artifacts[version.id]
    lost = world.registry().version("v2")
    assert lost is not None
    assert not lost.available
    with pytest.raises(UserError, match="no longer available: its files are deleted"):
        world.move(MoveVerb.ROLLBACK, "v2")


def test_a_command_that_fails_puts_the_aliases_back(world: World) -> None:
    world.change(deploy="echo no room; exit 3")
    made = world.move(MoveVerb.PROMOTE, "v3", "k1")
    assert (made.state, made.detail) == (MoveState.FAILED, "the deploy command ended with exit code 3")
    assert world.held() == START
    assert world.told == ["no room"]
    assert world.states() == [("k1", "failed")]
    assert world.shown("k1") == "failed"
    assert world.move(MoveVerb.PROMOTE, "v3", "k1").state is MoveState.FAILED, "the same key is not tried again"
    assert world.pagerduty.standin.state.change_events == []


@pytest.mark.parametrize(("line", "code"), [("false | true", 1), ("echo $NOBODY", 1), ("kill -9 $$", 137)])
def test_the_command_is_run_strictly(world: World, line: str, code: int) -> None:
    world.change(deploy=line)
    assert world.move(MoveVerb.PROMOTE, "v3").detail == f"the deploy command ended with exit code {code}"


def test_the_command_is_told_everything_and_finds_its_own_environment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_DIR", "/of/the/user")
    world.change(deploy="env | grep -E '^(MODELWATCH_|WANDB_DIR)' | sort > told.txt")
    world.move(MoveVerb.CANARY, "v3", "k1", percent=7.5, reason="'; touch owned; $(touch owned)", issue="#7")
    assert (world.folder / "told.txt").read_text().splitlines() == [
        "MODELWATCH_FROM_VERSION=v2",
        "MODELWATCH_ISSUE=#7",
        "MODELWATCH_KEY=k1",
        "MODELWATCH_MODEL=churn",
        "MODELWATCH_NUMBER=1.2.0",
        "MODELWATCH_PERCENT=7.5",
        "MODELWATCH_REASON='; touch owned; $(touch owned)",
        "MODELWATCH_SERVING=v2:92.5 v3:7.5",
        "MODELWATCH_SERVING_NUMBERS=1.1.0:92.5 1.2.0:7.5",
        "MODELWATCH_TARGET_VERSION=v3",
        "MODELWATCH_VERB=canary",
        "MODELWATCH_VERSION=v3",
        "MODELWATCH_WINDOW_END=",
        "MODELWATCH_WINDOW_START=",
        "WANDB_DIR=/of/the/user",
    ]
    assert not (world.folder / "owned").exists()


def test_a_canary_starts_and_is_taken_back(world: World) -> None:
    world.move(MoveVerb.CANARY, "candidate", percent=10.0)
    assert world.held() == START | {"canary": "v3"}
    aborted = world.move(MoveVerb.ABORT)
    assert (aborted.source, aborted.target) == ("v2", "v3")
    assert world.held() == START
    assert world.deployed() == ["canary v3 10", "abort v2 0"]


SERVING = 'echo "$MODELWATCH_VERB $MODELWATCH_SERVING" >> deployed.txt'


def test_every_command_is_told_what_must_serve_when_it_has_ended(world: World) -> None:
    world.change(deploy=SERVING, degrade=SERVING)
    world.move(MoveVerb.CANARY, "v3", percent=10.0)
    world.move(MoveVerb.ABORT)
    world.move(MoveVerb.DEGRADE)
    world.move(MoveVerb.CANARY, "v3", percent=10.0)
    world.move(MoveVerb.RESTORE)
    world.move(MoveVerb.PROMOTE, "v1")
    world.move(MoveVerb.ROLLBACK, "v2")
    assert world.deployed() == [
        "canary v2:90 v3:10",
        "abort v2:100",
        "degrade fallback:100",
        "canary fallback:90 v3:10",
        "restore v2:90 v3:10",
        "promote v1:100",
        "rollback v2:100",
    ]
    assert "canary" not in world.held()


def test_a_canary_gets_another_share_and_goes_on(world: World) -> None:
    world.change(deploy=SERVING)
    first = world.move(MoveVerb.CANARY, "v3")
    assert first.percent == 10.0, "as configured"
    world.move(MoveVerb.CANARY, "v3", percent=20.0)
    assert "canary already" in world.move(MoveVerb.CANARY, "v3", percent=20.0).detail
    assert "canary already" in world.move(MoveVerb.CANARY, "v3").detail
    assert world.deployed() == ["canary v2:90 v3:10", "canary v2:80 v3:20"]
    (period,) = world.registry().canary_periods
    assert (period.since, period.until, period.percent) == (first.at, None, 20.0)
    world.change(deploy="exit 1")
    assert world.move(MoveVerb.CANARY, "v3", percent=50.0).state is MoveState.FAILED
    assert world.held()["canary"] == "v3"
    assert world.registry().canary_periods[-1].percent == 20.0


def test_degrading_and_promoting_another_version_end_the_canary(world: World) -> None:
    world.move(MoveVerb.CANARY, "v3")
    world.move(MoveVerb.DEGRADE)
    assert world.held() == START | {"degraded": "v2"}
    world.move(MoveVerb.CANARY, "v3")
    world.move(MoveVerb.PROMOTE, "v2")
    assert world.held()["canary"] == "v3", "v2 is in production already: its canary goes on"
    world.move(MoveVerb.PROMOTE, "v1")
    assert "canary" not in world.held()


def test_a_canary_needs_a_champion(world: World) -> None:
    versions = world.wandb.standin.state.projects["acme", "train"].collections["churn"].versions
    versions[2].aliases.remove("production")
    with pytest.raises(UserError, match="nothing is in production: a canary serves beside the champion"):
        world.move(MoveVerb.CANARY, "v3")


def test_a_model_is_degraded_and_taken_back(world: World) -> None:
    world.move(MoveVerb.DEGRADE)
    assert world.held() == START | {"degraded": "v2"}
    world.move(MoveVerb.RESTORE)
    assert world.held() == START
    assert world.deployed() == ["degrade v2 100", "restore v2 100"]


def test_a_version_gets_the_next_number_once(world: World) -> None:
    world.move(MoveVerb.REGISTER, "v0", bump="major")
    assert world.held("candidate", "2.0.0") == {"candidate": "v0", "2.0.0": "v0"}
    assert "registered already" in world.move(MoveVerb.REGISTER, "v0").detail
    world.move(MoveVerb.REGISTER, "v2", bump="patch")
    assert world.held("candidate", "1.1.0") == {"candidate": "v2", "1.1.0": "v2"}, "a number stays"


def test_people_are_told_once_and_after_the_fact(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hooked()
    for name, value in (("ACTIONS", "true"), ("REPOSITORY", "acme/churn"), ("RUN_ID", "7")):
        monkeypatch.setenv(f"GITHUB_{name}", value)
    made = world.move(MoveVerb.PROMOTE, "v3", "k1")
    assert made.told == ("change-event", "webhook")
    world.move(MoveVerb.PROMOTE, "v3", "k1")
    world.finish()
    (change,) = world.pagerduty.standin.state.change_events
    assert change.event["payload"]["summary"] == "churn promoted to 1.2.0 (v3) from 1.1.0 (v2): because"
    assert change.event["links"] == [
        {"href": made.url, "text": "History in W&B"},
        {"href": "https://github.com/acme/churn/actions/runs/7", "text": "Workflow run"},
    ]
    (body,) = world.hook.standin.got
    assert (body["verb"], body["version"], body["from"]) == (
        "promote",
        {"name": "v3", "number": "1.2.0"},
        {"name": "v2", "number": "1.1.0"},
    )


def test_nobody_to_be_reached_fails_no_move_and_is_tried_again(world: World) -> None:
    world.hooked()
    world.pagerduty.inject(Fault("status", status=400, times=-1))
    world.hook.inject(Fault("status", status=404, times=-1))
    made = world.move(MoveVerb.PROMOTE, "v3", "k1")
    assert (made.state, made.told) == (MoveState.DONE, ())
    warnings = [text for text in world.told if text.startswith("warning: ")]
    assert [" (change-event): " in text for text in warnings] == [True, False]
    assert "secret-path" not in " ".join(world.told)
    world.pagerduty.clear()
    world.hook.clear()
    (again,) = world.finish()
    assert again.told == ("change-event", "webhook")
    assert world.deployed() == ["promote v3 100"]


class Dead(Exception):  # noqa: N818
    """The process ends here."""


def left_open(
    world: World, monkeypatch: pytest.MonkeyPatch, where: str, verb: MoveVerb = MoveVerb.PROMOTE, target: str = "v3"
) -> None:
    """A move ``k1`` whose process ended in ``where``."""

    def dies(*_given: object, **_named: object) -> None:
        raise Dead

    with monkeypatch.context() as patch:
        patch.setattr(f"modelwatch.release.{where}", dies)
        with pytest.raises(Dead):
            world.move(verb, target, "k1")
    assert world.registry().open_moves


BEFORE_ANY, AT_THE_COMMAND = "moves.MoveExecutor.advance", "hooks.run_command"


def test_a_move_that_lives_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, BEFORE_ANY)
    with pytest.raises(
        MoveInProgressError, match=r"promote v3 by ana is in progress \(k1\); its last heartbeat is 1 s old"
    ):
        world.move(MoveVerb.ROLLBACK, "v1", "k2")
    with pytest.raises(MoveInProgressError):
        world.finish()
    assert world.held() == START
    assert world.states() == [("k1", "intended")]


def test_the_next_move_undoes_what_had_not_come_to_serve(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, BEFORE_ANY)
    world.now += LONG_AFTER
    world.move(MoveVerb.ROLLBACK, "v1", "k2")
    assert world.states() == [("k1", "undone"), ("k2", "done")]
    assert world.held() == {"production": "v1", "previous": "v2", "candidate": "v3"}
    assert world.deployed() == ["rollback v1 100"]


def test_the_next_move_supersedes_what_serves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, AT_THE_COMMAND)
    made = world.move(MoveVerb.ROLLBACK, "v2", "k2", take_over=True)
    assert made.source == "v3"
    assert world.states() == [("k1", "undone"), ("k2", "done")]
    assert "took over before its command had ended" in world.registry().moves[1].detail
    assert world.held() == {"production": "v2", "previous": "v3"}
    assert world.deployed() == ["rollback v2 100"], "what is left at once is not deployed first"


def test_an_abort_does_not_deploy_the_canary_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, AT_THE_COMMAND, MoveVerb.CANARY)
    world.move(MoveVerb.ABORT, "", "k2", take_over=True)
    assert world.states() == [("k1", "undone"), ("k2", "done")]
    assert world.held() == START
    assert world.deployed() == ["abort v2 0"]


def test_others_finish_what_serves(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, AT_THE_COMMAND)
    (ended,) = world.finish(after=LONG_AFTER)
    assert (ended.key, ended.state) == ("k1", MoveState.DONE)
    assert world.held() == PROMOTED
    assert world.deployed() == ["promote v3 100"]
    assert world.finish() == ()


def test_asking_for_the_same_again_goes_on_without_a_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, AT_THE_COMMAND)
    made = world.move(MoveVerb.PROMOTE, "v3")
    assert (made.key, made.state) == ("k1", MoveState.DONE)
    assert world.states() == [("k1", "done")]


def test_putting_back_is_finished_by_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.change(deploy="exit 1")
    left_open(world, monkeypatch, "moves.steps_back")
    assert world.held() == PROMOTED
    world.change(deploy="true")
    (ended,) = world.finish(after=LONG_AFTER)
    assert (ended.state, ended.detail) == (MoveState.FAILED, "the deploy command ended with exit code 1")
    assert world.held() == START


def test_a_person_who_moved_production_meanwhile_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open(world, monkeypatch, BEFORE_ANY)
    versions = world.wandb.standin.state.projects["acme", "train"].collections["churn"].versions
    world.wandb.standin.state.move_aliases(versions[0], ["production"])
    made = world.move(MoveVerb.PROMOTE, "v3", "k1")
    assert made.state is MoveState.UNDONE
    assert made.detail == "somebody put v0 into production meanwhile; nothing more was moved"
    assert world.held()["production"] == "v0"


def promote_at_once(world: World, target: str, attempt: int, barrier: threading.Barrier, ends: list[str]) -> None:
    barrier.wait()
    try:
        ends.append(str(world.move(MoveVerb.PROMOTE, target, f"{target}-{attempt}").state))
    except MoveInProgressError:
        ends.append("refused")


def test_two_at_once_do_not_meet(world: World) -> None:
    for attempt in range(4):
        before = world.held()["production"]
        ends: list[str] = []
        barrier = threading.Barrier(2)

        targets = [name for name in ("v0", "v1", "v3") if name != before][:2]
        threads = [
            threading.Thread(target=promote_at_once, args=(world, name, attempt, barrier, ends)) for name in targets
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ends) == 2
        registry = world.registry()
        done = [move for move in registry.moves if move.state is MoveState.DONE and move.key.endswith(f"-{attempt}")]
        assert len(done) == ends.count("done")
        assert registry.open_moves == ()
        if len(done) == 2:  # One was late, and saw what the other had made of it.
            assert {move.source for move in done} - {before} <= {move.target for move in done}
        assert world.held()["production"] in {move.target for move in done} | ({before} if not done else set())


def test_whoever_comes_second_steps_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other's intent arrives between our look and ours."""
    other = replace(world.move(MoveVerb.CANARY, "v3", "other"), key="first", state=MoveState.INTENDED, ended=None)
    intend = MoveExecutor.write_intent

    def late(self: MoveExecutor, mine: Move) -> bool:
        intend(self, other)
        return intend(self, mine)

    monkeypatch.setattr(MoveExecutor, "write_intent", late)
    with pytest.raises(MoveInProgressError, match=r"canary v3 \(first\) came first; nothing was moved"):
        world.move(MoveVerb.PROMOTE, "v3", "second")
    assert world.held()["production"] == "v2"
    assert ("second", "undone") in world.states()


def test_one_key_at_one_moment_is_one_deployment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workflow runs of one dispatch, neither of which has seen the other: W&B tells one that it was first, and the
    other waits for its end."""
    world.change(deploy=f"sleep 0.3; {DEPLOY}")
    world.scale = 0.05
    barrier, intend = threading.Barrier(2), MoveExecutor.write_intent

    def together(self: MoveExecutor, mine: Move) -> bool:
        barrier.wait()
        return intend(self, mine)

    monkeypatch.setattr(MoveExecutor, "write_intent", together)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(world.move, MoveVerb.PROMOTE, "v3", "k1") for _ in range(2)]
        ends = [one.result() for one in both]
    assert [one.state for one in ends] == [MoveState.DONE, MoveState.DONE]
    assert world.deployed() == ["promote v3 100"]
    assert world.held() == PROMOTED
    assert len(world.pagerduty.standin.state.change_events) == 1
    assert sum("waiting until it ends or its heartbeats stop" in text for text in world.told) == 1


def test_whoever_is_late_takes_nothing_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its look is older than the whole move that another process made meanwhile with the same key."""
    intend = MoveExecutor.write_intent

    def overtaken(self: MoveExecutor, mine: Move) -> bool:
        monkeypatch.setattr(MoveExecutor, "write_intent", intend)
        world.move(MoveVerb.PROMOTE, "v3", "k1")
        return intend(self, mine)

    monkeypatch.setattr(MoveExecutor, "write_intent", overtaken)
    made = world.move(MoveVerb.PROMOTE, "v3", "k1")
    assert (made.state, made.target) == (MoveState.DONE, "v3")
    assert world.states() == [("k1", "done")]
    assert world.deployed() == ["promote v3 100"]


def test_an_intent_whose_answer_was_lost_is_gone_on_with(world: World) -> None:
    world.wandb.inject(Fault("status", status=502, when="after", text="mutation UpsertBucket"))
    assert world.move(MoveVerb.PROMOTE, "v3", "k1").state is MoveState.DONE
    assert world.states() == [("k1", "done")]
    assert world.deployed() == ["promote v3 100"]


def test_a_command_that_takes_long_is_shown_as_running(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelwatch.release.moves.HEARTBEAT_INTERVAL", 0.02)
    world.change(deploy="sleep 0.5")
    world.move(MoveVerb.PROMOTE, "v3", "k1")
    beats = [one.body for one in world.wandb.requests if one.path.endswith("/file_stream")]
    assert len(beats) > 1
    assert {b'"complete": false' in body for body in beats[:-1]} == {True}
    assert b'"complete": true' in beats[-1]


@pytest.mark.parametrize("status", [503, 302])
def test_how_w_b_shows_it_decides_nothing(world: World, status: int) -> None:
    """A redirect of a write is not followed, and no success."""
    world.wandb.inject(Fault("status", status=status, path="file_stream", times=-1))
    assert world.move(MoveVerb.PROMOTE, "v3", "k1").state is MoveState.DONE
    (warning,) = world.told
    assert warning.startswith("warning: W&B may show the W&B run of promote v3 as crashed: ")
    assert warning.endswith(f": W&B answered HTTP {status}.")


def test_a_heartbeat_whose_answer_drips_ends_in_time(world: World) -> None:
    access = open_access(world.model, os.environ, RetryPolicy(timeout=0.2))
    world.wandb.inject(Fault("drip", seconds=0.1, path="file_stream", times=-1))
    with pytest.raises(SourceError, match="no answer"):
        access.session.send_heartbeat(("acme", "train", "trainer-1"))


def test_w_b_that_fails_before_anything_changed_says_so(world: World) -> None:
    world.wandb.inject(Fault("status", status=500, text="ProjectArtifacts", times=-1))
    with pytest.raises(SourceError, match="HTTP 500"):
        world.move(MoveVerb.PROMOTE, "v3", "k1")
    world.wandb.clear()
    assert world.states() == []


def test_w_b_that_fails_in_between_says_how_to_go_on(world: World) -> None:
    world.wandb.inject(Fault("status", status=403, text="mutation AddAliases", times=-1))
    with pytest.raises(MoveInterruptedError, match=r"promote v3 started and did not finish: .*403.*--key k1"):
        world.move(MoveVerb.PROMOTE, "v3", "k1")
    world.wandb.clear()
    assert world.held() == START
    assert world.move(MoveVerb.PROMOTE, "v3", "k1").state is MoveState.DONE


def test_the_way_on_can_be_pasted_into_a_shell(world: World) -> None:
    world.wandb.inject(Fault("status", status=403, text="mutation AddAliases", times=-1))
    with pytest.raises(MoveInterruptedError, match=r"--key 'k1; \$\(id\)', or"):
        world.move(MoveVerb.PROMOTE, "v3", "k1; $(id)")


TRAIN = """\
cat > logged.txt <<< "$MODELWATCH_WINDOW_START $MODELWATCH_WINDOW_END"
"""


def test_a_training_is_recorded_with_what_it_logged(world: World) -> None:
    world.change(train=TRAIN)
    made = world.move(MoveVerb.RETRAIN, key="k1", window=(world.now - 86_400, world.now))
    assert (made.state, made.detail) == (MoveState.FAILED, "the command logged no new version of acme/train/churn")
    window = (world.folder / "logged.txt").read_text().split()
    assert [len(moment) for moment in window] == [20, 20]

    def logs(*_given: object, **_named: object) -> int:
        world.wandb.standin.state.add_artifact("acme", "train", "churn", {"model.bin": b"new"})
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelwatch.release.hooks.run_command", logs)
        made = world.move(MoveVerb.RETRAIN, key="k2")
    assert (made.state, made.made) == (MoveState.DONE, "v4")
    assert world.move(MoveVerb.RETRAIN, key="k2").made == "v4"


def test_a_training_stands_in_nobody_s_way_and_is_not_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.change(train="exit 9")

    def dies(*_given: object, **_named: object) -> None:
        raise Dead

    with monkeypatch.context() as patch:
        patch.setattr("modelwatch.release.hooks.run_command", dies)
        with pytest.raises(Dead):
            world.move(MoveVerb.RETRAIN, key="k1")
    assert world.move(MoveVerb.ROLLBACK, "v1", "k2").state is MoveState.DONE
    with pytest.raises(MoveInProgressError):
        world.move(MoveVerb.RETRAIN, key="k3")
    (ended,) = world.finish(after=LONG_AFTER)
    assert (ended.key, ended.state, ended.detail) == ("k1", MoveState.UNDONE, "its process ended before it did")


def test_nothing_is_trained_while_a_rollback_is_under_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.change(train="true")
    world.move(MoveVerb.PROMOTE, "v3")
    left_open(world, monkeypatch, AT_THE_COMMAND, MoveVerb.ROLLBACK, "v2")
    with pytest.raises(MoveInProgressError, match=r"rollback v2 by ana is in progress \(k1\)"):
        world.move(MoveVerb.RETRAIN, key="k2")
    assert world.states()[-1] == ("k1", "moved"), "it is left alone"
    world.finish(after=LONG_AFTER)
    assert world.move(MoveVerb.RETRAIN, key="k2").state is MoveState.FAILED, "the command logs nothing"


def test_a_registry_of_links_is_moved_just_so(world: World) -> None:
    state = world.wandb.standin.state
    for number in (1, 3, 2):
        version = state.projects["acme", "train"].collections["churn"].versions[number]
        state.link_artifact(version, "acme", "wandb-registry-model", "churn", ["production"] if number == 1 else [])
    world.change(artifact="acme/wandb-registry-model/churn")
    registry = world.registry()
    assert [(one.name, one.commit[:2]) for one in registry.versions] == [("v2", "22"), ("v1", "33"), ("v0", "11")]
    made = world.move(MoveVerb.PROMOTE, "v1")
    assert made.state is MoveState.DONE
    assert world.held(project="wandb-registry-model") == {"production": "v1", "previous": "v0"}
    assert world.held() == START, "the collection that the links come from is left alone"
    assert "acme/prod/" in made.url.replace("runs/", ""), "a registry holds no W&B runs"
