"""Which version to go back to: every reason against one, and the order in which they are looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.model.version_health import VersionHealth
from modelwatch.report.rollback_choice import choose_rollback_target, unfit_reason


def version(number: int, *aliases: str, **more: object) -> Version:
    plain = Version(f"v{number}", aliases, f"digest{number}", float(number), commit=f"c{number}", data=f"d{number}")
    return replace(plain, **more)  # type: ignore[arg-type]


def move(verb: MoveVerb, source: str, target: str, at: float, state: MoveState = MoveState.DONE) -> Move:
    return Move(f"k{at}", verb, "churn", source, target, "too many errors", "ada", at, state=state)


V4, V5, V6, V7 = version(4), version(5), version(6, "previous"), version(7, "production")
SERVED = tuple(move(MoveVerb.PROMOTE, f"v{n - 1}", f"v{n}", float(n)) for n in (7, 6, 5, 4))
HEALTHY = ("v6", "v5", "v4")


def registry(*versions: Version, moves: tuple[Move, ...] = SERVED) -> Registry:
    return Registry("churn", "acme/churn/model", versions or (V7, V6, V5, V4), moves)


def chosen(of: Registry, failing: str = "v7", healthy: tuple[str, ...] = HEALTHY) -> tuple[str, str]:
    choice = choose_rollback_target(of, failing, [VersionHealth(name, 0.0, judged=1) for name in healthy])
    return choice.target, choice.reason


def test_the_version_before_where_nothing_speaks_against_it() -> None:
    assert chosen(registry()) == ("v6", "")


def test_a_version_that_was_put_there_by_hand_can_be_gone_back_to() -> None:
    """v4 is the target of no move, but v5 took its place."""
    of = registry(V7, replace(V6, data="d7"), replace(V5, commit="c7"), V4, moves=SERVED[:3])
    target, reason = chosen(of)
    assert target == "v4"
    assert reason.startswith("v6 shares the likely cause: trained on the same data (d7); v5 shares the likely cause")


def test_before_the_first_move_the_history_of_metrics_says_which_versions_served() -> None:
    v6 = replace(V6, aliases=())
    assert chosen(registry(V7, v6, V5, V4, moves=())) == ("v6", "")
    assert chosen(registry(V7, v6, V5, V4, moves=()), healthy=("v5",)) == ("v5", "")
    withdrawn = (move(MoveVerb.PROMOTE, "v5", "v7", 7.0), move(MoveVerb.ABORT, "v7", "v6", 6.0))
    assert chosen(registry(V7, v6, V5, moves=withdrawn)) == ("v5", ""), "a withdrawn canary never served everybody"


@pytest.mark.parametrize(
    ("v6", "healthy", "reason"),
    [
        (replace(V6, available=False), HEALTHY, "v6 is no longer available: its files are deleted"),
        (replace(V6, data="d7"), HEALTHY, "v6 shares the likely cause: trained on the same data (d7)"),
        (replace(V6, commit="c7"), HEALTHY, "v6 shares the likely cause: built from the same commit (c7)"),
        (V6, ("v5", "v4"), "v6 has no record of being healthy under the same rules while it served"),
    ],
)
def test_else_the_next_older_one_and_why(v6: Version, healthy: tuple[str, ...], reason: str) -> None:
    assert chosen(registry(V7, v6, V5, V4), healthy=healthy) == ("v5", reason)


def test_not_what_an_earlier_rollback_came_from() -> None:
    """v7 was left for v6, and v6 fails now: back to v7 is no way out."""
    moves = (move(MoveVerb.ROLLBACK, "v7", "v6", 9.0), *SERVED)
    of = registry(version(7, "previous"), version(6, "production"), V5, V4, moves=moves)
    assert chosen(of, "v6", ("v7", "v5")) == ("v5", "v7 was itself rolled back: too many errors")


def test_what_is_in_production_already_did_not_fail() -> None:
    """v7 fails, and v6 has just been put back: its own metrics are still to come."""
    moves = (move(MoveVerb.ROLLBACK, "v7", "v6", 9.0), *SERVED)
    of = registry(version(7, "previous"), replace(V6, aliases=("production",)), V5, V4, moves=moves)
    health = [VersionHealth(name, 0.0, judged=1) for name in HEALTHY]
    assert unfit_reason(of.versions[1], of, "v7", health) == "is in production already; wait for its metrics"
    assert unfit_reason(of.versions[0], of, "v7", health) == "is the version that just failed"


def test_what_was_rolled_back_to_did_not_fail() -> None:
    """v7 failed, and the metrics know that v6 serves again, while the alert still fires."""
    back = registry(
        version(7, "previous"),
        replace(V6, aliases=("production",)),
        V5,
        moves=(move(MoveVerb.ROLLBACK, "v7", "v6", 9.0), *SERVED),
    )
    health = [VersionHealth(name, 0.0, judged=1) for name in HEALTHY]
    assert unfit_reason(back.versions[1], back, "v6", health) == "is in production already; wait for its metrics"
    promoted = replace(back, moves=SERVED)
    assert unfit_reason(back.versions[1], promoted, "v6", health) == "is the version that just failed"


def test_promoted_anew_it_has_its_second_chance() -> None:
    later = (move(MoveVerb.PROMOTE, "v6", "v7", 10.0), move(MoveVerb.ROLLBACK, "v7", "v6", 9.0), *SERVED)
    now = (move(MoveVerb.PROMOTE, "v7", "v8", 11.0), *later)
    of = registry(version(8, "production"), V7, V6, moves=now)
    assert chosen(of, "v8", ("v7",))[0] == "v7"


def test_a_rollback_that_failed_left_nothing() -> None:
    moves = (
        move(MoveVerb.PROMOTE, "v7", "v8", 10.0),
        move(MoveVerb.ROLLBACK, "v7", "v6", 9.0, MoveState.FAILED),
        *SERVED,
    )
    assert chosen(registry(version(8, "production"), V7, V6, moves=moves), "v8", ("v7", "v6"))[0] == "v7"


def test_nothing_will_do_and_every_reason_is_told() -> None:
    target, reason = chosen(registry(), healthy=())
    assert target == ""
    assert [part.split()[0] for part in reason.split("; ")] == ["v6", "v5", "v4"]


def test_unknown_culprits_are_shared_by_nobody() -> None:
    of = registry(replace(V7, data="", commit=""), replace(V6, data="", commit=""))
    assert chosen(of) == ("v6", "")


def test_versions_are_known_by_their_numbers_too() -> None:
    of = registry(replace(V7, number="1.5.0"), replace(V6, number="1.4.0"))
    assert chosen(of, "1.5.0", ("1.4.0",)) == ("v6", "")


def test_without_moves_the_alias_previous_tells() -> None:
    assert chosen(registry(moves=())) == ("v6", "")
    assert chosen(registry(version(7, "production"), V5, moves=()), healthy=()) == ("", "")
