"""Alerts out of the moves of a release: when each begins, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.alerts.builtin_rules import derive_release_tracks, describe_moves
from modelwatch.alerts.grouping import judge_model
from modelwatch.model.alert import AlertState, Group
from modelwatch.model.monitored_model import Model, ReleaseSpec
from modelwatch.model.release import Move, MoveState, MoveVerb
from modelwatch.model.series import Deployment, PulledSeries
from modelwatch.model.severity import Severity
from modelwatch.timeutil import DAY, HOUR

from .making import at, findings, rule, tier, track, unexplained

NOW = at(100)
MODEL = Model("churn", (), release=ReleaseSpec("acme/churn/model", most=2))


def move(
    verb: MoveVerb, ago: float, state: MoveState = MoveState.DONE, took: float | None = 60.0, **more: object
) -> Move:
    """``ago``: seconds before now."""
    begun = NOW - ago
    ended = None if took is None else begun + took
    plain = Move(f"{verb}{ago}", verb, "churn", "v7", "v6", "accuracy is critical", "ada", begun, ended=ended)
    return replace(plain, state=state, **more)  # type: ignore[arg-type]


def firing(*moves: Move, now: float = NOW) -> dict[str, Group]:
    groups = judge_model(MODEL, findings(), PulledSeries("churn", (), moves=moves), now, unexplained)
    return {group.rule: group for group in groups if group.state is AlertState.FIRING}


@pytest.mark.parametrize(
    ("moves", "rules"),
    [
        ((), []),
        ((move(MoveVerb.ROLLBACK, HOUR),), []),
        ((move(MoveVerb.ROLLBACK, HOUR, MoveState.FAILED),), ["rollback-failed"]),
        ((move(MoveVerb.ROLLBACK, 2 * HOUR, MoveState.INTENDED, None),), ["rollback-failed"]),
        ((move(MoveVerb.ROLLBACK, HOUR / 2, MoveState.MOVED, None),), []),
        ((move(MoveVerb.PROMOTE, HOUR, MoveState.FAILED),), []),
        ((move(MoveVerb.RETRAIN, HOUR, MoveState.FAILED),), ["retraining-failed"]),
        ((move(MoveVerb.RETRAIN, 25 * HOUR, MoveState.INTENDED, None),), ["retraining-failed"]),
        ((move(MoveVerb.RETRAIN, 20 * HOUR, MoveState.INTENDED, None),), []),
        ((move(MoveVerb.CANARY, 3 * HOUR), move(MoveVerb.ABORT, HOUR)), ["canary-failed"]),
        ((move(MoveVerb.CANARY, HOUR, MoveState.FAILED),), ["canary-failed"]),
        ((move(MoveVerb.CANARY, 50 * HOUR), move(MoveVerb.ABORT, 30 * HOUR)), []),
        (tuple(move(MoveVerb.ROLLBACK, n * DAY) for n in (1, 2)), []),
        (tuple(move(MoveVerb.ROLLBACK, n * DAY) for n in (1, 2, 3)), ["frequent-rollbacks"]),
        (tuple(move(MoveVerb.ROLLBACK, n * DAY, MoveState.UNDONE) for n in (1, 2, 3)), []),
        (tuple(move(MoveVerb.ROLLBACK, n * DAY) for n in (1, 2, 31)), []),
    ],
)
def test_what_fires(moves: tuple[Move, ...], rules: list[str]) -> None:
    assert sorted(firing(*moves)) == rules


@pytest.mark.parametrize("later", [MoveVerb.ROLLBACK, MoveVerb.PROMOTE])
def test_a_move_that_succeeds_ends_it_with_proof(later: MoveVerb) -> None:
    failed = move(MoveVerb.ROLLBACK, 3 * HOUR, MoveState.FAILED)
    moves = (move(later, 2 * HOUR), failed)
    (group,) = judge_model(MODEL, findings(), PulledSeries("churn", (), moves=moves), NOW, unexplained)
    assert (group.rule, group.state) == ("rollback-failed", AlertState.RESOLVED)
    assert len(group.clear[0].times) >= group.hold


def test_a_training_that_succeeds_ends_the_alert_of_the_one_before() -> None:
    failed = move(MoveVerb.RETRAIN, 30 * HOUR, MoveState.FAILED)
    assert "retraining-failed" in firing(failed)
    assert not firing(move(MoveVerb.RETRAIN, 5 * HOUR), failed)


def test_a_failed_rollback_pages() -> None:
    group = firing(move(MoveVerb.ROLLBACK, HOUR, MoveState.FAILED, detail="deploy ended with 3"))["rollback-failed"]
    assert (group.kind, group.severity, group.do) == ("rollback-failed", Severity.CRITICAL, ("issue", "page"))
    assert group.evidence.notes[0].endswith("rollback to v6 by ada (accuracy is critical): failed, deploy ended with 3")


def test_it_began_when_the_move_failed() -> None:
    group = firing(move(MoveVerb.ROLLBACK, 5 * HOUR, MoveState.FAILED, 900.0))["rollback-failed"]
    assert group.start == NOW - 5 * HOUR + 900


def test_a_model_without_releases_has_no_such_alerts() -> None:
    plain = replace(MODEL, release=None)
    assert derive_release_tracks(plain, (move(MoveVerb.ROLLBACK, HOUR, MoveState.FAILED),), NOW) == {}


def test_the_newest_moves_are_told_first_and_not_all() -> None:
    moves = [move(MoveVerb.ROLLBACK, n * HOUR, detail=f"number {n}") for n in range(9, 0, -1)]
    lines = describe_moves("frequent-rollbacks", moves, None)
    assert len(lines) == 5
    assert lines[0].endswith("number 1")


def test_which_version_to_go_back_to_is_known_here_too() -> None:
    """The group's own track knows no versions; those of the model's rules do."""
    of = rule(tiers=(tier("error", ("issue",)),))
    model = replace(MODEL, rules=(of,))
    one = track("..e..", of, versions=("v5", "v6", "v7"), version=[0, 0, 1, 2, 2])
    served = tuple(Deployment(version, at(hour)) for hour, version in ((0, "v5"), (2, "v6"), (3, "v7")))
    pull = PulledSeries("churn", (), served, moves=(move(MoveVerb.ROLLBACK, HOUR, MoveState.FAILED),))
    groups = {group.rule: group for group in judge_model(model, findings(one), pull, NOW, unexplained)}
    evidence = groups["rollback-failed"].evidence
    assert (evidence.version, evidence.previous) == ("v7", ("v5",))


def test_what_was_moved_shortly_before_is_told_of_any_alert() -> None:
    """Whoever looks at a fall wants to see the promotion of an hour before it."""
    moves = tuple(move(MoveVerb.PROMOTE, ago, target="v7") for ago in (HOUR, 3 * HOUR, 40 * HOUR))
    moves += (move(MoveVerb.REGISTER, 2 * HOUR),)
    lines = describe_moves("accuracy", moves, NOW - 2 * HOUR)
    assert [line.split(": ", 2)[2] for line in lines] == ["promote to v7 by ada (accuracy is critical): done"] * 2
    assert describe_moves("accuracy", moves, None) == ()
