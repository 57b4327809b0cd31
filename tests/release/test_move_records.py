"""Moves as W&B runs: they decode to what was encoded; foreign runs are ignored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelwatch.errors import Exit, SourceError
from modelwatch.model.release import JOB_TYPE, Move, MoveState, MoveVerb
from modelwatch.release.move_records import (
    HEARTBEAT_TIMEOUT,
    decode_record,
    encode_intent,
    encode_progress,
    move_filters,
    run_id,
)
from modelwatch.release.registry import next_number

from .world import NOW, World

texts = st.text(max_size=40)
times = st.floats(min_value=0, max_value=4e9, allow_nan=False)
pairs = st.dictionaries(texts, texts, max_size=4).map(lambda held: tuple(sorted(held.items())))
moves = st.builds(
    Move, key=texts, verb=st.sampled_from(MoveVerb), model=texts, source=texts, target=texts, reason=texts, by=texts,
    at=times, before=pairs, after=pairs, state=st.sampled_from(MoveState), ended=st.none() | times, detail=texts,
    percent=st.none() | times, issue=texts, url=st.just("url"), told=st.lists(texts, max_size=2).map(tuple), made=texts,
)  # fmt: skip


@settings(max_examples=60)
@given(moves, times)
def test_what_is_written_comes_back(move: Move, alive: float) -> None:
    found = decode_record(encode_intent(move), encode_progress(move, alive), 7.0, "url")
    assert found is not None
    assert (found.move, found.created, found.heartbeat_at) == (move, 7.0, alive)
    assert found.is_alive(alive + HEARTBEAT_TIMEOUT - 1) is not move.state.ended
    assert not found.is_alive(alive + HEARTBEAT_TIMEOUT + 1)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"verb": "destroy"},
        {"key": None},
        {"at": "yesterday"},
        {"at": True},
        {"before": {"production": 7}},
        {"target": ["v1"]},
    ],
)
def test_what_is_not_understood_is_no_move(world: World, change: dict[str, Any]) -> None:
    made = world.move(MoveVerb.PROMOTE, "v3")
    run = world.wandb.standin.state.run("acme", "train", run_id("churn", made.key))
    assert run is not None
    for name, value in change.items():
        run.config[name] = {"value": value}
    assert world.registry().moves == ()
    assert world.move(MoveVerb.ROLLBACK, "v2").state is MoveState.DONE


def test_another_model_s_moves_are_not_ours(world: World) -> None:
    world.move(MoveVerb.PROMOTE, "v3")
    world.wandb.standin.state.add_run("acme", "train", "other", {"model": "fraud"}, job_type=JOB_TYPE)
    assert move_filters("churn") == {"jobType": JOB_TYPE, "config.model": "churn"}
    assert len(world.registry().moves) == 1
    assert run_id("churn", "k") != run_id("fraud", "k")


def test_a_version_is_read_with_all_that_made_it(world: World) -> None:
    newest, *_, oldest = world.registry().versions
    assert (newest.name, newest.number, newest.data, newest.commit) == ("v3", "1.2.0", "2026-03", "3" * 40)
    assert newest.parameters == (("layers", "2"), ("lr", "0.3"))
    assert newest.metrics == (("accuracy", 0.93),)
    assert (newest.run, newest.by, newest.title) == ("acme/train/trainer-3", "modelwatch", "1.2.0 (v3)")
    assert (oldest.name, oldest.created, oldest.number) == ("v0", NOW - 9_000, "")


def test_many_versions_take_few_calls(world: World) -> None:
    state = world.wandb.standin.state
    for number in range(150):
        state.add_artifact("acme", "train", "churn", {"m": b"%d" % number})
    world.wandb.clear()
    found = world.registry()
    assert len(found.versions) == 154
    assert found.version("production") is not None
    assert found.version("production").commit == "2" * 40  # type: ignore[union-attr]
    assert (world.asked("ProjectArtifacts"), world.asked("ArtifactMakers"), world.asked("Runs")) == (2, 2, 1)


@pytest.mark.parametrize(
    "change", [{"artifact": "acme/train/chrn"}, {"artifact": "acme/trian/churn"}, {"type": "data"}]
)
def test_a_collection_that_is_not_there_is_told(world: World, change: dict[str, str]) -> None:
    world.change(**change)
    with pytest.raises(SourceError, match=r"no artifact collection of type|no such project") as caught:
        world.registry()
    assert caught.value.exit_code is Exit.USAGE


def test_numbers_go_up(world: World) -> None:
    registry = world.registry()
    found = [next_number(registry, bump) for bump in ("major", "minor", "patch", "")]
    assert found == ["2.0.0", "1.3.0", "1.2.1", "1.3.0"]
