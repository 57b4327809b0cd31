"""``modelwatch watch``: every few minutes for a while, and over as soon as something critical fires."""

from __future__ import annotations

import json

import pytest

from .world import CRITICAL, ERROR, HEALTHY, WARNING, World


def test_it_looks_as_often_as_it_is_told(world: World) -> None:
    world.metrics(*[HEALTHY] * 4)
    world.at(4)
    ran = world.run("watch", "--for", "6s", "--every", "1s")
    assert ran.code == 0, ran.err
    assert 3 <= len(ran.out.splitlines()) <= 8
    assert "1 healthy, 0 changes" in ran.out
    assert ran.out.endswith("\nEnded with exit code 0: 6s are over: nothing critical fires.\n")


def test_what_is_critical_ends_it_at_once(world: World) -> None:
    """`for: 2` holds after two findings with new points: looking again is none."""
    world.metrics(*[HEALTHY] * 4, CRITICAL, CRITICAL)
    world.at(6)
    ran = world.run("watch", "--for", "1h", "--every", "1s")
    assert ran.code == 12
    assert "1 firing (critical)" in ran.out.splitlines()[-2]
    assert ran.out.endswith("\nEnded with exit code 12: a critical alert fires.\n")
    assert len(world.issues) == 1
    assert len(world.incidents) == 1


def test_what_is_less_than_critical_is_acted_on_and_watched_further(world: World) -> None:
    world.metrics(*[HEALTHY] * 4, ERROR, ERROR)
    world.at(6)
    ran = world.run("watch", "--for", "6s", "--every", "2s")
    assert ran.code == 0
    assert len(ran.out.splitlines()) >= 3
    assert len(world.issues) == 1


def test_a_look_that_fails_is_told_and_the_next_one_goes_on(world: World) -> None:
    ran = world.run("watch", "--for", "4s", "--every", "2s")
    assert ran.code == 3
    assert ran.out.count("1 source down") >= 2
    assert ran.out.endswith("\nEnded with exit code 3: 4s are over: in the last round a source was down.\n")


def test_as_json_every_line_is_an_object(world: World) -> None:
    world.metrics(*[HEALTHY] * 4)
    world.at(4)
    ran = world.run("watch", "--for", "1s", "--every", "1s", "--format", "json")
    *rounds, end = map(json.loads, ran.out.splitlines())
    assert {row["summary"] for row in rounds} == {"1 healthy"}
    assert {(row["changes"], row["exit_code"]) for row in rounds} == {(0, 0)}
    assert end == {"ended": "1s are over: nothing critical fires", "exit_code": 0}


def test_a_dry_run_changes_nothing(world: World) -> None:
    world.metrics(*[WARNING] * 4)
    world.at(4)
    assert world.run("watch", "--for", "1s", "--every", "1s", "--dry-run").code == 0
    assert world.writes() == []


@pytest.mark.parametrize("length", ["2", "h", "0s", "-1h", "2 h"])
def test_a_length_that_is_none(world: World, length: str) -> None:
    ran = world.run("watch", f"--for={length}")
    assert ran.code == 2
    assert "is not a duration; write 2h, 5m or 30s" in " ".join(ran.err.split())
