"""What people read of releases: who put what where, what was lost, what differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelwatch.model.release import Move, MoveState, MoveVerb, Registry, Version
from modelwatch.report.release import (
    assigning_move,
    history_rows,
    lost_versions,
    move_result,
    overdue_warnings,
    registry_warnings,
    status_json,
    status_rows,
    version_differences,
)

AT = 1_790_000_000.0
BEFORE = (("accuracy", 0.9), ("auc", 0.95))


def version(name: str, *aliases: str, number: str = "", available: bool = True, **rest: object) -> Version:
    return Version(name, aliases, f"digest-{name}", AT, number=number, available=available, **rest)  # type: ignore[arg-type]


def moved(
    target: str, source: str, verb: MoveVerb = MoveVerb.PROMOTE, state: MoveState = MoveState.DONE, at: float = AT
) -> Move:
    after = (("previous", source), ("production", target))
    return Move(f"{verb}-{target}", verb, "churn", source, target, "why\n<b>", "ana|bo", at, (), after, state, at)


REGISTRY = Registry(
    "churn",
    "acme/train/churn",
    (
        version("v3", "canary", number="1.2.0"),
        version("v2", "production", number="1.1.0", commit="c" * 40, data="d2", metrics=(("accuracy", 0.92),)),
        version("v1", "previous", number="1.0.0", commit="b" * 40, data="d1", metrics=BEFORE),
        version("v0", available=False),
    ),
    (
        moved("v3", "v2", state=MoveState.FAILED, at=AT + 3),
        moved("v2", "v1", MoveVerb.ROLLBACK, at=AT + 2),
        moved("v1", "v0", at=AT + 1),
    ),
)


def test_an_alias_is_traced_to_the_move_that_gave_it() -> None:
    found = assigning_move(REGISTRY, "production")
    assert found is not None
    assert found.verb is MoveVerb.ROLLBACK
    assert assigning_move(REGISTRY, "canary") is None, "a failed move gave nothing"
    assert assigning_move(REGISTRY, "staging") is None


def test_versions_that_cannot_be_gone_back_to_are_told() -> None:
    assert [one.name for one in lost_versions(REGISTRY, 3)] == ["v0"]
    assert lost_versions(REGISTRY, 2) == ()
    (told,) = registry_warnings(REGISTRY, 3)
    assert told.startswith("a rollback to v0 is impossible")
    open_too = Registry("churn", "", (), (moved("v1", "", state=MoveState.MOVED),))
    assert [text.split(";")[0] for text in registry_warnings(open_too, 3)] == [
        "nothing is in production.",
        "promote v1 has not ended",
    ]


def test_rows_are_one_safe_line_each() -> None:
    rows = [*status_rows(REGISTRY), *history_rows(REGISTRY)]
    assert not any("\n" in cell for row in rows for cell in row)
    assert [row[0] for row in status_rows(REGISTRY)] == ["production", "canary", "staging", "candidate", "previous"]
    assert status_rows(REGISTRY)[1][-1] == "not by modelwatch"
    assert history_rows(REGISTRY)[1][1:5] == ("rollback", "1.0.0 (v1)", "1.1.0 (v2)", "done")
    assert status_json(REGISTRY, 3)["aliases"]["previous"]["version"] == "v1"


def test_what_differs_has_both_values() -> None:
    one, other = REGISTRY.versions[2], REGISTRY.versions[1]
    found = {line.what: (line.a, line.b) for line in version_differences(one, other) if not line.same}
    assert found == {
        "data": ("d1", "d2"),
        "commit": ("b" * 40, "c" * 40),
        "content": ("digest-v1", "digest-v2"),
        "metric accuracy": ("0.9", "0.92"),
        "metric auc": ("0.95", ""),
    }
    assert all(line.same for line in version_differences(one, one))


def test_degrade_moves_to_the_fallback_and_restore_comes_from_it() -> None:
    degraded = moved("v6", "v6", MoveVerb.DEGRADE)
    assert (degraded.origin, degraded.destination) == ("v6", "fallback")
    assert move_result(replace(degraded, url="https://w/1")) == "Done: degrade to fallback."
    restored = moved("v6", "v6", MoveVerb.RESTORE)
    assert (restored.origin, restored.destination) == ("fallback", "v6")


def test_how_a_move_ended_is_one_line() -> None:
    failed = moved("v3", "v2", state=MoveState.FAILED)
    assert move_result(failed) == "Failed: promote v3: . The aliases were restored."
    assert move_result(moved("v3", "v2")) == "No changes needed: ."


@pytest.mark.parametrize(
    ("every", "days", "told"),
    [("monthly", 32, 0), ("monthly", 34, 1), ("quarterly", 34, 0), ("quarterly", 95, 1), ("", 400, 0)],
)
def test_a_retraining_on_schedule_that_was_missed_is_told(every: str, days: float, told: int) -> None:
    last = max(version.created for version in REGISTRY.versions)
    found = overdue_warnings(REGISTRY, every, last + days * 86_400)
    assert len(found) == told
    trained = Move("k", MoveVerb.RETRAIN, "churn", "", "", "", "", last + days * 86_400 - 60, state=MoveState.DONE)
    assert overdue_warnings(replace(REGISTRY, moves=(trained,)), every, last + days * 86_400) == []
