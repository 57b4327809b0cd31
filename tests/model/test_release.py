"""What follows from the moves of a release: who served, and which canaries there were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.release import CanaryPeriod, Move, MoveState, MoveVerb, Registry, Version

V7 = Version("v7", ("production",), "d7", 1.0)
V8 = Version("v8", ("canary", "latest"), "d8", 2.0, number="1.5.0")


def move(verb: MoveVerb, target: str, at: float, state: MoveState = MoveState.DONE, **more: object) -> Move:
    plain = Move(f"k{at}", verb, "churn", "v7", target, "", "ada", at, state=state, ended=at + 1)
    return replace(plain, **more)  # type: ignore[arg-type]


def registry(*moves: Move) -> Registry:
    return Registry("churn", "acme/churn/model", (V8, V7), tuple(sorted(moves, key=lambda one: -one.at)))


def test_a_canary_serves_until_it_is_promoted_or_taken_back() -> None:
    start = move(MoveVerb.CANARY, "v8", 10.0, percent=5.0)
    own = ("v8", "1.5.0", "latest")
    assert registry(start).canary_periods == (CanaryPeriod("v8", own, 10.0, percent=5.0),)
    assert registry(start, move(MoveVerb.ABORT, "", 20.0)).canary_periods == (
        CanaryPeriod("v8", own, 10.0, 20.0, percent=5.0),
    )
    promoted = registry(start, move(MoveVerb.PROMOTE, "v8", 20.0)).canary_periods
    assert promoted == (CanaryPeriod("v8", own, 10.0, 20.0, promoted=True, percent=5.0),)
    other = registry(start, move(MoveVerb.ROLLBACK, "v7", 20.0)).canary_periods
    assert (other[0].until, other[0].promoted) == (20.0, False)


@pytest.mark.parametrize("state", [MoveState.INTENDED, MoveState.FAILED, MoveState.UNDONE])
def test_a_canary_that_was_not_deployed_is_none(state: MoveState) -> None:
    assert registry(move(MoveVerb.CANARY, "v8", 10.0, state)).canary_periods == ()


def test_of_two_canaries_the_second_ends_the_first() -> None:
    trials = registry(move(MoveVerb.CANARY, "v7", 10.0), move(MoveVerb.CANARY, "v8", 20.0)).canary_periods
    assert [(trial.version, trial.since, trial.until) for trial in trials] == [("v7", 10.0, 20.0), ("v8", 20.0, None)]


def test_what_holds_in_a_trial() -> None:
    trial = CanaryPeriod("v8", ("v8", "1.5.0"), 10.0, 20.0)
    held = [trial.covers(*pair) for pair in (("v8", 10.0), ("1.5.0", 19.0), ("v8", 20.0), ("v8", 9.0), ("v7", 15.0))]
    assert held == [True, True, False, False, False]


def test_aliases_that_wander_name_no_canary() -> None:
    assert "canary" not in registry(move(MoveVerb.CANARY, "v8", 10.0)).canary_periods[0].names


def test_versions_that_served_newest_first_each_once() -> None:
    moves = (
        move(MoveVerb.PROMOTE, "v7", 1.0),
        move(MoveVerb.PROMOTE, "v8", 2.0),
        move(MoveVerb.ROLLBACK, "v7", 3.0),
        move(MoveVerb.PROMOTE, "v9", 4.0, MoveState.FAILED),
        move(MoveVerb.CANARY, "v9", 5.0),
    )
    assert registry(*moves).served_versions == ("v7", "v8")


def test_what_was_found_in_production_has_served_too() -> None:
    """Before the first move somebody put v6 there by hand, and v5 before that."""
    first = move(MoveVerb.PROMOTE, "v7", 1.0, source="v6", before=(("previous", "v5"), ("production", "v6")))
    assert registry(first, move(MoveVerb.PROMOTE, "v8", 2.0)).served_versions == ("v8", "v7", "v6", "v5")


@pytest.mark.parametrize(("text", "name"), [("v8", "v8"), ("1.5.0", "v8"), ("production", "v7"), ("", ""), ("9", "")])
def test_a_version_by_any_of_its_names(text: str, name: str) -> None:
    found = registry().version(text)
    assert (found.name if found else "") == name
