"""What follows from the moves of a release: who served, and which canaries there were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.release import Move, MoveState, Registry, Trial, Verb, Version

V7 = Version("v7", ("production",), "d7", 1.0)
V8 = Version("v8", ("canary", "latest"), "d8", 2.0, number="1.5.0")


def move(verb: Verb, target: str, at: float, state: MoveState = MoveState.DONE, **more: object) -> Move:
    plain = Move(f"k{at}", verb, "churn", "v7", target, "", "ada", at, state=state, ended=at + 1)
    return replace(plain, **more)  # type: ignore[arg-type]


def registry(*moves: Move) -> Registry:
    return Registry("churn", "acme/churn/model", (V8, V7), tuple(sorted(moves, key=lambda one: -one.at)))


def test_a_canary_serves_until_it_is_promoted_or_taken_back() -> None:
    start = move(Verb.CANARY, "v8", 10.0, percent=5.0)
    own = ("v8", "1.5.0", "latest")
    assert registry(start).trials == (Trial("v8", own, 10.0, percent=5.0),)
    assert registry(start, move(Verb.ABORT, "", 20.0)).trials == (Trial("v8", own, 10.0, 20.0, percent=5.0),)
    promoted = registry(start, move(Verb.PROMOTE, "v8", 20.0)).trials
    assert promoted == (Trial("v8", own, 10.0, 20.0, promoted=True, percent=5.0),)
    other = registry(start, move(Verb.ROLLBACK, "v7", 20.0)).trials
    assert (other[0].until, other[0].promoted) == (20.0, False)


@pytest.mark.parametrize("state", [MoveState.INTENDED, MoveState.FAILED, MoveState.UNDONE])
def test_a_canary_that_was_not_deployed_is_none(state: MoveState) -> None:
    assert registry(move(Verb.CANARY, "v8", 10.0, state)).trials == ()


def test_of_two_canaries_the_second_ends_the_first() -> None:
    trials = registry(move(Verb.CANARY, "v7", 10.0), move(Verb.CANARY, "v8", 20.0)).trials
    assert [(trial.version, trial.since, trial.until) for trial in trials] == [("v7", 10.0, 20.0), ("v8", 20.0, None)]


def test_what_holds_in_a_trial() -> None:
    trial = Trial("v8", ("v8", "1.5.0"), 10.0, 20.0)
    held = [trial.holds(*pair) for pair in (("v8", 10.0), ("1.5.0", 19.0), ("v8", 20.0), ("v8", 9.0), ("v7", 15.0))]
    assert held == [True, True, False, False, False]


def test_aliases_that_wander_name_no_canary() -> None:
    assert "canary" not in registry(move(Verb.CANARY, "v8", 10.0)).trials[0].names


def test_versions_that_served_newest_first_each_once() -> None:
    moves = (
        move(Verb.PROMOTE, "v7", 1.0),
        move(Verb.PROMOTE, "v8", 2.0),
        move(Verb.ROLLBACK, "v7", 3.0),
        move(Verb.PROMOTE, "v9", 4.0, MoveState.FAILED),
        move(Verb.CANARY, "v9", 5.0),
    )
    assert registry(*moves).served == ("v7", "v8")


def test_what_was_found_in_production_has_served_too() -> None:
    """Before the first move somebody put v6 there by hand, and v5 before that."""
    first = move(Verb.PROMOTE, "v7", 1.0, source="v6", before=(("previous", "v5"), ("production", "v6")))
    assert registry(first, move(Verb.PROMOTE, "v8", 2.0)).served == ("v8", "v7", "v6", "v5")


@pytest.mark.parametrize(("text", "name"), [("v8", "v8"), ("1.5.0", "v8"), ("production", "v7"), ("", ""), ("9", "")])
def test_a_version_by_any_of_its_names(text: str, name: str) -> None:
    found = registry().version(text)
    assert (found.name if found else "") == name
