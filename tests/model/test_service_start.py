"""Since when a version serves, by the moves of its release."""

from __future__ import annotations

from dataclasses import replace

from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.model.series import Deployment, PulledSeries, ServiceStart, StartOrigin, move_starts
from modelwatch.timeutil import DAY


def promote(target: str, at: float, verb: MoveVerb = MoveVerb.PROMOTE) -> Move:
    return Move(f"k{at}", verb, "churn", "", target, "", "ada", at, state=MoveState.DONE, ended=at + 60)


V6 = Version("v6", ("1.4.0",), "", 0.0, number="1.4.0")
V7 = Version("v7", (), "", 0.0)
OCTOBER, NOVEMBER = 10 * DAY, 40 * DAY


def test_a_version_serves_since_the_move_that_put_it_there() -> None:
    registry = Registry("churn", "a/b/c", (V7, V6), (promote("v6", OCTOBER),))
    edge = Deployment("1.4.0", NOVEMBER)
    (start,) = move_starts((edge,), registry)
    assert start == ServiceStart("1.4.0", NOVEMBER, OCTOBER + 60, StartOrigin.MOVE), "whatever the window's edge"
    pull = PulledSeries("churn", (), (edge,), starts=(start,))
    assert pull.start_of(edge).began == OCTOBER + 60
    other = Deployment("v7", NOVEMBER)
    assert pull.start_of(other) == ServiceStart("v7", NOVEMBER, NOVEMBER, StartOrigin.POINT)


def test_a_version_that_was_rolled_back_within_the_hour_keeps_its_beginning() -> None:
    back = promote("v6", NOVEMBER + 50 * 60, MoveVerb.ROLLBACK)
    registry = Registry("churn", "a/b/c", (V7, V6), (back, promote("v7", NOVEMBER), promote("v6", OCTOBER)))
    (start,) = move_starts((Deployment("v7", NOVEMBER + 120),), registry)
    assert (start.version, start.began) == ("v7", NOVEMBER + 60)


def test_a_move_to_another_version_since_then_says_nothing() -> None:
    """v6 was promoted, v7 took its place, and somebody brought v6 back by hand."""
    registry = Registry("churn", "a/b/c", (V7, V6), (promote("v7", OCTOBER + DAY), promote("v6", OCTOBER)))
    assert move_starts((Deployment("v6", NOVEMBER),), registry) == ()
    failed = replace(promote("v6", OCTOBER), state=MoveState.FAILED)
    assert move_starts((Deployment("v6", NOVEMBER),), replace(registry, moves=(failed,))) == ()
